/**
 * After the release: the source sends the rest, tells the destination and waits for its word, for as long as it takes. It never guesses; the partition runs here
 * again only when it was declined. Called by source-carry.ts, and by source.ts after a restart.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import type { Logger } from "../../kit/log.js";
import { delay } from "../../kit/wait.js";
import type { MigrationRecord } from "../../model/migration.js";
import type { HandoverOutcome } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import { assertNotHeldBack } from "../held-back.js";
import type { OutgoingMigration } from "../qemu/contract.js";
import { tailOf, type SentLog } from "./console-log.js";
import type { MigrationParts } from "./index.js";
import type { Peer } from "./peer.js";
import type { Records } from "./records.js";
import type { RunningMigrations } from "./source-running.js";
import type { SourceContext } from "./source-watch.js";

/** Between two questions to a destination that does not answer after the hand-over. */
const ASK_AGAIN_MS = 1_000;
/** Between two tries to let an owner's partition run on. */
const RUN_AGAIN_MS = 1_000;
/** Numbers are worth no longer wait. */
const COUNT_MS_MAX = 1_000;

export class AfterRelease {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #running: RunningMigrations;
  readonly #parts: MigrationParts;

  constructor(context: SourceContext, parts: MigrationParts) {
    this.#hypervisor = context.hypervisor;
    this.#records = context.records;
    this.#running = context.running;
    this.#parts = parts;
  }

  /** Sends the rest, tells the destination, and waits for its word; closes `peer`. Whatever happens here, the partition does not run here unless it was declined. */
  async decide(id: string, outgoing: OutgoingMigration | undefined, peer: Peer, sent: SentLog | undefined, stoppedAt: number): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.source;
    const log = this.#hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
    const rest = new AbortController();
    // A failure of the rest is the destination's to see and to decide on; here it is only news.
    const sending = outgoing?.sendRest(rest.signal).catch((error: unknown) => log.warn({ err: error }, "sending the rest of the state failed; waiting for the destination's decision"));
    try {
      const answer = await this.#askUntilDecided(id, peer, sent, stoppedAt, log);
      log.info({ outcome: answer.outcome, stoppedMs: answer.stoppedMs }, "the destination has decided");
      if (answer.outcome === "owned") {
        this.#hypervisor.store.transaction(() => {
          this.#hypervisor.own(lparId, { type: "learn-owned", migrationId: id });
          this.#records.change(id, (now) => this.#records.entered({ ...now, status: "running", stoppedMs: answer.stoppedMs }, "confirm"));
        });
        rest.abort();
        await this.#finalCount(id, outgoing);
        await outgoing?.close();
        await this.#hypervisor.endProcess(lparId).catch((error: unknown) => log.error({ err: error }, "the source's process could not be ended yet; the clean-up tries again"));
      } else {
        const alone = answer.outcome === "alone";
        const error = alone
          ? new OlpmError("migration-failed", "An operator declared the destination lost; the partition is the source's again and is not activated.", { hsc: "HSCLA2CF", action: "Activate it with chsysstate -r lpar -o on: its memory here may be older than its disks." })
          : new OlpmError("migration-failed", `The destination declined the partition: ${answer.reason}.`, { hsc: "HSCLA2CF", action: "Repair that, then try again.", retryable: true });
        this.#hypervisor.store.transaction(() => {
          this.#hypervisor.own(lparId, { type: "learn-declined", migrationId: id }, (row) => (alone ? { ...row, power: "off" } : row));
          this.#records.put({ ...this.#records.get(id), outcome: alone ? "alone" : null });
          // The record steps back before the hand-over: this side owns the partition again.
          this.#records.change(id, (now) => ({ ...now, phase: "copy" }));
          this.#records.failing(id, error);
        });
        rest.abort();
        // The destination may have run it: what stands still here must not write to disks that have gone on.
        if (alone) await this.#hypervisor.endProcess(lparId);
        else await this.runHere(record, outgoing);
      }
    } catch (thrown) {
      log.error({ err: thrown }, "the end of the hand-over failed here");
      this.#records.change(id, (now) => ({ ...now, status: "undecided", error: now.error ?? { code: "undecided", message: toOlpmError(thrown, "ending the hand-over").message, hsc: null, action: null, reportedBy: null } }));
    } finally {
      peer.close();
      await sending;
    }
  }

  /** The last numbers, for the record; a mover or a QEMU that is gone takes its own with it. */
  async #finalCount(id: string, outgoing: OutgoingMigration | undefined): Promise<void> {
    const { record } = this.#records.get(id);
    const msp = this.#hypervisor.vioses().find((vios) => vios.lparId === record.source.mspLparId);
    const movers = await msp?.client.call("vios.status", {}, { deadlineMs: COUNT_MS_MAX }).catch(() => undefined);
    const sample = await outgoing?.sample().catch(() => undefined);
    const bytesOnLink = movers?.movers.find((mover) => mover.id === id)?.bytesOnLink ?? this.#running.of(id).bytesOnLink;
    const { status: _, ...progress } = sample ?? { ...record.progress, status: "" };
    this.#records.progress(id, { ...progress, bytesOnLink, bytesRemaining: 0, rate: 0, msRemainingEstimate: null });
  }

  async #askUntilDecided(id: string, peer: Peer, sent: SentLog | undefined, stoppedAt: number, log: Logger): Promise<{ outcome: Exclude<HandoverOutcome, "undecided"> | "alone"; stoppedMs: number | null; reason: string }> {
    const { record } = this.#records.get(id);
    const tail = tailOf(this.#parts.logs, this.#hypervisor.view(record.source.lparId).runtime.consoleLog, sent);
    for (let attempt = 1; ; attempt++) {
      if (this.#running.of(id).alone) return { outcome: "alone", stoppedMs: null, reason: "" };
      try {
        const stoppedForMs = this.#hypervisor.clock.now() - stoppedAt;
        const answer = await peer.client.call("handover.released", { id: record.id, generation: record.generation, stoppedForMs, consoleLogOffset: tail.offset, consoleLogTail: tail.data });
        if (answer.outcome !== "undecided") return { ...answer, outcome: answer.outcome };
      } catch (error) {
        log.warn({ err: error, attempt }, "the destination did not answer after the hand-over; asking again");
      }
      if (this.#records.get(id).record.status === "running" && attempt > 1) {
        this.#records.change(id, (now) => ({ ...now, status: "undecided" }));
      }
      await delay(ASK_AGAIN_MS, undefined, this.#hypervisor.clock);
    }
  }

  /**
   * Opens the LUNs here again and lets the partition run, for as long as that takes: the partition of an owner does not stand still. Only the owner may, and not by a
   * record that a backup brought back: the partition may have been handed over after it. @throws OlpmError wrong-state until a person has confirmed it
   */
  async runHere(record: MigrationRecord, outgoing: OutgoingMigration | undefined): Promise<void> {
    const { lparId } = record.source;
    for (;;) {
      const row = this.#hypervisor.row(lparId);
      invariant(row.ownership.kind === "owner", "only an owner lets a partition run");
      assertNotHeldBack(this.#hypervisor.store, row.definition);
      if (!this.#hypervisor.process(lparId)) {
        // It ended by itself meanwhile. While it was released that was nobody's business; now the operator has to see it.
        if (record.type === "active") this.#hypervisor.update(lparId, (row) => (row.power === "on" ? { ...row, power: "off", failed: true } : row));
        return;
      }
      try {
        await this.#hypervisor.setGates(lparId, "open");
        await outgoing?.resumeHere();
        return;
      } catch (error) {
        this.#hypervisor.log.error({ err: error, migration_id: record.id, lpar: record.lparName }, "the partition could not run on here yet; trying again");
        await delay(RUN_AGAIN_MS, undefined, this.#hypervisor.clock);
      }
    }
  }
}
