/** `openlpm lab`: builds, shows and takes down laboratories, and gives a way into their parts. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { downLab, labExists, openLab, upLab, type Lab } from "./lab.js";
import { bootPartition, createPartition } from "./partition.js";
import { LabDescription, planLab } from "./plan.js";
import { maskLun } from "./san.js";
import { startConsole, startSystem, stopService } from "./services.js";
import { labStatus, statusText } from "./status.js";
import { inNamespace } from "./wiring.js";

const HELP = `Usage: openlpm lab VERB [--name LAB] ...

  up [--config FILE] [--bare]   builds the laboratory: SAN, LAN, two managed systems with two Virtual I/O Servers each, a
                                console, and a partition db01 that is activated (--bare: without it)
  down                          ends it and leaves nothing behind
  status [--json]               what it consists of now, with the console's SSH port and password
  exec PLACE -- COMMAND...      runs a command in a network namespace: lan, san, a console, a system (ms01) or a
                                Virtual I/O Server (ms01/vios1)
  mask LUN WWPN...              shows a LUN of virtual Fibre Channel (0, 1, ...) to these WWPNs, as the SAN's administrator would
  logs [PLACE]                  the log files of all parts or of one, and their last lines
  stop PLACE, start PLACE       ends or starts the process of a console or of a managed system; its partitions go on

  --name LAB                    which laboratory (default: lab); several can stand side by side

FILE is YAML: systems (name, serial, memoryMb, processors, vioses), consoles (name), luns and fcLuns (numbers).
`;
const NAME_DEFAULT = "lab";
const TAIL_LINES = 12;

/** Gives the exit status. */
export async function runLab(argv: readonly string[]): Promise<number> {
  const { words, options, rest } = parseWords(argv);
  const [verb, ...operands] = words;
  const name = options.get("--name") ?? NAME_DEFAULT;
  const say = (text: string) => process.stdout.write(`${text}\n`);
  if (verb === undefined || options.has("--help")) {
    process.stdout.write(HELP);
    return verb === undefined && !options.has("--help") ? 2 : 0;
  }
  switch (verb) {
    case "up": {
      const lab = await upLab({ name, description: readDescription(options.get("--config")), say });
      if (!options.has("--bare")) await bootPartition(lab, await createPartition(lab, { name: "db01", system: lab.systems[0]!.name, lun: 0, memoryMb: 512, say }), say);
      process.stdout.write(statusText(await labStatus(lab)));
      return 0;
    }
    case "down":
      if (!labExists(name)) say(`there is no laboratory ${name}`);
      else await downLab({ name, say });
      return 0;
    case "status": {
      const status = await labStatus(openLab(name));
      process.stdout.write(options.has("--json") ? `${JSON.stringify(status, null, 2)}\n` : statusText(status));
      return 0;
    }
    case "exec":
      return execute(openLab(name), operands[0], rest);
    case "mask": {
      const [number, ...wwpns] = operands;
      const wrong = wwpns.find((wwpn) => !/^[0-9a-f]{16}$/.test(wwpn));
      if (wwpns.length === 0 || wrong !== undefined || !/^\d{1,2}$/.test(number ?? "")) throw new OlpmError("invalid-argument", `usage: openlpm lab mask LUN WWPN...${wrong === undefined ? "" : `; ${wrong} is no WWPN of 16 hexadecimal digits`}`);
      await maskLun(openLab(name), Number(number), wwpns);
      return 0;
    }
    case "logs":
      return logs(openLab(name), operands[0]);
    case "start":
    case "stop":
      await switchService(openLab(name), verb, operands[0]);
      return 0;
    default:
      throw new OlpmError("invalid-argument", `lab has no verb ${verb}.`, { action: "openlpm lab --help lists them." });
  }
}

interface Parsed {
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}
function parseWords(argv: readonly string[]): Parsed {
  const cut = argv.indexOf("--");
  const [own, rest] = cut < 0 ? [argv, []] : [argv.slice(0, cut), argv.slice(cut + 1)];
  const words: string[] = [];
  const options = new Map<string, string>();
  for (let at = 0; at < own.length; at++) {
    const word = own[at]!;
    if (["--json", "--bare", "--help"].includes(word)) options.set(word, "");
    else if (["--name", "--config"].includes(word)) {
      const value = own[++at];
      if (value === undefined) throw new OlpmError("invalid-argument", `${word} needs a value.`);
      options.set(word, value);
    } else if (word.startsWith("-")) throw new OlpmError("invalid-argument", `lab has no option ${word}.`, { action: "openlpm lab --help lists them." });
    else words.push(word);
  }
  return { words, options, rest };
}

function readDescription(file: string | undefined): LabDescription {
  const parsed = LabDescription.safeParse(file === undefined ? {} : parse(fs.readFileSync(file, "utf8")));
  if (!parsed.success) throw new OlpmError("invalid-argument", `${file} does not describe a laboratory: ${z.prettifyError(parsed.error)}`);
  planLab("x", parsed.data);
  return parsed.data;
}

/** lan, san, hmc1, ms01, ms01/vios1; vios1 alone where only one system has it. */
function namespaceOf(lab: Lab, place: string | undefined): string {
  const places = new Map<string, string[]>([["lan", [lab.lan.namespace]], ["san", [lab.san.namespace]]]);
  const add = (name: string, namespace: string) => places.set(name, [...(places.get(name) ?? []), namespace]);
  for (const one of lab.consoles) add(one.name, one.namespace);
  for (const system of lab.systems) {
    add(system.name, system.namespace);
    for (const vios of system.vioses) {
      add(`${system.name}/${vios.name}`, vios.namespace);
      add(vios.name, vios.namespace);
    }
  }
  const found = places.get(place ?? "") ?? [];
  if (found.length === 1) return found[0]!;
  throw new OlpmError("not-found", place === undefined ? "Which place?" : found.length > 1 ? `Several systems have a ${place}.` : `The laboratory has no place ${place}.`, { action: `Places: ${[...places].filter(([, spaces]) => spaces.length === 1).map(([name]) => name).join(", ")}.` });
}

function execute(lab: Lab, place: string | undefined, command: readonly string[]): Promise<number> {
  if (command.length === 0) throw new OlpmError("invalid-argument", "usage: openlpm lab exec PLACE -- COMMAND...");
  const [program, ...argv] = inNamespace(namespaceOf(lab, place), ...command);
  const child = spawn(program, argv, { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : 143)));
  });
}

function logs(lab: Lab, place: string | undefined): number {
  const files = [
    ...lab.consoles.map((one) => ({ place: one.name, file: path.join(one.stateDir, "console.log") })),
    ...lab.systems.flatMap((system) => [{ place: system.name, file: path.join(system.stateDir, "logs", "system.log") }, ...system.vioses.map((vios) => ({ place: `${system.name}/${vios.name}`, file: path.join(system.stateDir, "logs", `${vios.name}.log`) }))]),
    { place: "san", file: path.join(lab.stateDir, "san", "tgtd.log") },
  ].filter((one) => (place === undefined || one.place === place) && fs.existsSync(one.file));
  if (files.length === 0) throw new OlpmError("not-found", `No log of ${place ?? lab.name}.`);
  for (const one of files) {
    const lines = fs.readFileSync(one.file, "utf8").trimEnd().split("\n");
    process.stdout.write(`==> ${one.place}: ${one.file}\n${(place === undefined ? lines.slice(-TAIL_LINES) : lines).join("\n")}\n`);
  }
  return 0;
}

async function switchService(lab: Lab, verb: "start" | "stop", place: string | undefined): Promise<void> {
  const system = lab.systems.find((one) => one.name === place);
  const console = lab.consoles.find((one) => one.name === place);
  if (!system && !console) throw new OlpmError("not-found", `${place ?? "(nothing)"} is no console or managed system of the laboratory.`);
  await stopService((system ?? console)!.runDir);
  if (verb === "stop") return;
  if (system) await startSystem(lab, system, lab.environment);
  else await startConsole(lab, console!, lab.environment);
}
