/** Attributes of managed systems: `lssyscfg -r sys` (hmc-cli 4.2), `lshwres --level sys` (6.2, 6.4), `lslparmigr -r sys` (3.2). Only what is known is here. */
import { bytesToMb, unitsToText } from "../../model/units.js";
import type { ManagedSystem } from "../contract.js";
import { absent, type Attribute } from "../grammar/list-output.js";
import { hmcTime, SYSTEM_STATE_TEXT } from "./names.js";

type Table = readonly Attribute<ManagedSystem>[];
const view = (system: ManagedSystem) => system.view;
/** `unavailable` is printed for what only a connected system can say. */
const live = (read: (v: NonNullable<ManagedSystem["view"]>) => string | readonly string[]) => (system: ManagedSystem) => (system.connected && system.view ? read(system.view) : "unavailable");

/** Capabilities of other platforms that this one has not: 0 is the HMC's word for that. */
const without = (...names: readonly string[]): Table => names.map((name) => ({ name, read: live(() => "0") }));
const capable = (...names: readonly string[]): Table => names.map((name) => ({ name, read: live(() => "1") }));

/** In the HMC's order. */
export const SYSTEM_ATTRIBUTES: Table = [
  { name: "name", read: (system) => system.name },
  { name: "type_model", read: (system) => view(system)?.mtms.typeModel ?? "unavailable" },
  { name: "serial_num", read: (system) => view(system)?.mtms.serial ?? "unavailable" },
  { name: "ipaddr", read: (system) => system.endpoint.host },
  { name: "state", read: (system) => (system.connected && system.view ? SYSTEM_STATE_TEXT[system.view.state] : "No Connection") },
  { name: "detailed_state", read: () => "None" },
  { name: "sys_time", read: live((v) => hmcTime(v.time)) },
  { name: "power_off_policy", read: live(() => "0") },
  ...capable("active_lpar_mobility_capable", "inactive_lpar_mobility_capable"),
  ...without("active_lpar_share_idle_procs_capable", "active_mem_expansion_capable", "hardware_active_mem_expansion_capable", "active_mem_sharing_capable", "addr_broadcast_perf_policy_capable", "bsr_capable", "cod_mem_capable", "cod_proc_capable"),
  ...without("dynamic_platform_optimization_capable", "electronic_err_reporting_capable", "firmware_power_saver_capable", "hardware_power_saver_capable", "hardware_discovery_capable", "hca_capable", "huge_page_mem_capable", "lhea_capable", "lpar_avail_priority_capable"),
  ...capable("lpar_proc_compat_mode_capable"),
  ...without("lpar_remote_restart_capable", "powervm_lpar_remote_restart_capable", "lpar_suspend_capable"),
  ...capable("micro_lpar_capable"),
  ...without("os400_capable", "redundant_err_path_reporting_capable"),
  ...capable("shared_eth_failover_capable"),
  ...without("sni_msg_passing_capable", "sp_failover_capable", "vet_activation_capable"),
  ...capable("virtual_fc_capable", "virtual_io_server_capable", "virtual_switch_capable"),
  ...without("vsn_phase2_capable", "vsi_on_veth_capable"),
  { name: "max_lpars", read: live((v) => String(v.lparsMax)) },
  { name: "power_on_lpar_start_policy", read: live((v) => v.startPolicy) },
  { name: "lpar_proc_compat_modes", read: live((v) => v.compatModes) },
  { name: "os400_lpar_mobility_capable", read: live(() => "0"), onlyAsked: true },
  { name: "uuid", read: live((v) => v.uuid), onlyAsked: true },
  { name: "capabilities", read: live(() => ["active_lpar_mobility_capable", "inactive_lpar_mobility_capable", "shared_proc_capable", "micro_lpar_capable", "dlpar_mem_capable", "lpar_proc_compat_mode_capable", "virtual_fc_capable"]), onlyAsked: true },
  // Ours: what the partitions run on.
  { name: "openlpm_accelerator", read: live((v) => v.hypervisor.accelerator), onlyAsked: true },
  { name: "openlpm_accelerator_reason", read: live((v) => v.hypervisor.acceleratorReason), onlyAsked: true },
  { name: "openlpm_qemu_version", read: live((v) => v.hypervisor.qemuVersion), onlyAsked: true },
  ...absent("it has one address", "ipaddr_secondary"),
  ...absent("it is for IBM i, which is not supported", "assign_5250_cpw_percent"),
  ...absent("partitions are not grouped, suspended or restarted elsewhere", "max_power_ctrl_lpars", "max_remote_restart_capable_lpars", "max_suspend_capable_lpars", "suspend_capable"),
  ...absent("there is no host channel adapter", "hca_bandwidth_capabilities"),
  ...absent("there is no service partition", "service_lpar_id", "service_lpar_name"),
  ...absent("errors are not reported to a manufacturer", "electronic_err_reporting"),
  ...absent(
    "a host has no service processor that this console could ask",
    ...["sys_keylock", "power_on_side", "power_on_speed", "power_on_speed_override"].flatMap((name) => [`curr_${name}`, `pend_${name}`]),
    ...["power_on_type", "power_on_option", "pend_power_on_option", "pend_power_on_lpar_start_policy", "power_on_method", "power_on_attr", "sp_boot_attr", "sp_boot_major_type", "sp_boot_minor_type", "sp_version", "mfg_default_config"],
    ...["mfg_default_ipl_source", "mfg_default_boot_mode"].flatMap((name) => [`curr_${name}`, `pend_${name}`]),
  ),
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
  { name: "pend_mem_mirroring_mode", read: live(() => "none"), onlyAsked: true },
  // The size of a memory block is in the system's configuration: there is one.
  { name: "pend_mem_region_size", read: live((v) => String(bytesToMb(v.memory.lmbBytes))), onlyAsked: true },
  { name: "possible_mem_region_sizes", read: live((v) => String(bytesToMb(v.memory.lmbBytes))), onlyAsked: true },
  { name: "max_num_sys_huge_pages", read: live(() => "0"), onlyAsked: true },
  { name: "requested_num_sys_huge_pages", read: live(() => "0"), onlyAsked: true },
  { name: "max_mem_pools", read: live(() => "0"), onlyAsked: true },
  ...absent("no huge pages are given to partitions", "huge_page_size"),
  ...absent("POWER hardware has it, an emulated system not", "total_sys_bsr_arrays", "bsr_array_size", "curr_avail_sys_bsr_arrays", "total_sys_mirrored_mem"),
  ...absent("there is no shared memory pool", "max_paging_vios_per_mem_pool"),
  ...absent("the size of the page tables is QEMU's choice", "default_hpt_ratios", "possible_hpt_ratios"),
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
  { name: "max_procs_per_lpar", read: live((v) => String(v.proc.maxProcsPerLpar)), onlyAsked: true },
  { name: "max_curr_virtual_procs_per_aixlinux_lpar", read: live((v) => String(v.proc.maxProcsPerLpar)), onlyAsked: true },
  // Pool 0, which can not be set.
  { name: "max_shared_proc_pools", read: live(() => "1"), onlyAsked: true },
  ...absent("a Virtual I/O Server is a process without virtual processors", "max_curr_virtual_procs_per_vios_lpar"),
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
  { name: "inactive_prof_policy", read: live((v) => v.migration.inactiveProfPolicy) },
];
