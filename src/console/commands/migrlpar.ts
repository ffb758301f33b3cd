import { OlpmError, operatorLine } from "../../kit/errors.js";
import type { LparId } from "../../model/ids.js";
import type { CommandContext, Finding, ManagedSystem, MigrationResult, MobilityOptions, MobilityRequest } from "../contract.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, splitList } from "../grammar/record.js";
import type { Command, Options } from "./command.js";
import { ProgressPrinter } from "./progress.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

/** Options that say how strict a rule is; each has one meaning here, which its default gives. */
const STRICTNESS = ["--redundantvios", "--mpio", "--vlanbridge", "--vsi", "--npivval", "--uuid", "--protectstorage", "--requirerr", "--redundantvnicbkdev", "--vniccfg", "--redundantmsps", "--migsriov", "--steps", "--redundantpgvios"];

/** hmc-cli section 2. */
export const migrlpar: Command = {
  name: "migrlpar",
  summary: "validates, performs, stops and recovers partition migrations",
  synopsis: ["migrlpar -o {v | m} -m managed-system -t target-managed-system {-p partition-name | --id partition-ID} [-i input-data] [-w wait-time] [-v] [--json]", "migrlpar -o s -m managed-system {-p partition-name | --id partition-ID}", "migrlpar -o r -m managed-system {-p partition-name | --id partition-ID} [--force]"],
  options: [
    { name: "-o", argument: "operation", help: "v validates; m validates, then migrates; s stops a migration before the hand-over; r finishes or undoes one that stands", required: true, values: ["v", "m", "s", "r", "set"] },
    { ...SYSTEM_OPTION, help: "the managed system on which the partition is; for r either of the two" },
    { name: "-t", argument: "target-managed-system", help: "the managed system to which the partition moves; for v and m" },
    ...LPAR_OPTIONS,
    { name: "-i", argument: "input-data", help: "source_msp_id, source_msp_name, dest_msp_id, dest_msp_name, dest_lpar_id, virtual_scsi_mappings=client-slot/VIOS-name/VIOS-ID[,...], virtual_fc_mappings=client-slot/VIOS-name/VIOS-ID[/[VIOS-slot][/port]][,...]" },
    { name: "-w", argument: "minutes", help: "how long to wait for commands of the operating system; 0: without end; default 3", number: { min: 0, max: 999 } },
    { name: "-d", argument: "detail-level", help: "level of detail of the operating system's messages", number: { min: 0, max: 5 }, withoutEffect: true },
    { name: "-v", argument: null, help: "prints the progress while it runs" },
    { name: "--json", argument: null, help: "prints the result as one line of JSON at the end (ours)" },
    { name: "--nodetails", argument: null, help: "leaves out what to do about each message" },
    { name: "--force", argument: null, help: "with r: does what only a person can decide (docs/recovery.md); run r without it first and read what it says" },
    ...STRICTNESS.map((name) => ({ name, argument: "level", help: "strictness of one rule", withoutEffect: true })),
  ],
  details: [
    "The kind of migration follows from the partition's state: a running partition moves while it runs (active). The command returns when the partition is on the target and the source is clean, or everything is undone. It prints nothing on success, unless -v or --json is given or standard output is a terminal.",
    "Interrupting the command (Ctrl-C) before the hand-over stops the migration; after it the migration completes.",
    "Examples:\nmigrlpar -o v -m ms01 -t ms02 -p db01\nmigrlpar -o m -m ms01 -t ms02 -p db01 -v",
  ],
  run: async (options, context) => {
    const operation = options.get("-o");
    if (operation === "set") throw new OlpmError("unsupported", `migrlpar -o ${operation} is not available in this version.`);
    const source = systemOf(options, context);
    const lpar = lparOf(options, context, source);
    if (operation === "r") return recover(source, lpar.lparId, options, context);
    if (operation === "s") {
      if (options.has("-t")) throw invalidParameter("-t");
      await context.mobility.stop(source, lpar.lparId);
      return 0;
    }
    if (!options.has("-t")) throw missingParameter("-t");
    const request: MobilityRequest = { source, destination: systemOf(options, context, "-t"), lparId: lpar.lparId, options: wanted(options) };
    return operation === "v" ? validate(request, options, context) : migrate(request, options, context);
  },
};

async function validate(request: MobilityRequest, options: Options, context: CommandContext): Promise<number> {
  const result = await context.mobility.validate(request, context.signal);
  if (options.has("--json")) context.io.stdout(`${JSON.stringify(result)}\n`);
  print(result.findings, options, context);
  return result.findings.some((finding) => finding.severity === "error") ? 1 : 0;
}

async function migrate(request: MobilityRequest, options: Options, context: CommandContext): Promise<number> {
  const watched = options.has("-v") || context.io.tty !== null;
  const printer = new ProgressPrinter(context.io);
  let result: MigrationResult;
  try {
    result = await context.mobility.migrate(request, { signal: context.signal, onProgress: (record) => watched && printer.show(record) });
  } finally {
    printer.close();
  }
  print(result.findings, options, context);
  if (options.has("--json") && result.record) context.io.stdout(`${JSON.stringify(result.record)}\n`);
  return result.ok ? 0 : 1;
}

/** Prints nothing on success; otherwise why, and what each of the two systems says (hmc-cli 2.12). */
async function recover(system: ManagedSystem, lparId: LparId, options: Options, context: CommandContext): Promise<number> {
  if (options.has("-t")) throw invalidParameter("-t");
  const { ok, findings } = await context.mobility.recover(system, lparId, { force: options.has("--force"), signal: context.signal });
  print(findings, options, context);
  return ok ? 0 : 1;
}

/** Errors come first already; all go to standard error, as clients expect (hmc-cli 1.7). */
function print(findings: readonly Finding[], options: Options, context: CommandContext): void {
  for (const { hsc, message, action } of findings) context.io.stderr(`${operatorLine(new OlpmError("refused", message, { hsc, action: options.has("--nodetails") || action === "" ? undefined : action }))}\n`);
}

const NUMBERS = ["source_msp_id", "dest_msp_id", "dest_lpar_id"];
const NAMES = ["source_msp_name", "dest_msp_name"];
const IGNORED = ["shared_proc_pool_id", "shared_proc_pool_name", "source_msp_ipaddr", "dest_msp_ipaddr", "concurr_migration_perf_level"];

function wanted(options: Options): MobilityOptions {
  const values = new Map<string, string>();
  for (const { name, operator, value } of parseRecord(options.get("-i") ?? "")) {
    if (operator !== "=" || ![...NUMBERS, ...NAMES, ...IGNORED, "virtual_scsi_mappings", "virtual_fc_mappings"].includes(name)) throw new OlpmError("invalid-argument", `An invalid attribute was entered. The invalid attribute is ${name}. Please check your entry and retry the command.`);
    if (NUMBERS.includes(name) && !/^[1-9]\d{0,4}$/.test(value)) throw new OlpmError("invalid-argument", `The value ${value} of attribute ${name} is no partition ID. Please check your entry and retry the command.`);
    values.set(name, value);
  }
  const number = (name: string) => (values.has(name) ? Number(values.get(name)) : undefined);
  const msp = (side: string) => {
    const [id, name] = [number(`${side}_msp_id`), values.get(`${side}_msp_name`)];
    return id === undefined && name === undefined ? undefined : { ...(id === undefined ? {} : { id }), ...(name === undefined ? {} : { name }) };
  };
  const [sourceMsp, destMsp, destLparId, waitMinutes] = [msp("source"), msp("dest"), number("dest_lpar_id"), options.number("-w")];
  const mappings = splitList(values.get("virtual_scsi_mappings") ?? "").map(mapping);
  const fcMappings = splitList(values.get("virtual_fc_mappings") ?? "").map(fcMapping);
  return { ...(sourceMsp ? { sourceMsp } : {}), ...(destMsp ? { destMsp } : {}), ...(destLparId === undefined ? {} : { destLparId }), ...(waitMinutes === undefined ? {} : { waitMinutes }), ...(mappings.length > 0 ? { scsiMappings: mappings } : {}), ...(fcMappings.length > 0 ? { fcMappings } : {}) };
}

/** `client-slot/VIOS-name/VIOS-ID[/VIOS-slot]`; name or ID may be empty. */
function mapping(text: string) {
  const [slot = "", name = "", id = "", viosSlot = "", ...more] = text.split("/");
  const number = (value: string) => /^\d{1,5}$/.test(value);
  if (!number(slot) || (name === "" && id === "") || (id !== "" && !number(id)) || (viosSlot !== "" && !number(viosSlot)) || more.length > 0)
    throw new OlpmError("invalid-argument", `The mapping ${text} of virtual_scsi_mappings is not valid. The form is client-slot/VIOS-name/VIOS-ID[/VIOS-slot]. Please check your entry and retry the command.`);
  return { clientSlot: Number(slot), ...(name === "" ? {} : { viosName: name }), ...(id === "" ? {} : { viosLparId: Number(id) }), ...(viosSlot === "" ? {} : { viosSlot: Number(viosSlot) }) };
}

/** `client-slot/VIOS-name/VIOS-ID[/[VIOS-slot][/port]]` (hmc-cli 2.4). */
function fcMapping(text: string) {
  const words = text.split("/");
  const port = words.length === 5 ? words[4]! : "";
  if (port !== "" && !/^fcs\d{1,3}$/.test(port)) throw new OlpmError("invalid-argument", `The mapping ${text} of virtual_fc_mappings is not valid: ${port} is no port. The form is client-slot/VIOS-name/VIOS-ID[/[VIOS-slot][/port]]. Please check your entry and retry the command.`);
  return { ...mapping(words.length === 5 ? words.slice(0, 4).join("/") : text), ...(port === "" ? {} : { port }) };
}
