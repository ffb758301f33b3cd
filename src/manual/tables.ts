/** Tables of the manual that come from the code, each by the name of its marker. A page holds `<!-- table NAME -->` ... `<!-- end -->`. */
import { ERRORS } from "../kit/errors.js";
import { PHASE_TABLE } from "../model/migration.js";
import { RULES } from "../mobility/rules.js";
import { STEPS } from "../console/mobility/steps.js";
import { COMMANDS } from "../console/commands/index.js";
import type { Command } from "../console/commands/command.js";
import { ATTRIBUTE_TABLES } from "../console/attributes/index.js";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

const KINDS = { both: "active, inactive", active: "active", inactive: "inactive" } as const;

const optionsOf = (command: Command): string[][] =>
  command.options.map((option) => [
    `\`${option.name}${option.argument === null ? "" : ` ${option.argument}`}\``,
    option.withoutEffect ? "accepted without effect" : "supported",
    [option.required ? "required" : "", option.values ? option.values.join(", ") : "", option.number ? `${option.number.min} to ${option.number.max}` : ""].filter((word) => word !== "").join("; "),
  ]);

export const TABLES: Readonly<Record<string, () => string>> = {
  errors: () => table(["code", "meaning"], Object.entries(ERRORS).map(([code, meaning]) => [`\`${code}\``, meaning])),
  phases: () => table(["phase", "what happens", "when it fails here"], Object.entries(PHASE_TABLE).map(([phase, { happens, failure }]) => [`\`${phase}\``, happens, failure])),
  steps: () => table(["step", "does", "undo"], STEPS.map((step) => [`\`${step.name}\``, step.does, step.undone ?? "-"])),
  rules: () => table(["row", "code", "finding", "kind of migration", "checks"], RULES.map((rule) => [rule.row, `\`${rule.hsc}\``, rule.severity, KINDS[rule.kinds], rule.checks])),
  commands: () => table(["command", "what it does", "forms"], COMMANDS.map((command) => [`\`${command.name}\``, command.summary, command.synopsis.map((form) => `\`${form}\``).join("<br>")])),
  options: () => COMMANDS.filter((command) => command.options.length > 0).map((command) => `### ${command.name}\n\n${table(["option", "", "values"], optionsOf(command))}`).join("\n\n"),
  attributes: () => ATTRIBUTE_TABLES.map(({ title, names }) => `- **${title}**: ${names.map((name) => `\`${name}\``).join(", ")}`).join("\n"),
};

/** A page with its tables written anew. @throws Error for a marker without a table or without an end */
export function renewed(page: string): string {
  return page.replace(/(<!-- table (\S+) -->\n)([\s\S]*?)(<!-- end -->)/g, (_, open: string, name: string, _old: string, close: string) => {
    const make = TABLES[name];
    if (!make) throw new Error(`there is no table ${name}; there are ${Object.keys(TABLES).join(", ")}`);
    return `${open}${make()}\n${close}`;
  });
}
