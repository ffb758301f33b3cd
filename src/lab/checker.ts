/**
 * Looks at a whole laboratory from the outside and says what should not be there: processes, files, sockets, interfaces, cpu groups, sessions of the SAN, exports of
 * disks. It asks the kernel, the SAN's target daemon and the storage daemons. Where a partition runs is read from the machine's list of processes; that every
 * part agrees with it is what is checked. Last, as one witness among others, the console is asked for what it still lists.
 */
import fs from "node:fs";
import path from "node:path";
import { runAny } from "../kit/run.js";
import { OlpmError } from "../kit/errors.js";
import { until } from "../kit/wait.js";
import type { Lab } from "./lab.js";
import { Operator } from "./operator.js";
import type { LabPartition } from "./partition.js";
import { MOVER_PORT, SYSTEM_PORT } from "./plan.js";
import { inNamespace } from "./wiring.js";

type System = Lab["systems"][number];

/** A partition's process as the machine shows it. */
export interface FoundPartition {
  readonly name: string;
  readonly pid: number;
  readonly system: string;
  /** run directory `p3` */
  readonly dir: string;
  /** Virtual I/O Servers (`v1`) with the names of the exports that it uses there */
  readonly disks: readonly { readonly vios: string; readonly exportName: string }[];
}

/** What may stay in the run directory of a running partition. */
const PARTITION_FILES = new Set(["spec.json", "pid.json", "qemu.log", "channel.log", "qmp.sock", "chq.sock", "con.sock", "ga.sock"]);
const SETTLE_MS_MAX = 10_000;
/** What this checker itself runs in the places. */
const OWN_PROGRAMS = ["ss", "ip", "nsenter"];

export interface Expectation {
  readonly partitions: readonly LabPartition[];
  /** where partitions have to be; the others may be anywhere, once */
  readonly on: Readonly<Record<string, string>>;
}

/**
 * Waits until the laboratory is as it should be with these partitions running and nothing under way.
 * @throws OlpmError timeout with everything that is wrong
 */
export async function assertQuiet(lab: Lab, expected: Expectation, settleMsMax = SETTLE_MS_MAX): Promise<readonly FoundPartition[]> {
  let last: readonly string[] = [];
  try {
    return await until(
      async () => {
        const found = findPartitions(lab, expected.partitions);
        last = await strangers(lab, found, expected);
        return last.length === 0 ? found : undefined;
      },
      { what: "the laboratory to be quiet", deadlineMs: settleMsMax, everyMs: 100 },
    );
  } catch (error) {
    if (last.length === 0) throw error;
    throw new OlpmError("wrong-state", `not as it should be:\n  ${last.join("\n  ")}`, { cause: error });
  }
}

/** Every process of these partitions, whoever started it and however many there are. */
export function findPartitions(lab: Lab, partitions: readonly LabPartition[]): FoundPartition[] {
  return processes().flatMap(({ pid, words }) => {
    const partition = /qemu-system/.test(words[0] ?? "") ? partitions.find((one) => words.includes(one.uuid)) : undefined;
    if (!partition) return [];
    const text = words.join(" ");
    const [, system = "", dir = ""] = new RegExp(`${lab.runDir}/([^/]+)/(p\\d+)/qmp\\.sock`).exec(text) ?? [];
    const disks = [...text.matchAll(/server\.path=\S*?\/(v\d+)\/nbd-\d+\.sock,export=([^,\s]+)/g)].map(([, vios, exportName]) => ({ vios: vios!, exportName: exportName! }));
    return [{ name: partition.name, pid, system, dir, disks }];
  });
}

async function strangers(lab: Lab, found: readonly FoundPartition[], expected: Expectation): Promise<string[]> {
  const wrong: string[] = [];
  for (const { name } of expected.partitions) {
    const mine = found.filter((one) => one.name === name);
    if (mine.length !== 1) wrong.push(`${name} has ${mine.length} processes: ${mine.map((one) => `${one.pid} on ${one.system}`).join(", ") || "none"}`);
    const wanted = expected.on[name];
    if (wanted !== undefined && mine.some((one) => one.system !== wanted)) wrong.push(`${name} has a process on ${mine.map((one) => one.system).join(", ")}, not on ${wanted}`);
  }
  const parts = await Promise.all(lab.systems.map(async (system) => {
    const here = found.filter((one) => one.system === system.name);
    return [...partitionDirs(system, here), ...groups(lab, system, here), ...(await Promise.all([systemPlace(lab, system, here), ...system.vioses.map((vios) => viosPlace(lab, system, vios, here))])).flat()];
  }));
  return [...wrong, ...parts.flat(), ...(await sessions(lab, found)), ...(await listed(lab, found))];
}

interface SeenProcess {
  readonly pid: number;
  readonly words: readonly string[];
}
function processes(pids: readonly string[] = fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))): SeenProcess[] {
  return pids.flatMap((pid) => {
    try {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0");
      return words[0] === "" ? [] : [{ pid: Number(pid), words }]; // a zombie has no words
    } catch {
      return []; // ended while we looked
    }
  });
}

/** Processes of a namespace by what they are: program's name, and verb where it is ours (`openlpm vios`, `mover`). */
export async function processesIn(namespace: string): Promise<{ readonly pid: number; readonly program: string }[]> {
  const { stdout } = await runAny(["ip", "netns", "pids", namespace]);
  return processes(stdout.split("\n").filter((pid) => pid !== "")).map(({ pid, words }) => {
    const main = words.findIndex((word) => word.endsWith("/main.js"));
    return { pid, program: main < 0 ? path.basename(words[0]!) : `openlpm ${words[main + 1]}` };
  });
}
const programsIn = async (namespace: string): Promise<string[]> => (await processesIn(namespace)).map(({ program }) => program).filter((program) => !OWN_PROGRAMS.includes(program));

/** Run directories of partitions that are not here, and files of an ended migration in those that are. */
function partitionDirs(system: System, here: readonly FoundPartition[]): string[] {
  const dirs = fs.existsSync(system.runDir) ? fs.readdirSync(system.runDir).filter((entry) => /^p\d+$/.test(entry)) : [];
  return dirs.flatMap((dir) => {
    if (!here.some((one) => one.dir === dir)) return [`${system.name} has the run directory ${dir} of no process`];
    return fs.readdirSync(path.join(system.runDir, dir)).filter((file) => !PARTITION_FILES.has(file)).map((file) => `${system.name} has the file ${dir}/${file}`);
  });
}

function groups(lab: Lab, system: System, here: readonly FoundPartition[]): string[] {
  return ["/sys/fs/cgroup/cpu/openlpm", "/sys/fs/cgroup/openlpm"].flatMap((root) => {
    const dir = path.join(root, lab.name, system.name);
    if (!fs.existsSync(dir)) return [];
    return fs.readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !here.some((one) => one.dir === entry.name)).map((entry) => `${system.name} has the cpu group ${entry.name} of no process`);
  });
}

/** A system's namespace: its own process and those of its partitions, their taps, no connection to another system. */
async function systemPlace(lab: Lab, system: System, here: readonly FoundPartition[]): Promise<string[]> {
  const [programs, links, connections] = await Promise.all([programsIn(system.namespace), runAny(inNamespace(system.namespace, "ip", "-br", "link")), runAny(inNamespace(system.namespace, "ss", "-Htn", "state", "established"))]);
  const wrong: string[] = [];
  const guests = programs.filter((program) => /^qemu-system/.test(program)).length;
  if (guests !== here.length) wrong.push(`${system.name} has ${guests} QEMU processes for ${here.length} partitions`);
  for (const program of programs) if (!/^qemu-system/.test(program) && program !== "openlpm system") wrong.push(`${system.name} has a process ${program}`);
  if (!programs.includes("openlpm system")) wrong.push(`${system.name} has no system process`);
  const taps = links.stdout.split("\n").map((line) => line.split(/[\s@]/)[0]!).filter((link) => /^t\d+s\d+(v\d+)?$/.test(link));
  wrong.push(...taps.filter((tap) => !here.some((one) => tap.startsWith(`t${one.dir.slice(1)}s`))).map((tap) => `${system.name} has the tap ${tap} of no process`));
  const others = lab.systems.filter((one) => one !== system).map((one) => `${one.lanAddress}:${SYSTEM_PORT}`);
  wrong.push(...connections.stdout.split("\n").filter((line) => others.includes(line.trim().split(/\s+/)[3] ?? "")).map((line) => `${system.name} has a connection to another system: ${line.trim()}`));
  return wrong;
}

/** A Virtual I/O Server's namespace: itself and a storage daemon for each door, no mover, no connection of one, exactly the exports that partitions use. */
async function viosPlace(lab: Lab, system: System, vios: System["vioses"][number], here: readonly FoundPartition[]): Promise<string[]> {
  const place = `${system.name}/${vios.name}`;
  const dir = `v${vios.lparId}`;
  const doors = fs.readdirSync(path.join(system.runDir, dir)).filter((file) => /^nbd.*\.sock/.test(file)).map((file) => path.join(system.runDir, dir, file));
  const [programs, connections, ...exported] = await Promise.all([programsIn(vios.namespace), runAny(inNamespace(vios.namespace, "ss", "-Htn", "state", "established")), ...doors.map((door) => runAny(["qemu-nbd", "--list", "-k", door]))]);
  const counts = { "openlpm vios": 1, "qemu-storage-daemon": doors.length };
  const wrong = Object.entries(counts).filter(([program, count]) => programs.filter((one) => one === program).length !== count).map(([program, count]) => `${place} has not exactly ${count} processes ${program}`);
  wrong.push(...programs.filter((program) => !["openlpm vios", "qemu-storage-daemon"].includes(program)).map((program) => `${place} has a process ${program}`));
  const peers = lab.systems.flatMap((one) => one.vioses.map((other) => other.lanAddress));
  for (const line of connections.stdout.split("\n").filter((one) => one.trim() !== "")) {
    const [, , local = "", remote = ""] = line.trim().split(/\s+/);
    if (local.endsWith(`:${MOVER_PORT}`) || peers.some((address) => remote.startsWith(`${address}:`))) wrong.push(`${place} has a connection of a mover: ${local} ${remote}`);
  }
  const names = exported.flatMap(({ stdout }) => [...stdout.matchAll(/^ export: '(.*)'$/gm)]).map(([, name]) => name!).sort();
  const used = here.flatMap((one) => one.disks.filter((disk) => disk.vios === dir).map((disk) => disk.exportName)).sort();
  if (names.join() !== used.join()) wrong.push(`${place} exports ${names.join(", ") || "nothing"}; partitions use ${used.join(", ") || "nothing"}`);
  return wrong;
}

/** `vfchost0.1`: the second LUN that a client reaches by virtual Fibre Channel. */
const FC_EXPORT = /^(vfchost\d+)\.\d+$/;

/** The SAN's own list of sessions: one for each LUN that a Virtual I/O Server serves, by its initiator name, or by one of the client's with virtual Fibre Channel. */
async function sessions(lab: Lab, found: readonly FoundPartition[]): Promise<string[]> {
  const { stdout } = await runAny(["tgtadm", "-C", String(lab.san.control), "--lld", "iscsi", "--mode", "target", "--op", "show"]);
  const initiators = [...stdout.matchAll(/^\s+Initiator: (\S+)/gm)].map(([, name]) => (name!.startsWith("naa.c05") ? "a WWPN" : name!));
  const counted = (names: readonly string[]) => [...names].sort().join(", ") || "none";
  const wanted = found.flatMap((one) => one.disks.map((disk) => FC_EXPORT.test(disk.exportName) ? "a WWPN" : `iqn.2026-01.org.openlpm:${one.system}.${lab.systems.find((system) => system.name === one.system)?.vioses.find((vios) => `v${vios.lparId}` === disk.vios)?.name}`));
  return counted(initiators) === counted(wanted) ? [] : [`the SAN has the sessions ${counted(initiators)}; partitions use ${counted(wanted)}`];
}

/** What the console lists: each partition once, as Running, nothing migrating, and no server adapter without a partition. */
async function listed(lab: Lab, found: readonly FoundPartition[]): Promise<string[]> {
  const operator = new Operator(lab);
  const ask = async (line: string) => (await operator.run(line).catch((error: unknown) => ({ stdout: String(error) }))).stdout.split("\n").filter((one) => one !== "" && one !== "No results were found.");
  const parts = await Promise.all(lab.systems.map(async (system) => {
    const wrong: string[] = [];
    const here = found.filter((one) => one.system === system.name);
    const [states, migrating, adapters] = await Promise.all([ask(`lssyscfg -r lpar -m ${system.name} -F name:lpar_env:state`), ask(`lslparmigr -r lpar -m ${system.name} -F name:migration_state`), Promise.all(system.vioses.map(async (vios) => (await Promise.all(["lsmap -all -field svsa -fmt :", "lsmap -all -npiv -field name -fmt :"].map((words) => ask(`viosvrcmd -m ${system.name} -p ${vios.name} -c "${words}"`)))).flat()))]);
    for (const one of here) if (!states.includes(`${one.name}:aixlinux:Running`)) wrong.push(`${one.name} runs on ${system.name}, where the console says ${states.find((line) => line.startsWith(`${one.name}:`)) ?? "nothing of it"}`);
    for (const line of states) {
      const [name = "", environment = "", state = ""] = line.split(":");
      if (environment === "vioserver" ? state !== "Running" : state !== "Not Activated" && !here.some((one) => one.name === name)) wrong.push(`${system.name} lists ${line}`);
    }
    wrong.push(...migrating.filter((line) => !line.endsWith(":Not Migrating")).map((line) => `${system.name} lists ${line}`));
    system.vioses.forEach((vios, at) => {
      const used = here.flatMap((one) => one.disks.filter((disk) => disk.vios === `v${vios.lparId}`).map((disk) => FC_EXPORT.exec(disk.exportName)?.[1] ?? disk.exportName));
      const disks = new Set(used).size;
      if (adapters[at]!.length !== disks) wrong.push(`${system.name}/${vios.name} has ${adapters[at]!.length} server adapters for ${disks} disks: ${adapters[at]!.join(", ")}`);
    });
    return wrong;
  }));
  return parts.flat();
}
