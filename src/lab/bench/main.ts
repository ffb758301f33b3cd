/**
 * `openlpm bench migrate`: our movers and QEMU alone, side by side in one run. One laboratory, one partition of each kind, moved back and forth; the ways take turns, and
 * every second round in the opposite order, so that what else happens on the machine meets all of them.
 */
import fs from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { OlpmError } from "../../kit/errors.js";
import { makeLogger } from "../../kit/log.js";
import { run } from "../../kit/run.js";
import { until } from "../../kit/wait.js";
import { guestAgent } from "../../system/qemu/agent.js";
import { sockets } from "../../system/qemu/arguments.js";
import type { GuestAgent } from "../../system/qemu/contract.js";
import { downLab, labExists, upLab, type Lab } from "../lab.js";
import { Operator } from "../operator.js";
import { createPartition } from "../partition.js";
import { LabDescription, LAN_ADDRESS, PREFIX } from "../plan.js";
import { inNamespace } from "../wiring.js";
import { CASES, type BenchCase, type Link, type Sample, type Way } from "./cases.js";
import { Census, type Part } from "./census.js";
import { Ours, runDirOf } from "./ours.js";
import { runPredictions } from "./predictions.js";
import { benchText, withBench, type BenchReport } from "./report.js";
import { Straight } from "./straight.js";
import { WarmMemory } from "./warm.js";

const HELP = `Usage: openlpm bench migrate [--runs N] [--only CASES] [--json FILE] [--markdown FILE] [--name LAB]
       openlpm bench predict [--runs N] [--json FILE] [--markdown FILE] [--name LAB]

Moves a running partition with 600 MiB of incompressible memory back and forth between two managed systems, through
the movers with the console's commands, and QEMU straight to QEMU in turn, and compares: time until the destination
runs, time stopped, processor seconds.

  --runs N         how often each way is measured (default: 5)
  --only CASES     some of: ${CASES.map((one) => one.name).join(", ")} (comma between)
  --json FILE      every sample
  --markdown FILE  writes the section "bench migrate" of FILE (docs/performance.md) anew
  --name LAB       name of the laboratory (default: bench)

Exit status: 0 when every goal was reached, 1 otherwise.
`;
const MEMORY_MB = 1024;
const RANDOM_MB = 600;
const BOOT_MS_MAX = 240_000;
const FILL_MS_MAX = 120_000;
/** Token bucket of the shaped link: a queue as a switch port has it. */
const TBF = ["tbf", "rate", "1gbit", "burst", "1mb", "latency", "50ms"];
/** What a move takes up on the destination at most, twice: others on the machine take memory too while it is given back. */
const WARM_MB = 2 * (MEMORY_MB + 256);
const VIOS_OF = { sealed: "vios1", direct: "vios2" } as const;

export async function runBench(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...argv], allowPositionals: true, options: { name: { type: "string", default: "bench" }, runs: { type: "string", default: "5" }, only: { type: "string" }, json: { type: "string" }, markdown: { type: "string" }, help: { type: "boolean", default: false } } });
  if (positionals[0] === "predict") return runPredictions(argv.slice(1));
  if (values.help || positionals[0] !== "migrate") {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || runs > 100) throw new OlpmError("invalid-argument", `--runs ${values.runs} is no number from 1 to 100`);
  const cases = chosen(values.only);
  const say = (text: string) => process.stdout.write(`${text}\n`);
  const loadBefore = os.loadavg()[0]! / os.cpus().length;
  if (labExists(values.name)) await downLab({ name: values.name, say });
  const lab = await upLab({ name: values.name, description: describe(), say });
  try {
    const samples = await measure(lab, { cases, runs, say });
    const report: BenchReport = { ...(await surroundings()), command: `./openlpm bench ${argv.join(" ")}`, at: new Date().toISOString().slice(0, 16).replace("T", " "), loadBefore, memoryMb: RANDOM_MB, runs, samples };
    say("");
    process.stdout.write(benchText(report));
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
    if (values.markdown !== undefined) fs.writeFileSync(values.markdown, withBench(fs.readFileSync(values.markdown, "utf8"), report));
    return benchText(report).includes("MISSED") ? 1 : 0;
  } catch (error) {
    for (const words of lastWords(lab)) say(words);
    throw error;
  } finally {
    await downLab({ name: values.name, say });
  }
}

const LAST_LINES = 12;
/** The ends of the logs, before they go with the laboratory. */
function lastWords(lab: Lab): string[] {
  const files = lab.systems.flatMap((system) => [`${system.stateDir}/logs/system.log`, ...system.vioses.map((vios) => `${system.stateDir}/logs/${vios.name}.log`), ...fs.readdirSync(system.runDir).map((entry) => `${system.runDir}/${entry}/qemu.log`)]);
  return files.filter((file) => fs.existsSync(file)).flatMap((file) => [`==> ${file}`, ...fs.readFileSync(file, "utf8").trim().split("\n").slice(-LAST_LINES)]);
}

/** The second Virtual I/O Server of each system trusts the LAN, the first does not. */
function describe(): LabDescription {
  const { systems } = LabDescription.parse({});
  return LabDescription.parse({ luns: 1, systems: systems.map((system) => ({ ...system, vioses: system.vioses.map((vios) => ({ ...vios, moverTrusted: vios.name === VIOS_OF.direct ? [`${LAN_ADDRESS}/${PREFIX}`] : [] })) })) });
}

function chosen(only: string | undefined): readonly BenchCase[] {
  if (only === undefined) return CASES;
  return only.split(",").map((name) => {
    const found = CASES.find((one) => one.name === name);
    if (!found) throw new OlpmError("invalid-argument", `there is no case ${name}; there are ${CASES.map((one) => one.name).join(", ")}`);
    return found;
  });
}

async function measure(lab: Lab, options: { readonly cases: readonly BenchCase[]; readonly runs: number; readonly say: (text: string) => void }): Promise<Sample[]> {
  const { cases, runs, say } = options;
  const operator = new Operator(lab);
  const partition = await createPartition(lab, { name: "db01", system: lab.systems[0]!.name, lun: 0, memoryMb: MEMORY_MB, say: () => undefined });
  const { dir, spec } = runDirOf(lab, partition.uuid);
  const log = makeLogger("bench", lab.name, `${lab.stateDir}/bench.log`);
  const straight = await Straight.start(lab, spec, log);
  say(`filling ${RANDOM_MB} MiB of both partitions with random bytes`);
  await Promise.all([fill(guestAgent(sockets(dir).agent)), fill(straight.process.guest)]);
  await operator.until(`lssyscfg -r lpar -m ${lab.systems[0]!.name} --filter lpar_names=${partition.name} -F rmc_state`, "active", 60_000);
  const ours = new Ours(lab, operator, partition);
  const samples: Sample[] = [];
  const one = async (way: Way, link: Link) => {
    const ourWay = way === "sealed" || way === "direct";
    const census = new Census(classifier(lab, ourWay ? partition.uuid : straight.uuid));
    const warm = await WarmMemory.take(WARM_MB);
    try {
      if (ourWay) {
        await straight.rest();
        census.onFirst("mover", () => void warm.giveBack()); // a tenth of a second before the copy
        samples.push(await ours.move({ way, link, vios: VIOS_OF[way], census }));
      } else {
        await straight.wake();
        samples.push(await straight.move({ tls: way === "qemu-tls", link, census, beforeCopy: () => warm.giveBack() }));
      }
    } finally {
      census.stop();
      await warm.giveBack();
    }
    const last = samples.at(-1)!;
    say(`  ${way.padEnd(10)} ${link.padEnd(6)} ${(last.runsMs / 1000).toFixed(2)} s until it runs, stopped ${Math.round(last.stoppedMs)} ms, ${last.cpuS.toFixed(2)} processor seconds`);
  };
  // The first move after a boot meets a guest that still settles and code that was never used: it is made and not counted.
  say("one move of each, not counted");
  for (const way of ["direct", "qemu-plain"] as const) await one(way, "open");
  samples.length = 0;
  for (let round = 0; round < runs; round++) {
    say(`run ${round + 1} of ${runs}`);
    for (const link of ["open", "shaped"] as const) {
      const ways = cases.filter((each) => each.link === link).flatMap((each) => [each.ours, each.qemu]);
      if (ways.length === 0) continue;
      await shape(lab, link);
      for (const way of round % 2 === 0 ? ways : ways.reverse()) await one(way, link);
    }
  }
  return samples;
}

/** Starts `dirty` in the partition and waits until its memory is filled. */
async function fill(guest: GuestAgent): Promise<void> {
  await until(async () => ((await guest.ping(2_000)) ? true : undefined), { what: "the partition's agent", deadlineMs: BOOT_MS_MAX, everyMs: 500 });
  await guest.exec("/bin/sh", ["-c", `dirty ${RANDOM_MB} 0 >/run/dirty.log 2>&1 </dev/null &`], { deadlineMs: 30_000 });
  await until(async () => ((await guest.exec("/bin/cat", ["/run/dirty.log"], { deadlineMs: 10_000 })).stdout.includes("filled") ? true : undefined), { what: "the partition's memory to be filled", deadlineMs: FILL_MS_MAX, everyMs: 1_000 });
}

/** The same limit on every way from host to host: the uplinks of the Virtual I/O Servers for the movers, the hosts' own links for QEMU alone. */
async function shape(lab: Lab, link: Link): Promise<void> {
  const ends = lab.systems.flatMap((system) => [{ namespace: system.namespace, device: "mgmt0" }, ...system.vioses.map((vios) => ({ namespace: vios.namespace, device: "lan0" }))]);
  for (const { namespace, device } of ends) {
    const shaped = (await run(inNamespace(namespace, "tc", "qdisc", "show", "dev", device))).includes("tbf");
    if (link === "shaped") await run(inNamespace(namespace, "tc", "qdisc", "replace", "dev", device, "root", ...TBF));
    else if (shaped) await run(inNamespace(namespace, "tc", "qdisc", "delete", "dev", device, "root"));
  }
}

const classifier =
  (lab: Lab, uuid: string) =>
  (words: readonly string[]): Part => {
    const program = words[0] ?? "";
    if (program.startsWith("qemu-system") && words.includes(uuid)) return "qemu";
    if (!words.some((word) => word.startsWith(`${lab.runDir}/`) || word.startsWith(`${lab.stateDir}/`))) return "other";
    if (program.endsWith("/mover")) return "mover";
    return words.includes("vios") ? "vios" : words.includes("system") || words.includes("console") ? "service" : "other";
  };

async function surroundings(): Promise<Pick<BenchReport, "machine" | "qemu" | "openlpm">> {
  const cpus = os.cpus();
  const version = (JSON.parse(fs.readFileSync(`${import.meta.dirname}/../../../../package.json`, "utf8")) as { version: string }).version;
  return {
    machine: `${cpus.length} x ${cpus[0]!.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, both hosts on it, partitions emulated (TCG)`,
    qemu: (await run(["qemu-system-ppc64", "--version"])).split("\n")[0]!,
    openlpm: `OpenLPM ${version}`,
  };
}
