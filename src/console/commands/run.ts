/** Runs one command: options by its table, `--help`, errors as the HMC prints them. Never throws. */
import { OlpmError, operatorLine, toOlpmError } from "../../kit/errors.js";
import type { CommandContext } from "../contract.js";
import { parseOptions } from "../grammar/options.js";
import type { AttributeRow, AttributeStatus, AttributeTable } from "../grammar/attribute-table.js";
import { mayRun, type Audience } from "../users/roles.js";
import type { Command } from "./command.js";

export async function runOne(command: Command, argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    if (argv.includes("--help")) {
      context.io.stdout(helpText(command));
      return 0;
    }
    const { options, operands } = parseOptions(command, argv);
    if (!mayRun(context.taskRole, audienceOf(command))) throw notAuthorised();
    return await command.run(options, context, operands);
  } catch (thrown) {
    const error = toOlpmError(thrown, command.name);
    if (error.code === "internal") context.log.error({ err: thrown, command: command.name }, "command failed");
    context.io.stderr(`${printable(operatorLine(error))}\n`);
    return 1;
  }
}

export const audienceOf = (command: Command): Audience => command.audience ?? (command.name.startsWith("ls") ? "everyone" : "administrator");
export const notAuthorised = () => new OlpmError("not-authorised", "The user does not have the appropriate authority.", { hsc: "HSCL350B" });

/** What of a line may be in the log: not the passwords. */
export function withoutSecrets(argv: readonly string[]): string[] {
  const isPassword = argv.some((word, at) => word === "passwd" && argv[at - 1] === "-t");
  const hidden = (at: number) => argv[at - 1] === "--passwd" || (isPassword && (argv[at - 1] === "-v" || /^-v./.test(argv[at]!)));
  return argv.map((word, at) => (hidden(at) ? "***" : word.replace(/passwd[\s\S]+/, "passwd***")));
}

/** An error may quote what was typed: bytes that a terminal would act on do not come back, and no more than a screen of it. */
const ERROR_CHARACTERS_MAX = 4096;
export function printable(text: string): string {
  const clean = text.replace(/[^\n\t\x20-\x7e\u00a0-\uffff]/g, "?");
  return clean.length <= ERROR_CHARACTERS_MAX ? clean : `${clean.slice(0, ERROR_CHARACTERS_MAX)}...`;
}

const EXAMPLES = /^Examples?:\n/;
const AUTHORITY: Readonly<Record<Audience, string>> = { everyone: "Every user may run it.", operator: "Users with the task role hmcoperator or hmcsuperadmin may run it.", administrator: "Users with the task role hmcsuperadmin may run it." };
/** The command lines of the command's examples. */
export const examplesOf = (command: Command): string[] => (command.details ?? []).filter((one) => EXAMPLES.test(one)).flatMap((one) => one.split("\n").slice(1));

/** A manual page: name, synopsis, what it does, options, examples, exit status. */
export function helpText(command: Command): string {
  const paragraphs = (command.details ?? []).filter((one) => !EXAMPLES.test(one));
  const examples = examplesOf(command);
  const lines = ["NAME", `    ${command.name} - ${command.summary}`, "", "SYNOPSIS", ...command.synopsis.flatMap((line) => wrap(line, 4, 8)), "", "DESCRIPTION", ...wrap(`${command.name} ${command.summary}.`, 4)];
  for (const paragraph of paragraphs) lines.push("", ...wrap(paragraph, 4));
  lines.push("", "OPTIONS");
  for (const option of command.options) {
    const left = option.argument === null ? option.name : `${option.name} ${option.argumentOptional ? `[${option.argument}]` : option.argument}`;
    const possible = option.values ? ` (${option.values.join(", ")})` : "";
    lines.push(`    ${left}${option.required ? "  (required)" : ""}`, ...wrap(`${option.help}${possible}${option.refused !== undefined ? ` (refused: ${option.refused})` : option.withoutEffect ? " (accepted, without effect here)" : ""}`, 8));
    for (const [value, reason] of Object.entries(option.refusedValues ?? {})) lines.push(...wrap(`${value} is refused: ${reason}`, 8));
  }
  lines.push("    --help", ...wrap("prints this page", 8));
  for (const table of command.attributes ?? []) lines.push("", `ATTRIBUTES OF ${table.title}${table.use === "record" ? ", in its record" : ""}`, ...attributeLines(table));
  if (examples.length > 0) lines.push("", "EXAMPLES", ...examples.map((line) => `    ${line}`));
  lines.push("", "AUTHORITY", `    ${AUTHORITY[audienceOf(command)]}`, "", "EXIT STATUS", ...wrap(command.exitStatus ?? "0 on success, 1 on failure with a message on standard error.", 4), "");
  return lines.join("\n");
}

/** What is printed needs no explanation but its name; what is typed has its values. */
function attributeLines(table: AttributeTable): string[] {
  const of = (status: AttributeStatus) => table.rows.filter((row) => row.status === status);
  const names = (rows: readonly AttributeRow[]) => rows.map((row) => row.name).join(", ");
  const lines = table.use === "printed" ? (of("supported").length > 0 ? wrap(names(of("supported")), 4) : []) : of("supported").flatMap((row) => [`    ${row.name}`, ...wrap(row.note, 8)]);
  if (of("when asked").length > 0) lines.push(...wrap(`When -F names them: ${names(of("when asked"))}`, 4));
  for (const status of ["fixed", "without effect", "without value", "refused"] as const)
    for (const note of new Set(of(status).map((row) => row.note))) lines.push(...wrap(`${TITLES[status]}: ${names(of(status).filter((row) => row.note === note))} (${note})`, 4));
  return lines;
}
const TITLES = { fixed: "Only as it is here", "without effect": "Accepted, without effect", "without value": "Without value", refused: "Refused" } as const;

const WIDTH = 100;
/** `hanging`: indent of a paragraph's second and further lines. */
function wrap(text: string, indent: number, hanging = indent): string[] {
  const lines: string[] = [];
  for (const part of text.split("\n")) {
    let line = " ".repeat(indent);
    let empty = true;
    for (const word of part.split(" ")) {
      if (!empty && line.length + 1 + word.length > WIDTH) {
        lines.push(line);
        line = `${" ".repeat(hanging)}${word}`;
      } else line += empty ? word : ` ${word}`;
      empty = false;
    }
    lines.push(line);
  }
  return lines;
}
