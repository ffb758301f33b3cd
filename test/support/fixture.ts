/**
 * A laboratory for a test file, with partitions that run, a client that writes to each over one TCP connection, and a checker that looks from the outside:
 * processes, interfaces, run directories, sockets, and the LUN's own bytes; it asks nobody in the product.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { run, runAny } from "../../src/kit/run.js";
import { until } from "../../src/kit/wait.js";
import { downLab, labExists, upLab, type Lab } from "../../src/lab/lab.js";
import { missingWrites } from "../../src/lab/lun-check.js";
import { Operator } from "../../src/lab/operator.js";
import { createPartition, type LabPartition, type PartitionOptions } from "../../src/lab/partition.js";
import { LabDescription } from "../../src/lab/plan.js";
import { inNamespace } from "../../src/lab/wiring.js";
import { databaseAnswers, namespaceIdentity, qemuProcesses, Writer } from "../../src/lab/witness.js";

const BOOT_MS_MAX = 240_000;
/** In the partition: refuses an event when the database holds `refuse-EVENT`. */
export const REFUSAL_SCRIPT = { path: "/etc/openlpm/mobility.d/10-test", mode: 0o755, content: '#!/bin/sh\nredis-cli set seen-$1 1 >/dev/null\nwhy=$(redis-cli get refuse-$1)\n[ -z "$why" ] || { echo "$why" >&2; exit 1; }\n' };

export interface Client {
  readonly partition: LabPartition;
  readonly writer: Writer;
  readonly key: string;
}

export class Fixture {
  readonly lab: Lab;
  readonly operator: Operator;
  readonly clients = new Map<string, Client>();
  private constructor(lab: Lab) {
    this.lab = lab;
    this.operator = new Operator(lab);
  }

  static async up(name: string, description: Record<string, unknown> = {}): Promise<Fixture> {
    if (labExists(name)) await downLab({ name, say: () => undefined });
    return new Fixture(await upLab({ name, description: LabDescription.parse(description), say: () => undefined }));
  }
  async down(): Promise<void> {
    for (const client of this.clients.values()) client.writer.kill();
    await downLab({ name: this.lab.name, say: () => undefined });
    assert.deepEqual(fs.readdirSync("/run/netns").filter((entry) => entry.startsWith(`olpm-${this.lab.name}-`)), [], "namespaces left behind");
    assert.equal(fs.existsSync(this.lab.runDir), false, "run directory left behind");
    assert.equal(fs.existsSync(this.lab.stateDir), false, "state directory left behind");
  }

  /** Makes a partition, waits until its database answers and its agent is active, and starts a client. */
  async partition(options: Omit<PartitionOptions, "say">): Promise<LabPartition> {
    const partition = await createPartition(this.lab, { files: [REFUSAL_SCRIPT], ...options, say: () => undefined });
    await databaseAnswers(this.lab.lan.namespace, partition.address, BOOT_MS_MAX);
    await this.operator.until(`lssyscfg -r lpar -m ${options.system} --filter lpar_names=${options.name} -F rmc_state`, "active", 60_000);
    const key = `writes-${options.name}`;
    const writer = new Writer({ namespace: this.lab.lan.namespace, address: partition.address, key, pauseMs: 3 });
    this.clients.set(options.name, { partition, writer, key });
    await writer.progressed();
    return partition;
  }
  client(name: string): Client {
    const client = this.clients.get(name);
    assert.ok(client, `no client of ${name}`);
    return client;
  }
  /** One command to the partition's database. */
  async redis(name: string, ...words: string[]): Promise<string> {
    return (await run(inNamespace(this.lab.lan.namespace, "redis-cli", "-h", this.client(name).partition.address, ...words))).trim();
  }
  system(name: string): Lab["systems"][number] {
    return this.lab.systems.find((one) => one.name === name)!;
  }
  vios(system: string, name: string): Lab["systems"][number]["vioses"][number] {
    return this.system(system).vioses.find((one) => one.name === name)!;
  }
  /** Process of a Virtual I/O Server (`v1`) or a partition (`p3`) by its pid file. */
  pid(system: string, dir: string): number {
    return (JSON.parse(fs.readFileSync(path.join(this.system(system).runDir, dir, "pid.json"), "utf8")) as { pid: number }).pid;
  }

  /** Slows what a VIOS sends to the LAN, so that a copy lasts; undone by `fast`. */
  async slow(system: string, vios: string, rate = "60mbit"): Promise<void> {
    await run(inNamespace(this.vios(system, vios).namespace, "tc", "qdisc", "replace", "dev", "lan0", "root", "tbf", "rate", rate, "burst", "256k", "latency", "400ms"));
  }
  async fast(system: string, vios: string): Promise<void> {
    await runAny(inNamespace(this.vios(system, vios).namespace, "tc", "qdisc", "delete", "dev", "lan0", "root"));
  }

  /** Begins a migration and waits until its copy runs. */
  async beginCopy(name: string, from: string, to: string): Promise<{ readonly ended: Promise<{ code: number; stdout: string; stderr: string }>; readonly bytes: () => Promise<number> }> {
    const ended = this.operator.run(`migrlpar -o m -m ${from} -t ${to} -p ${name}`);
    const bytes = async () => Number((await this.operator.run(`lslparmigr -r lpar -m ${from} --filter lpar_names=${name} -F bytes_transmitted`)).stdout.trim());
    await until(async () => ((await bytes()) > 1 << 20 ? true : undefined), { what: "the copy to run", deadlineMs: 30_000, everyMs: 50 });
    return { ended, bytes };
  }

  /** The partition runs on exactly one system, its client goes on, and nothing of it is on the others. */
  async check(name: string, on: string): Promise<void> {
    const { partition, writer } = this.client(name);
    const here = await namespaceIdentity(this.system(on).namespace);
    const processes = qemuProcesses(partition.uuid).filter((seen) => seen.alive);
    assert.deepEqual(processes.map((seen) => seen.netNamespace), [here], `${name} has exactly one process, on ${on}`);
    await writer.progressed();
    const id = await this.lparId(name, on);
    assert.equal(await this.#state(name, on), "Running");
    for (const system of this.lab.systems.filter((one) => one.name !== on)) {
      const listed = (await this.operator.quiet(`lssyscfg -r lpar -m ${system.name} -F name`)).split("\n");
      assert.ok(!listed.includes(name), `${system.name} does not list ${name}`);
      await this.#nothingLeft(system, partition.uuid);
    }
    for (const file of ["hold.sock", "hand.sock"]) assert.ok(!fs.existsSync(path.join(this.system(on).runDir, `p${id}`, file)), `${file} is left on ${on}`);
    for (const system of this.lab.systems) for (const vios of system.vioses) assert.deepEqual(await channelsIn(vios.namespace), [], `mover channels are left in ${system.name}/${vios.name}`);
  }

  /** No acknowledged write of the client is missing from the database's own file on the LUN. Ends the client. */
  async finish(name: string): Promise<void> {
    const { partition, writer, key } = this.client(name);
    const last = await writer.finish();
    this.clients.delete(name);
    assert.equal(last.error, null, "the client kept its connection");
    assert.ok(last.acknowledged > 0);
    assert.deepEqual(await missingWrites(partition.lunFile, key, last.acknowledged), []);
  }

  async lparId(name: string, system: string): Promise<number> {
    return Number((await this.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F lpar_id`)).trim());
  }
  async #state(name: string, system: string): Promise<string> {
    return (await this.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F state`)).trim();
  }

  /** No run directory, tap, group or NBD export of a partition that is elsewhere. */
  async #nothingLeft(system: Lab["systems"][number], uuid: string): Promise<void> {
    for (const entry of fs.readdirSync(system.runDir).filter((one) => /^p\d+$/.test(one))) {
      const spec = path.join(system.runDir, entry, "spec.json");
      assert.ok(!fs.existsSync(spec) || !fs.readFileSync(spec, "utf8").includes(uuid), `${system.name} has a run directory ${entry} of it`);
    }
    const links = (await run(inNamespace(system.namespace, "ip", "-br", "link"))).split("\n").map((line) => line.split(/[\s@]/)[0]!).filter((link) => /^t\d+s\d+$/.test(link));
    const running = fs.readdirSync(system.runDir).filter((one) => /^p\d+$/.test(one)).map((one) => `t${one.slice(1)}s`);
    assert.deepEqual(links.filter((link) => !running.some((prefix) => link.startsWith(prefix))), [], `taps are left on ${system.name}`);
  }
}

/** Processes of the channel program in a namespace. */
async function channelsIn(namespace: string): Promise<string[]> {
  const { stdout } = await runAny(["ip", "netns", "pids", namespace]);
  return stdout.split("\n").filter((pid) => pid !== "").filter((pid) => {
    try {
      return /\/mover$/.test(fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0")[0] ?? "");
    } catch {
      return false;
    }
  });
}
