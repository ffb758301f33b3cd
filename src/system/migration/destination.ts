/**
 * The destination's side of a migration.
 *
 *   reserved -> (storage attached, gates closed; process waits for state) -> complete state -> owner, gates open, runs
 *      |                                        |
 *      +-- abandoned by the source's side       +-- declined: durable, never runs; the source goes on
 *
 * A complete state proves that the source has released the partition, since QEMU sends the last of it only after that; so from then on this
 * side decides alone, also after a restart (design section 2). This file has what others call; destination-takeover.ts decides.
 */
import { randomBytes } from "node:crypto";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { until, within } from "../../kit/wait.js";
import type { LparId } from "../../model/ids.js";
import type { StorageMapping } from "../../model/lpar.js";
import { tookOver, type DestinationFacts, type MigrationError, type MigrationRecord, type SourceFacts } from "../../model/migration.js";
import { ownershipStep, type Ownership } from "../../model/ownership.js";
import type { Params, Result } from "../../wire/rpc.js";
import type { ConsoleSystem, GuestVerdict } from "../../wire/console-system.js";
import type { SystemSystem } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import type { MigrationRow } from "../store.js";
import { placeLogPart } from "./console-log.js";
import { ENDED, TakeOver } from "./destination-takeover.js";
import { WaitingMigrations } from "./destination-waiting.js";
import { attachFc, placeFc, withFc } from "./fibre-channel.js";
import { tellGuest } from "./guest.js";
import type { MigrationParts } from "./index.js";
import { chooseId, placeStorage, withStorage } from "./placement.js";
import { asMigrationError, detailOf, isHandedOver, isOpen, moversOpened, type Records } from "./records.js";

/** How long one call of the source waits for the decision before it is told `undecided` and asks again. */
const DECIDE_MS_MAX = 20_000;
const SETTLE_MS_MAX = 5_000;
const TICKET_BYTES = 32;
const TOO_LATE = () => new OlpmError("wrong-state", "it is too late for the second pair of movers: this system decides, or has decided");
const DECLINED_BY_RECOVERY = () => new OlpmError("migration-failed", "The destination had not taken the partition's state and declined it in a recovery.", { hsc: "HSCLA2CF" });

export class DestinationSide {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #parts: MigrationParts;
  readonly #waiting = new WaitingMigrations();
  readonly #takeOver: TakeOver;

  constructor(hypervisor: Hypervisor, records: Records, parts: MigrationParts) {
    this.#hypervisor = hypervisor;
    this.#records = records;
    this.#parts = parts;
    this.#takeOver = new TakeOver(hypervisor, records, this.#waiting);
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
    const twin = rows.find((row) => row.definition.uuid === params.definition.uuid);
    if (twin && twin.definition.name !== name) throw new OlpmError("already-exists", `The partition ${twin.definition.name} of ${hypervisor.config.name} has the UUID of ${name}.`, { hsc: "OLPM-VP11", action: "Look at both: one may be left over from an earlier migration (migrlpar -o r)." });
    if (rows.some((row) => row.definition.name === name)) throw new OlpmError("already-exists", `A partition named ${name} already exists on ${hypervisor.config.name}.`, { hsc: "OLPM-VP09", action: "Rename or remove it, then try again." });
    const lparId = chooseId(hypervisor, params.lparId, params.source.lparId);
    const current = params.definition.current;
    if (!current) throw new OlpmError("invalid-argument", "the partition has no current configuration");
    hypervisor.assertFits(current);
    const storage = placeStorage(hypervisor, params.storage);
    const fc = placeFc(hypervisor, params.fc, storage);
    const step = ownershipStep({ kind: "absent" }, { type: "reserve", generation: params.generation, migrationId: params.id });
    if (!step.ok) throw new OlpmError("wrong-state", step.why);
    const record = this.#records.begun({
      id: params.id,
      role: "destination",
      type: params.type,
      lparName: name,
      lparUuid: params.definition.uuid,
      source: params.source,
      destination: { ...params.destination, lparId },
      generation: params.generation,
      console: params.console,
      prediction: null,
      redundant: params.redundant,
    });
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
    await this.#hypervisor.hold("startShell");
    const { lparId } = this.#going(id).record.destination;
    if (this.#hypervisor.process(lparId)) return;
    const process = await this.#hypervisor.startProcess(lparId, { incoming: true });
    await process.listenIncoming(incomingSocket(process.spec.dir));
    this.#takeOver.watch(id);
  }

  async openMover(id: string, mspLparId: LparId): Promise<Result<ConsoleSystem, "migration.openDestinationMover">> {
    await this.#hypervisor.hold("openDestinationMover");
    const row = this.#going(id);
    const process = this.#hypervisor.process(row.record.destination.lparId);
    if (!process) throw new OlpmError("migration-failed", `The process of partition ${row.record.lparName} that would take the state ended on ${this.#hypervisor.config.name}.`, { hsc: "HSCLA2CF", action: "Try again.", retryable: true });
    if (row.ticket === null) throw new OlpmError("wrong-state", "the partition's process must wait for state before the mover is opened");
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
    const waiting = this.#waiting.of(id);
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
      await this.#takeOver.takeDown(row.record);
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
    this.#waiting.forget(id);
  }

  async finish(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    if (row.outcome !== "owned") throw new OlpmError("wrong-state", "this system does not own the partition yet");
    await this.#hypervisor.hold("finish");
    // An ended record is not taken up after a restart, so it must not end before the partition has run.
    if (row.record.type === "active" && row.record.phase === "resume" && this.#hypervisor.process(row.record.destination.lparId)) throw new OlpmError("wrong-state", "the partition does not run on this system yet", { retryable: true });
    if (row.record.type === "active" && (await this.#hasEnded(row.record.destination.lparId))) await this.#takeOver.decline(id, ENDED());
    await this.closeMover(id);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.update(row.record.destination.lparId, (now) => (now.migrationId === id ? { ...now, migrationId: null, storage: [], fc: [] } : now));
      this.#records.end(id, "succeeded", null);
    });
    this.#waiting.forget(id);
  }

  /** Whether the partition's process ended by itself: one that its operating system or a person shut down has not failed. */
  async #hasEnded(lparId: LparId): Promise<boolean> {
    const process = this.#hypervisor.process(lparId);
    return process ? (await process.state().catch(() => "unknown" as const)) === "ended" : this.#hypervisor.store.lpar(lparId)?.failed === true;
  }

  async closeMover(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    for (const msp of moversOpened(record, "destination")) await this.#hypervisor.closeMover(msp, record.id);
  }

  /**
   * Another process and the mover of the second pair, for a source that has lost the first and has not released the partition. Asked again it gives the same answer
   * and touches nothing of the second pair. @throws wrong-state
   */
  async secondPair({ id, generation, reason }: Params<SystemSystem, "handover.secondPair">): Promise<Result<SystemSystem, "handover.secondPair">> {
    const { record } = this.#going(id);
    if (record.generation !== generation) throw new OlpmError("conflict", `generation ${generation} is handed over, ${record.generation} is reserved here`);
    if (record.redundant === null) throw new OlpmError("wrong-state", "this migration has one pair of movers");
    if (isHandedOver(record)) throw TOO_LATE();
    this.#assertNotOwned(id, record.destination.lparId);
    if (record.takeOver === null) await this.#leaveFirstPair(id, reason);
    await this.startShell(id);
    const row = this.#going(id);
    const { mspLparId } = row.record.destination;
    if (row.ticket === null || mspLparId === null) throw new OlpmError("internal", "the second pair has no ticket or no mover");
    return { ticket: row.ticket, peer: await this.openMover(id, mspLparId) };
  }

  /** Ends the process that had a part of the first pair's stream. Only then it is written down that the second pair carries: whatever process is found after that is the second pair's. */
  async #leaveFirstPair(id: string, reason: string): Promise<void> {
    const { record } = this.#going(id);
    const { lparId } = record.destination;
    const waiting = this.#waiting.of(id);
    // What is complete, or handed over, is not the source's any more, whatever it says.
    const assertReserved = () => {
      if (isHandedOver(this.#going(id).record) || waiting.lost || waiting.closing || this.#heldBack(record) || this.#hypervisor.store.lpar(lparId)?.ownership.kind !== "reserved") throw TOO_LATE();
    };
    assertReserved();
    if ((await this.#hypervisor.process(lparId)?.state().catch(() => "unknown" as const)) === "loaded") throw new OlpmError("wrong-state", "the partition's state is complete here");
    waiting.changingPairs = true;
    try {
      assertReserved();
      await this.#hypervisor.endProcess(lparId);
      await waiting.watching;
    } finally {
      waiting.changingPairs = false;
    }
    assertReserved();
    this.#hypervisor.log.warn({ migration_id: id, lpar: record.lparName, reason }, "the second pair of movers takes over");
    const row = this.#records.get(id);
    this.#records.put({ ...row, ticket: randomBytes(TICKET_BYTES).toString("base64url"), record: tookOver(row.record, { at: this.#records.now(), reason }) });
    void this.#hypervisor.closeMover(record.destination.mspLparId, record.id, reason).catch((error: unknown) => this.#hypervisor.log.warn({ err: error, migration_id: id }, "the lost pair's mover could not be closed; it is tried again at the end"));
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
      if (!this.#waiting.of(params.id).abandoning) await this.decline(params.id);
    } else if (row.outcome === null && row.record.type === "inactive") this.#ownStopped(row, params);
    else if (row.outcome === null) {
      const waiting = this.#waiting.of(params.id);
      this.#records.enter(params.id, "handOver");
      if (params.consoleLogTail !== "") placeLogPart(this.#parts.logs, this.#hypervisor.view(row.record.destination.lparId).runtime.consoleLog, params.consoleLogOffset, params.consoleLogTail);
      // Nobody is left who could take the state: that is said at once.
      if (!this.#hypervisor.process(row.record.destination.lparId) && !waiting.watching) await this.decline(params.id);
      else {
        this.#takeOver.watch(params.id);
        this.#takeOver.openEarly(waiting, row.record.destination.lparId);
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
    this.#takeOver.watch(id);
  }

  /** Recovery: says durably that this side never will. @throws wrong-state when it owns the partition */
  async decline(id: string): Promise<void> {
    const { lparId } = this.#open(id).record.destination;
    this.#assertNotOwned(id, lparId);
    const waiting = this.#waiting.of(id);
    waiting.lost ??= DECLINED_BY_RECOVERY();
    waiting.abort.abort(waiting.lost);
    await waiting.watching;
    if (this.#records.get(id).outcome === null) await this.#takeOver.decline(id, waiting.lost);
  }

  /** Recovery: a person had said that this side is lost, and the source went on with a newer generation. Ends what is here of the partition. */
  async giveWay(id: string): Promise<void> {
    const row = this.#open(id);
    const { lparId } = row.record.destination;
    if (row.outcome !== "owned") throw new OlpmError("wrong-state", "this system does not own the partition");
    this.#hypervisor.log.error({ migration_id: id, lpar: row.record.lparName }, "the source went on by an operator's word; the partition is ended here");
    await this.#takeOver.takeDown(row.record);
    this.#hypervisor.store.transaction(() => {
      if (this.#hypervisor.store.lpar(lparId)?.migrationId === id) {
        this.#hypervisor.own(lparId, { type: "remove" });
        this.#hypervisor.dropRow(lparId);
      }
      this.#records.put({ ...this.#records.get(id), outcome: "declined" });
      this.#records.end(id, "failed", asMigrationError(new OlpmError("migration-failed", "An operator declared this system lost; the partition went on on the source and was ended here.")));
    });
    this.#waiting.forget(id);
  }

  /** Takes up, after a restart of this process, what the record and the partition's process say. `askSource`: whether the source went on without us. */
  async resume(row: MigrationRow, askSource: () => Promise<SourceFacts | null>): Promise<void> {
    const { record } = row;
    const { lparId } = record.destination;
    const lpar = this.#hypervisor.store.lpar(lparId);
    const ownership = lpar?.ownership;
    if (ownership?.kind === "owner" && row.outcome === "owned") {
      // The record is durable before the partition runs; a crash in between left it stopped here, and it is ours. What runs is only counted.
      const waiting = this.#waiting.of(record.id);
      const state = await this.#hypervisor.process(lparId)?.state();
      if (state === "loaded")
        waiting.watching ??= this.#takeOver.run(record, null).then(
          () => undefined,
          (error: unknown) => {
            this.#hypervisor.log.error({ err: error, migration_id: record.id }, "an owned partition could not be run");
            return this.#takeOver.decline(record.id, toOlpmError(error, "running the partition"));
          },
        );
      else {
        this.#records.enter(record.id, "confirm");
        // Its process went with the host, or while we were away: it has moved, and who waits for the migration hears that it does not run.
        if (record.type === "active" && state === undefined && lpar?.failed) await this.#takeOver.decline(record.id, ENDED());
      }
    } else if (ownership?.kind === "reserved" && !this.#heldBack(record)) {
      const process = this.#hypervisor.process(lparId);
      // While we were away a person may have said that we are lost; who can ask, asks before it runs anything.
      if (process && (await process.state().catch(() => "unknown")) === "loaded" && (await askSource())?.alone) return;
      if (process && record.status === "running") this.#takeOver.watch(record.id);
      else if (record.status === "undoing" || record.phase !== "prepare")
        void this.#takeOver.decline(record.id, new OlpmError("migration-failed", "the partition's process ended on the destination while its managed system was restarted")).catch((error: unknown) => this.#hypervisor.log.error({ err: error, migration_id: record.id }, "declining was interrupted; recovery goes on with it"));
    }
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
  /** For what prepares the take-over: a call that comes late must not make an empty shell of a partition that is decided on. */
  #going(id: string): MigrationRow {
    const row = this.#open(id);
    if (row.record.status === "undoing") {
      // Who asks wants to hear what ended it, not that it has.
      const { error } = row.record;
      throw error === null ? new OlpmError("wrong-state", "this migration is being undone here") : new OlpmError("migration-failed", error.message, { hsc: error.hsc ?? undefined, action: error.action ?? undefined });
    }
    if (row.outcome !== null) throw new OlpmError("wrong-state", row.outcome === "owned" ? "this system owns the partition already" : "this system has declined the partition");
    return row;
  }
}

/** The destination's state as its record and its ownership say. */
function stateOf(row: MigrationRow, ownership: Ownership["kind"] | undefined): DestinationFacts["state"] {
  if (row.record.endedAt !== null) return row.record.status === "succeeded" ? "finished" : "closed";
  if (row.outcome === "owned") return "owner";
  return ownership === "reserved" ? "reserved" : "declined";
}

const incomingSocket = (dir: string): string => `${dir}/in.sock`;
