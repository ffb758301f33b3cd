/**
 * `openlpm demo`: the main job from end to end, with the commands that an operator would type. It builds a laboratory, makes and activates a
 * partition, lets a client write over one TCP connection, moves the partition to the other system and back, and ends with a report. What it
 * claims is checked by witnesses that ask nobody in the product (witness.ts, lun-check.ts).
 */
import fs from "node:fs/promises";
import { parseArgs } from "node:util";
import { OlpmError, operatorLine, toOlpmError } from "../kit/errors.js";
import { MIGRATION_PHASES, type MigrationRecord } from "../model/migration.js";
import { Operator } from "./operator.js";
import { downLab, labExists, upLab, type Lab } from "./lab.js";
import { missingWrites } from "./lun-check.js";
import { bootPartition, createPartition, type LabPartition } from "./partition.js";
import { reportText, type Check, type DemoReport, type LegReport } from "./report.js";
import { namespaceIdentity, Pinger, qemuProcesses, Writer } from "./witness.js";

const HELP = `Usage: openlpm demo [--name LAB] [--json FILE] [--keep] [--memory MB]

Builds a laboratory, moves a running Power partition live to the other managed system and back while a client
writes to its database over one TCP connection, and reports what happened.

  --name LAB    name of the laboratory (default: demo)
  --json FILE   write the report's facts to FILE as well
  --keep        leave the laboratory up at the end
  --memory MB   memory of the partition (default: 512)

Exit status: 0 when every check holds, 1 otherwise.
`;
const KEY = "writes";
/** Pause of the client between an answer and its next write. */
const WRITE_PAUSE_MS = 2;

export async function runDemo(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: { name: { type: "string", default: "demo" }, json: { type: "string" }, keep: { type: "boolean", default: false }, memory: { type: "string", default: "512" }, help: { type: "boolean", default: false } } });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const begun = performance.now();
  const say = (text: string) => process.stdout.write(`${text}\n`);
  let lab: Lab | undefined;
  try {
    if (labExists(values.name)) await downLab({ name: values.name, say });
    lab = await upLab({ name: values.name, say });
    const report = await perform(lab, { memoryMb: Number(values.memory), say, begun });
    say("");
    process.stdout.write(reportText(report));
    if (values.json !== undefined) await fs.writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.ok ? 0 : 1;
  } catch (thrown) {
    process.stderr.write(`${operatorLine(toOlpmError(thrown, "demo"))}\n`);
    return 1;
  } finally {
    if (lab && !values.keep) await downLab({ name: values.name, say });
    else if (lab) say(`The laboratory stays up: ./openlpm lab status --name ${values.name}; ./openlpm lab down --name ${values.name}`);
  }
}

interface Stage {
  readonly lab: Lab;
  readonly operator: Operator;
  readonly partition: LabPartition;
  readonly writer: Writer;
  readonly say: (text: string) => void;
}

async function perform(lab: Lab, options: { readonly memoryMb: number; readonly say: (text: string) => void; readonly begun: number }): Promise<DemoReport> {
  const { say } = options;
  const operator = new Operator(lab, { say });
  const [home, away] = lab.systems.map((system) => system.name);
  if (home === undefined || away === undefined) throw new OlpmError("invalid-argument", "the demo needs two managed systems");
  const partition = await createPartition(lab, { name: "db01", system: home, lun: 0, memoryMb: options.memoryMb, say });
  await bootPartition(lab, partition, say);

  const writer = new Writer({ namespace: lab.lan.namespace, address: partition.address, key: KEY, pauseMs: WRITE_PAUSE_MS });
  try {
    await writer.progressed();
    say("a client on the LAN writes to it over one TCP connection");
    const stage: Stage = { lab, operator, partition, writer, say };
    const uptimeBefore = performance.now();
    const legs = [await leg(stage, home, away), await leg(stage, away, home)];
    const last = await writer.finish();
    const { checks, lost } = await verify(stage, { system: home, other: away, acknowledged: last.acknowledged });
    if (last.error !== null) checks.unshift({ name: "the client kept its connection", ok: false, detail: last.error });
    else checks.unshift({ name: "the client kept its connection", ok: true, detail: `${Math.round((performance.now() - uptimeBefore) / 1_000)} s, both ways` });
    const state = (await operator.quiet(`lssyscfg -r lpar -m ${home} --filter lpar_names=${partition.name} -F state`)).trim();
    return {
      partition: { name: partition.name, uuid: partition.uuid, system: home, state, uptimeKept: last.error === null },
      legs,
      client: { acknowledged: last.acknowledged, lost, longestWaitMs: last.longestWaitMs, connectionsLost: last.connectionsLost },
      checks,
      totalMs: Math.round(performance.now() - options.begun),
      ok: checks.every((check) => check.ok),
    };
  } finally {
    writer.kill();
  }
}

async function leg(stage: Stage, from: string, to: string): Promise<LegReport> {
  const { operator, partition, writer, say } = stage;
  say(`\nmoving ${partition.name} from ${from} to ${to}`);
  const validateBegun = performance.now();
  await operator.type(`migrlpar -o v -m ${from} -t ${to} -p ${partition.name}`);
  const validateMs = Math.round(performance.now() - validateBegun);
  const pinger = new Pinger({ namespace: stage.lab.lan.namespace, address: partition.address });
  const before = writer.last.acknowledged;
  const begun = performance.now();
  let record: MigrationRecord;
  let pings: { sent: number; lost: number };
  try {
    record = await operator.migrate(`migrlpar -o m -m ${from} -t ${to} -p ${partition.name}`);
  } finally {
    pings = await pinger.finish();
  }
  const totalMs = Math.round(performance.now() - begun);
  const now = await writer.progressed();
  return {
    from,
    to,
    type: "active",
    totalMs,
    phases: phaseTimes(record),
    stoppedMs: record.stoppedMs,
    way: record.way,
    bytesSent: record.progress.bytesSent,
    bytesOnLink: record.progress.bytesOnLink,
    rounds: record.progress.rounds,
    validateMs,
    pingsSent: pings.sent,
    pingsLost: pings.lost,
    longestWaitMs: now.longestWaitMs,
    writesDuring: now.acknowledged - before,
  };
}

/** Length of each phase that the source recorded: from its beginning to that of the next. */
export function phaseTimes(record: MigrationRecord): { name: string; ms: number }[] {
  const begun = MIGRATION_PHASES.flatMap((name) => {
    const at = record.phaseStartedAt[name];
    return at === undefined ? [] : [{ name, at: Date.parse(at) }];
  });
  return begun.slice(0, -1).map((phase, index) => ({ name: phase.name, ms: begun[index + 1]!.at - phase.at }));
}

/** What must be true at the end, found out past the product: processes by the machine's list, writes by the LUN's own bytes. */
async function verify(stage: Stage, where: { readonly system: string; readonly other: string; readonly acknowledged: number }): Promise<{ checks: Check[]; lost: number }> {
  const { lab, partition } = stage;
  const namespaceOf = (name: string) => namespaceIdentity(lab.systems.find((system) => system.name === name)!.namespace);
  const [here, there] = [await namespaceOf(where.system), await namespaceOf(where.other)];
  const processes = qemuProcesses(partition.uuid).filter((seen) => seen.alive);
  const missing = await missingWrites(partition.lunFile, KEY, where.acknowledged);
  const names = (await stage.operator.quiet(`lssyscfg -r lpar -m ${where.other} -F name`)).split("\n");
  const checks: Check[] = [
    { name: `the partition's process runs on ${where.system}`, ok: processes.some((seen) => seen.netNamespace === here), detail: "" },
    { name: `no process of it is left on ${where.other}`, ok: processes.length === 1 && !processes.some((seen) => seen.netNamespace === there), detail: `${processes.length} in all` },
    { name: `${where.other} does not list it any more`, ok: !names.includes(partition.name), detail: "" },
    { name: "every acknowledged write is in the database's file on the LUN", ok: missing.length === 0, detail: missing.length === 0 ? `${where.acknowledged} writes` : `missing: ${missing.slice(0, 10).join(", ")}` },
  ];
  return { checks, lost: missing.length };
}
