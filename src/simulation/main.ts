/** `openlpm simulate`: many seeds, or one of them again with everything that happened. */
import fs from "node:fs";
import { OlpmError } from "../kit/errors.js";
import { runSeed } from "./scenario.js";
import { runInWorkers } from "./seeds.js";
import { missing, summaryText } from "./summary.js";

const HELP = `Usage: openlpm simulate [--seeds N] [--seed S] [--json FILE]

Runs migrations by the real code of console, managed systems and recovery on a virtual clock, network and disks, with crashes,
losses, delays and repetitions that a seed decides, and checks after every event that the partition runs at most once, that
no old copy runs again, that each LUN can be written through at most one system, and at the end that nothing is left over.

  --seeds N   how many (default 20000), from seed S on (default 0)
  --seed S    alone: runs this seed and prints what happened
  --json FILE writes the summary there (docs/simulation.json is what docs/recovery.md prints)
`;

/** Gives the exit status. */
export async function runSimulate(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help")) return void process.stdout.write(HELP), 0;
  const number = (name: string): number | undefined => {
    const at = argv.indexOf(name);
    if (at < 0) return undefined;
    if (!/^\d{1,9}$/.test(argv[at + 1] ?? "")) throw new OlpmError("invalid-argument", `${name} needs a number\n${HELP}`);
    return Number(argv[at + 1]);
  };
  const [seeds, seed] = [number("--seeds"), number("--seed")];
  const json = argv.includes("--json") ? argv[argv.indexOf("--json") + 1] : undefined;
  if (argv.length !== [seeds, seed, json].filter((one) => one !== undefined).length * 2) throw new OlpmError("invalid-argument", HELP);
  if (seed !== undefined && seeds === undefined) return replay(seed);
  const began = performance.now();
  let saidAt = began;
  const summary = await runInWorkers({ from: seed ?? 0, count: seeds ?? 20_000 }, (now) => {
    if (performance.now() - saidAt < 10_000) return;
    saidAt = performance.now();
    process.stderr.write(`${now.seeds} seeds, ${now.failures.length} broke a rule\n`);
  });
  if (json !== undefined) fs.writeFileSync(json, `${JSON.stringify({ ...summary, seconds: Math.round((performance.now() - began) / 1000) }, null, 1)}\n`);
  process.stdout.write(`${summaryText(summary, (performance.now() - began) / 1000)}\n`);
  return summary.failures.length > 0 || (summary.seeds >= 20_000 && missing(summary).length > 0) ? 1 : 0;
}

async function replay(seed: number): Promise<number> {
  const outcome = await runSeed(seed, { trace: (line) => process.stdout.write(`${line}\n`) });
  process.stdout.write(outcome.violations.length === 0 ? `seed ${seed}: no rule was broken\n` : `seed ${seed}: ${outcome.violations.join("; ")}\n`);
  return outcome.violations.length > 0 ? 1 : 0;
}
