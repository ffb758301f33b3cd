/** Texts that the HMC prints for states and names, in one place for every door (hmc-cli 4.2, 4.4). Pure. */
import type { LparState } from "../../model/lpar.js";
import type { SystemView } from "../../model/system.js";
import { mtmsText } from "../../model/system.js";

export const LPAR_STATE_TEXT: Readonly<Record<LparState, string>> = {
  "not-activated": "Not Activated",
  starting: "Starting",
  running: "Running",
  "open-firmware": "Open Firmware",
  "shutting-down": "Shutting Down",
  error: "Error",
  "not-available": "Not Available",
  "migrating-running": "Migrating - Running",
  "migrating-not-activated": "Migrating - Not Activated",
};
export const SYSTEM_STATE_TEXT: Readonly<Record<SystemView["state"], string>> = { operating: "Operating", standby: "Standby", "power-off": "Power Off", error: "Error" };

/** `MM/DD/YYYY HH:MM:SS`, as the HMC prints times. */
export function hmcTime(iso: string): string {
  const [date = "", time = ""] = iso.split("T");
  const [year = "", month = "", day = ""] = date.split("-");
  return `${month}/${day}/${year} ${time.slice(0, 8)}`;
}

/** Location code of a virtual slot: `U9009.42A.7800A01-V3-C2`. */
export function virtualLocation(view: SystemView, lparId: number, slot: number): string {
  const [type = "", model = ""] = view.mtms.typeModel.split("-");
  return `U${type}.${model}.${view.mtms.serial}-V${lparId}-C${slot}`;
}

/** The system's serial number and one digit for the partition (hmc-cli 4.3), base 36 here. */
export const logicalSerial = (view: SystemView, lparId: number): string => `${view.mtms.serial}${lparId.toString(36).toUpperCase()}`;
export { mtmsText };
