/** Random faults for as long as is asked: OPENLPM_TORTURE_MINUTES=10 [OPENLPM_TORTURE_SEED=S] ./openlpm test torture. Without it there is nothing to run here. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { torture } from "../src/lab/torture.js";

const minutes = Number(process.env["OPENLPM_TORTURE_MINUTES"] ?? 0);
const seed = Number(process.env["OPENLPM_TORTURE_SEED"] ?? Date.now() % 1_000_000);

if (minutes > 0)
  test(`partitions move back and forth under load with random faults for ${minutes} minutes`, async () => {
    const lines: string[] = [];
    const status = await torture({ minutes, seed, iterations: Infinity, name: "torture", keep: false, say: (line) => lines.push(line) });
    assert.equal(status, 0, lines.slice(-60).join("\n"));
  });
