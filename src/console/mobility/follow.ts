/** Follows a migration on its source system until it is decided: by events, and by asking each second, over losses of the connection. */
import { realClock, type Clock } from "../../kit/clock.js";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { abortError, delay } from "../../kit/wait.js";
import type { MigrationId } from "../../model/ids.js";
import { MIGRATION_PHASES, type MigrationError, type MigrationPhase, type MigrationRecord } from "../../model/migration.js";
import type { Inventory, ManagedSystem } from "../contract.js";

const ASK_EVERY_MS = 1_000;

export const reached = (record: MigrationRecord, phase: MigrationPhase): boolean => MIGRATION_PHASES.indexOf(record.phase) >= MIGRATION_PHASES.indexOf(phase);

/** A recorded error as ours again. */
export const fromRecord = (error: MigrationError | null): OlpmError =>
  error === null ? new OlpmError("migration-failed", "The migration failed before the hand-over.", { hsc: "HSCLA2CF" }) : new OlpmError(error.code as OlpmError["code"], error.message, { hsc: error.hsc ?? undefined, action: error.action ?? undefined, reportedBy: error.reportedBy ?? undefined });

export interface FollowOptions {
  readonly inventory: Pick<Inventory, "onMigration">;
  readonly source: ManagedSystem;
  readonly id: MigrationId;
  readonly onProgress: (record: MigrationRecord) => void;
  /** repeats the start of the copy; harmless when it is under way */
  readonly start: () => Promise<unknown>;
  /** the operator wants it stopped */
  readonly stop: AbortSignal;
  /** looked at once a second until the partition is suspended: what validation promised and does not hold any more */
  readonly broken?: () => OlpmError | undefined;
  /** this console ends */
  readonly end: AbortSignal;
  readonly clock?: Clock;
}

/**
 * Resolves when the destination owns the partition. An operator's stop is passed on once; after the hand-over the system refuses it and the migration goes on.
 * @throws OlpmError the recorded error when the partition stays on the source | aborted when this console ends
 */
export async function followCopy(options: FollowOptions): Promise<void> {
  const { inventory, source, id, stop, end, clock = realClock } = options;
  let wake: (() => void) | undefined;
  let latest: MigrationRecord | undefined;
  let told = false;
  const take = (record: MigrationRecord) => {
    if (record.id !== id || record.role !== "source" || (latest && latest.revision >= record.revision)) return;
    latest = record;
    options.onProgress(record);
    wake?.();
  };
  const forget = inventory.onMigration((system, record) => {
    if (system === source) take(record);
  });
  const onStop = () => void source.client.call("migration.stop", { id, error: null }).catch(() => undefined); // refused after the hand-over: then it completes
  if (stop.aborted) onStop();
  else stop.addEventListener("abort", onStop, { once: true });
  try {
    for (;;) {
      if (end.aborted) throw abortError(end);
      take(await source.client.call("migration.get", { id }, { signal: end }).catch((error: unknown) => (toOlpmError(error, "").code === "not-found" ? Promise.reject(error) : latest!)) ?? latest!);
      if (latest) {
        if (latest.status === "undoing" || latest.status === "failed" || latest.status === "stopped") throw fromRecord(latest.error);
        const broken = told || reached(latest, "suspend") ? undefined : options.broken?.();
        if (broken) {
          told = true;
          await source.client.call("migration.stop", { id, error: { code: broken.code, message: broken.message, hsc: broken.hsc ?? null, action: broken.action ?? null, reportedBy: null } }).catch(() => undefined); // as an operator's stop
          continue;
        }
        if (reached(latest, "confirm") || latest.status === "succeeded") return;
        // A source that was restarted before it wrote down that it began does not begin by itself. What cannot be asked now is asked again.
        if (!reached(latest, "copy")) await options.start().catch((error: unknown) => (toOlpmError(error, "").reportedBy === undefined ? undefined : Promise.reject(error)));
      }
      const timer = new AbortController();
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), delay(ASK_EVERY_MS, timer.signal, clock).catch(() => undefined)]);
      timer.abort();
    }
  } finally {
    forget();
    stop.removeEventListener("abort", onStop);
  }
}
