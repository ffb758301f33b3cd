/**
 * One row of the fault table from beginning to end, as test/faults-killed.test.ts and faults-hung.test.ts and `openlpm torture` do it: the fault, what is said of it, where the partition is then, what is
 * left, whether the LUN has every acknowledged write, and a second try. Throws with all that is not as the row says.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { until } from "../kit/wait.js";
import { assertQuiet, findPartitions } from "./checker.js";
import { MATRIX } from "./fault-matrix.js";
import { attempt, moveLine, OUTAGES, type Attempt, type FaultCase, type Stage } from "./faults.js";
import type { Subjects } from "./subjects.js";

/** A migration that a fault delays is over within this, whichever way. */
const OVER_MS_MAX = 45_000;

export interface TrialResult {
  /** from the fault to the command's answer */
  readonly answeredMs: number;
  /** from the fault until all was as it should be and the client's writes went on; where the partition itself was killed, until it could be activated again */
  readonly recoveredMs: number;
}

/** A row of docs/reliability.json. */
export interface Measured extends TrialResult {
  readonly fault: string;
  readonly at: string;
  readonly second?: true;
}
export const isOf = (one: Measured, row: FaultCase): boolean => one.fault === row.fault && one.at === row.at && one.second === row.second;

/** `OPENLPM_RELIABILITY=docs/reliability.json` keeps the times that docs/reliability.md prints; rows that were not tried keep theirs. */
export function recordTimes(measured: readonly Measured[]): void {
  const file = process.env["OPENLPM_RELIABILITY"];
  if (file === undefined) return;
  const before = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Measured[]) : [];
  const rows = MATRIX.flatMap((row) => [[...measured].reverse(), before].flatMap((all) => all.filter((one) => isOf(one, row))).slice(0, 1));
  fs.writeFileSync(file, `[\n${rows.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
}

export class Trials {
  readonly subjects: Subjects;
  /** where each partition is */
  readonly #home = new Map<string, string>();

  constructor(subjects: Subjects) {
    this.subjects = subjects;
  }

  async partition(name: string, system: string, lun: number): Promise<void> {
    await this.subjects.partition({ name, system, lun, memoryMb: 512 });
    this.#home.set(name, system);
  }
  home(name: string): string {
    return this.#home.get(name) ?? "";
  }
  /** `name` on its way from where it is to another system. */
  stage(name: string): Stage {
    const { lab, operator } = this.subjects;
    const from = this.subjects.system(this.home(name));
    return { lab, operator, partition: this.subjects.client(name).partition, from, to: lab.systems.find((one) => one !== from)! };
  }
  arrived(name: string, system: string): void {
    this.#home.set(name, system);
  }

  /** A move with nothing broken. */
  async move(name: string): Promise<void> {
    const stage = this.stage(name);
    const { code, stderr } = await this.subjects.operator.run(moveLine(stage));
    assert.equal(code, 0, stderr);
    this.arrived(name, stage.to.name);
    await this.subjects.check(name, stage.to.name);
  }

  async try(name: string, row: FaultCase): Promise<TrialResult> {
    await this.subjects.revived(name);
    try {
      return await this.#try(name, row);
    } catch (error) {
      // The next row begins from where the partition is now, so that one failure is not many.
      await this.#over().catch(() => undefined);
      const found = findPartitions(this.subjects.lab, [this.subjects.client(name).partition]);
      if (found.length === 1) this.arrived(name, found[0]!.system);
      // Only its own row kills the partition; the others would find what it left.
      else if (row.ending.startsWith("lost")) await this.#lost(this.stage(name), row.ending === "lostOnSource" ? this.stage(name).from.name : this.stage(name).to.name, { struckAt: performance.now() }).catch(() => undefined);
      throw error;
    }
  }

  async #try(name: string, row: FaultCase): Promise<TrialResult> {
    const stage = this.stage(name);
    let recoveredMs = 0;
    const result = await attempt(stage, row, async (struck) => {
      if (row.ending === "backOnSource") recoveredMs = await this.#lost(stage, stage.from.name, struck, "Not Activated");
      else await this.subjects.client(name).writer.progressed();
    });
    if (row.ending === "backOnSource") return this.#afterReturn(stage, result, recoveredMs);
    if (OUTAGES.includes(row.fault)) return this.#afterOutage(stage, row, result);
    const answeredMs = Math.round(result.answeredMs);
    switch (row.ending) {
      case "stays": {
        assertSaid(result, new RegExp(`^OLPM-R00 Partition ${name} is running on ${stage.from.name}; nothing is reserved on ${stage.to.name}\\.$`));
        const recoveredMs = await this.#well(name, stage.from.name, result);
        await this.move(name);
        return { answeredMs, recoveredMs };
      }
      case "moves": {
        // Who could not be told that it runs elsewhere is said; it has moved all the same.
        const stderr = row.at === "confirm" ? result.stderr.replace(/^OLPM-W01 .*\n/, "") : result.stderr;
        if (row.fault !== "console") assert.deepEqual({ code: result.code, stderr }, { code: 0, stderr: "" });
        if (row.second) assert.match(result.stdout, new RegExp(`^${name}: the second pair of movers \\(vios1 to vios1\\) takes over, the copy begins anew: \\S.*\\.\n$`));
        this.arrived(name, stage.to.name);
        return { answeredMs, recoveredMs: await this.#well(name, stage.to.name, result) };
      }
      case "lostOnSource":
        assertSaid(result, new RegExp(`^OLPM-R00 Partition ${name} is in the state Error on ${stage.from.name}; nothing is reserved on ${stage.to.name}\\.$`));
        return { answeredMs, recoveredMs: await this.#lost(stage, stage.from.name, result) };
      case "lostOnDestination":
        assert.equal(result.code, 1, result.stderr);
        assert.match(result.stderr, new RegExp(`^OLPM-R02 Partition ${name} belongs to ${stage.to.name} now, where it does not run: .+ Activate it there: .+`), result.stderr);
        return { answeredMs, recoveredMs: await this.#lost(stage, stage.to.name, result) };
    }
  }

  /** An operator gave the partition back to the source, where it was activated; then the destination's host came back. */
  async #afterReturn({ lab, operator, partition, from, to }: Stage, result: Attempt, recoveredMs: number): Promise<TrialResult> {
    assertExplained(result);
    await this.#over();
    await assertQuiet(lab, { partitions: [...this.subjects.clients.values()].map((one) => one.partition), on: { [partition.name]: from.name } }, OVER_MS_MAX);
    assert.ok(!(await operator.quiet(`lssyscfg -r lpar -m ${to.name} -F name`)).split("\n").includes(partition.name), `${to.name} lists ${partition.name}`);
    return { answeredMs: Math.round(result.answeredMs), recoveredMs };
  }

  /** What the command said is checked only where it could know: the systems settle the rest, and that is what has to be so in the end. */
  async #afterOutage(stage: Stage, { ending }: FaultCase, result: Attempt): Promise<TrialResult> {
    const { name } = stage.partition;
    const answeredMs = Math.round(result.answeredMs);
    assertExplained(result);
    const on = ending === "stays" || ending === "lostOnSource" ? stage.from.name : stage.to.name;
    if (ending.startsWith("lost")) {
      await this.#over();
      return { answeredMs, recoveredMs: await this.#lost(stage, on, result) };
    }
    if (ending === "moves") this.arrived(name, on);
    const recoveredMs = await this.#well(name, on, result);
    if (ending === "stays") await this.move(name);
    return { answeredMs, recoveredMs };
  }

  /** Waits until nothing migrates. */
  async #over(): Promise<void> {
    const { lab, operator } = this.subjects;
    // A system that was away may not be connected yet.
    const over = async ({ name }: { readonly name: string }) => {
      const { code, stdout } = await operator.run(`lslparmigr -r lpar -m ${name} -F migration_state`);
      return code === 0 && stdout.trim().split("\n").every((state) => state === "Not Migrating");
    };
    await until(async () => ((await Promise.all(lab.systems.map(over))).every(Boolean) ? true : undefined), { what: "the end of the migration", deadlineMs: OVER_MS_MAX, everyMs: 250 });
  }

  async #well(name: string, on: string, { struckAt }: Attempt): Promise<number> {
    // A console that was killed answers nobody when the migration is over.
    await this.subjects.check(name, on, OVER_MS_MAX);
    const recoveredMs = Math.round(performance.now() - struckAt);
    await this.subjects.holds(name);
    return recoveredMs;
  }

  /**
   * The partition's own process was killed: it is in Error on that one system and nowhere else, and is activated there; it boots while others go on. Gives the ms until it
   * could be activated.
   */
  async #lost({ lab, operator, partition }: Stage, on: string, { struckAt }: Pick<Attempt, "struckAt">, state = "Error"): Promise<number> {
    const { name } = partition;
    await operator.until(`lssyscfg -r lpar -m ${on} --filter lpar_names=${name} -F state`, state, 5_000);
    assert.deepEqual(findPartitions(lab, [partition]), []);
    // Not Activated: by the word of a person that the other one is lost.
    for (const system of lab.systems.filter((one) => one.name !== on && state === "Error")) assert.ok(!(await operator.quiet(`lssyscfg -r lpar -m ${system.name} -F name`)).split("\n").includes(name), `${system.name} lists ${name}`);
    const recoveredMs = Math.round(performance.now() - struckAt);
    this.arrived(name, on);
    await this.subjects.revive(name, on);
    return recoveredMs;
  }
}

/** Either it succeeded, or its first line has a code and says what to do. */
function assertExplained({ code, stderr }: Attempt): void {
  if (code === 0) assert.equal(stderr, "");
  else assert.match(stderr.split("\n")[0]!, /^(HSC|OLPM-)\w* .+\. \S.*\.$/, stderr);
}

/** One error line, with a code and something to do, and then where the partition is. */
function assertSaid({ code, stderr }: Attempt, where: RegExp): void {
  assert.equal(code, 1, stderr);
  const lines = stderr.trim().split("\n");
  assert.match(lines[0] ?? "", /^HSCLA(2CF|246) .+\. \S.*\.$/, stderr);
  assert.equal(lines.length, 2, stderr);
  assert.match(lines[1]!, where);
}
