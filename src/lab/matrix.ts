/**
 * `openlpm torture --matrix`: every row of the fault table (faults.ts) once, in one laboratory with one partition under load, with the checks of trial.ts after each. A row that is
 * not as it should be is said, and the others go on. The tests do a selection of the same rows.
 */
import { downLab, labExists, upLab } from "./lab.js";
import { MATRIX } from "./fault-matrix.js";
import { nameOfCase } from "./faults.js";
import { LabDescription } from "./plan.js";
import { Subjects } from "./subjects.js";
import { recordTimes, Trials, type Measured } from "./trial.js";

const PARTITION = "db01";

export interface MatrixOptions {
  /** what the name of a row must match: `FAULT at MOMENT: ENDING` */
  readonly only: RegExp;
  /** the rows from `part` on, each `of`-th: 1 of 3 and the two others are all */
  readonly part: { readonly index: number; readonly of: number };
  readonly name: string;
  readonly keep: boolean;
  readonly say: (text: string) => void;
}

/** Gives 0 when every row ended as it should. What can not be set up throws. */
export async function runMatrix({ only, part, name, keep, say }: MatrixOptions): Promise<number> {
  const rows = MATRIX.filter((row) => only.test(nameOfCase(row))).filter((_, at) => at % part.of === part.index - 1);
  if (labExists(name)) await downLab({ name, say: () => undefined });
  const lab = await upLab({ name, say, description: LabDescription.parse({ faults: true }) });
  const subjects = new Subjects(lab);
  const trials = new Trials(subjects);
  const measured: Measured[] = [];
  const wrong: string[] = [];
  try {
    await trials.partition(PARTITION, lab.systems[0]!.name, 0);
    for (const [at, row] of rows.entries()) {
      const begun = performance.now();
      const words = `${String(at + 1).padStart(3)}/${rows.length}  ${trials.home(PARTITION)}  ${nameOfCase(row).padEnd(48)}`;
      try {
        const { answeredMs, recoveredMs } = await trials.try(PARTITION, row);
        measured.push({ fault: row.fault, at: row.at, ...(row.second ? { second: true } : {}), answeredMs, recoveredMs });
        say(`${words} answered ${answeredMs} ms, well after ${recoveredMs} ms (${Math.round(performance.now() - begun)} ms in all)`);
      } catch (thrown) {
        wrong.push(nameOfCase(row));
        say(`${words} NOT as it should be (${Math.round(performance.now() - begun)} ms in all)\n${thrown instanceof Error ? thrown.message : String(thrown)}`);
      }
    }
    await subjects.finish(PARTITION).catch((error: unknown) => {
      wrong.push("the writes at the end");
      say(String(error));
    });
    say(`${rows.length} rows: ${wrong.length === 0 ? "every one ended as it should, no acknowledged write is missing" : `NOT as it should be: ${wrong.join(", ")}`}`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    recordTimes(measured);
    subjects.kill();
    if (wrong.length > 0 && keep) say(`The laboratory stays up: ./openlpm lab status --name ${name}; ./openlpm lab down --name ${name}`);
    else await downLab({ name, say });
  }
}
