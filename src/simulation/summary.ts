/** What a run of many seeds reached and found, as numbers, as text, and as what is missing. Pure. */
import { STEPS } from "../console/mobility/steps.js";
import { RECOVERY_ROWS } from "../mobility/recovery.js";

export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}
export interface Summary {
  readonly seeds: number;
  readonly ticks: number;
  readonly virtualMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
}
export const NOTHING_YET: Summary = { seeds: 0, ticks: 0, virtualMs: 0, counts: {}, failures: [] };

export function plus(a: Summary, b: Summary): Summary {
  const counts: Record<string, number> = { ...a.counts };
  for (const [what, count] of Object.entries(b.counts)) counts[what] = (counts[what] ?? 0) + count;
  return { seeds: a.seeds + b.seeds, ticks: a.ticks + b.ticks, virtualMs: a.virtualMs + b.virtualMs, counts, failures: [...a.failures, ...b.failures] };
}

/** What must be reached by a run that means anything: each step forward and failing, each undo, each row of the recovery table, a second pair of movers that takes over. */
const WANTED: readonly string[] = [
  ...STEPS.flatMap(({ name }) => ["started", "succeeded", "failed"].map((event) => `step:${name}:${event}`)),
  ...STEPS.filter(({ name }) => STEPS.findIndex((step) => step.name === name) <= STEPS.findIndex((step) => step.name === "copyAndHandOver")).flatMap(({ name }) => ["undoStarted", "undoFinished"].map((event) => `undo:${name}:${event}`)),
  ...RECOVERY_ROWS.map((row) => `row:${row}`),
  ...["taken over on the source", "taken over on the destination", "taken over, then succeeded on the source", "taken over, then failed on the source"].map((what) => `pair:${what}`),
  "san:both WWPNs logged in",
];
export const missing = (summary: Summary): string[] => WANTED.filter((what) => !(summary.counts[what]! > 0));

export const replayOf = (seed: number): string => `./openlpm simulate --seed ${seed}`;

export function summaryText(summary: Summary, seconds: number): string {
  const { seeds, ticks, virtualMs, counts, failures } = summary;
  const under = (prefix: string) => Object.entries(counts).filter(([what]) => what.startsWith(prefix)).map(([what, count]) => `  ${what.slice(prefix.length).padEnd(44)} ${String(count).padStart(9)}`).sort();
  const kinds = new Map<string, number[]>();
  for (const { seed, violations } of failures) kinds.set(violations[0]!, [...(kinds.get(violations[0]!) ?? []), seed]);
  const left = missing(summary);
  return [
    `${seeds} seeds, ${ticks} events, ${Math.round(virtualMs / 3_600_000)} hours of virtual time in ${seconds.toFixed(1)} s`,
    "faults:",
    ...under("fault:"),
    "steps of the saga:",
    ...under("step:"),
    "undone:",
    ...under("undo:"),
    "second pairs of movers:",
    ...under("pair:"),
    "rows of the recovery table, by looks that found them:",
    ...under("row:"),
    ...(left.length > 0 ? [`not reached: ${left.join(", ")}`] : ["each step, each undo and each row was reached"]),
    failures.length === 0 ? "no rule was broken" : `${failures.length} seeds broke a rule:`,
    ...[...kinds].map(([rule, of]) => `  ${of.length} times: ${rule}; replay the first with ${replayOf(of[0]!)}`),
  ].join("\n");
}
