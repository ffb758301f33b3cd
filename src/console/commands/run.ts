/** Runs one command: options by its table, `--help`, errors as the HMC prints them. Never throws. */
import { operatorLine, toOlpmError } from "../../kit/errors.js";
import type { CommandContext } from "../contract.js";
import { parseOptions } from "../grammar/options.js";
import type { Command } from "./command.js";

export async function runOne(command: Command, argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    if (argv.includes("--help")) {
      context.io.stdout(helpText(command));
      return 0;
    }
    const { options, operands } = parseOptions(command, argv);
    return await command.run(options, context, operands);
  } catch (thrown) {
    const error = toOlpmError(thrown, command.name);
    if (error.code === "internal") context.log.error({ err: thrown, command: command.name }, "command failed");
    context.io.stderr(`${operatorLine(error)}\n`);
    return 1;
  }
}

/** A manual page: name, synopsis, what it does, options, examples, exit status. */
export function helpText(command: Command): string {
  const isExample = (paragraph: string) => /^Examples?:\n/.test(paragraph);
  const paragraphs = (command.details ?? []).filter((one) => !isExample(one));
  const examples = (command.details ?? []).filter(isExample);
  const lines = ["NAME", `    ${command.name} - ${command.summary}`, "", "SYNOPSIS", ...command.synopsis.map((line) => `    ${line}`), "", "DESCRIPTION", ...wrap(`${command.name} ${command.summary}.`, 4)];
  for (const paragraph of paragraphs) lines.push("", ...wrap(paragraph, 4));
  lines.push("", "OPTIONS");
  for (const option of command.options) {
    const left = option.argument === null ? option.name : `${option.name} ${option.argumentOptional ? `[${option.argument}]` : option.argument}`;
    const possible = option.values ? ` (${option.values.join(", ")})` : "";
    lines.push(`    ${left}${option.required ? "  (required)" : ""}`, ...wrap(`${option.help}${possible}${option.withoutEffect ? " (accepted, without effect here)" : ""}`, 8));
  }
  lines.push("    --help", ...wrap("prints this page", 8));
  if (examples.length > 0) lines.push("", "EXAMPLES", ...examples.flatMap((one) => one.split("\n").slice(1)).map((line) => `    ${line}`));
  lines.push("", "EXIT STATUS", "    0 on success, 1 on failure with a message on standard error.", "");
  return lines.join("\n");
}

const WIDTH = 100;
function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  for (const part of text.split("\n")) {
    let line = "";
    for (const word of part.split(" ")) {
      if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
        lines.push(`${" ".repeat(indent)}${line}`);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(`${" ".repeat(indent)}${line}`);
  }
  return lines;
}
