/**
 * What mobility promises beside the move itself, with real parts: which attributes of a partition change and which must not (lpm-process 9), mappings and profiles
 * by the operator's word, the prediction beside the fact, and the evacuation of a system.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MigrationRecord } from "../src/model/migration.js";
import { parseRecord } from "../src/console/grammar/record.js";
import { compare } from "../src/lab/bench/predictions.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;
const MEMORY_MB = 512;

before(async () => {
  lab = await Fixture.up("mob", { systems: [{ name: "ms01", serial: "7800A01" }, { name: "ms02", serial: "7800A02" }] });
  await Promise.all([lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: MEMORY_MB }), lab.partition({ name: "db02", system: "ms01", lun: 1, memoryMb: MEMORY_MB, vios: "vios2" })]);
});
after(() => lab.down());

const quiet = (line: string) => lab.operator.quiet(line);
/** One object's attributes as the console lists them. */
const record = async (line: string): Promise<Record<string, string>> => Object.fromEntries(parseRecord((await quiet(line)).trim()).map(({ name, value }) => [name, value]));
const everything = async (system: string) => ({
  lpar: await record(`lssyscfg -r lpar -m ${system} --filter lpar_names=db01`),
  memory: await record(`lshwres -r mem -m ${system} --level lpar --filter lpar_names=db01`),
  processors: await record(`lshwres -r proc -m ${system} --level lpar --filter lpar_names=db01`),
  ethernet: await record(`lshwres -r virtualio --rsubtype eth -m ${system} --level lpar --filter lpar_names=db01`),
  scsi: await record(`lshwres -r virtualio --rsubtype scsi -m ${system} --level lpar --filter lpar_names=db01`),
  profile: await record(`lssyscfg -r prof -m ${system} --filter lpar_names=db01,profile_names=default`),
});
/** What lpm-process 9.2 lets change in an active migration, by listing. */
const MAY_CHANGE: Readonly<Record<string, readonly string[]>> = {
  lpar: ["lpar_id", "logical_serial_num", "curr_profile", "uptime", "rmc_ipaddr"],
  memory: ["lpar_id"],
  processors: ["lpar_id"],
  ethernet: ["lpar_id", "drc_name", "drc_index"],
  scsi: ["lpar_id", "drc_name", "drc_index", "remote_lpar_id", "remote_lpar_name", "remote_slot_num"],
  profile: ["lpar_id", "lpar_name", "virtual_scsi_adapters"],
};

/** A machine that does other work beside this takes longer than predicted; what is sent does not depend on that. */
const BUSY = 2;
function assertPredicted(record: MigrationRecord): void {
  const compared = compare(record);
  assert.deepEqual(compared.map((one) => one.what), ["total", "stopped", "bytes"]);
  for (const { what, said: [low, high], was } of compared) assert.ok(was >= low && was <= high * (what === "bytes" ? 1 : BUSY), `${what}: ${was}, predicted ${low} to ${high}: ${JSON.stringify(record.prediction)}`);
}

test("validation predicts, explains itself and changes nothing", async () => {
  const began = performance.now();
  const { code, stdout, stderr } = await lab.operator.run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 5");
  assert.deepEqual([code, stderr], [0, ""], stderr);
  assert.ok(performance.now() - began < 5_000, "validation is quick");
  assert.match(stdout, /^active migration of partition db01/);
  assert.match(stdout, /virtual SCSI adapter 2 will be served by vios1 \(1\): it has the same name as on the source/);
  assert.match(stdout, /predicted: \d+\.\d to \d+\.\d s in all, \d+ to \d+ ms stopped, \d+ to \d+ MiB sent \(\d+ MiB in use, changes \d+ MiB\/s, link \d+ MiB\/s\)/);
  assert.match(stdout, /LUN naa\.\S+ on vios2: \d+ bytes/);
  await lab.check("db01", "ms01");
});

test("after a move everything of the partition is as before, but for what may change; the prediction held", async () => {
  const before = await everything("ms01");
  assert.ok(Object.keys(before.lpar).length > 20 && Object.keys(before.profile).length > 20, "the listings are read");
  const { code, stdout, stderr } = await lab.operator.run('migrlpar -o m -m ms01 -t ms02 -p db01 --json -i "dest_lpar_id=23,virtual_scsi_mappings=2/vios2/2/44,source_msp_name=vios2,dest_msp_name=vios2"');
  assert.equal(code, 0, stderr);
  const moved = MigrationRecord.parse(JSON.parse(stdout.trim().split("\n").at(-1)!));
  assert.deepEqual([moved.source.mspName, moved.destination.mspName, moved.destination.lparId], ["vios2", "vios2", 23]);
  await lab.check("db01", "ms02");
  const now = await everything("ms02");
  for (const [what, was] of Object.entries(before)) {
    const is = now[what as keyof typeof now];
    const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => was[name] !== is[name]);
    assert.deepEqual(changed.filter((name) => !MAY_CHANGE[what]!.includes(name)).map((name) => `${what} ${name}: ${was[name]} -> ${is[name]}`), []);
  }
  assert.deepEqual([now.lpar["lpar_id"], now.scsi["remote_lpar_name"], now.scsi["remote_slot_num"]], ["23", "vios2", "44"], "as the operator said");
  assert.match(now.profile["virtual_scsi_adapters"]!, /^2\/client\/2\/vios2\/44\/1$/, "the profile follows");
  assertPredicted(moved);
  assert.match(await quiet("lslparmigr -r history -m ms01 --filter lpar_names=db01 -F name,total_ms,predicted_total_ms,stopped_ms,predicted_stopped_ms"), /^db01,\d+,\d+-\d+,\d+,\d+-\d+\n$/);
  const back = await lab.operator.run("migrlpar -o m -m ms02 -t ms01 -p db01 -n evening --json");
  assert.equal(back.code, 0, back.stderr);
  assertPredicted(MigrationRecord.parse(JSON.parse(back.stdout.trim().split("\n").at(-1)!)));
  assert.equal(await quiet("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F curr_profile,default_profile"), "evening,default\n");
  assert.equal(await quiet("lssyscfg -r prof -m ms01 --filter lpar_names=db01 -F name"), "default\nevening\n");
  await lab.check("db01", "ms01");
});

test("paths that can not be kept, LUNs that are taken, and asked mappings that are not possible are found", async () => {
  const line = "migrlpar -o v -m ms01 -t ms02 -p db01";
  const shut = await lab.operator.run("chsysstate -m ms02 -r lpar -o shutdown -n vios1 --immed");
  assert.equal(shut.code, 0, shut.stderr);
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=vios1 -F state", "Not Activated", 15_000);
  const other = await lab.operator.run(`${line} -d 1`);
  assert.deepEqual([other.code, other.stderr], [0, ""], "the other server takes the adapter, and the other mover the state");
  assert.match(other.stdout, /served by vios2 \(2\): /);
  assert.match((await lab.operator.run(`${line} -i virtual_scsi_mappings=2/vios1/`)).stderr, /^OLPM-VV12 .*no running Virtual I\/O Server vios1/);
  await quiet("chsysstate -m ms02 -r lpar -o on -n vios1");
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=vios1 -F state", "Running", 30_000);
  assert.equal((await lab.operator.run(`${line} -i virtual_scsi_mappings=2/vios1/`)).code, 0);
});

test("a mover service partition is not shut down under a migration; at once it is, and the migration fails with the reason", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db02", "ms01", "ms02", "vios1");
  const asked = await lab.operator.run("chsysstate -m ms01 -r lpar -o shutdown -n vios1");
  assert.notEqual(asked.code, 0);
  assert.match(asked.stderr, /OLPM-P02 .*vios1 is used by the migration of db02\./);
  await quiet("chsysstate -m ms01 -r lpar -o shutdown -n vios1 --immed");
  const { code, stderr } = await copy.ended;
  assert.notEqual(code, 0);
  assert.match(stderr, /The mover service partition vios1 of ms01 was lost: an operator shut it down/);
  await quiet("chsysstate -m ms01 -r lpar -o on -n vios1");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=vios1 -F state", "Running", 30_000);
  await lab.fast("ms01", "vios1");
  for (const name of ["db01", "db02"]) await lab.check(name, "ms01");
});

test("a limit of a mover holds, and the other mover is taken", async () => {
  await quiet("migrlpar -o set -r lpar -m ms01 -p vios1 -i num_active_migrations_configured=1");
  assert.equal(await quiet("lslparmigr -r msp -m ms01 -F lpar_name,num_active_migrations_configured"), "vios1,1\nvios2,4\n");
  assert.match((await lab.operator.run("migrlpar -o set -r lpar -m ms01 -p vios1 -i num_active_migrations_configured=99")).stderr, /supports 4/);
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02");
  assert.match((await lab.operator.run("migrlpar -o v -m ms01 -t ms02 -p db02 -i source_msp_name=vios1")).stderr, /^OLPM-VG13 .*vios1 carries 1 of at most 1/);
  const { code, stdout, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db02 --json");
  assert.equal(code, 0, stderr);
  assert.equal(MigrationRecord.parse(JSON.parse(stdout.trim())).source.mspName, "vios2");
  await lab.fast("ms01", "vios1");
  assert.equal((await copy.ended).code, 0);
  for (const name of ["db01", "db02"]) await lab.check(name, "ms02");
});

test("--all empties a system: what runs, what is off, with one report; what can not move is named", async () => {
  const attributes = (name: string) => `name=${name},profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=256,max_mem=512,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=1,min_proc_units=0.1,desired_proc_units=0.1,max_proc_units=1.0,sharing_mode=cap,uncap_weight=0,virtual_eth_adapters=3/0/1//0/0`;
  for (const name of ["off1", "fresh"]) await quiet(`mksyscfg -r lpar -m ms02 -i "${attributes(name)}"`);
  await quiet("chsysstate -m ms02 -r lpar -o on -n off1 -f p");
  await quiet("chsysstate -m ms02 -r lpar -o shutdown -n off1 --immed");
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=off1 -F state", "Not Activated", 15_000);
  const { code, stdout, stderr } = await lab.operator.run("migrlpar -o m -m ms02 -t ms01 --all -v --steps 2");
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "fresh stays on ms02: it was never activated.\n");
  for (const name of ["db01", "db02"]) {
    assert.match(stdout, new RegExp(`^${name}: migrated to ms01 in \\d+\\.\\d s, stopped \\d+ ms \\(predicted`, "m"));
    assert.match(stdout, new RegExp(`^${name}: suspending: \\d+ ms$`, "m"));
    await lab.check(name, "ms01");
  }
  assert.match(stdout, /^off1: migrated to ms01 in /m);
  assert.equal(await quiet("lssyscfg -r lpar -m ms02 -F name"), "vios1\nvios2\nfresh\n");
  assert.equal(await quiet("lssyscfg -r lpar -m ms01 --filter lpar_names=off1 -F state"), "Not Activated\n");
  await quiet("rmsyscfg -r lpar -m ms02 -n fresh");
  await quiet("rmsyscfg -r lpar -m ms01 -n off1");
});

test("no acknowledged write is missing", async () => {
  for (const name of [...lab.clients.keys()]) await lab.finish(name);
});
