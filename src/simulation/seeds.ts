/** Many seeds: in this process, or shared out to worker processes. */
import { fork } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { BUGS, type BugName } from "./planted.js";
import { runSeed } from "./scenario.js";
import { NOTHING_YET, plus, type Summary } from "./summary.js";

/** Seeds that a worker gets at once: a second of work, so that all end together. */
const CHUNK = 200;

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  /** one of the planted bugs, for the test of the test */
  readonly bug?: BugName | undefined;
  /** ends after this many failures; default: never */
  readonly failuresMax?: number | undefined;
}

/** What a life throws or rejects after its end is of no interest; anything else is a promise that nobody watches, which ends a real process. */
export async function runSeeds({ from, count, bug, failuresMax = Infinity }: SeedRange): Promise<Summary> {
  let unwatched: string | undefined;
  const onUnwatched = (error: unknown) => (unwatched ??= String((error as Error)?.stack ?? error));
  process.on("unhandledRejection", onUnwatched);
  let summary = NOTHING_YET;
  try {
    for (let seed = from; seed < from + count && summary.failures.length < failuresMax; seed++) {
      unwatched = undefined;
      const outcome = await runSeed(seed, bug === undefined ? {} : { bugs: BUGS[bug].plant() });
      const violations = [...outcome.violations, ...(unwatched === undefined ? [] : [`a promise was rejected and nobody watched it: ${unwatched as string}`])];
      summary = plus(summary, { seeds: 1, ticks: outcome.ticks, virtualMs: outcome.virtualMs, counts: Object.fromEntries(outcome.counts), failures: violations.length > 0 ? [{ seed, violations }] : [] });
    }
  } finally {
    process.off("unhandledRejection", onUnwatched);
  }
  return summary;
}

/** Shares the seeds out to worker processes, one for each processor. @throws Error when a worker ends without its answer */
export async function runInWorkers(range: SeedRange, onProgress: (summary: Summary) => void = () => undefined, workers = os.availableParallelism()): Promise<Summary> {
  const chunks = Array.from({ length: Math.ceil(range.count / CHUNK) }, (_, index): SeedRange => ({ ...range, from: range.from + index * CHUNK, count: Math.min(CHUNK, range.count - index * CHUNK) }));
  let summary = NOTHING_YET;
  const work = async () => {
    const worker = fork(path.join(import.meta.dirname, "worker.js"), { execArgv: ["--enable-source-maps"] });
    try {
      for (let chunk = chunks.shift(); chunk && summary.failures.length < (range.failuresMax ?? Infinity); chunk = chunks.shift()) {
        const answer = await new Promise<Summary>((resolve, reject) => {
          worker.once("message", (message) => resolve(message as Summary));
          worker.once("exit", (code) => reject(new Error(`a worker of the simulation ended with status ${code}`)));
          worker.send(chunk!);
        });
        worker.removeAllListeners("exit");
        summary = plus(summary, answer);
        onProgress(summary);
      }
    } finally {
      worker.kill();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, chunks.length) }, work));
  return { ...summary, failures: [...summary.failures].sort((a, b) => a.seed - b.seed) };
}
