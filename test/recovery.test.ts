/**
 * Migrations that stand, with real parts: what the two systems settle when the console that began them is gone for ever, what the other console's `migrlpar -o r` says and does,
 * and a destination that is away after the hand-over. The crash matrix is test/faults.test.ts; every order of events is test/simulation.test.ts.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { killAndWait } from "../src/kit/proc.js";
import { held, hold, letGo } from "../src/lab/faults.js";
import { Operator } from "../src/lab/operator.js";
import { serviceProcess, startConsole, startSystem, stopService } from "../src/lab/services.js";
import { Fixture } from "./support/fixture.js";

/** LEASE_MS of src/system/migration/recovery.ts, and time to act. */
const SETTLED_MS_MAX = 120_000;

let lab: Fixture;
let other: Operator;

before(async () => {
  lab = await Fixture.up("recover", {
    faults: true,
    consoles: [{ name: "hmc1" }, { name: "hmc2" }],
    systems: [
      { name: "ms01", serial: "7800A01", memoryMb: 4096 },
      { name: "ms02", serial: "7800A02", memoryMb: 4096 },
    ],
  });
  other = new Operator(lab.lab, { console: 1 });
  await Promise.all([lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512 }), lab.partition({ name: "db02", system: "ms01", lun: 1, memoryMb: 512 })]);
});
after(() => lab.down());

test("a partition that needs no recovery, and an unknown one", async () => {
  const idle = await other.run("migrlpar -o r -m ms01 -p db01");
  assert.deepEqual([idle.code, idle.stdout], [1, ""]);
  assert.match(idle.stderr, /^OLPM-R03 .*does not need recovery/);
  assert.match((await other.run("migrlpar -o r -m ms01 -p db09")).stderr, /^HSCL8012 /);
});

test("the console is gone for ever: before the hand-over the systems undo by themselves, after it they finish", async () => {
  const [ms01, ms02] = [lab.system("ms01"), lab.system("ms02")];
  hold(ms02, "confirm");
  lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db02").catch(() => undefined); // its console is killed
  await held(ms02, "confirm");
  hold(ms01, "prepare");
  lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01").catch(() => undefined);
  await held(ms01, "prepare");
  const console = serviceProcess(lab.lab.consoles[0]!.runDir);
  assert.ok(console);
  await killAndWait(console);
  letGo(ms01, "prepare");
  letGo(ms02, "confirm");
  const driven = await other.run("migrlpar -o r -m ms01 -p db01");
  assert.equal(driven.code, 1);
  assert.match(driven.stderr, /^OLPM-R04 .*under way[^]*OLPM-R00 The source ms01 says: preparing; [^]*OLPM-R00 The destination ms02 says: reserved; process of the partition: waiting/);
  await other.until("lslparmigr -r lpar -m ms01 --filter lpar_names=db01 -F migration_state", "Not Migrating", SETTLED_MS_MAX);
  await other.until("lslparmigr -r lpar -m ms02 --filter lpar_names=db02 -F migration_state", "Not Migrating", SETTLED_MS_MAX);
  // All was settled without it; the checker asks it what it sees.
  await stopService(lab.lab.consoles[0]!.runDir);
  await startConsole(lab.lab, lab.lab.consoles[0]!, lab.lab.environment);
  await lab.check("db01", "ms01");
  await lab.check("db02", "ms02");
});

test("the destination is away after the hand-over: the partition waits, a person is told, and all goes on when it is back", async () => {
  const [ms01, ms02] = [lab.system("ms01"), lab.system("ms02")];
  hold(ms01, "handOver");
  const moved = lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01");
  await held(ms01, "handOver");
  await stopService(ms02.runDir);
  letGo(ms01, "handOver");
  const { code, stderr } = await other.run("migrlpar -o r -m ms01 -p db01");
  assert.equal(code, 1);
  assert.match(stderr, /^OLPM-R05 .*handed over, and the destination does not say[^]*--force[^]*OLPM-R00 The source ms01 says: released; process of the partition: (stopped|unknown)[^]*OLPM-R00 The destination ms02 can not be asked/);
  await startSystem(lab.lab, ms02, lab.lab.environment);
  assert.equal((await moved).code, 0);
  await lab.check("db01", "ms02");
});

test("no acknowledged write is missing from the databases' own files on the LUNs", async () => {
  for (const name of [...lab.clients.keys()]) await lab.finish(name);
});
