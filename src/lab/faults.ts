/**
 * What can break while a partition moves, and when: the table that test/faults-killed.test.ts and faults-hung.test.ts go through and `openlpm torture` draws from. More rows are in
 * fault-matrix.ts; docs/reliability.md prints all.
 * Faults are done to the machine (signals, routes), never asked of the product. A moment that is too short to be hit from outside is held by fault injection
 * (src/system/hold.ts).
 */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { identify, killAndWait } from "../kit/proc.js";
import { run, runAny } from "../kit/run.js";
import { delay, until } from "../kit/wait.js";
import { HOLD_POINTS, type HoldPoint } from "../system/hold.js";
import { findPartitions, processesIn } from "./checker.js";
import type { Lab } from "./lab.js";
import type { Operator } from "./operator.js";
import { cut, powerOff, powerOn, restartSan, stopSan } from "./outages.js";
import type { LabPartition } from "./partition.js";
import { holdDirOf } from "./plan.js";
import { serviceProcess, startConsole, startSystem, stopService } from "./services.js";
import { inNamespace } from "./wiring.js";

type System = Lab["systems"][number];
type Vios = System["vioses"][number];

/** One migration that something is done to. The movers are the second Virtual I/O Servers, so that storage and mover can be broken apart. */
export interface Stage {
  readonly lab: Lab;
  readonly operator: Operator;
  readonly partition: LabPartition;
  readonly from: System;
  readonly to: System;
}
/** Puts back what the fault broke, where that is an operator's business: activates a Virtual I/O Server, mends a link. */
export type Repair = () => Promise<void>;
export interface Fault {
  readonly breaks: string;
  /** it stays broken until the command has answered, or for OUTAGE_MS, also where the migration completes */
  readonly lasts?: true;
  /** it does not come back until an operator has said so: migrlpar -o r --force on the system that is left */
  readonly survivor?: (stage: Stage) => System;
  readonly strike: (stage: Stage) => Promise<Repair>;
}

/** In the order of a move; each step of the saga (docs/architecture.md) has at least one. */
export const MOMENTS = {
  reserve: "the partition is locked, the destination has nothing of it",
  reserved: "the destination has written its reservation, no disk is attached",
  startShell: "the disks are attached, no process waits for the state",
  openDestinationMover: "an empty process waits for the state",
  openSourceMover: "the destination's mover waits for its peer",
  prepare: "the destination is ready, the operating system is about to be asked",
  copy: "memory is being copied",
  suspend: "the partition stands still, not yet handed over",
  handOver: "handed over; the rest of the state is not sent",
  loaded: "the destination has the whole state and has not decided",
  owned: "the destination has decided to own it and does not run it yet",
  confirm: "it runs on the destination, its operating system has not been told",
  cleanSource: "it runs on the destination, the source is not cleaned",
  finish: "the source is clean, the record on the destination is open",
} as const;
export type Moment = keyof typeof MOMENTS;

const nothing: Repair = async () => undefined;
const NETWORK_MS_MAX = 30_000;
/** What the command waits for, without which it can not answer, is mended after this long. */
const OUTAGE_MS = 10_000;
/** Rate at which a copy lasts long enough to be hit. */
const SLOW_RATE = "60mbit";

const moverOf = (system: System): Vios => system.vioses[1] ?? system.vioses[0]!;
/** By what the partition's process has open; before it has one, the one that moveLine asks for. */
function storageOf(stage: Stage, system: System): Vios {
  const found = findPartitions(stage.lab, [stage.partition]).find((one) => one.system === system.name);
  const vios = found ? system.vioses.find((one) => `v${one.lparId}` === found.disks[0]?.vios) : system.vioses[0];
  if (!vios) throw new OlpmError("not-found", `${stage.partition.name} has no disk on ${system.name}`);
  return vios;
}

async function kill(pid: number): Promise<void> {
  const identity = identify(pid);
  if (identity) await killAndWait(identity);
}
async function pidIn(namespace: string, program: string): Promise<number> {
  return until(async () => (await processesIn(namespace)).find((one) => one.program === program)?.pid, { what: `a process ${program} in ${namespace}`, deadlineMs: NETWORK_MS_MAX, everyMs: 20 });
}
function qemuOf(stage: Stage, system: System): number {
  const found = findPartitions(stage.lab, [stage.partition]).find((one) => one.system === system.name);
  if (!found) throw new OlpmError("not-found", `${stage.partition.name} has no process on ${system.name}`);
  return found.pid;
}

/** Brings a Virtual I/O Server that ended back, as an operator does. */
const stateOf = (system: System, vios: Vios): string => `lssyscfg -r lpar -m ${system.name} --filter lpar_names=${vios.name} -F state`;
async function activate(stage: Stage, system: System, vios: Vios): Promise<void> {
  const state = stateOf(system, vios);
  await stage.operator.until(state, "Error", NETWORK_MS_MAX);
  await stage.operator.quiet(`chsysstate -m ${system.name} -r lpar -o on -n ${vios.name}`);
  await stage.operator.until(state, "Running", NETWORK_MS_MAX);
}
async function killVios(stage: Stage, system: System, vios: Vios): Promise<Repair> {
  await kill(await pidIn(vios.namespace, "openlpm vios"));
  // A move that is about to hand over when its system has not noticed yet rightly completes; the rows are about what is known.
  await stage.operator.until(stateOf(system, vios), "Error", NETWORK_MS_MAX);
  return () => activate(stage, system, vios);
}
async function killMover(system: System): Promise<Repair> {
  await kill(await pidIn(moverOf(system).namespace, "mover"));
  return nothing;
}
/** A stopped program is not killed by us: that is for the product to do. */
async function hangMover(system: System): Promise<Repair> {
  process.kill(await pidIn(moverOf(system).namespace, "mover"), "SIGSTOP");
  return nothing;
}
/** The system ends a Virtual I/O Server that does not answer; one that was not needed meanwhile goes on. */
async function hangVios(stage: Stage, system: System): Promise<Repair> {
  const vios = moverOf(system);
  const pid = await pidIn(vios.namespace, "openlpm vios");
  process.kill(pid, "SIGSTOP");
  return async () => {
    await until(() => (identify(pid) ? undefined : true), { what: `${system.name} to end its hung Virtual I/O Server ${vios.name}`, deadlineMs: 60_000, everyMs: 50 });
    await activate(stage, system, vios);
  };
}
async function restartSystem(stage: Stage, system: System): Promise<Repair> {
  const identity = serviceProcess(system.runDir);
  if (identity) await killAndWait(identity);
  for (const point of Object.keys(HOLD_POINTS) as HoldPoint[]) letGo(system, point);
  await startSystem(stage.lab, system, stage.lab.environment);
  return nothing;
}
async function restartConsole(stage: Stage): Promise<Repair> {
  const console = stage.lab.consoles[0]!;
  const identity = serviceProcess(console.runDir);
  if (identity) await killAndWait(identity);
  await stopService(console.runDir);
  await startConsole(stage.lab, console, stage.lab.environment);
  return nothing;
}
async function cutAll(ways: readonly Parameters<typeof cut>[]): Promise<Repair> {
  const mends: Repair[] = [];
  for (const way of ways) mends.push(await cut(...way));
  return async () => {
    for (const mend of mends) await mend();
  };
}
const moversWay = ({ from, to }: Stage): Parameters<typeof cut> => [moverOf(from), moverOf(to)];
/** The destination's answers get lost: to the source it is silent, as a broken switch is. */
const systemsWay = ({ from, to }: Stage): Parameters<typeof cut> => [to, from];
async function loseHost({ lab }: Stage, system: System): Promise<Repair> {
  await powerOff(lab, system);
  return () => powerOn(lab, system);
}

export const FAULTS = {
  sourceQemu: { breaks: "the partition's process on the source is killed", strike: async (stage) => (await kill(qemuOf(stage, stage.from)), nothing) },
  destinationQemu: { breaks: "the partition's process on the destination is killed", strike: async (stage) => (await kill(qemuOf(stage, stage.to)), nothing) },
  sourceVios: { breaks: "the VIOS that serves the partition on the source is killed, and activated again afterwards", strike: (stage) => killVios(stage, stage.from, storageOf(stage, stage.from)) },
  destinationVios: { breaks: "the VIOS that serves the partition on the destination is killed", strike: (stage) => killVios(stage, stage.to, storageOf(stage, stage.to)) },
  sourceMover: { breaks: "the mover's native program on the source is killed", strike: (stage) => killMover(stage.from) },
  destinationMover: { breaks: "the mover's native program on the destination is killed", strike: (stage) => killMover(stage.to) },
  sourceMoverVios: { breaks: "the mover's VIOS on the source is killed", strike: (stage) => killVios(stage, stage.from, moverOf(stage.from)) },
  destinationMoverVios: { breaks: "the mover's VIOS on the destination is killed", strike: (stage) => killVios(stage, stage.to, moverOf(stage.to)) },
  moverLink: { breaks: "the connection between the movers is cut", strike: (stage) => cutAll([moversWay(stage)]) },
  sourceMoverHung: { breaks: "the mover's native program on the source hangs (SIGSTOP)", strike: (stage) => hangMover(stage.from) },
  destinationMoverHung: { breaks: "the mover's native program on the destination hangs (SIGSTOP)", strike: (stage) => hangMover(stage.to) },
  destinationQemuHung: { breaks: "the partition's process on the destination hangs (SIGSTOP)", strike: async (stage) => (process.kill(qemuOf(stage, stage.to), "SIGSTOP"), nothing) },
  sourceViosHung: { breaks: "the mover's VIOS on the source hangs (SIGSTOP)", strike: (stage) => hangVios(stage, stage.from) },
  destinationViosHung: { breaks: "the mover's VIOS on the destination hangs (SIGSTOP)", strike: (stage) => hangVios(stage, stage.to) },
  console: { breaks: "the console is killed and started again", strike: restartConsole },
  sourceSystem: { breaks: "the managed system's process on the source is killed and started again", strike: (stage) => restartSystem(stage, stage.from) },
  destinationSystem: { breaks: "the managed system's process on the destination is killed and started again", strike: (stage) => restartSystem(stage, stage.to) },
  systemLink: { lasts: true, breaks: "the connection between the two managed systems is cut for a while", strike: (stage) => cutAll([systemsWay(stage)]) },
  link: { lasts: true, breaks: "both connections are cut for a while: between the managed systems and between the movers", strike: (stage) => cutAll([systemsWay(stage), moversWay(stage)]) },
  san: { lasts: true, breaks: "the SAN is away for a while: its target daemon is killed", strike: async ({ lab }) => (await stopSan(lab), () => restartSan(lab)) },
  sourceHost: { breaks: "the whole source host loses its power, and boots again", strike: (stage) => loseHost(stage, stage.from) },
  destinationHost: { breaks: "the whole destination host loses its power, and boots again", strike: (stage) => loseHost(stage, stage.to) },
  sourceHostGone: { survivor: ({ to }) => to, breaks: "the whole source host is lost for good, as an operator says with `migrlpar -o r --force`; it comes back all the same", strike: (stage) => loseHost(stage, stage.from) },
  destinationHostGone: { survivor: ({ from }) => from, breaks: "the whole destination host is lost for good, as an operator says with `migrlpar -o r --force`; it comes back all the same", strike: (stage) => loseHost(stage, stage.to) },
} as const satisfies Readonly<Record<string, Fault>>;
export type FaultName = keyof typeof FAULTS;
/** Those after which the command may lack a system to ask: what it says then is its own, and the two systems settle the rest when they meet again. */
export const OUTAGES: readonly FaultName[] = ["systemLink", "link", "san", "sourceHost", "destinationHost", "sourceHostGone", "destinationHostGone"];
/** Those in which a process of a partition or of its way is killed. */
export const KILLED: readonly FaultName[] = ["sourceQemu", "destinationQemu", "sourceVios", "destinationVios", "sourceMover", "destinationMover", "sourceMoverVios", "destinationMoverVios"];

/**
 * stays: undone, the partition ran on the source all the time; moves: completed on the destination. `lostOn...`: what was killed is the partition itself, which ends in
 * Error on that one system and is activated there again. backOnSource: an operator gave it back to the source, where it is not activated.
 */
export type Ending = "stays" | "moves" | "lostOnSource" | "lostOnDestination" | "backOnSource";
export interface FaultCase {
  readonly fault: FaultName;
  readonly at: Moment;
  readonly ending: Ending;
  /** the migration has a second pair of movers: the first Virtual I/O Servers */
  readonly second?: true;
}
export const nameOfCase = ({ fault, at, ending, second }: FaultCase): string => `${fault} at ${at}${second ? ", with a second pair of movers" : ""}: ${ending}`;

const EVERY: readonly Moment[] = ["prepare", "copy", "suspend", "handOver"];
const cases = (fault: FaultName, endings: Partial<Readonly<Record<Moment, Ending>>>): FaultCase[] => (Object.entries(endings) as [Moment, Ending][]).map(([at, ending]) => ({ fault, at, ending }));
const withSecond = (fault: FaultName, endings: Partial<Readonly<Record<Moment, Ending>>>): FaultCase[] => cases(fault, endings).map((one) => ({ ...one, second: true }));
const staying = (moments: readonly Moment[] = EVERY): Partial<Record<Moment, Ending>> => Object.fromEntries(moments.map((at) => [at, "stays" as const]));

/** Before `released` the source decides alone; after it the destination, which declines what it can not run (docs/architecture.md). */
export const CASES: readonly FaultCase[] = [
  ...cases("destinationQemu", { ...staying(), loaded: "stays", owned: "lostOnDestination" }),
  ...cases("destinationVios", { ...staying(), loaded: "stays", owned: "moves" }),
  ...cases("sourceQemu", { prepare: "lostOnSource", copy: "lostOnSource", suspend: "lostOnSource", handOver: "lostOnSource", loaded: "moves" }),
  ...cases("sourceVios", { ...staying(["prepare", "copy", "suspend"]), handOver: "moves", loaded: "moves" }),
  ...cases("sourceMover", staying()),
  ...cases("destinationMover", staying()),
  ...cases("sourceMoverVios", staying()),
  ...cases("destinationMoverVios", staying()),
  ...cases("moverLink", staying()),
  ...cases("sourceMoverHung", staying()),
  ...cases("destinationMoverHung", staying()),
  ...cases("destinationQemuHung", staying(["copy", "handOver"])),
  // The native programs stream on without the process that started them; what hangs is ended and its mover with it, when the migration is over or its peer misses it.
  ...cases("sourceViosHung", { prepare: "stays", copy: "moves" }), // the source asks its mover once more before the copy
  ...cases("destinationViosHung", { prepare: "moves", copy: "moves" }),
  ...cases("console", { prepare: "moves", copy: "moves", confirm: "moves" }),
  ...cases("sourceSystem", { copy: "stays", suspend: "stays", handOver: "moves" }),
  ...cases("destinationSystem", { copy: "moves", loaded: "moves", owned: "moves" }),
  // Before the release a second pair takes over; what is lost after it is the destination's to decide on, as ever.
  ...withSecond("sourceMover", { prepare: "moves", copy: "moves" }),
  ...withSecond("destinationMover", { copy: "moves", suspend: "moves", handOver: "stays" }),
  ...withSecond("sourceMoverVios", { copy: "moves" }),
  ...withSecond("destinationMoverVios", { copy: "moves" }),
  ...withSecond("destinationQemu", { copy: "moves" }),
  ...withSecond("moverLink", { copy: "moves" }),
  ...withSecond("sourceMoverHung", { copy: "moves" }),
  ...withSecond("destinationMoverHung", { copy: "moves" }),
];

const sideOf = (stage: Stage, point: HoldPoint): System => (HOLD_POINTS[point].side === "source" ? stage.from : stage.to);
const request = (system: System, point: HoldPoint): string => path.join(holdDirOf(system), point);
export function hold(system: System, point: HoldPoint): void {
  letGo(system, point);
  fs.rmSync(`${request(system, point)}.held`, { force: true }); // of a process that was killed while it was held
  fs.writeFileSync(request(system, point), "", { mode: 0o600 });
}
export function letGo(system: System, point: HoldPoint): void {
  fs.rmSync(request(system, point), { force: true });
}
export async function held(system: System, point: HoldPoint, deadlineMs = 30_000): Promise<void> {
  await until(() => (fs.existsSync(`${request(system, point)}.held`) ? true : undefined), { what: `${system.name} to be held at ${point}`, deadlineMs, everyMs: 5 });
}

/** Slows what a Virtual I/O Server sends to the LAN, so that a copy lasts; undone by `fast`. */
export async function slow(vios: Vios, rate = SLOW_RATE): Promise<void> {
  await run(inNamespace(vios.namespace, "tc", "qdisc", "replace", "dev", "lan0", "root", "tbf", "rate", rate, "burst", "256k", "latency", "400ms"));
}
export async function fast(vios: Vios): Promise<void> {
  await runAny(inNamespace(vios.namespace, "tc", "qdisc", "delete", "dev", "lan0", "root"));
}

export const moveLine = ({ from, to, partition }: Pick<Stage, "from" | "to" | "partition">, second = false): string =>
  `${second ? "migrlpar --redundantmsps 1" : "migrlpar"} -o m -m ${from.name} -t ${to.name} -p ${partition.name} -i "source_msp_name=${moverOf(from).name},dest_msp_name=${moverOf(to).name},virtual_scsi_mappings=2/${to.vioses[0]!.name}/"`;

export interface Attempt {
  /** -1: the console that was asked is gone */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** performance.now() of the fault */
  readonly struckAt: number;
  /** from the fault to the command's answer */
  readonly answeredMs: number;
}

/**
 * Moves the partition, breaks something at the row's moment, and repairs it: at once where the migration completes and may need what broke for that, else (and what
 * `lasts`) when the command has answered, or after OUTAGE_MS where it waits for that. What is lost for good comes back
 * after an operator has recovered the partition without it, and after `recovered`.
 */
export async function attempt(stage: Stage, { fault, at, ending, second }: FaultCase, recovered: (attempt: Pick<Attempt, "struckAt">) => Promise<void> = async () => undefined): Promise<Attempt> {
  const point = at === "copy" ? undefined : at;
  if (point) hold(sideOf(stage, point), point);
  else await slow(moverOf(stage.from));
  const goOn = async () => (point ? letGo(sideOf(stage, point), point) : fast(moverOf(stage.from)));
  let repair = nothing;
  const mend = () => {
    const now = repair;
    repair = nothing;
    return now();
  };
  try {
    const answer = stage.operator.run(moveLine(stage, second)).catch(() => ({ code: -1, stdout: "", stderr: "" }));
    const early = answer.then(({ stderr }) => Promise.reject(new OlpmError("migration-failed", `the migration ended before anything was broken: ${stderr}`)));
    await Promise.race([point ? held(sideOf(stage, point), point) : copying(stage), early]);
    early.catch(() => undefined);
    const struckAt = performance.now();
    repair = await (FAULTS[fault] as Fault).strike(stage);
    await goOn();
    const { lasts, survivor } = FAULTS[fault] as Fault;
    if (survivor) {
      await recover(stage, survivor(stage));
      await recovered({ struckAt });
      // A second pair needs nothing of the first.
    } else if (ending !== "moves" || second || lasts) await Promise.race([answer, delay(OUTAGE_MS)]);
    await mend();
    const result = await answer;
    return { ...result, struckAt, answeredMs: performance.now() - struckAt };
  } finally {
    await goOn();
    await mend();
  }
}

/** What an operator does when a system is lost for good: reads what the recovery says, and then says it. */
async function recover({ operator, partition }: Stage, survivor: System): Promise<void> {
  const line = `migrlpar -o r -m ${survivor.name} -p ${partition.name}`;
  await until(async () => (/^OLPM-R05 .*--force/.test((await operator.run(line)).stderr) ? true : undefined), { what: `\`${line}\` to want a person`, deadlineMs: NETWORK_MS_MAX, everyMs: 500 });
  await operator.quiet(`${line} --force`);
}

async function copying(stage: Stage): Promise<void> {
  const line = `lslparmigr -r lpar -m ${stage.from.name} --filter lpar_names=${stage.partition.name} -F bytes_transmitted`;
  await until(async () => (Number((await stage.operator.run(line)).stdout.trim()) > 1 << 20 ? true : undefined), { what: "the copy to run", deadlineMs: 30_000, everyMs: 50 });
}
