/**
 * How long a live move would take, how long the partition would stand still and what would be sent, from what was measured: the memory that is in use, how fast it
 * changes, and the link between the movers. Each as a range, since all three are samples: the low end takes the best of them, the high end the worst. Pre-copy in
 * rounds (lpm-process 2.6): each sends what the round before left changed, until the rest fits into the allowed stop. Pure.
 */
import type { Prediction } from "../model/migration.js";

export interface Measured {
  /** what the partition has */
  readonly memoryBytes: number;
  /** what of it is backed by the host's memory, the hypervisor's own included; 0: not known */
  readonly residentBytes: number;
  /** null: the hypervisor could not tell */
  readonly dirtyBytesPerSecond: number | null;
  /** of a burst between the movers; null: not made */
  readonly linkBytesPerSecond: number | null;
  /** what earlier moves between these systems reached, bytes a second */
  readonly pastRates: readonly number[];
}

/** The source stops the partition when the rest fits into this (system/migration/source.ts). */
const STOP_MS_MAX = 300;
/** Validation of shell, movers and operating system before the copy, and cleaning after it. */
const MACHINERY_MS: readonly [number, number] = [300, 3_000];
/** Handing over and running, beside the rest of the memory. */
const SWITCH_MS: readonly [number, number] = [20, 400];
/** The burst is short and a native channel carries more than it: a sample is trusted within these factors. */
const RATE_SPREAD: readonly [number, number] = [0.4, 2];
const DIRTY_SPREAD: readonly [number, number] = [0.5, 2];
/** Of the resident memory, how much is the partition's own: not less than this part. */
const RESIDENT_LEAST = 0.3;
const ROUNDS_MAX = 30;
/** A changing partition is slowed down by the hypervisor by this much at most, so its changes go down to the rest. */
const THROTTLED = 0.2;

/** null when nothing is known of the link. */
export function predict(measured: Measured): Prediction | null {
  const rates = [measured.linkBytesPerSecond, ...measured.pastRates].filter((one): one is number => one !== null && one > 0);
  if (rates.length === 0) return null;
  const [slow, fast] = [Math.min(...rates) * RATE_SPREAD[0], Math.max(...rates) * RATE_SPREAD[1]];
  const used = measured.residentBytes > 0 ? Math.min(measured.memoryBytes, measured.residentBytes) : measured.memoryBytes;
  const dirty = measured.dirtyBytesPerSecond ?? 0;
  const best = copy(used * RESIDENT_LEAST, fast, dirty * DIRTY_SPREAD[0]);
  const worst = copy(used, slow, dirty * DIRTY_SPREAD[1]);
  const range = (low: number, high: number): [number, number] => [Math.round(low), Math.round(high)];
  return {
    totalMs: range(best.ms + MACHINERY_MS[0], worst.ms + MACHINERY_MS[1]),
    stoppedMs: range(best.restMs + SWITCH_MS[0], worst.restMs + SWITCH_MS[1]),
    bytes: range(best.bytes, worst.bytes),
    throttled: worst.throttled,
    basis: { residentBytes: measured.residentBytes, dirtyBytesPerSecond: measured.dirtyBytesPerSecond, linkBytesPerSecond: Math.round(measured.linkBytesPerSecond ?? Math.max(...rates)) },
  };
}

interface Copy {
  readonly ms: number;
  readonly restMs: number;
  readonly bytes: number;
  readonly throttled: boolean;
}
function copy(used: number, rate: number, dirty: number): Copy {
  let [rest, ms, bytes, throttled, changing] = [used, 0, 0, false, dirty];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const seconds = rest / rate;
    bytes += rest;
    ms += seconds * 1_000;
    const next = Math.min(used, changing * seconds);
    if ((next / rate) * 1_000 <= STOP_MS_MAX) return { ms, restMs: (next / rate) * 1_000, bytes: bytes + next, throttled };
    // Not shrinking any more: the hypervisor slows the partition down.
    if (next >= rest * 0.9 && !throttled) {
      throttled = true;
      changing *= THROTTLED;
    }
    rest = next;
  }
  return { ms, restMs: (rest / rate) * 1_000, bytes, throttled: true };
}

const MIB = 1 << 20;
const seconds = (ms: number): string => (ms / 1_000).toFixed(1);

/** One line for people. */
export function predictionText({ totalMs, stoppedMs, bytes, throttled, basis }: Prediction): string {
  const dirty = basis.dirtyBytesPerSecond === null ? "changes not measured" : `changes ${Math.round(basis.dirtyBytesPerSecond / MIB)} MiB/s`;
  return `predicted: ${seconds(totalMs[0])} to ${seconds(totalMs[1])} s in all, ${stoppedMs[0]} to ${stoppedMs[1]} ms stopped, ${Math.round(bytes[0] / MIB)} to ${Math.round(bytes[1] / MIB)} MiB sent (${Math.round(basis.residentBytes / MIB)} MiB in use, ${dirty}, link ${Math.round(basis.linkBytesPerSecond / MIB)} MiB/s)${throttled ? "; it may have to be slowed down" : ""}`;
}
