/**
 * A laboratory on one machine: SAN, LAN, managed systems with their Virtual I/O Servers, consoles. `upLab` builds it, `downLab` leaves nothing of it behind, `openLab`
 * finds it again.
 */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { killAndWait, type ProcessIdentity } from "../kit/proc.js";
import { makeAuthority, makeCertificate, tlsFiles } from "../wire/certificates.js";
import { LabDescription, LabName, planLab, runDirOf, stateDirOf, type ConsolePlan, type LabPlan } from "./plan.js";
import { forgetSan, startSan } from "./san.js";
import { authorityDir, certificates, environment, startConsole, startSystem, stopService, type Environment } from "./services.js";
import { foundNamespaces, unwire, wire } from "./wiring.js";

export interface LabConsole extends ConsolePlan {
  readonly hmcSocket: string;
}
export interface Lab extends Omit<LabPlan, "consoles"> {
  readonly consoles: readonly LabConsole[];
  readonly environment: Environment;
}
export type Say = (text: string) => void;

const asLab = (plan: LabPlan): Lab => ({
  ...plan,
  // Looked at when something is started; the rest works without it.
  get environment() {
    return environment();
  },
  consoles: plan.consoles.map((one) => ({ ...one, hmcSocket: path.join(one.runDir, "hmc.sock") })),
});

export const labExists = (name: string): boolean => fs.existsSync(path.join(stateDirOf(name), "lab.json")) || foundNamespaces(name).length > 0;

/** @throws OlpmError already-exists | refused with the words of what failed; everything is taken down again then */
export async function upLab(options: { readonly name: string; readonly description?: LabDescription; readonly say: Say }): Promise<Lab> {
  const name = parseName(options.name);
  if (labExists(name)) throw new OlpmError("already-exists", `The laboratory ${name} is up or was not taken down.`, { action: `./openlpm lab down --name ${name}` });
  const { say } = options;
  const plan = planLab(name, options.description ?? LabDescription.parse({}));
  const lab = asLab(plan);
  const began = performance.now();
  say(`building the laboratory ${name}: SAN, LAN, ${plan.systems.map((system) => `${system.name} with ${system.vioses.map((vios) => vios.name).join(" and ")}`).join(", ")}, ${plan.consoles.map((one) => one.name).join(", ")}`);
  try {
    const { environment: env } = lab;
    fs.mkdirSync(plan.stateDir, { recursive: true, mode: 0o700 });
    fs.mkdirSync(plan.runDir, { recursive: true, mode: 0o711 });
    fs.writeFileSync(path.join(plan.stateDir, "lab.json"), JSON.stringify(plan, null, 2), { mode: 0o600 });
    await wire(plan, env.nativeDir);
    await makeCertificates(plan);
    const san = await startSan(plan);
    fs.writeFileSync(path.join(plan.runDir, "san.json"), JSON.stringify(san), { mode: 0o600 });
    await Promise.all(plan.systems.map((system) => startSystem(plan, system, env)));
    for (const one of plan.consoles) await startConsole(plan, one, env);
    say(`the laboratory is up after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    return lab;
  } catch (error) {
    await downLab({ name, say: () => undefined });
    throw error;
  }
}

/** @throws OlpmError not-found */
export function openLab(name: string): Lab {
  const file = path.join(stateDirOf(parseName(name)), "lab.json");
  if (!fs.existsSync(file)) throw new OlpmError("not-found", `There is no laboratory ${name}.`, { action: `./openlpm lab up --name ${name} builds it.` });
  return asLab(JSON.parse(fs.readFileSync(file, "utf8")) as LabPlan);
}

/** Ends every process and removes every namespace, file and socket of a laboratory. Nothing there counts as done. */
export async function downLab(options: { readonly name: string; readonly say: Say }): Promise<void> {
  const name = parseName(options.name);
  const [stateDir, runDir] = [stateDirOf(name), runDirOf(name)];
  const file = path.join(stateDir, "lab.json");
  const plan = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as LabPlan) : undefined;
  if (plan) {
    for (const one of plan.consoles) await stopService(one.runDir);
    for (const system of plan.systems) await stopService(system.runDir);
    for (const pidFile of pidFiles(plan)) await killAndWait(JSON.parse(fs.readFileSync(pidFile, "utf8")) as ProcessIdentity).catch(() => undefined);
  }
  await unwire(name);
  if (plan) forgetSan(plan.san.control);
  for (const dir of [runDir, stateDir]) fs.rmSync(dir, { recursive: true, force: true });
  for (const root of ["/sys/fs/cgroup/cpu/openlpm", "/sys/fs/cgroup/openlpm"]) dropGroups(path.join(root, name));
  options.say(`the laboratory ${name} is down`);
}

/** Pid files of what outlives the systems' processes: Virtual I/O Servers, partitions, channel holders, the SAN. */
function pidFiles(plan: LabPlan): string[] {
  const files = [path.join(plan.runDir, "san.json")];
  for (const system of plan.systems) {
    for (const entry of fs.existsSync(system.runDir) ? fs.readdirSync(system.runDir) : []) files.push(path.join(system.runDir, entry, "pid.json"), path.join(system.runDir, entry, "channel.json"));
  }
  return files.filter((file) => fs.existsSync(file));
}

/** Removes a cpu group and those in it that have no process. */
export function dropGroups(dir: string): void {
  if (!fs.existsSync(dir)) return;
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) if (entry.isDirectory()) dropGroups(path.join(dir, entry.name));
  try {
    fs.rmdirSync(dir);
  } catch {
    // a process is still in it; its own end removes it
  }
}

async function makeCertificates(plan: LabPlan): Promise<void> {
  const authority = authorityDir(plan);
  await makeAuthority(authority, `OpenLPM laboratory ${plan.name}`);
  const wanted = [...plan.consoles.map((one) => [one.certificate, `console:${one.name}`] as const), ...plan.systems.flatMap((system) => [[system.certificate, `system:${system.name}`] as const, ...system.vioses.map((vios) => [vios.certificate, `vios:${system.name}/${vios.name}`] as const)])];
  await Promise.all(wanted.map(([certificate, commonName]) => makeCertificate(authority, tlsFiles(certificates(plan), certificate), commonName)));
}

function parseName(name: string): string {
  const parsed = LabName.safeParse(name);
  if (!parsed.success) throw new OlpmError("invalid-argument", `${name}: ${parsed.error.issues[0]?.message ?? "not a laboratory's name"}`);
  return parsed.data;
}
