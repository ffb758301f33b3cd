/**
 * What a managed system's process finds of partitions' processes after an earlier one was killed, with QEMU itself: with a pid file, without one, and one that does not answer.
 * What it finds of a whole laboratory is in test/recovery.test.ts.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { silentLogger } from "../src/kit/log.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../src/kit/proc.js";
import { chooseAccelerator } from "../src/system/qemu/accelerator.js";
import { makePassable } from "../src/system/qemu/confine.js";
import type { PartitionSpec } from "../src/system/qemu/contract.js";
import { createProcessFactory } from "../src/system/qemu/process.js";

const root = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-adopt-"));
makePassable(root);
const dir = path.join(root, "p3");
const image = { kernel: path.join(process.env["OPENLPM_IMAGE"] ?? "", "vmlinux"), initrd: path.join(process.env["OPENLPM_IMAGE"] ?? "", "initrd.gz") };
const factory = createProcessFactory({ nativeDir: process.env["OPENLPM_NATIVE"] ?? "", log: silentLogger });
const started: ProcessIdentity[] = [];
after(async () => {
  for (const one of started) await killAndWait(one);
  fs.rmSync(root, { recursive: true, force: true });
});

const spec = async (incoming: boolean): Promise<PartitionSpec> => ({
  ...{ lparId: 3, name: "db01", uuid: "5f0c1f7e-6f0b-4d0e-8a53-0e0d7c1e9a01", dir, namespace: null, accelerator: (await chooseAccelerator(image)).accelerator, compatMode: "default", ...image },
  ...{ memoryBytes: 256 << 20, osMemoryBytes: null, memoryDevices: [], maxMemoryBytes: 256 << 20, procs: 1, maxProcs: 1, limits: { units: null, weight: 128, memoryBytes: 256 << 20 }, bootMode: "norm", disks: [], nics: [], consoleLog: path.join(root, "console.log"), incoming },
});
/** A system's process starts the partition and is killed. */
async function orphan(how: { readonly incoming?: boolean; readonly run?: boolean }): Promise<ProcessIdentity> {
  const system = spawn(process.execPath, [path.join(import.meta.dirname, "support/start-partition.js"), JSON.stringify(await spec(how.incoming ?? false)), how.run ? "run" : ""], { stdio: ["ignore", "pipe", "inherit"] });
  const [pid] = (await once(system.stdout, "data")) as [Buffer];
  system.kill("SIGKILL");
  await once(system, "exit");
  const identity = identify(Number(String(pid)));
  assert.ok(identity);
  started.push(identity);
  return identity;
}

test("without a pid file: what never ran is ended, what runs is adopted and never started beside itself", async () => {
  for (const incoming of [false, true]) {
    const identity = await orphan({ incoming });
    fs.rmSync(path.join(dir, "pid.json"));
    assert.equal(await factory.adopt(dir), undefined);
    assert.equal(isAlive(identity), false);
    assert.equal(fs.existsSync(dir), false);
  }
  const identity = await orphan({ run: true });
  fs.writeFileSync(path.join(dir, "pid.json"), "{"); // cut short
  await assert.rejects(factory.start(await spec(false)), { message: `process ${identity.pid} has the run directory of partition db01 and lives` });
  const adopted = await factory.adopt(dir);
  assert.equal(adopted?.pid, identity.pid);
  assert.equal(await adopted.state(), "running");
  await adopted.end();
  assert.equal(isAlive(identity), false);
});

test("a process that does not answer is adopted, says nothing of itself, and is the same when it answers again", async () => {
  const identity = await orphan({ run: true });
  process.kill(identity.pid, "SIGSTOP");
  const begun = performance.now();
  const adopted = await factory.adopt(dir);
  assert.ok(performance.now() - begun < 1_000, "the adoption does not wait for it");
  assert.equal(adopted?.pid, identity.pid);
  await assert.rejects(adopted.state(), { code: "timeout" });
  process.kill(identity.pid, "SIGCONT");
  assert.equal(await adopted.state(), "running");
  await adopted.end();
});
