/**
 * Runs a list of steps, each with its undo, journalled before and after. Every step and every undo may be repeated. After the step that is the point of no
 * return there is no way back: a failure there is tried again until it succeeds or somebody stops this process; the journal keeps the place.
 */
import type { Clock } from "../kit/clock.js";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import { delay } from "../kit/wait.js";
import { replay, type JournalEntry } from "./journal.js";

export interface Step<C> {
  readonly name: string;
  /** gives the step's output, which is journalled and can be read by later steps */
  readonly run: (context: C, outputs: ReadonlyMap<string, unknown>) => Promise<unknown>;
  /** puts the world back as it was before `run`; absent when `run` leaves nothing. Absent things count as undone. */
  readonly undo?: (context: C, error: OlpmError) => Promise<void>;
}
export interface Journal {
  append(entry: JournalEntry): Promise<void>;
}
export interface SagaOptions<C> {
  readonly steps: readonly Step<C>[];
  /** name of the step after whose success there is no way back */
  readonly pointOfNoReturn: string;
  readonly context: C;
  readonly journal: Journal;
  /** what the journal holds already; empty for a new saga */
  readonly entries: readonly JournalEntry[];
  /** pause between two tries of a step behind the point of no return */
  readonly retryMs: number;
  /** this process ends: the saga stays where it is */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly onStep?: (step: string, event: JournalEntry["event"], error?: OlpmError) => void;
}
export type SagaOutcome =
  | { readonly kind: "done" }
  /** `left`: undos that failed, to be tried again later or by an operator */
  | { readonly kind: "undone"; readonly error: OlpmError; readonly left: readonly { readonly step: string; readonly error: OlpmError }[] };

/** Journal first, then whoever watches. */
type Note = (step: string, event: JournalEntry["event"], rest?: Partial<JournalEntry>, error?: OlpmError) => Promise<void>;

export async function runSaga<C>(options: SagaOptions<C>): Promise<SagaOutcome> {
  const { steps, context, signal } = options;
  const names = steps.map((step) => step.name);
  const found = replay(names, options.entries);
  const outputs = new Map(found.outputs);
  const note: Note = async (step, event, rest = {}, error) => {
    await options.journal.append({ step, event, ...rest });
    options.onStep?.(step, event, error);
  };
  if (found.direction === "undo") {
    const error = new OlpmError("aborted", found.error?.message ?? "the migration was being undone when its console ended", { hsc: found.error?.hsc, action: found.error?.action });
    return undo(options, note, found.toUndo, error);
  }
  const noReturn = names.indexOf(options.pointOfNoReturn);
  const begunBefore = new Set(options.entries.map((entry) => entry.step));
  for (let index = found.next; index < steps.length; index++) {
    const step = steps[index]!;
    try {
      // A step that may have been done in an earlier life must not be undone because it can not be noted now.
      await (index >= noReturn && begunBefore.has(step.name) ? untilNoted(step.name, "started") : note(step.name, "started"));
      const output = await step.run(context, outputs);
      outputs.set(step.name, output);
      // Nor must one behind which there is no way back.
      await (index >= noReturn ? untilNoted(step.name, "succeeded", { output }) : note(step.name, "succeeded", { output }));
    } catch (thrown) {
      const error = toOlpmError(thrown, step.name);
      if (signal.aborted) throw error;
      options.onStep?.(step.name, "failed", error);
      if (index > noReturn) {
        await delay(options.retryMs, signal, options.clock);
        index--;
        continue;
      }
      // The journal may lie with the system that was lost: the undo goes on without it, and what it leaves is found by recovery.
      await options.journal.append({ step: step.name, event: "failed", error: { code: error.code, message: error.message, hsc: error.hsc, action: error.action } }).catch(() => undefined);
      return undo(options, note, names.slice(0, index + 1).reverse(), error);
    }
  }
  return { kind: "done" };

  async function untilNoted(step: string, event: JournalEntry["event"], rest: Partial<JournalEntry> = {}): Promise<void> {
    for (;;) {
      try {
        return await note(step, event, rest);
      } catch (error) {
        if (signal.aborted) throw error;
        await delay(options.retryMs, signal, options.clock);
      }
    }
  }
}

/** Each of these steps, whatever became of the one before. A journal that can not be written holds up nothing: recovery finds what is left. */
async function undo<C>({ steps, context }: SagaOptions<C>, note: Note, which: readonly string[], error: OlpmError): Promise<SagaOutcome> {
  const left: { step: string; error: OlpmError }[] = [];
  for (const name of which) {
    await note(name, "undoStarted").catch(() => undefined);
    try {
      await steps.find((step) => step.name === name)!.undo?.(context, error);
      await note(name, "undoFinished").catch(() => undefined);
    } catch (thrown) {
      const failure = toOlpmError(thrown, `undoing ${name}`);
      left.push({ step: name, error: failure });
      await note(name, "undoFailed", { error: { code: failure.code, message: failure.message } }, failure).catch(() => undefined);
    }
  }
  return { kind: "undone", error, left };
}
