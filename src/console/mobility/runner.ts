/**
 * Moves partitions: validates, then runs the saga of steps.ts with its journal on the source system. A console that starts, or reaches a system again, takes
 * up the open migrations that bear its name and that it does not drive yet.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { realClock, type Clock } from "../../kit/clock.js";
import { OlpmError, operatorLine, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { delay } from "../../kit/wait.js";
import type { LparId, MigrationId } from "../../model/ids.js";
import type { LparView } from "../../model/lpar.js";
import type { MigrationEnd, MigrationRecord } from "../../model/migration.js";
import { brokenPromise } from "../../mobility/promise.js";
import type { SystemView } from "../../model/system.js";
import { definitionToMove } from "../../mobility/definition.js";
import type { decideRecovery, RecoveryRowName } from "../../mobility/recovery.js";
import { validate } from "../../mobility/plan.js";
import type { Validation } from "../../mobility/validation.js";
import { parseEntry, replay, type JournalEntry } from "../../saga/journal.js";
import { runSaga, type SagaOutcome } from "../../saga/saga.js";
import type { Finding, ManagedSystem, MigrationResult, Mobility, MobilityRequest, RecoveryResult, ValidationResult } from "../contract.js";
import type { ConsoleInventory } from "../inventory/inventory.js";
import { gatherFacts, waitMs, wantedOf } from "./facts.js";
import { followCopy } from "./follow.js";
import { recoverMigration, recoverPartition, settleSafely, type RecoverParts } from "./recover.js";
import { asRecordError, POINT_OF_NO_RETURN, STEPS, type MigrationContext, type MigrationParams } from "./steps.js";

/** Pause between two tries of a step after the hand-over. */
const RETRY_MS = 1_000;
/** The source takes a migration whose console is silent for long as nobody's (system/migration/recovery.ts, LEASE_MS). */
const HEARTBEAT_MS = 10_000;
/** Between two looks at migrations that are left somewhere. */
const TAKE_UP_MS = 30_000;

const SEE_SYSTEMS = "Check that both managed systems run and can be reached from this console, then try again.";

export interface RunnerOptions {
  readonly inventory: Pick<ConsoleInventory, "systems" | "system" | "lpar" | "onMigration" | "onConnected">;
  readonly consoleName: string;
  readonly log: Logger;
  /** a simulation has its own time, names and validation */
  readonly clock?: Clock;
  readonly newId?: () => string;
  readonly newTicket?: () => string;
  /** told of each step of a saga */
  readonly onStep?: (step: string, event: JournalEntry["event"]) => void;
  readonly decide?: typeof decideRecovery;
  /** told which row of the recovery table fitted, at each look */
  readonly onRecovery?: (row: RecoveryRowName) => void;
  readonly check?: (request: MobilityRequest, lpar: LparView, signal: AbortSignal) => Promise<Validation>;
}
const newTicket = () => randomBytes(32).toString("base64url");
const checked = async (request: MobilityRequest, lpar: LparView, signal: AbortSignal) => validate(await gatherFacts(request, lpar, signal));

export function createMobility(options: RunnerOptions): Mobility {
  return new Runner(options);
}

class Runner implements Mobility {
  readonly #options: RunnerOptions;
  readonly #clock: Clock;
  readonly #end = new AbortController();
  readonly #driving = new Map<string, Promise<unknown>>();
  readonly #takingUp = new Set<string>();
  readonly #forget: () => void;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#forget = options.inventory.onConnected((system) => void this.#takeUp(system));
    void this.#lookAfter();
  }

  async validate(request: MobilityRequest, signal: AbortSignal): Promise<ValidationResult> {
    const found = await this.#validate(request, signal);
    return { findings: found.findings, type: found.kind, possibleScsi: found.possibleScsi, suggestedScsi: found.suggestedScsi, possibleFc: found.possibleFc, suggestedFc: found.suggestedFc, possibleMsps: found.pairs, notes: found.notes, prediction: found.prediction };
  }

  async migrate(request: MobilityRequest, watch: { readonly signal: AbortSignal; readonly onProgress: (record: MigrationRecord) => void }): Promise<MigrationResult> {
    const validateAt = this.#clock.date().toISOString();
    const found = await this.#validate(request, watch.signal);
    if (found.plan === null) return { ok: false, findings: found.findings, record: null, notes: found.notes };
    if (watch.signal.aborted) throw new OlpmError("aborted", "The migration was stopped before it began.");
    const { source, lparId } = request;
    const id = (this.#options.newId ?? randomUUID)() as MigrationId;
    const end = (system: ManagedSystem, lpar: LparId, msp: { id: number; name: string; address: string } | null): MigrationEnd => ({ system: system.name, lparId: lpar, mspLparId: (msp?.id ?? null) as LparId | null, mspName: msp?.name ?? null, mspAddress: msp?.address ?? null });
    const { movers, redundant: second } = found.plan;
    const pairEnd = (id: number, name: string, address: string) => ({ mspLparId: id as LparId, mspName: name, mspAddress: address });
    const redundant = second && { source: pairEnd(second.sourceMspLparId, second.sourceMspName, second.sourceMspAddress), destination: pairEnd(second.destMspLparId, second.destMspName, second.destMspAddress) };
    const destination = end(request.destination, (request.options.destLparId ?? lparId) as LparId, movers && { id: movers.destMspLparId, name: movers.destMspName, address: movers.destMspAddress });
    const begun = await source.client.call("migration.begin", { id, peer: request.destination.endpoint, lparId, type: found.kind, destination, sourceMspLparId: (movers?.sourceMspLparId ?? null) as LparId | null, redundant, console: this.#options.consoleName, prediction: found.prediction });
    const params: MigrationParams = {
      id,
      ticket: (this.#options.newTicket ?? newTicket)(),
      type: found.kind,
      lparId,
      lparName: begun.record.lparName,
      generation: begun.record.generation,
      source: begun.record.source,
      destination,
      redundant,
      destLparId: (request.options.destLparId ?? null) as LparId | null,
      definition: definitionToMove(begun.definition, { kind: found.kind, policy: source.view!.migration.inactiveProfPolicy, profileName: request.options.profileName ?? null, vswitches: request.options.vswitchMappings ?? [], uuid: found.plan.newUuid ? randomUUID() : null }),
      storage: found.plan.storage as MigrationParams["storage"],
      fc: found.plan.fc as MigrationParams["fc"],
      waitMs: waitMs(request),
      console: this.#options.consoleName,
    };
    watch.onProgress(begun.record);
    const warnings = found.findings.filter((finding) => finding.severity === "warning");
    const outcome = await this.#drive(params, request, [], { stop: watch.signal, onProgress: watch.onProgress, warnings, fresh: true, ...(this.#options.check ? {} : { broken: () => this.#brokenPromise(request) }) });
    return { ...(await this.#result(params, request, outcome, warnings, validateAt)), notes: found.notes };
  }

  async stop(source: ManagedSystem, lparId: LparId): Promise<void> {
    const { records } = await source.client.call("migration.list", { history: false });
    const record = records.find((one) => one.role === "source" && one.source.lparId === lparId);
    if (!record) throw new OlpmError("wrong-state", "The partition is not migrating.", { hsc: "OLPM-S02", action: "lslparmigr -r lpar shows the migrations in progress." });
    await source.client.call("migration.stop", { id: record.id, error: null });
  }

  recover(system: ManagedSystem, lparId: LparId, { force, signal }: { readonly force: boolean; readonly signal: AbortSignal }): Promise<RecoveryResult> {
    return recoverPartition({ ...this.#recoverParts(), signal }, system, lparId, force);
  }

  async close(): Promise<void> {
    this.#forget();
    this.#end.abort(new OlpmError("aborted", "this console ends; the migration goes on and can be taken up"));
    await Promise.allSettled([...this.#driving.values()]);
  }

  /** Of what the console knows now; a system that it does not reach at the moment breaks nothing. */
  #brokenPromise(request: MobilityRequest): OlpmError | undefined {
    const { source, destination } = request;
    const lpar = source.lpars().find((one) => one.lparId === request.lparId);
    if (!lpar || !source.view || !destination.view || !source.connected || !destination.connected) return undefined;
    const side = (system: ManagedSystem, view: SystemView) => ({ view, connected: true, lpars: system.lpars() });
    const found = brokenPromise({ source: side(source, source.view), destination: side(destination, destination.view), lpar, wanted: wantedOf(request) });
    return found && new OlpmError("migration-failed", found.message, { hsc: found.hsc, action: found.action });
  }

  async #validate(request: MobilityRequest, signal: AbortSignal): Promise<Validation> {
    const lpar = this.#options.inventory.lpar(request.source, { lparId: request.lparId });
    return (this.#options.check ?? checked)(request, lpar, signal);
  }

  /** Runs the saga; `fresh`: its parameters are not in the journal yet. */
  #drive(params: MigrationParams, where: Pick<MobilityRequest, "source" | "destination">, entries: readonly JournalEntry[], how: { readonly stop: AbortSignal; readonly onProgress: (record: MigrationRecord) => void; readonly warnings: Finding[]; readonly fresh: boolean; readonly broken?: () => OlpmError | undefined }): Promise<SagaOutcome> {
    const { source, destination } = where;
    const { id } = params;
    const log = this.#options.log.child({ migration_id: id, role: "console", lpar: params.lparName });
    const append = async (entry: unknown) => void (await source.client.call("journal.append", { id, entry }));
    const context: MigrationContext = {
      params,
      source,
      destination,
      clock: this.#clock,
      stop: how.stop,
      follow: (start) => followCopy({ start, inventory: this.#options.inventory, source, id, onProgress: how.onProgress, stop: how.stop, end: this.#end.signal, clock: this.#clock, ...(how.broken ? { broken: how.broken } : {}) }),
      warn: (hsc, message, action) => how.warnings.push({ severity: "warning", hsc, message, action }),
    };
    const over = new AbortController();
    const beating = (async () => {
      for (;;) {
        await delay(HEARTBEAT_MS, over.signal, this.#clock);
        await source.client.call("migration.get", { id }, { signal: over.signal }).catch(() => undefined);
      }
    })().catch(() => undefined); // ended by `over`
    const work = (async () => {
      if (how.fresh) await append({ params });
      // Until the copy begins, a stop is the console's to see; then it is the source system's.
      const steps = STEPS.map((step) => ({
        ...step,
        run: async (c: MigrationContext, outputs: ReadonlyMap<string, unknown>) => {
          if (how.stop.aborted && STEPS.indexOf(step) <= STEPS.findIndex((one) => one.name === POINT_OF_NO_RETURN)) throw new OlpmError("aborted", "The migration was stopped by the user.", { hsc: "HSCLA2CF" });
          return step.run(c, outputs);
        },
      }));
      const outcome = await runSaga({
        steps,
        pointOfNoReturn: POINT_OF_NO_RETURN,
        context,
        journal: { append },
        entries,
        retryMs: RETRY_MS,
        signal: this.#end.signal,
        clock: this.#clock,
        onStep: (step, event, error) => {
          this.#options.onStep?.(step, event);
          log.info({ step, event, ...(error ? { error: error.message } : {}) }, "step");
        },
      });
      if (outcome.kind === "undone") await this.#endFailed(params, where, outcome);
      log.info({ outcome: outcome.kind }, "migration over");
      return outcome;
    })();
    this.#driving.set(id, work);
    return work.finally(async () => {
      over.abort();
      await beating;
      this.#driving.delete(id);
    });
  }

  /** Closes the record of a migration that was undone. One that turns out to have been handed over all the same is settled by the recovery table instead. */
  async #endFailed(params: MigrationParams, { source }: Pick<MobilityRequest, "source">, outcome: Extract<SagaOutcome, { kind: "undone" }>): Promise<void> {
    const { id } = params;
    try {
      await source.client.call("migration.endFailed", { id, status: outcome.error.code === "aborted" ? "stopped" : "failed", error: asRecordError(outcome.error) }, { deadlineMs: 60_000 });
    } catch (thrown) {
      if (toOlpmError(thrown, "").hsc !== "OLPM-S01") throw thrown;
      await recoverMigration(this.#recoverParts(), await source.client.call("migration.get", { id }), false);
    }
  }

  async #result(params: MigrationParams, where: Pick<MobilityRequest, "source" | "destination">, outcome: SagaOutcome, warnings: readonly Finding[], validateAt: string): Promise<MigrationResult> {
    const ask = (system: ManagedSystem) => system.client.call("migration.get", { id: params.id }).catch(() => null);
    const [mine, theirs] = await Promise.all([ask(where.source), ask(where.destination)]);
    // The destination knows when the partition ran there; the source hears of it later.
    const { resume, confirm } = theirs?.phaseStartedAt ?? {};
    const record = mine && { ...mine, stoppedMs: mine.stoppedMs ?? theirs?.stoppedMs ?? null, destination: theirs?.destination ?? mine.destination, phaseStartedAt: { validate: validateAt, ...mine.phaseStartedAt, ...(resume === undefined ? {} : { resume }), ...(confirm === undefined ? {} : { confirm }) } };
    // An undo that came too late undid nothing: what the source's record says has happened.
    const moved = outcome.kind === "done" || record?.status === "succeeded";
    // The destination owns it and could not let it run: moved, but not well.
    if (moved && theirs?.error) return { ok: false, findings: [{ severity: "error", hsc: theirs.error.hsc ?? "OLPM-R02", message: theirs.error.message, action: theirs.error.action ?? "" }, ...warnings], record };
    if (moved) return { ok: true, findings: warnings, record };
    const cause: Finding = { severity: "error", hsc: outcome.error.hsc ?? "HSCLA2CF", message: outcome.error.message, action: outcome.error.action ?? (["peer-lost", "timeout"].includes(outcome.error.code) ? SEE_SYSTEMS : "") };
    const left = outcome.left.map(({ step, error }): Finding => ({ severity: "error", hsc: "OLPM-R01", message: `Undoing ${step} did not succeed: ${operatorLine(error)}`, action: "It is tried again when the managed system can be reached; migrlpar -o r does it now." }));
    const state = where.source.lpars().find((lpar) => lpar.lparId === params.lparId)?.state;
    const standing = state === "error" ? "in the state Error" : (state ?? "in an unknown state");
    const where_: Finding = { severity: "warning", hsc: "OLPM-R00", message: `Partition ${params.lparName} is ${standing} on ${where.source.name}; ${left.length === 0 ? `nothing is reserved on ${where.destination.name}` : `what is left on ${where.destination.name} is named above`}.`, action: "" };
    return { ok: false, findings: [cause, ...left, ...warnings, where_], record };
  }

  async #lookAfter(): Promise<void> {
    while (!this.#end.signal.aborted) {
      for (const system of this.#options.inventory.systems()) if (system.connected) void this.#takeUp(system);
      await delay(TAKE_UP_MS, this.#end.signal, this.#clock).catch(() => undefined);
    }
  }

  /**
   * Open migrations that nobody drives: after a crash of the console, or an undo that could not reach a system. Those that this console began go on as sagas;
   * of the others it does what is safe, in case the two systems can not reach each other.
   */
  async #takeUp(system: ManagedSystem): Promise<void> {
    try {
      const { records } = await system.client.call("migration.list", { history: false });
      // Each side's record by itself: what can be done from the destination alone takes time, and the source's saga must not wait for it.
      const keyOf = ({ role, id }: MigrationRecord) => `${role} ${id}`;
      for (const record of records.filter((one) => !this.#driving.has(one.id) && !this.#takingUp.has(keyOf(one)))) {
        this.#takingUp.add(keyOf(record));
        try {
          if (record.console === this.#options.consoleName && record.role === "source") await this.#resume(system, record);
          else await settleSafely(this.#recoverParts(), record);
        } finally {
          this.#takingUp.delete(keyOf(record));
        }
      }
    } catch (error) {
      if (!this.#end.signal.aborted) this.#options.log.warn({ err: error, system: system.name }, "looking for migrations to take up failed");
    }
  }
  #recoverParts(): RecoverParts {
    return { inventory: this.#options.inventory, clock: this.#clock, signal: this.#end.signal, onRow: this.#options.onRecovery, decide: this.#options.decide };
  }

  async #resume(source: ManagedSystem, record: MigrationRecord): Promise<void> {
    const log = this.#options.log.child({ migration_id: record.id, lpar: record.lparName });
    const { entries } = await source.client.call("journal.read", { id: record.id });
    const params = (entries[0] as { params?: MigrationParams } | undefined)?.params;
    log.info({ phase: record.phase, status: record.status, entries: entries.length }, "taking up a migration");
    if (params === undefined) {
      // Nothing but the lock was taken.
      await source.client.call("migration.endFailed", { id: record.id, status: "failed", error: asRecordError(new OlpmError("migration-failed", "The console ended before the migration began.", { hsc: "HSCLA2CF" })) });
      return;
    }
    const journal = entries.slice(1).map(parseEntry);
    const { state } = await source.client.call("migration.facts", { id: record.id, role: "source" });
    // An undo that was begun too late is none: the saga can not go back, and recovery goes forward.
    if (["released", "gone"].includes(state) && replay(STEPS.map((step) => step.name), journal).direction === "undo") return settleSafely(this.#recoverParts(), record);
    const destination = this.#options.inventory.system(params.destination.system);
    const never = new AbortController().signal;
    void this.#drive(params, { source, destination }, journal, { stop: never, onProgress: () => undefined, warnings: [], fresh: false }).catch((error: unknown) => log.error({ err: toOlpmError(error, "taking up the migration") }, "a migration could not be taken up"));
  }
}
