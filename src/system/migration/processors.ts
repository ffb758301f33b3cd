/**
 * Emulated partitions move with one processor. QEMU 10 without KVM does not carry over that a processor other than the first was started (env->quiesced; upstream
 * "target/ppc: Fix env->quiesced migration", January 2026): on the destination it would never hear an interrupt again, and the operating system would hang on it. A processor that is
 * offline is started anew there. So the others are put offline as the last of the preparation, and dlpar.ts puts them online again where the partition runs when
 * the migration has ended, however it did.
 */
import { toOlpmError } from "../../kit/errors.js";
import type { MachineLayout } from "../../model/lpar.js";
import type { GuestVerdict } from "../../wire/console-system.js";
import type { PartitionProcess } from "../qemu/contract.js";
import { setProcessors } from "../qemu/guest-resources.js";

/** A kernel puts a processor offline in well below a second, also when it is emulated under load. */
const OFFLINE_MS_MAX = 20_000;

/** What the operating system says to it; agreed when nothing has to be done. */
export async function parkProcessors(process: PartitionProcess, layout: MachineLayout): Promise<GuestVerdict> {
  const others = Array.from({ length: layout.procs - 1 }, (_, at) => at + 1);
  if (process.movesProcessors || others.length === 0) return { answered: true, agreed: true, detail: "" };
  try {
    await setProcessors(process.guest, { offline: others }, OFFLINE_MS_MAX);
    return { answered: true, agreed: true, detail: "" };
  } catch (thrown) {
    const error = toOlpmError(thrown, "processors other than the first have to be offline while an emulated partition moves");
    return { answered: error.code !== "guest-not-answering", agreed: false, detail: error.message };
  }
}
