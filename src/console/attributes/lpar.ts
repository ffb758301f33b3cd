/** Attributes of partitions, `lssyscfg -r lpar` (hmc-cli 4.3), in the order in which they are printed. Each once; chsyscfg reads `set` from here. */
import type { LparSettings, LparView } from "../../model/lpar.js";
import type { SystemView } from "../../model/system.js";
import { absent, type Attribute } from "../grammar/list-output.js";
import { logicalSerial, LPAR_STATE_TEXT } from "./names.js";

export interface LparObject {
  readonly lpar: LparView;
  readonly system: SystemView;
}
const flag = (on: boolean): string => (on ? "1" : "0");
const vios = ({ lpar }: LparObject) => lpar.definition.environment === "vioserver";

/** Never `default`. Nothing asked for: emulation gives a POWER9, and with KVM it is the host's own, which nobody told us. */
function compatModeNow({ lpar, system }: LparObject): string | undefined {
  if (lpar.runtime.qemuPid === null) return undefined;
  const asked = lpar.definition.current?.compatMode ?? "default";
  if (asked !== "default") return asked;
  return system.hypervisor.accelerator === "tcg" ? "POWER9" : undefined;
}

/** How the value of a settable attribute becomes a setting; undefined: not a possible value. */
type Setter = (text: string) => Partial<LparSettings> | undefined;
const bit = (name: keyof LparSettings): Setter => (text) => (text === "0" || text === "1" ? { [name]: text === "1" } : undefined);

export interface LparAttribute extends Attribute<LparObject> {
  readonly set?: { readonly values: string; readonly parse: Setter };
}

export const LPAR_ATTRIBUTES: readonly LparAttribute[] = [
  { name: "name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "lpar_env", read: ({ lpar }) => lpar.definition.environment },
  { name: "state", read: ({ lpar }) => LPAR_STATE_TEXT[lpar.state] },
  { name: "resource_config", read: ({ lpar }) => flag(lpar.state !== "not-activated" && lpar.state !== "error") },
  { name: "os_version", read: ({ lpar }) => lpar.runtime.osVersion ?? "Unknown" },
  { name: "logical_serial_num", read: ({ lpar, system }) => logicalSerial(system, lpar.lparId) },
  { name: "default_profile", read: ({ lpar }) => lpar.definition.defaultProfile },
  { name: "curr_profile", read: ({ lpar }) => lpar.definition.currentProfile ?? "" },
  { name: "work_group_id", read: () => "none" },
  { name: "shared_proc_pool_util_auth", read: ({ lpar }) => flag(lpar.definition.settings.allowPerfCollection) },
  { name: "allow_perf_collection", read: ({ lpar }) => flag(lpar.definition.settings.allowPerfCollection), set: { values: "0 or 1", parse: bit("allowPerfCollection") } },
  { name: "power_ctrl_lpar_ids", read: () => "none" },
  { name: "boot_mode", read: ({ lpar }) => lpar.definition.current?.bootMode ?? "norm" },
  { name: "lpar_keylock", read: ({ lpar }) => lpar.definition.settings.keylock },
  { name: "auto_start", read: ({ lpar }) => flag(lpar.definition.settings.autoStart), set: { values: "0 or 1", parse: bit("autoStart") } },
  { name: "redundant_err_path_reporting", read: () => "0" },
  { name: "rmc_state", read: ({ lpar }) => lpar.runtime.rmc },
  { name: "rmc_ipaddr", read: ({ lpar }) => lpar.runtime.rmcAddress ?? "" },
  { name: "time_ref", read: ({ lpar }) => flag(lpar.definition.settings.timeRef), set: { values: "0 or 1", parse: bit("timeRef") } },
  { name: "lpar_avail_priority", read: ({ lpar }) => String(lpar.definition.settings.availPriority), set: { values: "0 to 255", parse: (text) => (/^\d{1,3}$/.test(text) && Number(text) <= 255 ? { availPriority: Number(text) } : undefined) } },
  { name: "desired_lpar_proc_compat_mode", read: ({ lpar }) => lpar.definition.current?.compatMode ?? "default" },
  { name: "curr_lpar_proc_compat_mode", read: compatModeNow },
  { name: "suspend_capable", read: () => "0" },
  { name: "remote_restart_capable", read: () => "0" },
  { name: "simplified_remote_restart_capable", read: () => "0" },
  { name: "migration_disabled", read: ({ lpar }) => flag(lpar.definition.settings.migrationDisabled), set: { values: "0 or 1", parse: bit("migrationDisabled") } },
  { name: "sync_curr_profile", read: ({ lpar }) => flag(lpar.definition.settings.syncCurrProfile), set: { values: "0 or 1", parse: bit("syncCurrProfile") } },
  { name: "affinity_group_id", read: () => "none" },
  { name: "vtpm_enabled", read: () => "0" },
  { name: "msp", read: (object) => (vios(object) ? flag(object.lpar.definition.settings.msp) : undefined), set: { values: "0 or 1", parse: bit("msp") } },
  { name: "description", read: ({ lpar }) => lpar.definition.settings.description, onlyAsked: true, set: { values: "printable ASCII, at most 1024 characters", parse: (text) => (/^[\x20-\x7e]{0,1024}$/.test(text) ? { description: text } : undefined) } },
  { name: "uuid", read: ({ lpar }) => lpar.definition.uuid.toUpperCase(), onlyAsked: true },
  { name: "power_ctrl_lpar_names", read: () => "none", onlyAsked: true },
  { name: "rmc_osshutdown_capable", read: (object) => (vios(object) ? undefined : flag(object.lpar.runtime.rmc === "active")), onlyAsked: true },
  // 0 is the HMC's word for a partition without: a number that clients read as one.
  ...["secure_boot", "curr_secure_boot", "pend_secure_boot", "linux_dynamic_key_secure_boot", "keystore_kbytes", "keystore_signed_updates", "keystore_signed_updates_without_verification", "kvm_capable", "powervm_mgmt_capable"].map((name): LparAttribute => ({ name, read: () => "0", onlyAsked: true })),
  ...absent("there is no virtual TPM", "vtpm_version", "vtpm_encryption"),
  ...absent("partitions are not restarted on other systems", "remote_restart_status"),
  ...absent("virtual serial numbers are bought from the manufacturer", "virtual_serial_num"),
  ...absent("it is for IBM i, which is not supported", "ipl_source", "load_source_slot", "console_slot", "os400_restricted_io_mode"),
];
