/** The HMC's commands: one line each. */
import { OlpmError, operatorLine, toOlpmError } from "../../kit/errors.js";
import type { RunCommand } from "../contract.js";
import { chhmc } from "./chhmc.js";
import { chhmcusr } from "./chhmcusr.js";
import { chhwres } from "./chhwres.js";
import { chsyscfg } from "./chsyscfg.js";
import { chsysstate } from "./chsysstate.js";
import type { Command } from "./command.js";
import { diagrmc } from "./diagrmc.js";
import { lshmcusr } from "./lshmcusr.js";
import { lshmc } from "./lshmc.js";
import { lshwres } from "./lshwres.js";
import { lsled } from "./lsled.js";
import { lslparmigr } from "./lslparmigr.js";
import { lspartition } from "./lspartition.js";
import { lsrefcode } from "./lsrefcode.js";
import { lssyscfg } from "./lssyscfg.js";
import { lssysconn } from "./lssysconn.js";
import { migrlpar } from "./migrlpar.js";
import { mkauthkeys } from "./mkauthkeys.js";
import { mkhmcusr } from "./mkhmcusr.js";
import { mksyscfg } from "./mksyscfg.js";
import { rmhmcusr } from "./rmhmcusr.js";
import { rmsyscfg } from "./rmsyscfg.js";
import { helpText, runOne, withoutSecrets } from "./run.js";
import { mkvterm, rmvterm } from "./terminal.js";
import { viosvrcmd } from "./viosvrcmd.js";

const help: Command = {
  name: "help",
  audience: "everyone",
  summary: "lists the commands of this console, or explains one",
  synopsis: ["help [command]"],
  options: [],
  details: ["Examples:\nhelp\nhelp lssyscfg"],
  operands: true,
  run: async (_options, { io }, [name]) => {
    const command = name === undefined ? undefined : COMMANDS.find((one) => one.name === name);
    if (command) io.stdout(helpText(command));
    else if (name !== undefined) {
      throw new OlpmError("not-found", `There is no command ${name}. help lists the commands.`);
    } else io.stdout(`${COMMANDS.map((one) => `${one.name.padEnd(12)}  ${one.summary}`).join("\n")}\n\nCOMMAND --help explains each.\n`);
    return 0;
  },
};

export const COMMANDS: readonly Command[] = [chhmc, chhmcusr, chhwres, chsyscfg, chsysstate, diagrmc, help, lshmc, lshmcusr, lshwres, lsled, lslparmigr, lspartition, lsrefcode, lssyscfg, lssysconn, migrlpar, mkauthkeys, mkhmcusr, mksyscfg, mkvterm, rmhmcusr, rmsyscfg, rmvterm, viosvrcmd, { ...help, name: "man", synopsis: ["man [command]"], details: ["Example:\nman lssyscfg"] }];
export const COMMAND_NAMES: readonly string[] = COMMANDS.map((command) => command.name);

export const runCommand: RunCommand = async (argv, context) => {
  const [name = "", ...words] = argv;
  const command = COMMANDS.find((one) => one.name === name);
  if (!command) {
    context.io.stderr(`-bash: ${name}: command not found\n`);
    return 127;
  }
  const began = performance.now();
  try {
    const status = await runOne(command, words, context);
    context.log.info({ user: context.user, command: name, argv: withoutSecrets(words), status, ms: Math.round(performance.now() - began) }, "command");
    return status;
  } catch (thrown) {
    context.io.stderr(`${operatorLine(toOlpmError(thrown, name))}\n`);
    return 1;
  }
};
