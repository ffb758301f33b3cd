/**
 * `openlpm torture`: partitions move back and forth under load while rows of the fault table (faults.ts), drawn from a seed, are done to them. After each the same checks
 * as in test/faults-killed.test.ts and faults-hung.test.ts (trial.ts). One line an iteration, and a summary. It ends at the first thing that is not as it should be, and says how to
 * run the same sequence again.
 */
import fs from "node:fs";
import { parseArgs } from "node:util";
import { OlpmError } from "../kit/errors.js";
import { CASES, nameOfCase, type FaultCase } from "./faults.js";
import { downLab, labExists, upLab } from "./lab.js";
import { runMatrix } from "./matrix.js";
import { LabDescription } from "./plan.js";
import { Subjects } from "./subjects.js";
import { recordTimes, Trials, type Measured } from "./trial.js";

const HELP = `Usage: openlpm torture [--minutes N] [--seed S] [--iterations N] [--name LAB] [--keep]

Builds a laboratory with two partitions under load and moves them back and forth with random faults: processes are
killed or hang, links are cut, at random moments of the move. After each move everything is checked from the outside.

  --minutes N      how long (default: 10)
  --seed S         number that the sequence of faults is drawn from (default: by the clock)
  --iterations N   end after so many, whatever the time
  --name LAB       name of the laboratory (default: torture)
  --keep           leave the laboratory up when something is not as it should be

  --matrix         instead: every row of the fault table once (docs/reliability.md), which takes an hour and more
  --only WORDS     of them only those whose name, "FAULT at MOMENT: ENDING", matches this regular expression
  --part I/N       of them only the I-th of N parts

Exit status: 0 when every check holds, 1 otherwise.
`;
/** Of ten moves so many are left in peace. */
const PEACEFUL_OF_TEN = 2;
/** What a process of ours may have more open at the end than at the beginning; a leak of one a move is more. */
const DESCRIPTORS_SLACK = 12;
const NAMES = ["db01", "db02"] as const;

export interface TortureOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly iterations: number;
  readonly name: string;
  readonly keep: boolean;
  readonly say: (text: string) => void;
}

/** Gives the exit status. */
export async function runTorture(argv: readonly string[]): Promise<number> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ args: [...argv], options: { minutes: { ...text, default: "10" }, seed: text, iterations: text, name: { ...text, default: "torture" }, keep: { type: "boolean", default: false }, matrix: { type: "boolean", default: false }, only: text, part: text, help: { type: "boolean", default: false } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  if (values.matrix) {
    const part = /^(\d+)\/(\d+)$/.exec(values.part ?? "1/1");
    if (!part || Number(part[1]) < 1 || Number(part[1]) > Number(part[2])) throw new OlpmError("invalid-argument", `--part takes I/N, as 2/5, not ${values.part}.`);
    return runMatrix({ only: new RegExp(values.only ?? ""), part: { index: Number(part[1]), of: Number(part[2]) }, name: values.name, keep: values.keep, say });
  }
  const number = (option: string, value: string) => {
    if (!/^\d+(\.\d+)?$/.test(value)) throw new OlpmError("invalid-argument", `--${option} takes a number, not ${value}.`);
    return Number(value);
  };
  return torture({
    minutes: number("minutes", values.minutes),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : number("seed", values.seed),
    iterations: values.iterations === undefined ? Infinity : number("iterations", values.iterations),
    name: values.name,
    keep: values.keep,
    say,
  });
}

/** Gives 0 when every check held. What can not be set up throws. */
export async function torture(options: TortureOptions): Promise<number> {
  const { seed, name, say } = options;
  if (labExists(name)) await downLab({ name, say: () => undefined });
  const lab = await upLab({ name, say, description: LabDescription.parse({ faults: true }) });
  const subjects = new Subjects(lab);
  const trials = new Trials(subjects);
  const measured: Measured[] = [];
  let failed = false;
  try {
    await Promise.all(NAMES.map((one, lun) => trials.partition(one, lab.systems[lun]!.name, lun)));
    const before = descriptors(lab);
    say(`seed ${seed}`);
    const done = new Map<string, number>();
    const random = numbers(seed);
    const end = performance.now() + options.minutes * 60_000;
    let iteration = 0;
    while (performance.now() < end && iteration < options.iterations) {
      iteration++;
      const partition = NAMES[Math.floor(random() * NAMES.length)]!;
      const row = random() * 10 < PEACEFUL_OF_TEN ? undefined : CASES[Math.floor(random() * CASES.length)]!;
      const begun = performance.now();
      const where = `${partition} ${trials.home(partition)}`;
      try {
        const { answeredMs, recoveredMs } = row ? await trials.try(partition, row) : { answeredMs: 0, recoveredMs: await peacefully(trials, partition) };
        if (row) measured.push({ fault: row.fault, at: row.at, ...(row.second ? { second: true } : {}), answeredMs, recoveredMs });
        const what = row ? nameOfCase(row) : "moves in peace";
        done.set(what, (done.get(what) ?? 0) + 1);
        say(`${String(iteration).padStart(4)}  ${where}  ${what.padEnd(48)} answered ${answeredMs} ms, well after ${recoveredMs} ms (${Math.round(performance.now() - begun)} ms in all)`);
      } catch (thrown) {
        failed = true;
        say(`${String(iteration).padStart(4)}  ${where}  ${nameOf(row)}: NOT as it should be\n${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}`);
        say(`again: ./openlpm torture --seed ${seed} --iterations ${iteration}`);
        break;
      }
    }
    if (!failed) {
      for (const one of NAMES) await subjects.finish(one);
      const leaks = Object.entries(descriptors(lab)).filter(([place, count]) => count > (before[place] ?? count) + DESCRIPTORS_SLACK);
      if (leaks.length > 0) say(`open descriptors grew: ${leaks.map(([place, count]) => `${place} from ${before[place]} to ${count}`).join(", ")}`);
      failed = leaks.length > 0;
    }
    const kinds = [...done].sort(([a], [b]) => a.localeCompare(b));
    say(`\n${iteration} iterations, seed ${seed}, ${kinds.length} of ${CASES.length + 1} kinds: ${failed ? "NOT as it should be" : "every check held, no acknowledged write is missing"}`);
    for (const [what, count] of kinds) say(`  ${String(count).padStart(3)}  ${what}`);
    return failed ? 1 : 0;
  } finally {
    recordTimes(measured);
    subjects.kill();
    if (failed && options.keep) say(`The laboratory stays up: ./openlpm lab status --name ${name}; ./openlpm lab down --name ${name}`);
    else await downLab({ name, say });
  }
}

const nameOf = (row: FaultCase | undefined): string => (row ? `${row.fault} at ${row.at}` : "moves in peace");

async function peacefully(trials: Trials, partition: string): Promise<number> {
  await trials.subjects.revived(partition);
  const begun = performance.now();
  await trials.move(partition);
  return Math.round(performance.now() - begun);
}

/** Open descriptors of each system and console, whose processes live from begin to end unless a fault restarts them. */
function descriptors(lab: { readonly systems: readonly { readonly name: string; readonly runDir: string }[]; readonly consoles: readonly { readonly name: string; readonly runDir: string }[] }): Record<string, number> {
  return Object.fromEntries([...lab.systems, ...lab.consoles].map(({ name, runDir }) => [name, fs.readdirSync(`/proc/${(JSON.parse(fs.readFileSync(`${runDir}/pid.json`, "utf8")) as { pid: number }).pid}/fd`).length]));
}

/** Numbers of 0 to 1 from a seed, always the same ones (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
