/** What a record of `chsyscfg -r sys` may have (hmc-cli 4.2): the attributes that lssyscfg prints under the same names. */
import type { StartPolicy } from "../../model/system.js";
import { invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import { notSupported } from "../grammar/options.js";
import { valueOf, type RecordItem } from "../grammar/record.js";

export const SYSTEM_RECORD: readonly RecordAttribute[] = [
  { name: "power_on_lpar_start_policy", help: "autostart: partitions with auto_start=1 are activated after a boot of the host; userinit: they are not" },
  { name: "name", help: "as the system has it" },
  { name: "power_off_policy", help: "", only: { values: ["0"], reason: "the host stays on when its last partition is off" } },
  { name: "new_name", help: "", refused: "the name of a managed system is in its certificate and configuration, and is changed there" },
  { name: "service_lpar_id", help: "", only: { values: ["none"], reason: "there is no service partition" } },
  { name: "service_lpar_name", help: "", only: { values: ["none"], reason: "there is no service partition" } },
];

/** The start policy that a checked record sets. @throws OlpmError invalid-argument; unsupported for autorecovery */
export function startPolicyOf(items: readonly RecordItem[]): StartPolicy | undefined {
  const value = valueOf(items, "power_on_lpar_start_policy");
  if (value === "autorecovery") throw notSupported("The value autorecovery of the attribute power_on_lpar_start_policy", "which partitions ran before the host's boot is not acted on; set auto_start=1 for those that should start");
  if (value !== undefined && value !== "autostart" && value !== "userinit") throw invalidValue("power_on_lpar_start_policy", value, "autostart or userinit");
  return value;
}
