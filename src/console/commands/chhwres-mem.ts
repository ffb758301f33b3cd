/** `chhwres -r mem`: memory of partitions, added, removed, set or moved while they run (hmc-cli 6.9). */
import { OlpmError } from "../../kit/errors.js";
import { bytesToMb, mbToBytes } from "../../model/units.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { checkRecord, taken, type RecordAttribute } from "../grammar/attribute-table.js";
import { missingParameter } from "../grammar/options.js";
import { parseRecord } from "../grammar/record.js";
import type { Options } from "./command.js";
import { finished, OPERATIONS, resize, resizeTarget } from "./chhwres-resize.js";
import { freshSystem, lparOf } from "./targets.js";

export const MEMORY_FORMS = [
  "chhwres -r mem -m managed-system -o {a | r | s} {-p partition-name | --id partition-ID} -q quantity [-w minutes] [-d detail-level] [--force]",
  "chhwres -r mem -m managed-system -o m {-p partition-name | --id partition-ID} {-t target-partition | --tid target-ID} -q quantity [-w minutes] [-d detail-level] [--force]",
];
const SHARED = "partitions have memory of their own here, no shared memory";
/** Of a partition with -p or --id, of the managed system without. */
const LPAR_ATTRIBUTES: readonly RecordAttribute[] = ["io_entitled_mem", "auto_io_entitled_mem", "mem_weight", "mem_expansion", "reset_max_io_entitled_mem_usage", "primary_paging_vios_name", "secondary_paging_vios_name"].map((name) => ({ name, help: "", refused: SHARED }));
const SYSTEM_ATTRIBUTES: readonly RecordAttribute[] = [
  { name: "pend_mem_region_size", help: "MB", only: { values: ["256"], reason: "the hypervisor's memory blocks have this size" } },
  { name: "requested_num_sys_huge_pages", help: "number", only: { values: ["0"], reason: "there are no huge pages to give out" } },
  { name: "mem_mirroring_mode", help: "", only: { values: ["none"], reason: "the host's memory is not mirrored by the hypervisor" } },
];
export const MEMORY_RECORDS = [taken("chhwres -r mem -o s -a (partition)", LPAR_ATTRIBUTES), taken("chhwres -r mem -o s -a (managed system)", SYSTEM_ATTRIBUTES)];

export async function changeMemory(options: Options, context: CommandContext): Promise<number> {
  const system = await freshSystem(options, context);
  const operation = options.get("-o")!;
  if (operation === "s" && options.has("-a")) {
    const ofSystem = !options.has("-p") && !options.has("--id");
    if (!ofSystem) lparOf(options, context, system);
    checkRecord(parseRecord(options.get("-a")!), ofSystem ? SYSTEM_ATTRIBUTES : LPAR_ATTRIBUTES);
    return 0; // what can be set has its value already
  }
  const lpar = lparOf(options, context, system);
  const quantity = options.number("-q");
  if (quantity === undefined) throw missingParameter("-q");
  if (operation === "m") return move(options, context, system, lpar, mbToBytes(quantity));
  const how = OPERATIONS[operation];
  if (how === undefined) throw missingParameter("-o");
  return finished(await resize(options, context, system, lpar, { memory: { operation: how, bytes: mbToBytes(quantity) } }), options, context);
}

/** What the first partition's operating system gives is what the other one gets. */
async function move(options: Options, context: CommandContext, system: ManagedSystem, from: LparView, bytes: number): Promise<number> {
  const to = resizeTarget(options, context, system, from);
  const [has, gets] = [from.definition.current?.memory.desiredBytes ?? 0, to.definition.current];
  if (gets && gets.memory.desiredBytes + bytes > gets.memory.maxBytes)
    throw new OlpmError("invalid-argument", `The memory would be ${bytesToMb(gets.memory.desiredBytes + bytes)} MB, above the maximum of ${bytesToMb(gets.memory.maxBytes)} MB of partition ${to.definition.name}.`, { hsc: "OLPM-L02" });
  const taken = await resize(options, context, system, from, { memory: { operation: "remove", bytes } });
  const moved = has - taken.memoryBytes;
  if (moved <= 0) return finished(taken, options, context);
  const given = await resize(options, context, system, to, { memory: { operation: "add", bytes: moved } }).catch(async (error: unknown) => {
    await resize(options, context, system, from, { memory: { operation: "add", bytes: moved } });
    throw error;
  });
  return finished({ ...given, refusal: [taken.refusal, given.refusal].filter((one) => one !== null).join("\n") || null }, options, context);
}
