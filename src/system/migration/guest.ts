/**
 * Mobility events to the operating system, by its agent (RMC): check, prepare, confirm, error. The guest runs its own scripts and may refuse
 * `check` and `prepare` (lpm-process 2.3 rule 2). An agent that does not answer is told apart from a refusal.
 */
import { toOlpmError } from "../../kit/errors.js";
import type { GuestVerdict } from "../../wire/console-system.js";
import type { GuestAgent } from "../qemu/contract.js";

export type MobilityEvent = "check" | "prepare" | "confirm" | "error";

/** The program in the partition that runs the scripts of /etc/openlpm/mobility.d with the event as argument. */
const MOBILITY_PROGRAM = "/usr/sbin/openlpm-mobility";
/** Time for the guest's scripts; the same as the default of `migrlpar -w` (hmc-cli 2.3). */
const SCRIPT_MS_MAX = 180_000;

export async function tellGuest(guest: GuestAgent, event: MobilityEvent): Promise<GuestVerdict> {
  try {
    const result = await guest.exec(MOBILITY_PROGRAM, [event], { deadlineMs: SCRIPT_MS_MAX });
    const detail = (result.stderr.trim() || result.stdout.trim()).slice(0, 1_000);
    return { answered: true, agreed: result.code === 0, detail: result.code === 0 ? detail : detail || `${MOBILITY_PROGRAM} ${event} ended with status ${result.code}` };
  } catch (thrown) {
    const error = toOlpmError(thrown, `telling the operating system: ${event}`);
    // A guest without the program has no scripts, so nothing in it can object.
    if (error.code === "not-found") return { answered: true, agreed: true, detail: `no ${MOBILITY_PROGRAM} in the partition` };
    return { answered: false, agreed: false, detail: error.message };
  }
}
