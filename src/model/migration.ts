/** The record of one migration as the two systems keep it, and its phases. */
import { z } from "zod";
import { Generation, LparId, MigrationId } from "./ids.js";
import { SystemName } from "./system.js";

/** Phases of an active migration, in order; `handOver` is the point of no return. */
export const MIGRATION_PHASES = ["validate", "prepare", "copy", "suspend", "handOver", "resume", "confirm", "done"] as const;
export const MigrationPhase = z.enum(MIGRATION_PHASES);
export type MigrationPhase = z.infer<typeof MigrationPhase>;

/** What happens in a phase, and what a failure there leads to; docs/architecture.md prints this table. */
export const PHASE_TABLE: Readonly<Record<MigrationPhase, { readonly happens: string; readonly failure: string }>> = {
  validate: {
    happens: "facts from both systems, their VIOSes and the operating system; every finding at once",
    failure: "nothing was changed",
  },
  prepare: {
    happens: "the partition is locked; the destination reserves memory, processors, ID and slots, attaches the LUNs behind closed gates and starts an empty shell; the movers pair; the operating system prepares",
    failure: "undone in reverse order; the source never noticed",
  },
  copy: {
    happens: "memory goes through the movers in rounds while the partition runs",
    failure: "a second pair of movers begins anew when the pair was lost; else undone. The partition ran all the time",
  },
  suspend: {
    happens: "the source stands still, its disks are flushed and its gates closed",
    failure: "the gates open again and the partition goes on running on the source; then as in `copy`",
  },
  handOver: {
    happens: "the source writes, durably, that the next generation is the destination's: the point of no return",
    failure: "the destination decides alone: `owner`, or `declined`, and only then does the source go on",
  },
  resume: {
    happens: "the rest of the state arrives; the destination writes that it is the owner, opens its gates, runs, announces the addresses",
    failure: "the partition is the destination's; a restarted destination goes on from its record",
  },
  confirm: {
    happens: "the operating system is told; the source removes the partition, its adapters and mappings",
    failure: "tried again until it succeeds; the partition runs",
  },
  done: {
    happens: "the record stays in the history with its timings",
    failure: "",
  },
};

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
  /** part of the time that the partition's processors are held back, so that the copy comes to its end */
  throttlePercent: z.number().default(0),
});
export type MigrationProgress = z.infer<typeof MigrationProgress>;

export const NO_PROGRESS: MigrationProgress = { bytesSent: 0, bytesRemaining: 0, bytesTotal: 0, rate: 0, rounds: 0, dirtyPagesPerSecond: 0, msRemainingEstimate: null, bytesOnLink: 0, throttlePercent: 0 };

const Percent = z.number().int().min(1).max(99);
/** How a copy comes to its end, or is given up (mobility/convergence.ts); `migration` of a managed system's configuration. */
export const ConvergencePolicy = z.strictObject({
  /** the partition is stopped when the rest fits into this; lpm-process 2.6 has 300 ms as the default */
  downtimeMs: z.number().int().min(1).max(2_000).default(300),
  /** slows a partition down that changes more than half of what is sent in a round: first by `initialPercent`, then by `stepPercent` more, up to `maxPercent`; null: never */
  throttle: z.strictObject({ initialPercent: Percent.default(20), stepPercent: Percent.default(10), maxPercent: Percent.default(80) }).refine((one) => one.initialPercent <= one.maxPercent, "maxPercent is below initialPercent").nullable().default({ initialPercent: 20, stepPercent: 10, maxPercent: 80 }),
  /** given up when no round was smaller than those before for so many rounds and seconds since the last step of slowing */
  stallRounds: z.number().int().min(2).max(1_000).default(8),
  stallSeconds: z.number().int().min(1).max(3_600).default(30),
  roundsMax: z.number().int().min(3).max(10_000).default(500),
});
export type ConvergencePolicy = z.infer<typeof ConvergencePolicy>;

/** How the movers carry the state: `sealed` encrypts it; `direct`, on a link that both ends' configurations trust, sends it as it is. */
export const MoverWay = z.enum(["sealed", "direct"]);
export type MoverWay = z.infer<typeof MoverWay>;

export const MigrationError = z.object({ code: z.string(), message: z.string(), hsc: z.string().nullable(), action: z.string().nullable(), reportedBy: z.string().nullable() });
export type MigrationError = z.infer<typeof MigrationError>;

export const MigrationEnd = z.object({ system: SystemName, lparId: LparId, mspLparId: LparId.nullable(), mspName: z.string().nullable(), mspAddress: z.string().nullable() });
export type MigrationEnd = z.infer<typeof MigrationEnd>;

/** A pair of movers, one on each side. */
const PairEnd = MigrationEnd.omit({ system: true, lparId: true });
export const MoverPair = z.object({ source: PairEnd, destination: PairEnd });
export type MoverPair = z.infer<typeof MoverPair>;

const Range = z.tuple([z.number(), z.number()]);
/** What a validation expected of a live move, as ranges from the best to the worst of what was measured (mobility/predict.ts). */
export const Prediction = z.object({
  totalMs: Range,
  stoppedMs: Range,
  bytes: Range,
  /** the partition may have to be slowed down, since its memory changes faster than the link carries it */
  throttled: z.boolean(),
  basis: z.object({ residentBytes: z.number(), dirtyBytesPerSecond: z.number().nullable(), linkBytesPerSecond: z.number() }),
});
export type Prediction = z.infer<typeof Prediction>;

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
  /** known on the source when the movers have agreed */
  way: MoverWay.nullable().default(null),
  /** ISO time at which each phase began, as this side saw it */
  phaseStartedAt: z.partialRecord(MigrationPhase, z.string()),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** ms between the source's stop and the destination's run, known on the destination after resume */
  stoppedMs: z.number().nullable(),
  error: MigrationError.nullable(),
  /** what was expected when it began; on the source */
  prediction: Prediction.nullable().default(null),
  /** the second pair of movers: it takes over when the one in `source` and `destination` is lost before the hand-over; from then on, the pair that was lost */
  redundant: MoverPair.nullable().default(null),
  /** when the second pair took over, and why */
  takeOver: z.object({ at: z.string(), reason: z.string() }).nullable().default(null),
  revision: z.number().int(),
});
export type MigrationRecord = z.infer<typeof MigrationRecord>;

/** True while the loss of the pair that carries the migration leaves another one. */
export const hasSecondPair = (record: MigrationRecord): boolean => record.redundant !== null && record.takeOver === null;

/** The record with its two pairs of movers changed for each other; one that has changed them already, or has no second one, stays as it is. Pure. */
export function tookOver(record: MigrationRecord, takeOver: { readonly at: string; readonly reason: string }): MigrationRecord {
  const { redundant, source, destination } = record;
  if (redundant === null || record.takeOver !== null) return record;
  return { ...record, source: { ...source, ...redundant.source }, destination: { ...destination, ...redundant.destination }, redundant: { source: PairEnd.parse(source), destination: PairEnd.parse(destination) }, takeOver };
}

/**
 * What the two sides of one migration find about it in their own records, and what the partition's process there is doing: all that recovery decides by
 * (mobility/recovery.ts). `preparing`, `copying` and `undoing`: the source owns the partition; `released`: handed over, undecided; `gone`: it heard that the
 * destination owns it; `cleaned` and `closed`: the record has ended, with and without success; `none`: no record.
 */
export const SOURCE_STATES = ["none", "preparing", "copying", "undoing", "released", "gone", "cleaned", "closed"] as const;
export const DESTINATION_STATES = ["none", "reserved", "declined", "owner", "finished", "closed"] as const;
/** `stopped`: a process whose processors stand still; on the destination `waiting` for state, or `loaded` with the complete state. */
export const SOURCE_PROCESSES = ["none", "running", "stopped", "unknown"] as const;
export const DESTINATION_PROCESSES = ["none", "waiting", "loaded", "running", "stopped", "unknown"] as const;

/**
 * One side's facts as it tells them. `driven`: the console that began it was heard lately; `alone`: a person's --force said that the destination is lost, so
 * the source took the partition back with a newer generation.
 */
export const SideFacts = z.discriminatedUnion("role", [
  z.object({ role: z.literal("source"), state: z.enum(SOURCE_STATES), process: z.enum(SOURCE_PROCESSES), driven: z.boolean(), alone: z.boolean(), generation: Generation.nullable(), detail: z.string() }),
  z.object({ role: z.literal("destination"), state: z.enum(DESTINATION_STATES), process: z.enum(DESTINATION_PROCESSES), generation: Generation.nullable(), detail: z.string() }),
]);
export type SideFacts = z.infer<typeof SideFacts>;
export type SourceFacts = Extract<SideFacts, { role: "source" }>;
export type DestinationFacts = Extract<SideFacts, { role: "destination" }>;

/** What recovery can do on one side. Each may be repeated, and each looks at that side's own record before it acts. */
export const RECOVERY_STEPS = ["source.learn", "source.endFailed", "source.clean", "source.takeBack", "destination.takeOver", "destination.decline", "destination.abandon", "destination.finish", "destination.giveWay"] as const;
export const RecoveryStep = z.enum(RECOVERY_STEPS);
export type RecoveryStep = z.infer<typeof RecoveryStep>;
