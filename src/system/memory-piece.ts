/**
 * Memory of an emulated partition, whose machine has the maximum in one piece (model/lpar.ts). More is given by telling the operating system of the next blocks; less,
 * by a balloon: the operating system keeps pages aside, and QEMU gives them back to the host at once, so that nothing of them is copied when the partition moves.
 */
import { toOlpmError } from "../kit/errors.js";
import { delay } from "../kit/wait.js";
import type { MemoryPiece } from "../model/lpar.js";
import type { PartitionProcess } from "./qemu/contract.js";
import { extendMemory } from "./qemu/guest-resources.js";

/** The driver goes on for ever when the operating system has nothing to spare; under load it gets some in this time, or nothing. */
const STALL_MS_MAX = 10_000;
const LOOK_EVERY_MS = 50;
/** A driver that has something to do says so well within this, and a few pages are enough. */
const NUDGE_MS = 1_000;
const NUDGE_BYTES = 1 << 20;

export interface Fitting {
  readonly process: Pick<PartitionProcess, "guest" | "balloon" | "ballooned">;
  /** the operating system has an agent that answers; without one it hears of more when it has */
  readonly asked: boolean;
  readonly signal: AbortSignal;
  readonly ms: number;
  readonly lmbBytes: number;
}

/**
 * The operating system shall have `wanted` of the piece. Gives what it has then, in whole blocks, and in its words why that is not what was wanted. Idempotent.
 * @throws OlpmError guest-refused | guest-not-answering | what QMP throws; the balloon is then as before
 */
export async function fitMemory(at: Fitting, piece: MemoryPiece, wanted: number): Promise<{ readonly piece: MemoryPiece; readonly why: string | null }> {
  const { process } = at;
  // Without an answer nobody knows whether it has started anew and knows of less: it would be asked for too much.
  if (wanted < piece.givenBytes && !at.asked) return { piece, why: "on this platform memory is given back by the operating system's agent only" };
  try {
    const knownBytes = at.asked ? await extendMemory(process.guest, 0, at.ms) : piece.knownBytes;
    if (wanted >= knownBytes) return await grow(at, { ...piece, knownBytes }, wanted);
    const aside = await reach(at, knownBytes - wanted);
    const givenBytes = Math.ceil((knownBytes - aside) / at.lmbBytes) * at.lmbBytes;
    if (givenBytes === wanted) return { piece: { ...piece, knownBytes, givenBytes }, why: null };
    await process.balloon(knownBytes - givenBytes);
    return { piece: { ...piece, knownBytes, givenBytes }, why: "the operating system has no more to spare, or no driver for the balloon (virtio_balloon)" };
  } catch (error) {
    await process.balloon(Math.max(0, piece.knownBytes - piece.givenBytes)).catch(() => undefined);
    throw error;
  }
}

async function grow(at: Fitting, piece: MemoryPiece, wanted: number): Promise<{ piece: MemoryPiece; why: string | null }> {
  const aside = await reach(at, 0);
  if (aside > 0) return { piece: { ...piece, givenBytes: wanted }, why: "the operating system does not take back what it keeps aside" };
  if (!at.asked) return { piece: { ...piece, givenBytes: wanted }, why: null };
  try {
    return { piece: { ...piece, knownBytes: await extendMemory(at.process.guest, wanted, at.ms), givenBytes: wanted }, why: null };
  } catch (error) {
    return { piece: { ...piece, givenBytes: wanted }, why: toOlpmError(error, "using the memory").message };
  }
}

/**
 * What the operating system keeps aside in the end: `bytes`, or where it came to a stand. QEMU knows it from what the driver said last, and one that has started anew
 * says nothing before it does something: so it is given something to do.
 */
async function reach({ process, signal }: Fitting, bytes: number): Promise<number> {
  await process.balloon(bytes);
  let [last, since, nudged] = [-1, performance.now(), false];
  for (;;) {
    const now = (await process.ballooned()) ?? 0;
    const still = performance.now() - since;
    if (now === bytes || signal.aborted || still > STALL_MS_MAX) return now;
    if (now !== last) {
      [last, since] = [now, performance.now()];
      if (nudged) await process.balloon(bytes);
    } else if (!nudged && still > NUDGE_MS) {
      nudged = true;
      await process.balloon(bytes + NUDGE_BYTES);
    }
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * What is left to do when this process finds the partition again: a change may have been cut short, and the operating system may have started anew meanwhile. Nobody
 * is kept from memory that it has: without an answer the balloon is what a fresh operating system can bear.
 */
export async function recallMemory(process: Fitting["process"], piece: MemoryPiece, bootBytes: number, ms: number): Promise<MemoryPiece> {
  const heard = (await process.guest.ping(ms)) ? await extendMemory(process.guest, 0, ms).catch(() => undefined) : undefined;
  const knownBytes = heard ?? piece.knownBytes;
  await process.balloon(Math.max(0, (heard === undefined ? Math.min(bootBytes, knownBytes) : knownBytes) - piece.givenBytes));
  return { ...piece, knownBytes };
}
