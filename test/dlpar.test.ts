/**
 * Dynamic partitioning with real parts: a running partition under load gets a processor, moves, gives it back on the destination, moves back; the same with memory, whose
 * contents are looked at; and it keeps what it has through a restart of its managed system's process, of its operating system and its own. What is there is looked at
 * from inside the partition and from the host.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "../src/kit/wait.js";
import { QmpClient } from "../src/qmp/client.js";
import { guestAgent } from "../src/system/qemu/agent.js";
import { databaseAnswers } from "../src/lab/witness.js";
import { Fixture } from "./support/fixture.js";

let lab: Fixture;
const MIB = 1 << 20;
const BLOCK_MB = 256;

before(async () => {
  lab = await Fixture.up("dlp", {
    systems: [
      { name: "ms01", serial: "7800A01", memoryMb: 2048 },
      { name: "ms02", serial: "7800A02", memoryMb: 2048 },
    ],
  });
  await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512 });
  await inside("ms01", "dirty 48 10 >/run/dirty.log 2>&1 </dev/null & until grep -q filled /run/dirty.log; do sleep 0.2; done");
});
after(() => lab.down());

const runDir = async (system: string) => path.join(lab.system(system).runDir, `p${await lab.lparId("db01", system)}`);
const chhwres = (system: string, rest: string) => lab.operator.run(`chhwres -m ${system} -p db01 ${rest}`);
async function changes(system: string, rest: string): Promise<void> {
  assert.deepEqual(await chhwres(system, rest), { code: 0, stdout: "", stderr: "" });
}
async function migrate(from: string, to: string): Promise<void> {
  const { code, stderr } = await lab.operator.run(`migrlpar -o m -m ${from} -t ${to} -p db01`);
  assert.equal(code, 0, stderr);
  await lab.check("db01", to);
}
/** A command in the partition, by its agent. */
async function inside(system: string, line: string): Promise<string> {
  const { code, stdout, stderr } = await guestAgent(path.join(await runDir(system), "ga.sock")).exec("/bin/sh", ["-c", line], { deadlineMs: 60_000 });
  assert.equal(code, 0, stderr);
  return stdout.trim();
}
/** What the operating system has, what the host gives, what the console lists. After a move without KVM the processors come back one after the other. */
async function assertHas(system: string, memoryMb: number, procs: number, cores: number): Promise<void> {
  await until(async () => ((await inside(system, "nproc")) === String(procs) ? true : undefined), { what: `${procs} processors in the partition`, deadlineMs: 60_000, everyMs: 500 });
  const [kib, cpus] = (await inside(system, "awk '/MemTotal/ {print $2}' /proc/meminfo; nproc")).split("\n").map(Number);
  // The kernel keeps a part for itself: less than a block.
  assert.ok(kib! <= memoryMb * 1024 && kib! > (memoryMb - BLOCK_MB) * 1024, `MemTotal is ${kib} KiB of ${memoryMb} MB`);
  assert.equal(cpus, procs, "processors online in the partition");
  const qmp = await QmpClient.connect(path.join(await runDir(system), "chq.sock"));
  try {
    // Without KVM the machine has the maximum in one piece.
    const memory = (await qmp.execute("query-memory-size-summary")) as { "base-memory": number; "plugged-memory"?: number };
    assert.deepEqual([memory["base-memory"] / MIB, memory["plugged-memory"] ?? 0], [1024, 0], "memory of the machine");
    assert.equal(((await qmp.execute("query-cpus-fast")) as unknown[]).length, cores, "cores of the machine");
  } finally {
    qmp.close();
  }
  const list = (resource: string, fields: string) => lab.operator.quiet(`lshwres -r ${resource} -m ${system} --level lpar --filter lpar_names=db01 -F ${fields}`);
  assert.equal(await list("mem", "curr_min_mem,curr_mem,curr_max_mem,pend_mem,run_mem"), `256,${memoryMb},1024,${memoryMb},${memoryMb}\n`);
  assert.equal(await list("proc", "curr_procs,pend_procs,run_procs"), `${procs},${procs},${procs}\n`);
  // Two Virtual I/O Servers count for 256 MB each.
  assert.equal(await lab.operator.quiet(`lshwres -r mem -m ${system} --level sys -F curr_avail_sys_mem`), `${2048 - 512 - memoryMb}\n`);
}
/** Host memory of the partition's process, MB. */
async function residentMb(system: string): Promise<number> {
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(fs.readFileSync(`/proc/${lab.pid(system, path.basename(await runDir(system)))}/status`, "utf8"))![1]) / 1024;
}
/** What the host lets the process have at most, MB, where it has a memory controller of version 1. */
async function memoryLimitMb(system: string): Promise<number | undefined> {
  const group = /^\d+:memory:(.*openlpm.*)$/m.exec(fs.readFileSync(`/proc/${lab.pid(system, path.basename(await runDir(system)))}/cgroup`, "utf8"))?.[1];
  return group === undefined ? undefined : Number(fs.readFileSync(`/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`, "utf8")) / MIB;
}

/** Files in memory, each its number and the same 8 MB of noise, written over one after the other. */
const FILES = 60;
const FILL = `mkdir -p /run/files && mount -t tmpfs -o size=600m files /run/files && head -c 8388608 /dev/urandom >/run/files/noise
for n in $(seq ${FILES}); do { echo $n; cat /run/files/noise; } >/run/files/f$n || exit 1; done`;
const REWRITE = `while [ ! -e /run/stop ]; do for n in $(seq ${FILES}); do [ -e /run/stop ] && break; { echo $n; cat /run/files/noise; } >/run/files/f$n; sleep 0.3; done; done; touch /run/stopped`;
/** Stops who writes, and compares every byte. */
const COMPARE = `touch /run/stop; until [ -e /run/stopped ]; do sleep 0.1; done; rm /run/stop /run/stopped
for n in $(seq ${FILES}); do { read -r is; [ "$is" = $n ] && cmp - /run/files/noise || echo wrong $n; } </run/files/f$n; done`;
const detached = (system: string, script: string, out = "/dev/null") => inside(system, `(${script}) >${out} 2>&1 </dev/null &`);
/** What takes long is not left to the agent, which has one client at a time. */
async function compute(system: string, script: string): Promise<string> {
  await inside(system, "rm -f /run/done");
  await detached(system, `(${script}); touch /run/done`, "/run/said");
  await until(async () => (await inside(system, "[ ! -e /run/done ] || echo done")) || undefined, { what: "a script in the partition", deadlineMs: 120_000, everyMs: 1_000 });
  return inside(system, "cat /run/said");
}

/** The processor group of the partition, version 1 or 2 of the host's controller. */
async function limits(system: string): Promise<{ quota: string; weight: string }> {
  const pid = lab.pid(system, path.basename(await runDir(system)));
  const group = fs.readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n").map((line) => /^\d+:(?:[^:]*\bcpu\b[^:]*)?:(.*openlpm.*)$/.exec(line)?.[1]).find((one) => one !== undefined);
  assert.ok(group, "the partition is in a group of the cpu controller");
  const read = (file: string) => fs.readFileSync(file, "utf8").trim();
  const v1 = `/sys/fs/cgroup/cpu${group}`;
  return fs.existsSync(`${v1}/cpu.shares`) ? { quota: read(`${v1}/cpu.cfs_quota_us`), weight: read(`${v1}/cpu.shares`) } : { quota: read(`/sys/fs/cgroup${group}/cpu.max`).split(" ")[0]!, weight: read(`/sys/fs/cgroup${group}/cpu.weight`) };
}

test("what is not possible is refused with the HMC's words and changes nothing", async () => {
  const cases: [string, RegExp][] = [
    ["-r mem -o a -q 100", /^OLPM-L01 .* multiple of the logical memory block size of 256 MB/],
    ["-r mem -o a -q 768", /^OLPM-L02 The memory would be 1280 MB, above the partition's maximum of 1024 MB/],
    ["-r mem -o r -q 512", /^OLPM-L03 The memory would be 0 MB, below the partition's minimum of 256 MB/],
    ["-r mem -o a", /parameter is -q\./],
    ["-r mem -o s -a mem_weight=3", /mem_weight is not supported/],
    ["-r proc -o a --procs 2", /^OLPM-L02 The number of processors would be 3/],
    ["-r proc -o r --procs 1", /^OLPM-L03 /],
    ["-r proc -o a --procunits 0.75", /^OLPM-L02 The processing units would be 1.25/],
    ["-r proc -o a --procunits x", /parameter is --procunits\./],
    ["-r proc -o s -a sharing_mode=keep_idle_procs", /not for a partition with shared processors/],
  ];
  for (const [rest, expected] of cases) {
    const { code, stdout, stderr } = await chhwres("ms01", rest);
    assert.deepEqual([code, stdout], [1, ""], rest);
    assert.match(stderr, expected, rest);
  }
  assert.match((await lab.operator.run("chhwres -r mem -m ms01 -o a -p vios1 -q 256")).stderr, /Virtual I\/O Server vios1 can not be changed/);
  assert.match((await lab.operator.run("chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -s 5 -a ieee_virtual_eth=0,port_vlan_id=1")).stderr, /^Virtual adapters of partition db01 can not be changed while it runs on this platform/);
  await assertHas("ms01", 512, 1, 1);
});

test("memory is taken down to the minimum, also what the partition was started with, and comes again", async () => {
  await changes("ms01", "-r mem -o r -q 256");
  await assertHas("ms01", 256, 1, 1);
  await changes("ms01", "-r mem -o s -q 512");
  await assertHas("ms01", 512, 1, 1);
});

test("a processor is added under load and moves with the partition, is given back on the destination, and comes again on the source", async () => {
  await changes("ms01", "-r proc -o a --procs 1");
  await assertHas("ms01", 512, 2, 2);
  await migrate("ms01", "ms02");
  await assertHas("ms02", 512, 2, 2);
  await changes("ms02", "-r proc -o r --procs 1");
  // Without KVM the core stays with the machine, offline.
  await assertHas("ms02", 512, 1, 2);
  await migrate("ms02", "ms01");
  await assertHas("ms01", 512, 1, 2);
  await changes("ms01", "-r proc -o a --procs 1 --procunits 0.25");
  await assertHas("ms01", 512, 2, 2);
});

test("sharing mode, weight and units are what the host's processor group enforces, also after a move", async () => {
  const was = await limits("ms01");
  assert.match(was.quota, /^(-1|max)$/);
  await changes("ms01", '-r proc -o s -a "sharing_mode=uncap,uncap_weight=200"');
  assert.ok(Number((await limits("ms01")).weight) > Number(was.weight));
  await changes("ms01", "-r proc -o s -a sharing_mode=cap");
  assert.equal((await limits("ms01")).quota, "75000");
  await migrate("ms01", "ms02");
  assert.equal((await limits("ms02")).quota, "75000");
  await changes("ms02", "-r proc -o a --procunits 0.25");
  assert.equal((await limits("ms02")).quota, "100000");
  await changes("ms02", '-r proc -o s -a "sharing_mode=uncap,uncap_weight=128"');
  assert.deepEqual(await limits("ms02"), was);
});

test("memory that was added moves with what is written to it, is given back on the destination, and the host has it then", async () => {
  await changes("ms02", "-r mem -o a -q 512");
  await assertHas("ms02", 1024, 2, 2);
  // More than the partition was started with.
  assert.equal(await compute("ms02", FILL), "");
  await detached("ms02", REWRITE);
  await migrate("ms02", "ms01");
  await assertHas("ms01", 1024, 2, 2);
  await changes("ms01", "-r mem -o r -q 256");
  await assertHas("ms01", 768, 2, 2);
  assert.equal(await compute("ms01", COMPARE), "");
  await detached("ms01", REWRITE);
  await migrate("ms01", "ms02");
  await assertHas("ms02", 768, 2, 2);
  await changes("ms02", "-r mem -o a -q 256");
  await assertHas("ms02", 1024, 2, 2);
  assert.equal(await compute("ms02", COMPARE), "");
  await inside("ms02", "umount /run/files");
  const before = await residentMb("ms02");
  await changes("ms02", "-r mem -o s -q 512");
  await assertHas("ms02", 512, 2, 2);
  const after = await residentMb("ms02");
  assert.ok(before - after > 300, `of ${before} MB the host has ${before - after} MB back`);
  assert.ok([undefined, 512 + 1536].includes(await memoryLimitMb("ms02")));
  await changes("ms02", "-r mem -o s -q 1024");
  await assertHas("ms02", 1024, 2, 2);
  assert.ok([undefined, 1024 + 1536].includes(await memoryLimitMb("ms02")));
});

test("no more memory is given than the system has", async () => {
  const attributes = "name=filler,profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=512,max_mem=1024,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=1,min_proc_units=0.1,desired_proc_units=0.1,max_proc_units=1.0,sharing_mode=cap,uncap_weight=0";
  await lab.operator.quiet(`mksyscfg -r lpar -m ms02 -i "${attributes}"`);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o on -n filler -f p");
  const { code, stderr } = await lab.operator.run("chhwres -r mem -m ms02 -o a -p filler -q 256 --force");
  assert.equal(code, 1);
  assert.match(stderr, /^HSCL03EC There is not enough memory available: 768 MB are needed, 512 MB are available/);
  const silent = await lab.operator.run("chhwres -r proc -m ms02 -o a -p filler --procs 1");
  assert.match(silent.stderr, /^OLPM-L02 /);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o shutdown -n filler --immed");
  await lab.operator.quiet("rmsyscfg -r lpar -m ms02 -n filler");
});

test("what it has survives the managed system's process, is there after a restart, and of a partition that is off the current configuration changes", async () => {
  const { stopService, startSystem, serviceProcess } = await import("../src/lab/services.js");
  const system = lab.system("ms02");
  process.kill(serviceProcess(system.runDir)!.pid, "SIGKILL");
  await stopService(system.runDir);
  await startSystem(lab.lab, system, lab.lab.environment);
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F state,rmc_state", "Running,active", 30_000);
  await assertHas("ms02", 1024, 2, 2);
  await changes("ms02", "-r mem -o r -q 256");
  await changes("ms02", "-r proc -o r --procs 1");
  await assertHas("ms02", 768, 1, 2);
  await lab.check("db01", "ms02");
  const { partition } = lab.client("db01");
  await lab.finish("db01");
  // An operating system that starts anew in the same machine begins with 512 MB again.
  const pid = lab.pid("ms02", path.basename(await runDir("ms02")));
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o osshutdown -n db01 --restart");
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F rmc_state", "inactive", 60_000);
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F rmc_state", "active", 60_000);
  await until(async () => (Number(await inside("ms02", "awk '/MemTotal/ {print $2}' /proc/meminfo")) > 512 * 1024 ? true : undefined), { what: "the memory beyond the boot memory", deadlineMs: 30_000, everyMs: 500 });
  await assertHas("ms02", 768, 1, 2);
  assert.equal(lab.pid("ms02", path.basename(await runDir("ms02"))), pid);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o shutdown -n db01 --immed --restart");
  await databaseAnswers(lab.lab.lan.namespace, partition.address, 120_000);
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F rmc_state", "active", 60_000);
  await assertHas("ms02", 768, 1, 1);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o shutdown -n db01 --immed");
  await changes("ms02", "-r mem -o a -q 256");
  assert.equal(await lab.operator.quiet("lshwres -r mem -m ms02 --level lpar --filter lpar_names=db01 -F curr_mem,run_mem"), "1024,0\n");
  await until(async () => ((await lab.operator.quiet("lshwres -r mem -m ms02 --level sys -F curr_avail_sys_mem")) === "1536\n" ? true : undefined), { what: "the memory to be free", deadlineMs: 5_000 });
});
