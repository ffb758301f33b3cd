/** Attributes of mobility, `lslparmigr` (hmc-cli section 3), in the order in which they are printed. */
import type { LparView } from "../../model/lpar.js";
import type { MigrationRecord, Prediction } from "../../model/migration.js";
import type { ValidationResult } from "../contract.js";
import type { Attribute } from "../grammar/list-output.js";

export interface MigratingLpar {
  readonly lpar: LparView;
  /** its migration, unless it is over */
  readonly record: MigrationRecord | undefined;
}

/** hmc-cli 3.3; the record's own words are in `openlpm_phase`. */
export function migrationState(record: MigrationRecord | undefined): string {
  if (!record) return "Not Migrating";
  switch (record.status) {
    case "running":
      if (record.stopRequested) return "Migration Stopping";
      if (record.phase === "validate" || record.phase === "prepare") return "Migration Starting";
      return record.phase === "done" ? "Migration Complete" : "Migration In Progress";
    case "undoing":
      return record.stopRequested ? "Migration Stopping" : "Migration Failed";
    case "succeeded":
      return "Migration Complete";
    case "stopped":
      return "Migration Stopped";
    case "failed":
      return "Migration Failed";
    // The destination has not said yet: it goes on until recovery has asked it.
    case "undecided":
      return "Migration In Progress";
  }
}

type Read = (record: MigrationRecord) => string | undefined | null;
const of = (read: Read) => ({ record }: MigratingLpar) => (record ? (read(record) ?? undefined) : undefined);
const onSource = (read: Read) => of((record) => (record.role === "source" ? read(record) : undefined));
const onDestination = (read: Read) => of((record) => (record.role === "destination" ? read(record) : undefined));
/** Counters appear once the movers stream. */
const streaming = (read: Read) => of((record) => (record.type === "active" && record.phaseStartedAt.copy !== undefined ? read(record) : undefined));
const text = (id: number | null): string | null => (id === null ? null : String(id));

export const MIGRATION_LPAR: readonly Attribute<MigratingLpar>[] = [
  { name: "name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "migration_state", read: ({ record }) => migrationState(record) },
  { name: "migration_type", read: of((record) => record.type) },
  { name: "dest_sys_name", read: onSource((record) => record.destination.system) },
  { name: "dest_lpar_id", read: onSource((record) => text(record.destination.lparId)) },
  { name: "source_sys_name", read: onDestination((record) => record.source.system) },
  { name: "source_lpar_id", read: onDestination((record) => text(record.source.lparId)) },
  { name: "source_msp_name", read: of((record) => record.source.mspName) },
  { name: "source_msp_id", read: of((record) => text(record.source.mspLparId)) },
  { name: "dest_msp_name", read: of((record) => record.destination.mspName) },
  { name: "dest_msp_id", read: of((record) => text(record.destination.mspLparId)) },
  { name: "redundant_source_msp_name", read: of((record) => record.redundant?.source.mspName) },
  { name: "redundant_source_msp_id", read: of((record) => text(record.redundant?.source.mspLparId ?? null)) },
  { name: "redundant_dest_msp_name", read: of((record) => record.redundant?.destination.mspName) },
  { name: "redundant_dest_msp_id", read: of((record) => text(record.redundant?.destination.mspLparId ?? null)) },
  { name: "bytes_transmitted", read: streaming((record) => String(record.progress.bytesSent)) },
  { name: "bytes_remaining", read: streaming((record) => String(record.progress.bytesRemaining)) },
  { name: "openlpm_migration_id", read: of((record) => record.id), onlyAsked: true },
  { name: "openlpm_phase", read: of((record) => record.phase), onlyAsked: true },
  { name: "openlpm_way", read: of((record) => record.way), onlyAsked: true },
  { name: "openlpm_take_over", read: of((record) => record.takeOver?.reason), onlyAsked: true },
  { name: "openlpm_rate", read: streaming((record) => String(record.progress.rate)), onlyAsked: true },
  { name: "openlpm_rounds", read: streaming((record) => String(record.progress.rounds)), onlyAsked: true },
  { name: "openlpm_throttle", read: streaming((record) => String(record.progress.throttlePercent)), onlyAsked: true },
  { name: "openlpm_ms_remaining", read: streaming((record) => text(record.progress.msRemainingEstimate)), onlyAsked: true },
];

/** What the systems remember of migrations that have ended, with what was expected beside what was (ours: the HMC keeps it in its event log). */
const ms = (from: string | undefined, to: string | null | undefined): string | undefined => (from === undefined || to == null ? undefined : String(Date.parse(to) - Date.parse(from)));
const range = (read: (prediction: Prediction) => readonly [number, number]) => ({ prediction }: MigrationRecord) => (prediction === null ? undefined : read(prediction).join("-"));
export const MIGRATION_HISTORY: readonly Attribute<MigrationRecord>[] = [
  { name: "name", read: ({ lparName }) => lparName },
  { name: "migration_type", read: ({ type }) => type },
  { name: "migration_state", read: (record) => migrationState(record) },
  { name: "source_sys_name", read: ({ source }) => source.system },
  { name: "dest_sys_name", read: ({ destination }) => destination.system },
  { name: "start_time", read: ({ startedAt }) => startedAt },
  { name: "total_ms", read: ({ startedAt, endedAt }) => ms(startedAt, endedAt) },
  { name: "predicted_total_ms", read: range((prediction) => prediction.totalMs) },
  { name: "stopped_ms", read: ({ stoppedMs }) => (stoppedMs === null ? undefined : String(stoppedMs)) },
  { name: "predicted_stopped_ms", read: range((prediction) => prediction.stoppedMs) },
  { name: "bytes_transmitted", read: ({ type, progress }) => (type === "active" ? String(progress.bytesSent) : undefined) },
  { name: "predicted_bytes", read: range((prediction) => prediction.bytes) },
  { name: "error", read: ({ error }) => (error === null ? undefined : (error.hsc ?? error.code)) },
  { name: "migration_id", read: ({ id }) => id, onlyAsked: true },
  { name: "take_over", read: ({ takeOver }) => takeOver?.reason, onlyAsked: true },
];

export const SYSTEM_MOBILITY: readonly Attribute<{ readonly remoteCapable: boolean }>[] = [{ name: "remote_lpar_mobility_capable", read: ({ remoteCapable }) => (remoteCapable ? "1" : "0") }];

export interface MoverObject {
  readonly lpar: LparView;
  readonly supported: number;
  readonly configured: number;
  readonly inProgress: number;
}
export const MOVERS: readonly Attribute<MoverObject>[] = [
  { name: "lpar_name", read: ({ lpar }) => lpar.definition.name },
  { name: "lpar_id", read: ({ lpar }) => String(lpar.lparId) },
  { name: "ipaddr", read: ({ lpar }) => lpar.runtime.vios?.mspAddress ?? undefined },
  { name: "num_active_migrations_supported", read: ({ supported }) => String(supported) },
  { name: "num_active_migrations_configured", read: ({ configured }) => String(configured) },
  { name: "num_active_migrations_in_progress", read: ({ inProgress }) => String(inProgress) },
];

/** The pairs of one mover of the source. */
export type MoverPairs = ValidationResult["possibleMsps"];
export const MOVER_PAIRS: readonly Attribute<MoverPairs>[] = [
  { name: "source_msp_name", read: (pairs) => pairs[0]?.sourceMspName },
  { name: "source_msp_id", read: (pairs) => text(pairs[0]?.sourceMspLparId ?? null) ?? undefined },
  { name: "dest_msp_names", read: (pairs) => pairs.map((pair) => pair.destMspName) },
  { name: "dest_msp_ids", read: (pairs) => pairs.map((pair) => String(pair.destMspLparId)) },
  { name: "ipaddr_mappings", read: (pairs) => pairs.map((pair) => `${pair.sourceMspAddress}//${pair.destMspLparId}/${pair.destMspName}/${pair.destMspAddress}`) },
];

/** There is one pool of shared processors, which every managed system has. */
export const PROCESSOR_POOLS: readonly Attribute<object>[] = [
  { name: "shared_proc_pool_ids", read: () => "0" },
  { name: "shared_proc_pool_names", read: () => "DefaultPool" },
];

const mappings = (choices: ValidationResult["possibleScsi"]): string | readonly string[] => (choices.length === 0 ? "none" : choices.map((choice) => `${choice.clientSlot}/${choice.viosName}/${choice.viosLparId}`));
/** Suggested mappings with the reason for each server, `slot/VIOS: reason`. */
const reasons = (found: ValidationResult): string | readonly string[] => (found.suggestedScsi.length === 0 ? "none" : found.suggestedScsi.map(({ clientSlot, viosName, why }) => `${clientSlot}/${viosName}: ${why}`));
export const SCSI_MAPPINGS: readonly Attribute<ValidationResult>[] = [
  { name: "openlpm_reasons", read: reasons, onlyAsked: true },
  { name: "possible_virtual_scsi_mappings", read: (found) => mappings(found.possibleScsi) },
  { name: "suggested_virtual_scsi_mappings", read: (found) => mappings(found.suggestedScsi) },
  { name: "possible_virtual_fc_mappings", read: (found) => mappings(found.possibleFc) },
  { name: "suggested_virtual_fc_mappings", read: (found) => mappings(found.suggestedFc) },
];
