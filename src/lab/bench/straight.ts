/**
 * QEMU straight to QEMU, as the measure: the same partition (same arguments, kernel, image and memory content) on the same two hosts, with nothing of ours in between.
 * Driven over QMP. The destination runs by its own decision as soon as it can.
 */
import { randomBytes, randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { spawn } from "node:child_process";
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { run } from "../../kit/run.js";
import { until } from "../../kit/wait.js";
import { QmpClient } from "../../qmp/client.js";
import { sockets } from "../../system/qemu/arguments.js";
import { makePassable, type Account } from "../../system/qemu/confine.js";
import type { PartitionProcess, PartitionSpec, ProcessFactory } from "../../system/qemu/contract.js";
import { createProcessFactory } from "../../system/qemu/process.js";
import type { Lab } from "../lab.js";
import { fillLun } from "../partition.js";
import { inNamespace } from "../wiring.js";
import type { Census } from "./census.js";
import type { Link, Sample } from "./cases.js";

const PORT = 4499;
const MOVE_MS_MAX = 120_000;
const RATE_MAX = 2 ** 39;
const TAP = "straight0";
const EXPORT = "root";

/** As ours: the limits that decide when the copy ends (system/migration/source.ts). */
const DOWNTIME_MS_MAX = 300;
const CIPHER = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM";

interface Side {
  readonly namespace: string;
  readonly address: string;
}

export class Straight {
  readonly uuid = randomUUID();
  readonly #factory: ProcessFactory;
  readonly #sides: readonly [Side, Side];
  readonly #dir: string;
  readonly #like: PartitionSpec;
  #here: 0 | 1 = 0;
  #turn = 0;
  #process: PartitionProcess | undefined;

  private constructor(lab: Lab, like: PartitionSpec, log: Logger) {
    const [a, b] = lab.systems.map((system) => ({ namespace: system.namespace, address: system.lanAddress }));
    if (!a || !b) throw new OlpmError("invalid-argument", "two managed systems are needed");
    this.#sides = [a, b];
    this.#dir = path.join(lab.runDir, "q");
    this.#like = like;
    this.#factory = createProcessFactory({ nativeDir: lab.environment.nativeDir, log });
  }

  /** Starts the partition on the first host. `like`: the arguments of the partition that it is compared with. */
  static async start(lab: Lab, like: PartitionSpec, log: Logger): Promise<Straight> {
    const straight = new Straight(lab, like, log);
    const image = path.join(lab.stateDir, "straight.img");
    await fillLun(lab, image, { name: "straight", address: "10.9.0.250", files: [] });
    const account = like.account ?? { uid: 0, gid: 0 };
    makePassable(straight.#dir);
    const keys = path.join(straight.#dir, "keys.psk");
    fs.writeFileSync(keys, `qemu:${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
    fs.chownSync(keys, account.uid, account.gid);
    for (const side of straight.#sides) await run(inNamespace(side.namespace, "ip", "tuntap", "add", "dev", TAP, "mode", "tap", "user", String(account.uid)));
    await straight.#serveDisk(lab, image, account);
    straight.#process = await straight.#launch(false);
    await straight.#process.run();
    return straight;
  }

  get process(): PartitionProcess {
    if (!this.#process) throw new OlpmError("wrong-state", "not started");
    return this.#process;
  }

  /** Moves it to the other host; `beforeCopy` is awaited when all is ready. */
  async move(options: { readonly tls: boolean; readonly link: Link; readonly census: Census; readonly beforeCopy: () => Promise<unknown> }): Promise<Sample> {
    const there = this.#here === 0 ? 1 : 0;
    const destination = await this.#launch(true, there);
    const [from, to] = [await this.#monitor(this.process), await this.#monitor(destination)];
    try {
      for (const monitor of [from, to]) {
        await monitor.execute("migrate-set-capabilities", { capabilities: ["events", "pause-before-switchover", "auto-converge", "late-block-activate", "multifd", "postcopy-ram", "xbzrle", "return-path"].map((capability) => ({ capability, state: capability === "events" || (capability === "auto-converge" && monitor === from) })) });
        await monitor.execute("migrate-set-parameters", { "max-bandwidth": RATE_MAX, "downtime-limit": DOWNTIME_MS_MAX, "tls-creds": "" });
      }
      if (options.tls) {
        await this.#credentials(from, "client");
        await this.#credentials(to, "server");
      }
      await to.execute("migrate-incoming", { uri: `tcp:${this.#sides[there].address}:${PORT}` });
      await to.execute("cont"); // the state has not come yet: this makes it run by itself when it is there
      const seen = new Map<string, number>();
      from.onEvent(({ event, at }) => event === "STOP" && seen.set("stopped", at));
      to.onEvent(({ event, at }) => event === "RESUME" && seen.set("runs", at));
      await options.beforeCopy();
      const begunAt = Date.now();
      await from.execute("migrate", { uri: `tcp:${this.#sides[there].address}:${PORT}` });
      await until(
        async () => {
          if (seen.has("runs")) return true;
          const { status, "error-desc": why } = (await from.execute("query-migrate")) as { status?: string; "error-desc"?: string };
          if (status === "failed" || status === "cancelled") throw new OlpmError("migration-failed", `QEMU's own migration ended: ${status} ${why ?? ""}`);
          return undefined;
        },
        { what: "QEMU's own migration", deadlineMs: MOVE_MS_MAX, everyMs: 100 },
      );
      const { ram } = (await from.execute("query-migrate")) as { ram: { transferred: number; "dirty-sync-count": number } };
      const runsAt = seen.get("runs")!;
      const stoppedAt = seen.get("stopped") ?? runsAt;
      const cpuS = options.census.cpuS(["qemu"], begunAt, runsAt);
      await this.process.end();
      this.#process = destination;
      this.#here = there;
      return { way: options.tls ? "qemu-tls" : "qemu-plain", link: options.link, runsMs: runsAt - begunAt, stoppedMs: runsAt - stoppedAt, cpuS, rounds: ram["dirty-sync-count"], bytes: ram.transferred, around: null };
    } finally {
      from.close();
      to.close();
    }
  }

  /** The partition's processors stand still while others are measured. */
  async rest(): Promise<void> {
    await this.process.pause();
  }
  async wake(): Promise<void> {
    await this.process.run();
  }

  #launch(incoming: boolean, side: 0 | 1 = this.#here): Promise<PartitionProcess> {
    const dir = path.join(this.#dir, String(++this.#turn));
    const disks = this.#like.disks.map((disk) => ({ ...disk, nbdSocket: path.join(this.#dir, "nbd.sock"), exportName: EXPORT }));
    return this.#factory.start({ ...this.#like, name: "straight", uuid: this.uuid, dir, namespace: this.#sides[side].namespace, disks, nics: this.#like.nics.map((nic) => ({ ...nic, tap: TAP })), consoleLog: path.join(this.#dir, "console.log"), incoming });
  }
  /** The second monitor; the first one is the process's own. */
  #monitor(process: PartitionProcess): Promise<QmpClient> {
    return QmpClient.connect(sockets(process.spec.dir).channelQmp);
  }
  async #credentials(monitor: QmpClient, endpoint: "client" | "server"): Promise<void> {
    await monitor.execute("object-add", { "qom-type": "tls-creds-psk", id: `tls-${endpoint}`, dir: this.#dir, endpoint, priority: CIPHER });
    await monitor.execute("migrate-set-parameters", { "tls-creds": `tls-${endpoint}` });
  }
  /** One process gives the disk to both QEMUs, as a Virtual I/O Server gives it to ours. It ends with the laboratory's namespaces. */
  async #serveDisk(lab: Lab, image: string, account: Account): Promise<void> {
    const socket = path.join(this.#dir, "nbd.sock");
    const [program, ...argv] = inNamespace(lab.san.namespace, "qemu-storage-daemon", "--blockdev", `driver=file,node-name=file,filename=${image}`, "--blockdev", "driver=raw,node-name=disk,file=file", "--nbd-server", `addr.type=unix,addr.path=${socket}`, "--export", `type=nbd,id=nbd,node-name=disk,name=${EXPORT},writable=on`);
    spawn(program, argv, { stdio: "ignore", detached: true }).on("error", () => undefined).unref();
    await until(() => (fs.existsSync(socket) ? true : undefined), { what: "the disk's daemon", deadlineMs: 10_000, everyMs: 20 });
    fs.chownSync(socket, account.uid, account.gid);
  }
}
