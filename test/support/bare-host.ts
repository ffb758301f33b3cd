/**
 * Bare hosts and a LAN and SAN to join them, for the test of the guide: nothing here is the laboratory's but the array. A host is a set of namespaces with its own
 * files and its own systemd (bare-host.sh); ending its first process ends all of it.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { OlpmError } from "../../src/kit/errors.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../../src/kit/proc.js";
import { run, runAny, type RunResult } from "../../src/kit/run.js";
import { until } from "../../src/kit/wait.js";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const BOOT_MS_MAX = 30_000;
const PREFIX = "olpm-host-";

/** A network that is nobody's: a bridge in a namespace of its own. */
export class Fabric {
  readonly namespace: string;
  #ports = 0;
  constructor(namespace: string) {
    this.namespace = namespace;
  }
  async up(bridges: Readonly<Record<string, string | null>>): Promise<void> {
    await run(["ip", "netns", "add", this.namespace]);
    await run(["ip", "-n", this.namespace, "link", "set", "dev", "lo", "up"]);
    for (const [name, address] of Object.entries(bridges)) {
      await run(["ip", "-n", this.namespace, "link", "add", "name", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"]);
      if (address !== null) await run(["ip", "-n", this.namespace, "address", "add", address, "dev", name]);
      await run(["ip", "-n", this.namespace, "link", "set", "dev", name, "up"]);
    }
  }
  /** A cable from a bridge to an adapter `name` of a host. */
  async plug(bridge: string, host: BareHost, name: string): Promise<void> {
    const port = `port${++this.#ports}`;
    await run(["ip", "-n", this.namespace, "link", "add", "name", port, "type", "veth", "peer", "name", name, "netns", String(host.pid)]);
    await run(["ip", "-n", this.namespace, "link", "set", "dev", port, "master", bridge, "up"]);
  }
  async down(): Promise<void> {
    await runAny(["ip", "netns", "delete", this.namespace]);
  }
}

export class BareHost {
  readonly name: string;
  readonly #dir: string;
  readonly #group: string;
  readonly #init: ProcessIdentity;
  private constructor(name: string, dir: string, group: string, init: ProcessIdentity) {
    this.name = name;
    this.#dir = dir;
    this.#group = group;
    this.#init = init;
  }
  get pid(): number {
    return this.#init.pid;
  }

  /** Removes what hosts of a run that was killed have left: empty groups and directories. */
  static sweep(tag: string): void {
    const left = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`${PREFIX}${tag}-`) && !name.endsWith(".log"));
    for (const name of left) {
      if (!controllers().every((controller) => removeGroups(path.join(controller, name)))) continue;
      fs.rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
      fs.rmSync(path.join(os.tmpdir(), `${name}.log`), { force: true });
    }
  }

  /** `tag`: whose it is, for `sweep`. */
  static async boot(name: string, tag: string): Promise<BareHost> {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${tag}-${name}-`));
    const group = path.basename(dir);
    for (const controller of controllers()) fs.mkdirSync(path.join(controller, group));
    const log = fs.openSync(path.join(os.tmpdir(), `${group}.log`), "w", 0o600);
    // It joins its groups first, so that they are the root of its cgroup namespace, and it ends with this process, however that ends.
    const groups = controllers().map((controller) => path.join(controller, group, "cgroup.procs"));
    const enter = 'for group; do echo $$ > "$group"; done';
    const child = spawn("bash", ["-c", `script=$1 name=$2 dir=$3 product=$4; shift 4; ${enter}; exec setpriv --pdeathsig KILL -- unshare --mount --net --uts --pid --ipc --cgroup --fork --kill-child "$script" "$name" "$dir" "$product"`, "bash", path.join(ROOT, "test/support/bare-host.sh"), name, dir, ROOT, ...groups], { stdio: ["ignore", log, log] });
    fs.closeSync(log);
    const said = () => fs.readFileSync(path.join(os.tmpdir(), `${group}.log`), "utf8").trim();
    const init = await until(
      () => {
        if (child.exitCode !== null) throw new OlpmError("refused", `the host ${name} did not boot: ${said()}`);
        const first = childOf(child.pid!);
        return first === undefined ? undefined : identify(first);
      },
      { what: `the first process of ${name}`, deadlineMs: BOOT_MS_MAX, everyMs: 20 },
    );
    const host = new BareHost(name, dir, group, init);
    try {
      await until(async () => (/^(running|degraded)$/.test((await host.try("systemctl is-system-running")).stdout.trim()) ? true : undefined), { what: `the boot of ${name}: ${said()}`, deadlineMs: BOOT_MS_MAX, everyMs: 100 });
      await host.run(`hostname ${name}; ip link set dev lo up`);
      return host;
    } catch (error) {
      await host.destroy();
      throw error;
    }
  }

  enter(...argv: string[]): [string, ...string[]] {
    return ["nsenter", "-t", String(this.pid), "--mount", "--net", "--uts", "--pid", "--ipc", "--cgroup", "--", ...argv];
  }
  /** Runs a script with bash, as an administrator types it. */
  try(script: string, deadlineMs = 120_000): Promise<RunResult> {
    return runAny(this.enter("env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "bash", "--norc", "-euo", "pipefail", "-c", `cd ${ROOT}\n${script}`), { deadlineMs });
  }
  /** @throws Error with what it printed */
  async run(script: string, deadlineMs?: number): Promise<string> {
    const { code, stdout, stderr } = await this.try(script, deadlineMs);
    if (code !== 0) throw new Error(`on ${this.name}: status ${code}\n${script}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Like pulling the plug; nothing of it stays. */
  async destroy(): Promise<void> {
    if (isAlive(this.#init)) await killAndWait(this.#init);
    for (const controller of controllers()) await until(() => removeGroups(path.join(controller, this.#group)), { what: `the end of all processes of ${this.name}`, deadlineMs: 10_000, everyMs: 50 });
    fs.rmSync(this.#dir, { recursive: true, force: true });
    fs.rmSync(path.join(os.tmpdir(), `${this.#group}.log`), { force: true });
  }
}

/** Roots of the hierarchies that a host gets a group in. */
function controllers(): string[] {
  const v1 = ["systemd", "cpu", "memory", "pids"].map((name) => path.join("/sys/fs/cgroup", name)).filter((dir) => fs.existsSync(dir));
  return fs.existsSync("/sys/fs/cgroup/cgroup.controllers") ? ["/sys/fs/cgroup"] : v1;
}
function childOf(pid: number): number | undefined {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return text === "" ? undefined : Number(text.split(" ")[0]);
  } catch {
    return undefined;
  }
}
function removeGroups(dir: string): true | undefined {
  if (!fs.existsSync(dir)) return true;
  try {
    for (const entry of fs.readdirSync(dir, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(path.join(dir, entry.name));
    fs.rmdirSync(dir);
    return true;
  } catch {
    return undefined;
  }
}
