/**
 * What can break while a partition moves, with real parts, part 3: a host, the SAN or a link that is lost as a whole and comes back, hosts that an operator gives up, and the moments
 * of a move at which nothing is broken in parts 1 and 2. One partition, since a lost host takes all that run on it. See test/faults-killed.test.ts; all rows: `openlpm torture --matrix`.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MATRIX, SELECTED } from "../src/lab/fault-matrix.js";
import { CASES, FAULTS, MOMENTS, nameOfCase } from "../src/lab/faults.js";
import { recordTimes, Trials, type Measured } from "../src/lab/trial.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;
let trials: Trials;
const measured: Measured[] = [];
before(async () => {
  lab = await Fixture.up("outage", { faults: true, systems: ["ms01", "ms02"].map((system, at) => ({ name: system, serial: `7800A0${at + 1}`, memoryMb: 4096 })) });
  trials = new Trials(lab);
  await trials.partition("db01", "ms01", 0);
});
after(() => lab.down());
after(() => recordTimes(measured));

test("the tests try each fault, and something at each moment; the matrix has no row twice", () => {
  const tried = [...CASES, ...SELECTED];
  assert.deepEqual(Object.keys(FAULTS).filter((fault) => !tried.some((row) => row.fault === fault)), []);
  assert.deepEqual(Object.keys(MOMENTS).filter((at) => !tried.some((row) => row.at === at)), []);
  assert.equal(new Set(MATRIX.map(nameOfCase)).size, MATRIX.length);
});

for (const row of SELECTED)
  test(nameOfCase(row), async () => {
    measured.push({ fault: row.fault, at: row.at, ...(await trials.try("db01", row)) });
  });

test("after all of it the partition moves, and no acknowledged write is missing from the database's own file on the LUN", async () => {
  await lab.revived("db01");
  await trials.move("db01");
  await lab.finish("db01");
});
