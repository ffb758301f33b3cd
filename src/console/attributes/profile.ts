/** Attributes of profiles as `lssyscfg -r prof` prints them (hmc-cli 4.5). profile-record.ts reads them: a printed record can be given back. */
import type { LparView, Profile } from "../../model/lpar.js";
import { bytesToMb, unitsToText } from "../../model/units.js";
import { absent, type Attribute } from "../grammar/list-output.js";
import { ethernetText, fcText, scsiText } from "./adapters.js";

export interface ProfileObject {
  readonly profile: Profile;
  readonly lpar: LparView;
  readonly nameOf: (lparId: number) => string | undefined;
}
const shared = ({ profile }: ProfileObject) => profile.resources.proc.mode === "shared";
const proc = ({ profile }: ProfileObject) => profile.resources.proc;
const memory = ({ profile }: ProfileObject) => profile.resources.memory;
const orNone = (list: readonly string[]): string | readonly string[] => (list.length === 0 ? "none" : list);

export const TERMINALS = ["0/server/1/any//any/1", "1/server/1/any//any/1"] as const;
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
  { name: "virtual_serial_adapters", read: () => TERMINALS },
  { name: "virtual_scsi_adapters", read: (one) => orNone(one.profile.resources.scsi.map((adapter) => scsiText(adapter, one.nameOf))) },
  { name: "virtual_eth_adapters", read: (one) => orNone(one.profile.resources.ethernet.map(ethernetText)) },
  { name: "virtual_fc_adapters", read: (one) => orNone(one.profile.resources.fc.map((adapter) => fcText(adapter, one.nameOf))) },
  { name: "hca_adapters", read: () => "none" },
  { name: "boot_mode", read: ({ profile }) => profile.resources.bootMode },
  { name: "conn_monitoring", read: () => "0" },
  { name: "auto_start", read: ({ lpar }) => (lpar.definition.settings.autoStart ? "1" : "0") },
  { name: "power_ctrl_lpar_ids", read: () => "none" },
  { name: "work_group_id", read: () => "none" },
  { name: "redundant_err_path_reporting", read: () => "0" },
  { name: "lpar_proc_compat_mode", read: ({ profile }) => profile.resources.compatMode },
  ...absent("no huge pages are given to partitions", "min_num_huge_pages", "desired_num_huge_pages", "max_num_huge_pages"),
  ...absent("memory is neither shared, compressed nor encrypted", "mem_expansion", "hardware_mem_expansion", "hardware_mem_encryption", "desired_io_entitled_mem", "mem_weight", "primary_paging_vios_name", "primary_paging_vios_id", "secondary_paging_vios_name", "secondary_paging_vios_id"),
  ...absent("the size of the page tables is QEMU's choice", "hpt_ratio", "ppt_ratio"),
  ...absent("QEMU has no such adapter here", "virtual_eth_vsi_profiles", "vtpm_adapters", "lhea_logical_ports", "lhea_capabilities", "sni_device_ids", "sriov_eth_logical_ports", "sriov_roce_logical_ports", "vnic_adapters"),
  ...absent("POWER hardware has it, an emulated system not", "bsr_arrays", "electronic_err_reporting"),
  ...absent("no reserved storage devices: partitions are not suspended", "rs_device_name", "primary_rs_vios_name", "primary_rs_vios_id", "secondary_rs_vios_name", "secondary_rs_vios_id"),
];

/** A profile as the pairs of a record, in the order of the table: what lssyscfg prints, and mksyscfg reads. */
export function profileToPairs(profile: Profile, lpar: LparView, nameOf: ProfileObject["nameOf"]): [name: string, value: string | readonly string[]][] {
  return PROFILE_ATTRIBUTES.flatMap((attribute): [string, string | readonly string[]][] => {
    const value = attribute.read({ profile, lpar, nameOf });
    return value === undefined || value === null ? [] : [[attribute.name, value]];
  });
}
