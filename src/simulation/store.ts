/**
 * The store of one simulated system: rows that outlive its lives. A transaction is durable when it returns, or a crash takes all of it; a crash may be set to
 * come right after the n-th one, which is between two lines of the code under test.
 */
import type { LparRow, MigrationRow, Store } from "../system/store.js";

const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** What lies on the disk. */
export interface Disk {
  lpars: Map<number, LparRow>;
  migrations: Map<string, MigrationRow>;
  journals: Map<string, unknown[]>;
  /** UUIDs of partitions that a restore brought back */
  heldBack: readonly string[];
}
export const emptyDisk = (): Disk => ({ lpars: new Map(), migrations: new Map(), journals: new Map(), heldBack: [] });
export const copyOf = (disk: Disk): Disk => ({ lpars: new Map(disk.lpars), migrations: new Map(disk.migrations), journals: new Map([...disk.journals].map(([id, entries]) => [id, [...entries]])), heldBack: disk.heldBack });

export interface StoreHooks {
  readonly alive: () => boolean;
  /** after each outermost transaction that changed something */
  readonly committed: () => void;
  /** each migration row as it is made durable */
  readonly migrationPut: (row: MigrationRow) => void;
  /** a planted bug: each write of a transaction is durable by itself */
  readonly piecemeal: boolean;
}
const dead = () => new Error("this life of the system has ended");

export class SimStore implements Pick<Store, "transaction" | "lpars" | "lpar" | "putLpar" | "removeLpar" | "migrations" | "migration" | "putMigration" | "appendJournal" | "journal" | "fact" | "heldBack"> {
  readonly #disk: Disk;
  readonly #hooks: StoreHooks;
  #depth = 0;
  #changed = false;
  #writing = false;

  constructor(disk: Disk, hooks: StoreHooks) {
    this.#disk = disk;
    this.#hooks = hooks;
  }

  transaction<T>(change: () => T): T {
    if (!this.#hooks.alive()) throw dead();
    if (this.#depth > 0 || (this.#hooks.piecemeal && !this.#writing)) return change();
    const before = copyOf(this.#disk);
    this.#depth++;
    this.#changed = false;
    let result: T;
    try {
      result = change();
    } catch (error) {
      Object.assign(this.#disk, before);
      throw error;
    } finally {
      this.#depth--;
    }
    if (this.#changed) this.#hooks.committed();
    if (!this.#hooks.alive()) throw dead(); // the crash came right after this commit
    return result;
  }

  lpars(): LparRow[] {
    return [...this.#disk.lpars.values()].sort((a, b) => a.lparId - b.lparId);
  }
  lpar(id: number): LparRow | undefined {
    return this.#disk.lpars.get(id);
  }
  putLpar(row: LparRow): LparRow {
    const next = copy({ ...row, revision: row.revision + 1 });
    this.#change(() => this.#disk.lpars.set(row.lparId, next));
    return next;
  }
  removeLpar(id: number): void {
    this.#change(() => this.#disk.lpars.delete(id));
  }
  migrations(): MigrationRow[] {
    return [...this.#disk.migrations.values()];
  }
  migration(id: string): MigrationRow | undefined {
    return this.#disk.migrations.get(id);
  }
  putMigration(row: MigrationRow): MigrationRow {
    const next = copy({ ...row, record: { ...row.record, revision: row.record.revision + 1 } });
    this.#change(() => this.#disk.migrations.set(row.record.id, next));
    this.#hooks.migrationPut(next);
    return next;
  }
  appendJournal(id: string, entry: unknown): void {
    this.#change(() => this.#disk.journals.set(id, [...(this.#disk.journals.get(id) ?? []), copy(entry ?? null)]));
  }
  journal(id: string): unknown[] {
    return this.#disk.journals.get(id) ?? [];
  }

  heldBack(): readonly string[] {
    return this.#disk.heldBack;
  }
  /** No operator has set anything here. */
  fact(): undefined {
    return undefined;
  }

  #change(work: () => void): void {
    this.#writing = true;
    try {
      this.transaction(() => {
        this.#changed = true;
        work();
      });
    } finally {
      this.#writing = false;
    }
  }
}
