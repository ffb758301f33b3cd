/**
 * Inactive migration with real parts: a partition that was shut down moves with its disks, its network and its profiles, is activated on the destination and has
 * the same data; nothing is left on the source. What has never been activated stays.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { run } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { MigrationRecord } from "../src/model/migration.js";
import { hold, letGo } from "../src/lab/faults.js";
import { databaseAnswers, qemuProcesses } from "../src/lab/witness.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;
const lssyscfg = (system: string, fields: string) => lab.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=db01 -F ${fields}`);

before(async () => {
  lab = await Fixture.up("ina", { faults: true });
  await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512 });
});
after(() => lab.down());

test("a partition that was never activated is refused, active rules are not asked of one that is off", async () => {
  const attributes = "name=fresh,profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=512,max_mem=512,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=1,min_proc_units=0.1,desired_proc_units=0.1,max_proc_units=1.0,sharing_mode=cap,uncap_weight=0";
  await lab.operator.quiet(`mksyscfg -r lpar -m ms01 -i "${attributes}"`);
  const { code, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p fresh");
  assert.equal(code, 1);
  assert.match(stderr, /^OLPM-VP07 .*never activated/);
  await lab.operator.quiet("rmsyscfg -r lpar -m ms01 -n fresh");
});

test("a partition that is off moves, is shown as inactive meanwhile, and runs on the destination with its data; the source keeps nothing", async () => {
  await lab.redis("db01", "set", "mark", "42");
  const { partition } = lab.client("db01");
  await lab.finish("db01");
  await lab.operator.quiet("chsysstate -m ms01 -r lpar -o shutdown -n db01 --immed");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state", "Not Activated", 10_000);
  const was = await lssyscfg("ms01", "name,uuid,default_profile,lpar_env");
  const profile = async (system: string) => lab.operator.quiet(`lssyscfg -r prof -m ${system} --filter lpar_names=db01 -F virtual_eth_adapters,desired_mem,max_mem,desired_proc_units`);
  const wasProfile = await profile("ms01");
  assert.deepEqual(await lab.operator.run("migrlpar -o v -m ms01 -t ms02 -p db01"), { code: 0, stdout: "", stderr: "" });

  hold(lab.system("ms02"), "reserved");
  const moving = lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01 -i dest_lpar_id=17 --json");
  try {
    await lab.operator.until("lslparmigr -r lpar -m ms01 --filter lpar_names=db01 -F migration_type,migration_state,dest_lpar_id", "inactive,Migration Starting,17", 10_000);
    await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F state,lpar_id", "Migrating - Not Activated,17", 10_000);
    assert.equal(await lssyscfg("ms01", "state"), "Migrating - Not Activated\n");
    const activate = await lab.operator.run("chsysstate -m ms01 -r lpar -o on -n db01");
    assert.equal(activate.code, 1, "a partition that moves can not be activated");
    assert.match(activate.stderr, /migration/);
  } finally {
    letGo(lab.system("ms02"), "reserved");
  }
  const { code, stdout, stderr } = await moving;
  assert.equal(code, 0, stderr);
  const record = MigrationRecord.parse(JSON.parse(stdout.trim().split("\n").at(-1)!));
  assert.deepEqual([record.type, record.status, record.stoppedMs, record.source.mspName, record.destination.lparId], ["inactive", "succeeded", null, null, 17]);
  assert.equal(record.phaseStartedAt.copy, undefined, "nothing is copied");

  assert.equal((await lab.operator.run("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state")).code, 1, "the source does not know it");
  assert.equal(await lab.operator.quiet('viosvrcmd -m ms01 -p vios1 -c "lsmap -all -field svsa -fmt :"'), "", "no server adapter is left");
  assert.deepEqual(qemuProcesses(partition.uuid), [], "nothing of it runs anywhere");
  assert.equal(await lssyscfg("ms02", "state,lpar_id"), "Not Activated,17\n");
  assert.equal(await lssyscfg("ms02", "name,uuid,default_profile,lpar_env"), was);
  assert.equal(await profile("ms02"), wasProfile);
  assert.equal(await lab.operator.quiet("lshwres -r virtualio -m ms02 --rsubtype scsi --level lpar --filter lpar_names=db01 -F slot_num,remote_lpar_name"), "2,vios1\n");

  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o on -n db01");
  await databaseAnswers(lab.lab.lan.namespace, partition.address, 240_000);
  assert.equal((await run(["ip", "netns", "exec", lab.lab.lan.namespace, "redis-cli", "-h", partition.address, "get", "mark"])).trim(), "42");
  const processes = qemuProcesses(partition.uuid).filter((seen) => seen.alive);
  assert.equal(processes.length, 1);
  await until(async () => ((await lssyscfg("ms02", "state")) === "Running\n" ? true : undefined), { what: "the partition to run", deadlineMs: 10_000 });
});
