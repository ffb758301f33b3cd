/** `chhwres -r proc`: processors, processing units and sharing of partitions, changed while they run (hmc-cli 6.9). */
import type { LparView } from "../../model/lpar.js";
import { textToUnits } from "../../model/units.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { checkRecord, invalidValue, taken, type RecordAttribute } from "../grammar/attribute-table.js";
import { missingParameter } from "../grammar/options.js";
import { parseRecord, valueOf } from "../grammar/record.js";
import type { Options } from "./command.js";
import { finished, OPERATIONS, resize, resizeTarget, SHARING_MODES, type Change } from "./chhwres-resize.js";
import { freshSystem, lparOf } from "./targets.js";

export const PROCESSOR_FORMS = [
  "chhwres -r proc -m managed-system -o {a | r | s} {-p partition-name | --id partition-ID} [--procs number] [--procunits units] [-w minutes] [-d detail-level] [--force]",
  "chhwres -r proc -m managed-system -o m {-p partition-name | --id partition-ID} {-t target-partition | --tid target-ID} [--procs number] [--procunits units] [-w minutes] [--force]",
  'chhwres -r proc -m managed-system -o s {-p partition-name | --id partition-ID} -a "sharing_mode=mode,uncap_weight=0 to 255"',
];
const ATTRIBUTES: readonly RecordAttribute[] = [
  { name: "sharing_mode", help: `${SHARING_MODES.join(", ")}: the first two of shared, the others of dedicated processors` },
  { name: "uncap_weight", help: "0 to 255, of uncapped partitions" },
  { name: "shared_proc_pool_name", help: "", only: { values: ["DefaultPool"], reason: "there is one shared processor pool" } },
  { name: "shared_proc_pool_id", help: "", only: { values: ["0"], reason: "there is one shared processor pool" } },
];
export const PROCESSOR_RECORDS = [taken("chhwres -r proc -o s -a", ATTRIBUTES)];

export async function changeProcessors(options: Options, context: CommandContext): Promise<number> {
  const system = await freshSystem(options, context);
  const lpar = lparOf(options, context, system);
  const operation = options.get("-o")!;
  if (operation === "s" && options.has("-a")) return finished(await resize(options, context, system, lpar, { sharing: sharing(options.get("-a")!) }), options, context);
  const [procs, units] = [options.number("--procs") ?? null, unitsOf(options)];
  if (procs === null && units === null) throw missingParameter(lpar.definition.current?.proc.mode === "shared" ? "--procunits" : "--procs");
  if (operation === "m") return move(options, context, system, lpar, { procs, units });
  const how = OPERATIONS[operation];
  if (how === undefined) throw missingParameter("-o");
  return finished(await resize(options, context, system, lpar, { proc: { operation: how, procs, units } }), options, context);
}

async function move(options: Options, context: CommandContext, system: ManagedSystem, from: LparView, amount: { readonly procs: number | null; readonly units: number | null }): Promise<number> {
  const to = resizeTarget(options, context, system, from);
  const before = from.definition.current?.proc;
  const taken = await resize(options, context, system, from, { proc: { operation: "remove", ...amount } });
  // A partition with dedicated processors has none of its own units to give; its processors are the unit.
  const procs = amount.procs === null ? null : (before?.desiredProcs ?? 0) - taken.procs;
  const units = amount.units === null ? null : (before?.desiredUnits ?? 0) - taken.units;
  if ((procs ?? 0) <= 0 && (units ?? 0) <= 0) return finished(taken, options, context);
  const moved = { operation: "add" as const, procs: procs === 0 ? null : procs, units: units === 0 ? null : units };
  const given = await resize(options, context, system, to, { proc: moved }).catch(async (error: unknown) => {
    await resize(options, context, system, from, { proc: moved });
    throw error;
  });
  return finished({ ...given, refusal: [taken.refusal, given.refusal].filter((one) => one !== null).join("\n") || null }, options, context);
}

function unitsOf(options: Options): number | null {
  const text = options.get("--procunits");
  if (text === undefined) return null;
  const units = textToUnits(text);
  if (units === undefined || units === 0) throw missingParameter("--procunits");
  return units;
}

function sharing(text: string): NonNullable<Change["sharing"]> {
  const items = parseRecord(text);
  checkRecord(items, ATTRIBUTES);
  const [mode, weight] = [valueOf(items, "sharing_mode"), valueOf(items, "uncap_weight")];
  const known = SHARING_MODES.find((one) => one === mode);
  if (mode !== undefined && known === undefined) throw invalidValue("sharing_mode", mode, SHARING_MODES.join(", "));
  if (weight !== undefined && !(/^\d{1,3}$/.test(weight) && Number(weight) <= 255)) throw invalidValue("uncap_weight", weight, "0 to 255");
  return { mode: known ?? null, weight: weight === undefined ? null : Number(weight) };
}
