/**
 * Whether a copy comes to its end. The hypervisor stops the partition when the rest fits into the allowed stop; a partition that changes its memory faster than the link carries it
 * is slowed down in steps up to a limit, and when that does not help either, the migration fails instead of copying for ever. Pure: samples in, a verdict out.
 *
 *   first pass -> rounds that get smaller -> the rest fits: stop
 *                 rounds that do not      -> slower by a step -> ... -> at the limit: stalled
 */
import type { ConvergencePolicy, MigrationProgress } from "../model/migration.js";

export interface CopySample extends Pick<MigrationProgress, "bytesRemaining" | "bytesSent" | "rounds" | "throttlePercent"> {
  /** ms of any clock that does not go back */
  readonly at: number;
}

/** What is remembered of the samples so far. */
export interface CopyWatch {
  readonly rounds: number;
  /** the most that was left in the round that runs: what the partition had changed when it began */
  readonly roundBytes: number;
  /** the smallest finished round, and where and when it was seen; a new step of slowing begins the count anew */
  readonly best: { readonly bytes: number; readonly round: number; readonly at: number };
  readonly throttlePercent: number;
}

export type CopyVerdict = { readonly kind: "goesOn" } | { readonly kind: "stalled"; readonly rounds: number; readonly roundBytes: number; readonly throttlePercent: number } | { readonly kind: "tooManyRounds"; readonly rounds: number; readonly roundBytes: number; readonly throttlePercent: number };

/** A round counts as smaller only when it is by this part. */
const SMALLER = 0.95;

/** Rounds that count as the first ones, and the part of the allowed stop that they get, and the round after them. */
const FIRST_ROUNDS = 2;
const [FIRST_PART, NEXT_PART] = [1 / 6, 1 / 2];
/**
 * Ms into which the rest has to fit in this round. On a fast link the whole allowed stop carries a good part of a partition's memory, which another round would carry while the partition runs;
 * so all of it is used only when shorter ones were not enough.
 */
export function stopAllowedMs(rounds: number, { downtimeMs }: Pick<ConvergencePolicy, "downtimeMs">): number {
  const part = rounds <= FIRST_ROUNDS ? FIRST_PART : rounds === FIRST_ROUNDS + 1 ? NEXT_PART : 1;
  return Math.max(1, Math.round(downtimeMs * part));
}

/** Takes one sample after the others; undefined for the first. The memory of the watch does not grow. */
export function watchCopy(before: CopyWatch | undefined, sample: CopySample, policy: ConvergencePolicy): { readonly watch: CopyWatch; readonly verdict: CopyVerdict } {
  const { rounds, throttlePercent } = sample;
  if (!before) return { watch: { rounds, roundBytes: sample.bytesRemaining, best: { bytes: Infinity, round: rounds, at: sample.at }, throttlePercent }, verdict: { kind: "goesOn" } };
  const newRound = rounds > before.rounds;
  const slower = throttlePercent > before.throttlePercent;
  const smaller = newRound && before.roundBytes < before.best.bytes * SMALLER;
  const best = slower ? { bytes: before.best.bytes, round: rounds, at: sample.at } : smaller ? { bytes: before.roundBytes, round: rounds, at: sample.at } : before.best;
  const watch = { rounds, roundBytes: newRound ? sample.bytesRemaining : Math.max(before.roundBytes, sample.bytesRemaining), best, throttlePercent };
  const seen = { rounds, roundBytes: newRound ? before.roundBytes : watch.roundBytes, throttlePercent };
  if (rounds >= policy.roundsMax) return { watch, verdict: { kind: "tooManyRounds", ...seen } };
  if (newRound && rounds - best.round >= policy.stallRounds && sample.at - best.at >= policy.stallSeconds * 1_000) return { watch, verdict: { kind: "stalled", ...seen } };
  return { watch, verdict: { kind: "goesOn" } };
}

/** For the operator: what happened and what to do. `bytesPerSecond`: what the link carried. */
export function copyFailure(name: string, verdict: Exclude<CopyVerdict, { kind: "goesOn" }>, bytesPerSecond: number): { readonly message: string; readonly action: string } {
  const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(0)} MiB`;
  const slowed = verdict.throttlePercent > 0 ? `slowed down by ${verdict.throttlePercent} %` : "not slowed down";
  return {
    message: `Partition ${name} changes its memory faster than the link carries it: each of the last of ${verdict.rounds} rounds left ${mib(verdict.roundBytes)} to send, at ${mib(bytesPerSecond)} a second, with the partition ${slowed}. It runs on the source.`,
    action: "Move it at a quieter time or over a faster link, or allow a longer stop or more slowing (downtimeMs, throttle.maxPercent of migration in the system's configuration).",
  };
}
