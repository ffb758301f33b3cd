/**
 * Attributes of profiles (hmc-cli 4.5): how each prints, and how mksyscfg and chsyscfg read it. Reading and creating are symmetrical: a printed record can be
 * given back.
 */
import { OlpmError } from "../../kit/errors.js";
import type { LparEnvironment, LparView, Profile, ResourceConfig } from "../../model/lpar.js";
import { BootMode, ProcCompatMode } from "../../model/lpar.js";
import { bytesToMb, mbToBytes, textToUnits, unitsToText } from "../../model/units.js";
import type { Attribute } from "../grammar/list-output.js";
import { splitList, type RecordItem } from "../grammar/record.js";
import { ethernetText, parseEthernet, parseScsi, scsiText, slotOf, type LookupVios } from "./adapters.js";

export interface ProfileObject {
  readonly profile: Profile;
  readonly lpar: LparView;
  readonly nameOf: (lparId: number) => string | undefined;
}
const shared = ({ profile }: ProfileObject) => profile.resources.proc.mode === "shared";
const proc = ({ profile }: ProfileObject) => profile.resources.proc;
const memory = ({ profile }: ProfileObject) => profile.resources.memory;
const orNone = (list: readonly string[]): string | readonly string[] => (list.length === 0 ? "none" : list);

export const PROFILE_ATTRIBUTES: readonly Attribute<ProfileObject>[] = [
  { name: "name", read: ({ profile }) => profile.name },
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "lpar_env", read: ({ lpar }) => lpar.definition.environment },
  { name: "all_resources", read: () => "0" },
  { name: "min_mem", read: (one) => String(bytesToMb(memory(one).minBytes)) },
  { name: "desired_mem", read: (one) => String(bytesToMb(memory(one).desiredBytes)) },
  { name: "max_mem", read: (one) => String(bytesToMb(memory(one).maxBytes)) },
  { name: "mem_mode", read: () => "ded" },
  { name: "proc_mode", read: (one) => proc(one).mode },
  { name: "min_proc_units", read: (one) => (shared(one) ? unitsToText(proc(one).minUnits) : undefined) },
  { name: "desired_proc_units", read: (one) => (shared(one) ? unitsToText(proc(one).desiredUnits) : undefined) },
  { name: "max_proc_units", read: (one) => (shared(one) ? unitsToText(proc(one).maxUnits) : undefined) },
  { name: "min_procs", read: (one) => String(proc(one).minProcs) },
  { name: "desired_procs", read: (one) => String(proc(one).desiredProcs) },
  { name: "max_procs", read: (one) => String(proc(one).maxProcs) },
  { name: "sharing_mode", read: (one) => proc(one).sharingMode },
  { name: "uncap_weight", read: (one) => (shared(one) ? String(proc(one).uncapWeight) : undefined) },
  { name: "shared_proc_pool_id", read: (one) => (shared(one) ? "0" : undefined) },
  { name: "shared_proc_pool_name", read: (one) => (shared(one) ? "DefaultPool" : undefined) },
  { name: "affinity_group_id", read: () => "none" },
  { name: "io_slots", read: () => "none" },
  { name: "lpar_io_pool_ids", read: () => "none" },
  { name: "max_virtual_slots", read: ({ profile }) => String(profile.resources.maxVirtualSlots) },
  // The console's two terminals, which every partition has.
  { name: "virtual_serial_adapters", read: () => ["0/server/1/any//any/1", "1/server/1/any//any/1"] },
  { name: "virtual_scsi_adapters", read: (one) => orNone(one.profile.resources.scsi.map((adapter) => scsiText(adapter, one.nameOf))) },
  { name: "virtual_eth_adapters", read: (one) => orNone(one.profile.resources.ethernet.map(ethernetText)) },
  { name: "virtual_fc_adapters", read: () => "none" },
  { name: "hca_adapters", read: () => "none" },
  { name: "boot_mode", read: ({ profile }) => profile.resources.bootMode },
  { name: "conn_monitoring", read: () => "0" },
  { name: "auto_start", read: ({ lpar }) => (lpar.definition.settings.autoStart ? "1" : "0") },
  { name: "power_ctrl_lpar_ids", read: () => "none" },
  { name: "work_group_id", read: () => "none" },
  { name: "redundant_err_path_reporting", read: () => "0" },
  { name: "lpar_proc_compat_mode", read: ({ profile }) => profile.resources.compatMode },
];

/** A profile as the pairs of a record, in the order of the table: what lssyscfg prints, and mksyscfg reads. */
export function profileToPairs(profile: Profile, lpar: LparView, nameOf: ProfileObject["nameOf"]): [name: string, value: string | readonly string[]][] {
  return PROFILE_ATTRIBUTES.flatMap((attribute): [string, string | readonly string[]][] => {
    const value = attribute.read({ profile, lpar, nameOf });
    return value === undefined || value === null ? [] : [[attribute.name, value]];
  });
}

/** Attributes that a record may have because clients send them and that say what is so anyway: refused when they say something else. */
const FIXED: Readonly<Record<string, readonly string[]>> = {
  all_resources: ["0"],
  mem_mode: ["ded"],
  io_slots: ["none", ""],
  lpar_io_pool_ids: ["none", ""],
  hca_adapters: ["none", ""],
  virtual_fc_adapters: ["none", ""],
  virtual_serial_adapters: [],
  conn_monitoring: ["0", "1"],
  redundant_err_path_reporting: ["0"],
  work_group_id: ["none", ""],
  power_ctrl_lpar_ids: ["none", ""],
  min_num_huge_pages: ["0"],
  desired_num_huge_pages: ["0"],
  max_num_huge_pages: ["0"],
  hpt_ratio: [],
  mem_expansion: ["0", "0.0"],
  shared_proc_pool_id: ["0"],
  shared_proc_pool_name: ["DefaultPool"],
  affinity_group_id: ["none"],
  electronic_err_reporting: ["0", "null"],
  bsr_arrays: ["0"],
  virtual_eth_vsi_profiles: ["none", ""],
  vtpm_adapters: ["none", ""],
  sriov_eth_logical_ports: ["none", ""],
  sriov_roce_logical_ports: ["none", ""],
  vnic_adapters: ["none", ""],
};
/** Attributes that decide resources; the rest of a record is the partition's own. */
const READ = ["min_mem", "desired_mem", "max_mem", "proc_mode", "min_procs", "desired_procs", "max_procs", "min_proc_units", "desired_proc_units", "max_proc_units", "sharing_mode", "uncap_weight", "max_virtual_slots", "virtual_scsi_adapters", "virtual_eth_adapters", "boot_mode", "lpar_proc_compat_mode"] as const;
export const isProfileAttribute = (name: string): boolean => (READ as readonly string[]).includes(name) || name in FIXED;

const NEEDED = ["min_mem", "desired_mem", "max_mem", "proc_mode", "min_procs", "desired_procs", "max_procs"] as const;
const bad = (name: string, value: string, right: string) => new OlpmError("invalid-argument", `The value ${value === "" ? "(empty)" : value} of attribute ${name} is not valid: ${right}. Please check your entry and retry the command.`);

/**
 * The configuration that a record describes; attributes that it does not have come from `base`.
 * @throws OlpmError invalid-argument for an unknown attribute or value; HSCL0622 when a new one lacks what it needs
 */
export function profileFromRecord(items: readonly RecordItem[], context: { readonly lookupVios: LookupVios; readonly base: ResourceConfig | null; readonly environment: LparEnvironment }): ResourceConfig {
  const { base } = context;
  const values = new Map(items.map((item) => [item.name, item]));
  for (const [name, item] of values) {
    const fixed = FIXED[name];
    if (fixed && fixed.length > 0 && !fixed.includes(item.value)) throw bad(name, item.value, `this platform has only ${fixed.filter((one) => one !== "").join(" or ")}`);
    if (item.operator !== "=" && name !== "virtual_scsi_adapters" && name !== "virtual_eth_adapters") throw bad(name, item.value, `${item.operator} is for lists of adapters`);
  }
  if (base === null) {
    const missing = NEEDED.filter((name) => !values.has(name));
    if (missing.length > 0) throw new OlpmError("invalid-argument", `The configuration data lacks the attributes ${missing.join(", ")}.`, { hsc: "HSCL0622" });
  }
  const text = (name: (typeof READ)[number]) => values.get(name)?.value;
  const whole = (name: (typeof READ)[number], otherwise: number, low: number, high: number): number => {
    const given = text(name);
    if (given === undefined) return otherwise;
    if (!/^\d{1,9}$/.test(given) || Number(given) < low || Number(given) > high) throw bad(name, given, `a whole number from ${low} to ${high}`);
    return Number(given);
  };
  const megabytes = (name: "min_mem" | "desired_mem" | "max_mem", otherwise: number | undefined) => mbToBytes(whole(name, bytesToMb(otherwise ?? 0), 1, 1 << 26));
  const choice = <T extends string>(name: (typeof READ)[number], possible: readonly T[], otherwise: T): T => {
    const given = text(name);
    if (given === undefined) return otherwise;
    const found = possible.find((one) => one === given);
    if (found === undefined) throw bad(name, given, `one of ${possible.join(", ")}`);
    return found;
  };
  const mode = choice("proc_mode", ["ded", "shared"], base?.proc.mode ?? "shared");
  const units = (name: "min_proc_units" | "desired_proc_units" | "max_proc_units", otherwise: number | undefined, procs: number): number => {
    if (mode === "ded") return procs * 100;
    const given = text(name);
    if (given === undefined) {
      if (otherwise === undefined) throw new OlpmError("invalid-argument", `The configuration data lacks the attribute ${name}.`, { hsc: "HSCL0622" });
      return otherwise;
    }
    const value = textToUnits(given);
    if (value === undefined || value < 1) throw bad(name, given, "processing units with at most two decimals");
    return value;
  };
  const minProcs = whole("min_procs", base?.proc.minProcs ?? 1, 1, 256);
  const desiredProcs = whole("desired_procs", base?.proc.desiredProcs ?? 1, 1, 256);
  const maxProcs = whole("max_procs", base?.proc.maxProcs ?? 1, 1, 256);
  const before = base?.proc.mode === mode ? base.proc : undefined;
  const sharing = mode === "ded" ? (["keep_idle_procs", "share_idle_procs", "share_idle_procs_active", "share_idle_procs_always"] as const) : (["cap", "uncap"] as const);
  const result: ResourceConfig = {
    memory: { minBytes: megabytes("min_mem", base?.memory.minBytes), desiredBytes: megabytes("desired_mem", base?.memory.desiredBytes), maxBytes: megabytes("max_mem", base?.memory.maxBytes) },
    proc: {
      mode,
      minProcs,
      desiredProcs,
      maxProcs,
      minUnits: units("min_proc_units", before?.minUnits, minProcs),
      desiredUnits: units("desired_proc_units", before?.desiredUnits, desiredProcs),
      maxUnits: units("max_proc_units", before?.maxUnits, maxProcs),
      sharingMode: choice("sharing_mode", sharing, (before?.sharingMode as (typeof sharing)[number] | undefined) ?? (mode === "ded" ? "keep_idle_procs" : "uncap")),
      uncapWeight: whole("uncap_weight", before?.uncapWeight ?? 128, 0, 255),
    },
    maxVirtualSlots: whole("max_virtual_slots", base?.maxVirtualSlots ?? 20, 2, 65535),
    scsi: adapterList(values.get("virtual_scsi_adapters"), base?.scsi ?? [], (one) => parseScsi(one, context.lookupVios)),
    ethernet: adapterList(values.get("virtual_eth_adapters"), base?.ethernet ?? [], parseEthernet),
    bootMode: choice("boot_mode", BootMode.options, base?.bootMode ?? "norm"),
    compatMode: choice("lpar_proc_compat_mode", ProcCompatMode.options, base?.compatMode ?? "default"),
  };
  checkOrder(result);
  return result;
}

function checkOrder({ memory: m, proc: p }: ResourceConfig): void {
  const order = (what: string, low: number, mid: number, high: number, text: (n: number) => string) => {
    if (!(low <= mid && mid <= high)) throw new OlpmError("invalid-argument", `The ${what} must not fall from minimum (${text(low)}) over desired (${text(mid)}) to maximum (${text(high)}).`);
  };
  order("memory", m.minBytes, m.desiredBytes, m.maxBytes, (n) => `${bytesToMb(n)} MB`);
  order("number of processors", p.minProcs, p.desiredProcs, p.maxProcs, String);
  if (p.mode === "ded") return;
  order("processing units", p.minUnits, p.desiredUnits, p.maxUnits, unitsToText);
  if (p.desiredUnits < p.desiredProcs * 5) throw new OlpmError("invalid-argument", `${unitsToText(p.desiredUnits)} processing units are too few for ${p.desiredProcs} virtual processors: each needs at least 0.05.`);
  if (p.desiredUnits > p.desiredProcs * 100) throw new OlpmError("invalid-argument", `${unitsToText(p.desiredUnits)} processing units are more than ${p.desiredProcs} virtual processors can use.`);
}

/** `=` replaces, `+=` adds, `-=` removes by slot. */
function adapterList<T extends { readonly slot: number }>(item: RecordItem | undefined, before: readonly T[], parse: (text: string) => T): T[] {
  if (!item) return [...before];
  const elements = splitList(item.value);
  if (item.operator === "-=") {
    const slots = elements.map((element) => slotOf(element, item.name));
    const unknown = slots.find((slot) => !before.some((adapter) => adapter.slot === slot));
    if (unknown !== undefined) throw bad(item.name, String(unknown), "there is no adapter in that slot");
    return before.filter((adapter) => !slots.includes(adapter.slot));
  }
  const given = elements.map(parse);
  return item.operator === "=" ? given : [...before.filter((adapter) => !given.some((one) => one.slot === adapter.slot)), ...given];
}
