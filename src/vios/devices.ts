/**
 * The devices of a Virtual I/O Server and their names: hdisks (LUNs by identity), server adapters vhostN and vfchostN, and target devices. One table, changed
 * only here; whoever watches it gets the whole of it after every change. No input or output.
 */
import { OlpmError } from "../kit/errors.js";
import type { LunId, SlotNumber } from "../model/ids.js";
import type { ViosDevices, ViosDisk, ViosFcAdapter, ViosServerAdapter, ViosTargetDevice } from "../wire/system-vios.js";
import type { FoundLun } from "./san/discover.js";

/** `vhost`, `hdisk`, `vtscsi`: the lowest number that no device has, as AIX gives them. */
export function lowestFree(prefix: string, taken: readonly string[]): string {
  const names = new Set(taken);
  for (let n = 0; ; n++) if (!names.has(`${prefix}${n}`)) return `${prefix}${n}`;
}

/**
 * The disks after a look at the SAN: known LUNs keep their names, whatever their way; unseen ones become `defined`; new ones get the lowest free
 * name, in the order of their ways.
 */
export function mergeDisks(known: readonly ViosDisk[], found: readonly FoundLun[]): ViosDisk[] {
  const byLun = new Map(found.map((one) => [one.lun, one]));
  const disks: ViosDisk[] = known.map((disk) => {
    const seen = byLun.get(disk.lun);
    return seen ? diskOf(disk.name, seen.bytes === 0 ? { ...seen, bytes: disk.bytes } : seen) : { ...disk, state: "defined" };
  });
  const have = new Set(disks.map((disk) => disk.lun));
  const fresh = found.filter((one) => !have.has(one.lun)).sort((a, b) => (a.target === b.target ? a.lunNumber - b.lunNumber : a.target < b.target ? -1 : 1));
  for (const one of fresh) disks.push(diskOf(lowestFree("hdisk", disks.map((disk) => disk.name)), one));
  return disks.sort((a, b) => Number(a.name.slice(5)) - Number(b.name.slice(5)));
}

const diskOf = (name: string, seen: FoundLun): ViosDisk => ({ name, lun: seen.lun, bytes: seen.bytes, target: seen.target, lunNumber: seen.lunNumber, portal: seen.portal, state: "available" });

export class DeviceTable {
  #devices: ViosDevices;
  readonly #changed: (devices: ViosDevices) => void;

  constructor(devices: ViosDevices, changed: (devices: ViosDevices) => void) {
    this.#devices = structuredClone(devices);
    this.#changed = changed;
  }

  /** The whole table now; callers do not change it. */
  get all(): ViosDevices {
    return this.#devices;
  }

  adapterOf(slot: SlotNumber): ViosServerAdapter | undefined {
    return this.#devices.adapters.find((adapter) => adapter.slot === slot);
  }
  adapter(name: string): ViosServerAdapter | undefined {
    return this.#devices.adapters.find((adapter) => adapter.name === name);
  }
  fcOf(slot: SlotNumber): ViosFcAdapter | undefined {
    return this.#devices.fc.find((adapter) => adapter.slot === slot);
  }
  fc(name: string): ViosFcAdapter | undefined {
    return this.#devices.fc.find((adapter) => adapter.name === name);
  }
  target(name: string): ViosTargetDevice | undefined {
    return this.#devices.targets.find((target) => target.name === name);
  }
  /** The virtual SCSI device on a LUN. */
  targetOf(lun: LunId): ViosTargetDevice | undefined {
    return this.#devices.targets.find((target) => target.lun === lun && target.wwpn === undefined);
  }
  targetsBehind(slot: SlotNumber): ViosTargetDevice[] {
    return this.#devices.targets.filter((target) => target.slot === slot);
  }
  disk(name: string): ViosDisk | undefined {
    return this.#devices.disks.find((disk) => disk.name === name);
  }
  diskOf(lun: LunId): ViosDisk | undefined {
    return this.#devices.disks.find((disk) => disk.lun === lun);
  }

  /** The adapter of this slot, made when there is none; a slot keeps its name when its client changes. */
  putAdapter(wanted: Omit<ViosServerAdapter, "name">): ViosServerAdapter {
    const old = this.adapterOf(wanted.slot);
    const adapter: ViosServerAdapter = { name: old?.name ?? lowestFree("vhost", this.#devices.adapters.map((one) => one.name)), ...wanted };
    if (old && old.clientLparId === adapter.clientLparId && old.clientSlot === adapter.clientSlot) return old;
    this.#set({ adapters: [...this.#devices.adapters.filter((one) => one !== old), adapter].sort((a, b) => Number(a.name.slice(5)) - Number(b.name.slice(5))) });
    return adapter;
  }
  /** The same for virtual Fibre Channel. @throws OlpmError conflict: another client while it is logged in */
  putFc(wanted: Pick<ViosFcAdapter, "slot" | "clientLparId" | "clientSlot">): ViosFcAdapter {
    const old = this.fcOf(wanted.slot);
    if (old && old.clientLparId === wanted.clientLparId && old.clientSlot === wanted.clientSlot) return old;
    if (old?.wwpn) throw new OlpmError("conflict", `${old.name} is logged in to the SAN for another adapter`);
    const adapter: ViosFcAdapter = { ...(old ?? { name: lowestFree("vfchost", this.#devices.fc.map((one) => one.name)), port: null, wwpn: null, clientName: null }), ...wanted };
    this.#set({ fc: [...this.#devices.fc.filter((one) => one !== old), adapter].sort((a, b) => Number(a.name.slice(7)) - Number(b.name.slice(7))) });
    return adapter;
  }
  setFc(slot: SlotNumber, change: Partial<Pick<ViosFcAdapter, "port" | "wwpn" | "clientName">>): ViosFcAdapter | undefined {
    this.#set({ fc: this.#devices.fc.map((one) => (one.slot === slot ? { ...one, ...change } : one)) });
    return this.fcOf(slot);
  }

  /** @throws OlpmError conflict while target devices are behind it. Absent counts as removed. */
  removeAdapter(slot: SlotNumber): void {
    const adapter = this.adapterOf(slot) ?? this.fcOf(slot);
    if (!adapter) return;
    const behind = this.targetsBehind(slot).map((target) => target.name);
    if (behind.length > 0) throw new OlpmError("conflict", `${adapter.name} still has the target devices ${behind.join(", ")}`);
    this.#set({ adapters: this.#devices.adapters.filter((one) => one !== adapter), fc: this.#devices.fc.filter((one) => one !== adapter) });
  }

  addTarget(target: ViosTargetDevice): void {
    this.#set({ targets: [...this.#devices.targets, target] });
  }
  removeTarget(name: string): void {
    this.#set({ targets: this.#devices.targets.filter((target) => target.name !== name) });
  }
  setGates(names: readonly string[], gate: ViosTargetDevice["gate"]): void {
    if (this.#devices.targets.every((target) => !names.includes(target.name) || target.gate === gate)) return;
    this.#set({ targets: this.#devices.targets.map((target) => (names.includes(target.name) ? { ...target, gate } : target)) });
  }
  setDisks(disks: ViosDisk[]): void {
    if (JSON.stringify(disks) !== JSON.stringify(this.#devices.disks)) this.#set({ disks });
  }

  #set(change: Partial<ViosDevices>): void {
    this.#devices = { ...this.#devices, ...change };
    this.#changed(this.#devices);
  }
}
