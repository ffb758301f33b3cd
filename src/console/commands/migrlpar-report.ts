/** What `migrlpar` prints: findings as the HMC does (hmc-cli 2.7), details for those who ask, and one line for each migration of several. */
import { OlpmError, operatorLine } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { Prediction } from "../../model/migration.js";
import type { CommandIo, Finding, MigrationResult } from "../contract.js";
import type { Options } from "./command.js";
import type { Moved } from "./migrlpar-waves.js";

/** Errors come first already; all go to standard error, as clients expect (hmc-cli 1.7). Of several partitions each message names its own. */
export function printFindings(findings: readonly Finding[], lpar: LparView, several: boolean, options: Options, io: CommandIo): void {
  const { name } = lpar.definition;
  const brief = options.has("--nodetails");
  for (const { hsc, message, action, details = [] } of findings) {
    const named = several && !message.includes(name) ? `${message} (partition ${name})` : message;
    io.stderr(`${operatorLine(new OlpmError("refused", named, { hsc, action: brief || action === "" ? undefined : action }))}\n`);
    if (!brief && details.length > 0) io.stderr(`VIOS_DETAILED_ERROR\n${details.join("\n")}\nEnd Detailed Message.\n`);
  }
}

/** -d */
export function printNotes(notes: readonly { readonly level: number; readonly text: string }[], options: Options, io: CommandIo): void {
  const level = options.number("-d") ?? 0;
  for (const note of notes) if (note.level <= level) io.stdout(`${note.text}\n`);
}

const seconds = (from: string, to: string): string => `${((Date.parse(to) - Date.parse(from)) / 1000).toFixed(1)} s`;

/** One migration in one line. */
export function summary(lpar: LparView, { ok, record, findings }: MigrationResult): string {
  const { name } = lpar.definition;
  const cause = findings.find((one) => one.severity === "error");
  if (!ok) return `${name}: ${record === null ? "not migrated" : "migration failed"}${cause ? `: ${cause.hsc}` : ""}`;
  if (!record) return `${name}: migrated`;
  const took = record.endedAt === null ? "" : ` in ${seconds(record.startedAt, record.endedAt)}`;
  const stopped = record.stoppedMs === null ? "" : `, stopped ${record.stoppedMs} ms`;
  return `${name}: migrated to ${record.destination.system}${took}${stopped}${expected(record.prediction)}`;
}

const expected = (prediction: Prediction | null): string => (prediction === null ? "" : ` (predicted ${prediction.totalMs.map((ms) => (ms / 1_000).toFixed(1)).join(" to ")} s, ${prediction.stoppedMs.join(" to ")} ms)`);

/** A validation failed: nothing was begun. */
export const isNothingMoved = ({ result }: Moved): boolean => !result.ok && result.record === null;

/** hmc-cli 2.9 */
export function exitStatus(moved: readonly Moved[]): number {
  const failed = moved.filter(({ result }) => !result.ok);
  if (failed.length === 0) return 0;
  if (failed.every(isNothingMoved)) return failed.length === moved.length ? 66 : 65;
  return failed.length === moved.length ? 68 : 67;
}
