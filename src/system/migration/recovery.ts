/**
 * What a managed system does about its open migrations without being asked. Every few seconds it looks at those that nobody drives, asks the other system what
 * that finds, and does its own part of the row of mobility/recovery.ts that fits. So an undo that could not reach a system is repeated until it succeeds,
 * a migration whose console never comes back is finished or undone, and both survive restarts: all that it goes by lies in the records.
 *
 * A migration is driven while its own console was heard of it within LEASE_MS, or a call of it is under way; then the console has the first word.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { delay } from "../../kit/wait.js";
import { recoveryFacts, type RecoveryRow } from "../../mobility/recovery.js";
import type { DestinationFacts, RecoveryStep, SideFacts, SourceFacts } from "../../model/migration.js";
import type { Hypervisor } from "../contract.js";
import type { MigrationRow } from "../store.js";
import type { DestinationSide } from "./destination.js";
import type { MigrationParts } from "./index.js";
import type { Records } from "./records.js";
import type { SourceSide } from "./source.js";

/** Between two looks at the open migrations. */
const LOOK_MS = 5_000;
/** A console that drives is heard every few seconds (console/mobility/runner.ts, HEARTBEAT_MS); this is many of them. */
export const LEASE_MS = 60_000;
/** The other system answers from its records; longer means that it can not be asked. */
const ASK_MS_MAX = 5_000;

export interface RecoveryOptions {
  readonly hypervisor: Hypervisor;
  readonly records: Records;
  readonly parts: MigrationParts;
  readonly source: SourceSide;
  readonly destination: DestinationSide;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  /** until it runs, nothing is taken as nobody's */
  #startedAt = Infinity;
  readonly #heardAt = new Map<string, number>();
  readonly #calls = new Map<string, number>();
  readonly #said = new Map<string, string>();

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Runs one call of a console; while it runs, and for a while after it, the migration counts as driven if the console is its own. */
  async during<T>(id: string, caller: string, work: () => Promise<T>): Promise<T> {
    const console = this.#options.records.find(id)?.record.console;
    if (console !== undefined && caller !== `console:${console}`) return work();
    this.#calls.set(id, (this.#calls.get(id) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const left = (this.#calls.get(id) ?? 1) - 1;
      if (left > 0) this.#calls.set(id, left);
      else this.#calls.delete(id);
      this.#heardAt.set(id, this.#options.hypervisor.clock.now());
    }
  }

  async facts(id: string, role: "source" | "destination"): Promise<SideFacts> {
    if (role === "destination") return this.#options.destination.facts(id);
    return { ...(await this.#options.source.facts(id)), driven: this.#driven(id) };
  }

  /** One step on this side. @throws OlpmError wrong-state when this side's records do not allow it; invalid-argument for a step of the other side */
  async settle(id: string, step: RecoveryStep): Promise<SideFacts> {
    const { records, source, destination, parts } = this.#options;
    const { turns } = parts;
    const { record } = records.get(id);
    if (!step.startsWith(`${record.role}.`)) throw new OlpmError("invalid-argument", `${step} is not a step of the ${record.role}`);
    switch (step) {
      case "source.learn":
        await source.learn(id);
        break;
      case "source.takeBack":
        await this.#assertDestinationLost(records.get(id));
        await source.takeBack(id);
        break;
      case "source.endFailed":
        if (record.type === "active" && record.phase === "prepare") await source.notifyGuest(id, "error").catch(() => undefined);
        await turns.take(id, () => source.endFailed(id, record.stopRequested ? "stopped" : "failed", { code: "migration-failed", message: "The migration was undone by recovery.", hsc: "HSCLA2CF", action: null, reportedBy: null }));
        break;
      case "source.clean":
        await turns.take(id, () => source.clean(id));
        break;
      case "destination.takeOver":
        destination.takeOver(id);
        break;
      case "destination.decline":
        await destination.decline(id);
        break;
      case "destination.abandon":
        await turns.take(id, () => destination.abandon(id, record.error));
        break;
      case "destination.finish":
        if (record.type === "active" && record.endedAt === null) await destination.notifyGuest(id, "confirm").catch(() => undefined);
        await turns.take(id, () => destination.finish(id));
        break;
      case "destination.giveWay":
        // Ending a partition is not done on hearsay: the source itself has to say that it went on.
        if (!(await this.askSource(records.get(id)))?.alone) throw new OlpmError("wrong-state", "the source does not say that it went on without this system");
        await turns.take(id, () => destination.giveWay(id));
        break;
    }
    return this.facts(id, record.role);
  }

  /** What the source says of a migration of which this system is the destination; null when it can not be asked. */
  async askSource(row: MigrationRow): Promise<SourceFacts | null> {
    return (await this.#ask(row, "source")) as SourceFacts | null;
  }

  /**
   * A console that can not reach the destination says little: it may only not manage it. What this system itself can reach and knows of the partition is not lost.
   * @throws OlpmError wrong-state with what the destination said
   */
  async #assertDestinationLost(row: MigrationRow): Promise<void> {
    const theirs = (await this.#ask(row, "destination", true)) as DestinationFacts | null;
    if (theirs === null || theirs.state === "none") return;
    const { lparName, destination } = row.record;
    throw new OlpmError("wrong-state", `${destination.system} is not lost: it answers ${this.#options.hypervisor.config.name} that partition ${lparName} is ${theirs.state} there (process ${theirs.process}${theirs.detail === "" ? "" : `; ${theirs.detail}`}).`, { action: "Recover it without --force, on a console that manages both systems: the destination has the word." });
  }

  /** Looks after the open migrations for as long as this process lives. */
  run(): void {
    this.#startedAt = this.#options.hypervisor.clock.now();
    void (async () => {
      for (;;) {
        await delay(LOOK_MS, undefined, this.#options.hypervisor.clock);
        await this.look();
      }
    })().catch((error: unknown) => this.#options.hypervisor.log.error({ err: error }, "looking after the migrations has ended"));
  }

  async look(): Promise<void> {
    const { records, hypervisor } = this.#options;
    await Promise.all(
      records.open().map((row) =>
        this.#lookAt(row).catch((thrown: unknown) => {
          const error = toOlpmError(thrown, "recovery");
          if (this.#said.get(row.record.id) !== error.message) hypervisor.log.warn({ err: error, migration_id: row.record.id }, "a step of recovery did not succeed; it is tried again");
          this.#said.set(row.record.id, error.message);
        }),
      ),
    );
  }

  async #lookAt(row: MigrationRow): Promise<void> {
    const { id, role } = row.record;
    const mine = await this.facts(id, role);
    if (mine.role === "source") {
      // Driven or carried: somebody is at it. Released: it asks the destination by itself; this is for the case that the asking was interrupted.
      if (mine.state === "released") return this.#options.source.resume(row);
      if (mine.state === "copying" || (mine.driven && mine.state !== "undoing")) return;
    } else if (this.#busy(id)) return;
    const theirs = await this.#ask(row, role === "source" ? "destination" : "source");
    const decided = this.#options.parts.decide(mine.role === "source" ? recoveryFacts(mine, theirs as DestinationFacts | null) : recoveryFacts(theirs as SourceFacts | null, mine));
    this.#say(row, decided);
    const [step] = decided.steps;
    if (step?.startsWith(`${role}.`)) await this.settle(id, step);
  }

  /** null when it can not be asked. `strict`: an answer that is an error is an answer, and thrown. */
  async #ask(row: MigrationRow, role: "source" | "destination", strict = false): Promise<SideFacts | null> {
    if (!row.peer) return null;
    const peer = this.#options.parts.connect(row.peer, this.#options.hypervisor.log);
    try {
      return await peer.client.call("handover.facts", { id: row.record.id, role }, { deadlineMs: ASK_MS_MAX });
    } catch (error) {
      if (strict && error instanceof OlpmError && error.reportedBy !== undefined) throw error;
      return null;
    } finally {
      peer.close();
    }
  }

  #busy(id: string): boolean {
    return (this.#calls.get(id) ?? 0) > 0;
  }
  #driven(id: string): boolean {
    return this.#busy(id) || this.#options.hypervisor.clock.now() - (this.#heardAt.get(id) ?? this.#startedAt) < LEASE_MS;
  }
  #say(row: MigrationRow, decided: RecoveryRow): void {
    const { id, lparName } = row.record;
    this.#options.parts.onRecovery?.(decided.name);
    if (this.#said.get(id) !== decided.name && decided.kind !== "wait") this.#options.hypervisor.log.info({ migration_id: id, lpar: lparName, row: decided.name, steps: decided.steps }, "recovery");
    this.#said.set(id, decided.name);
  }
}
