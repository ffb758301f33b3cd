/**
 * The main job with real parts: a Power partition with a database moves between two managed systems while a client writes to it over one TCP connection, and
 * everything that may go wrong before the hand-over leaves it running on the source. After each test the fixture's checker looks from the outside.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { run } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { MigrationRecord } from "../src/model/migration.js";
import { LAN_ADDRESS, PREFIX } from "../src/lab/plan.js";
import { inNamespace } from "../src/lab/wiring.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;

before(async () => {
  // The second VIOS of each system trusts the LAN's links, the first one does not.
  const vioses = [{ name: "vios1" }, { name: "vios2", moverTrusted: [`${LAN_ADDRESS}/${PREFIX}`] }];
  lab = await Fixture.up("mig", {
    systems: [
      { name: "ms01", serial: "7800A01", memoryMb: 8192, vioses },
      { name: "ms02", serial: "7800A02", memoryMb: 3072, vioses },
    ],
  });
  await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512 });
});
after(() => lab.down());

const migrate = (from: string, to: string, name = "db01") => lab.operator.run(`migrlpar -o m -m ${from} -t ${to} -p ${name}`);
async function moved(from: string, to: string, name = "db01"): Promise<void> {
  const { code, stderr } = await migrate(from, to, name);
  assert.equal(code, 0, stderr);
  await lab.check(name, to);
}
/** Processes of the channel program in a VIOS's namespace. */
async function moversIn(namespace: string): Promise<number[]> {
  const pids = (await run(["ip", "netns", "pids", namespace])).split("\n").filter((pid) => pid !== "").map(Number);
  return pids.filter((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[0]!.endsWith("/mover"));
}
/** The second try after a failure: there and back. */
async function secondTry(): Promise<void> {
  await moved("ms01", "ms02");
  await moved("ms02", "ms01");
}

test("a running partition moves there and back; identity, console log, uptime and connections stay", async () => {
  const identity = async (system: string) => lab.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=db01 -F uuid,default_profile,curr_profile,os_version`);
  const adapters = async (system: string) => lab.operator.quiet(`lshwres -r virtualio -m ${system} --rsubtype eth --level lpar --filter lpar_names=db01 -F slot_num,mac_addr,port_vlan_id`);
  const [was, wasAdapters, uptime] = [await identity("ms01"), await adapters("ms01"), Number(/uptime_in_seconds:(\d+)/.exec(await lab.redis("db01", "info", "server"))![1])];
  const logOf = (system: string) => path.join(lab.system(system).stateDir, "console", `${lab.client("db01").partition.uuid}.log`);
  const log = fs.readFileSync(logOf("ms01"), "utf8");
  const { code, stdout, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01 -v --json");
  assert.equal(code, 0, stderr);
  const record = MigrationRecord.parse(JSON.parse(stdout.trim().split("\n").at(-1)!));
  assert.equal(record.status, "succeeded");
  assert.ok(record.stoppedMs !== null && record.stoppedMs < 3_000, `stopped for ${record.stoppedMs} ms`);
  assert.ok(record.progress.bytesSent > 10 << 20 && record.progress.bytesOnLink >= record.progress.bytesSent, "bytes are counted");
  assert.match(stdout, /db01: copying memory/);
  await lab.check("db01", "ms02");
  const status = fs.readFileSync(`/proc/${lab.pid("ms02", `p${await lab.lparId("db01", "ms02")}`)}/status`, "utf8");
  assert.doesNotMatch(status, /^[UG]id:.*\b0\b/m, "a partition does not run as root");
  assert.match(status, /CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+\nCapAmb:\t0+\nNoNewPrivs:\t1\nSeccomp:\t2/, "nothing of root is left to it");
  let is = "";
  await until(async () => ((is = await identity("ms02")) === was ? true : undefined), { what: "the partition's identity, its operating system's level too", deadlineMs: 20_000 }).catch(() => assert.equal(is, was));
  assert.equal(await adapters("ms02"), wasAdapters);
  assert.ok(fs.readFileSync(logOf("ms02"), "utf8").startsWith(log), "the console log moved with it");
  assert.ok(Number(/uptime_in_seconds:(\d+)/.exec(await lab.redis("db01", "info", "server"))![1]) >= uptime);
  assert.equal(await lab.redis("db01", "get", "seen-check"), "1");
  assert.equal(await lab.redis("db01", "get", "seen-prepare"), "1");
  await until(async () => ((await lab.redis("db01", "get", "seen-confirm")) === "1" ? true : undefined), { what: "the guest's confirmation", deadlineMs: 5_000 });
  await moved("ms02", "ms01");
});

test("the state goes in the clear where both ends trust the link, and sealed where one of them does not", async () => {
  const through = async (from: string, to: string, source: string, destination: string): Promise<MigrationRecord> => {
    const { code, stdout, stderr } = await lab.operator.run(`migrlpar -o m -m ${from} -t ${to} -p db01 -i "source_msp_name=${source},dest_msp_name=${destination}" --json`);
    assert.equal(code, 0, stderr);
    await lab.check("db01", to);
    return MigrationRecord.parse(JSON.parse(stdout.trim().split("\n").at(-1)!));
  };
  const direct = await through("ms01", "ms02", "vios2", "vios2");
  assert.equal(direct.way, "direct");
  assert.ok(direct.progress.bytesSent > 10 << 20 && direct.progress.bytesOnLink >= direct.progress.bytesSent, "bytes are counted");
  assert.equal((await through("ms02", "ms01", "vios2", "vios1")).way, "sealed");
  assert.equal((await through("ms01", "ms02", "vios1", "vios2")).way, "sealed");
  await moved("ms02", "ms01");
});

test("wrong names are refused with the HMC's words and change nothing", async () => {
  const cases: [string, RegExp][] = [
    ["migrlpar -o m -m ms01 -t ms02 -p nosuch", /^HSCL8012 The partition named nosuch was not found\./],
    ["migrlpar -o m -m ms01 -t ms09 -p db01", /^HSCL8018 The managed system ms09 was not found\./],
    ["migrlpar -o m -m ms01 -t ms01 -p db01", /OLPM-VG01/],
    ["migrlpar -o m -m ms01 -t ms02 -p vios1", /OLPM-VP02/],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i source_msp_name=nosuch", /OLPM-VX01 nosuch/],
    ["migrlpar -o s -m ms01 -p db01", /OLPM-S02/],
  ];
  for (const [line, expected] of cases) {
    const { code, stderr } = await lab.operator.run(line);
    assert.equal(code, 1, line);
    assert.match(stderr, expected, line);
  }
  await lab.check("db01", "ms01");
});

test("without memory on the destination the migration is refused before anything is reserved", async () => {
  const attributes = "name=filler,profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=2304,max_mem=2304,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=1,min_proc_units=0.1,desired_proc_units=0.1,max_proc_units=1.0,sharing_mode=cap,uncap_weight=0";
  await lab.operator.quiet(`mksyscfg -r lpar -m ms02 -i "${attributes}"`);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o on -n filler");
  const { code, stderr } = await migrate("ms01", "ms02");
  assert.equal(code, 1);
  assert.match(stderr, /^OLPM-VM01 ms02 has not enough free memory for partition db01: 512 MB are needed, 256 MB are available\./);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o shutdown -n filler --immed");
  await lab.operator.quiet("rmsyscfg -r lpar -m ms02 -n filler");
  await lab.check("db01", "ms01");
  await secondTry();
});

test("the destination's process is killed during the copy", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02", "vios1");
  process.kill(lab.pid("ms02", `p${await lab.lparId("db01", "ms02")}`), "SIGKILL");
  const { code, stderr } = await copy.ended;
  await lab.fast("ms01", "vios1");
  assert.equal(code, 1);
  assert.match(stderr, /^HSCLA2CF /);
  assert.match(stderr, /Partition db01 is running on ms01; nothing is reserved on ms02/);
  await lab.check("db01", "ms01");
  await secondTry();
});

test("the connection between the movers is cut during the copy", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02", "vios1");
  const peer = `${lab.vios("ms02", "vios1").lanAddress}/32`;
  await run(inNamespace(lab.vios("ms01", "vios1").namespace, "ip", "route", "add", "blackhole", peer));
  const { code, stderr } = await copy.ended;
  await run(inNamespace(lab.vios("ms01", "vios1").namespace, "ip", "route", "delete", "blackhole", peer));
  await lab.fast("ms01", "vios1");
  assert.equal(code, 1);
  assert.match(stderr, /^HSCLA2CF .*mover/);
  await lab.check("db01", "ms01");
  await secondTry();
});

test("a mover of a direct channel is killed during the copy", async () => {
  for (const system of ["ms01", "ms02"]) {
    await lab.slow("ms01", "vios2");
    const copy = await lab.beginCopy("db01", "ms01", "ms02", "vios2");
    assert.equal(await lab.operator.quiet("lslparmigr -r lpar -m ms01 --filter lpar_names=db01 -F openlpm_way"), "direct\n");
    const [mover, ...more] = await moversIn(lab.vios(system, "vios2").namespace);
    assert.ok(mover && more.length === 0, `one mover on ${system}`);
    process.kill(mover, "SIGKILL");
    const { code, stderr } = await copy.ended;
    await lab.fast("ms01", "vios2");
    assert.equal(code, 1);
    assert.match(stderr, /^HSCLA2CF /);
    await lab.check("db01", "ms01");
  }
  await secondTry();
});

test("migrlpar -o s during the copy stops the migration", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02");
  assert.equal((await lab.operator.run("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state")).stdout, "Migrating - Running\n");
  assert.equal((await lab.operator.run("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F state")).stdout, "Migrating - Running\n");
  assert.deepEqual(await lab.operator.run("migrlpar -o s -m ms01 -p db01"), { code: 0, stdout: "", stderr: "" });
  const { code, stderr } = await copy.ended;
  await lab.fast("ms01", "vios1");
  assert.equal(code, 1);
  assert.match(stderr, /^HSCLA2CF The migration was stopped by the user\./);
  await lab.check("db01", "ms01");
  await secondTry();
});

test("the operating system refuses at check and at prepare", async () => {
  await lab.redis("db01", "set", "refuse-check", "the backup runs");
  const validated = await lab.operator.run("migrlpar -o v -m ms01 -t ms02 -p db01");
  assert.equal(validated.code, 1);
  assert.match(validated.stderr, /^HSCLA257 .*the backup runs/);
  await lab.redis("db01", "del", "refuse-check", "seen-error");
  await lab.redis("db01", "set", "refuse-prepare", "not now");
  const { code, stderr } = await migrate("ms01", "ms02");
  assert.equal(code, 1);
  assert.match(stderr, /^HSCLA257 .*not now/);
  await lab.redis("db01", "del", "refuse-prepare");
  await until(async () => ((await lab.redis("db01", "get", "seen-error")) === "1" ? true : undefined), { what: "the guest to hear of the failure", deadlineMs: 5_000 });
  await lab.check("db01", "ms01");
  await secondTry();
});

test("the console is killed during the copy; the next one takes the migration up", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02");
  const { stopService, startConsole, serviceProcess } = await import("../src/lab/services.js");
  const console = lab.lab.consoles[0]!;
  process.kill(serviceProcess(console.runDir)!.pid, "SIGKILL");
  await copy.ended.catch(() => undefined);
  await stopService(console.runDir);
  await startConsole(lab.lab, console, lab.lab.environment);
  await lab.fast("ms01", "vios1");
  await until(async () => ((await lab.operator.run("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F state").catch(() => ({ stdout: "" }))).stdout === "Running\n" ? true : undefined), { what: "the migration to end", deadlineMs: 60_000, everyMs: 100 });
  await until(async () => ((await lab.operator.run("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state")).code === 1 ? true : undefined), { what: "the source to be clean", deadlineMs: 20_000, everyMs: 100 });
  await lab.check("db01", "ms02");
  await moved("ms02", "ms01");
});

test("a managed system's process is killed and started again; its partitions go on and are adopted", async () => {
  const { stopService, startSystem, serviceProcess } = await import("../src/lab/services.js");
  const system = lab.system("ms01");
  const qemu = lab.pid("ms01", `p${await lab.lparId("db01", "ms01")}`);
  process.kill(serviceProcess(system.runDir)!.pid, "SIGKILL");
  await stopService(system.runDir);
  await lab.client("db01").writer.progressed();
  await startSystem(lab.lab, system, lab.lab.environment);
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state,rmc_state", "Running,active", 30_000);
  assert.equal(lab.pid("ms01", `p${await lab.lparId("db01", "ms01")}`), qemu);
  await lab.check("db01", "ms01");
  await secondTry();
});

test("a Virtual I/O Server is killed and activated again under a running client", async () => {
  process.kill(lab.pid("ms01", "v1"), "SIGKILL");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=vios1 -F state", "Error", 15_000);
  const refused = await migrate("ms01", "ms02");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^HSCLA246 .* with partition vios1\./);
  await lab.operator.quiet("chsysstate -m ms01 -r lpar -o on -n vios1");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=vios1 -F state", "Running", 15_000);
  await lab.client("db01").writer.progressed();
  await lab.check("db01", "ms01");
  await secondTry();
});

test("four partitions move at the same time, in both directions", async () => {
  await Promise.all([
    lab.partition({ name: "db02", system: "ms01", lun: 1, memoryMb: 512, vios: "vios2" }),
    lab.partition({ name: "db03", system: "ms02", lun: 2, memoryMb: 512 }),
    lab.partition({ name: "db04", system: "ms02", lun: 3, memoryMb: 512, vios: "vios2" }),
  ]);
  const where: Record<string, [string, string]> = { db01: ["ms01", "ms02"], db02: ["ms01", "ms02"], db03: ["ms02", "ms01"], db04: ["ms02", "ms01"] };
  const results = await Promise.all(Object.entries(where).map(async ([name, [from, to]]) => ({ name, ...(await migrate(from, to, name)) })));
  assert.deepEqual(results.map(({ name, code, stderr }) => ({ name, code, stderr })), Object.keys(where).map((name) => ({ name, code: 0, stderr: "" })));
  for (const [name, [, to]] of Object.entries(where)) await lab.check(name, to);
});

/** What an account gets at each socket below a directory: `connected`, or the error's code. */
async function tried(uid: number, runDir: string): Promise<Record<string, string>> {
  const sockets = (await run(["find", runDir, "-type", "s"])).trim().split("\n").sort();
  const one = "(path) => new Promise((done) => { const s = require('net').connect(path).on('connect', () => (s.destroy(), done([path, 'connected']))).on('error', (e) => done([path, e.code])); })";
  const program = `Promise.all(process.argv.slice(1).map(${one})).then((all) => console.log(JSON.stringify(Object.fromEntries(all))))`;
  return JSON.parse(await run(["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs", "--", process.execPath, "-e", program, ...sockets])) as Record<string, string>;
}

test("the account of a partition reaches its own sockets, and nothing of another partition or of the system", async () => {
  const accounts: number[] = [];
  for (const name of ["db01", "db02"]) {
    const [{ runDir }, place] = [lab.system("ms02"), `p${await lab.lparId(name, "ms02")}`];
    const pid = lab.pid("ms02", place);
    const uid = fs.statSync(`/proc/${pid}`).uid;
    accounts.push(uid);
    const door = /server\.path=([^,]+),/.exec(fs.readFileSync(`/proc/${pid}/cmdline`, "latin1"))![1]!;
    const seen = await tried(uid, runDir);
    assert.ok(Object.keys(seen).length > 10 && seen[door] === "connected" && seen[`${runDir}/${place}/qmp.sock`] === "connected", JSON.stringify(seen));
    for (const [socket, got] of Object.entries(seen)) assert.equal(got, socket === door || socket.startsWith(`${runDir}/${place}/`) ? "connected" : "EACCES", `${name} at ${socket}`);
  }
  assert.equal(new Set(accounts).size, 2);
});

test("no acknowledged write is missing from the databases' own files on the LUNs", async () => {
  for (const name of [...lab.clients.keys()]) await lab.finish(name);
});
