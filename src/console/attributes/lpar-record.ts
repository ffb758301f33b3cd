/** Attributes that a record of `mksyscfg -r lpar` or `chsyscfg -r lpar` may have beside a profile's (hmc-cli 4.3, 4.6, 4.7), and how they become settings. */
import type { LparSettings } from "../../model/lpar.js";
import { invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import type { RecordItem } from "../grammar/record.js";
import { LPAR_ATTRIBUTES } from "./lpar.js";

const only = (reason: string, values: readonly string[], ...names: readonly string[]): RecordAttribute[] => names.map((name) => ({ name, help: "", only: { values, reason } }));
const NONE = ["none", ""];

const SETTINGS: readonly RecordAttribute[] = LPAR_ATTRIBUTES.flatMap(({ name, set }) => (set ? [{ name, help: set.values }] : []));
const SHARED: readonly RecordAttribute[] = [
  ...SETTINGS,
  ...only("there are no groups of partitions", NONE, "work_group_id", "power_ctrl_lpar_ids", "power_ctrl_lpar_names", "affinity_group_id"),
  ...only("errors have one path here, to the console", ["0"], "redundant_err_path_reporting"),
  ...only("partitions are not suspended", ["0"], "suspend_capable"),
  ...only("partitions are not restarted on other systems", ["0"], "remote_restart_capable", "simplified_remote_restart_capable"),
  ...only("there is no virtual TPM", ["0"], "vtpm_enabled", "vtpm_encryption"),
  ...only("there is no virtual TPM", NONE, "vtpm_version"),
  ...only("the firmware does not verify what it boots", ["0"], "secure_boot", "linux_dynamic_key_secure_boot"),
  ...only("there is no platform keystore", ["0"], "keystore_kbytes", "keystore_signed_updates", "keystore_signed_updates_without_verification"),
  ...only("partitions do not host others", ["0"], "kvm_capable", "powervm_mgmt_capable"),
  { name: "virtual_serial_num", help: "", refused: "virtual serial numbers are bought from the manufacturer" },
];

export const LPAR_CREATE_RECORD: readonly RecordAttribute[] = [
  { name: "name", help: "1 to 31 characters, none of ( ) < > * $ & ? | [ ] ' \" ` , = \\" },
  { name: "profile_name", help: "name of the first profile" },
  { name: "lpar_env", help: "aixlinux; Virtual I/O Servers are made from the managed system's configuration" },
  { name: "lpar_id", help: "the lowest free one without it" },
  ...SHARED,
];
export const LPAR_CHANGE_RECORD: readonly RecordAttribute[] = [
  { name: "name", help: "which partition" },
  { name: "lpar_id", help: "the same, by ID" },
  { name: "new_name", help: "renames it" },
  { name: "profile_name", help: "its default profile" },
  { name: "default_profile", help: "the same" },
  { name: "lpar_proc_compat_mode", help: "", refused: "it is a profile's here; set it with chsyscfg -r prof and activate the partition with that profile" },
  ...SHARED,
];

/** The settings of a record that was checked by one of these tables. @throws OlpmError invalid-argument; HSCLC63B for a description */
export function settingsOf(items: readonly RecordItem[]): Partial<LparSettings> {
  let settings: Partial<LparSettings> = {};
  for (const { name, value } of items) {
    const { set } = LPAR_ATTRIBUTES.find((attribute) => attribute.name === name) ?? {};
    if (!set) continue;
    const parsed = set.parse(value);
    if (!parsed) throw invalidValue(name, value, set.values, name === "description" ? "HSCLC63B" : undefined);
    settings = { ...settings, ...parsed };
  }
  return settings;
}
