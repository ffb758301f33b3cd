/** A laboratory for a test file, built once, with partitions under observation (src/lab/subjects.ts); taken down it leaves nothing behind. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { run } from "../../src/kit/run.js";
import { until } from "../../src/kit/wait.js";
import { fast, slow } from "../../src/lab/faults.js";
import { downLab, labExists, upLab } from "../../src/lab/lab.js";
import { LabDescription } from "../../src/lab/plan.js";
import { Subjects } from "../../src/lab/subjects.js";
import { inNamespace } from "../../src/lab/wiring.js";

export class Fixture extends Subjects {
  static async up(name: string, description: Record<string, unknown> = {}): Promise<Fixture> {
    if (labExists(name)) await downLab({ name, say: () => undefined });
    return new Fixture(await upLab({ name, description: LabDescription.parse(description), say: () => undefined }));
  }
  async down(): Promise<void> {
    this.kill();
    await downLab({ name: this.lab.name, say: () => undefined });
    assert.deepEqual(fs.readdirSync("/run/netns").filter((entry) => entry.startsWith(`olpm-${this.lab.name}-`)), [], "namespaces left behind");
    assert.equal(fs.existsSync(this.lab.runDir), false, "run directory left behind");
    assert.equal(fs.existsSync(this.lab.stateDir), false, "state directory left behind");
  }

  /** One command to the partition's database. */
  async redis(name: string, ...words: string[]): Promise<string> {
    return (await run(inNamespace(this.lab.lan.namespace, "redis-cli", "-h", this.client(name).partition.address, ...words))).trim();
  }
  /** Process of a Virtual I/O Server (`v1`) or a partition (`p3`) by its pid file. */
  pid(system: string, dir: string): number {
    return (JSON.parse(fs.readFileSync(path.join(this.system(system).runDir, dir, "pid.json"), "utf8")) as { pid: number }).pid;
  }
  async lparId(name: string, system: string): Promise<number> {
    return Number((await this.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F lpar_id`)).trim());
  }

  /** Slows what a VIOS sends to the LAN, so that a copy lasts; undone by `fast`. */
  slow(system: string, vios: string, rate?: string): Promise<void> {
    return slow(this.vios(system, vios), rate);
  }
  fast(system: string, vios: string): Promise<void> {
    return fast(this.vios(system, vios));
  }

  /** Begins a migration, through the movers of these Virtual I/O Servers if they are named, and waits until its copy runs. */
  async beginCopy(name: string, from: string, to: string, vios?: string): Promise<{ readonly ended: Promise<{ code: number; stdout: string; stderr: string }>; readonly bytes: () => Promise<number> }> {
    const ended = this.operator.run(`migrlpar -o m -m ${from} -t ${to} -p ${name}${vios === undefined ? "" : ` -i "source_msp_name=${vios},dest_msp_name=${vios}"`}`);
    const bytes = async () => Number((await this.operator.run(`lslparmigr -r lpar -m ${from} --filter lpar_names=${name} -F bytes_transmitted`)).stdout.trim());
    await until(async () => ((await bytes()) > 1 << 20 ? true : undefined), { what: "the copy to run", deadlineMs: 30_000, everyMs: 50 });
    return { ended, bytes };
  }
}
