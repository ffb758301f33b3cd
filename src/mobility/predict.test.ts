import assert from "node:assert/strict";
import test from "node:test";
import { Prediction } from "../model/migration.js";
import { predict, predictionText, type Measured } from "./predict.js";

const MIB = 1 << 20;
const measured = (change: Partial<Measured> = {}): Measured => ({ memoryBytes: 512 * MIB, residentBytes: 400 * MIB, dirtyBytesPerSecond: 0, linkBytesPerSecond: 200 * MIB, pastRates: [], ...change });
const of = (change: Partial<Measured> = {}): Prediction => Prediction.parse(predict(measured(change)));

test("a quiet partition: what is in use, once, at what the link carries", () => {
  const { totalMs, stoppedMs, bytes, throttled } = of();
  assert.deepEqual(bytes, [120 * MIB, 400 * MIB]);
  assert.deepEqual(totalMs, [600, 8_000]);
  assert.deepEqual([stoppedMs, throttled], [[20, 400], false]);
});

test("ranges are in order, and each cause moves them its way", () => {
  const base = of();
  const worse: readonly [string, Partial<Measured>][] = [
    ["more in use", { residentBytes: 500 * MIB }],
    ["a slower link", { linkBytesPerSecond: 100 * MIB }],
    ["memory that changes", { dirtyBytesPerSecond: 20 * MIB }],
    ["an earlier move that was slow", { pastRates: [20 * MIB] }],
  ];
  for (const [what, change] of worse) {
    const now = of(change);
    for (const range of [now.totalMs, now.stoppedMs, now.bytes]) assert.ok(range[0] <= range[1], what);
    assert.ok(now.totalMs[1] > base.totalMs[1], what);
  }
  assert.ok(of({ pastRates: [900 * MIB] }).totalMs[0] < base.totalMs[0], "an earlier move that was fast makes the low end lower");
});

test("more in use than the partition has is the hypervisor's; nothing known means all of it", () => {
  assert.equal(of({ residentBytes: 900 * MIB }).bytes[1], 512 * MIB);
  assert.equal(of({ residentBytes: 0 }).bytes[1], 512 * MIB);
});

test("a partition that changes faster than the link carries is slowed down, and the prediction ends", () => {
  const hot = of({ dirtyBytesPerSecond: 1_000 * MIB, linkBytesPerSecond: 50 * MIB });
  assert.equal(hot.throttled, true);
  assert.ok(Number.isFinite(hot.totalMs[1]) && hot.totalMs[1] > of().totalMs[1]);
  assert.match(predictionText(hot), /changes 1000 MiB\/s, link 50 MiB\/s\); it may have to be slowed down$/);
});

test("nothing is said where nothing is known of the link; changes that were not measured are said to be so", () => {
  assert.equal(predict(measured({ linkBytesPerSecond: null })), null);
  assert.match(predictionText(of({ dirtyBytesPerSecond: null })), /^predicted: 0\.6 to 8\.0 s in all, 20 to 400 ms stopped, 120 to 400 MiB sent \(400 MiB in use, changes not measured, link 200 MiB\/s\)$/);
});
