/** The VIOS command line: one command, as argv without `ioscli`, to output and status. `Vios` calls it for `viosvrcmd`. */
import { operatorLine, toOlpmError } from "../../kit/errors.js";
import type { SlotNumber } from "../../model/ids.js";
import type { Vios } from "../vios.js";
import { CHDEV_USAGE, chdev, MKVDEV_USAGE, mkvdev, RMDEV_USAGE, rmdev, RMVDEV_USAGE, rmvdev } from "./change.js";
import { ENTSTAT_USAGE, entstatText, type SharedDevice } from "./entstat.js";
import { readLinks } from "./links.js";
import { lsdevText, LSDEV_USAGE, unknownDevice, type Attribute, type Device } from "./lsdev.js";
import { diskPhysloc, lsmapText, LSMAP_USAGE, physloc, unitCode, type LsmapFacts } from "./lsmap.js";
import { CHKDEV_USAGE, chkdevText, deviceIdentifier, LSPV_USAGE, lspvText } from "./lspv.js";
import { LSTCPIP_USAGE, lstcpipText } from "./lstcpip.js";
import { LSNPORTS_USAGE, lsnportsText, portPhysloc, VFCMAP_USAGE, vfcmap } from "./npiv.js";
import { CommandFailure, parseWords } from "./words.js";

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** The level of the VIOS commands that this command line follows (hmc-cli 7.4); clients choose their parsers by it. */
export const IOS_LEVEL = "3.1.3.14";
const NOT_FOUND_STATUS = 127;

interface Command {
  readonly usage: string;
  readonly run: (vios: Vios, words: readonly string[]) => Promise<string> | string;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  cfgdev: { usage: "cfgdev [-dev DeviceName]", run: cfgdev },
  chdev: { usage: CHDEV_USAGE, run: chdev },
  chkdev: { usage: CHKDEV_USAGE, run: (vios, words) => chkdevText(words, ownDevices(vios)) },
  entstat: { usage: ENTSTAT_USAGE, run: async (vios, words) => entstatText(words, sharedDevices(vios), await readLinks()) },
  help: { usage: "help [CommandName]", run: help },
  ioslevel: { usage: "ioslevel", run: (_, words) => (parseWords(words, { usage: "ioslevel" }), `${IOS_LEVEL}\n`) },
  lsdev: { usage: LSDEV_USAGE, run: (vios, words) => lsdevText(words, devicesOf(vios)) },
  lsmap: { usage: LSMAP_USAGE, run: (vios, words) => lsmapText(words, lsmapFacts(vios)) },
  lsnports: { usage: LSNPORTS_USAGE, run: (vios, words) => lsnportsText(words, unitCode(vios.config.mtms), vios.fibreChannel.ports()) },
  lspv: { usage: LSPV_USAGE, run: (vios, words) => lspvText(words, ownDevices(vios)) },
  lstcpip: { usage: LSTCPIP_USAGE, run: async (vios, words) => lstcpipText(words, await readLinks(), interfaceNames(vios)) },
  mkvdev: { usage: MKVDEV_USAGE, run: mkvdev },
  rmdev: { usage: RMDEV_USAGE, run: rmdev },
  rmvdev: { usage: RMVDEV_USAGE, run: rmvdev },
  vfcmap: { usage: VFCMAP_USAGE, run: vfcmap },
};

/** Name and usage of each command, for the manual. */
export const VIOS_COMMANDS: readonly { readonly name: string; readonly usage: string }[] = Object.entries(COMMANDS).map(([name, { usage }]) => ({ name, usage }));

/** Never throws for what the world or the caller does: the status says it, as a command's would. */
export async function runViosCommand(vios: Vios, argv: readonly string[]): Promise<CommandResult> {
  const [name = "", ...words] = argv[0] === "ioscli" ? argv.slice(1) : argv;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) return { stdout: "", stderr: `rksh: ${name}:  not found.\n`, code: NOT_FOUND_STATUS };
  if (words.includes("-help")) return { stdout: `Usage: ${command.usage}\n`, stderr: "", code: 0 };
  try {
    return { stdout: await command.run(vios, words), stderr: "", code: 0 };
  } catch (thrown) {
    if (thrown instanceof CommandFailure) return { stdout: "", stderr: `${thrown.message}\n`, code: thrown.status };
    return { stdout: "", stderr: `${operatorLine(toOlpmError(thrown, name))}\n`, code: 1 };
  }
}

async function cfgdev(vios: Vios, words: readonly string[]): Promise<string> {
  const device = parseWords(words, { values: ["-dev"], usage: "cfgdev [-dev DeviceName]" }).value("-dev");
  if (device !== undefined && !devicesOf(vios).some((one) => one.name === device)) unknownDevice("cfgdev", device);
  await vios.storage.refresh();
  const failures = vios.storage.failures;
  if (failures.length > 0) throw new CommandFailure(failures.map((failure) => operatorLine(failure)).join("\n"));
  return "";
}

function help(_: Vios, words: readonly string[]): string {
  const [name] = parseWords(words, { operandsMax: 1, usage: "help [CommandName]" }).operands;
  if (name === undefined) return `Commands of the Virtual I/O Server:\n${Object.keys(COMMANDS).map((one) => `  ${one}\n`).join("")}`;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new CommandFailure(`Command "${name}" is not known.`);
  return `Usage: ${command.usage}\n`;
}


function lsmapFacts(vios: Vios): LsmapFacts {
  const { adapters, targets, fc } = { ...vios.table.all, ...ownDevices(vios) };
  return {
    unit: unitCode(vios.config.mtms),
    lparId: vios.config.lparId,
    adapters,
    targets: targets.map((target) => ({ ...target, disk: vios.table.diskOf(target.lun), available: vios.storage.served(target.name) })),
    fc: fc.map((adapter) => ({ ...adapter, ports: portsLoggedIn(vios, adapter.slot) })),
    sea: ethernets(vios).map((one) => ({ svea: one.trunk, slot: one.trunkSlot, sea: one.sea, backing: one.uplink, available: one.available })),
  };
}

/** Without the LUNs that clients reach by virtual Fibre Channel: a VIOS passes them through and has no devices for them. */
const ownDevices = (vios: Vios): Pick<Vios["table"]["all"], "disks" | "targets"> => ({ disks: vios.table.all.disks, targets: vios.table.all.targets.filter((target) => target.wwpn === undefined) });
const portsLoggedIn = (vios: Vios, slot: SlotNumber): number => new Set(vios.table.targetsBehind(slot).flatMap((target) => vios.storage.wayOf(target.name)?.target ?? [])).size;

/** Ethernet devices are numbered as AIX would find them: uplinks, trunk adapters, shared adapters. */
function ethernets(vios: Vios): { uplink: string; trunk: string; trunkSlot: number; sea: string; available: boolean; vlanIds: readonly number[] }[] {
  const count = vios.config.sea.length;
  return vios.config.sea.map((one, i) => ({ uplink: `ent${i}`, trunk: `ent${count + i}`, trunkSlot: one.trunkSlot, sea: `ent${2 * count + i}`, available: vios.sea[i]?.available ?? false, vlanIds: one.segments.map((segment) => segment.vlanId) }));
}

function sharedDevices(vios: Vios): SharedDevice[] {
  return ethernets(vios).map((names, i) => {
    const { uplink, trunkPriority } = vios.config.sea[i]!;
    const { bridges, trunks } = vios.sea[i]!.interfaces;
    return {
      sea: { name: names.sea, kind: "Shared Ethernet Adapter", interfaces: bridges },
      uplink: { name: names.uplink, kind: "Ethernet Adapter", interfaces: [uplink] },
      trunk: { name: names.trunk, kind: "Virtual I/O Ethernet Adapter (l-lan)", interfaces: trunks },
      vlanIds: names.vlanIds,
      priority: trunkPriority,
    };
  });
}
/** `en2` on `ent2`. */
const interfaceNames = (vios: Vios): ReadonlyMap<string, string> => new Map(sharedDevices(vios).flatMap((one) => [one.sea, one.uplink, one.trunk].map((device): [string, string] => [device.interfaces[0]!, device.name.replace("ent", "en")])));

function devicesOf(vios: Vios): Device[] {
  const { adapters, disks, targets, fc } = { ...vios.table.all, ...ownDevices(vios) };
  const facts = lsmapFacts(vios);
  const made: Device[] = [];
  const add = (device: Partial<Device> & Pick<Device, "name" | "description" | "type">) => made.push({ status: "Available", virtual: false, physloc: "", parent: "vio0", attributes: [], ...device });
  for (const one of ethernets(vios)) {
    const place = `${physloc(facts, one.trunkSlot)}-T1`;
    add({ name: one.uplink, type: "adapter", description: "Ethernet Adapter", parent: "pci0" });
    add({ name: one.trunk, type: "adapter", description: "Virtual I/O Ethernet Adapter (l-lan)", virtual: true, status: one.available ? "Available" : "Defined", physloc: place });
    add({ name: one.sea, type: "adapter", description: "Shared Ethernet Adapter", virtual: true, parent: "", attributes: seaAttributes(one) });
  }
  for (const adapter of adapters) add({ name: adapter.name, type: "adapter", description: "Virtual SCSI Server Adapter", virtual: true, physloc: physloc(facts, adapter.slot) });
  for (const { name } of vios.fibreChannel.ports()) add({ name, type: "adapter", description: "Fibre Channel port (iSCSI portal)", parent: "pci0", physloc: portPhysloc(facts.unit, name) });
  for (const adapter of fc) add({ name: adapter.name, type: "adapter", description: "Virtual FC Server Adapter", virtual: true, physloc: physloc(facts, adapter.slot), attributes: [attribute("map_port", adapter.port ?? "", "Physical FC Port")] });
  for (const disk of disks) add({ name: disk.name, type: "disk", description: "MPIO Other iSCSI Disk Drive", status: disk.state === "available" ? "Available" : "Defined", physloc: diskPhysloc(facts.unit, disk), parent: "iscsi0", attributes: diskAttributes(disk) });
  for (const target of targets) {
    const parent = vios.table.adapterOf(target.slot)?.name ?? "";
    add({ name: target.name, type: "vtd", description: "Virtual Target Device - Disk", virtual: true, status: vios.storage.served(target.name) ? "Available" : "Defined", parent });
  }
  const mover = vios.config.mover;
  if (mover) {
    const attributes = [attribute("cfg_msp_lpm_ops", mover.concurrentMax, "Configured number of concurrent LPM operations for this MSP"), attribute("tcp_port_high", mover.port, "TCP highest ephemeral port"), attribute("tcp_port_low", mover.port, "TCP lowest ephemeral port")];
    add({ name: "vioslpm0", type: "pseudo", description: "VIOS LPM Adapter", virtual: true, parent: "", attributes });
  }
  return made;
}

const attribute = (name: string, value: string | number, description: string, settable = true): Attribute => ({ name, value: String(value), description, settable });

const seaAttributes = (one: ReturnType<typeof ethernets>[number]): Attribute[] => [
  attribute("pvid_adapter", one.trunk, "Default virtual adapter to use for non-VLAN-tagged packets"),
  attribute("real_adapter", one.uplink, "Physical adapter associated with the SEA", false),
  attribute("virt_adapters", one.trunk, "List of virtual adapters associated with the SEA (comma separated)"),
];

const diskAttributes = (disk: ReturnType<Vios["table"]["disk"]> & object): Attribute[] => [
  attribute("host_addr", disk.portal.replace(/:\d+$/, ""), "Hostname or IP Address", false),
  attribute("lun_id", `0x${disk.lunNumber === 0 ? "0" : `${disk.lunNumber.toString(16)}000000000000`}`, "Logical Unit Number ID", false),
  attribute("pvid", "none", "Physical volume identifier", false),
  attribute("reserve_policy", "no_reserve", "Reserve Policy"),
  attribute("target_name", disk.target, "Target NAME", false),
  attribute("unique_id", deviceIdentifier(disk.lun), "Unique device identifier", false),
];
