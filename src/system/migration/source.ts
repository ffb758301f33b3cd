/**
 * The source's side of a migration. After `start` this system carries the migration by itself:
 *
 *   copy -> suspend -> [released: durable] -> handOver -> resume -> gone
 *     |        |                                  |
 *     +--------+-- any failure: runs on here      +-- declined: runs on here with generation + 2
 *
 * source-carry.ts reads as the story. Before the release every failure ends with the partition running here; after it this side does nothing but send the rest
 * and wait for the destination's word, for as long as it takes (source-released.ts; design section 2, lpm-process 8.3). This file has what others call.
 */
import { OlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import { abortError, within } from "../../kit/wait.js";
import { lparCan } from "../../model/lpar-can.js";
import { type MigrationError, type MigrationRecord, type SourceFacts } from "../../model/migration.js";
import type { LparDefinition, StorageMapping } from "../../model/lpar.js";
import type { Generation } from "../../model/ids.js";
import type { Params } from "../../wire/rpc.js";
import type { ConsoleSystem, GuestVerdict } from "../../wire/console-system.js";
import type { Hypervisor } from "../contract.js";
import { layoutOf } from "../dlpar-plan.js";
import { assertNotHeldBack } from "../held-back.js";
import type { MigrationRow } from "../store.js";
import { removeFc } from "./fibre-channel.js";
import { tellGuest } from "./guest.js";
import { parkProcessors } from "./processors.js";
import type { MigrationParts } from "./index.js";
import type { PeerEndpoint } from "./peer.js";
import { isHandedOver, moversOpened, type Records } from "./records.js";
import { Carrier } from "./source-carry.js";
import { sourceFacts } from "./source-facts.js";
import { openPair } from "./source-pair.js";
import { AfterRelease } from "./source-released.js";
import { RunningMigrations } from "./source-running.js";
import { endedHere, type SourceContext } from "./source-watch.js";

/** How long a recovery waits for the destination's word before it says how far it is. */
const LEARN_MS_MAX = 5_000;
/** A little more than the guest's scripts get (guest.ts). */
const GUEST_MS_MAX = 190_000;

const STOPPED = () => new OlpmError("aborted", "The migration was stopped by the user.", { hsc: "HSCLA2CF" });
const LOCKED = (name: string) => new OlpmError("conflict", `Partition ${name} is in another migration.`, { hsc: "OLPM-VG10", action: "Wait until it ends, stop it with migrlpar -o s, or recover it with migrlpar -o r." });

export class SourceSide {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #parts: MigrationParts;
  readonly #running: RunningMigrations;
  readonly #context: SourceContext;
  readonly #released: AfterRelease;
  readonly #carrier: Carrier;

  constructor(hypervisor: Hypervisor, records: Records, parts: MigrationParts) {
    this.#hypervisor = hypervisor;
    this.#records = records;
    this.#parts = parts;
    this.#running = new RunningMigrations(records);
    this.#context = { hypervisor, records, running: this.#running };
    this.#released = new AfterRelease(this.#context, parts);
    this.#carrier = new Carrier(this.#context, parts, this.#released);
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
    if (params.redundant && (params.redundant.source.mspLparId === params.sourceMspLparId || params.redundant.destination.mspLparId === params.destination.mspLparId)) throw new OlpmError("invalid-argument", "The second pair of movers has a mover of the first one.");
    const msp = params.sourceMspLparId === null ? undefined : hypervisor.vioses().find((vios) => vios.lparId === params.sourceMspLparId);
    const record = this.#records.begun({
      id: params.id,
      role: "source",
      type: params.type,
      lparName: row.definition.name,
      lparUuid: row.definition.uuid,
      source: { system: hypervisor.config.name, lparId: params.lparId, mspLparId: params.sourceMspLparId, mspName: msp?.name ?? null, mspAddress: msp?.hardware.address ?? null },
      destination: params.destination,
      generation: (row.ownership.generation + 1) as Generation,
      console: params.console,
      prediction: params.prediction,
      redundant: params.redundant,
    });
    const stored = hypervisor.store.transaction(() => {
      hypervisor.update(params.lparId, (current) => ({ ...current, migrationId: params.id }));
      return this.#records.put({ record, ticket: null, planned: [], peer: params.peer, outcome: null });
    });
    this.#running.of(params.id);
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
    const verdict = event === "prepare" ? await within(told, GUEST_MS_MAX, "the operating system's answer", this.#running.of(id).abort.signal, this.#hypervisor.clock) : await told;
    // A partition that ended, or whose disks are away, does not answer either: that is told instead.
    if (event === "prepare" && !verdict.answered) {
      if (((await process?.state()) ?? "ended") === "ended") throw endedHere(this.#hypervisor);
      this.#assertGoesOn(this.#records.get(id).record);
    }
    if (event !== "prepare" || !verdict.agreed || !process) return verdict;
    const { current, layout } = this.#hypervisor.row(record.source.lparId).definition;
    return current ? parkProcessors(process, layoutOf(current, layout)) : verdict;
  }

  async openMover(id: string, ticket: string, peer: PeerEndpoint): Promise<void> {
    await this.#hypervisor.hold("openSourceMover");
    const { record } = this.#records.get(id);
    this.#assertGoesOn(record);
    await openPair(this.#context, record, ticket, peer);
  }

  /** Begins to carry and returns. Asked again it does nothing. */
  start(id: string, peer: PeerEndpoint): void {
    const row = this.#records.get(id);
    const running = this.#running.of(id);
    if (running.carrying || isHandedOver(row.record)) return;
    this.#assertGoesOn(row.record);
    if (row.record.type === "active" && !running.outgoing) throw new OlpmError("wrong-state", "the mover must be opened before the copy begins");
    this.#records.put({ ...row, peer });
    this.#keep(id, row.record.type === "inactive" ? this.#carrier.carryStopped(id, peer) : this.#carrier.carry(id, peer));
  }

  /** `error`: why, when it is not the operator who stops it. @throws OlpmError wrong-state OLPM-S01 after the hand-over, OLPM-S02 */
  async stop(id: string, error: MigrationError | null = null): Promise<void> {
    const { record } = this.#records.get(id);
    if (isHandedOver(record)) throw new OlpmError("wrong-state", "The migration can not be stopped any more: the partition has been handed over to the destination. It will complete.", { hsc: "OLPM-S01" });
    if (record.endedAt !== null) throw new OlpmError("wrong-state", "The migration has ended.", { hsc: "OLPM-S02" });
    if (error === null) this.#records.change(id, (current) => ({ ...current, stopRequested: true }));
    this.#running.of(id).abort.abort(error === null ? STOPPED() : new OlpmError("migration-failed", error.message, { hsc: error.hsc ?? undefined, action: error.action ?? undefined }));
  }

  async endFailed(id: string, status: "failed" | "stopped", error: MigrationError): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    const { lparId } = row.record.source;
    const running = this.#running.of(id);
    running.abort.abort(new OlpmError("aborted", "the migration is being undone"));
    running.unwatch?.();
    await running.carrying;
    const current = this.#hypervisor.row(lparId);
    if (current.ownership.kind !== "owner") throw new OlpmError("wrong-state", `The partition has been handed over (${current.ownership.kind}); the migration can not be undone.`, { hsc: "OLPM-S01" });
    if (row.outcome === "alone") await this.#hypervisor.endProcess(lparId);
    else await this.#released.runHere(row.record, running.outgoing);
    await this.closeMover(id);
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.update(lparId, (now) => (now.migrationId === id ? { ...now, migrationId: null } : now));
      this.#records.end(id, status, error);
    });
    this.#running.forget(id);
  }

  /** Takes away what is left of a partition that the destination owns: process, server adapters, target devices, definition. */
  async clean(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (row.record.endedAt !== null) return;
    const { lparId } = row.record.source;
    await this.#running.find(id)?.carrying;
    await this.#hypervisor.hold("cleanSource");
    const current = this.#hypervisor.store.lpar(lparId);
    if (current?.migrationId === id) {
      if (current.ownership.kind !== "gone") throw new OlpmError("wrong-state", `the partition's record here says ${current.ownership.kind}, not gone`);
      await this.#hypervisor.endProcess(lparId);
      for (const mapping of this.#hypervisor.view(lparId).storage) await this.#hypervisor.unmap(mapping);
      await removeFc(this.#hypervisor, this.#hypervisor.view(lparId).fc);
    }
    await this.closeMover(id);
    // Together: once the row is gone its ID may be another partition's, which the record of this migration must not speak of.
    this.#hypervisor.store.transaction(() => {
      if (this.#hypervisor.store.lpar(lparId)?.migrationId === id) {
        this.#hypervisor.own(lparId, { type: "forget", migrationId: id });
        this.#hypervisor.dropRow(lparId);
      }
      this.#records.end(id, "succeeded", null);
    });
    this.#running.forget(id);
  }

  async closeMover(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    await this.#running.find(id)?.outgoing?.close();
    for (const msp of moversOpened(record, "source")) await this.#hypervisor.closeMover(msp, record.id);
  }

  /** What this side finds; `driven` is not known here. */
  facts(id: string): Promise<Omit<SourceFacts, "driven">> {
    return sourceFacts(this.#hypervisor, this.#records, id);
  }

  /** Recovery: makes sure that the destination is being asked, and waits a little for its word. */
  async learn(id: string): Promise<void> {
    const row = this.#records.get(id);
    if (this.#hypervisor.store.lpar(row.record.source.lparId)?.ownership.kind !== "released") return;
    await this.resume(row);
    await within(this.#running.of(id).carrying ?? Promise.resolve(), LEARN_MS_MAX, "the destination's word", undefined, this.#hypervisor.clock).catch(() => undefined);
  }

  /** Recovery with --force: a person says that the destination is lost for good; the partition is this side's again with a newer generation, powered off. */
  async takeBack(id: string): Promise<void> {
    const { record } = this.#records.get(id);
    const kind = this.#hypervisor.row(record.source.lparId).ownership.kind;
    if (record.endedAt !== null || kind !== "released") throw new OlpmError("wrong-state", `the partition's record here says ${kind}, not released`);
    this.#hypervisor.log.warn({ migration_id: id, lpar: record.lparName }, "an operator says that the destination is lost for good");
    this.#running.of(id).alone = true;
    await this.learn(id);
  }

  /** Takes up, after a restart of this process, what the record and the partition's process say. Asked again while it is at it, it does nothing. */
  async resume(row: MigrationRow): Promise<void> {
    const { record } = row;
    const running = this.#running.of(record.id);
    if (running.carrying) return;
    const ownership = this.#hypervisor.store.lpar(record.source.lparId)?.ownership;
    running.outgoing = await this.#hypervisor.process(record.source.lparId)?.adoptOutgoing(record.phase !== "prepare");
    if (running.carrying || (ownership?.kind === "owner" && row.outcome !== "alone" && record.phase === "prepare")) return; // the console goes on with it
    const carryOn = async () => {
      if (ownership?.kind === "released") {
        invariant(row.peer, "a released partition's record names the destination");
        const log = this.#hypervisor.log.child({ migration_id: record.id, role: "source", lpar: record.lparName });
        await this.#released.decide(record.id, running.outgoing, this.#parts.connect(row.peer, log), undefined, this.#hypervisor.clock.now());
      } else if (ownership?.kind === "owner" && row.outcome === "alone") {
        await this.#hypervisor.endProcess(record.source.lparId);
      } else if (ownership?.kind === "owner") {
        this.#records.failing(record.id, new OlpmError("migration-failed", "The managed system's process was restarted during the copy.", { hsc: "HSCLA2CF", action: "Try again.", retryable: true }));
        await this.#released.runHere(record, running.outgoing);
      }
    };
    this.#keep(record.id, carryOn());
  }

  /** Remembers the work that carries a migration. Work that ended while the partition is still released can be taken up anew. */
  #keep(id: string, work: Promise<void>): void {
    const running = this.#running.of(id);
    const { lparId } = this.#records.get(id).record.source;
    const carrying: Promise<void> = work
      .catch((error: unknown) => this.#hypervisor.log.error({ err: error, migration_id: id }, "carrying the migration was interrupted"))
      .then(() => {
        const row = this.#hypervisor.store.lpar(lparId);
        if (running.carrying === carrying && row?.migrationId === id && row.ownership.kind === "released") running.carrying = undefined;
      });
    running.carrying = carrying;
  }

  /** @throws the reason when it was stopped, when what it needs was lost, or when it is being undone */
  #assertGoesOn(record: MigrationRecord): void {
    const { signal } = this.#running.of(record.id).abort;
    if (record.endedAt !== null) throw new OlpmError("wrong-state", "the migration has ended");
    if (record.stopRequested) throw STOPPED();
    if (signal.aborted) throw abortError(signal);
    if (record.status !== "running") throw new OlpmError("wrong-state", "the migration is being undone");
  }
}
