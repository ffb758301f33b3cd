/** The bench's numbers: median and spread, goals, the section that it writes. */
import assert from "node:assert/strict";
import test from "node:test";
import { goalsOf, spreadOf, type Sample, type Way } from "./cases.js";
import { benchText, withBench, type BenchReport } from "./report.js";

const sample = (way: Way, link: Sample["link"], runsMs: number, stoppedMs = 100): Sample => ({
  ...{ way, link, runsMs, stoppedMs, cpuS: 1, rounds: 2, bytes: 600e6 },
  around: way === "sealed" || way === "direct" ? { validateMs: 100, prepareMs: 200, confirmMs: 300, moverCpuS: 0.5, servicesCpuS: 0.1, phases: [{ name: "copy", ms: runsMs }], moverBytes: 10 << 20, viosBytes: 70 << 20 } : null,
});
const report = (samples: readonly Sample[]): BenchReport => ({ machine: "m", qemu: "q", openlpm: "o", command: "c", at: "t", loadBefore: 0, memoryMb: 600, runs: 1, samples });

test("median and spread", () => {
  assert.equal(spreadOf([]), undefined);
  assert.deepEqual(spreadOf([3]), { median: 3, min: 3, max: 3, count: 1 });
  assert.deepEqual(spreadOf([9, 1, 2]), { median: 2, min: 1, max: 9, count: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 9]), { median: 3, min: 1, max: 9, count: 4 });
});

test("a goal is reached at its bound and missed past it", () => {
  const of = (ours: number, stopped: number) => goalsOf([sample("sealed", "open", ours, stopped), sample("qemu-tls", "open", 1_000, 100)]).map((goal) => goal.reached);
  assert.deepEqual(of(600, 150).slice(0, 2), [true, true]);
  assert.deepEqual(of(601, 151).slice(0, 2), [false, false]);
});

test("goals without samples of both ways are left out", () => {
  assert.deepEqual(goalsOf([sample("qemu-tls", "open", 1_000)]), []);
});

test("the shaped goal compares sealed with QEMU's plain way", () => {
  const goals = goalsOf([sample("sealed", "shaped", 1_060), sample("qemu-plain", "shaped", 1_000)]);
  assert.deepEqual([goals[0]!.measured, goals[0]!.reached], ["1.06", false]);
});

test("a page's section is written anew and the rest of it stays", () => {
  const page = "before\n<!-- bench migrate -->\nold\n<!-- end -->\nafter <!-- end -->\n";
  const first = withBench(page, report([sample("sealed", "open", 1_500), sample("qemu-tls", "open", 3_000)]));
  assert.match(first, /^before\n<!-- bench migrate -->\n\n- machine: m\n/);
  assert.match(first, /\| encrypted, open link \| OpenLPM, sealed \| 1\.50 \(1\.50-1\.50\) \| 100 \(100-100\) \| 1\.00 \(1\.00-1\.00\) \| 0\.50 \|/);
  assert.match(first, /\n\n<!-- end -->\nafter <!-- end -->\n$/);
  assert.equal(withBench(first, report([])).includes("0.50"), false);
  assert.throws(() => withBench("nothing", report([])), /no section/);
});

test("the text says which goals were missed", () => {
  const text = benchText(report([sample("sealed", "open", 2_000), sample("qemu-tls", "open", 3_000)]));
  assert.match(text, /^MISSED +sealed \/ QEMU's TLS, open link: at most 0\.6 +\(0\.67\)$/m);
});
