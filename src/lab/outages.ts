/**
 * What is lost as a whole, and comes back: a host with all that runs on it, the SAN, the links between two systems. A host is a managed system's namespace and those of its
 * Virtual I/O Servers. Done to the machine only; faults.ts says at which moments.
 */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { identify, killAndWait, type ProcessIdentity } from "../kit/proc.js";
import { run, runAny } from "../kit/run.js";
import { dropGroups, type Lab } from "./lab.js";
import { forgetSan, startSan } from "./san.js";
import { startSystem } from "./services.js";
import { inNamespace } from "./wiring.js";

type System = Lab["systems"][number];

/** Links that a host has by its wiring; the others are made by what runs on it. */
const WIRED = ["lo", "mgmt0", "lan0", "san0"];
const namespacesOf = (system: System): string[] => [system.namespace, ...system.vioses.map((vios) => vios.namespace)];

/**
 * The power cord is pulled: the links go first, so that no connection is closed in good order, then every process at once, then what lives in memory: run directory,
 * interfaces, cpu groups. Its disk stays.
 */
export async function powerOff(lab: Lab, system: System): Promise<void> {
  const namespaces = namespacesOf(system);
  await wires(system, "down");
  for (;;) {
    const running = (await Promise.all(namespaces.map(identitiesIn))).flat();
    if (running.length === 0) break;
    for (const { pid } of running) kill(pid);
    await Promise.all(running.map((one) => killAndWait(one)));
  }
  for (const namespace of namespaces) {
    const made = (await linksIn(namespace)).filter((link) => !WIRED.includes(link));
    // The end of a pair takes the other one with it.
    for (const link of made) await runAny(["ip", "-n", namespace, "link", "delete", "dev", link]);
  }
  for (const entry of fs.readdirSync(system.runDir)) fs.rmSync(path.join(system.runDir, entry), { recursive: true, force: true });
  for (const root of ["/sys/fs/cgroup/cpu/openlpm", "/sys/fs/cgroup/openlpm"]) dropGroups(path.join(root, lab.name, system.name));
}

/** The host boots; its service starts. Resolves when that is ready. */
export async function powerOn(lab: Lab, system: System): Promise<void> {
  await wires(system, "up");
  await startSystem(lab, system, lab.environment);
}

/** Kills the SAN's target daemon: every session ends, and nobody can log in. */
export async function stopSan(lab: Lab): Promise<void> {
  await killAndWait(JSON.parse(fs.readFileSync(sanFile(lab), "utf8")) as ProcessIdentity);
  forgetSan(lab.san.control);
}
/** The same LUNs with the same identities. LUNs that were masked to WWPNs (maskLun) have to be masked again. */
export async function restartSan(lab: Lab): Promise<void> {
  fs.writeFileSync(sanFile(lab), JSON.stringify(await startSan(lab)), { mode: 0o600 });
}
const sanFile = (lab: Lab): string => path.join(lab.runDir, "san.json");

/** Takes the way from one place on the LAN to another away: there nothing can be sent, at the other end there is silence. Gives what mends it. */
export async function cut(mine: { readonly namespace: string }, theirs: { readonly lanAddress: string }): Promise<() => Promise<void>> {
  const route = (verb: "add" | "delete"): [string, ...string[]] => inNamespace(mine.namespace, "ip", "route", verb, "blackhole", `${theirs.lanAddress}/32`);
  await run(route("add"));
  return async () => void (await run(route("delete")));
}

async function wires(system: System, state: "up" | "down"): Promise<void> {
  for (const namespace of namespacesOf(system)) for (const link of (await linksIn(namespace)).filter((one) => one !== "lo" && WIRED.includes(one))) await run(["ip", "-n", namespace, "link", "set", "dev", link, state]);
}
async function linksIn(namespace: string): Promise<string[]> {
  return (await run(["ip", "-n", namespace, "-br", "link"])).split("\n").flatMap((line) => line.split(/[\s@]/)[0] || []);
}
async function identitiesIn(namespace: string): Promise<ProcessIdentity[]> {
  const { code, stdout, stderr } = await runAny(["ip", "netns", "pids", namespace]);
  if (code !== 0) throw new OlpmError("not-found", `the processes in ${namespace} can not be listed: ${stderr.trim()}`);
  return stdout.split("\n").filter((pid) => pid !== "").flatMap((pid) => identify(Number(pid)) ?? []);
}
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // ended meanwhile
  }
}
