/**
 * The managed system's truth on disk: an embedded database (lmdb) whose transactions are on stable storage before they return.
 * Rows are parsed on the way out, so that a damaged database is found here and not by whoever uses a field.
 */
import fs from "node:fs";
import path from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { z } from "zod";
import { Generation, LparId } from "../model/ids.js";
import { LparDefinition, StorageMapping } from "../model/lpar.js";
import { MigrationRecord } from "../model/migration.js";
import { LunVisibility, PlannedFc, PlannedStorage } from "../wire/console-system.js";
import { ViosDevices } from "../wire/system-vios.js";

const OwnershipRow = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("absent") }),
  z.object({ kind: z.literal("owner"), generation: Generation, migrationId: z.null() }),
  z.object({ kind: z.literal("reserved"), generation: Generation, migrationId: z.string() }),
  z.object({ kind: z.literal("released"), generation: Generation, migrationId: z.string() }),
  z.object({ kind: z.literal("declined"), generation: Generation, migrationId: z.string() }),
  z.object({ kind: z.literal("gone"), generation: Generation, migrationId: z.string() }),
]);

/** One partition as it is kept. `power`: what the operator last asked for, so that a death while we were away is noticed. */
export const LparRow = z.object({
  lparId: LparId,
  revision: z.number().int(),
  definition: LparDefinition,
  ownership: OwnershipRow,
  storage: z.array(StorageMapping),
  /** what a migration to here has promised, as `storage`: virtual Fibre Channel */
  fc: z.array(PlannedFc).default([]),
  migrationId: z.string().nullable(),
  /** account of its process here (accounts.ts); absent: never started here by this version */
  uid: z.number().int().positive().optional(),
  power: z.enum(["off", "on"]),
  /** operator-visible: the process ended without being asked to */
  failed: z.boolean(),
  startedAt: z.string().nullable(),
  /** vioserver only */
  devices: ViosDevices.nullable(),
});
export type LparRow = z.infer<typeof LparRow>;

/** One migration as this side keeps it, with what recovery needs and no console has to know. */
export const MigrationRow = z.object({
  record: MigrationRecord,
  ticket: z.string().nullable(),
  planned: z.array(PlannedStorage),
  peer: z.object({ host: z.string(), port: z.number().int(), name: z.string() }).nullable(),
  /** destination: what it decided; source: `alone` when it went on by a person's word that the destination is lost */
  outcome: z.enum(["owned", "declined", "alone"]).nullable(),
});
export type MigrationRow = z.infer<typeof MigrationRow>;
export type { LunVisibility };

/** Ended migrations kept for the history; the oldest go first. */
const HISTORY_MAX = 500;

const FILE = "system.lmdb";

export class Store {
  readonly #root: RootDatabase;
  readonly #lpars: Database<unknown, number>;
  readonly #migrations: Database<unknown, string>;
  readonly #journals: Database<unknown, [string, number]>;
  readonly #facts: Database<unknown, string>;

  /** Opens or makes the database in `dir` (0700). */
  constructor(dir: string) {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = path.join(dir, FILE);
    // overlappingSync would answer before the data is on disk; ownership records must not.
    this.#root = open({ path: file, overlappingSync: false, maxDbs: 8, encoding: "json" });
    fs.chmodSync(file, 0o600);
    this.#lpars = this.#root.openDB({ name: "lpars", encoding: "json" });
    this.#migrations = this.#root.openDB({ name: "migrations", encoding: "json" });
    this.#journals = this.#root.openDB({ name: "journals", encoding: "json" });
    this.#facts = this.#root.openDB({ name: "facts", encoding: "json" });
  }

  /** All changes made by `change` are durable when this returns, or none is. May be nested: the outer transaction holds. */
  transaction<T>(change: () => T): T {
    return this.#root.transactionSync(change);
  }

  lpars(): LparRow[] {
    return [...this.#lpars.getRange({})].map(({ value }) => LparRow.parse(value));
  }
  lpar(id: number): LparRow | undefined {
    const value = this.#lpars.get(id);
    return value === undefined ? undefined : LparRow.parse(value);
  }
  /** Writes a row with the next revision and gives it back. */
  putLpar(row: LparRow): LparRow {
    const next = LparRow.parse({ ...row, revision: row.revision + 1 });
    this.transaction(() => void this.#lpars.putSync(row.lparId, next));
    return next;
  }
  removeLpar(id: number): void {
    this.transaction(() => void this.#lpars.removeSync(id));
  }

  migrations(): MigrationRow[] {
    return [...this.#migrations.getRange({})].map(({ value }) => MigrationRow.parse(value));
  }
  migration(id: string): MigrationRow | undefined {
    const value = this.#migrations.get(id);
    return value === undefined ? undefined : MigrationRow.parse(value);
  }
  putMigration(row: MigrationRow): MigrationRow {
    const next = MigrationRow.parse({ ...row, record: { ...row.record, revision: row.record.revision + 1 } });
    this.transaction(() => {
      this.#migrations.putSync(row.record.id, next);
      if (next.record.endedAt !== null) this.#forgetOld();
    });
    return next;
  }

  /** Appends to a saga's journal; the position is its order. */
  appendJournal(id: string, entry: unknown): void {
    this.transaction(() => {
      let position = 0;
      // A range's end is not part of it: -1, so that the entry at 0 counts.
      for (const { key } of this.#journals.getRange({ start: [id, Number.MAX_SAFE_INTEGER], end: [id, -1], reverse: true, limit: 1 })) position = key[1] + 1;
      this.#journals.putSync([id, position], entry ?? null);
    });
  }
  journal(id: string): unknown[] {
    return [...this.#journals.getRange({ start: [id, 0], end: [id, Number.MAX_SAFE_INTEGER] })].map(({ value }) => value);
  }

  /** Small facts of the system itself: uuid, name, virtual switches. */
  fact<T>(name: string, schema: z.ZodType<T>): T | undefined {
    const value = this.#facts.get(name);
    return value === undefined ? undefined : schema.parse(value);
  }
  putFact(name: string, value: unknown): void {
    this.transaction(() => void this.#facts.putSync(name, value));
  }

  /** UUIDs of partitions that a restore brought back and nobody has confirmed yet: they are not activated (`openlpm restore --confirm`). */
  heldBack(): readonly string[] {
    return this.fact("held_back", z.array(z.string())) ?? [];
  }
  holdBack(uuids: readonly string[]): void {
    this.putFact("held_back", uuids);
  }

  /** Writes one moment of the database, under its own name, into `dir`. Readers and writers go on. */
  async backup(dir: string): Promise<void> {
    await this.#root.backup(path.join(dir, FILE), true);
  }

  async close(): Promise<void> {
    await this.#root.close();
  }

  #forgetOld(): void {
    const ended = this.migrations().filter((row) => row.record.endedAt !== null).sort((a, b) => a.record.endedAt!.localeCompare(b.record.endedAt!));
    for (const row of ended.slice(0, Math.max(0, ended.length - HISTORY_MAX))) {
      this.#migrations.removeSync(row.record.id);
      for (const { key } of this.#journals.getRange({ start: [row.record.id, 0], end: [row.record.id, Number.MAX_SAFE_INTEGER] })) this.#journals.removeSync(key);
    }
  }
}
