/** Attributes of managed systems: `lssyscfg -r sys` (hmc-cli 4.2), `lshwres --level sys` (6.2, 6.4), `lslparmigr -r sys` (3.2). Only what is known is here. */
import { bytesToMb, unitsToText } from "../../model/units.js";
import type { ManagedSystem } from "../contract.js";
import type { Attribute } from "../grammar/list-output.js";
import { hmcTime, SYSTEM_STATE_TEXT } from "./names.js";

type Table = readonly Attribute<ManagedSystem>[];
const view = (system: ManagedSystem) => system.view;
/** `unavailable` is printed for what only a connected system can say. */
const live = (read: (v: NonNullable<ManagedSystem["view"]>) => string | readonly string[]) => (system: ManagedSystem) => (system.connected && system.view ? read(system.view) : "unavailable");

/** A capability of other platforms that this one has not. */
function absent(name: string): Table[number] {
  return { name, read: live(() => "0") };
}

export const SYSTEM_ATTRIBUTES: Table = [
  { name: "name", read: (system) => system.name },
  { name: "type_model", read: (system) => view(system)?.mtms.typeModel ?? "unavailable" },
  { name: "serial_num", read: (system) => view(system)?.mtms.serial ?? "unavailable" },
  { name: "ipaddr", read: (system) => system.endpoint.host },
  { name: "state", read: (system) => (system.connected && system.view ? SYSTEM_STATE_TEXT[system.view.state] : "No Connection") },
  { name: "detailed_state", read: () => "None" },
  { name: "sys_time", read: live((v) => hmcTime(v.time)) },
  { name: "active_lpar_mobility_capable", read: live(() => "1") },
  { name: "inactive_lpar_mobility_capable", read: live(() => "1") },
  ...["active_mem_expansion_capable", "active_mem_sharing_capable", "cod_mem_capable", "cod_proc_capable", "dynamic_platform_optimization_capable", "huge_page_mem_capable"].map(absent),
  { name: "lpar_proc_compat_mode_capable", read: live(() => "1") },
  ...["lpar_remote_restart_capable", "powervm_lpar_remote_restart_capable", "lpar_suspend_capable"].map(absent),
  { name: "micro_lpar_capable", read: live(() => "1") },
  { name: "os400_capable", read: live(() => "0") },
  { name: "shared_eth_failover_capable", read: live(() => "1") },
  { name: "virtual_fc_capable", read: live(() => "1") },
  { name: "virtual_io_server_capable", read: live(() => "1") },
  { name: "virtual_switch_capable", read: live(() => "1") },
  { name: "max_lpars", read: live((v) => String(v.lparsMax)) },
  { name: "lpar_proc_compat_modes", read: live((v) => v.compatModes) },
  { name: "uuid", read: live((v) => v.uuid), onlyAsked: true },
  { name: "capabilities", read: live(() => ["active_lpar_mobility_capable", "inactive_lpar_mobility_capable", "lpar_proc_compat_mode_capable", "micro_lpar_capable"]), onlyAsked: true },
  // Ours: what the partitions run on.
  { name: "openlpm_accelerator", read: live((v) => v.hypervisor.accelerator), onlyAsked: true },
  { name: "openlpm_accelerator_reason", read: live((v) => v.hypervisor.acceleratorReason), onlyAsked: true },
  { name: "openlpm_qemu_version", read: live((v) => v.hypervisor.qemuVersion), onlyAsked: true },
];

export const SYSTEM_MEMORY: Table = [
  { name: "configurable_sys_mem", read: live((v) => String(bytesToMb(v.memory.configurableBytes))) },
  { name: "curr_avail_sys_mem", read: live((v) => String(bytesToMb(v.memory.availableBytes))) },
  { name: "pend_avail_sys_mem", read: live((v) => String(bytesToMb(v.memory.availableBytes))) },
  { name: "installed_sys_mem", read: live((v) => String(bytesToMb(v.memory.installedBytes))) },
  { name: "deconfig_sys_mem", read: live(() => "0") },
  { name: "sys_firmware_mem", read: live((v) => String(bytesToMb(v.memory.firmwareBytes))) },
  { name: "mem_region_size", read: live((v) => String(bytesToMb(v.memory.lmbBytes))) },
  { name: "configurable_num_sys_huge_pages", read: live(() => "0") },
  { name: "curr_avail_num_sys_huge_pages", read: live(() => "0") },
  { name: "pend_avail_num_sys_huge_pages", read: live(() => "0") },
  { name: "curr_mem_mirroring_mode", read: live(() => "none"), onlyAsked: true },
];

export const SYSTEM_PROCESSORS: Table = [
  { name: "configurable_sys_proc_units", read: live((v) => unitsToText(v.proc.configurableUnits)) },
  { name: "curr_avail_sys_proc_units", read: live((v) => unitsToText(v.proc.availableUnits)) },
  { name: "pend_avail_sys_proc_units", read: live((v) => unitsToText(v.proc.availableUnits)) },
  { name: "installed_sys_proc_units", read: live((v) => unitsToText(v.proc.installedUnits)) },
  { name: "deconfig_sys_proc_units", read: live(() => "0.0") },
  { name: "min_proc_units_per_virtual_proc", read: live((v) => unitsToText(v.proc.minUnitsPerProc)) },
  { name: "curr_sys_virtual_procs", read: (system) => (system.connected && system.view ? String(running(system).reduce((sum, resources) => sum + resources.proc.desiredProcs, 0)) : "unavailable") },
  { name: "max_virtual_procs_per_lpar", read: live((v) => String(v.proc.maxProcsPerLpar)) },
];

/** The default shared processor pool: what no dedicated partition holds. */
export const POOL_PROCESSORS: Table = [
  { name: "configurable_pool_proc_units", read: (system) => (system.connected && system.view ? unitsToText(system.view.proc.configurableUnits - dedicatedUnits(system)) : "unavailable") },
  { name: "curr_avail_pool_proc_units", read: live((v) => unitsToText(v.proc.availableUnits)) },
  { name: "pend_avail_pool_proc_units", read: live((v) => unitsToText(v.proc.availableUnits)) },
];
const running = (system: ManagedSystem) => system.lpars().flatMap(({ runtime, definition }) => (runtime.startedAt !== null && definition.current ? [definition.current] : []));
const dedicatedUnits = (system: ManagedSystem) => running(system).reduce((sum, { proc }) => sum + (proc.mode === "ded" ? proc.desiredProcs * 100 : 0), 0);

export const SYSTEM_MIGRATION: Table = [
  { name: "inactive_lpar_mobility_capable", read: live(() => "1") },
  { name: "num_inactive_migrations_supported", read: live((v) => String(v.migration.inactiveMax)) },
  { name: "num_inactive_migrations_in_progress", read: live((v) => String(v.migration.inactiveNow)) },
  { name: "active_lpar_mobility_capable", read: live(() => "1") },
  { name: "num_active_migrations_supported", read: live((v) => String(v.migration.activeMax)) },
  { name: "num_active_migrations_in_progress", read: live((v) => String(v.migration.activeNow)) },
  { name: "inactive_prof_policy", read: live(() => "prof") },
];
