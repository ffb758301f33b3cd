/** Copies as they are seen in samples: which go on, which are stalled, and that none goes on for ever. */
import assert from "node:assert/strict";
import test from "node:test";
import { ConvergencePolicy } from "../model/migration.js";
import { randomOf } from "../testkit/random.js";
import { copyFailure, stopAllowedMs, watchCopy, type CopySample, type CopyVerdict, type CopyWatch } from "./convergence.js";

const POLICY = ConvergencePolicy.parse({ stallRounds: 4, stallSeconds: 10, roundsMax: 50 });
const MIB = 1 << 20;

interface Round {
  readonly mib: number;
  readonly throttle?: number;
  readonly seconds?: number;
}
/** Runs rounds, each seen in three samples while it shrinks; the verdict that ended it, with the round. */
function run(rounds: readonly Round[], policy = POLICY): { readonly verdict: CopyVerdict; readonly round: number } {
  let watch: CopyWatch | undefined;
  let at = 1_000;
  for (const [index, { mib, throttle = 0, seconds = 3 }] of rounds.entries()) {
    for (const part of [1, 0.5, 0.05]) {
      const sample: CopySample = { at, bytesRemaining: Math.round(mib * MIB * part), bytesSent: 0, rounds: index + 1, throttlePercent: throttle };
      const next = watchCopy(watch, sample, policy);
      watch = next.watch;
      if (next.verdict.kind !== "goesOn") return { verdict: next.verdict, round: index + 1 };
      at += (seconds * 1_000) / 3;
    }
  }
  return { verdict: { kind: "goesOn" }, round: rounds.length };
}
const same = (count: number, round: Round): Round[] => Array.from({ length: count }, () => round);

test("the first rounds have to leave little; what does not fit then gets the whole stop", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 500].map((round) => stopAllowedMs(round, { downtimeMs: 300 })), [50, 50, 50, 150, 300, 300]);
  assert.deepEqual([1, 3, 4].map((round) => stopAllowedMs(round, { downtimeMs: 1 })), [1, 1, 1]);
});

test("rounds that get smaller go on, however many", () => {
  assert.equal(run(Array.from({ length: 40 }, (_, at) => ({ mib: 4_000 * 0.9 ** at }))).verdict.kind, "goesOn");
});

test("rounds that stay as they are, are a stall after the rounds and the time of the policy, not before", () => {
  assert.deepEqual(run([{ mib: 600 }, ...same(20, { mib: 100 })]), { verdict: { kind: "stalled", rounds: 7, roundBytes: 100 * MIB, throttlePercent: 0 }, round: 7 });
  assert.equal(run([{ mib: 600 }, ...same(20, { mib: 100, seconds: 0.6 })]).round, 20, "short rounds get the time");
  assert.equal(run([{ mib: 600 }, ...same(5, { mib: 100, seconds: 100 })]).verdict.kind, "goesOn", "long ones get the rounds");
});

test("a round that is smaller by less than a twentieth is none", () => {
  assert.equal(run(Array.from({ length: 20 }, (_, at) => ({ mib: 100 - at * 0.5 }))).verdict.kind, "stalled");
});

test("each step of slowing begins the count anew; at the limit it ends", () => {
  const steps = [0, 20, 40, 60, 80].flatMap((throttle) => same(4, { mib: 100, throttle }));
  assert.equal(run(steps).verdict.kind, "goesOn");
  assert.deepEqual(run([...steps, ...same(10, { mib: 100, throttle: 80 })]).verdict, { kind: "stalled", rounds: 21, roundBytes: 100 * MIB, throttlePercent: 80 });
});

test("a first pass may take as long as it takes", () => {
  assert.equal(run([{ mib: 60_000, seconds: 100_000 }]).verdict.kind, "goesOn");
});

test("no copy goes on for ever: random rounds end within the policy's bound", () => {
  const random = randomOf(20260);
  for (let many = 0; many < 200; many++) {
    const { verdict, round } = run(Array.from({ length: 60 }, () => ({ mib: random() * 1_000 + 1, throttle: Math.floor(random() * 99), seconds: random() * 20 })));
    assert.notEqual(verdict.kind, "goesOn");
    assert.ok(round <= POLICY.roundsMax);
  }
});

test("limits that contradict each other are refused", () => {
  assert.equal(ConvergencePolicy.safeParse({ throttle: { initialPercent: 50, maxPercent: 49 } }).success, false);
  assert.equal(ConvergencePolicy.safeParse({ throttle: { initialPercent: 50, maxPercent: 50 } }).success, true);
  assert.deepEqual(ConvergencePolicy.parse({ throttle: null }).throttle, null);
});

test("the message has the numbers and what to do", () => {
  const { message, action } = copyFailure("db01", { kind: "stalled", rounds: 21, roundBytes: 100 * MIB, throttlePercent: 80 }, 25 * MIB);
  assert.equal(message, "Partition db01 changes its memory faster than the link carries it: each of the last of 21 rounds left 100 MiB to send, at 25 MiB a second, with the partition slowed down by 80 %. It runs on the source.");
  assert.match(action, /throttle\.maxPercent/);
  assert.match(copyFailure("db01", { kind: "tooManyRounds", rounds: 50, roundBytes: 1, throttlePercent: 0 }, 1).message, /not slowed down/);
});
