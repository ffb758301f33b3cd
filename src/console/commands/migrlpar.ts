/** `migrlpar` (hmc-cli section 2): validates, performs and stops migrations of one partition or several, and sets what concerns them. */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import { lparCan } from "../../model/lpar-can.js";
import type { CommandContext, ManagedSystem, MigrationResult, MobilityRequest } from "../contract.js";
import { checkRecord, invalidValue, taken } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, splitList, valueOf } from "../grammar/record.js";
import type { Command, Options, OptionSpec } from "./command.js";
import { inputData, lparId, MIGRATION_RECORD, migrationOptions, perfLevel, SET_LPAR_RECORD, SET_SYSTEM_RECORD } from "./migrlpar-record.js";
import { exitStatus, isNothingMoved, printFindings, printNotes, summary } from "./migrlpar-report.js";
import { moveAll, type Moved } from "./migrlpar-waves.js";
import { ProgressPrinter, StepPrinter } from "./progress.js";
import { refuseRemote, REMOTE_CONSOLE, REMOTE_USER, SYSTEM_OPTION, systemOf } from "./targets.js";

const level = (name: string, argument: string, help: string): OptionSpec => ({ name, argument, help, number: { min: argument.startsWith("{0") ? 0 : 1, max: 2 } });
const nothingHere = (name: string, argument: string | null, help: string): OptionSpec => ({ name, argument, help, withoutEffect: true, ...(argument?.startsWith("{1") ? { values: ["1", "2"] } : argument?.startsWith("{0") ? { values: ["0", "1", "2"] } : {}) });

/** Which options go with which operation; the rest go with all. */
const FOR_MOVES = ["-t", "--all", "-n", "-w", "-d", "-v", "--json", "--steps", "--async", "--redundantvios", "--mpio", "--vlanbridge", "--uuid", "--redundantmsps", "--usecurrdata"];

export const migrlpar: Command = {
  name: "migrlpar",
  summary: "validates, performs, stops and recovers partition migrations",
  synopsis: [
    "migrlpar -o {v | m} -m managed-system -t target-managed-system {-p partition-names | --id partition-IDs | --all} [-n profile-name] [{-i input-data | -f -}] [-w wait-time] [-d detail-level] [-v] [--json]",
    "migrlpar -o s -m managed-system {-p partition-name | --id partition-ID}",
    "migrlpar -o r -m managed-system {-p partition-name | --id partition-ID} [--force]",
    "migrlpar -o set -r sys [-m managed-system] -i input-data",
    "migrlpar -o set -r lpar -m managed-system {-p partition-name | --id partition-ID} -i input-data",
  ],
  options: [
    { name: "-o", argument: "operation", help: "v validates; m validates, then migrates; s stops a migration before the hand-over; r finishes or undoes one that stands; set sets what concerns migrations", required: true, values: ["v", "m", "s", "r", "set"] },
    { ...SYSTEM_OPTION, required: false, help: "the managed system on which the partition is; for r either of the two; only -o set -r sys can do without: all" },
    { name: "-t", argument: "target-managed-system", help: "the managed system to which the partitions move; for v and m" },
    { name: "-p", argument: "partition-names", help: "partition, by name; for v and m several, with commas" },
    { name: "--id", argument: "partition-IDs", help: "partition, by ID; for v and m several, with commas" },
    { name: "--all", argument: null, help: "for v and m: all partitions that can move, as many at once as the limits allow; those that stay are named" },
    { name: "-r", argument: "resource", help: "for set: the managed system, or a mover service partition", values: ["sys", "lpar"] },
    { name: "-n", argument: "profile-name", help: "the profile that is written from what moves; the one last activated without it" },
    { name: "-i", argument: "input-data", help: 'attribute record "name=value,..."' },
    { name: "-f", argument: "file", help: "- reads the input data from standard input, a record a line; this console keeps no files" },
    { name: "-w", argument: "wait-time", help: "minutes to wait for commands of the operating system; 0: without end; default 3", number: { min: 0, max: 999 } },
    { name: "-d", argument: "detail-level", help: "0 only errors and warnings; 1 also what was chosen and why; 3 what was possible; 5 every answer; default 0", number: { min: 0, max: 5 } },
    { name: "-v", argument: null, help: "prints the progress while it runs, and a line at the end of each migration" },
    { name: "--steps", argument: "{0|1|2}", help: "1 prints each phase as it begins, 2 also how long it took", values: ["0", "1", "2"] },
    { name: "--json", argument: null, help: "prints the result as a line of JSON for each partition (ours)" },
    { name: "--nodetails", argument: null, help: "leaves out what to do about each message, and what Virtual I/O Servers said" },
    { name: "--async", argument: null, help: "ends when the migration has begun; lslparmigr -r lpar shows the rest" },
    level("--redundantvios", "{0|1|2}", "paths over several Virtual I/O Servers: 0 need not stay apart, 1 must, 2 if possible"),
    level("--mpio", "{1|2}", "2: other paths than on the source are a warning, not an error; default 1"),
    level("--vlanbridge", "{1|2}", "2: a VLAN that is not bridged on the target is a warning, not an error; default 1"),
    level("--uuid", "{1|2}", "2: a partition that is not activated and whose UUID is taken on the target gets another; default 1"),
    level("--redundantmsps", "{0|1|2}", "a second pair of movers that takes over when the first is lost before the hand-over: 0 none, 1 required, 2 if there is one; default 2, and 0 where source_msp... or dest_msp... name the first"),
    { name: "--usecurrdata", argument: null, help: "validates with what the console knows, without asking the systems for their inventory first" },
    nothingHere("--vsi", "{1|2}", "virtual station interfaces do not exist here"),
    nothingHere("--npivval", "{port|portdisk}", "LUNs are compared by their identity, always"),
    nothingHere("--protectstorage", "{1|2}", "a LUN is served through one open gate only, always"),
    nothingHere("--requirerr", "{1|2}", "remote restart does not exist here"),
    nothingHere("--redundantvnicbkdev", "{1|2}", "vNICs do not exist here"),
    nothingHere("--vniccfg", "{1|2}", "vNICs do not exist here"),
    nothingHere("--migsriov", "{1|2}", "SR-IOV ports do not exist here"),
    nothingHere("--redundantpgvios", "{0|1|2}", "paging Virtual I/O Servers do not exist here"),
    nothingHere("-redundantpgvios", "{0|1|2}", "as --redundantpgvios"),
    nothingHere("--affinity", null, "affinity scores do not exist here"),
    { name: "--force", argument: null, help: "with r: does what only a person can decide (docs/recovery.md); run r without it first and read what it says. It makes no error of a validation a warning" },
    REMOTE_CONSOLE,
    REMOTE_USER,
  ],
  attributes: [taken("migrlpar -o {v | m}", MIGRATION_RECORD), taken("migrlpar -o set -r sys", SET_SYSTEM_RECORD), taken("migrlpar -o set -r lpar", SET_LPAR_RECORD)],
  details: [
    "The kind of migration follows from the partition's state: a running partition moves while it runs (active), one that is not activated moves with its disks, network and profiles (inactive). The command returns when the partition is on the target and the source is clean, or everything is undone. It prints nothing on success, unless -v, -d, --steps or --json is given or standard output is a terminal.",
    "Several partitions begin one after another and move beside each other, within the limits of both systems and of the movers; a place that becomes free is taken by the next.",
    "Interrupting the command (Ctrl-C) before the hand-over stops the migration; after it the migration completes.",
    "Exit status with several partitions: 65 the validation of some failed, 66 of all; 67 the migration of some failed, 68 of all; 1 anything else.",
    "Examples:\nmigrlpar -o v -m ms01 -t ms02 -p db01\nmigrlpar -o m -m ms01 -t ms02 -p db01 -v\nmigrlpar -o m -m ms01 -t ms02 --all -v\nmigrlpar -o m -m ms01 -t ms02 -p db01 -i \"dest_msp_name=vios2,virtual_scsi_mappings=2/vios2/2\"\nmigrlpar -o set -r lpar -m ms01 -p vios1 -i num_active_migrations_configured=2",
  ],
  run: async (options, context) => {
    const operation = options.get("-o");
    refuseRemote(options, context);
    if (operation === "set") return set(options, context);
    if (options.has("-r")) throw invalidParameter("-r");
    if (!options.has("-m")) throw missingParameter("-m");
    const source = systemOf(options, context);
    if (operation === "v" || operation === "m") return move(operation, source, options, context);
    const stray = [...FOR_MOVES, "-i", "-f"].find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    const lpar = one(options, context, source);
    if (operation === "r") return recover(source, lpar, options, context);
    if (options.has("--force")) throw invalidParameter("--force");
    await context.mobility.stop(source, lpar.lparId);
    return 0;
  },
};

async function move(operation: "v" | "m", source: ManagedSystem, options: Options, context: CommandContext): Promise<number> {
  if (!options.has("-t")) throw missingParameter("-t");
  const destination = systemOf(options, context, "-t");
  if (options.get("--npivval") !== undefined && !["port", "portdisk"].includes(options.get("--npivval")!)) throw missingParameter("--npivval");
  const lpars = partitions(options, context, source);
  const wanted = migrationOptions(options, await inputData(options, context.io.input()), lpars);
  const requests = lpars.map((lpar): MobilityRequest & { readonly lpar: LparView } => ({ source, destination, lparId: lpar.lparId, options: wanted(lpar), lpar }));
  const stay = options.has("--all") ? staying(source, options, context) : 0;
  if (requests.length === 0) {
    if (stay === 0) throw new OlpmError("not-found", `${source.name} has no partition that could move.`, { hsc: "HSCL8012" });
    return 0;
  }
  return operation === "v" ? validate(requests, options, context) : migrate(requests, options, context);
}

async function validate(requests: readonly (MobilityRequest & { readonly lpar: LparView })[], options: Options, context: CommandContext): Promise<number> {
  let failed = 0;
  for (const request of requests) {
    const result = await context.mobility.validate(request, context.signal);
    if (options.has("--json")) context.io.stdout(`${JSON.stringify(result)}\n`);
    printFindings(result.findings, request.lpar, requests.length > 1, options, context.io);
    printNotes(result.notes ?? [], options, context.io);
    if (result.findings.some((finding) => finding.severity === "error")) failed++;
  }
  return requests.length === 1 ? failed : failed === 0 ? 0 : failed === requests.length ? 66 : 65;
}

async function migrate(requests: readonly (MobilityRequest & { readonly lpar: LparView })[], options: Options, context: CommandContext): Promise<number> {
  const { source, destination } = requests[0]!;
  const several = requests.length > 1;
  const watched = options.has("-v") || context.io.tty !== null;
  const printer = new ProgressPrinter(context.io);
  const steps = new StepPrinter(context.io, Number(options.get("--steps") ?? 0));
  const work = (lpar: LparView, begun: () => void): Promise<MigrationResult> => {
    const request = requests.find((one) => one.lpar === lpar)!;
    return context.mobility.migrate(request, {
      signal: options.has("--async") ? NEVER : context.signal,
      onProgress: (record) => {
        begun();
        if (options.has("--async")) return;
        steps.show(record);
        if (!options.has("--json")) printer.tell(record);
        if (watched) printer.show(record);
      },
    });
  };
  if (options.has("--async")) return begin(requests, work, options, context);
  const report = ({ lpar, result }: Moved) => {
    printer.close();
    steps.end(result.record);
    printFindings(result.findings, lpar, several, options, context.io);
    printNotes(result.notes ?? [], options, context.io);
    if (options.has("-v")) context.io.stdout(`${summary(lpar, result)}\n`);
    if (options.has("--json") && result.record) context.io.stdout(`${JSON.stringify(result.record)}\n`);
  };
  if (!several) {
    const [{ lpar }] = requests as readonly [MobilityRequest & { readonly lpar: LparView }];
    const result = await work(lpar, () => undefined).finally(() => printer.close());
    report({ lpar, result });
    return result.ok ? 0 : 1;
  }
  const moved = await moveAll(requests.map((one) => one.lpar), { source, destination, migrate: work, onEnded: report, signal: context.signal });
  // Who must look at what did not move gets one list of everything at the end.
  if (moved.some(({ result }) => !result.ok)) context.io.stderr(moved.map(({ lpar, result }) => `${summary(lpar, result)}\n`).join(""));
  return exitStatus(moved);
}

/** Prints nothing on success; otherwise why, and what each of the two systems says (hmc-cli 2.12). */
async function recover(system: ManagedSystem, lpar: LparView, options: Options, context: CommandContext): Promise<number> {
  const { ok, findings } = await context.mobility.recover(system, lpar.lparId, { force: options.has("--force"), signal: context.signal });
  printFindings(findings, lpar, false, options, context.io);
  return ok ? 0 : 1;
}

const NEVER = new AbortController().signal;

/** --async: each partition until it has begun or failed; the console goes on with them. */
async function begin(requests: readonly (MobilityRequest & { readonly lpar: LparView })[], work: (lpar: LparView, begun: () => void) => Promise<MigrationResult>, options: Options, context: CommandContext): Promise<number> {
  const moved: Moved[] = [];
  for (const { lpar } of requests) {
    let begun!: () => void;
    const began = new Promise<null>((resolve) => (begun = () => resolve(null)));
    const running = work(lpar, begun);
    running.catch((error: unknown) => context.log.warn({ err: error, lpar: lpar.definition.name }, "a migration that nobody waits for failed"));
    const result = await Promise.race([began, running]);
    if (result === null) continue;
    printFindings(result.findings, lpar, requests.length > 1, options, context.io);
    if (!result.ok) moved.push({ lpar, result });
  }
  if (moved.length === 0) return 0;
  return requests.length === 1 ? 1 : moved.every(isNothingMoved) ? (moved.length === requests.length ? 66 : 65) : 67;
}

/** The partitions that -p, --id or --all name. @throws OlpmError invalid-argument; not-found HSCL8012 */
function partitions(options: Options, context: CommandContext, source: ManagedSystem): readonly LparView[] {
  const given = ["-p", "--id", "--all"].filter((name) => options.has(name));
  if (given.length > 1) throw new OlpmError("invalid-argument", `The parameters ${given.join(" and ")} exclude each other. Please check your entry and retry the command.`);
  if (given.length === 0) throw missingParameter("-p");
  if (options.has("--all")) return source.lpars().filter((lpar) => whyStays(lpar) === null);
  const words = splitList(options.get("-p") ?? options.get("--id") ?? "").filter((word) => word !== "");
  if (words.length === 0) throw missingParameter(given[0]!);
  const found = words.map((word) => context.inventory.lpar(source, options.has("-p") ? { name: word } : { lparId: idOf(word) }));
  return found.filter((lpar, at) => found.findIndex((other) => other.lparId === lpar.lparId) === at);
}
function idOf(word: string): number {
  if (!/^[1-9]\d{0,4}$/.test(word)) throw missingParameter("--id");
  return Number(word);
}
function one(options: Options, context: CommandContext, source: ManagedSystem): LparView {
  const [lpar, ...others] = partitions(options, context, source);
  if (others.length > 0) throw new OlpmError("invalid-argument", "This operation takes one partition. Please check your entry and retry the command.");
  return lpar!;
}

/** Why --all leaves a partition where it is; null: it moves. A Virtual I/O Server is none of them. */
function whyStays(lpar: LparView): string | null {
  const { definition, state } = lpar;
  if (definition.environment === "vioserver") return "";
  if (definition.settings.migrationDisabled) return "migration is disabled for it";
  if (lparCan("migrateActive", state)) return null;
  if (!lparCan("migrateInactive", state)) return `it is ${state}`;
  return definition.currentProfile === null ? "it was never activated" : null;
}
/** Names those that stay; gives their number. */
function staying(source: ManagedSystem, options: Options, context: CommandContext): number {
  const stay = source.lpars().flatMap((lpar) => (whyStays(lpar) ? [`${lpar.definition.name} stays on ${source.name}: ${whyStays(lpar)}.`] : []));
  if (!options.has("--nodetails")) for (const line of stay) context.io.stderr(`${line}\n`);
  return stay.length;
}

async function set(options: Options, context: CommandContext): Promise<number> {
  const stray = [...FOR_MOVES, "--force"].find((name) => options.has(name));
  if (stray !== undefined) throw invalidParameter(stray);
  if (!options.has("-r")) throw missingParameter("-r");
  if (!options.has("-i") && !options.has("-f")) throw missingParameter("-i");
  const items = parseRecord(await inputData(options, context.io.input()));
  const how = { signal: context.signal };
  if (options.get("-r") === "sys") {
    const named = ["-p", "--id"].find((name) => options.has(name));
    if (named !== undefined) throw invalidParameter(named);
    checkRecord(items, SET_SYSTEM_RECORD);
    const policy = valueOf(items, "inactive_prof_policy");
    if (policy === undefined) throw missingParameter("-i");
    if (policy !== "prof" && policy !== "config") throw invalidValue("inactive_prof_policy", policy, "prof or config");
    const systems = options.has("-m") ? [systemOf(options, context)] : context.inventory.systems();
    for (const system of systems) await system.client.call("migration.set", { inactiveProfPolicy: policy }, how);
    return 0;
  }
  if (!options.has("-m")) throw missingParameter("-m");
  const system = systemOf(options, context);
  const lpar = one(options, context, system);
  checkRecord(items, SET_LPAR_RECORD);
  perfLevel(valueOf(items, "concurr_migration_perf_level"));
  const configured = valueOf(items, "num_active_migrations_configured");
  if (items.length === 0) throw missingParameter("-i");
  if (configured === undefined) return 0;
  await system.client.call("migration.set", { mover: { lparId: lpar.lparId, configured: lparId("num_active_migrations_configured", configured) } }, how);
  return 0;
}
