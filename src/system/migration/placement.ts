/** Where a partition that comes is placed: its ID, and slots and target devices on the Virtual I/O Servers of this system. */
import { OlpmError } from "../../kit/errors.js";
import type { LparId, SlotNumber } from "../../model/ids.js";
import type { LparDefinition, ResourceConfig, StorageMapping } from "../../model/lpar.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Params } from "../../wire/rpc.js";
import type { Hypervisor } from "../contract.js";

type Planned = Params<ConsoleSystem, "migration.reserve">["storage"];

/** The one that was asked for, or the one at the source when it is free, else the lowest free one. @throws OlpmError already-exists OLPM-VP10 */
export function chooseId(hypervisor: Hypervisor, asked: LparId | null, atSource: LparId): LparId {
  const taken = new Set(hypervisor.store.lpars().map((row) => row.lparId));
  if (asked !== null) {
    if (taken.has(asked)) throw new OlpmError("already-exists", `Partition ID ${asked} is in use on ${hypervisor.config.name}.`, { hsc: "OLPM-VP10", action: "Choose another dest_lpar_id." });
    return asked;
  }
  return taken.has(atSource) ? hypervisor.lowestFreeLparId() : atSource;
}

/** Server slots and names of target devices that are free on the chosen VIOSes. */
export function placeStorage(hypervisor: Hypervisor, planned: Planned): StorageMapping[] {
  const rows = hypervisor.store.lpars();
  const slots = new Map<string, SlotNumber>();
  const placed: StorageMapping[] = [];
  for (const want of planned) {
    const key = `${want.viosLparId}/${want.clientSlot}`;
    // Several LUNs behind one client adapter share one server adapter.
    const viosSlot = slots.get(key) ?? slotFor(hypervisor, want, [...slots.entries()].filter(([at]) => at.startsWith(`${want.viosLparId}/`)).map(([, slot]) => slot));
    slots.set(key, viosSlot);
    const names = new Set([
      ...(rows.find((row) => row.lparId === want.viosLparId)?.devices?.targets ?? []).map((target) => target.name),
      ...rows.flatMap((row) => row.storage.filter((mapping) => mapping.viosLparId === want.viosLparId).map((mapping) => mapping.vtd)),
      ...placed.filter((mapping) => mapping.viosLparId === want.viosLparId).map((mapping) => mapping.vtd),
    ]);
    let vtd = want.vtd;
    for (let number = 0; names.has(vtd); number++) vtd = `vtscsi${number}`;
    placed.push({ clientSlot: want.clientSlot, viosLparId: want.viosLparId, viosSlot, vtd, lun: want.lun, lunBytes: want.lunBytes });
  }
  return placed;
}
/** The slot that was asked for, or the one of the source when it is free, else the next free one (lpm-process 5.2). */
function slotFor(hypervisor: Hypervisor, { viosLparId, viosSlot, slotAsked }: Planned[number], taken: readonly SlotNumber[]): SlotNumber {
  const row = hypervisor.store.lpar(viosLparId);
  const current = row?.definition.current;
  const promised = hypervisor.store.lpars().flatMap((one) => [...one.storage, ...one.fc].filter((mapping) => mapping.viosLparId === viosLparId).map((mapping) => mapping.viosSlot));
  const used = new Set<number>([...taken, ...promised.filter((slot) => slot !== null), ...[...(row?.devices?.adapters ?? []), ...(row?.devices?.fc ?? [])].map((adapter) => adapter.slot), ...(current?.ethernet ?? []).map((adapter) => adapter.slot)]);
  const most = current?.maxVirtualSlots ?? Infinity;
  if (viosSlot !== undefined && viosSlot > 1 && viosSlot < most && !used.has(viosSlot)) return viosSlot;
  if (slotAsked) throw new OlpmError("already-exists", `The virtual slot ${viosSlot} of the Virtual I/O Server with ID ${viosLparId} is in use on ${hypervisor.config.name}.`, { hsc: "OLPM-VV12", action: "Name a free slot, or leave it to the console." });
  let slot = hypervisor.freeSlot(viosLparId);
  while (used.has(slot)) slot = (slot + 1) as SlotNumber;
  if (slot >= most) throw new OlpmError("limit-reached", `The Virtual I/O Server with ID ${viosLparId} of ${hypervisor.config.name} has no free virtual slot below its maximum, ${most}.`, { hsc: "OLPM-VV11", action: "Raise max_virtual_slots in its profile and activate it again." });
  return slot;
}

/** The definition with other resources in the current configuration and in the profile it came from. */
export const withResources = (definition: LparDefinition, rewrite: (resources: ResourceConfig) => ResourceConfig): LparDefinition => ({
  ...definition,
  current: definition.current && rewrite(definition.current),
  profiles: definition.profiles.map((profile) => (profile.name === definition.currentProfile ? { ...profile, resources: rewrite(profile.resources) } : profile)),
});

/** The definition with client adapters that point at the destination's VIOSes. */
export function withStorage(definition: LparDefinition, storage: readonly StorageMapping[]): LparDefinition {
  return withResources(definition, (resources) => ({
    ...resources,
    scsi: resources.scsi.map((adapter) => {
      const mapping = storage.find((one) => one.clientSlot === adapter.slot);
      return adapter.role === "client" && mapping ? { ...adapter, remoteLparId: mapping.viosLparId, remoteSlot: mapping.viosSlot } : adapter;
    }),
  }));
}
