/** Many seeds without a broken rule, everything reached; and the test of the test: each planted bug is found. */
import assert from "node:assert/strict";
import test from "node:test";
import { BUGS, type BugName } from "../src/simulation/planted.js";
import { runSeed } from "../src/simulation/scenario.js";
import { runInWorkers } from "../src/simulation/seeds.js";
import { missing, replayOf, summaryText } from "../src/simulation/summary.js";

const SEEDS = 20_000;
/** A bug has to show within this many. */
const SEEDS_OF_BUG = 6_000;

test("a seed gives the same run each time", async () => {
  for (const seed of [3, 15, 159]) {
    const [first, second]: [string[], string[]] = [[], []];
    await runSeed(seed, { trace: (line) => first.push(line) });
    await runSeed(seed, { trace: (line) => second.push(line) });
    assert.ok(first.length > 20);
    assert.deepEqual(second, first);
  }
});

test(`no rule is broken in ${SEEDS} seeds, and each step, each undo and each row of the recovery table is reached`, async (t) => {
  const began = performance.now();
  const summary = await runInWorkers({ from: 0, count: SEEDS });
  for (const line of summaryText(summary, (performance.now() - began) / 1000).split("\n")) t.diagnostic(line);
  assert.deepEqual(summary.failures.slice(0, 5).map(({ seed, violations }) => `${replayOf(seed)}: ${violations.join("; ")}`), [], `${summary.failures.length} of ${summary.seeds} seeds`);
  assert.deepEqual(missing(summary), []);
});

for (const bug of Object.keys(BUGS) as BugName[])
  test(`the simulation finds it when ${bug}`, async (t) => {
    const summary = await runInWorkers({ from: 0, count: SEEDS_OF_BUG, bug, failuresMax: 1 });
    t.diagnostic(`${summary.seeds} seeds: ${summary.failures[0]?.violations[0] ?? "nothing"}`);
    assert.ok(summary.failures.length > 0, `not found in ${summary.seeds} seeds`);
  });
