/**
 * What can be known of mobility before and while partitions move (hmc-cli section 3). The state of a running migration comes from the records of the managed
 * systems, so any console shows it, and asking does not wait for the migration.
 */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { MigrationRecord } from "../../model/migration.js";
import { MIGRATION_HISTORY, MIGRATION_LPAR, MOVERS, MOVER_PAIRS, PROCESSOR_POOLS, SCSI_MAPPINGS, SYSTEM_MOBILITY, type MoverObject, type MoverPairs } from "../attributes/migration.js";
import { SYSTEM_MIGRATION } from "../attributes/system.js";
import type { CommandContext, ManagedSystem, ValidationResult } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { list, NOTHING } from "../grammar/list-output.js";
import { missingParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { listing } from "./lssyscfg.js";
import { filteredLpars, freshSystem, freshSystems, LISTING_OPTIONS, LPAR_OPTIONS, lparOf, refuseRemote, REMOTE_CONSOLE, REMOTE_USER, SYSTEM_OPTION } from "./targets.js";

export const lslparmigr: Command = {
  name: "lslparmigr",
  summary: "lists partition mobility information",
  synopsis: [
    "lslparmigr -r sys [-m managed-system] [-F [attribute-names] [--header]]",
    "lslparmigr -r lpar -m managed-system [--filter filter-data] [-F [attribute-names] [--header]]",
    "lslparmigr -r {msp | procpool | virtualio} -m managed-system -t target-managed-system --filter filter-data [-F [attribute-names] [--header]]",
    "lslparmigr -r msp -m managed-system [-F [attribute-names] [--header]]",
    "lslparmigr -r history -m managed-system [--filter filter-data] [-F [attribute-names] [--header]]",
    "lslparmigr -r manager [-F [attribute-names] [--header]]",
  ],
  options: [
    { name: "-r", argument: "resource", help: "what to list", required: true, values: ["history", "lpar", "manager", "mempool", "msp", "pgdev", "procpool", "sriov", "sys", "virtualio"] },
    { ...SYSTEM_OPTION, required: false, help: `${SYSTEM_OPTION.help}; needed except for -r sys and -r manager` },
    { name: "-t", argument: "target-managed-system", help: "the managed system that a partition would move to, by name or as tttt-mmm*sssssss" },
    REMOTE_CONSOLE,
    REMOTE_USER,
    { name: "--redundantpgvios", argument: "0|1|2", help: "redundancy of paging devices", withoutEffect: true },
    ...LPAR_OPTIONS,
    ...LISTING_OPTIONS,
  ],
  details: [
    "Filters: lpar_names, lpar_ids. With -t the filter (or -p or --id) names exactly one partition, and the two managed systems, and their Virtual I/O Servers are asked as for a validation; the operating system is not.",
    "-r lpar shows migration_state while a partition moves, from both systems; the attributes openlpm_migration_id, openlpm_phase, openlpm_rate (bytes a second), openlpm_rounds, openlpm_ms_remaining and openlpm_take_over (why the second pair of movers took over) are printed when -F names them. redundant_source_msp_... and redundant_dest_msp_... are the second pair; after a take-over, the one that was lost.",
    "-r history (ours) lists the migrations from this managed system that have ended, with what validation predicted beside what was: times in milliseconds, ranges as least-most.",
    "-r mempool, -r pgdev and -r sriov list nothing: there is no shared memory pool and no SR-IOV adapter.",
    "Examples:\nlslparmigr -r lpar -m ms01 -F name,migration_state,bytes_transmitted,bytes_remaining\nlslparmigr -r virtualio -m ms01 -t ms02 --filter lpar_names=db01",
  ],
  attributes: [
    printed("lslparmigr -r sys", SYSTEM_MIGRATION),
    printed("lslparmigr -r lpar", MIGRATION_LPAR),
    printed("lslparmigr -r history", MIGRATION_HISTORY),
    printed("lslparmigr -r manager", SYSTEM_MOBILITY),
    printed("lslparmigr -r msp", MOVERS),
    printed("lslparmigr -r msp -t", MOVER_PAIRS),
    printed("lslparmigr -r procpool", PROCESSOR_POOLS),
    printed("lslparmigr -r virtualio", SCSI_MAPPINGS),
  ],
  run: async (options, context) => {
    context.io.stdout(await text(options, context));
    return 0;
  },
};

async function text(options: Options, context: CommandContext): Promise<string> {
  const how = listing(options);
  refuseRemote(options, context);
  const resource = options.get("-r")!;
  if (resource === "manager") return list(SYSTEM_MOBILITY, [{ remoteCapable: false }], how);
  if (resource === "sys") return list(SYSTEM_MIGRATION, await freshSystems(options, context), how);
  const source = await freshSystem(options, context);
  if (resource === "lpar") return list(MIGRATION_LPAR, await migrating(source, partitions(options, context, source), context.signal), how);
  if (resource === "history") {
    const names = parseFilter(options.get("--filter"), ["lpar_names"]).get("lpar_names");
    const { records } = await source.client.call("migration.list", { history: true }, { signal: context.signal });
    return list(MIGRATION_HISTORY, records.filter((record) => record.endedAt !== null && record.role === "source" && (!names || names.includes(record.lparName))), how);
  }
  if (resource === "mempool" || resource === "pgdev" || resource === "sriov") return NOTHING;
  if (resource === "msp" && !options.has("-t")) return list(MOVERS, await movers(source, context.signal), how);
  if (!options.has("-t")) throw missingParameter("-t");
  const destination = context.inventory.system(options.get("-t")!);
  const [lpar, ...others] = partitions(options, context, source);
  if (!lpar || others.length > 0 || !(options.has("--filter") || options.has("-p") || options.has("--id"))) throw missingParameter("--filter");
  if (resource === "procpool") return list(PROCESSOR_POOLS, [{}], how);
  const found = await context.mobility.validate({ source, destination, lparId: lpar.lparId, options: { listing: true } }, context.signal);
  if (resource === "msp") return list(MOVER_PAIRS, pairsOf(found), how);
  return list(SCSI_MAPPINGS, [found], how);
}

/** The partitions that -p, --id or the filter names. @throws OlpmError invalid-argument; not-found HSCL8012 */
function partitions(options: Options, context: CommandContext, system: ManagedSystem): readonly LparView[] {
  const filters = parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids"]);
  const named = options.has("-p") || options.has("--id");
  if (named && filters.size > 0) throw new OlpmError("invalid-argument", `The parameters --filter and ${options.has("-p") ? "-p" : "--id"} exclude each other. Please check your entry and retry the command.`);
  return named ? [lparOf(options, context, system)] : filteredLpars(filters, context, system);
}

/** Each partition with its migration that is not over. Reading does not touch the migration. */
async function migrating(system: ManagedSystem, lpars: readonly LparView[], signal: AbortSignal) {
  const { records } = await system.client.call("migration.list", { history: false }, { signal });
  return lpars.map((lpar) => ({ lpar, record: records.find((record) => here(record).lparId === lpar.lparId) }));
}
const here = (record: MigrationRecord) => (record.role === "source" ? record.source : record.destination);

async function movers(system: ManagedSystem, signal: AbortSignal): Promise<MoverObject[]> {
  const { movers: limits } = await system.client.call("migration.movers", {}, { signal });
  return system.lpars().flatMap((lpar) => {
    const limit = limits.find((one) => one.lparId === lpar.lparId);
    return limit && lpar.runtime.vios?.roles.includes("msp") ? [{ lpar, ...limit }] : [];
  });
}

/** One line for each mover of the source, with all its partners. */
function pairsOf(found: ValidationResult): MoverPairs[] {
  const ids = [...new Set(found.possibleMsps.map((pair) => pair.sourceMspLparId))].sort((a, b) => a - b);
  return ids.map((id) => found.possibleMsps.filter((pair) => pair.sourceMspLparId === id));
}
