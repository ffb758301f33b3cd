/**
 * A qemu-storage-daemon of a Virtual I/O Server: a child that holds iSCSI sessions and serves NBD exports at one socket. `exports.ts` tells it what to
 * serve. It is started with a death signal, so that it never outlives this process: an orphan with an open gate would be a second writer.
 *
 *   start -> running -> (quit) ended | (crash) `onLost`
 *
 * The NBD socket is made beside its final path and moved there by `publish`: a client that reconnects finds all exports or no server.
 */
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { until, within } from "../../kit/wait.js";
import { Monitor } from "./monitor.js";

export interface DaemonOptions {
  readonly nbdSocket: string;
  readonly log: Logger;
  /** called once when the daemon ends without being asked to */
  readonly onLost: () => void;
}

const START_MS_MAX = 10_000;
/** Flushing and logging out takes milliseconds while the SAN answers; a SAN that does not is not waited for. */
const QUIT_MS_MAX = 5_000;
const CALL_MS_MAX = 10_000;
/** What the daemon said last is kept for the log. */
const WORDS_MAX = 2_000;

export class StorageDaemon {
  readonly #options: DaemonOptions;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #monitor!: Monitor;
  #expectEnd = false;
  #published = false;
  #words = "";

  private constructor(options: DaemonOptions, child: ChildProcess) {
    this.#options = options;
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#words = (this.#words + text).slice(-WORDS_MAX)));
    this.#ended = new Promise((resolve) => {
      child.once("error", () => resolve());
      child.once("exit", (code, signal) => {
        resolve();
        if (this.#expectEnd) return;
        options.log.error({ socket: options.nbdSocket, code, signal, words: this.#words }, "the storage daemon ended without being asked to");
        options.onLost();
      });
    });
  }

  /** Starts the daemon; it serves nothing yet. @throws OlpmError storage-failed with its words */
  static async start(options: DaemonOptions): Promise<StorageDaemon> {
    const monitorPath = options.nbdSocket.replace(/(\.sock)?$/, ".qmp");
    fs.rmSync(monitorPath, { force: true });
    fs.rmSync(unpublished(options.nbdSocket), { force: true });
    const words = ["--pdeathsig", "KILL", "--", "qemu-storage-daemon", "--chardev", `socket,id=monitor,path=${optionText(monitorPath)},server=on,wait=off`, "--monitor", "chardev=monitor", "--nbd-server", `addr.type=unix,addr.path=${optionText(unpublished(options.nbdSocket))}`];
    const daemon = new StorageDaemon(options, spawn("setpriv", words, { stdio: ["ignore", "ignore", "pipe"] }));
    daemon.#expectEnd = true; // an end during the start is told by the error below
    try {
      await until(() => (fs.existsSync(monitorPath) && fs.existsSync(unpublished(options.nbdSocket))) || daemon.#child.exitCode !== null || undefined, { what: "start of the storage daemon", deadlineMs: START_MS_MAX, everyMs: 10 });
      daemon.#monitor = await Monitor.connect(monitorPath);
      daemon.#expectEnd = false;
      return daemon;
    } catch (cause) {
      daemon.kill();
      throw new OlpmError("storage-failed", `qemu-storage-daemon did not start: ${daemon.#words.trim()}`, { cause });
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  call(command: string, args: Readonly<Record<string, unknown>> = {}, deadlineMs = CALL_MS_MAX): Promise<unknown> {
    return this.#monitor.call(command, args, deadlineMs);
  }

  /** From here on clients of this account can connect. Again: of this account only, from here on. */
  publish({ uid, gid }: { readonly uid: number; readonly gid: number }): void {
    const { nbdSocket } = this.#options;
    const at = this.#published ? nbdSocket : unpublished(nbdSocket);
    fs.chmodSync(at, 0o600);
    fs.chownSync(at, uid, gid);
    if (!this.#published) fs.renameSync(at, nbdSocket);
    this.#published = true;
  }

  /** Closes exports, flushes, logs out; killed when that does not end in time. May be called twice. */
  async quit(): Promise<void> {
    this.#expectEnd = true;
    for (const at of [this.#options.nbdSocket, unpublished(this.#options.nbdSocket)]) fs.rmSync(at, { force: true });
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await this.#monitor.call("quit", {}, QUIT_MS_MAX).catch(() => undefined);
      await within(this.#ended, QUIT_MS_MAX, "end of the storage daemon").catch((error: unknown) => {
        this.#options.log.warn({ err: error }, "the storage daemon is killed");
        this.kill();
      });
    }
    this.#monitor.close();
  }

  kill(): void {
    this.#expectEnd = true;
    this.#child.kill("SIGKILL");
  }
}

const unpublished = (nbdSocket: string): string => `${nbdSocket}.new`;
/** A comma ends a value in QEMU's option syntax unless doubled. */
const optionText = (text: string): string => text.replaceAll(",", ",,");
