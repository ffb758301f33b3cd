import assert from "node:assert/strict";
import test from "node:test";
import { Prediction } from "../model/migration.js";
import { predict, predictionText, type Measured } from "./predict.js";

const MIB = 1 << 20;
const measured = (change: Partial<Measured> = {}): Measured => ({ memoryBytes: 512 * MIB, residentBytes: 400 * MIB, dirtyBytesPerSecond: 0, linkBytesPerSecond: 200 * MIB, past: [], ...change });
const of = (change: Partial<Measured> = {}): Prediction => Prediction.parse(predict(measured(change)));

test("a quiet partition: what is in use, about once, at what the link carries", () => {
  const { totalMs, stoppedMs, bytes, throttled } = of();
  assert.deepEqual(bytes, [140 * MIB, 400 * MIB + Math.round((2 * MIB * 400) / 120)]);
  assert.deepEqual(totalMs, [400, 6_333]);
  assert.deepEqual([stoppedMs, throttled], [[20, 650], false]);
});

test("ranges are in order, and each cause moves them its way", () => {
  const base = of();
  const worse: readonly [string, Partial<Measured>][] = [
    ["more in use", { residentBytes: 500 * MIB }],
    ["a slower link", { linkBytesPerSecond: 100 * MIB }],
    ["memory that changes", { dirtyBytesPerSecond: 20 * MIB }],
    ["an earlier move over such a link that was slow", { past: [{ bytesPerSecond: 90 * MIB, linkBytesPerSecond: 150 * MIB }] }],
  ];
  for (const [what, change] of worse) {
    const now = of(change);
    for (const range of [now.totalMs, now.stoppedMs, now.bytes]) assert.ok(range[0] <= range[1], what);
    assert.ok(now.totalMs[1] > base.totalMs[1], what);
  }
});

test("earlier moves over a link like this one say how fast it is; those over another one do not", () => {
  const width = ({ totalMs }: Prediction) => totalMs[1] - totalMs[0];
  const past = [{ bytesPerSecond: 600 * MIB, linkBytesPerSecond: 150 * MIB }, { bytesPerSecond: 700 * MIB, linkBytesPerSecond: 210 * MIB }];
  assert.ok(width(of({ past })) < 0.75 * width(of()));
  for (const linkBytesPerSecond of [40 * MIB, 900 * MIB, null]) assert.deepEqual(of({ past: [{ bytesPerSecond: 20 * MIB, linkBytesPerSecond }] }), of());
  assert.ok(predict(measured({ linkBytesPerSecond: null, past })), "without a burst they are all there is");
});

test("more in use than the partition has is the hypervisor's; nothing known means all of it", () => {
  const all = of({ residentBytes: 512 * MIB });
  for (const residentBytes of [900 * MIB, 0]) assert.deepEqual(of({ residentBytes }).bytes, all.bytes);
});

test("a partition that changes faster than the link carries is slowed down, and the prediction ends", () => {
  const hot = of({ dirtyBytesPerSecond: 1_000 * MIB, linkBytesPerSecond: 50 * MIB });
  assert.equal(hot.throttled, true);
  assert.ok(Number.isFinite(hot.totalMs[1]) && hot.totalMs[1] > of().totalMs[1]);
  assert.match(predictionText(hot), /changes 1000 MiB\/s, link 50 MiB\/s\); it may have to be slowed down$/);
});

test("nothing is said where nothing is known of the link; changes that were not measured are said to be so", () => {
  assert.equal(predict(measured({ linkBytesPerSecond: null })), null);
  assert.match(predictionText(of({ dirtyBytesPerSecond: null })), /^predicted: 0\.4 to 6\.3 s in all, 20 to 650 ms stopped, 140 to 407 MiB sent \(400 MiB in use, changes not measured, link 200 MiB\/s\)$/);
});
