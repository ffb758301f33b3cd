/**
 * What is done about a migration that stands where it should not: one table over what both systems find in their records and see of the partition's
 * processes. Every combination matches exactly one row (recovery.test.ts proves it). The systems use it for what they settle alone, the console for what it
 * takes up and for `migrlpar -o r`; docs/recovery.md prints it. Rule: design section 2, lpm-process 8.3 and 8.4.
 *
 * A system does of a row only the first step, and only if that is its own; what remains is another row. So the order of steps is an order of safety:
 * the side that decides comes first.
 */
import { DESTINATION_PROCESSES, DESTINATION_STATES, SOURCE_PROCESSES, SOURCE_STATES, type DestinationFacts, type RecoveryStep, type SourceFacts } from "../model/migration.js";

export const SOURCE_SEEN = [...SOURCE_STATES, "unreachable"] as const;
export const DESTINATION_SEEN = [...DESTINATION_STATES, "unreachable"] as const;
export type SourceSeen = (typeof SOURCE_SEEN)[number];
export type DestinationSeen = (typeof DESTINATION_SEEN)[number];
export type SourceProcess = (typeof SOURCE_PROCESSES)[number];
export type DestinationProcess = (typeof DESTINATION_PROCESSES)[number];

export interface RecoveryFacts {
  readonly source: SourceSeen;
  readonly sourceProcess: SourceProcess;
  /** the console that began the migration was heard by the source lately; false while the source can not be asked */
  readonly driven: boolean;
  /** the source took the partition back by a person's word that the destination is lost */
  readonly alone: boolean;
  readonly destination: DestinationSeen;
  readonly destinationProcess: DestinationProcess;
}

export const RECOVERY_ROWS = [
  "nothing-left", "console-drives", "copy-goes-on", "undo", "state-on-its-way", "take-over", "decline", "tell-declined", "tell-owned", "finish", "finish-destination", "give-back", "give-way",
  "destination-lost", "destination-forgot", "successor-forgot", "source-lost-before", "source-lost-after", "no-answer", "contradiction",
] as const;
export type RecoveryRowName = (typeof RECOVERY_ROWS)[number];

/** One or more combinations: of each property one of the listed values; an absent property may have any. */
interface Pattern {
  readonly source: readonly SourceSeen[];
  readonly destination: readonly DestinationSeen[];
  readonly sourceProcess?: readonly SourceProcess[];
  readonly destinationProcess?: readonly DestinationProcess[];
  readonly driven?: boolean;
  readonly alone?: boolean;
}
export interface RecoveryRow {
  readonly name: RecoveryRowName;
  readonly when: readonly Pattern[];
  /** `done`: nothing to do; `wait`: somebody is at it; `act`: the steps are safe without a person; `ask`: only a person can say */
  readonly kind: "done" | "wait" | "act" | "ask";
  readonly steps: readonly RecoveryStep[];
  /** what --force makes of it; empty: nothing, also with --force */
  readonly forced: readonly RecoveryStep[];
  readonly means: string;
  /** what the operator should know or do */
  readonly advice: string;
}

const NOT_HANDED_OVER = ["preparing", "undoing"] as const;
/** The destination has nothing that could run, and nothing is known of an owner there. */
const NO_OWNER_THERE = ["none", "declined", "closed", "unreachable"] as const;
const NOT_LOADED = ["none", "waiting", "stopped", "unknown"] as const;
const UNFINISHED = ["waiting", "stopped", "unknown"] as const;
const STANDING = ["none", "stopped", "unknown"] as const;

export const RECOVERY_TABLE: readonly RecoveryRow[] = [
  {
    name: "nothing-left",
    kind: "done",
    when: [
      { source: ["none", "unreachable"], destination: ["none", "finished", "closed"] },
      { source: ["none"], destination: ["unreachable"] },
      { source: ["cleaned"], destination: ["none", "finished", "unreachable"] },
      { source: ["closed"], destination: ["none", "closed", "unreachable"] },
    ],
    steps: [],
    forced: [],
    means: "no side holds anything of it, or the side that might settles it alone when it is back",
    advice: "Nothing is to be done.",
  },
  {
    name: "console-drives",
    kind: "wait",
    when: [
      { source: [...NOT_HANDED_OVER], driven: true, destination: [...NO_OWNER_THERE] },
      { source: [...NOT_HANDED_OVER], driven: true, destination: ["reserved"], destinationProcess: NOT_LOADED },
      { source: ["gone"], driven: true, destination: ["owner", "finished", "unreachable"] },
    ],
    steps: [],
    forced: [],
    means: "the console that began it is at it",
    advice: "Wait, or stop it with migrlpar -o s while it has not been handed over.",
  },
  {
    name: "copy-goes-on",
    kind: "wait",
    when: [
      { source: ["copying"], destination: [...NO_OWNER_THERE] },
      { source: ["copying"], destination: ["reserved"], destinationProcess: NOT_LOADED },
    ],
    steps: [],
    forced: [],
    means: "the source copies, and ends that by the hand-over or by a failure, with or without a console",
    advice: "Wait, or stop it with migrlpar -o s.",
  },
  {
    name: "undo",
    kind: "act",
    when: [
      { source: [...NOT_HANDED_OVER], driven: false, destination: [...NO_OWNER_THERE] },
      { source: [...NOT_HANDED_OVER], driven: false, destination: ["reserved"], destinationProcess: NOT_LOADED },
      { source: ["undoing"], alone: true, destination: ["reserved"], destinationProcess: ["loaded"] },
    ],
    steps: ["source.endFailed", "destination.abandon"],
    forced: [],
    means: "it was never handed over, or was refused, and nobody drives it any more: the partition is the source's",
    advice: "The partition goes on on the source; the destination gives its reservation back, at once or when it is back.",
  },
  {
    name: "state-on-its-way",
    kind: "wait",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["reserved"], destinationProcess: UNFINISHED }],
    steps: [],
    forced: ["destination.decline", "source.learn", "source.endFailed", "destination.abandon"],
    means: "handed over, and the destination's process waits for the rest of the state, or loads it",
    advice: "Wait: the destination takes over or declines. With --force it declines, and the source goes on.",
  },
  {
    name: "take-over",
    kind: "act",
    when: [
      { source: ["released"], sourceProcess: STANDING, destination: ["reserved"], destinationProcess: ["loaded"] },
      { source: ["none", "unreachable"], destination: ["reserved"], destinationProcess: ["loaded"] },
    ],
    steps: ["destination.takeOver"],
    forced: [],
    means: "the destination's process holds the complete state, which proves the hand-over",
    advice: "The destination becomes the owner and lets the partition run.",
  },
  {
    name: "decline",
    kind: "act",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["reserved"], destinationProcess: ["none"] }],
    steps: ["destination.decline", "source.learn", "source.endFailed", "destination.abandon"],
    forced: [],
    means: "handed over, and the destination has lost the process that would have taken the state",
    advice: "The destination writes that it never will run it; then the source goes on.",
  },
  {
    name: "tell-declined",
    kind: "act",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["declined", "closed"] }],
    steps: ["source.learn", "source.endFailed", "destination.abandon"],
    forced: [],
    means: "handed over and declined, and the source has not heard it yet",
    advice: "The source hears it and goes on.",
  },
  {
    name: "tell-owned",
    kind: "act",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["owner", "finished"] }],
    steps: ["source.learn", "source.clean", "destination.finish"],
    forced: [],
    means: "the destination owns the partition, and the source has not heard it yet",
    advice: "The source hears it and cleans up.",
  },
  {
    name: "finish",
    kind: "act",
    when: [{ source: ["gone"], driven: false, destination: ["owner", "finished", "unreachable"] }],
    steps: ["source.clean", "destination.finish"],
    forced: [],
    means: "moved; the clean-up is left, and nobody drives it any more",
    advice: "The source cleans up, then the destination closes its record.",
  },
  {
    name: "finish-destination",
    kind: "act",
    when: [{ source: ["cleaned", "none"], destination: ["owner"] }],
    steps: ["destination.finish"],
    forced: [],
    means: "moved, and the source is clean",
    advice: "The destination closes its record.",
  },
  {
    name: "give-back",
    kind: "act",
    when: [
      { source: ["closed", "none"], destination: ["reserved"], destinationProcess: NOT_LOADED },
      { source: ["closed"], alone: true, destination: ["reserved"], destinationProcess: ["loaded"] },
      { source: ["closed", "none", "unreachable"], destination: ["declined"] },
    ],
    steps: ["destination.abandon"],
    forced: [],
    means: "the destination holds a reservation that nobody will use: the source has closed the case, or the destination itself has declined",
    advice: "The destination gives everything back; its answer stays.",
  },
  {
    name: "give-way",
    kind: "act",
    when: [{ source: ["closed", "undoing"], alone: true, destination: ["owner"] }],
    steps: ["destination.giveWay"],
    forced: [],
    means: "the destination had been declared lost with --force, the source took the partition back with a newer generation, and now the destination is back",
    advice: "The destination ends what it has of the partition: the newer generation is the source's.",
  },
  {
    name: "destination-lost",
    kind: "ask",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["unreachable"] }],
    steps: [],
    forced: ["source.takeBack", "source.endFailed"],
    means: "handed over, and the destination does not say whether it runs the partition",
    advice: "Bring the destination back: it knows. If its host is lost for good, or is off and its power cord pulled, --force gives the partition back to the source, powered off, to be activated anew: its disks have every write, its memory is lost. With the destination alive that ends in two running copies and destroyed disks.",
  },
  {
    name: "destination-forgot",
    kind: "ask",
    when: [{ source: ["released"], sourceProcess: STANDING, destination: ["none"] }],
    steps: [],
    forced: ["source.takeBack", "source.endFailed"],
    means: "handed over, and the destination answers but knows nothing of it: its database was lost or replaced",
    advice: "Look on the destination's host for a QEMU of this partition. If there is none, --force gives the partition back to the source, powered off, to be activated anew.",
  },
  {
    name: "successor-forgot",
    kind: "ask",
    when: [{ source: ["gone"], destination: ["none"] }],
    steps: [],
    forced: ["source.clean"],
    means: "the destination owned the partition, and now knows nothing of the migration: its database was lost or replaced",
    advice: "Find out where the partition is. --force removes what the source still has of it: its definition, adapters and mappings; its disks are not touched.",
  },
  {
    name: "source-lost-before",
    kind: "ask",
    when: [{ source: ["unreachable"], destination: ["reserved"], destinationProcess: NOT_LOADED }],
    steps: [],
    forced: ["destination.abandon"],
    means: "the destination holds a reservation, and the source can not be asked",
    advice: "Bring the source back. --force gives the reservation back: that is safe at any time, and the partition can then only go on on the source.",
  },
  {
    name: "source-lost-after",
    kind: "ask",
    when: [{ source: ["unreachable"], destination: ["owner"] }],
    steps: [],
    forced: ["destination.finish"],
    means: "the partition is the destination's; its record stays open until the source has cleaned up, and the source can not be asked",
    advice: "Bring the source back. If it is lost for good, --force closes the record here; nobody may then use --force on the source.",
  },
  {
    name: "no-answer",
    kind: "ask",
    when: [{ source: ["unreachable"], destination: ["unreachable"] }],
    steps: [],
    forced: [],
    means: "neither system answers",
    advice: "Bring one of them back.",
  },
  {
    name: "contradiction",
    kind: "ask",
    when: [
      { source: ["preparing", "copying"], destination: ["owner", "finished"] },
      { source: ["undoing", "closed"], destination: ["finished"] },
      { source: ["undoing", "closed"], alone: false, destination: ["owner"] },
      { source: [...SOURCE_SEEN].filter((seen) => seen !== "released" && seen !== "gone" && seen !== "cleaned"), destination: ["reserved"], destinationProcess: ["running"] },
      { source: ["preparing", "copying"], destination: ["reserved"], destinationProcess: ["loaded"] },
      { source: ["undoing", "closed"], alone: false, destination: ["reserved"], destinationProcess: ["loaded"] },
      { source: ["released"], sourceProcess: ["running"], destination: [...DESTINATION_SEEN] },
      { source: ["released"], sourceProcess: STANDING, destination: ["reserved"], destinationProcess: ["running"] },
      { source: ["gone", "cleaned"], destination: ["reserved", "declined", "closed"] },
    ],
    steps: [],
    forced: [],
    means: "the two records can not both be true: a database was restored from an old copy, or both sides were forced",
    advice: "Nothing is changed. Look at both hosts for a QEMU of the partition; end all but one, then remove what is wrong with the partition's records there.",
  },
];

const matches = (pattern: Pattern, facts: RecoveryFacts): boolean =>
  pattern.source.includes(facts.source) &&
  pattern.destination.includes(facts.destination) &&
  (pattern.sourceProcess?.includes(facts.sourceProcess) ?? true) &&
  (pattern.destinationProcess?.includes(facts.destinationProcess) ?? true) &&
  (pattern.driven ?? facts.driven) === facts.driven &&
  (pattern.alone ?? facts.alone) === facts.alone;

/** All rows that match; the test says that it is always one. */
export const matchingRows = (facts: RecoveryFacts): RecoveryRow[] => RECOVERY_TABLE.filter((row) => row.when.some((pattern) => matches(pattern, facts)));

/** The row of the table for these facts. */
export function decideRecovery(facts: RecoveryFacts): RecoveryRow {
  const [row] = matchingRows(facts);
  if (!row) throw new Error(`the recovery table has no row for ${JSON.stringify(facts)}`);
  return row;
}

/** The facts as the two sides told them; null: that side could not be asked. */
export function recoveryFacts(source: SourceFacts | null, destination: DestinationFacts | null): RecoveryFacts {
  return {
    source: source?.state ?? "unreachable",
    sourceProcess: source?.process ?? "unknown",
    driven: source?.driven ?? false,
    alone: source?.alone ?? false,
    destination: destination?.state ?? "unreachable",
    destinationProcess: destination?.process ?? "unknown",
  };
}
