/** Attributes of partitions' hardware: memory, processors and virtual adapters (hmc-cli 6.3, 6.4, 6.6), in the order in which they are printed. */
import { layoutBytes, type LparView, type ResourceConfig, type VirtualEthernetAdapter, type VirtualFcAdapter, type VirtualScsiAdapter } from "../../model/lpar.js";
import type { SystemView, VirtualSwitch } from "../../model/system.js";
import { bytesToMb, unitsToText } from "../../model/units.js";
import { absent, type Attribute } from "../grammar/list-output.js";
import { virtualLocation } from "./names.js";

/** What the partition has, and what its default profile gives it at the next activation. */
const current = (lpar: LparView): ResourceConfig | null => lpar.definition.current;
const pending = (lpar: LparView): ResourceConfig | null => lpar.definition.current ?? lpar.definition.profiles.find((one) => one.name === lpar.definition.defaultProfile)?.resources ?? null;
const powered = (lpar: LparView): boolean => lpar.runtime.startedAt !== null;
const of = (config: (lpar: LparView) => ResourceConfig | null, read: (resources: ResourceConfig) => string | undefined, otherwise = "0") => (lpar: LparView) => {
  const resources = config(lpar);
  return resources ? read(resources) : otherwise;
};
const mb = (read: (memory: ResourceConfig["memory"]) => number) => (resources: ResourceConfig) => String(bytesToMb(read(resources.memory)));

/** What the partition has by the hypervisor's account: behind `curr_` while a change is under way. */
const usedBytes = ({ definition: { layout } }: LparView): string | undefined => layout && String(bytesToMb(layoutBytes(layout)));

export const LPAR_MEMORY: readonly Attribute<LparView>[] = [
  { name: "lpar_name", read: (lpar) => lpar.definition.name },
  { name: "lpar_id", read: (lpar) => String(lpar.lparId) },
  { name: "curr_min_mem", read: of(current, mb((m) => m.minBytes)) },
  { name: "curr_mem", read: of(current, mb((m) => m.desiredBytes)) },
  { name: "curr_max_mem", read: of(current, mb((m) => m.maxBytes)) },
  { name: "pend_min_mem", read: of(pending, mb((m) => m.minBytes)) },
  { name: "pend_mem", read: of(pending, mb((m) => m.desiredBytes)) },
  { name: "pend_max_mem", read: of(pending, mb((m) => m.maxBytes)) },
  { name: "run_min_mem", read: (lpar) => (powered(lpar) ? of(current, mb((m) => m.minBytes))(lpar) : "0") },
  { name: "run_mem", read: (lpar) => (powered(lpar) ? (usedBytes(lpar) ?? of(current, mb((m) => m.desiredBytes))(lpar)) : "0") },
  { name: "mem_mode", read: () => "ded" },
  ...absent("no huge pages are given to partitions", ...["curr", "pend"].flatMap((when) => ["min_num", "num", "max_num"].map((what) => `${when}_${what}_huge_pages`)), "run_num_huge_pages"),
  ...absent("the size of the page tables is QEMU's choice", "curr_hpt_ratio", "pend_hpt_ratio"),
  ...absent("memory is not compressed", "curr_mem_expansion", "pend_mem_expansion", "desired_mem_expansion"),
  ...absent("there is no shared memory pool", ...["primary", "secondary", "curr"].flatMap((which) => [`${which}_paging_vios_name`, `${which}_paging_vios_id`]), ...["run", "curr", "pend"].flatMap((when) => [`${when}_mem_weight`, `${when}_io_entitled_mem`]), "auto_io_entitled_mem", "mapped_io_entitled_mem"),
];

const shared = (config: (lpar: LparView) => ResourceConfig | null, read: (proc: ResourceConfig["proc"]) => string) => (lpar: LparView) => {
  const resources = config(lpar);
  return resources?.proc.mode === "shared" ? read(resources.proc) : undefined;
};
const word = (config: (lpar: LparView) => ResourceConfig | null, read: (proc: ResourceConfig["proc"]) => string) => (lpar: LparView) => {
  const resources = config(lpar);
  return resources ? read(resources.proc) : undefined;
};
const any = (config: (lpar: LparView) => ResourceConfig | null, read: (proc: ResourceConfig["proc"]) => string) => of(config, (resources) => read(resources.proc));
const processorSet = (prefix: "curr" | "pend", config: (lpar: LparView) => ResourceConfig | null): Attribute<LparView>[] => [
  { name: `${prefix}_shared_proc_pool_id`, read: shared(config, () => "0") },
  { name: `${prefix}_shared_proc_pool_name`, read: shared(config, () => "DefaultPool") },
  { name: `${prefix}_proc_mode`, read: word(config, (p) => p.mode) },
  { name: `${prefix}_min_proc_units`, read: shared(config, (p) => unitsToText(p.minUnits)) },
  { name: `${prefix}_proc_units`, read: shared(config, (p) => unitsToText(p.desiredUnits)) },
  { name: `${prefix}_max_proc_units`, read: shared(config, (p) => unitsToText(p.maxUnits)) },
  { name: `${prefix}_min_procs`, read: any(config, (p) => String(p.minProcs)) },
  { name: `${prefix}_procs`, read: any(config, (p) => String(p.desiredProcs)) },
  { name: `${prefix}_max_procs`, read: any(config, (p) => String(p.maxProcs)) },
  { name: `${prefix}_sharing_mode`, read: word(config, (p) => p.sharingMode) },
  { name: `${prefix}_uncap_weight`, read: shared(config, (p) => String(p.uncapWeight)) },
];
export const LPAR_PROCESSORS: readonly Attribute<LparView>[] = [
  { name: "lpar_name", read: (lpar) => lpar.definition.name },
  { name: "lpar_id", read: (lpar) => String(lpar.lparId) },
  ...processorSet("curr", current),
  ...processorSet("pend", pending),
  { name: "run_proc_units", read: (lpar) => (powered(lpar) ? shared(current, (p) => unitsToText(p.desiredUnits))(lpar) : shared(pending, () => "0.0")(lpar)) },
  { name: "run_procs", read: (lpar) => (powered(lpar) ? (lpar.definition.layout ? String(lpar.definition.layout.procs) : any(current, (p) => String(p.desiredProcs))(lpar)) : "0") },
  { name: "run_uncap_weight", read: (lpar) => (powered(lpar) ? shared(current, (p) => String(p.uncapWeight))(lpar) : shared(pending, () => "0")(lpar)) },
];

/** One virtual slot of one partition that has an adapter. */
export interface AdapterObject {
  readonly lpar: LparView;
  readonly slot: number;
  readonly kind: "scsi" | "eth" | "fc" | "serial";
  /** of a virtual SCSI adapter, and what a virtual Fibre Channel adapter has in common with it */
  readonly scsi: VirtualScsiAdapter | undefined;
  readonly fc: VirtualFcAdapter | undefined;
  readonly ethernet: VirtualEthernetAdapter | undefined;
  readonly lpars: readonly LparView[];
  readonly view: SystemView;
}
export function slotsOf(lpar: LparView, lpars: readonly LparView[], view: SystemView): AdapterObject[] {
  const resources = pending(lpar);
  const base = { lpar, lpars, view, scsi: undefined, fc: undefined, ethernet: undefined };
  return [
    ...[0, 1].map((slot): AdapterObject => ({ ...base, slot, kind: "serial" })),
    ...(resources?.scsi ?? []).map((scsi): AdapterObject => ({ ...base, slot: scsi.slot, kind: "scsi", scsi })),
    ...(resources?.fc ?? []).map((fc): AdapterObject => ({ ...base, slot: fc.slot, kind: "fc", scsi: fc, fc })),
    ...(resources?.ethernet ?? []).map((ethernet): AdapterObject => ({ ...base, slot: ethernet.slot, kind: "eth", ethernet })),
  ].sort((a, b) => a.slot - b.slot);
}

const partner = ({ lpars, scsi }: AdapterObject): LparView | undefined => lpars.find((one) => one.lparId === scsi?.remoteLparId);
/** What a server adapter serves, `LUN//device`: the LUN that the client sees is the place behind the adapter, and the device is named by its SCSI identity. */
function backing({ lpar, lpars, scsi }: AdapterObject): string | readonly string[] | undefined {
  if (scsi?.role !== "server") return undefined;
  const mapped = lpars.flatMap((client) => client.storage.filter((mapping) => mapping.viosLparId === lpar.lparId && mapping.viosSlot === scsi.slot));
  return mapped.length === 0 ? "none" : mapped.map((mapping, index) => `0x${(0x81 + index).toString(16)}00000000000000//${mapping.lun}`);
}

export const SCSI: readonly Attribute<AdapterObject>[] = [
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "slot_num", read: ({ slot }) => String(slot) },
  { name: "state", read: (one) => (powered(one.lpar) && partner(one) !== undefined && powered(partner(one)!) ? "1" : "0") },
  { name: "is_required", read: ({ scsi }) => (scsi?.required ? "1" : "0") },
  { name: "adapter_type", read: ({ scsi }) => scsi?.role },
  { name: "remote_lpar_id", read: ({ scsi }) => (scsi?.remoteLparId == null ? "any" : String(scsi.remoteLparId)) },
  { name: "remote_lpar_name", read: (one) => (one.scsi?.remoteLparId === null ? "" : (partner(one)?.definition.name ?? null)) },
  { name: "remote_slot_num", read: ({ scsi }) => (scsi?.remoteSlot == null ? "any" : String(scsi.remoteSlot)) },
  { name: "backing_devices", read: backing },
  { name: "drc_name", read: ({ view, lpar, slot }) => virtualLocation(view, lpar.lparId, slot), onlyAsked: true },
];
/** Of both sides; the pair of a client in the order in which it was made, whichever is logged in. */
export const FIBRE_CHANNEL: readonly Attribute<AdapterObject>[] = [
  ...["lpar_name", "lpar_id", "slot_num", "adapter_type", "state", "is_required", "remote_lpar_id", "remote_lpar_name", "remote_slot_num"].map((name) => SCSI.find((one) => one.name === name)!),
  { name: "wwpns", read: ({ fc }) => fc?.wwpns ?? undefined },
];
export const SYSTEM_FIBRE_CHANNEL: readonly Attribute<SystemView>[] = [
  { name: "num_wwpns_remaining", read: (view) => (view.wwpns ? String(view.wwpns.remaining) : undefined) },
  { name: "wwpn_prefix", read: (view) => view.wwpns?.prefix },
];
export const ETHERNET: readonly Attribute<AdapterObject>[] = [
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "slot_num", read: ({ slot }) => String(slot) },
  { name: "state", read: ({ lpar }) => (powered(lpar) ? "1" : "0") },
  { name: "is_required", read: ({ ethernet }) => (ethernet?.required ? "1" : "0") },
  { name: "is_trunk", read: ({ ethernet }) => (ethernet && ethernet.trunkPriority > 0 ? "1" : "0") },
  { name: "trunk_priority", read: ({ ethernet }) => (ethernet && ethernet.trunkPriority > 0 ? String(ethernet.trunkPriority) : undefined) },
  { name: "ieee_virtual_eth", read: ({ ethernet }) => (ethernet?.ieee ? "1" : "0") },
  { name: "port_vlan_id", read: ({ ethernet }) => String(ethernet?.portVlanId ?? "") },
  { name: "vswitch", read: ({ ethernet }) => ethernet?.vswitch },
  { name: "addl_vlan_ids", read: ({ ethernet }) => (ethernet?.additionalVlanIds.length ? ethernet.additionalVlanIds.map(String) : "") },
  { name: "mac_addr", read: ({ ethernet }) => ethernet?.mac ?? undefined },
  { name: "allowed_os_mac_addrs", read: () => "all" },
  { name: "qos_priority", read: () => "none" },
  { name: "drc_name", read: ({ view, lpar, slot }) => virtualLocation(view, lpar.lparId, slot), onlyAsked: true },
  ...absent("a virtual switch carries no profiles of a station interface", "vsi_type_id", "vsi_type_version", "vsi_manager_id"),
];
/** Slot 0 is the console. A Virtual I/O Server has none here, and slot 1 is the agent's. */
function connectStatus({ lpar, slot }: AdapterObject): string {
  if (slot !== 0 || !powered(lpar) || lpar.definition.environment === "vioserver") return "unavailable";
  return lpar.runtime.vtermOpen ? "open" : "closed";
}
export const SERIAL: readonly Attribute<AdapterObject>[] = [
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "slot_num", read: ({ slot }) => String(slot) },
  { name: "state", read: ({ lpar }) => (powered(lpar) ? "1" : "0") },
  { name: "is_required", read: () => "1" },
  { name: "connect_status", read: connectStatus },
  { name: "adapter_type", read: () => "server" },
  { name: "supports_hmc", read: ({ slot }) => (slot === 0 ? "1" : "0") },
  { name: "remote_lpar_id", read: () => "any" },
  { name: "remote_lpar_name", read: () => "" },
  { name: "remote_slot_num", read: () => "any" },
  { name: "drc_name", read: ({ view, lpar, slot }) => virtualLocation(view, lpar.lparId, slot), onlyAsked: true },
];

/** In a client two slots that are equal modulo 16 can not both be used: QEMU takes an adapter's interrupt from those bits (hw/ppc/spapr_vio.c). */
export function nextFreeSlot(lpar: LparView): number | undefined {
  const taken = used(lpar);
  const client = lpar.definition.environment !== "vioserver";
  const interrupts = new Set([0, 1, ...[...taken].map((slot) => slot % 16)]);
  for (let slot = 2; slot < (pending(lpar)?.maxVirtualSlots ?? 0); slot++) if (!taken.has(slot) && !(client && interrupts.has(slot % 16))) return slot;
  return undefined;
}
const used = (lpar: LparView): Set<number> => new Set([...(pending(lpar)?.scsi ?? []), ...(pending(lpar)?.fc ?? []), ...(pending(lpar)?.ethernet ?? [])].map((one) => one.slot));
export const LPAR_SLOTS: readonly Attribute<LparView>[] = [
  { name: "lpar_name", read: (lpar) => lpar.definition.name },
  { name: "lpar_id", read: (lpar) => String(lpar.lparId) },
  { name: "curr_max_virtual_slots", read: of(current, (resources) => String(resources.maxVirtualSlots)) },
  { name: "pend_max_virtual_slots", read: of(pending, (resources) => String(resources.maxVirtualSlots)) },
  { name: "next_avail_virtual_slot", read: (lpar) => nextFreeSlot(lpar)?.toString() },
];
export const ADAPTER_SLOTS: readonly Attribute<AdapterObject>[] = [
  { name: "slot_num", read: ({ slot }) => String(slot) },
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "config", read: ({ kind }) => kind },
  { name: "state", read: ({ lpar }) => (powered(lpar) ? "1" : "0") },
  { name: "drc_name", read: ({ view, lpar, slot }) => virtualLocation(view, lpar.lparId, slot) },
];
export const VIRTUAL_SWITCHES: readonly Attribute<{ readonly vswitch: VirtualSwitch; readonly lpars: readonly LparView[] }>[] = [
  { name: "vswitch", read: ({ vswitch }) => vswitch.name },
  { name: "switch_mode", read: ({ vswitch }) => vswitch.mode },
  { name: "vlan_ids", read: ({ vswitch }) => (vswitch.vlanIds.length === 0 ? "none" : vswitch.vlanIds.map(String)) },
  { name: "lpar_names", read: ({ vswitch, lpars }) => {
    const names = lpars.filter((lpar) => pending(lpar)?.ethernet.some((one) => one.vswitch === vswitch.name)).map((lpar) => lpar.definition.name);
    return names.length === 0 ? "none" : names;
  } },
];

/** Pool 0, of all partitions with shared processors; there are no others. */
export const PROCESSOR_POOL: readonly Attribute<readonly LparView[]>[] = [
  { name: "name", read: () => "DefaultPool" },
  { name: "shared_proc_pool_id", read: () => "0" },
  { name: "lpar_ids", read: (lpars) => orNone(lpars.filter(isShared).map((lpar) => String(lpar.lparId))) },
  { name: "lpar_names", read: (lpars) => orNone(lpars.filter(isShared).map((lpar) => lpar.definition.name)) },
  // Pool 0 has neither a limit nor a reserve.
  { name: "max_pool_proc_units", read: () => undefined, onlyAsked: true },
  { name: "curr_reserved_pool_proc_units", read: () => undefined, onlyAsked: true },
  { name: "pend_reserved_pool_proc_units", read: () => undefined, onlyAsked: true },
];
const isShared = (lpar: LparView): boolean => pending(lpar)?.proc.mode === "shared";
const orNone = (elements: readonly string[]): string | readonly string[] => (elements.length === 0 ? "none" : elements);

/** A VLAN of a virtual switch that some adapter uses. */
export interface VirtualNetwork {
  readonly vswitch: string;
  readonly vlanId: number;
  /** some adapter has it beside its own VLAN, so frames carry its tag */
  readonly tagged: boolean;
}
export function virtualNetworks(view: SystemView, lpars: readonly LparView[]): VirtualNetwork[] {
  const adapters = lpars.flatMap((lpar) => pending(lpar)?.ethernet ?? []);
  return view.vswitches.flatMap(({ name, vlanIds }) => [...vlanIds].sort((a, b) => a - b).map((vlanId) => ({ vswitch: name, vlanId, tagged: adapters.some((one) => one.vswitch === name && one.additionalVlanIds.includes(vlanId)) })));
}
export const networkName = ({ vswitch, vlanId }: VirtualNetwork) => `VLAN${vlanId}-${vswitch}`;
export const VIRTUAL_NETWORKS: readonly Attribute<VirtualNetwork>[] = [
  { name: "vnetwork", read: networkName },
  { name: "vswitch", read: ({ vswitch }) => vswitch },
  { name: "vlan_id", read: ({ vlanId }) => String(vlanId) },
  { name: "is_tagged", read: ({ tagged }) => (tagged ? "1" : "0") },
];
