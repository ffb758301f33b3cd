/**
 * What can break while a partition moves, with real parts: the table of src/lab/faults.ts, one test a row, while a client on the LAN writes over one TCP connection. Each
 * ends where the row says, with one message; nothing is left of it by the checker that looks from outside; the LUN's own bytes have every acknowledged
 * write; and a second try succeeds, after which the next row begins on the other system.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { CASES } from "../src/lab/faults.js";
import { Trials, type Measured } from "../src/lab/trial.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;
let trials: Trials;
const measured: Measured[] = [];

before(async () => {
  lab = await Fixture.up("faults", {
    faults: true,
    systems: [
      { name: "ms01", serial: "7800A01", memoryMb: 4096 },
      { name: "ms02", serial: "7800A02", memoryMb: 4096 },
    ],
  });
  trials = new Trials(lab);
  // db01 lives through everything; db02 is for the rows in which the partition's own process is what is killed.
  await Promise.all([trials.partition("db01", "ms01", 0), trials.partition("db02", "ms01", 1)]);
});
after(() => lab.down());

// The rows with db02 come between the others: it boots while those go on.
const fatal = CASES.filter((row) => row.ending.startsWith("lost"));
const others = CASES.filter((row) => !fatal.includes(row));
const every = Math.floor(others.length / (fatal.length + 1));
const order = others.flatMap((row, at) => ((at + 1) % every === 0 && (at + 1) / every <= fatal.length ? [row, fatal[(at + 1) / every - 1]!] : [row]));

test("every row of the table is tried", () => assert.deepEqual(new Set(order), new Set(CASES)));
for (const row of order) {
  test(`${row.fault} at ${row.at}: ${row.ending}`, async () => {
    const result = await trials.try(fatal.includes(row) ? "db02" : "db01", row);
    measured.push({ fault: row.fault, at: row.at, ...result });
  });
}
// `OPENLPM_RELIABILITY=docs/reliability.json ./openlpm test faults` records the times that docs/reliability.md prints.
const record = process.env["OPENLPM_RELIABILITY"];
if (record !== undefined) after(() => fs.writeFileSync(record, `[\n${measured.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`));

test("a partition that was killed moves when it runs again", async () => {
  await lab.revived("db02");
  await trials.move("db02");
});

test("no acknowledged write is missing from the databases' own files on the LUNs", async () => {
  for (const name of [...lab.clients.keys()]) await lab.finish(name);
});
