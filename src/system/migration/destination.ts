/**
 * The destination's side of a migration.
 *
 *   reserved -> (storage attached, gates closed; process waits for state) -> complete state -> owner, gates open, runs
 *      |                                        |
 *      +-- abandoned by the source's side       +-- declined: durable, never runs; the source goes on
 *
 * A complete state proves that the source has released the partition, since QEMU sends the last of it only after that; so from then on this
 * side decides alone, also after a restart (design section 2).
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { delay, until, within } from "../../kit/wait.js";
import type { LparId, SlotNumber } from "../../model/ids.js";
import type { LparDefinition, ResourceConfig, StorageMapping } from "../../model/lpar.js";
import { NO_PROGRESS, type DestinationFacts, type MigrationError, type MigrationRecord, type SourceFacts } from "../../model/migration.js";
import { ownershipStep, type Ownership } from "../../model/ownership.js";
import type { Params, Result } from "../../wire/rpc.js";
import type { ConsoleSystem, GuestVerdict } from "../../wire/console-system.js";
import type { SystemSystem } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import type { MigrationRow } from "../store.js";
import { attachFc, placeFc, removeFc, withFc } from "./fibre-channel.js";
import { placeLogPart } from "./console-log.js";
import { tellGuest } from "./guest.js";
import type { MigrationParts } from "./index.js";
import { asMigrationError, isOpen, type Records } from "./records.js";
import { detailOf } from "./source.js";

/** The source's message with the rest of the console log is worth this much waiting, no more: the partition is stopped. */
const TAIL_MS_MAX = 250;
/** How long one call of the source waits for the decision before it is told `undecided` and asks again. */
const DECIDE_MS_MAX = 20_000;
const SETTLE_MS_MAX = 5_000;
/** Between two tries of what an owner, or a side that declines, must bring about. */
const AGAIN_MS = 1_000;
/** From the source's word to the complete state it takes a fraction of a second; the clients of the partition wait for so long at most (TCP gives them minutes). */
const REST_MS_MAX = 20_000;

type Outcome = "owned" | "declined";
const DECLINED_BY_RECOVERY = () => new OlpmError("migration-failed", "The destination had not taken the partition's state and declined it in a recovery.", { hsc: "HSCLA2CF" });
const ENDED = () => new OlpmError("migration-failed", "its process has ended", { hsc: "HSCLA2CF" });
type Released = { readonly stoppedForMs: number; readonly at: number };

/** What lives only as long as this process. */
interface Waiting {
  readonly abort: AbortController;
  readonly decided: Promise<Outcome>;
  readonly decide: (outcome: Outcome) => void;
  readonly released: Promise<Released>;
  readonly hearReleased: (released: Released) => void;
  /** true when the LUNs are open, as far as this process knows */
  gates: Promise<boolean> | undefined;
  watching: Promise<void> | undefined;
  /** the giving up that is under way; whoever wants it too waits for this one */
  declining: Promise<void> | undefined;
  lost: OlpmError | undefined;
  /** it is given up here: the LUNs are not opened any more */
  closing: boolean;
  /** being undone: nothing is taken over any more, and nothing is decided before it is done */
  abandoning: boolean;
}

export class DestinationSide {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #parts: MigrationParts;
  readonly #waiting = new Map<string, Waiting>();

  constructor(hypervisor: Hypervisor, records: Records, parts: MigrationParts) {
    this.#hypervisor = hypervisor;
    this.#records = records;
    this.#parts = parts;
  }

  reserve(params: Params<ConsoleSystem, "migration.reserve">): { lparId: LparId } {
    const hypervisor = this.#hypervisor;
    const known = this.#records.find(params.id);
    if (known) {
      if (known.record.endedAt !== null || known.record.status === "undoing") throw new OlpmError("wrong-state", "this migration has ended here, or is being undone");
      return { lparId: known.record.destination.lparId };
    }
    const { name } = params.definition;
    const rows = hypervisor.store.lpars();
    if (rows.some((row) => row.definition.name === name)) throw new OlpmError("already-exists", `A partition named ${name} already exists on ${hypervisor.config.name}.`, { hsc: "OLPM-VP09", action: "Rename or remove it, then try again." });
    const lparId = this.#chooseId(params.lparId, params.source.lparId);
    const current = params.definition.current;
    if (!current) throw new OlpmError("invalid-argument", "the partition has no current configuration");
    hypervisor.assertFits(current);
    const storage = this.#placeStorage(params.storage);
    const fc = placeFc(hypervisor, params.fc, storage);
    const step = ownershipStep({ kind: "absent" }, { type: "reserve", generation: params.generation, migrationId: params.id });
    if (!step.ok) throw new OlpmError("wrong-state", step.why);
    const now = this.#records.now();
    const record: MigrationRecord = {
      id: params.id,
      role: "destination",
      type: params.type,
      lparName: name,
      lparUuid: params.definition.uuid,
      source: params.source,
      destination: { ...params.destination, lparId },
      generation: params.generation,
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
      prediction: null,
      revision: 0,
    };
    hypervisor.store.transaction(() => {
      hypervisor.adoptRow({
        lparId,
        revision: 0,
        definition: withFc(withStorage(params.definition, storage), fc),
        ownership: step.next,
        storage,
        fc,
        migrationId: params.id,
        power: "off",
        failed: false,
        startedAt: null,
        devices: null,
      });
      this.#records.put({ record, ticket: params.ticket, planned: params.storage, peer: params.peer, outcome: null });
    });
    return { lparId };
  }

  async attachStorage(id: string): Promise<{ storage: StorageMapping[] }> {
    const row = this.#going(id);
    const { lparId } = row.record.destination;
    await this.#hypervisor.hold("reserved");
    const { storage } = this.#hypervisor.row(lparId);
    for (const mapping of storage) {
      const vios = this.#hypervisor.vios(mapping.viosLparId);
      await vios.client.call("adapter.put", { slot: mapping.viosSlot, clientLparId: lparId, clientSlot: mapping.clientSlot });
      await vios.client.call("storage.attach", { name: mapping.vtd, slot: mapping.viosSlot, lun: mapping.lun, lunBytes: mapping.lunBytes, gate: "closed" });
    }
    await until(() => (storage.every((want) => this.#hypervisor.view(lparId).storage.some((has) => has.vtd === want.vtd && has.viosLparId === want.viosLparId)) ? true : undefined), {
      what: "the target devices in the VIOS's list",
      deadlineMs: SETTLE_MS_MAX,
      everyMs: 10,
      clock: this.#hypervisor.clock,
    });
    await attachFc(this.#hypervisor, lparId);
    return { storage };
  }

  async startShell(id: string): Promise<void> {
    const { lparId } = this.#going(id).record.destination;
    if (this.#hypervisor.process(lparId)) return;
    const process = await this.#hypervisor.startProcess(lparId, { incoming: true });
    await process.listenIncoming(incomingSocket(process.spec.dir));
    this.#watch(id);
  }

  async openMover(id: string, mspLparId: LparId): Promise<Result<ConsoleSystem, "migration.openDestinationMover">> {
    const row = this.#going(id);
    const process = this.#hypervisor.process(row.record.destination.lparId);
    if (!process || row.ticket === null) throw new OlpmError("wrong-state", "the partition's process must wait for state before the mover is opened");
    return this.#hypervisor.vios(mspLparId).client.call("mover.receive", { id: row.record.id, ticket: row.ticket, takeSocket: incomingSocket(process.spec.dir) });
  }

  async notifyGuest(id: string, event: "prepare" | "confirm" | "error"): Promise<GuestVerdict> {
    const { record } = this.#records.get(id);
    if (event === "confirm") await this.#hypervisor.hold("confirm");
    const process = this.#hypervisor.process(record.destination.lparId);
    return process ? tellGuest(process.guest, event) : { answered: false, agreed: false, detail: "the partition's process has ended" };
  }

  async abandon(id: string, error: MigrationError | null): Promise<void> {
    const row = this.#records.find(id);
    if (!row || row.record.endedAt !== null) return;
    const { lparId } = row.record.destination;
    this.#assertNotOwned(id, lparId);
    const waiting = this.#waitingOf(id);
    // Written down first: an undo that is interrupted half-way is gone on with, and nothing goes forward here any more.
    if (row.record.status !== "undoing") this.#records.change(id, (now) => ({ ...now, status: "undoing", error: now.error ?? error }));
    waiting.abandoning = true;
    waiting.closing = true;
    waiting.abort.abort(new OlpmError("aborted", "the migration was undone"));
    try {
      await waiting.watching;
      await waiting.declining?.catch(() => undefined); // what it did not bring about is done below
      this.#assertNotOwned(id, lparId); // the state may have become complete while we waited
      await waiting.gates; // an opening that is under way must not come after what follows
      await this.#takeDown(row.record);
    } finally {
      waiting.abandoning = false;
    }
    this.#hypervisor.store.transaction(() => {
      if (this.#hypervisor.store.lpar(lparId)?.migrationId === id) {
        // Declined first: should the source release it all the same, the answer it finds here is final.
        this.#hypervisor.own(lparId, { type: "decline", migrationId: id });
        this.#hypervisor.own(lparId, { type: "forget", migrationId: id });
        this.#hypervisor.dropRow(lparId);
      }
      this.#records.put({ ...this.#records.get(id), outcome: "declined" });
      this.#records.end(id, error?.code === "aborted" ? "stopped" : "failed", error);
    });
    waiting.decide("declined");
    this.#waiting.delete(id);
  }

  async finish(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    if (row.outcome !== "owned") throw new OlpmError("wrong-state", "this system does not own the partition yet");
    // An ended record is not taken up after a restart, so it must not end before the partition has run.
    if (row.record.type === "active" && row.record.phase === "resume" && this.#hypervisor.process(row.record.destination.lparId)) throw new OlpmError("wrong-state", "the partition does not run on this system yet", { retryable: true });
    await this.closeMover(id);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.update(row.record.destination.lparId, (now) => (now.migrationId === id ? { ...now, migrationId: null, storage: [], fc: [] } : now));
      this.#records.end(id, "succeeded", null);
    });
    this.#waiting.delete(id);
  }

  async closeMover(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    await this.#hypervisor.closeMover(record.destination.mspLparId, record.id);
  }

  consoleLog(params: Params<SystemSystem, "handover.consoleLog">): void {
    const { record } = this.#open(params.id);
    placeLogPart(this.#parts.logs, this.#hypervisor.view(record.destination.lparId).runtime.consoleLog, params.offset, params.data);
  }

  async released(params: Params<SystemSystem, "handover.released">, signal: AbortSignal): Promise<Result<SystemSystem, "handover.released">> {
    const row = this.#records.get(params.id);
    if (row.record.generation !== params.generation) throw new OlpmError("conflict", `generation ${params.generation} was handed over, ${row.record.generation} is reserved here`);
    if (row.outcome === null && this.#heldBack(row.record)) return { outcome: "undecided", stoppedMs: null, reason: "" };
    if (row.outcome === null && row.record.status === "undoing") {
      // It is being undone here, or that was interrupted: then the source's word is the reason to end it.
      if (!this.#waitingOf(params.id).abandoning) await this.decline(params.id);
    } else if (row.outcome === null && row.record.type === "inactive") this.#ownStopped(row, params);
    else if (row.outcome === null) {
      const waiting = this.#waitingOf(params.id);
      this.#records.enter(params.id, "handOver");
      if (params.consoleLogTail !== "") placeLogPart(this.#parts.logs, this.#hypervisor.view(row.record.destination.lparId).runtime.consoleLog, params.consoleLogOffset, params.consoleLogTail);
      // Nobody is left who could take the state: that is said at once.
      if (!this.#hypervisor.process(row.record.destination.lparId) && !waiting.watching) await this.decline(params.id);
      else {
        this.#watch(params.id);
        this.#openEarly(waiting, row.record.destination.lparId);
      }
      waiting.hearReleased({ stoppedForMs: params.stoppedForMs, at: this.#hypervisor.clock.now() });
      await within(waiting.decided, DECIDE_MS_MAX, "the decision", signal, this.#hypervisor.clock).catch(() => undefined);
    }
    const now = this.#records.get(params.id);
    return { outcome: now.outcome === "owned" || now.outcome === "declined" ? now.outcome : "undecided", stoppedMs: now.record.stoppedMs, reason: now.outcome === "declined" ? (now.record.error?.message ?? "") : "" };
  }

  /** Takes a partition that is not activated: there is no state to wait for, so the source's word is enough. The gates stay closed until it is activated. */
  #ownStopped({ record }: MigrationRow, { consoleLogOffset, consoleLogTail }: Params<SystemSystem, "handover.released">): void {
    const { lparId } = record.destination;
    if (consoleLogTail !== "") placeLogPart(this.#parts.logs, this.#hypervisor.view(lparId).runtime.consoleLog, consoleLogOffset, consoleLogTail);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.own(lparId, { type: "own", migrationId: record.id });
      const row = this.#records.get(record.id);
      this.#records.put({ ...row, outcome: "owned", record: (["handOver", "resume", "confirm"] as const).reduce((now, phase) => this.#records.entered(now, phase), row.record) });
    });
    this.#hypervisor.log.info({ migration_id: record.id, lpar: record.lparName }, "partition belongs to this system");
  }

  /** What this side finds. */
  async facts(id: string): Promise<DestinationFacts> {
    const row = this.#records.find(id);
    if (!row || row.record.role !== "destination") return { role: "destination", state: "none", process: "unknown", generation: null, detail: "" };
    const { record } = row;
    const lpar = this.#hypervisor.store.lpar(record.destination.lparId);
    const mine = lpar?.migrationId === id ? lpar : undefined;
    // A database that was brought back from a backup may have forgotten that the partition ran here: until a person has looked, it knows nothing.
    if (mine?.ownership.kind === "reserved" && this.#heldBack(record)) return { role: "destination", state: "none", process: "unknown", generation: null, detail: "brought back from a backup" };
    const state = mine === undefined ? "ended" : await (this.#hypervisor.process(record.destination.lparId)?.state().catch(() => "unknown" as const) ?? "ended");
    // A partition that is not activated has no state to wait for: it waits for the source's word.
    const process = record.type === "inactive" && mine?.ownership.kind === "reserved" ? "waiting" : state === "ended" ? "none" : state === "paused" || state === "started" || state === "io-error" ? "stopped" : state;
    return { role: "destination", state: stateOf(row, mine?.ownership.kind), process, generation: record.generation, detail: detailOf(record) };
  }

  /** Recovery: takes over what is complete, by the same way as ever. */
  takeOver(id: string): void {
    this.#going(id);
    this.#watch(id);
  }

  /** Recovery: says durably that this side never will. @throws wrong-state when it owns the partition */
  async decline(id: string): Promise<void> {
    const { lparId } = this.#open(id).record.destination;
    this.#assertNotOwned(id, lparId);
    const waiting = this.#waitingOf(id);
    waiting.lost ??= DECLINED_BY_RECOVERY();
    waiting.abort.abort(waiting.lost);
    await waiting.watching;
    if (this.#records.get(id).outcome === null) await this.#decline(id, waiting.lost);
  }

  /** Recovery: a person had said that this side is lost, and the source went on with a newer generation. Ends what is here of the partition. */
  async giveWay(id: string): Promise<void> {
    const row = this.#open(id);
    const { lparId } = row.record.destination;
    if (row.outcome !== "owned") throw new OlpmError("wrong-state", "this system does not own the partition");
    this.#hypervisor.log.error({ migration_id: id, lpar: row.record.lparName }, "the source went on by an operator's word; the partition is ended here");
    await this.#takeDown(row.record);
    this.#hypervisor.store.transaction(() => {
      if (this.#hypervisor.store.lpar(lparId)?.migrationId === id) {
        this.#hypervisor.own(lparId, { type: "remove" });
        this.#hypervisor.dropRow(lparId);
      }
      this.#records.put({ ...this.#records.get(id), outcome: "declined" });
      this.#records.end(id, "failed", asMigrationError(new OlpmError("migration-failed", "An operator declared this system lost; the partition went on on the source and was ended here.")));
    });
    this.#waiting.delete(id);
  }

  /** Takes up, after a restart of this process, what the record and the partition's process say. `askSource`: whether the source went on without us. */
  async resume(row: MigrationRow, askSource: () => Promise<SourceFacts | null>): Promise<void> {
    const { record } = row;
    const { lparId } = record.destination;
    const ownership = this.#hypervisor.store.lpar(lparId)?.ownership;
    if (ownership?.kind === "owner" && row.outcome === "owned") {
      // The record is durable before the partition runs; a crash in between left it stopped here, and it is ours. What runs is only counted.
      const waiting = this.#waitingOf(record.id);
      const state = await this.#hypervisor.process(lparId)?.state();
      if (state === "loaded")
        waiting.watching ??= this.#run(record, null).then(
          () => undefined,
          (error: unknown) => {
            this.#hypervisor.log.error({ err: error, migration_id: record.id }, "an owned partition could not be run");
            return this.#decline(record.id, toOlpmError(error, "running the partition"));
          },
        );
      else this.#records.enter(record.id, "confirm");
    } else if (ownership?.kind === "reserved" && !this.#heldBack(record)) {
      const process = this.#hypervisor.process(lparId);
      // While we were away a person may have said that we are lost; who can ask, asks before it runs anything.
      if (process && (await process.state().catch(() => "unknown")) === "loaded" && (await askSource())?.alone) return;
      if (process && record.status === "running") this.#watch(record.id);
      else if (record.status === "undoing" || record.phase !== "prepare")
        void this.#decline(record.id, new OlpmError("migration-failed", "the partition's process ended on the destination while its managed system was restarted")).catch((error: unknown) => this.#hypervisor.log.error({ err: error, migration_id: record.id }, "declining was interrupted; recovery goes on with it"));
    }
  }

  /** Waits for the complete state and takes the partition over, or declines it. Runs at most once for a migration. */
  #watch(id: string): void {
    const waiting = this.#waitingOf(id);
    if (waiting.watching) return;
    const { record } = this.#records.get(id);
    const log = this.#hypervisor.log.child({ migration_id: id, role: "destination", lpar: record.lparName });
    const process = this.#hypervisor.process(record.destination.lparId);
    if (!process) return;
    const viosIds = new Set<number>([this.#hypervisor.row(record.destination.lparId)].flatMap((row) => [...row.storage, ...row.fc]).map((mapping) => mapping.viosLparId));
    const lose = (lparId: number, why: string) => {
      if (!viosIds.has(lparId)) return;
      waiting.lost = new OlpmError("storage-failed", `the Virtual I/O Server that serves the partition on ${this.#hypervisor.config.name} was lost: ${why}`, { hsc: "HSCLA2CF" });
      waiting.abort.abort(waiting.lost);
    };
    const unwatch = this.#hypervisor.onViosLost((lparId, reason) => lose(lparId, reason.message));
    for (const lparId of viosIds) if (!this.#hypervisor.vioses().some((vios) => vios.lparId === lparId)) lose(lparId, "it does not run");
    // The source stands still from its word on: a rest of the state that does not come is not waited for without end.
    const loaded = new AbortController();
    const late = async () => {
      await waiting.released;
      await delay(REST_MS_MAX, loaded.signal, this.#hypervisor.clock);
      waiting.lost = new OlpmError("timeout", `the rest of the partition's state did not arrive within ${REST_MS_MAX / 1_000} s`, { hsc: "HSCLA2CF" });
      waiting.abort.abort(waiting.lost);
    };
    void late().catch(() => undefined); // it arrived
    waiting.watching = (async () => {
      try {
        await process.loaded(waiting.abort.signal);
        loaded.abort();
        await this.#takeOver(id, waiting, log);
      } catch (thrown) {
        const error = toOlpmError(thrown, "receiving the partition's state");
        if (error.code === "aborted" && !waiting.lost) return; // abandon() goes on from here
        log.warn({ err: error }, "the partition can not be taken over; it never will run here");
        await this.#decline(id, error).catch((cause: unknown) => log.error({ err: cause }, "declining was interrupted; recovery goes on with it"));
      } finally {
        loaded.abort();
        unwatch();
      }
    })();
  }

  async #takeOver(id: string, waiting: Waiting, log: Logger): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.destination;
    this.#openEarly(waiting, lparId); // a complete state proves that the source has closed them
    const released = await within(waiting.released, TAIL_MS_MAX, "the source's message", undefined, this.#hypervisor.clock).catch(() => undefined);
    await waiting.gates;
    await this.#hypervisor.hold("loaded");
    await this.#assertCanRun(lparId, waiting);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.own(lparId, { type: "own", migrationId: id }, (row) => ({ ...row, power: "on", startedAt: row.startedAt ?? this.#records.now() }));
      const row = this.#records.get(id);
      this.#records.put({ ...row, outcome: "owned", record: this.#records.entered(row.record, "resume") });
    });
    await this.#hypervisor.hold("owned");
    const stoppedMs = await this.#run(record, released ?? null);
    log.info({ stoppedMs }, "partition runs here");
    waiting.decide("owned");
  }

  /** The last look before this side owns it: what could not run here is declined and goes on at the source. */
  async #assertCanRun(lparId: LparId, waiting: Waiting): Promise<void> {
    if (waiting.lost) throw waiting.lost;
    if ((await this.#hypervisor.process(lparId)?.state()) !== "loaded") throw new OlpmError("migration-failed", `the partition's process ended on ${this.#hypervisor.config.name}`, { hsc: "HSCLA2CF" });
  }

  /** Lets an owned partition run, whose gates are open; gives the ms that it stood still, if the source told. */
  async #run(record: MigrationRecord, released: Released | null): Promise<number | null> {
    const { lparId } = record.destination;
    const process = this.#hypervisor.process(lparId);
    if (!process) throw ENDED();
    // The LUNs are open by now, unless opening them early failed.
    let open = await this.#waitingOf(record.id).gates;
    await this.#untilDone("the partition could not run yet", record, async () => {
      if (!this.#hypervisor.process(lparId)) throw ENDED();
      if (open !== true) await this.#hypervisor.setGates(lparId, "open");
      open = true;
      await process.run();
    });
    const stoppedMs = released === null ? null : Math.round(released.stoppedForMs + this.#hypervisor.clock.now() - released.at);
    await process.announce().catch((error: unknown) => this.#hypervisor.log.warn({ err: error, migration_id: record.id }, "announcing the addresses failed; the LAN learns them from the partition's own traffic"));
    this.#records.change(record.id, (now) => this.#records.entered({ ...now, stoppedMs }, "confirm"));
    return stoppedMs;
  }

  /** Ends what could run or write here, then says durably that this side never will. Asked again while it is at it, it is the same. */
  #decline(id: string, error: OlpmError): Promise<void> {
    const waiting = this.#waitingOf(id);
    return (waiting.declining ??= this.#giveUp(id, waiting, error).finally(() => (waiting.declining = undefined)));
  }

  /** The order matters. @throws aborted when the partition has been taken down by an undo */
  async #giveUp(id: string, waiting: Waiting, error: OlpmError): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.destination;
    if (this.#hypervisor.store.lpar(lparId)?.ownership.kind === "owner" && this.#records.get(id).outcome === "owned") {
      // Owned already: nothing here may be given back. The partition stands; the record says why.
      const { name } = this.#hypervisor.config;
      const stands = new OlpmError(error.code, `Partition ${record.lparName} belongs to ${name} now, where it does not run: ${error.message}.`, { hsc: "OLPM-R02", action: `Activate it there: chsysstate -m ${name} -r lpar -o on -n ${record.lparName}.` });
      this.#records.change(id, (now) => ({ ...now, error: now.error ?? asMigrationError(stands) }));
      waiting.decide("owned");
      return;
    }
    // The ID may belong to another partition by the time that a repeated try comes to its turn.
    const stillHere = () => {
      if (this.#hypervisor.store.lpar(lparId)?.migrationId !== id) throw new OlpmError("aborted", "the partition was taken down by the undo of its migration");
    };
    const bringAbout = (trouble: string, work: () => Promise<void>) =>
      this.#untilDone(trouble, record, async () => {
        stillHere();
        await work();
      });
    waiting.closing = true;
    await bringAbout("the partition's process could not be ended yet", () => this.#hypervisor.endProcess(lparId));
    await waiting.gates; // an opening that is under way must not come after the closing
    // The source learns at once that nobody takes its stream any more.
    await this.#hypervisor.closeMover(record.destination.mspLparId, record.id, error.message).catch((cause: unknown) => this.#hypervisor.log.warn({ err: cause, migration_id: id }, "the mover could not be closed"));
    await bringAbout("the LUNs could not be closed yet", () => this.#hypervisor.setGates(lparId, "closed"));
    stillHere();
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.own(lparId, { type: "decline", migrationId: id });
      this.#records.put({ ...this.#records.get(id), outcome: "declined" });
      this.#records.failing(id, error);
    });
    waiting.decide("declined");
  }

  async #takeDown(record: MigrationRecord): Promise<void> {
    const { lparId } = record.destination;
    const row = this.#hypervisor.store.lpar(lparId);
    if (row?.migrationId !== record.id) return;
    await this.#hypervisor.endProcess(lparId);
    await this.closeMover(record.id);
    for (const mapping of row.storage) await this.#hypervisor.unmap(mapping);
    await removeFc(this.#hypervisor, row.fc);
  }

  /** Opens the LUNs as soon as the source is known to have closed them, to save time; #run opens whatever this did not. */
  #openEarly(waiting: Waiting, lparId: LparId): void {
    if (waiting.closing) return;
    waiting.gates ??= this.#hypervisor.setGates(lparId, "open").then(
      () => true,
      (error: unknown) => (this.#hypervisor.log.warn({ err: error }, "the LUNs could not be opened yet"), false),
    );
  }

  /** Repeats what must be brought about; `aborted` and `migration-failed` end it. */
  async #untilDone(trouble: string, record: MigrationRecord, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await work();
      } catch (thrown) {
        const error = toOlpmError(thrown, trouble);
        if (error.code === "aborted" || error.code === "migration-failed") throw error;
        this.#hypervisor.log.error({ err: error, migration_id: record.id, lpar: record.lparName }, `${trouble}; trying again`);
        await delay(AGAIN_MS, undefined, this.#hypervisor.clock);
      }
    }
  }

  #chooseId(asked: LparId | null, atSource: LparId): LparId {
    const taken = new Set(this.#hypervisor.store.lpars().map((row) => row.lparId));
    if (asked !== null) {
      if (taken.has(asked)) throw new OlpmError("already-exists", `Partition ID ${asked} is in use on ${this.#hypervisor.config.name}.`, { hsc: "OLPM-VP10", action: "Choose another dest_lpar_id." });
      return asked;
    }
    return taken.has(atSource) ? this.#hypervisor.lowestFreeLparId() : atSource;
  }

  /** Server slots and names of target devices that are free on the chosen VIOSes. */
  #placeStorage(planned: Params<ConsoleSystem, "migration.reserve">["storage"]): StorageMapping[] {
    const rows = this.#hypervisor.store.lpars();
    const slots = new Map<string, SlotNumber>();
    const placed: StorageMapping[] = [];
    for (const want of planned) {
      const key = `${want.viosLparId}/${want.clientSlot}`;
      // Several LUNs behind one client adapter share one server adapter.
      const viosSlot = slots.get(key) ?? this.#slotFor(want, [...slots.entries()].filter(([at]) => at.startsWith(`${want.viosLparId}/`)).map(([, slot]) => slot));
      slots.set(key, viosSlot);
      const names = new Set([
        ...(rows.find((row) => row.lparId === want.viosLparId)?.devices?.targets ?? []).map((target) => target.name),
        ...rows.flatMap((row) => row.storage.filter((mapping) => mapping.viosLparId === want.viosLparId).map((mapping) => mapping.vtd)),
        ...placed.filter((mapping) => mapping.viosLparId === want.viosLparId).map((mapping) => mapping.vtd),
      ]);
      let vtd = want.vtd;
      for (let number = 0; names.has(vtd); number++) vtd = `vtscsi${number}`;
      placed.push({ clientSlot: want.clientSlot, viosLparId: want.viosLparId, viosSlot, vtd, lun: want.lun, lunBytes: want.lunBytes });
    }
    return placed;
  }
  /** The slot that was asked for, or the one of the source when it is free, else the next free one (lpm-process 5.2). */
  #slotFor({ viosLparId, viosSlot, slotAsked }: Params<ConsoleSystem, "migration.reserve">["storage"][number], taken: readonly SlotNumber[]): SlotNumber {
    const row = this.#hypervisor.store.lpar(viosLparId);
    const current = row?.definition.current;
    const promised = this.#hypervisor.store.lpars().flatMap((one) => [...one.storage, ...one.fc].filter((mapping) => mapping.viosLparId === viosLparId).map((mapping) => mapping.viosSlot));
    const used = new Set<number>([...taken, ...promised.filter((slot) => slot !== null), ...[...(row?.devices?.adapters ?? []), ...(row?.devices?.fc ?? [])].map((adapter) => adapter.slot), ...(current?.ethernet ?? []).map((adapter) => adapter.slot)]);
    const most = current?.maxVirtualSlots ?? Infinity;
    if (viosSlot !== undefined && viosSlot > 1 && viosSlot < most && !used.has(viosSlot)) return viosSlot;
    if (slotAsked) throw new OlpmError("already-exists", `The virtual slot ${viosSlot} of the Virtual I/O Server with ID ${viosLparId} is in use on ${this.#hypervisor.config.name}.`, { hsc: "OLPM-VV12", action: "Name a free slot, or leave it to the console." });
    let slot = this.#hypervisor.freeSlot(viosLparId);
    while (used.has(slot)) slot = (slot + 1) as SlotNumber;
    if (slot >= most) throw new OlpmError("limit-reached", `The Virtual I/O Server with ID ${viosLparId} of ${this.#hypervisor.config.name} has no free virtual slot below its maximum, ${most}.`, { hsc: "OLPM-VV11", action: "Raise max_virtual_slots in its profile and activate it again." });
    return slot;
  }

  #assertNotOwned(id: string, lparId: LparId): void {
    const row = this.#hypervisor.store.lpar(lparId);
    if (this.#records.get(id).outcome === "owned" || (row?.migrationId === id && row.ownership.kind === "owner"))
      throw new OlpmError("wrong-state", "this system owns the partition; the migration can not be undone here", { hsc: "OLPM-S01" });
  }
  #heldBack(record: MigrationRecord): boolean {
    return this.#hypervisor.store.heldBack().includes(record.lparUuid);
  }
  #open(id: string): MigrationRow {
    const row = this.#records.get(id);
    if (!isOpen(row)) throw new OlpmError("wrong-state", "this migration has ended here");
    return row;
  }
  /** for what goes forward */
  #going(id: string): MigrationRow {
    const row = this.#open(id);
    if (row.record.status === "undoing") throw new OlpmError("wrong-state", "this migration is being undone here");
    return row;
  }
  #waitingOf(id: string): Waiting {
    let waiting = this.#waiting.get(id);
    if (!waiting) {
      let decide!: (outcome: Outcome) => void;
      let hearReleased!: (released: Released) => void;
      const decided = new Promise<Outcome>((resolve) => (decide = resolve));
      const released = new Promise<Released>((resolve) => (hearReleased = resolve));
      waiting = { abort: new AbortController(), decided, decide, released, hearReleased, gates: undefined, watching: undefined, declining: undefined, lost: undefined, closing: false, abandoning: false };
      this.#waiting.set(id, waiting);
    }
    return waiting;
  }
}

/** The destination's state as its record and its ownership say. */
function stateOf(row: MigrationRow, ownership: Ownership["kind"] | undefined): DestinationFacts["state"] {
  if (row.record.endedAt !== null) return row.record.status === "succeeded" ? "finished" : "closed";
  if (row.outcome === "owned") return "owner";
  return ownership === "reserved" ? "reserved" : "declined";
}

const incomingSocket = (dir: string): string => `${dir}/in.sock`;

/** The definition with client adapters that point at the destination's VIOSes, in the current configuration and in the profile it came from. */
function withStorage(definition: LparDefinition, storage: readonly StorageMapping[]): LparDefinition {
  const rewrite = (resources: ResourceConfig): ResourceConfig => ({
    ...resources,
    scsi: resources.scsi.map((adapter) => {
      const mapping = storage.find((one) => one.clientSlot === adapter.slot);
      return adapter.role === "client" && mapping ? { ...adapter, remoteLparId: mapping.viosLparId, remoteSlot: mapping.viosSlot } : adapter;
    }),
  });
  return {
    ...definition,
    current: definition.current && rewrite(definition.current),
    profiles: definition.profiles.map((profile) => (profile.name === definition.currentProfile ? { ...profile, resources: rewrite(profile.resources) } : profile)),
  };
}
