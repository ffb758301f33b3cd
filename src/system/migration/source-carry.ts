/**
 * The copy and the hand-over, which the source carries by itself; the function `carry` reads as the story. Before the release every failure ends with the partition
 * running here; source-released.ts has what comes after it. Called by source.ts.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import { delay } from "../../kit/wait.js";
import type { LparId } from "../../model/ids.js";
import { hasSecondPair, type MigrationRecord } from "../../model/migration.js";
import { copyFailure, stopAllowedMs, watchCopy, type CopyWatch } from "../../mobility/convergence.js";
import type { Hypervisor } from "../contract.js";
import type { OutgoingMigration } from "../qemu/contract.js";
import { sendConsoleLog, type SentLog } from "./console-log.js";
import type { MigrationParts } from "./index.js";
import type { PeerEndpoint } from "./peer.js";
import type { Records } from "./records.js";
import { processState } from "./source-facts.js";
import { changePairs } from "./source-pair.js";
import type { AfterRelease } from "./source-released.js";
import type { RunningMigrations } from "./source-running.js";
import { assertMover, endedHere, firstWordFailed, losePair, NOTHING_MOVED, STALL_MS_MAX, watchNeeds, type SourceContext } from "./source-watch.js";

/** When the record's progress is brought up to date first, so that short copies show numbers too, and how often then: each time is a durable change that consoles hear of. */
const FIRST_PROGRESS_MS = 150;
const PROGRESS_MS = 400;

export class Carrier {
  readonly #context: SourceContext;
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #running: RunningMigrations;
  readonly #parts: MigrationParts;
  readonly #released: AfterRelease;

  constructor(context: SourceContext, parts: MigrationParts, released: AfterRelease) {
    this.#context = context;
    this.#hypervisor = context.hypervisor;
    this.#records = context.records;
    this.#running = context.running;
    this.#parts = parts;
    this.#released = released;
  }

  async carry(id: string, endpoint: PeerEndpoint): Promise<void> {
    const { record } = this.#records.get(id);
    const log = this.#hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
    const running = this.#running.of(id);
    let sent: SentLog | undefined;
    let stoppedAt: number;
    const peer = this.#parts.connect(endpoint, log);
    try {
      running.unwatch ??= watchNeeds(this.#context, record);
      sent = await sendConsoleLog(this.#parts.logs, peer.client, id, this.#hypervisor.view(record.source.lparId).runtime.consoleLog, running.abort.signal).catch((thrown: unknown) => Promise.reject(firstWordFailed(record, thrown)));
      if (running.abort.signal.aborted) throw running.abort.signal.reason;
      this.#records.enter(id, "copy");
      stoppedAt = await this.#copyAndRelease(id).catch(async (thrown: unknown) => {
        const lost = running.pairLost.signal;
        if (!lost.aborted || running.abort.signal.aborted || !hasSecondPair(this.#records.get(id).record)) throw thrown;
        await changePairs(this.#context, this.#released, id, peer, toOlpmError(lost.reason, "carrying the state"));
        return this.#copyAndRelease(id);
      });
      log.info({ stoppedForMs: Math.round(this.#hypervisor.clock.now() - stoppedAt) }, "partition handed over to the destination");
    } catch (thrown) {
      const error = await this.#causeOf(record, thrown);
      log.warn({ err: error }, "migration failed before the hand-over; the partition runs on here");
      peer.close();
      this.#records.failing(id, error);
      await this.#released.runHere(record, running.outgoing);
      return;
    } finally {
      running.unwatch?.();
    }
    await this.#hypervisor.hold("handOver");
    await this.#released.decide(id, running.outgoing, peer, sent, stoppedAt);
  }

  /** Through the pair that the record names. Resolves when the partition is given away, with the time at which it stopped. @throws OlpmError why not: it is this side's */
  async #copyAndRelease(id: string): Promise<number> {
    const { record } = this.#records.get(id);
    const { lparId } = record.source;
    const running = this.#running.of(id);
    const { outgoing } = running;
    if (!outgoing) throw new OlpmError("wrong-state", "the mover must be opened before the copy begins");
    const signal = AbortSignal.any([running.abort.signal, running.pairLost.signal]);
    await assertMover(this.#hypervisor, record, signal).catch((thrown: unknown) => {
      if (!signal.aborted) losePair(running, record, toOlpmError(thrown, "looking at the mover"));
      throw thrown;
    });
    if (signal.aborted) throw signal.reason;
    await outgoing.begin();
    const { stoppedAt } = await this.#copy(id, outgoing, signal);
    // The partition stands still: the gates close while the phase is written.
    const closing = this.#hypervisor.setGates(lparId, "closed");
    closing.catch(() => undefined); // awaited below
    this.#records.enter(id, "suspend");
    await closing;
    await this.#hypervisor.hold("suspend");
    if (signal.aborted) throw signal.reason;
    this.#release(id, lparId);
    return stoppedAt;
  }

  /** What ended the copy: the loss of QEMU's monitor is seen a moment before its end. */
  async #causeOf(record: MigrationRecord, thrown: unknown): Promise<OlpmError> {
    const error = toOlpmError(thrown, "copying the partition");
    const gone = error.code === "peer-lost" && ["none", "unknown"].includes(await processState(this.#hypervisor.process(record.source.lparId)));
    return gone ? endedHere(this.#hypervisor) : error;
  }

  /** An inactive migration has no state to copy: the partition is given away at once, by the same record (lpm-process 3.2, I6). */
  async carryStopped(id: string, endpoint: PeerEndpoint): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.source;
    const log = this.#hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
    const { signal } = this.#running.of(id).abort;
    const peer = this.#parts.connect(endpoint, log);
    let sent: SentLog | undefined;
    try {
      sent = await sendConsoleLog(this.#parts.logs, peer.client, id, this.#hypervisor.view(lparId).runtime.consoleLog, signal).catch((thrown: unknown) => Promise.reject(firstWordFailed(record, thrown)));
      if (signal.aborted) throw signal.reason;
      invariant(!this.#hypervisor.process(lparId), "a partition that moves while it is not activated has no process");
      this.#release(id, lparId);
      log.info("partition handed over to the destination");
    } catch (thrown) {
      peer.close();
      this.#records.failing(id, toOlpmError(thrown, "handing the partition over"));
      return;
    }
    await this.#released.decide(id, undefined, peer, sent, this.#hypervisor.clock.now());
  }

  /** Copies until the partition is stopped and flushed, keeping the record's progress fresh. @throws migration-failed when the copy does not come to its end */
  async #copy(id: string, outgoing: OutgoingMigration, signal: AbortSignal): Promise<{ readonly stoppedAt: number }> {
    const over = new AbortController();
    const hopeless = new AbortController();
    void this.#follow(id, outgoing, over.signal, (error) => hopeless.abort(error)).catch(() => undefined); // it ends by `over`
    try {
      return await outgoing.reachSwitchover(AbortSignal.any([signal, hopeless.signal]));
    } finally {
      over.abort(); // a sample that is under way is not waited for: the partition stands still
    }
  }

  /** Samples the copy: for people, and to see whether it comes to its end (mobility/convergence.ts). */
  async #follow(id: string, outgoing: OutgoingMigration, over: AbortSignal, giveUp: (error: OlpmError) => void): Promise<void> {
    let watch: CopyWatch | undefined;
    // The movers tell of a stall too; one that is gone tells of nothing.
    let moved = { bytes: -1, at: this.#hypervisor.clock.now() };
    const policy = this.#hypervisor.config.migration;
    let allowedMs = stopAllowedMs(1, policy);
    for (let afterMs = FIRST_PROGRESS_MS; ; afterMs = PROGRESS_MS) {
      await delay(afterMs, over, this.#hypervisor.clock);
      const sample = await outgoing.sample().catch(() => undefined); // QEMU is busy; the copy's own outcome comes from reachSwitchover
      if (!sample || over.aborted) continue;
      const { status, ...progress } = sample;
      this.#records.progress(id, { ...progress, bytesOnLink: this.#running.of(id).bytesOnLink });
      const now = this.#hypervisor.clock.now();
      if (progress.bytesSent !== moved.bytes || (status !== "active" && status !== "setup")) moved = { bytes: progress.bytesSent, at: now };
      else if (now - moved.at > STALL_MS_MAX) return losePair(this.#running.of(id), this.#records.get(id).record, NOTHING_MOVED());
      if (status !== "active") continue;
      const allowMs = stopAllowedMs(progress.rounds, policy);
      if (allowMs !== allowedMs) await outgoing.allowStop(allowMs).then(() => (allowedMs = allowMs), () => undefined); // as with a sample; the next one tries again
      const next = watchCopy(watch, { at: now, ...progress }, policy);
      watch = next.watch;
      if (next.verdict.kind === "goesOn") continue;
      const { message, action } = copyFailure(this.#records.get(id).record.lparName, next.verdict, progress.rate);
      return giveUp(new OlpmError("migration-failed", message, { hsc: "OLPM-M01", action, retryable: true }));
    }
  }

  /** The point of no return: one durable step, while the partition is stopped and its storage is closed here. */
  #release(id: string, lparId: LparId): void {
    this.#hypervisor.store.transaction(() => {
      const { record } = this.#records.get(id);
      invariant(record.endedAt === null && record.status === "running" && this.#hypervisor.row(lparId).migrationId === id, "only a migration that goes on gives a partition away");
      this.#hypervisor.own(lparId, { type: "release", migrationId: id });
      this.#records.change(id, (record) => this.#records.entered(record, "handOver"));
    });
  }
}
