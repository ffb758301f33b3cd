import { OlpmError, operatorLine, toOlpmError } from "../../kit/errors.js";
import { BootMode } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { profileName } from "./mksyscfg.js";
import { lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

/** Activation waits for the storage and the partition's process; a Virtual I/O Server also for its SAN. */
const STATE_MS_MAX = 120_000;

/** What each resource's operations take beside -m, -r and -o; an operation that is not here has no meaning for the resource. */
const FORMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  lpar: { on: ["-n", "--id", "-f", "-b", "-k"], shutdown: ["-n", "--id", "--immed", "--restart"], osshutdown: ["-n", "--id", "--immed", "--restart"], chkey: ["-n", "--id", "-k"] },
  sys: { rebuild: ["--all"] },
  sysprof: { on: ["-n"] },
};
const POWER = "the power of a managed system is its host's and is switched there";
const REFUSED = {
  off: POWER,
  onstandby: POWER,
  onstartpolicy: POWER,
  onsysprof: "it is for a managed system that is switched on; use -r sysprof -o on",
  onhwdisc: "there is no hardware discovery",
  recover: "the managed system holds its partitions' data itself; a console has nothing to bring back",
  spfailover: "there is no service processor",
  dumprestart: "QEMU starts no dump of a partition; use -o shutdown --immed --restart",
  retrydump: "QEMU starts no dump of a partition",
  dston: "it is for IBM i, which is not supported",
  remotedston: "it is for IBM i, which is not supported",
  remotedstoff: "it is for IBM i, which is not supported",
  consoleservice: "it is for IBM i, which is not supported",
  iopreset: "there are no I/O processors",
  iopdump: "there are no I/O processors",
  unownediooff: "partitions own no physical I/O",
} as const;

/** hmc-cli 5.1. */
export const chsysstate: Command = {
  name: "chsysstate",
  audience: "operator",
  summary: "changes the state of a partition, or activates the partitions of a system profile",
  synopsis: [
    "chsysstate -m managed-system -r lpar -o on {-n partition-name | --id partition-ID} [-f profile-name] [-b boot-mode] [-k keylock-position]",
    "chsysstate -m managed-system -r lpar -o {shutdown | osshutdown} {-n partition-name | --id partition-ID} [--immed] [--restart]",
    "chsysstate -m managed-system -r lpar -o chkey -k {norm | manual} {-n partition-name | --id partition-ID}",
    "chsysstate -m managed-system -r sysprof -o on -n system-profile-name",
    "chsysstate {-m managed-system | --all} -r sys -o rebuild",
  ],
  options: [
    { ...SYSTEM_OPTION, required: false },
    { name: "--all", argument: null, help: "all managed systems of this console, for -o rebuild" },
    { name: "-r", argument: "resource", help: "what changes its state", required: true, values: ["lpar", "sys", "sysprof"] },
    { name: "-o", argument: "operation", help: "on activates; osshutdown lets the operating system shut down; shutdown does so too, or with --immed powers off at once; chkey sets the keylock; rebuild asks a managed system for everything that it knows", required: true, values: ["on", "shutdown", "osshutdown", "chkey", "rebuild"], refusedValues: REFUSED },
    { name: "-n", argument: "name", help: "the partition, or the system profile" },
    { name: "--id", argument: "partition-ID", help: "the partition, by ID", number: { min: 1, max: 65534 } },
    { name: "-f", argument: "profile-name", help: "the profile to activate; the current configuration without it" },
    { name: "-b", argument: "boot-mode", help: "how the partition boots: normal, diagnostics with the default or the stored boot list, firmware prompt, system management services", values: BootMode.options },
    { name: "-k", argument: "keylock-position", help: "position of the keylock", values: ["norm", "manual"] },
    { name: "-i", argument: "ipl-source", help: "where IBM i starts from", refused: "it is for IBM i, which is not supported" },
    { name: "--immed", argument: null, help: "at once, without the operating system" },
    { name: "--restart", argument: null, help: "and activates the partition again" },
    { name: "--force", argument: null, help: "for switching a managed system off", refused: POWER },
  ],
  details: [
    "The command returns when the state begins to change; lssyscfg -r lpar -F state shows it. An activated partition is refused with HSCL3681, one that is off with HSCL1558, a shutdown without RMC connection with HSCL0DB4.",
    "-r sysprof activates the Virtual I/O Servers of the system profile first, then its other partitions, each with its profile. What can not be activated is said for each; the others are activated.",
    "Examples:\nchsysstate -m ms01 -r lpar -o on -n db01 -f normal\nchsysstate -r lpar -m ms01 -o on -b norm --id 3 -f normal\nchsysstate -m ms01 -r lpar -o shutdown -n db01 --immed\nchsysstate -m ms01 -r lpar -o osshutdown --id 3 --restart\nchsysstate -m ms01 -r sysprof -o on -n night\nchsysstate --all -r sys -o rebuild",
  ],
  run: async (options, context) => {
    const [resource, operation] = [options.get("-r")!, options.get("-o")!];
    const taken = FORMS[resource]?.[operation];
    if (!taken) throw missingParameter("-o");
    const stray = ["--all", "-n", "--id", "-f", "-b", "-k", "--immed", "--restart"].find((name) => options.has(name) && !taken.includes(name));
    if (stray !== undefined) throw invalidParameter(stray);
    if (resource === "sys") return rebuild(options, context);
    if (!options.has("-m")) throw missingParameter("-m");
    const system = systemOf(options, context);
    return resource === "sysprof" ? activateAll(options, context, system) : change(operation, options, context, system);
  },
};

async function change(operation: string, options: Options, context: CommandContext, system: ManagedSystem): Promise<number> {
  const { lparId } = lparOf(options, context, system, { name: "-n", id: "--id" });
  const how = { signal: context.signal, deadlineMs: STATE_MS_MAX };
  const keylock = options.get("-k") as "norm" | "manual" | undefined;
  if (operation === "on") {
    const [bootMode, profile] = [options.get("-b"), options.get("-f")];
    await system.client.call("lpar.activate", { lparId, profile: profile === undefined ? null : profileName(profile), bootMode: bootMode === undefined ? null : BootMode.parse(bootMode), keylock: keylock ?? null }, how);
  } else if (operation === "chkey") {
    if (keylock === undefined) throw missingParameter("-k");
    await system.client.call("lpar.modify", { lparId, settings: { keylock } }, how);
  } else {
    const kind = operation === "osshutdown" ? "os" : options.has("--immed") ? "immediate" : "delayed";
    await system.client.call("lpar.shutdown", { lparId, how: kind, restart: options.has("--restart") }, how);
  }
  return 0;
}

async function activateAll(options: Options, context: CommandContext, system: ManagedSystem): Promise<number> {
  const name = options.get("-n");
  if (name === undefined) throw missingParameter("-n");
  const how = { signal: context.signal, deadlineMs: STATE_MS_MAX };
  const found = (await system.client.call("sysprof.list", {}, how)).profiles.find((one) => one.name === name);
  if (!found) throw new OlpmError("not-found", `The system profile ${name} was not found.`, { hsc: "HSCL8016" });
  if (found.members.length === 0) throw new OlpmError("wrong-state", `The system profile ${name} has no partition of this system.`);
  const server = (lparId: number) => system.lpars().find((lpar) => lpar.lparId === lparId)?.definition.environment === "vioserver";
  let failures = 0;
  for (const { lparId, profile } of [...found.members].sort((a, b) => Number(server(b.lparId)) - Number(server(a.lparId)))) {
    await system.client.call("lpar.activate", { lparId, profile, bootMode: null, keylock: null }, how).catch((thrown: unknown) => {
      context.signal.throwIfAborted();
      failures++;
      context.io.stderr(`${operatorLine(toOlpmError(thrown, "chsysstate"))}\n`);
    });
  }
  return failures === 0 ? 0 : 1;
}

async function rebuild(options: Options, context: CommandContext): Promise<number> {
  if (options.has("-m") === options.has("--all")) throw options.has("-m") ? invalidParameter("--all") : missingParameter("-m");
  const systems = options.has("--all") ? context.inventory.systems() : [systemOf(options, context)];
  for (const system of systems) await system.refresh(context.signal);
  return 0;
}
