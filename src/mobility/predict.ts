/**
 * How long a live move would take, how long the partition would stand still and what would be sent, from what was measured: the memory that is in use, how fast it
 * changes, and the link between the movers. Each as a range, since all three are samples: the low end takes the best of them, the high end the worst. Pre-copy in
 * rounds (lpm-process 2.6): each sends what the round before left changed, until the rest fits into the allowed stop. The factors are from `openlpm bench predict`
 * (docs/performance.md). Pure.
 */
import type { Prediction } from "../model/migration.js";

/** What an earlier move between these systems reached, and what a burst had shown before it; null: not made. Bytes a second. */
export interface PastRate {
  readonly bytesPerSecond: number;
  readonly linkBytesPerSecond: number | null;
}
export interface Measured {
  /** what the partition has */
  readonly memoryBytes: number;
  /** what of it is backed by the host's memory; 0: not known */
  readonly residentBytes: number;
  /** null: the hypervisor could not tell */
  readonly dirtyBytesPerSecond: number | null;
  /** of a burst between the movers; null: not made */
  readonly linkBytesPerSecond: number | null;
  readonly past: readonly PastRate[];
}

/** The source stops the partition when the rest fits into this (system/migration/source.ts). */
const STOP_MS_MAX = 300;
/** Shell, movers and operating system before the copy, and cleaning after it. */
const MACHINERY_MS: readonly [number, number] = [300, 3_000];
/** Handing over and running, beside the rest of the memory. */
const SWITCH_MS: readonly [number, number] = [20, 350];
/** A short burst over a young connection shows half of what a slow link carries, and a sixth of what a native channel does over a fast one. */
const BURST_SPREAD: readonly [number, number] = [0.6, 7];
/** Earlier moves count when their burst was like this one: then the link is the same, and they say more than any burst. */
const SAME_LINK = 2;
const PAST_SPREAD: readonly [number, number] = [0.5, 1.6];
const DIRTY_SPREAD: readonly [number, number] = [0.5, 1.4];
/** An idle operating system changes a little all the same, which a short sample may miss. */
const DIRTY_LEAST = 2 << 20;
/** Backed memory has pages without content, which are not sent: the host backs it in pieces of 2 MiB. */
const RESIDENT_LEAST = 0.35;
const ROUNDS_MAX = 60;
/** The default policy's (model/migration.ts): when a round leaves more than half of what it sent, the partition is slowed down, further every second round. */
const THROTTLE = { when: 0.5, initial: 0.2, step: 0.1, max: 0.8 } as const;

/** null when nothing is known of the link */
export function predict(measured: Measured): Prediction | null {
  const rates = linkRates(measured);
  if (rates === null) return null;
  const [slow, fast] = rates;
  const used = measured.residentBytes > 0 ? Math.min(measured.memoryBytes, measured.residentBytes) : measured.memoryBytes;
  const dirty = measured.dirtyBytesPerSecond ?? 0;
  const best = copy(used * RESIDENT_LEAST, fast, dirty * DIRTY_SPREAD[0]);
  const worst = copy(used, slow, dirty * DIRTY_SPREAD[1] + DIRTY_LEAST);
  const range = (low: number, high: number): [number, number] => [Math.round(low), Math.round(high)];
  return {
    totalMs: range(best.ms + MACHINERY_MS[0], worst.ms + MACHINERY_MS[1]),
    stoppedMs: range(SWITCH_MS[0], Math.min(STOP_MS_MAX, worst.ms) + SWITCH_MS[1]),
    bytes: range(best.bytes, worst.bytes),
    throttled: worst.throttled,
    basis: { residentBytes: measured.residentBytes, dirtyBytesPerSecond: measured.dirtyBytesPerSecond, linkBytesPerSecond: Math.round(measured.linkBytesPerSecond ?? rates[0]) },
  };
}

/** The slowest and the fastest that the copy may go. */
function linkRates({ linkBytesPerSecond: burst, past }: Measured): [slow: number, fast: number] | null {
  const known = past.filter((one) => one.bytesPerSecond > 0);
  const alike = burst === null ? known : known.filter(({ linkBytesPerSecond: before }) => before !== null && before <= burst * SAME_LINK && before >= burst / SAME_LINK);
  if (alike.length === 0) return burst === null ? null : [burst * BURST_SPREAD[0], burst * BURST_SPREAD[1]];
  const rates = alike.map((one) => one.bytesPerSecond);
  return [Math.min(...rates) * PAST_SPREAD[0], Math.max(...rates) * PAST_SPREAD[1]];
}

interface Copy {
  readonly ms: number;
  readonly bytes: number;
  readonly throttled: boolean;
}
function copy(used: number, rate: number, dirty: number): Copy {
  let [rest, ms, bytes, throttle, since] = [used, 0, 0, 0, 0];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const seconds = rest / rate;
    bytes += rest;
    ms += seconds * 1_000;
    const next = Math.min(used, dirty * (1 - throttle) * seconds);
    if ((next / rate) * 1_000 <= STOP_MS_MAX) {
      bytes += next;
      break;
    }
    if (next > rest * THROTTLE.when && ++since % 2 === 0) throttle = throttle === 0 ? THROTTLE.initial : Math.min(THROTTLE.max, throttle + THROTTLE.step);
    rest = next;
  }
  return { ms, bytes, throttled: throttle > 0 };
}

const MIB = 1 << 20;
const seconds = (ms: number): string => (ms / 1_000).toFixed(1);

/** One line for people. */
export function predictionText({ totalMs, stoppedMs, bytes, throttled, basis }: Prediction): string {
  const dirty = basis.dirtyBytesPerSecond === null ? "changes not measured" : `changes ${Math.round(basis.dirtyBytesPerSecond / MIB)} MiB/s`;
  return `predicted: ${seconds(totalMs[0])} to ${seconds(totalMs[1])} s in all, ${stoppedMs[0]} to ${stoppedMs[1]} ms stopped, ${Math.round(bytes[0] / MIB)} to ${Math.round(bytes[1] / MIB)} MiB sent (${Math.round(basis.residentBytes / MIB)} MiB in use, ${dirty}, link ${Math.round(basis.linkBytesPerSecond / MIB)} MiB/s)${throttled ? "; it may have to be slowed down" : ""}`;
}
