/** Rows of the fault table (src/lab/faults.ts) as tests in one laboratory: what test/faults-*.test.ts share. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { nameOfCase, type FaultCase } from "../../src/lab/faults.js";
import { recordTimes, Trials, type Measured } from "../../src/lab/trial.js";
import { Fixture } from "./fixture.js";

export interface FaultSuite {
  /** once the laboratory is up */
  lab(): Fixture;
  trials(): Trials;
  /** the last test of a file: what the clients were told is on the LUNs */
  finish(): void;
}

/**
 * Builds the laboratory before the first test and makes a test of each row. db01 lives through everything; db02 is for the rows in which the partition's own process is
 * what is killed, and they come between the others, so that it boots while those go on. `moverTrusted`: the movers' link is declared trusted, and the times are not kept, for the
 * printed ones are those of the sealed way.
 */
export function faultSuite(name: string, rows: readonly FaultCase[], { moverTrusted }: { readonly moverTrusted?: readonly string[] } = {}): FaultSuite {
  let lab: Fixture;
  let trials: Trials;
  const measured: Measured[] = [];
  before(async () => {
    const vioses = moverTrusted && { vioses: [{ name: "vios1" }, { name: "vios2", moverTrusted }] };
    lab = await Fixture.up(name, { faults: true, systems: ["ms01", "ms02"].map((system, at) => ({ name: system, serial: `7800A0${at + 1}`, memoryMb: 4096, ...vioses })) });
    trials = new Trials(lab);
    await Promise.all([trials.partition("db01", "ms01", 0), trials.partition("db02", "ms01", 1)]);
  });
  after(() => lab.down());
  after(() => (moverTrusted ? undefined : recordTimes(measured)));

  const fatal = rows.filter((row) => row.ending.startsWith("lost"));
  const others = rows.filter((row) => !fatal.includes(row));
  const every = Math.max(1, Math.floor(others.length / (fatal.length + 1)));
  const order = others.flatMap((row, at) => ((at + 1) % every === 0 && (at + 1) / every <= fatal.length ? [row, fatal[(at + 1) / every - 1]!] : [row]));
  test("every row is tried", () => assert.deepEqual(new Set(order), new Set(rows)));
  for (const row of order) {
    test(nameOfCase(row), async () => {
      const result = await trials.try(fatal.includes(row) ? "db02" : "db01", row);
      measured.push({ fault: row.fault, at: row.at, ...(row.second ? { second: true } : {}), ...result });
    });
  }
  return {
    lab: () => lab,
    trials: () => trials,
    finish: () => {
      test("a partition that was killed moves when it runs again", async () => {
        await lab.revived("db02");
        await trials.move("db02");
      });
      test("no acknowledged write is missing from the databases' own files on the LUNs", async () => {
        for (const name of [...lab.clients.keys()]) await lab.finish(name);
      });
    },
  };
}
