/** A few seeds of each kind, so that a change of the protocol that the simulation does not know yet is seen at once. The run that means something is test/simulation.test.ts. */
import assert from "node:assert/strict";
import test from "node:test";
import { STEPS } from "../console/mobility/steps.js";
import { runSeeds } from "./seeds.js";

test("migrations go from end to end in the simulation, and break no rule", async () => {
  const summary = await runSeeds({ from: 0, count: 150 });
  assert.deepEqual(summary.failures, []);
  assert.deepEqual(STEPS.filter(({ name }) => !(summary.counts[`step:${name}:succeeded`]! > 20)).map(({ name }) => name), [], "steps that hardly ever succeed");
});
