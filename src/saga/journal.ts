/** The journal of a saga: what was begun and what came of it, in order. It is read back after a crash; an order that can not have happened is refused. Pure. */
import { OlpmError } from "../kit/errors.js";

export type JournalEvent = "started" | "succeeded" | "failed" | "undoStarted" | "undoFinished" | "undoFailed";
export interface JournalEntry {
  readonly step: string;
  readonly event: JournalEvent;
  /** of `succeeded` */
  readonly output?: unknown;
  /** of `failed` and `undoFailed` */
  readonly error?: { readonly code: string; readonly message: string; readonly hsc?: string | undefined; readonly action?: string | undefined };
}
const EVENTS: readonly string[] = ["started", "succeeded", "failed", "undoStarted", "undoFinished", "undoFailed"];

/** What may follow what, for one step. A repeated `started` or `undoStarted` is a crash in between. */
const FOLLOWS: Readonly<Record<JournalEvent | "nothing", readonly JournalEvent[]>> = {
  nothing: ["started"],
  started: ["started", "succeeded", "failed", "undoStarted"],
  succeeded: ["undoStarted"],
  failed: ["undoStarted"],
  undoStarted: ["undoStarted", "undoFinished", "undoFailed"],
  undoFinished: [],
  undoFailed: ["undoStarted"],
};

export interface Replay {
  readonly direction: "forward" | "undo";
  /** forward: index of the step to run next; undo: steps to undo, last first */
  readonly next: number;
  readonly toUndo: readonly string[];
  readonly outputs: ReadonlyMap<string, unknown>;
  /** why it is undone */
  readonly error: JournalEntry["error"];
}

/** One entry as it came from storage. @throws OlpmError internal */
export function parseEntry(value: unknown): JournalEntry {
  const entry = value as Partial<JournalEntry> | null;
  if (entry === null || typeof entry !== "object" || typeof entry.step !== "string" || !EVENTS.includes(String(entry.event))) throw new OlpmError("internal", `not a journal entry: ${JSON.stringify(value)?.slice(0, 200)}`);
  return entry as JournalEntry;
}

/**
 * Where a saga of these steps stands by its journal.
 * @throws OlpmError internal when the journal tells of an order that can not have happened: an operator has to look
 */
export function replay(steps: readonly string[], entries: readonly JournalEntry[]): Replay {
  const last = new Map<string, JournalEvent>();
  const outputs = new Map<string, unknown>();
  let undoing = false;
  let error: JournalEntry["error"];
  for (const entry of entries) {
    const index = steps.indexOf(entry.step);
    if (index < 0) throw new OlpmError("internal", `the journal names a step ${entry.step} that this version does not have`);
    const before = last.get(entry.step) ?? "nothing";
    if (!FOLLOWS[before].includes(entry.event)) throw new OlpmError("internal", `the journal says ${entry.event} after ${before} for step ${entry.step}`);
    const forward = entry.event === "started" || entry.event === "succeeded";
    if (forward && undoing) throw new OlpmError("internal", `the journal goes forward in step ${entry.step} after an undo began`);
    if (entry.event === "started" && index > 0 && last.get(steps[index - 1]!) !== "succeeded") throw new OlpmError("internal", `the journal begins step ${entry.step} before the one in front of it succeeded`);
    if (entry.event === "failed") error = entry.error;
    if (!forward) undoing = true;
    if (entry.event === "succeeded") outputs.set(entry.step, entry.output);
    last.set(entry.step, entry.event);
  }
  const begun = steps.filter((step) => last.has(step));
  const done = begun.filter((step) => last.get(step) === "succeeded").length;
  return { direction: undoing ? "undo" : "forward", next: done, toUndo: undoing ? begun.filter((step) => last.get(step) !== "undoFinished").reverse() : [], outputs, error };
}
