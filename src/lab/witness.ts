/**
 * Witnesses of a migration that ask nobody in the product: a client that writes over one TCP connection, pings, and the machine's own list of
 * processes. All run in the laboratory's LAN namespace or on the host.
 */
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { OlpmError } from "../kit/errors.js";
import { run, runAny } from "../kit/run.js";
import { until, within } from "../kit/wait.js";
import type { LoadReport } from "./load-client.js";

const inNamespace = (namespace: string, argv: readonly string[]): [string, ...string[]] => ["nsenter", `--net=/run/netns/${namespace}`, "--", ...argv];

/** Resolves when the partition's database answers on the LAN. @throws timeout */
export async function databaseAnswers(namespace: string, address: string, deadlineMs: number, signal?: AbortSignal): Promise<void> {
  await until(async () => ((await runAny(inNamespace(namespace, ["redis-cli", "-h", address, "ping"]), { deadlineMs: 3_000 }).catch(() => undefined))?.stdout.includes("PONG") ? true : undefined), {
    what: `the database at ${address}`,
    deadlineMs,
    everyMs: 250,
    signal,
  });
}

/** The client of load-client.ts in its own process. */
export class Writer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #last: LoadReport = { acknowledged: 0, longestWaitMs: 0, medianWaitMs: 0, connectionsLost: 0, error: null };

  constructor(options: { readonly namespace: string; readonly address: string; readonly key: string; readonly pauseMs: number }) {
    const program = path.join(import.meta.dirname, "load-client.js");
    const [file, ...argv] = inNamespace(options.namespace, [process.execPath, program, options.address, "6379", options.key, String(options.pauseMs)]);
    this.#child = spawn(file, argv, { stdio: ["pipe", "pipe", "inherit"] });
    this.#ended = new Promise((resolve) => this.#child.on("close", (code) => resolve(code ?? 1)));
    readline.createInterface({ input: this.#child.stdout! }).on("line", (line) => (this.#last = JSON.parse(line) as LoadReport));
  }

  /** what it said last, up to a quarter of a second old */
  get last(): LoadReport {
    return this.#last;
  }
  /** Waits for the next report that counts more writes than now: the connection works. */
  async progressed(deadlineMs = 30_000): Promise<LoadReport> {
    const before = this.#last.acknowledged;
    return until(
      () => {
        if (this.#last.error !== null) throw new OlpmError("peer-lost", `the client lost its connection: ${this.#last.error}`);
        return this.#last.acknowledged > before ? this.#last : undefined;
      },
      { what: "the client's next writes", deadlineMs, everyMs: 50 },
    );
  }
  /** Does `work` while nothing is written; its connection stays. `acknowledged`: writes until then, or a few more. */
  async paused<T>(work: (acknowledged: number) => Promise<T>): Promise<T> {
    const { acknowledged } = this.#last;
    this.#child.kill("SIGSTOP");
    try {
      return await work(acknowledged);
    } finally {
      this.#child.kill("SIGCONT");
    }
  }
  /** The last report of a client whose partition is gone. It would wait for its answer for a minute; its connection is broken for it. */
  async ended(): Promise<LoadReport> {
    this.#child.kill("SIGTERM");
    await within(this.#ended, 10_000, "the client's last report");
    return this.#last;
  }
  async finish(): Promise<LoadReport> {
    this.#child.stdin!.end();
    await within(this.#ended, 70_000, "the client's last report");
    return this.#last;
  }
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Pings every 20 ms until it is asked for the result. */
export class Pinger {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #text = "";

  constructor(options: { readonly namespace: string; readonly address: string }) {
    const [file, ...argv] = inNamespace(options.namespace, ["ping", "-q", "-n", "-i", "0.02", options.address]);
    this.#child = spawn(file, argv, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout!.on("data", (chunk: Buffer) => (this.#text += chunk.toString()));
    this.#ended = new Promise((resolve) => this.#child.on("close", () => resolve()));
  }
  async finish(): Promise<{ readonly sent: number; readonly lost: number }> {
    this.#child.kill("SIGINT");
    await within(this.#ended, 10_000, "ping's summary");
    const match = /(\d+) packets transmitted, (\d+) received/.exec(this.#text);
    if (!match) throw new OlpmError("internal", `ping printed no summary: ${this.#text.slice(-200)}`);
    return { sent: Number(match[1]), lost: Number(match[1]) - Number(match[2]) };
  }
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

export interface SeenProcess {
  readonly pid: number;
  /** inode of its network namespace, to tell on which system it runs */
  readonly netNamespace: string;
  /** true when its processors may run, as far as the host can tell: it is not stopped or a zombie */
  readonly alive: boolean;
}

/** QEMU processes of a partition on this machine, whoever started them. */
export function qemuProcesses(uuid: string): SeenProcess[] {
  const seen: SeenProcess[] = [];
  for (const name of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const words = fs.readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0");
      if (!/qemu-system/.test(words[0] ?? "") || !words.includes(uuid)) continue;
      const state = /\nState:\s+(\w)/.exec(fs.readFileSync(`/proc/${name}/status`, "latin1"))?.[1];
      seen.push({ pid: Number(name), netNamespace: fs.readlinkSync(`/proc/${name}/ns/net`), alive: state !== "Z" && state !== "X" });
    } catch {
      // ended while we looked
    }
  }
  return seen;
}

/** The namespace's identity as /proc shows it for a process inside it. */
export async function namespaceIdentity(namespace: string): Promise<string> {
  return (await run(inNamespace(namespace, ["readlink", "/proc/self/ns/net"]))).trim();
}
