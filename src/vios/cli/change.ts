/** The commands of the VIOS command line that change devices: mkvdev, rmvdev, rmdev, chdev (hmc-cli 7.4). They act through `Vios`. */
import { lowestFree } from "../devices.js";
import type { ViosTargetDevice } from "../../wire/system-vios.js";
import type { Vios } from "../vios.js";
import { unknownDevice } from "./lsdev.js";
import { diskPhysloc, physloc, unitCode } from "./lsmap.js";
import { CommandFailure, parseWords } from "./words.js";

export const MKVDEV_USAGE = "mkvdev [-f] {-vdev TargetDevice | -dplc TDPhysicalLocationCode}\n              {-vadapter VirtualServerAdapter | -aplc VSAPhysicalLocationCode}\n              [-dev DeviceName]";
export const RMVDEV_USAGE = "rmvdev [-f] {-vdev TargetDevice | -vtd VirtualTargetDevice} [-rmlv]";
export const RMDEV_USAGE = "rmdev -dev DeviceName [-ucfg] [-f] [-recursive]";
export const CHDEV_USAGE = "chdev -dev DeviceName -attr Attribute=NewValue ... [-perm]";

/** AIX takes device names of at most 15 characters. */
const DEVICE_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,14}$/;
const BUSY = "Some error messages may contain invalid information\nfor the Virtual I/O Server environment.\n\nMethod error (/usr/lib/methods/ucfgdevice):\n\t0514-062 Cannot perform the requested function because the\n\t\t specified device is busy.";

/**
 * Maps a disk to a server adapter. The new device's gate is closed: the system opens it when the client partition is activated.
 * @throws CommandFailure; OlpmError of `Storage.attach`
 */
export async function mkvdev(vios: Vios, words: readonly string[]): Promise<string> {
  const parsed = parseWords(words, { flags: ["-f"], values: ["-vdev", "-vadapter", "-dplc", "-aplc", "-dev"], usage: MKVDEV_USAGE });
  const [unit, dplc, aplc] = [unitCode(vios.config.mtms), parsed.value("-dplc"), parsed.value("-aplc")];
  const vdev = parsed.value("-vdev") ?? (dplc === undefined ? undefined : (vios.table.all.disks.find((one) => diskPhysloc(unit, one) === dplc)?.name ?? dplc));
  const vadapter = parsed.value("-vadapter") ?? (aplc === undefined ? undefined : (vios.table.all.adapters.find((one) => physloc({ unit, lparId: vios.config.lparId }, one.slot) === aplc)?.name ?? aplc));
  if (vdev === undefined || vadapter === undefined) throw new CommandFailure(`Required option is missing.\n\nUsage: ${MKVDEV_USAGE}`);
  const disk = vios.table.disk(vdev) ?? unknownDevice("mkvdev", vdev);
  const adapter = vios.table.adapter(vadapter) ?? unknownDevice("mkvdev", vadapter);
  const user = vios.table.targetOf(disk.lun);
  if (user) throw new CommandFailure(`"${vdev}" is already being used as a backing device by "${user.name}". A disk of the SAN can back one virtual target device.`);
  const taken = () => [...vios.table.all.targets, ...vios.table.all.adapters, ...vios.table.all.disks].map((device) => device.name);
  const name = parsed.value("-dev");
  if (name !== undefined && !DEVICE_NAME.test(name)) throw new CommandFailure(`The device name "${name}" is not valid.`);
  if (name !== undefined && taken().includes(name)) throw new CommandFailure(`The device name "${name}" is already in use.`);
  const made = await vios.storage.attach({ name: name ?? (() => lowestFree("vtscsi", taken())), slot: adapter.slot, lun: disk.lun, lunBytes: disk.bytes, gate: "closed" });
  return `${made.name} Available\n`;
}

/** Removes the target device of a name, or those that a disk backs. */
export async function rmvdev(vios: Vios, words: readonly string[]): Promise<string> {
  const parsed = parseWords(words, { flags: ["-f", "-rmlv"], values: ["-vtd", "-vdev"], usage: RMVDEV_USAGE });
  const vtd = parsed.value("-vtd");
  const vdev = parsed.value("-vdev");
  if ((vtd === undefined) === (vdev === undefined)) throw new CommandFailure(`Required option is missing.\n\nUsage: ${RMVDEV_USAGE}`);
  const target = vtd !== undefined ? (ownTarget(vios, vtd) ?? unknownDevice("rmvdev", vtd)) : targetOn(vios, vdev!);
  return remove(vios, target, parsed.has("-f"));
}

export async function rmdev(vios: Vios, words: readonly string[]): Promise<string> {
  const parsed = parseWords(words, { flags: ["-ucfg", "-f", "-recursive"], values: ["-dev"], usage: RMDEV_USAGE });
  const name = parsed.value("-dev");
  if (name === undefined) throw new CommandFailure(`Required option is missing.\n\nUsage: ${RMDEV_USAGE}`);
  const target = ownTarget(vios, name);
  if (target) {
    if (parsed.has("-ucfg")) throw new CommandFailure(`${name}: a virtual target device can only be removed; it is configured while it exists.`);
    return remove(vios, target, parsed.has("-f"));
  }
  const disk = vios.table.disk(name);
  // A server adapter belongs to the partition's profile: the hypervisor takes it away, not this command.
  if (vios.table.adapter(name) || vios.table.fc(name) || (disk && vios.table.targetOf(disk.lun))) throw new CommandFailure(BUSY);
  if (!disk) return unknownDevice("rmdev", name);
  vios.table.setDisks(vios.table.all.disks.filter((one) => one !== disk));
  return `${name} deleted\n`;
}

/** Reservations are never placed on LUNs here, so the one policy that mobility allows is the one there is. */
export function chdev(vios: Vios, words: readonly string[]): string {
  const parsed = parseWords(words, { flags: ["-perm"], values: ["-dev"], lists: ["-attr"], usage: CHDEV_USAGE });
  const name = parsed.value("-dev");
  const attributes = parsed.list("-attr");
  if (name === undefined || !attributes) throw new CommandFailure(`Required option is missing.\n\nUsage: ${CHDEV_USAGE}`);
  if (!vios.table.disk(name)) unknownDevice("chdev", name);
  const other = attributes.find((attribute) => attribute !== "reserve_policy=no_reserve");
  if (other !== undefined) throw new CommandFailure(`Method error (/usr/lib/methods/chgdisk):\n\t0514-018 The values specified for the following attributes\n\t\t are not valid:\n\t${other}`);
  return `${name} changed\n`;
}

/** A virtual SCSI target device; those of virtual Fibre Channel come and go with the client's login. */
function ownTarget(vios: Vios, name: string): ViosTargetDevice | undefined {
  const target = vios.table.target(name);
  return target?.wwpn === undefined ? target : undefined;
}

function targetOn(vios: Vios, vdev: string): ViosTargetDevice {
  const disk = vios.table.disk(vdev) ?? unknownDevice("rmvdev", vdev);
  const target = vios.table.targetOf(disk.lun);
  if (!target) throw new CommandFailure(`"${vdev}" is not a backing device of a virtual target device.`);
  return target;
}

/** An open gate means that the client partition may be writing. */
async function remove(vios: Vios, target: ViosTargetDevice, force: boolean): Promise<string> {
  if (target.gate === "open" && !force) throw new CommandFailure(BUSY);
  await vios.storage.detach(target.name);
  return `${target.name} deleted\n`;
}
