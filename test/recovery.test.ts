/**
 * Migrations that stand, with real parts: what the two systems settle when the console that began them is gone for ever, what the other console's `migrlpar -o r` says and does,
 * and a destination that is away after the hand-over; and what a managed system's process finds when it starts. The crash matrix is test/faults-*.test.ts; every order of events is
 * test/simulation.test.ts.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { killAndWait } from "../src/kit/proc.js";
import { delay, until } from "../src/kit/wait.js";
import { findPartitions } from "../src/lab/checker.js";
import { held, hold, letGo } from "../src/lab/faults.js";
import { Operator } from "../src/lab/operator.js";
import { createPartition } from "../src/lab/partition.js";
import type { SystemPlan } from "../src/lab/plan.js";
import { serviceProcess, startConsole, startSystem, stopService } from "../src/lab/services.js";
import { Fixture } from "./support/fixture.js";

/** LEASE_MS of src/system/migration/recovery.ts, and time to act. */
const SETTLED_MS_MAX = 120_000;

let lab: Fixture;
let other: Operator;

async function killSystem(system: SystemPlan): Promise<void> {
  const identity = serviceProcess(system.runDir);
  assert.ok(identity);
  await killAndWait(identity);
}
async function restart(system: SystemPlan): Promise<void> {
  await killSystem(system);
  await startSystem(lab.lab, system, lab.lab.environment);
}

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
  // It may run on the destination: nothing starts it here, also after a restart.
  await restart(ms01);
  for (const line of ["-o on -n db01", "-o shutdown --immed -n db01"]) assert.match((await other.run(`chsysstate -m ms01 -r lpar ${line}`)).stderr, /^OLPM-P02 /);
  assert.equal(findPartitions(lab.lab, [lab.client("db01").partition]).filter((one) => one.system === "ms01").length, 1);
  await startSystem(lab.lab, ms02, lab.lab.environment);
  assert.equal((await moved).code, 0);
  await lab.check("db01", "ms02");
});

test("a managed system's process that starts finds a Virtual I/O Server that is starting, and a partition that does not answer", async () => {
  const { pid, system: name } = findPartitions(lab.lab, [lab.client("db01").partition])[0]!;
  const system = lab.system(name);
  const state = (lpar: string) => `lssyscfg -r lpar -m ${name} --filter lpar_names=${lpar} -F state`;
  process.kill(pid, "SIGSTOP");
  await lab.operator.quiet(`chsysstate -m ${name} -r lpar -o shutdown --immed -n vios2`);
  fs.rmSync(path.join(system.runDir, "v2"), { recursive: true }); // of the one that ended
  const answer = lab.operator.run(`chsysstate -m ${name} -r lpar -o on -n vios2`);
  const starting = await until(() => ((fs.statSync(path.join(system.runDir, "v2/pid.json"), { throwIfNoEntry: false })?.size ?? 0) > 0 ? lab.pid(name, "v2") : undefined), { what: "the start of vios2", deadlineMs: 20_000, everyMs: 2 });
  await killSystem(system);
  assert.equal(fs.existsSync(path.join(system.runDir, "v2/ready")), false, "it is starting still");
  assert.equal((await answer).code, 1);
  await startSystem(lab.lab, system, lab.lab.environment);
  await lab.operator.until(state("vios2"), "Running", 20_000);
  assert.equal(lab.pid(name, "v2"), starting);
  await lab.operator.until(state("db01"), "Running", 20_000);
  process.kill(pid, "SIGCONT");
  await lab.check("db01", name);
  assert.equal(findPartitions(lab.lab, [lab.client("db01").partition])[0]!.pid, pid);
});

test("an activation that the end of the system's process cuts short leaves one process or none, and can be made again", async () => {
  const ms01 = lab.system("ms01");
  const partition = await createPartition(lab.lab, { name: "db03", system: "ms01", lun: 2, memoryMb: 256, activate: false, say: () => undefined });
  const state = "lssyscfg -r lpar -m ms01 --filter lpar_names=db03 -F state";
  const spec = path.join(ms01.runDir, `p${await lab.lparId("db03", "ms01")}/spec.json`);
  for (const afterMs of [0, 20, 100]) {
    const answer = lab.operator.run("chsysstate -m ms01 -r lpar -o on -n db03 -f default");
    await until(() => (fs.existsSync(spec) ? true : undefined), { what: "the start of db03", deadlineMs: 20_000, everyMs: 1 });
    await delay(afterMs);
    await killSystem(ms01);
    assert.equal((await answer).code, 1);
    await startSystem(lab.lab, ms01, lab.lab.environment);
    const seen = await until(async () => /Error|Running/.exec((await lab.operator.run(state)).stdout)?.[0], { what: "the state of db03", deadlineMs: 20_000 });
    assert.equal(findPartitions(lab.lab, [partition]).length, seen === "Running" ? 1 : 0);
    if (seen === "Error") await lab.operator.quiet("chsysstate -m ms01 -r lpar -o on -n db03");
    assert.equal(findPartitions(lab.lab, [partition]).length, 1);
    await lab.operator.quiet("chsysstate -m ms01 -r lpar -o shutdown --immed -n db03");
    assert.equal(findPartitions(lab.lab, [partition]).length, 0);
  }
});

test("no acknowledged write is missing from the databases' own files on the LUNs", async () => {
  for (const name of [...lab.clients.keys()]) await lab.finish(name);
});
