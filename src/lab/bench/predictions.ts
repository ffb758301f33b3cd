/**
 * `openlpm bench predict`: what validation says of a live move, beside what the move took. One partition is moved back and forth, idle and with memory that changes, sealed and
 * direct, over the open link and slower ones; the prediction is the one that the migration's record carries.
 */
import fs from "node:fs";
import { parseArgs } from "node:util";
import { until } from "../../kit/wait.js";
import { MigrationRecord } from "../../model/migration.js";
import { guestAgent } from "../../system/qemu/agent.js";
import { sockets } from "../../system/qemu/arguments.js";
import { fast, slow } from "../faults.js";
import { downLab, labExists, upLab, type Lab } from "../lab.js";
import { Operator } from "../operator.js";
import { bootPartition, createPartition, type LabPartition } from "../partition.js";
import { LabDescription, LAN_ADDRESS, PREFIX } from "../plan.js";
import { runDirOf } from "./ours.js";

const HELP = `Usage: openlpm bench predict [--runs N] [--json FILE] [--markdown FILE] [--name LAB]

Moves a running partition back and forth, idle and with memory that changes, over links of different speed, and compares
what validation predicted with what it took.

  --runs N         how often each case is moved there and back (default: 1)
  --json FILE      every move
  --markdown FILE  writes the section "bench predict" of FILE (docs/performance.md) anew
  --name LAB       name of the laboratory (default: predict)

Exit status: 0 when what it took lay within the prediction in at least nine of ten comparisons, 1 otherwise.
`;
const MEMORY_MB = 512;
const LOAD_MB = 64;
const LOADS = [0, 5, 20, 50] as const;
const LINKS = { open: null, "1 Gbit/s": "1gbit", "400 Mbit/s": "400mbit" } as const;
const VIOS_OF = { sealed: "vios1", direct: "vios2" } as const;
const GOOD_SHARE = 0.9;

type LinkName = keyof typeof LINKS;
interface Case {
  readonly way: keyof typeof VIOS_OF;
  readonly link: LinkName;
  readonly loadMbPerSecond: number;
}
interface Compared {
  readonly what: "total" | "stopped" | "bytes";
  readonly said: readonly [number, number];
  readonly was: number;
}
export interface PredictedMove extends Case {
  readonly record: MigrationRecord;
  readonly compared: readonly Compared[];
}

/** The slow link carries less than the largest load changes: the partition has to be slowed down for long, which is tried one way only. */
const isTried = ({ way, link, loadMbPerSecond }: Case): boolean => !(link === "400 Mbit/s" && way === "direct" && loadMbPerSecond === 50);
const CASES: readonly Case[] = (Object.keys(LINKS) as LinkName[]).flatMap((link) => (["sealed", "direct"] as const).flatMap((way) => LOADS.map((loadMbPerSecond): Case => ({ way, link, loadMbPerSecond })))).filter(isTried);
const within = ({ said, was }: Compared): boolean => was >= said[0] && was <= said[1];

export async function runPredictions(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { name: { type: "string", default: "predict" }, runs: { type: "string", default: "1" }, json: { type: "string" }, markdown: { type: "string" }, help: { type: "boolean", default: false } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const say = (text: string) => process.stdout.write(`${text}\n`);
  if (labExists(values.name)) await downLab({ name: values.name, say });
  const { systems } = LabDescription.parse({});
  const description = LabDescription.parse({ luns: 1, fcLuns: 0, systems: systems.map((system) => ({ ...system, vioses: system.vioses.map((vios) => ({ ...vios, moverTrusted: vios.name === VIOS_OF.direct ? [`${LAN_ADDRESS}/${PREFIX}`] : [] })) })) });
  const lab = await upLab({ name: values.name, description, say });
  try {
    const moves = await moveAll(lab, Number(values.runs), say);
    const text = predictionTable(moves);
    if (values.json !== undefined) fs.writeFileSync(values.json, `${JSON.stringify(moves, null, 2)}\n`);
    if (values.markdown !== undefined) fs.writeFileSync(values.markdown, withPredictions(fs.readFileSync(values.markdown, "utf8"), text));
    say(text);
    const all = moves.flatMap((move) => move.compared);
    return all.filter(within).length >= GOOD_SHARE * all.length ? 0 : 1;
  } finally {
    await downLab({ name: values.name, say });
  }
}

async function moveAll(lab: Lab, runs: number, say: (text: string) => void): Promise<PredictedMove[]> {
  const operator = new Operator(lab);
  const partition = await createPartition(lab, { name: "db01", system: "ms01", lun: 0, memoryMb: MEMORY_MB, say: () => undefined });
  await bootPartition(lab, partition, () => undefined);
  const moves: PredictedMove[] = [];
  let [from, to] = ["ms01", "ms02"];
  let load = 0;
  for (const one of CASES) {
    for (const system of lab.systems) for (const vios of system.vioses) await (LINKS[one.link] === null ? fast(vios).catch(() => undefined) : slow(vios, LINKS[one.link]!));
    if (load !== one.loadMbPerSecond) await changeLoad(lab, partition, (load = one.loadMbPerSecond));
    for (let leg = 0; leg < 2 * runs; leg++) {
      const vios = VIOS_OF[one.way];
      const record = await operator.migrate(`migrlpar -o m -m ${from} -t ${to} -p db01 -i "source_msp_name=${vios},dest_msp_name=${vios}"`);
      [from, to] = [to, from];
      const move = { ...one, record, compared: compare(record) };
      moves.push(move);
      say(`  ${[one.link, one.way, `${one.loadMbPerSecond} MB/s`].join(", ").padEnd(28)} ${move.compared.map((each) => `${each.what} ${each.was} (${each.said.join("-")})${within(each) ? "" : " !"}`).join("  ")}  ${JSON.stringify(record.prediction?.basis)}`);
    }
  }
  return moves;
}

async function changeLoad(lab: Lab, partition: LabPartition, mbPerSecond: number): Promise<void> {
  const guest = guestAgent(sockets(runDirOf(lab, partition.uuid).dir).agent);
  await guest.exec("/bin/sh", ["-c", `pids=$(pidof dirty) && kill $pids; : >/run/dirty.log; [ ${mbPerSecond} = 0 ] || dirty ${LOAD_MB} ${mbPerSecond} >/run/dirty.log 2>&1 </dev/null &`], { deadlineMs: 30_000 });
  if (mbPerSecond > 0) await until(async () => ((await guest.exec("/bin/cat", ["/run/dirty.log"], { deadlineMs: 10_000 })).stdout.includes("MB/s") ? true : undefined), { what: "the load to run", deadlineMs: 60_000, everyMs: 500 });
}

/** What the record says was predicted, beside what it says was. Empty without a prediction. */
export function compare({ prediction, startedAt, endedAt, stoppedMs, progress }: MigrationRecord): Compared[] {
  if (prediction === null || endedAt === null || stoppedMs === null) return [];
  return [
    { what: "total", said: prediction.totalMs, was: Date.parse(endedAt) - Date.parse(startedAt) },
    { what: "stopped", said: prediction.stoppedMs, was: stoppedMs },
    { what: "bytes", said: prediction.bytes, was: progress.bytesSent },
  ];
}

const MIB = 1 << 20;
const SHOWN: Readonly<Record<Compared["what"], (value: number) => string>> = { total: (ms) => (ms / 1_000).toFixed(1), stopped: (ms) => String(Math.round(ms)), bytes: (bytes) => String(Math.round(bytes / MIB)) };
/** For docs/performance.md: a line for each case, all its moves in it. */
export function predictionTable(moves: readonly PredictedMove[]): string {
  const head = ["link", "way", "changes, MB/s", "predicted, s", "took, s", "predicted stop, ms", "stopped, ms", "predicted, MiB", "sent, MiB"];
  const rows = CASES.flatMap((one) => {
    const mine = moves.filter((move) => move.link === one.link && move.way === one.way && move.loadMbPerSecond === one.loadMbPerSecond);
    if (mine.length === 0) return [];
    const cells = (what: Compared["what"]) => {
      const found = mine.flatMap((move) => move.compared.filter((each) => each.what === what));
      const ends = found.map((each) => `${SHOWN[what](each.said[0])}-${SHOWN[what](each.said[1])}`);
      return [[...new Set(ends)].join(", "), found.map((each) => `${SHOWN[what](each.was)}${within(each) ? "" : " (!)"}`).join(", ")];
    };
    return [[one.link, one.way, String(one.loadMbPerSecond), ...cells("total"), ...cells("stopped"), ...cells("bytes")]];
  });
  const all = moves.flatMap((move) => move.compared);
  return [`${all.filter(within).length} of ${all.length} within the prediction; (!) marks the others.`, "", ...[head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`)].join("\n");
}

/** @throws Error where the page has no such section */
function withPredictions(page: string, text: string): string {
  const section = /(<!-- bench predict -->\n)[\s\S]*?(<!-- end -->)/;
  if (!section.test(page)) throw new Error("the page has no section <!-- bench predict --> ... <!-- end -->");
  return page.replace(section, (_, open: string, close: string) => `${open}\n${text}\n\n${close}`);
}
