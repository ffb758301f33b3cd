import { OlpmError } from "../../kit/errors.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { printable } from "./run.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

const COMMAND_MS_MAX = 120_000;
/** As the contract of the managed system has it (vios.command). */
const [WORDS_MAX, WORD_MAX] = [64, 4096];

/** Words of a VIOS command line: quotes of both kinds, backslash, no other meaning (hmc-cli 7.1). Pure. @throws OlpmError invalid-argument, limit-reached */
export function words(text: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (char === "\\" && at + 1 < text.length) word = (word ?? "") + text[++at]!;
    else if (/\s/.test(char)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? "") + char;
  }
  if (quote !== undefined) throw new OlpmError("invalid-argument", `The command has a quotation mark without its partner: ${text.slice(0, 100)}`);
  if (word !== undefined) found.push(word);
  const argv = found[0] === "ioscli" ? found.slice(1) : found;
  if (argv.length > WORDS_MAX || argv.some((one) => one.length > WORD_MAX)) throw new OlpmError("limit-reached", `A command has at most ${WORDS_MAX} words of ${WORD_MAX} characters.`);
  return argv;
}

export const viosvrcmd: Command = {
  name: "viosvrcmd",
  summary: "runs a command on a Virtual I/O Server",
  synopsis: ['viosvrcmd -m managed-system {-p partition-name | --id partition-ID} -c "command" [--admin]'],
  options: [
    SYSTEM_OPTION,
    ...LPAR_OPTIONS,
    { name: "-c", argument: "command", help: "the command, without the word ioscli; several ones in several lines", required: true },
    { name: "-t", argument: "minutes", help: "time for the command, which has two minutes in any case", number: { min: 1, max: 999 }, withoutEffect: true },
    { name: "--admin", argument: null, help: "with administrative rights, which every command has here", withoutEffect: true },
  ],
  exitStatus: "That of the command on the Virtual I/O Server, or of the first of several that failed; 1 when it could not be run.",
  details: ["The commands are listed by viosvrcmd -c help, and explained by -c \"help NAME\". They are not interactive and have no pipes; a pipe behind viosvrcmd is the console's.", 'Examples:\nviosvrcmd -m ms01 -p vios1 -c help\nviosvrcmd -m ms01 -p vios1 -c "lsmap -all -fmt :"'],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const lpar = lparOf(options, context, system);
    if (lpar.definition.environment !== "vioserver") throw new OlpmError("invalid-argument", `Partition ${lpar.definition.name} is no Virtual I/O Server.`);
    const commands = options.get("-c")!.split("\n").map(words).filter((argv) => argv.length > 0);
    if (commands.length === 0) throw missingParameter("-c");
    for (const argv of commands) {
      const { stdout, stderr, code } = await system.client.call("vios.command", { lparId: lpar.lparId, argv, admin: options.has("--admin") }, { signal: context.signal, deadlineMs: COMMAND_MS_MAX });
      if (stdout !== "") context.io.stdout(stdout);
      if (stderr !== "") context.io.stderr(printable(stderr));
      if (code !== 0) return code;
    }
    return 0;
  },
};
