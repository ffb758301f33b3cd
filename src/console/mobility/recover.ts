/**
 * Recovery from the console: what both systems find about a migration, the row of mobility/recovery.ts that fits, and its steps on both sides, until nothing is left
 * to do. `migrlpar -o r` is for people and explains itself; `settleSafely` is for what a console finds when it reaches a system. Neither drives a saga.
 */
import type { Clock } from "../../kit/clock.js";
import { OlpmError, operatorLine, toOlpmError } from "../../kit/errors.js";
import { delay } from "../../kit/wait.js";
import { decideRecovery, recoveryFacts, type RecoveryRow, type RecoveryRowName } from "../../mobility/recovery.js";
import type { LparId } from "../../model/ids.js";
import type { DestinationFacts, MigrationRecord, RecoveryStep, SideFacts, SourceFacts } from "../../model/migration.js";
import type { Finding, Inventory, ManagedSystem, RecoveryResult } from "../contract.js";

/** A step that must wait for a partition's process takes seconds; a recovery that needs longer is looked at again by whoever called it. */
const RECOVER_MS_MAX = 120_000;
const LOOK_AGAIN_MS = 1_000;
const ASK_MS_MAX = 8_000;
const STEP_MS_MAX = 90_000;
/** Two looks are never at one moment; only what is seen this often in a row is believed to be a contradiction. */
const DOUBTS_MAX = 4;

export interface RecoverParts {
  readonly inventory: Pick<Inventory, "system">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly decide?: typeof decideRecovery | undefined;
  readonly onRow?: ((row: RecoveryRowName) => void) | undefined;
}
interface Seen {
  readonly source: SourceFacts | null;
  readonly destination: DestinationFacts | null;
  readonly row: RecoveryRow;
}

/** `migrlpar -o r`: recovers the last migration of a partition. @throws OlpmError peer-lost when the named system can not be asked */
export async function recoverPartition(parts: RecoverParts, system: ManagedSystem, lparId: LparId, force: boolean): Promise<RecoveryResult> {
  const { records } = await system.client.call("migration.list", { history: true });
  const own = records.filter((record) => (record.role === "source" ? record.source.lparId : record.destination.lparId) === lparId);
  const record = own.filter((one) => one.endedAt === null).at(-1) ?? own.at(-1);
  if (!record) return { ok: false, findings: [notNeeded("The partition")] };
  return recoverMigration(parts, record, force);
}

export async function recoverMigration(parts: RecoverParts, record: MigrationRecord, force: boolean): Promise<RecoveryResult> {
  const { clock, signal } = parts;
  const end = clock.now() + RECOVER_MS_MAX;
  let acted = false;
  let forced = false;
  let doubts = 0;
  for (;;) {
    const seen = await look(parts, record);
    const { row } = seen;
    const steps = row.kind === "act" ? row.steps : force && !forced ? row.forced : [];
    if (steps.length > 0) {
      forced ||= row.kind !== "act";
      const failure = await perform(parts, record, seen, steps);
      acted = true;
      if (failure && clock.now() >= end) return { ok: false, findings: [stepFailed(record, failure), ...whatIsKnown(record, seen)] };
    } else if (row.kind === "done") return acted ? { ok: true, findings: [] } : { ok: false, findings: [notNeeded(`Partition ${record.lparName}`)] };
    else if (row.kind === "ask" && ++doubts >= DOUBTS_MAX) return { ok: false, findings: [needsOperator(record, row), ...whatIsKnown(record, seen)] };
    else if (row.kind === "wait" && (!acted || clock.now() >= end)) return { ok: false, findings: [underWay(record, row), ...whatIsKnown(record, seen)] };
    if (clock.now() >= end) return { ok: false, findings: [underWay(record, row), ...whatIsKnown(record, seen)] };
    await delay(LOOK_AGAIN_MS, signal, clock);
  }
}

/** Does the next safe step of a migration that this console does not drive; says nothing and leaves everything else. */
export async function settleSafely(parts: RecoverParts, record: MigrationRecord): Promise<void> {
  const seen = await look(parts, record);
  if (seen.row.kind === "act") await perform(parts, record, seen, seen.row.steps.slice(0, 1));
}

async function look(parts: RecoverParts, record: MigrationRecord): Promise<Seen> {
  const ask = async (role: "source" | "destination"): Promise<SideFacts | null> => {
    try {
      return await systemOf(parts, record, role).client.call("migration.facts", { id: record.id, role }, { deadlineMs: ASK_MS_MAX, signal: parts.signal });
    } catch (thrown) {
      if (parts.signal.aborted) throw toOlpmError(thrown, "recovery");
      return null;
    }
  };
  const [source, destination] = (await Promise.all([ask("source"), ask("destination")])) as [SourceFacts | null, DestinationFacts | null];
  const row = (parts.decide ?? decideRecovery)(recoveryFacts(source, destination));
  parts.onRow?.(row.name);
  return { source, destination, row };
}

/** The steps in order; a side that can not be reached settles its own when it is back. Gives the failure that stopped it. */
async function perform(parts: RecoverParts, record: MigrationRecord, seen: Seen, steps: readonly RecoveryStep[]): Promise<OlpmError | undefined> {
  for (const step of steps) {
    const role = step.startsWith("source.") ? "source" : "destination";
    if (seen[role] === null) continue;
    try {
      await systemOf(parts, record, role).client.call("migration.settle", { id: record.id, step }, { deadlineMs: STEP_MS_MAX, signal: parts.signal });
    } catch (thrown) {
      if (parts.signal.aborted) throw toOlpmError(thrown, "recovery");
      return toOlpmError(thrown, step);
    }
  }
  return undefined;
}

const systemOf = (parts: RecoverParts, record: MigrationRecord, role: "source" | "destination"): ManagedSystem => parts.inventory.system(record[role].system);

const error = (hsc: string, message: string, action: string): Finding => ({ severity: "error", hsc, message, action });
const notNeeded = (what: string) => error("OLPM-R03", `${what} does not need recovery.`, "lslparmigr -r lpar shows the migrations that have not ended.");
const underWay = (record: MigrationRecord, row: RecoveryRow) => error("OLPM-R04", `The migration of partition ${record.lparName} from ${record.source.system} to ${record.destination.system} is under way: ${row.means}.`, row.advice);
const needsOperator = (record: MigrationRecord, row: RecoveryRow) => error("OLPM-R05", `The migration of partition ${record.lparName} from ${record.source.system} to ${record.destination.system} can not be recovered without a person: ${row.means}.`, row.advice);
const stepFailed = (record: MigrationRecord, failure: OlpmError) => error("OLPM-R06", `A step of the recovery of partition ${record.lparName} failed: ${operatorLine(failure)}`, "It is tried again by the managed systems; migrlpar -o r tries it now.");

/** What each side says, so that a person can judge. */
function whatIsKnown(record: MigrationRecord, seen: Seen): Finding[] {
  const line = (role: string, system: string, facts: SideFacts | null): Finding => ({
    severity: "warning",
    hsc: "OLPM-R00",
    message: facts === null ? `The ${role} ${system} can not be asked.` : `The ${role} ${system} says: ${facts.state}; process of the partition: ${facts.process}${facts.detail === "" ? "" : ` (${facts.detail})`}.`,
    action: "",
  });
  return [line("source", record.source.system, seen.source), line("destination", record.destination.system, seen.destination)];
}
