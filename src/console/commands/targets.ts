/** The objects that a command names: systems by -m, partitions by name or ID, and the filters of listings. */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { SystemView } from "../../model/system.js";
import { SYSTEM_STATE_TEXT } from "../attributes/names.js";
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

export const REMOTE_CONSOLE: OptionSpec = { name: "--ip", argument: "target-console", help: "a console that manages the target; there is no trust with other consoles, so HSCL3653 is the answer" };
export const REMOTE_USER: OptionSpec = { name: "-u", argument: "user", help: "the user on that console" };

/** No other console is trusted: the answer is that of a console whose keys were not exchanged, by which clients know what is missing. @throws OlpmError not-authorised HSCL3653 */
export function refuseRemote(options: Options, { user }: CommandContext): void {
  if (options.has("--ip"))
    throw new OlpmError("not-authorised", `The Secure Shell (SSH) communication configuration between the source and destination management consoles has not been set up properly for the remote user ${options.get("-u") ?? user}. Run the mkauthkeys command to set up the SSH communication authentication keys`, { hsc: "HSCL3653" });
}

/** @throws OlpmError not-found HSCL8018 */
export const systemOf = (options: Options, context: CommandContext, name = "-m"): ManagedSystem => context.inventory.system(options.get(name) ?? "");

const wrongState = (system: ManagedSystem, state: SystemView["state"]) => new OlpmError("wrong-state", `The managed system ${system.name} is in the ${SYSTEM_STATE_TEXT[state]} state. It must be in the Standby or Operating state for this operation.`);

/**
 * The system of -m with what it says itself now, past the cache: what was answered before is listed after it.
 * @throws OlpmError not-found HSCL8018; peer-lost HSCL0237; wrong-state when it is off
 */
export async function freshSystem(options: Options, context: CommandContext): Promise<ManagedSystem> {
  if (!options.has("-m")) throw missingParameter("-m");
  const system = systemOf(options, context);
  await system.refresh(context.signal);
  const state = system.view?.state;
  if (state === "power-off" || state === "error") throw wrongState(system, state);
  return system;
}

/** The system of -m, or all; one that can not be reached is listed as it is known. @throws OlpmError not-found HSCL8018 */
export async function freshSystems(options: Options, context: CommandContext): Promise<readonly ManagedSystem[]> {
  const systems = options.has("-m") ? [systemOf(options, context)] : context.inventory.systems();
  await Promise.allSettled(systems.filter((system) => system.connected).map((system) => system.refresh(context.signal)));
  context.signal.throwIfAborted();
  return systems;
}

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
  if (names) return [...new Set(names)].map((name) => context.inventory.lpar(system, { name })).sort((a, b) => a.lparId - b.lparId);
  if (ids) {
    const wrong = ids.find((text) => !/^\d{1,5}$/.test(text));
    if (wrong !== undefined) throw new OlpmError("invalid-argument", `${wrong} is no partition ID. Please check your entry and retry the command.`);
    return [...new Set(ids.map(Number))].sort((a, b) => a - b).map((lparId) => context.inventory.lpar(system, { lparId }));
  }
  return system.lpars();
}
