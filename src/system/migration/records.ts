/**
 * The migration records of this system: the one place that changes them. Each change is durable and told to the consoles.
 * Used by source.ts and destination.ts; the recorded phases are those of model/migration.ts.
 */
import { OlpmError } from "../../kit/errors.js";
import type { LparId } from "../../model/ids.js";
import { MIGRATION_PHASES, NO_PROGRESS, type MigrationError, type MigrationPhase, type MigrationProgress, type MigrationRecord, type MigrationStatus } from "../../model/migration.js";
import type { Hypervisor } from "../contract.js";
import type { MigrationRow } from "../store.js";

/** Statuses of a migration that is still someone's business. */
const OPEN: readonly MigrationStatus[] = ["running", "undoing", "undecided"];
export const isOpen = (row: MigrationRow): boolean => OPEN.includes(row.record.status) && row.record.endedAt === null;

/** True at the hand-over and after it, when only the destination decides. */
export const isHandedOver = (record: MigrationRecord): boolean => MIGRATION_PHASES.indexOf(record.phase) >= MIGRATION_PHASES.indexOf("handOver");

export const asMigrationError = (error: OlpmError): MigrationError => ({ code: error.code, message: error.message, hsc: error.hsc ?? null, action: error.action ?? null, reportedBy: error.reportedBy ?? null });

/** What a person wants to know of a record beside its state. */
export const detailOf = (record: MigrationRecord): string => [`phase ${record.phase}`, `status ${record.status}`, `console ${record.console}`, ...(record.error ? [record.error.message] : [])].join(", ");

/** The Virtual I/O Servers of one side whose mover the migration has opened, or may have: a pair that was lost is closed with the one that took over. */
export const moversOpened = ({ source, destination, redundant, takeOver }: MigrationRecord, role: "source" | "destination"): (LparId | null)[] => [(role === "source" ? source : destination).mspLparId, ...(takeOver && redundant ? [redundant[role].mspLparId] : [])];

export class Records {
  readonly #hypervisor: Hypervisor;
  /** ids of all migrations that are open, perhaps of some that have ended; this is the one place that opens them */
  #open: Set<string> | undefined;

  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
  }

  /** @throws OlpmError not-found */
  get(id: string): MigrationRow {
    const row = this.find(id);
    if (!row) throw new OlpmError("not-found", `no migration ${id} is known on ${this.#hypervisor.config.name}`);
    return row;
  }
  find(id: string): MigrationRow | undefined {
    return this.#hypervisor.store.migration(id);
  }
  /** Asked every few seconds, also while a partition stands still: the history is read once. */
  open(): MigrationRow[] {
    this.#open ??= new Set(this.#hypervisor.store.migrations().filter(isOpen).map((row) => row.record.id));
    const rows: MigrationRow[] = [];
    for (const id of this.#open) {
      const row = this.find(id);
      if (row && isOpen(row)) rows.push(row);
      else this.#open.delete(id);
    }
    return rows;
  }
  list(history: boolean): MigrationRecord[] {
    return this.#hypervisor.store
      .migrations()
      .filter((row) => history || isOpen(row))
      .map((row) => row.record)
      .sort((a, b) => a.startedAt.localeCompare(b.startedAt));
  }

  /** The record of a migration that begins now, to be put. */
  begun(given: Pick<MigrationRecord, "id" | "role" | "type" | "lparName" | "lparUuid" | "source" | "destination" | "generation" | "console" | "prediction" | "redundant">): MigrationRecord {
    const now = this.now();
    return { ...given, phase: "prepare", status: "running", stopRequested: false, progress: NO_PROGRESS, way: null, phaseStartedAt: { prepare: now }, startedAt: now, endedAt: null, stoppedMs: null, error: null, takeOver: null, revision: 0 };
  }
  put(row: MigrationRow): MigrationRow {
    const next = this.#hypervisor.store.putMigration(row);
    // A row that has ended leaves at the next look: the transaction around this may still be taken back.
    if (isOpen(next)) this.#open?.add(next.record.id);
    this.#hypervisor.emit("migration.changed", next.record);
    return next;
  }
  change(id: string, change: (record: MigrationRecord) => MigrationRecord): MigrationRow {
    const row = this.get(id);
    return this.put({ ...row, record: change(row.record) });
  }

  /** Enters a phase; a phase that lies behind is left alone, so that a repeated step does not turn the clock back. */
  enter(id: string, phase: MigrationPhase): MigrationRow {
    return this.change(id, (record) => this.entered(record, phase));
  }
  /** The record with `phase` entered now, unless it is there already or further. */
  entered(record: MigrationRecord, phase: MigrationPhase): MigrationRecord {
    if (MIGRATION_PHASES.indexOf(phase) <= MIGRATION_PHASES.indexOf(record.phase)) return record;
    return { ...record, phase, phaseStartedAt: { ...record.phaseStartedAt, [phase]: this.now() } };
  }
  /** ISO time, as records have it */
  now(): string {
    return this.#hypervisor.clock.date().toISOString();
  }
  progress(id: string, progress: MigrationProgress): void {
    this.change(id, (record) => ({ ...record, progress }));
  }
  /** Marks a migration as failed before the hand-over; the console (or recovery) undoes the rest. The first error stays. */
  failing(id: string, error: OlpmError): MigrationRow {
    return this.change(id, (record) => ({ ...record, status: "undoing", error: record.error ?? asMigrationError(error) }));
  }
  end(id: string, status: "succeeded" | "failed" | "stopped", error: MigrationError | null): MigrationRow {
    return this.change(id, (record) => {
      const closed = { ...record, status, error: record.error ?? error, endedAt: record.endedAt ?? this.now() };
      return status === "succeeded" ? this.entered(closed, "done") : closed;
    });
  }
}
