/** The objects that a command names: systems by -m, partitions by name or ID, and the filters of listings. */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { missingParameter } from "../grammar/options.js";
import type { Options, OptionSpec } from "./command.js";

export const SYSTEM_OPTION: OptionSpec = { name: "-m", argument: "managed-system", help: "the managed system, by name or as tttt-mmm*sssssss", required: true };
export const LPAR_OPTIONS: readonly OptionSpec[] = [
  { name: "-p", argument: "partition-name", help: "the partition, by name" },
  { name: "--id", argument: "partition-ID", help: "the partition, by ID", number: { min: 1, max: 65534 } },
];
export const LISTING_OPTIONS: readonly OptionSpec[] = [
  { name: "--filter", argument: "filter-data", help: 'only objects that match, "name=value,..." ; a name with several values in quotation marks' },
  { name: "-F", argument: "attribute-names", help: "only these attributes, without names, with the delimiter that stands between them here; all when no list is given", argumentOptional: true },
  { name: "--header", argument: null, help: "a first line with the attribute names; only with -F" },
];

/** @throws OlpmError not-found HSCL8018 */
export const systemOf = (options: Options, context: CommandContext, name = "-m"): ManagedSystem => context.inventory.system(options.get(name) ?? "");

/** @throws OlpmError invalid-argument unless exactly one of name and ID is given; not-found HSCL8012 */
export function lparOf(options: Options, context: CommandContext, system: ManagedSystem, names: { readonly name: string; readonly id: string } = { name: "-p", id: "--id" }): LparView {
  const [name, id] = [options.get(names.name), options.number(names.id)];
  if (name !== undefined && id !== undefined) throw new OlpmError("invalid-argument", `The parameters ${names.name} and ${names.id} exclude each other. Please check your entry and retry the command.`);
  if (name !== undefined) return context.inventory.lpar(system, { name });
  if (id !== undefined) return context.inventory.lpar(system, { lparId: id });
  throw missingParameter(names.name);
}

/** Partitions that the filters `lpar_names` and `lpar_ids` name, all without them. A name that is not there is an error (hmc-cli 1.5). */
export function filteredLpars(filters: ReadonlyMap<string, readonly string[]>, context: CommandContext, system: ManagedSystem): readonly LparView[] {
  const [names, ids] = [filters.get("lpar_names"), filters.get("lpar_ids")];
  if (names && ids) throw new OlpmError("invalid-argument", "The filters lpar_names and lpar_ids exclude each other. Please check your entry and retry the command.");
  if (names) return names.map((name) => context.inventory.lpar(system, { name })).sort((a, b) => a.lparId - b.lparId);
  if (ids) {
    return ids.map((text) => {
      if (!/^\d{1,5}$/.test(text)) throw new OlpmError("invalid-argument", `${text} is no partition ID. Please check your entry and retry the command.`);
      return context.inventory.lpar(system, { lparId: Number(text) });
    });
  }
  if (!system.connected && system.view === null) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237" });
  return system.lpars();
}
