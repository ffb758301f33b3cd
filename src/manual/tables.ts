/** Tables of the manual that come from the code, each by the name of its marker. A page holds `<!-- table NAME -->` ... `<!-- end -->`. */
import fs from "node:fs";
import path from "node:path";
import type { ZodType } from "zod";
import { keysOf } from "../wire/config-file.js";
import { ConsoleConfig } from "../wire/console-config.js";
import { SystemConfig } from "../wire/system-config.js";
import { ERRORS } from "../kit/errors.js";
import { ALARMS } from "../model/alarms.js";
import { PHASE_TABLE } from "../model/migration.js";
import { RECOVERY_TABLE, type RecoveryRow } from "../mobility/recovery.js";
import { REFERENCE } from "../mobility/rules/reference.js";
import { RULES } from "../mobility/rules/index.js";
import { BUGS } from "../simulation/planted.js";
import { missing, type Summary } from "../simulation/summary.js";
import { STEPS } from "../console/mobility/steps.js";
import { COMMANDS } from "../console/commands/index.js";
import type { Command } from "../console/commands/command.js";
import { MATRIX, SELECTED } from "../lab/fault-matrix.js";
import { CASES, FAULTS, MOMENTS, type FaultCase } from "../lab/faults.js";
import { isOf, type Measured } from "../lab/trial.js";
import { HOLD_POINTS } from "../system/hold.js";
import { VIOS_COMMANDS } from "../vios/cli/run.js";
import type { AttributeStatus, AttributeTable } from "../console/grammar/attribute-table.js";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

const KINDS = { both: "active, inactive", active: "active", inactive: "inactive" } as const;

const optionsOf = (command: Command): string[][] =>
  command.options.map((option) => [
    `\`${option.name}${option.argument === null ? "" : ` ${option.argument}`}\``,
    option.refused !== undefined ? `refused: ${option.refused}` : option.withoutEffect ? "accepted without effect" : "supported",
    [
      option.required ? "required" : "",
      option.values ? option.values.join(", ") : "",
      option.number ? `${option.number.min} to ${option.number.max}` : "",
      ...byReason(Object.entries(option.refusedValues ?? {}).map(([name, note]) => ({ name, note }))).map(([names, reason]) => `refused: ${names} (${reason})`),
    ]
      .filter((word) => word !== "")
      .join("; "),
  ]);

/** Names that have one reason stand together. */
function byReason(rows: readonly { readonly name: string; readonly note: string }[]): [names: string, reason: string][] {
  const reasons = [...new Set(rows.map((row) => row.note))];
  return reasons.map((reason) => [rows.filter((row) => row.note === reason).map((row) => `\`${row.name}\``).join(", "), reason]);
}
const STATUS: readonly { readonly status: AttributeStatus; readonly title: string; readonly withNotes: boolean }[] = [
  { status: "supported", title: "supported", withNotes: false },
  { status: "when asked", title: "supported, printed when -F names it", withNotes: false },
  { status: "without effect", title: "accepted without effect", withNotes: true },
  { status: "fixed", title: "only as it is here, other values are refused", withNotes: true },
  { status: "without value", title: "without value: `null` with -F, not in records", withNotes: true },
  { status: "refused", title: "refused", withNotes: true },
];
function attributesOf({ title, use, rows }: AttributeTable): string {
  const parts = STATUS.flatMap(({ status, title: what, withNotes }) => {
    const these = rows.filter((row) => row.status === status);
    if (these.length === 0) return [];
    return [`  - ${what}: ${withNotes ? byReason(these).map(([names, reason]) => `${names} (${reason})`).join("; ") : these.map(({ name }) => `\`${name}\``).join(", ")}`];
  });
  return [`- **${title}**, ${use === "printed" ? "what it prints" : "what its record may have"}`, ...parts].join("\n");
}

const keys = (schema: ZodType): string => table(["key", "meaning", "default"], keysOf(schema).map(({ path, meaning, preset }) => [`\`${path}\``, meaning, preset === undefined ? "must be given" : `\`${JSON.stringify(preset)}\``]));
/** One line for each pattern of a row: what the source says, what the destination says. */
const seen = (pattern: RecoveryRow["when"][number]): string[] => {
  const side = (states: readonly string[], process: readonly string[] | undefined, more: readonly string[]) => [states.join(", "), ...(process ? [`process ${process.join(", ")}`] : []), ...more].join("; ");
  const says = (value: boolean | undefined, yes: string, no: string) => (value === undefined ? [] : [value ? yes : no]);
  return [side(pattern.source, pattern.sourceProcess, [...says(pattern.driven, "driven", "not driven"), ...says(pattern.alone, "took it back", "did not take it back")]), side(pattern.destination, pattern.destinationProcess, [])];
};
const BY = { done: "-", wait: "nobody: it goes on", act: "the systems, at once", ask: "nobody" } as const;
const words = (steps: readonly string[]) => steps.map((step) => `\`${step}\``).join(", ");

/** How a row of the fault table ends, and the seconds until all was well that its last recorded run took (docs/reliability.json). In parentheses: neither recorded nor in the tests. */
function faultCell(row: FaultCase | undefined): string {
  if (!row) return "";
  const ms = measured().find((one) => isOf(one, row))?.recoveredMs;
  if (ms === undefined) return [...CASES, ...SELECTED].includes(row) ? row.ending : `(${row.ending})`;
  return `${row.ending}, ${(ms / 1_000).toFixed(1)} s`;
}
const measured = (): Measured[] => {
  const file = path.resolve(import.meta.dirname, "../../../docs/reliability.json");
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Measured[]) : [];
};

export const TABLES: Readonly<Record<string, () => string>> = {
  errors: () => table(["code", "meaning"], Object.entries(ERRORS).map(([code, meaning]) => [`\`${code}\``, meaning])),
  phases: () => table(["phase", "what happens", "when it fails here"], Object.entries(PHASE_TABLE).map(([phase, { happens, failure }]) => [`\`${phase}\``, happens, failure])),
  faults: () => table(["what breaks", ...Object.keys(MOMENTS)], [undefined, true as const].flatMap((second) => Object.entries(FAULTS).flatMap(([name, { breaks }]) => {
    const rows = MATRIX.filter((row) => row.fault === name && row.second === second);
    return rows.length === 0 ? [] : [[second ? `with a second pair of movers: ${breaks}` : breaks, ...Object.keys(MOMENTS).map((at) => faultCell(rows.find((row) => row.at === at)))]];
  }))),
  moments: () => table(["moment", ""], Object.entries(MOMENTS).map(([name, means]) => [`\`${name}\``, means])),
  holds: () => table(["point", "waits on the", "when"], Object.entries(HOLD_POINTS).map(([name, { side, where }]) => [`\`${name}\``, side, where])),
  steps: () => table(["step", "does", "undo"], STEPS.map((step) => [`\`${step.name}\``, step.does, step.undone ?? "-"])),
  recovery: () => table(["row", "means", "done without being asked", "with --force", "what to do"], RECOVERY_TABLE.map((row) => [`\`${row.name}\``, row.means, row.steps.length > 0 ? words(row.steps) : BY[row.kind], row.forced.length > 0 ? words(row.forced) : "-", row.advice])),
  recoveryStates: () => table(["source says", "destination says", "row"], RECOVERY_TABLE.flatMap((row) => row.when.map((pattern) => [...seen(pattern), `\`${row.name}\``]))),
  simulation: () => {
    const { seeds, ticks, virtualMs, seconds, counts, failures } = JSON.parse(fs.readFileSync(path.resolve(import.meta.dirname, "../../../docs/simulation.json"), "utf8")) as Summary & { readonly seconds: number };
    const under = (prefix: string) => Object.entries(counts).filter(([what]) => what.startsWith(prefix)).map(([what, count]) => `${what.slice(prefix.length).replaceAll(":", " ")} ${count}`).sort().join(", ");
    const total = `${seeds} seeds, ${ticks} events, ${Math.round(virtualMs / 3_600_000)} hours of virtual time in ${seconds} s; ${failures.length} seeds broke a rule; not reached: ${missing({ seeds, ticks, virtualMs, counts, failures }).join(", ") || "nothing"}`;
    return table(["", "how often"], [["run", total], ["faults", under("fault:")], ["steps", under("step:")], ["undone", under("undo:")], ["second pairs of movers", under("pair:")], ["rows, by looks that found them", under("row:")]]);
  },
  plantedBugs: () => Object.keys(BUGS).map((bug) => `- ${bug}`).join("\n"),
  rules: () => table(["row", "code", "finding", "kind of migration", "checks"], RULES.map((rule) => [rule.row, `\`${rule.hsc}\``, rule.demoted ? `${rule.severity}; warning with ${rule.demoted.by}` : rule.severity, KINDS[rule.kinds], rule.checks])),
  reference: () => table(["row", "check of the rule book", "here"], REFERENCE.map(({ row, subject, where }) => [row, subject, where === "rule" ? "implemented, see above" : "elsewhere" in where ? `implemented elsewhere: ${where.elsewhere}` : `not applicable: ${where.absent}`])),
  commands: () => table(["command", "what it does", "forms"], COMMANDS.map((command) => [`\`${command.name}\``, command.summary, command.synopsis.map((form) => `\`${form}\``).join("<br>")])),
  options: () => COMMANDS.filter((command) => command.options.length > 0).map((command) => `### ${command.name}\n\n${table(["option", "", "values"], optionsOf(command))}`).join("\n\n"),
  alarms: () => table(["message", "it means", "do"], Object.entries(ALARMS).map(([message, { means, act }]) => [message, means, act])),
  "system-config": () => keys(SystemConfig),
  "console-config": () => keys(ConsoleConfig),
  "vios-commands": () => table(["command", "usage"], VIOS_COMMANDS.map(({ name, usage }) => [`\`${name}\``, usage.split(/\n\s+(?=[a-z]+ )|\n(?=[a-z])/).map((form) => `\`${form.replace(/\s+/g, " ")}\``).join("<br>")])),
  attributes: () => COMMANDS.flatMap((command) => command.attributes ?? []).map(attributesOf).join("\n"),
};

/** A page with its tables written anew. @throws Error for a marker without a table or without an end */
export function renewed(page: string): string {
  return page.replace(/(<!-- table (\S+) -->\n)([\s\S]*?)(<!-- end -->)/g, (_, open: string, name: string, _old: string, close: string) => {
    const make = TABLES[name];
    if (!make) throw new Error(`there is no table ${name}; there are ${Object.keys(TABLES).join(", ")}`);
    return `${open}${make()}\n${close}`;
  });
}
