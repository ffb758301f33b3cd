/** The processes of a laboratory: managed systems and consoles, started with the same configuration files that an operator would write. */
import { spawn, type StdioOptions } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../kit/proc.js";
import { until } from "../kit/wait.js";
import { SlotNumber } from "../model/ids.js";
import { tlsFiles } from "../wire/certificates.js";
import { configText, writePrivate } from "../wire/config-file.js";
import { ConsoleConfig } from "../wire/console-config.js";
import { SystemConfig } from "../wire/system-config.js";
import { ENROLMENT_PORT } from "../site/places.js";
import { holdDirOf, MOVER_PORT, PREFIX, SAN_ADDRESS, SAN_PORT, SYSTEM_PORT, type ConsolePlan, type LabPlan, type SystemPlan } from "./plan.js";
import { inNamespace } from "./wiring.js";

const START_MS_MAX = 90_000;
const END_MS_MAX = 10_000;
/** Hung processes are part of what a laboratory with fault injection tries, and waiting for them is most of the time that it takes. */
const VIOS_SILENCE_MS = { usual: 10_000, faults: 3_000 } as const;

export interface Environment {
  /** directory with vmlinux, initrd.gz and root.img */
  readonly imageDir: string;
  readonly nativeDir: string;
}
/** By the launcher's variables. @throws OlpmError invalid-argument */
export function environment(): Environment {
  const imageDir = process.env["OPENLPM_IMAGE"];
  const nativeDir = process.env["OPENLPM_NATIVE"];
  if (!imageDir || !nativeDir || !fs.existsSync(path.join(imageDir, "vmlinux"))) throw new OlpmError("invalid-argument", "The partition image or the native programs are missing.", { action: "Start this by ./openlpm, which sets up what is missing." });
  return { imageDir, nativeDir };
}

/** The installation's authority. */
export const authorityDir = (plan: LabPlan): string => path.join(plan.stateDir, "authority");
/** Certificates of all parts: on this one machine in one directory. */
export const certificates = (plan: LabPlan): string => path.join(plan.stateDir, "tls");

function systemConfig(plan: LabPlan, system: SystemPlan, env: Environment): SystemConfig {
  return {
    name: system.name,
    mtms: { typeModel: system.typeModel, serial: system.serial },
    stateDir: system.stateDir,
    runDir: system.runDir,
    namespace: null,
    listen: { host: system.lanAddress, port: SYSTEM_PORT },
    tls: tlsFiles(certificates(plan), system.certificate),
    memoryBytes: system.memoryMb * 1_048_576,
    lmbBytes: 256 << 20,
    processors: system.processors,
    image: { kernel: path.join(env.imageDir, "vmlinux"), initrd: path.join(env.imageDir, "initrd.gz") },
    accelerator: "auto",
    vswitches: [...new Set(system.networks.map((one) => one.vswitch))],
    migrationsMax: 8,
    migration: system.migration,
    // A laboratory that an earlier version built has no range of its own.
    partitionUids: SystemConfig.shape.partitionUids.parse(system.partitionUids),
    nativeDir: env.nativeDir,
    holdDir: plan.faults ? holdDirOf(system) : null,
    viosSilenceMs: plan.faults ? VIOS_SILENCE_MS.faults : VIOS_SILENCE_MS.usual,
    vioses: system.vioses.map((vios) => ({
      lparId: vios.lparId as never,
      name: vios.name,
      namespace: vios.namespace,
      interfaces: [],
      san: { portals: [`${SAN_ADDRESS}:${SAN_PORT}`], initiatorName: vios.initiatorName },
      uplink: "lan0",
      address: vios.lanAddress,
      prefix: PREFIX,
      sea: system.networks.map(({ vswitch, vlanIds }, at) => ({ vswitch, vlanIds: [...vlanIds], trunkSlot: SlotNumber.parse(2 + at), trunkPriority: vios.trunkPriority, uplink: at === 0 ? null : `lan${at}` })),
      msp: vios.msp,
      moverPort: MOVER_PORT,
      moverConcurrentMax: 4,
      moverTrusted: [...vios.moverTrusted],
      tls: tlsFiles(certificates(plan), vios.certificate),
    })),
  };
}

/** Starts a system's process and waits until it serves. */
export async function startSystem(plan: LabPlan, system: SystemPlan, env: Environment): Promise<void> {
  fs.mkdirSync(system.stateDir, { recursive: true, mode: 0o700 });
  const file = path.join(system.stateDir, "system.yaml");
  writePrivate(file, configText(SystemConfig, systemConfig(plan, system, env), `Managed system ${system.name} of the laboratory ${plan.name}.`));
  await startService({ verb: "system", name: system.name, namespace: system.namespace, file, stateDir: system.stateDir, runDir: system.runDir });
}

/** Starts a console's process. Its SSH door is opened here on 127.0.0.1 and passed on, since the process itself lives in a namespace of the LAN. */
export async function startConsole(plan: LabPlan, one: ConsolePlan, env: Environment): Promise<void> {
  fs.mkdirSync(one.stateDir, { recursive: true, mode: 0o700 });
  const portFile = path.join(one.stateDir, "ssh-port");
  const listener = await listenLocal(fs.existsSync(portFile) ? Number(fs.readFileSync(portFile, "utf8")) : 0);
  try {
    const { port } = listener.address() as net.AddressInfo;
    fs.writeFileSync(portFile, `${port}\n`, { mode: 0o600 });
    const config: ConsoleConfig = {
      name: one.name,
      stateDir: one.stateDir,
      runDir: one.runDir,
      ssh: { listen: [{ host: "127.0.0.1", port }, { host: one.lanAddress, port: 22 }], sessionsMax: 64 },
      enrolment: one === plan.consoles[0] ? { host: one.lanAddress, port: ENROLMENT_PORT, authority: authorityDir(plan) } : null,
      tls: tlsFiles(certificates(plan), one.certificate),
      systems: plan.systems.map((system) => ({ name: system.name, host: system.lanAddress, port: SYSTEM_PORT })),
      nativeDir: env.nativeDir,
    };
    const file = path.join(one.stateDir, "console.yaml");
    writePrivate(file, configText(ConsoleConfig, config, `Console ${one.name} of the laboratory ${plan.name}.`));
    await startService({ verb: "console", name: one.name, namespace: one.namespace, file, stateDir: one.stateDir, runDir: one.runDir, listener: descriptorOf(listener) });
  } finally {
    listener.close();
  }
}

interface ServiceStart {
  readonly verb: "system" | "console";
  readonly name: string;
  readonly namespace: string;
  readonly file: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly listener?: number;
}
async function startService(start: ServiceStart): Promise<void> {
  const { runDir, stateDir } = start;
  fs.mkdirSync(runDir, { recursive: true, mode: 0o711 });
  const ready = path.join(runDir, "ready");
  fs.rmSync(ready, { force: true });
  const output = path.join(stateDir, "output.log");
  const log = fs.openSync(output, "a", 0o600);
  const main = path.resolve(import.meta.dirname, "../main.js");
  const [program, ...argv] = inNamespace(start.namespace, process.execPath, "--enable-source-maps", main, start.verb, "--config", start.file);
  const stdio: StdioOptions = start.listener === undefined ? ["ignore", log, log] : ["ignore", log, log, start.listener];
  const child = spawn(program, argv, { detached: true, stdio, env: { ...process.env, ...(start.listener === undefined ? {} : { LISTEN_FDS: "1" }) } });
  fs.closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (!identity) throw new OlpmError("refused", `the process of ${start.name} could not be started`);
  fs.writeFileSync(path.join(runDir, "pid.json"), JSON.stringify(identity), { mode: 0o600 });
  await until(
    () => {
      if (!isAlive(identity)) throw new OlpmError("refused", `the process of ${start.name} ended while it started: ${fs.readFileSync(output, "utf8").trim().split("\n").slice(-2).join(" | ")}`);
      return fs.existsSync(ready) ? true : undefined;
    },
    { what: start.name, deadlineMs: START_MS_MAX, everyMs: 25 },
  );
}

/** The process of a system or console, while it lives. */
export function serviceProcess(runDir: string): ProcessIdentity | undefined {
  try {
    const identity = JSON.parse(fs.readFileSync(path.join(runDir, "pid.json"), "utf8")) as ProcessIdentity;
    return isAlive(identity) ? identity : undefined;
  } catch {
    return undefined;
  }
}

/** Ends the process of a system or console; what it supervises lives on. */
export async function stopService(runDir: string): Promise<void> {
  const identity = serviceProcess(runDir);
  if (!identity) return;
  process.kill(identity.pid, "SIGTERM");
  await until(() => (isAlive(identity) ? undefined : true), { what: `the end of process ${identity.pid}`, deadlineMs: END_MS_MAX, everyMs: 20 }).catch(() => killAndWait(identity));
}

function listenLocal(port: number): Promise<net.Server> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port }, () => resolve(server));
  });
}
/** Node has no public way to name a server's descriptor for a child; its handle has had it since the beginning. */
function descriptorOf(server: net.Server): number {
  const fd = (server as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined) throw new OlpmError("internal", "this Node gives no descriptor of a listening socket");
  return fd;
}
