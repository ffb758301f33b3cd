/**
 * The configuration that a record of mksyscfg or chsyscfg describes (hmc-cli 4.5 to 4.7). What this platform has not is taken only when it says so itself, so that a
 * printed record can be given back.
 */
import { OlpmError } from "../../kit/errors.js";
import type { ResourceConfig } from "../../model/lpar.js";
import { BootMode, ProcCompatMode } from "../../model/lpar.js";
import { bytesToMb, mbToBytes, textToUnits, unitsToText } from "../../model/units.js";
import { checkRecord, invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import { splitList, type RecordItem } from "../grammar/record.js";
import { parseEthernet, parseFc, parseScsi, slotOf, type LookupVios } from "./adapters.js";
import { TERMINALS } from "./profile.js";

const only = (reason: string, values: readonly string[], ...names: readonly string[]): RecordAttribute[] => names.map((name) => ({ name, help: "", only: { values, reason } }));
const refused = (reason: string, ...names: readonly string[]): RecordAttribute[] => names.map((name) => ({ name, help: "", refused: reason }));
const NONE = ["none", ""];

/** Attributes of a record that are a profile's. */
export const PROFILE_RECORD: readonly RecordAttribute[] = [
  { name: "min_mem", help: "MB, a multiple of mem_region_size" },
  { name: "desired_mem", help: "MB" },
  { name: "max_mem", help: "MB" },
  { name: "proc_mode", help: "ded or shared" },
  { name: "min_procs", help: "1 to 256" },
  { name: "desired_procs", help: "1 to 256" },
  { name: "max_procs", help: "1 to 256" },
  { name: "min_proc_units", help: "with proc_mode=shared: processing units with at most two decimals" },
  { name: "desired_proc_units", help: "the same; at least 0.05 and at most 1.0 for each of desired_procs" },
  { name: "max_proc_units", help: "the same" },
  { name: "sharing_mode", help: "shared: cap, uncap; ded: keep_idle_procs, share_idle_procs, share_idle_procs_active, share_idle_procs_always" },
  { name: "uncap_weight", help: "0 to 255" },
  { name: "max_virtual_slots", help: "2 to 65535" },
  { name: "virtual_scsi_adapters", help: "list of slot/client-or-server/remote-lpar-ID/remote-lpar-name/remote-slot/is-required", list: true },
  { name: "virtual_eth_adapters", help: "list of slot/is-IEEE/port-vlan-ID/[additional-vlan-IDs]/[trunk-priority]/is-required[/[virtual-switch][/[MAC-address]/all/none]]", list: true },
  { name: "virtual_fc_adapters", help: "list of slot/client-or-server/remote-lpar-ID/remote-lpar-name/remote-slot/[WWPN,WWPN]/is-required; a client adapter without WWPNs gets a pair", list: true },
  { name: "boot_mode", help: "norm, dd, ds, of, sms" },
  { name: "lpar_proc_compat_mode", help: "default, POWER8, POWER9_base, POWER9" },
  { name: "hpt_ratio", help: "the size of the page tables is QEMU's choice", withoutEffect: true },
  { name: "ppt_ratio", help: "the same", withoutEffect: true },
  { name: "conn_monitoring", help: "the console always watches the connection to the operating system (rmc_state)", withoutEffect: true },
  ...only("a profile says what it takes", ["0"], "all_resources"),
  ...only("there is no shared memory pool", ["ded"], "mem_mode"),
  ...only("physical adapters belong to the Virtual I/O Servers' hosts", NONE, "io_slots", "lpar_io_pool_ids", "hca_adapters", "lhea_logical_ports", "lhea_capabilities", "sni_device_ids", "sriov_eth_logical_ports", "sriov_roce_logical_ports"),
  ...only("QEMU has no such adapter for partitions", NONE, "vnic_adapters", "virtual_eth_vsi_profiles", "vtpm_adapters"),
  ...only("every partition has these two terminals", [TERMINALS.join(","), ...NONE], "virtual_serial_adapters"),
  ...only("there are no groups of partitions", NONE, "work_group_id", "power_ctrl_lpar_ids", "power_ctrl_lpar_names", "affinity_group_id"),
  ...only("errors have one path here, to the console", ["0"], "redundant_err_path_reporting"),
  ...only("errors are not reported to a manufacturer", ["0", "null"], "electronic_err_reporting"),
  ...only("no huge pages are given to partitions", ["0", "null"], "min_num_huge_pages", "desired_num_huge_pages", "max_num_huge_pages"),
  ...only("memory is not compressed or encrypted", ["0", "0.0"], "mem_expansion", "hardware_mem_expansion", "hardware_mem_encryption"),
  ...only("there is one pool of shared processors", ["0"], "shared_proc_pool_id"),
  ...only("there is one pool of shared processors", ["DefaultPool"], "shared_proc_pool_name"),
  ...only("POWER hardware has it, an emulated system not", ["0"], "bsr_arrays"),
  ...refused("there is no shared memory pool", "desired_io_entitled_mem", "mem_weight", "primary_paging_vios_name", "primary_paging_vios_id", "secondary_paging_vios_name", "secondary_paging_vios_id"),
  ...refused("partitions are not suspended", "rs_device_name", "primary_rs_vios_name", "primary_rs_vios_id", "secondary_rs_vios_name", "secondary_rs_vios_id"),
  ...refused("it is for IBM i, which is not supported", "console_slot", "alt_console_slot", "op_console_slot", "load_source_slot", "alt_restart_device_slot", "hsl_pool_id", "virtual_opti_pool_id"),
];
type Read = "min_mem" | "desired_mem" | "max_mem" | "proc_mode" | "min_procs" | "desired_procs" | "max_procs" | "min_proc_units" | "desired_proc_units" | "max_proc_units" | "sharing_mode" | "uncap_weight" | "max_virtual_slots" | "virtual_scsi_adapters" | "virtual_eth_adapters" | "virtual_fc_adapters" | "boot_mode" | "lpar_proc_compat_mode";

const NEEDED = ["min_mem", "desired_mem", "max_mem", "proc_mode", "min_procs", "desired_procs", "max_procs"] as const;
const bad = invalidValue;

/**
 * The configuration that a record describes, from those of its attributes that are a profile's; what it does not have comes from `base`.
 * @throws OlpmError invalid-argument for a value; unsupported for what this platform has not; HSCL0622 when a new one lacks what it needs
 */
export function profileFromRecord(items: readonly RecordItem[], context: { readonly lookupVios: LookupVios; readonly base: ResourceConfig | null }): ResourceConfig {
  const { base } = context;
  checkRecord(items.filter((item) => PROFILE_RECORD.some((one) => one.name === item.name)), PROFILE_RECORD);
  const values = new Map(items.map((item) => [item.name, item]));
  if (base === null) {
    const missing = NEEDED.filter((name) => !values.has(name));
    if (missing.length > 0) throw new OlpmError("invalid-argument", `The configuration data lacks the attributes ${missing.join(", ")}.`, { hsc: "HSCL0622" });
  }
  const { text, whole, megabytes, choice } = reader(values);
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
    fc: adapterList(values.get("virtual_fc_adapters"), base?.fc ?? [], (one) => parseFc(one, context.lookupVios)),
    bootMode: choice("boot_mode", BootMode.options, base?.bootMode ?? "norm"),
    compatMode: choice("lpar_proc_compat_mode", ProcCompatMode.options, base?.compatMode ?? "default"),
  };
  checkOrder(result);
  return result;
}

/** Reads single attributes. @throws OlpmError invalid-argument */
function reader(values: ReadonlyMap<string, RecordItem>) {
  const text = (name: Read) => values.get(name)?.value;
  const whole = (name: Read, otherwise: number, low: number, high: number): number => {
    const given = text(name);
    if (given === undefined) return otherwise;
    if (!/^\d{1,9}$/.test(given) || Number(given) < low || Number(given) > high) throw bad(name, given, `a whole number from ${low} to ${high}`);
    return Number(given);
  };
  const megabytes = (name: "min_mem" | "desired_mem" | "max_mem", otherwise: number | undefined) => mbToBytes(whole(name, bytesToMb(otherwise ?? 0), 1, 1 << 26));
  const choice = <T extends string>(name: Read, possible: readonly T[], otherwise: T): T => {
    const given = text(name);
    if (given === undefined) return otherwise;
    const found = possible.find((one) => one === given);
    if (found === undefined) throw bad(name, given, `one of ${possible.join(", ")}`);
    return found;
  };
  return { text, whole, megabytes, choice };
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
