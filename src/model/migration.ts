/** The record of one migration as the two systems keep it, and its phases. */
import { z } from "zod";
import { Generation, LparId, MigrationId } from "./ids.js";
import { SystemName } from "./system.js";

/**
 * Phases of an active migration, in order; docs/architecture.md prints this table. `handOver` is the point of no return:
 * before it every failure ends with the source running and the destination clean, after it only the destination decides.
 */
export const MIGRATION_PHASES = ["validate", "prepare", "copy", "suspend", "handOver", "resume", "confirm", "done"] as const;
export const MigrationPhase = z.enum(MIGRATION_PHASES);
export type MigrationPhase = z.infer<typeof MigrationPhase>;

/** running -> one of the others, once. `undoing`: failed or stopped before the hand-over, clean-up under way. */
export const MigrationStatus = z.enum(["running", "undoing", "succeeded", "failed", "stopped", "undecided"]);
export type MigrationStatus = z.infer<typeof MigrationStatus>;

export const MigrationProgress = z.object({
  bytesSent: z.number(),
  bytesRemaining: z.number(),
  bytesTotal: z.number(),
  /** bytes a second over the last second */
  rate: z.number(),
  /** rounds of dirty pages begun */
  rounds: z.number().int(),
  dirtyPagesPerSecond: z.number(),
  /** null while there is nothing to base it on */
  msRemainingEstimate: z.number().nullable(),
  /** bytes that crossed the link between the movers, seals included */
  bytesOnLink: z.number(),
});
export type MigrationProgress = z.infer<typeof MigrationProgress>;

export const NO_PROGRESS: MigrationProgress = { bytesSent: 0, bytesRemaining: 0, bytesTotal: 0, rate: 0, rounds: 0, dirtyPagesPerSecond: 0, msRemainingEstimate: null, bytesOnLink: 0 };

export const MigrationError = z.object({ code: z.string(), message: z.string(), hsc: z.string().nullable(), action: z.string().nullable(), reportedBy: z.string().nullable() });
export type MigrationError = z.infer<typeof MigrationError>;

export const MigrationEnd = z.object({ system: SystemName, lparId: LparId, mspLparId: LparId.nullable(), mspName: z.string().nullable(), mspAddress: z.string().nullable() });
export type MigrationEnd = z.infer<typeof MigrationEnd>;

export const MigrationRecord = z.object({
  id: MigrationId,
  role: z.enum(["source", "destination"]),
  type: z.enum(["active", "inactive"]),
  lparName: z.string(),
  lparUuid: z.string(),
  source: MigrationEnd,
  destination: MigrationEnd,
  /** generation that the destination will own */
  generation: Generation,
  console: z.string(),
  phase: MigrationPhase,
  status: MigrationStatus,
  stopRequested: z.boolean(),
  progress: MigrationProgress,
  /** ISO time at which each phase began, as this side saw it */
  phaseStartedAt: z.partialRecord(MigrationPhase, z.string()),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** ms between the source's stop and the destination's run, known on the destination after resume */
  stoppedMs: z.number().nullable(),
  error: MigrationError.nullable(),
  revision: z.number().int(),
});
export type MigrationRecord = z.infer<typeof MigrationRecord>;
