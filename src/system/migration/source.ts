/**
 * The source's side of a migration. After `start` this system carries the migration by itself:
 *
 *   copy -> suspend -> [released: durable] -> handOver -> resume -> gone
 *     |        |                                  |
 *     +--------+-- any failure: runs on here      +-- declined: runs on here with generation + 2
 *
 * The function `carry` reads as the story. Before the release every failure ends with the partition running here; after it this side does
 * nothing but send the rest and wait for the destination's word, for as long as it takes (design section 2, lpm-process 8.3).
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import type { Logger } from "../../kit/log.js";
import { abortError, delay, within } from "../../kit/wait.js";
import { lparCan } from "../../model/lpar-can.js";
import { NO_PROGRESS, type MigrationError, type MigrationRecord, type SourceFacts } from "../../model/migration.js";
import type { Ownership } from "../../model/ownership.js";
import type { LparDefinition, StorageMapping } from "../../model/lpar.js";
import type { Generation, LparId } from "../../model/ids.js";
import type { Params } from "../../wire/rpc.js";
import type { ConsoleSystem, GuestVerdict } from "../../wire/console-system.js";
import type { HandoverOutcome } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import { layoutOf } from "../dlpar-plan.js";
import { assertNotHeldBack } from "../held-back.js";
import type { OutgoingMigration, PartitionProcess } from "../qemu/contract.js";
import type { MigrationRow } from "../store.js";
import { copyFailure, watchCopy, type CopyWatch } from "../../mobility/convergence.js";
import { sendConsoleLog, tailOf, type SentLog } from "./console-log.js";
import { removeFc } from "./fibre-channel.js";
import { tellGuest } from "./guest.js";
import { parkProcessors } from "./processors.js";
import type { MigrationParts } from "./index.js";
import type { Peer, PeerEndpoint } from "./peer.js";
import { isHandedOver, isOpen, type Records } from "./records.js";

/** No limit of our own: the link decides (bytes a second). */
const RATE_MAX = 2 ** 39;
/** How often the record's progress is brought up to date. */
const PROGRESS_MS = 150;
/** Between two questions to a destination that does not answer after the hand-over. */
const ASK_AGAIN_MS = 1_000;

/** Between two tries to let an owner's partition run on. */
const RUN_AGAIN_MS = 1_000;
/** How long a recovery waits for the destination's word before it says how far it is. */
const LEARN_MS_MAX = 5_000;
/** A little more than the guest's scripts get (guest.ts). */
const GUEST_MS_MAX = 190_000;
/** The movers tell of themselves twice a second while they stream. */
const STALL_MS_MAX = 20_000;
/** Numbers are worth no longer wait. */
const COUNT_MS_MAX = 1_000;

const STOPPED = () => new OlpmError("aborted", "The migration was stopped by the user.", { hsc: "HSCLA2CF" });
const UNEXPECTED = (detail: string, action: string) => new OlpmError("migration-failed", `The partition migration has been stopped unexpectedly. ${detail}.`, { hsc: "HSCLA2CF", action, retryable: true });
const SEE_NETWORK = "Check the network between the mover service partitions and the destination's state, then try again.";
const NOTHING_MOVED = () => UNEXPECTED(`No byte moved between the hypervisors for ${STALL_MS_MAX / 1_000} s`, SEE_NETWORK);
const LOCKED = (name: string) => new OlpmError("conflict", `Partition ${name} is in another migration.`, { hsc: "OLPM-VG10", action: "Wait until it ends, stop it with migrlpar -o s, or recover it with migrlpar -o r." });

/** What lives only as long as this process; the durable part is the record. */
interface Running {
  readonly abort: AbortController;
  outgoing: OutgoingMigration | undefined;
  carrying: Promise<void> | undefined;
  bytesOnLink: number;
  /** ends the watch for what the migration can not do without, from the opening of the mover to the hand-over */
  unwatch: (() => void) | undefined;
  /** a person said that the destination is lost for good */
  alone: boolean;
}

export class SourceSide {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #parts: MigrationParts;
  readonly #running = new Map<string, Running>();

  constructor(hypervisor: Hypervisor, records: Records, parts: MigrationParts) {
    this.#hypervisor = hypervisor;
    this.#records = records;
    this.#parts = parts;
  }

  begin(params: Params<ConsoleSystem, "migration.begin">): { record: MigrationRecord; definition: LparDefinition; storage: StorageMapping[] } {
    const hypervisor = this.#hypervisor;
    const known = this.#records.find(params.id);
    const view = hypervisor.view(params.lparId);
    if (known) return { record: known.record, definition: view.definition, storage: view.storage };
    const row = hypervisor.row(params.lparId);
    if (row.migrationId !== null) throw LOCKED(row.definition.name);
    if (row.ownership.kind !== "owner") throw new OlpmError("wrong-state", `Partition ${row.definition.name} does not belong to this system (${row.ownership.kind}).`, { hsc: "OLPM-VP03" });
    if (!lparCan(params.type === "active" ? "migrateActive" : "migrateInactive", view.state)) throw new OlpmError("wrong-state", `Partition ${row.definition.name} is ${view.state}; it can not be moved in that state.`, { hsc: "OLPM-VP03" });
    // Its destination would start what may run on a third system.
    assertNotHeldBack(hypervisor.store, row.definition);
    const operation = hypervisor.operation(params.lparId);
    if (operation !== undefined) throw new OlpmError("conflict", `Another operation (${operation}) is under way for partition ${row.definition.name}.`, { hsc: "OLPM-VP25", action: "Wait until it ends.", retryable: true });
    const busy = this.#records.open().filter((open) => open.record.type === params.type).length;
    if (busy >= hypervisor.config.migrationsMax) throw new OlpmError("limit-reached", `${hypervisor.config.name} already takes part in ${busy} migrations, its limit.`, { hsc: "OLPM-VG12", action: "Wait until one ends.", retryable: true });
    const now = this.#records.now();
    const msp = params.sourceMspLparId === null ? undefined : hypervisor.vioses().find((vios) => vios.lparId === params.sourceMspLparId);
    const record: MigrationRecord = {
      id: params.id,
      role: "source",
      type: params.type,
      lparName: row.definition.name,
      lparUuid: row.definition.uuid,
      source: { system: hypervisor.config.name, lparId: params.lparId, mspLparId: params.sourceMspLparId, mspName: msp?.name ?? null, mspAddress: msp?.hardware.address ?? null },
      destination: params.destination,
      generation: (row.ownership.generation + 1) as Generation,
      console: params.console,
      phase: "prepare",
      status: "running",
      stopRequested: false,
      progress: NO_PROGRESS,
      way: null,
      phaseStartedAt: { prepare: now },
      startedAt: now,
      endedAt: null,
      stoppedMs: null,
      error: null,
      prediction: params.prediction,
      revision: 0,
    };
    const stored = hypervisor.store.transaction(() => {
      hypervisor.update(params.lparId, (current) => ({ ...current, migrationId: params.id }));
      return this.#records.put({ record, ticket: null, planned: [], peer: params.peer, outcome: null });
    });
    this.#running.set(params.id, { abort: new AbortController(), outgoing: undefined, carrying: undefined, bytesOnLink: 0, unwatch: undefined, alone: false });
    return { record: stored.record, definition: view.definition, storage: view.storage };
  }

  async notifyGuest(id: string, event: "prepare" | "confirm" | "error"): Promise<GuestVerdict> {
    const { record } = this.#records.get(id);
    if (event === "prepare") {
      await this.#hypervisor.hold("prepare");
      this.#assertGoesOn(this.#records.get(id).record);
    }
    const process = this.#hypervisor.process(record.source.lparId);
    const told = process ? tellGuest(process.guest, event) : Promise.resolve({ answered: false, agreed: false, detail: "the partition's process has ended" });
    // Scripts that can not go on, for want of disks or by themselves, hold up neither a stop nor the undo.
    const verdict = event === "prepare" ? await within(told, GUEST_MS_MAX, "the operating system's answer", this.#runningOf(id).abort.signal, this.#hypervisor.clock) : await told;
    // A partition that ended, or whose disks are away, does not answer either: that is told instead.
    if (event === "prepare" && !verdict.answered) {
      if (((await process?.state()) ?? "ended") === "ended") throw this.#ended();
      this.#assertGoesOn(this.#records.get(id).record);
    }
    if (event !== "prepare" || !verdict.agreed || !process) return verdict;
    const { current, layout } = this.#hypervisor.row(record.source.lparId).definition;
    return current ? parkProcessors(process, layoutOf(current, layout)) : verdict;
  }

  async openMover(id: string, ticket: string, peer: PeerEndpoint): Promise<void> {
    const { record } = this.#records.get(id);
    this.#assertGoesOn(record);
    const running = this.#runningOf(id);
    const outgoing = (running.outgoing ??= await this.#process(record).prepareOutgoing({ policy: this.#hypervisor.config.migration, bytesPerSecondMax: RATE_MAX }));
    const msp = this.#hypervisor.vios(this.#msp(record));
    running.unwatch ??= this.#watch(record, running.abort);
    const { way } = await msp.client.call("mover.send", { id: record.id, ticket, channelSocket: outgoing.channelSocket, peer }, { signal: running.abort.signal });
    this.#records.change(id, (now) => ({ ...now, way }));
  }

  /** Begins to carry and returns. Asked again it does nothing. */
  start(id: string, peer: PeerEndpoint): void {
    const row = this.#records.get(id);
    const running = this.#runningOf(id);
    if (running.carrying || isHandedOver(row.record)) return;
    this.#assertGoesOn(row.record);
    if (row.record.type === "active" && !running.outgoing) throw new OlpmError("wrong-state", "the mover must be opened before the copy begins");
    this.#records.put({ ...row, peer });
    this.#keep(id, row.record.type === "inactive" ? this.#carryStopped(id, peer) : this.#carry(id, running.outgoing!, peer));
  }

  /** `error`: why, when it is not the operator who stops it. @throws OlpmError wrong-state OLPM-S01 after the hand-over, OLPM-S02 */
  async stop(id: string, error: MigrationError | null = null): Promise<void> {
    const { record } = this.#records.get(id);
    if (isHandedOver(record)) throw new OlpmError("wrong-state", "The migration can not be stopped any more: the partition has been handed over to the destination. It will complete.", { hsc: "OLPM-S01" });
    if (record.endedAt !== null) throw new OlpmError("wrong-state", "The migration has ended.", { hsc: "OLPM-S02" });
    if (error === null) this.#records.change(id, (current) => ({ ...current, stopRequested: true }));
    this.#runningOf(id).abort.abort(error === null ? STOPPED() : new OlpmError("migration-failed", error.message, { hsc: error.hsc ?? undefined, action: error.action ?? undefined }));
  }

  async endFailed(id: string, status: "failed" | "stopped", error: MigrationError): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    const { lparId } = row.record.source;
    const running = this.#runningOf(id);
    running.abort.abort(new OlpmError("aborted", "the migration is being undone"));
    running.unwatch?.();
    await running.carrying;
    const current = this.#hypervisor.row(lparId);
    if (current.ownership.kind !== "owner") throw new OlpmError("wrong-state", `The partition has been handed over (${current.ownership.kind}); the migration can not be undone.`, { hsc: "OLPM-S01" });
    if (row.outcome === "alone") await this.#hypervisor.endProcess(lparId);
    else await this.#runHere(row.record, running.outgoing);
    await this.closeMover(id);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.update(lparId, (now) => (now.migrationId === id ? { ...now, migrationId: null } : now));
      this.#records.end(id, status, error);
    });
    this.#running.delete(id);
  }

  /** Takes away what is left of a partition that the destination owns: process, server adapters, target devices, definition. */
  async clean(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    const { lparId } = row.record.source;
    await this.#running.get(id)?.carrying;
    const current = this.#hypervisor.store.lpar(lparId);
    if (current?.migrationId === id) {
      if (current.ownership.kind !== "gone") throw new OlpmError("wrong-state", `the partition's record here says ${current.ownership.kind}, not gone`);
      await this.#hypervisor.endProcess(lparId);
      for (const mapping of this.#hypervisor.view(lparId).storage) await this.#hypervisor.unmap(mapping);
      await removeFc(this.#hypervisor, this.#hypervisor.view(lparId).fc);
      this.#hypervisor.store.transaction(() => {
        this.#hypervisor.own(lparId, { type: "forget", migrationId: id });
        this.#hypervisor.dropRow(lparId);
      });
    }
    await this.closeMover(id);
    this.#records.end(id, "succeeded", null);
    this.#running.delete(id);
  }

  async closeMover(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    await this.#running.get(id)?.outgoing?.close();
    await this.#hypervisor.closeMover(record.source.mspLparId, record.id);
  }

  /** What this side finds; `driven` is not known here. */
  async facts(id: string): Promise<Omit<SourceFacts, "driven">> {
    const row = this.#records.find(id);
    if (!row || row.record.role !== "source") return { role: "source", state: "none", process: "unknown", alone: false, generation: null, detail: "" };
    const { record } = row;
    const lpar = this.#hypervisor.store.lpar(record.source.lparId);
    const mine = lpar?.migrationId === id ? lpar : undefined;
    const process = mine === undefined ? "none" : await processState(this.#hypervisor.process(record.source.lparId));
    return { role: "source", state: stateOf(record, mine?.ownership.kind), process, alone: row.outcome === "alone", generation: mine && "generation" in mine.ownership ? mine.ownership.generation : null, detail: detailOf(record) };
  }

  /** Recovery: makes sure that the destination is being asked, and waits a little for its word. */
  async learn(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (this.#hypervisor.store.lpar(row.record.source.lparId)?.ownership.kind !== "released") return;
    await this.resume(row);
    await within(this.#runningOf(id).carrying ?? Promise.resolve(), LEARN_MS_MAX, "the destination's word", undefined, this.#hypervisor.clock).catch(() => undefined);
  }

  /** Recovery with --force: a person says that the destination is lost for good; the partition is this side's again with a newer generation, powered off. */
  async takeBack(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    const kind = this.#hypervisor.row(record.source.lparId).ownership.kind;
    if (record.endedAt !== null || kind !== "released") throw new OlpmError("wrong-state", `the partition's record here says ${kind}, not released`);
    this.#hypervisor.log.warn({ migration_id: id, lpar: record.lparName }, "an operator says that the destination is lost for good");
    this.#runningOf(id).alone = true;
    await this.learn(id);
  }

  /** Takes up, after a restart of this process, what the record and the partition's process say. Asked again while it is at it, it does nothing. */
  async resume(row: MigrationRow): Promise<void> {
    const { record } = row;
    const running = this.#runningOf(record.id);
    if (running.carrying) return;
    const ownership = this.#hypervisor.store.lpar(record.source.lparId)?.ownership;
    running.outgoing = await this.#hypervisor.process(record.source.lparId)?.adoptOutgoing();
    if (running.carrying || (ownership?.kind === "owner" && row.outcome !== "alone" && record.phase === "prepare")) return; // the console goes on with it
    const carryOn = async () => {
      if (ownership?.kind === "released") {
        invariant(row.peer, "a released partition's record names the destination");
        const log = this.#hypervisor.log.child({ migration_id: record.id, role: "source", lpar: record.lparName });
        await this.#afterRelease(record.id, running.outgoing, this.#parts.connect(row.peer, log), undefined, this.#hypervisor.clock.now());
      } else if (ownership?.kind === "owner" && row.outcome === "alone") {
        await this.#hypervisor.endProcess(record.source.lparId);
      } else if (ownership?.kind === "owner") {
        this.#records.failing(record.id, new OlpmError("migration-failed", "The managed system's process was restarted during the copy.", { hsc: "HSCLA2CF", action: "Try again.", retryable: true }));
        await this.#runHere(record, running.outgoing);
      }
    };
    this.#keep(record.id, carryOn());
  }

  /** Remembers the work that carries a migration. Work that ended while the partition is still released can be taken up anew. */
  #keep(id: string, work: Promise<void>): void {
    const running = this.#runningOf(id);
    const { lparId } = this.#records.get(id).record.source;
    const carrying: Promise<void> = work
      .catch((error: unknown) => this.#hypervisor.log.error({ err: error, migration_id: id }, "carrying the migration was interrupted"))
      .then(() => {
        const row = this.#hypervisor.store.lpar(lparId);
        if (running.carrying === carrying && row?.migrationId === id && row.ownership.kind === "released") running.carrying = undefined;
      });
    running.carrying = carrying;
  }

  async #carry(id: string, outgoing: OutgoingMigration, endpoint: PeerEndpoint): Promise<void> {
    const { record } = this.#records.enter(id, "copy");
    const log = this.#hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
    const running = this.#runningOf(id);
    const { abort } = running;
    let sent: SentLog | undefined;
    let stoppedAt: number;
    const peer = this.#parts.connect(endpoint, log);
    try {
      running.unwatch ??= this.#watch(record, abort);
      sent = await sendConsoleLog(this.#parts.logs, peer.client, id, this.#hypervisor.view(record.source.lparId).runtime.consoleLog, abort.signal);
      await this.#assertMover(record);
      await outgoing.begin();
      ({ stoppedAt } = await this.#copy(id, outgoing, abort.signal));
      // The partition stands still: the gates close while the phase is written.
      const closing = this.#hypervisor.setGates(record.source.lparId, "closed");
      closing.catch(() => undefined); // awaited below
      this.#records.enter(id, "suspend");
      await closing;
      await this.#hypervisor.hold("suspend");
      if (abort.signal.aborted) throw abort.signal.reason;
      this.#release(id, record.source.lparId);
      log.info({ stoppedForMs: Math.round(this.#hypervisor.clock.now() - stoppedAt) }, "partition handed over to the destination");
    } catch (thrown) {
      const error = await this.#causeOf(record, thrown);
      log.warn({ err: error }, "migration failed before the hand-over; the partition runs on here");
      peer.close();
      this.#records.failing(id, error);
      await this.#runHere(record, outgoing);
      return;
    } finally {
      running.unwatch?.();
    }
    await this.#hypervisor.hold("handOver");
    await this.#afterRelease(id, outgoing, peer, sent, stoppedAt);
  }

  /** What ended the copy: the loss of QEMU's monitor is seen a moment before its end. */
  async #causeOf(record: MigrationRecord, thrown: unknown): Promise<OlpmError> {
    const error = toOlpmError(thrown, "copying the partition");
    const gone = error.code === "peer-lost" && ["none", "unknown"].includes(await processState(this.#hypervisor.process(record.source.lparId)));
    return gone ? this.#ended() : error;
  }
  #ended(): OlpmError {
    return UNEXPECTED(`The partition ended on ${this.#hypervisor.config.name} during the migration`, "See why it ended, activate it with chsysstate -r lpar -o on, then try again.");
  }

  /** An inactive migration has no state to copy: the partition is given away at once, by the same record (lpm-process 3.2, I6). */
  async #carryStopped(id: string, endpoint: PeerEndpoint): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.source;
    const log = this.#hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
    const { signal } = this.#runningOf(id).abort;
    const peer = this.#parts.connect(endpoint, log);
    let sent: SentLog | undefined;
    try {
      sent = await sendConsoleLog(this.#parts.logs, peer.client, id, this.#hypervisor.view(lparId).runtime.consoleLog, signal);
      if (signal.aborted) throw signal.reason;
      invariant(!this.#hypervisor.process(lparId), "a partition that moves while it is not activated has no process");
      this.#release(id, lparId);
      log.info("partition handed over to the destination");
    } catch (thrown) {
      peer.close();
      this.#records.failing(id, toOlpmError(thrown, "handing the partition over"));
      return;
    }
    await this.#afterRelease(id, undefined, peer, sent, this.#hypervisor.clock.now());
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
    for (; !over.aborted; await delay(PROGRESS_MS, over, this.#hypervisor.clock)) {
      const sample = await outgoing.sample().catch(() => undefined); // QEMU is busy; the copy's own outcome comes from reachSwitchover
      if (!sample || over.aborted) continue;
      const { status, ...progress } = sample;
      this.#records.progress(id, { ...progress, bytesOnLink: this.#runningOf(id).bytesOnLink });
      const now = this.#hypervisor.clock.now();
      if (progress.bytesSent !== moved.bytes || (status !== "active" && status !== "setup")) moved = { bytes: progress.bytesSent, at: now };
      else if (now - moved.at > STALL_MS_MAX) return giveUp(NOTHING_MOVED());
      if (status !== "active") continue;
      const next = watchCopy(watch, { at: now, ...progress }, this.#hypervisor.config.migration);
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

  /** Sends the rest, tells the destination, and waits for its word; closes `peer`. Whatever happens here, the partition does not run here unless it was declined. */
  async #afterRelease(id: string, outgoing: OutgoingMigration | undefined, peer: Peer, sent: SentLog | undefined, stoppedAt: number): Promise<void> {
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
        else await this.#runHere(record, outgoing);
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
    const bytesOnLink = movers?.movers.find((mover) => mover.id === id)?.bytesOnLink ?? this.#runningOf(id).bytesOnLink;
    const { status: _, ...progress } = sample ?? { ...record.progress, status: "" };
    this.#records.progress(id, { ...progress, bytesOnLink, bytesRemaining: 0, rate: 0, msRemainingEstimate: null });
  }

  async #askUntilDecided(id: string, peer: Peer, sent: SentLog | undefined, stoppedAt: number, log: Logger): Promise<{ outcome: Exclude<HandoverOutcome, "undecided"> | "alone"; stoppedMs: number | null; reason: string }> {
    const { record } = this.#records.get(id);
    const tail = tailOf(this.#parts.logs, this.#hypervisor.view(record.source.lparId).runtime.consoleLog, sent);
    for (let attempt = 1; ; attempt++) {
      if (this.#runningOf(id).alone) return { outcome: "alone", stoppedMs: null, reason: "" };
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

  /** Opens the LUNs here again and lets the partition run, for as long as that takes: the partition of an owner does not stand still. Only the owner may. */
  async #runHere(record: MigrationRecord, outgoing: OutgoingMigration | undefined): Promise<void> {
    const { lparId } = record.source;
    for (;;) {
      invariant(this.#hypervisor.row(lparId).ownership.kind === "owner", "only an owner lets a partition run");
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

  /** A mover that failed before it was watched, in an earlier life of this process, has told nobody, and QEMU would wait for it for ever. @throws OlpmError migration-failed */
  async #assertMover(record: MigrationRecord): Promise<void> {
    const { signal } = this.#runningOf(record.id).abort;
    const { movers } = await this.#hypervisor.vios(this.#msp(record)).client.call("vios.status", {}, { signal }).catch((cause: unknown) => {
      if (signal.aborted) throw abortError(signal);
      throw UNEXPECTED(`The mover service partition ${record.source.mspName ?? record.source.mspLparId} of ${this.#hypervisor.config.name} does not answer: ${toOlpmError(cause, "asking it").message}`, "When it is in the state Error, activate it with chsysstate -r lpar -o on, then try again.");
    });
    const mover = movers.find((one) => one.id === record.id && one.side === "source");
    if (!mover || mover.state === "failed") throw new OlpmError("migration-failed", `The mover on ${record.source.mspName ?? "the source"} lost the stream before the copy began${mover ? `: ${mover.detail}` : ""}.`, { hsc: "HSCLA2CF", retryable: true });
  }

  /** Whatever the migration can not do without before the hand-over: its loss aborts the migration, with the reason. */
  #watch(record: MigrationRecord, abort: AbortController): () => void {
    const { lparId, mspName } = record.source;
    const mspId = this.#msp(record);
    const { storage, fc } = this.#hypervisor.view(lparId);
    const serving = new Set<number>([...storage, ...fc].map((mapping) => mapping.viosLparId));
    const fail = (detail: string, action: string) => abort.abort(UNEXPECTED(detail, action));
    const { name } = this.#hypervisor.config;
    const now = () => this.#hypervisor.clock.now();
    let copyingSince: number | undefined;
    const unwatches = [
      this.#hypervisor.vios(mspId).client.on("mover.changed", (state) => {
        if (state.id !== record.id || state.side !== "source") return;
        this.#runningOf(record.id).bytesOnLink = state.bytesOnLink;
        if (state.state === "failed") fail(`The mover on ${mspName ?? mspId} lost the stream: ${state.detail}`, SEE_NETWORK);
        // Before the copy nothing moves; in it something always does, or somebody who should read does not.
        if (this.#records.get(record.id).record.phase !== "copy") copyingSince = undefined;
        else if (Math.min(state.idleMs, now() - (copyingSince ??= now())) > STALL_MS_MAX) abort.abort(NOTHING_MOVED());
      }),
      this.#hypervisor.onViosLost((lost, reason) => {
        const role = lost === mspId ? `The mover service partition ${mspName ?? mspId} of ${name} was lost` : serving.has(lost) ? `A Virtual I/O Server that serves the partition on ${name} was lost` : undefined;
        if (role !== undefined) fail(`${role}: ${reason.message}`, "Activate it with chsysstate -r lpar -o on, then try again.");
      }),
      this.#hypervisor.onProcessLost((lost) => {
        if (lost === lparId) abort.abort(this.#ended());
      }),
    ];
    return () => unwatches.splice(0).forEach((unwatch) => unwatch());
  }

  /** @throws the reason when it was stopped, when what it needs was lost, or when it is being undone */
  #assertGoesOn(record: MigrationRecord): void {
    const { signal } = this.#runningOf(record.id).abort;
    if (record.endedAt !== null) throw new OlpmError("wrong-state", "the migration has ended");
    if (record.stopRequested) throw STOPPED();
    if (signal.aborted) throw abortError(signal);
    if (record.status !== "running") throw new OlpmError("wrong-state", "the migration is being undone");
  }
  #runningOf(id: string): Running {
    let running = this.#running.get(id);
    if (!running) {
      running = { abort: new AbortController(), outgoing: undefined, carrying: undefined, bytesOnLink: 0, unwatch: undefined, alone: false };
      if (isOpen(this.#records.get(id))) this.#running.set(id, running);
    }
    return running;
  }
  #process(record: MigrationRecord) {
    const process = this.#hypervisor.process(record.source.lparId);
    if (!process) throw new OlpmError("wrong-state", `Partition ${record.lparName} does not run.`, { hsc: "OLPM-P04" });
    return process;
  }
  #msp(record: MigrationRecord): LparId {
    if (record.source.mspLparId === null) throw new OlpmError("invalid-argument", "an active migration needs a mover service partition on the source");
    return record.source.mspLparId;
  }
}

/** The source's state as its record and its ownership say. A row that is gone while the record is open: the clean-up was interrupted at its end. */
function stateOf(record: MigrationRecord, ownership: Ownership["kind"] | undefined): SourceFacts["state"] {
  if (record.endedAt !== null) return record.status === "succeeded" ? "cleaned" : "closed";
  if (ownership === "released") return "released";
  if (ownership !== "owner") return "gone";
  if (record.status === "undoing") return "undoing";
  return record.phase === "prepare" ? "preparing" : "copying";
}

async function processState(process: PartitionProcess | undefined): Promise<SourceFacts["process"]> {
  const state = process === undefined ? "ended" : await process.state().catch(() => "unknown" as const);
  if (state === "unknown") return "unknown";
  if (state === "ended") return "none";
  return state === "running" ? "running" : "stopped";
}

/** What a person wants to know of a record beside its state. */
export const detailOf = (record: MigrationRecord): string => [`phase ${record.phase}`, `status ${record.status}`, `console ${record.console}`, ...(record.error ? [record.error.message] : [])].join(", ");
