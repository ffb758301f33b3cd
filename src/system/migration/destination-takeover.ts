/**
 * How the destination ends: it takes the partition over when the state is complete, or declines it, durably. Called by destination.ts, which has what
 * others call.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { delay, within } from "../../kit/wait.js";
import type { LparId } from "../../model/ids.js";
import { hasSecondPair, type MigrationRecord } from "../../model/migration.js";
import type { Hypervisor } from "../contract.js";
import type { Released, Waiting, WaitingMigrations } from "./destination-waiting.js";
import { removeFc } from "./fibre-channel.js";
import { asMigrationError, isHandedOver, moversOpened, type Records } from "./records.js";

/** The source's message with the rest of the console log is worth this much waiting, no more: the partition is stopped. */
const TAIL_MS_MAX = 250;
/** Between two tries of what an owner, or a side that declines, must bring about. */
const AGAIN_MS = 1_000;
/** From the source's word to the complete state it takes a fraction of a second; the clients of the partition wait for so long at most (TCP gives them minutes). */
const REST_MS_MAX = 20_000;
export const ENDED = () => new OlpmError("migration-failed", "its process has ended", { hsc: "HSCLA2CF" });

export class TakeOver {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;
  readonly #waiting: WaitingMigrations;

  constructor(hypervisor: Hypervisor, records: Records, waiting: WaitingMigrations) {
    this.#hypervisor = hypervisor;
    this.#records = records;
    this.#waiting = waiting;
  }

  /** Waits for the complete state and takes the partition over, or declines it. Runs at most once for a migration. */
  watch(id: string): void {
    const waiting = this.#waiting.of(id);
    if (waiting.watching) return;
    const { record } = this.#records.get(id);
    const log = this.#hypervisor.log.child({ migration_id: id, role: "destination", lpar: record.lparName });
    const process = this.#hypervisor.process(record.destination.lparId);
    if (!process) return;
    const viosIds = new Set<number>([this.#hypervisor.row(record.destination.lparId)].flatMap((row) => [...row.storage, ...row.fc]).map((mapping) => mapping.viosLparId));
    const lose = (lparId: number, why: string) => {
      if (!viosIds.has(lparId)) return;
      const action = "Activate it with chsysstate -r lpar -o on, then try again.";
      waiting.lost = new OlpmError("storage-failed", `the Virtual I/O Server that serves the partition on ${this.#hypervisor.config.name} was lost: ${why}`, { hsc: "HSCLA2CF", action });
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
        const complete = await process.loaded(waiting.abort.signal).then(
          () => true,
          (thrown: unknown) => (this.#mayChangePairs(id, waiting) ? this.#leavePair(id, waiting, toOlpmError(thrown, "receiving the partition's state"), log) : Promise.reject(thrown)),
        );
        loaded.abort();
        if (!complete) return;
        await this.#takeOver(id, waiting, log);
      } catch (thrown) {
        const error = toOlpmError(thrown, "receiving the partition's state");
        if (error.code === "aborted" && !waiting.lost) return; // abandon() goes on from here
        log.warn({ err: error }, "the partition can not be taken over; it never will run here");
        await this.decline(id, error).catch((cause: unknown) => log.error({ err: cause }, "declining was interrupted; recovery goes on with it"));
      } finally {
        loaded.abort();
        unwatch();
      }
    })();
  }

  /** The source has not released the partition, so that a state that does not come to its end decides nothing: the source may want the second pair, or undo it all. */
  #mayChangePairs(id: string, waiting: Waiting): boolean {
    const { record } = this.#records.get(id);
    if (waiting.lost || waiting.closing || waiting.abandoning) return false;
    return waiting.changingPairs || (hasSecondPair(record) && record.status === "running" && !isHandedOver(record));
  }
  #leavePair(id: string, waiting: Waiting, error: OlpmError, log: Logger): false {
    waiting.watching = undefined;
    if (waiting.changingPairs) return false;
    log.warn({ err: error }, "the state does not come any more; the source may take the second pair of movers");
    const { record } = this.#records.get(id);
    // The source learns at once that nobody takes its stream any more.
    void this.#hypervisor.closeMover(record.destination.mspLparId, record.id, error.message).catch((cause: unknown) => log.warn({ err: cause }, "the mover could not be closed"));
    return false;
  }

  async #takeOver(id: string, waiting: Waiting, log: Logger): Promise<void> {
    const { record } = this.#records.get(id);
    const { lparId } = record.destination;
    this.openEarly(waiting, lparId); // a complete state proves that the source has closed them
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
    const stoppedMs = await this.run(record, released ?? null);
    log.info({ stoppedMs }, "partition runs here");
    waiting.decide("owned");
  }

  /** The last look before this side owns it: what could not run here is declined and goes on at the source. */
  async #assertCanRun(lparId: LparId, waiting: Waiting): Promise<void> {
    if (waiting.lost) throw waiting.lost;
    if ((await this.#hypervisor.process(lparId)?.state()) !== "loaded") throw new OlpmError("migration-failed", `the partition's process ended on ${this.#hypervisor.config.name}`, { hsc: "HSCLA2CF" });
  }

  /** Lets an owned partition run, whose gates are open; gives the ms that it stood still, if the source told. */
  async run(record: MigrationRecord, released: Released | null): Promise<number | null> {
    const { lparId } = record.destination;
    const process = this.#hypervisor.process(lparId);
    if (!process) throw ENDED();
    // The LUNs are open by now, unless opening them early failed.
    let open = await this.#waiting.of(record.id).gates;
    let runsSinceMs = 0;
    await this.#untilDone("the partition could not run yet", record, async () => {
      if (!this.#hypervisor.process(lparId)) throw ENDED();
      if (open !== true) await this.#hypervisor.setGates(lparId, "open");
      open = true;
      runsSinceMs = await process.run();
    });
    const stoppedMs = released === null ? null : Math.max(0, Math.round(released.stoppedForMs + this.#hypervisor.clock.now() - released.at - runsSinceMs));
    const announced = process.announce().catch((error: unknown) => this.#hypervisor.log.warn({ err: error, migration_id: record.id }, "announcing the addresses failed; the LAN learns them from the partition's own traffic"));
    this.#records.change(record.id, (now) => this.#records.entered({ ...now, stoppedMs }, "confirm"));
    await announced;
    return stoppedMs;
  }

  /** Ends what could run or write here, then says durably that this side never will. Asked again while it is at it, it is the same. */
  decline(id: string, error: OlpmError): Promise<void> {
    const waiting = this.#waiting.of(id);
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

  async takeDown(record: MigrationRecord): Promise<void> {
    const { lparId } = record.destination;
    const row = this.#hypervisor.store.lpar(lparId);
    if (row?.migrationId !== record.id) return;
    await this.#hypervisor.endProcess(lparId);
    for (const msp of moversOpened(this.#records.get(record.id).record, "destination")) await this.#hypervisor.closeMover(msp, record.id);
    for (const mapping of row.storage) await this.#hypervisor.unmap(mapping);
    await removeFc(this.#hypervisor, row.fc);
  }

  /** Opens the LUNs as soon as the source is known to have closed them, to save time; `run` opens whatever this did not. */
  openEarly(waiting: Waiting, lparId: LparId): void {
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
}
