/**
 * One outgoing migration of one QEMU (contract.ts says what callers may rely on). States of QEMU 7.2 in order: setup, active, pre-switchover,
 * device, completed; or cancelling, cancelled, failed. In `device` QEMU writes under its big lock: when nobody reads, it answers no QMP.
 */
import fs from "node:fs";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { abortError, delay, until } from "../../kit/wait.js";
import type { MigrationProgress } from "../../model/migration.js";
import { QmpClient } from "../../qmp/client.js";
import { MigrationNews } from "../../qmp/migration-news.js";
import { connectUnix } from "../../wire/transport.js";
import type { OutgoingMigration } from "./contract.js";
import { sockets } from "./arguments.js";

/** Events tell first; the poll is for an event that was missed while this process was restarted. */
const POLL_MS = 500;
/** A status query that takes longer than this means that QEMU is blocked in a write. */
const BLOCKED_MS = 2_000;
const END_MS_MAX = 30_000;

const over = (status: string) => ["failed", "cancelled", "cancelling", "none"].includes(status);

export class QemuOutgoing implements OutgoingMigration {
  readonly channelSocket: string;
  readonly #qmp: QmpClient;
  readonly #dir: string;
  readonly #log: Logger;
  #last: { readonly at: number; readonly bytes: number; readonly rate: number } | undefined;
  #stoppedAt: number | undefined;
  #atSwitchover = false;
  #closed = false;

  constructor(qmp: QmpClient, dir: string, log: Logger) {
    this.#qmp = qmp;
    this.#dir = dir;
    this.#log = log;
    this.channelSocket = sockets(dir).hand;
    qmp.onEvent(({ event, at }) => {
      // By QEMU's own word: what this process was late to hear it, the partition stood still too.
      if (event === "STOP") this.#stoppedAt = performance.now() - Math.max(0, Date.now() - at);
    });
  }

  async sample(): Promise<MigrationProgress & { readonly status: string }> {
    const info = (await this.#qmp.execute("query-migrate")) as QueryMigrate;
    const at = performance.now();
    const bytes = info.ram?.transferred ?? 0;
    if (!this.#last || at - this.#last.at >= 900) this.#last = { at, bytes, rate: this.#last ? Math.max(0, ((bytes - this.#last.bytes) * 1000) / (at - this.#last.at)) : 0 };
    return { ...progressOf(info, this.#last.rate), status: info.status ?? "none" };
  }

  async allowStop(ms: number): Promise<void> {
    await this.#qmp.execute("migrate-set-parameters", { "downtime-limit": ms });
  }

  async begin(): Promise<void> {
    // The channel's descriptor belongs to the second monitor, so the command has to come over that one.
    const monitor = await QmpClient.connect(sockets(this.#dir).channelQmp);
    try {
      await monitor.execute("migrate", { uri: "fd:mig" });
    } finally {
      monitor.close();
    }
  }

  async reachSwitchover(signal: AbortSignal): Promise<{ readonly stoppedAt: number }> {
    const status = await this.#reach((one) => one === "pre-switchover" || one === "completed" || one === "device", signal);
    if (status !== "pre-switchover") throw new OlpmError("migration-failed", `QEMU did not wait before the switch-over (${status})`);
    this.#atSwitchover = true;
    return { stoppedAt: this.#stoppedAt ?? performance.now() };
  }

  async sendRest(signal: AbortSignal): Promise<void> {
    if (this.#atSwitchover || (await this.#status(END_MS_MAX)) === "pre-switchover") await this.#qmp.execute("migrate-continue", { state: "pre-switchover" });
    await this.#reach((one) => one === "completed", signal);
  }

  async resumeHere(): Promise<void> {
    const end = performance.now() + END_MS_MAX;
    for (;;) {
      const status = await this.#status(BLOCKED_MS).catch((error: unknown) => {
        if (toOlpmError(error, "").code === "timeout") return "blocked";
        throw error;
      });
      if (["failed", "cancelled", "none", "completed"].includes(status)) break;
      if (performance.now() > end) throw new OlpmError("timeout", `QEMU's migration did not end within ${END_MS_MAX} ms (${status})`);
      if (status === "blocked") await this.#control("drop");
      else if (status !== "cancelling") await this.#qmp.execute("migrate_cancel", {}, BLOCKED_MS).catch((error: unknown) => this.#log.debug({ err: error }, "cancel not answered"));
      await delay(10);
    }
    await until(
      async () => {
        const { status } = (await this.#qmp.execute("query-status")) as { status: string };
        if (status === "running") return true;
        if (status !== "finish-migrate") await this.#qmp.execute("cont");
        return undefined;
      },
      { what: "the partition to run on", deadlineMs: END_MS_MAX, everyMs: 10 },
    );
    await this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#control("quit").catch(() => undefined); // gone already
    fs.rmSync(`${this.#dir}/channel.json`, { force: true });
  }

  async #reach(wanted: (status: string) => boolean, signal: AbortSignal): Promise<string> {
    const news = new MigrationNews(this.#qmp);
    try {
      for (let told: string | undefined; ; told = await news.take(POLL_MS, signal)) {
        if (signal.aborted) throw abortError(signal);
        // Blocked is not over: whoever reads the channel decides how this goes on.
        const status =
          told ??
          (await this.#status(END_MS_MAX).catch((error: unknown) => {
            if (toOlpmError(error, "").code === "timeout") return "blocked";
            throw error;
          }));
        if (signal.aborted) throw abortError(signal);
        if (wanted(status)) return status;
        if (over(status) && status !== "none") throw new OlpmError("migration-failed", `QEMU ended the migration (${status})`, { hsc: "HSCLA2CF" });
      }
    } finally {
      news.close();
    }
  }

  async #status(deadlineMs: number): Promise<string> {
    return ((await this.#qmp.execute("query-migrate", {}, deadlineMs)) as QueryMigrate).status ?? "none";
  }

  async #control(word: "drop" | "quit"): Promise<void> {
    const path = sockets(this.#dir).control;
    if (!fs.existsSync(path)) return;
    const socket = await connectUnix(path);
    await new Promise<void>((resolve) => {
      socket.on("close", () => resolve()).on("error", () => resolve()).resume();
      socket.end(`${word}\n`);
    });
  }
}

interface QueryMigrate {
  readonly status?: string;
  readonly "cpu-throttle-percentage"?: number;
  readonly ram?: { readonly transferred: number; readonly remaining: number; readonly total: number; readonly "dirty-sync-count": number; readonly "dirty-pages-rate"?: number };
}

/** QEMU's numbers as ours; `rate` in bytes a second. Pure. */
export function progressOf(info: QueryMigrate, rate: number): MigrationProgress {
  const ram = info.ram;
  const remaining = ram?.remaining ?? 0;
  return {
    bytesSent: ram?.transferred ?? 0,
    bytesRemaining: remaining,
    bytesTotal: ram?.total ?? 0,
    rate: Math.round(rate),
    rounds: ram?.["dirty-sync-count"] ?? 0,
    dirtyPagesPerSecond: ram?.["dirty-pages-rate"] ?? 0,
    msRemainingEstimate: rate > 0 ? Math.round((remaining / rate) * 1000) : null,
    bytesOnLink: 0,
    throttlePercent: info["cpu-throttle-percentage"] ?? 0,
  };
}
