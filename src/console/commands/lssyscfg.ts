/** `lssyscfg`: managed systems, partitions and profiles as their systems say them now (hmc-cli 4.1 to 4.5). */
import { LPAR_ATTRIBUTES } from "../attributes/lpar.js";
import { PROFILE_ATTRIBUTES } from "../attributes/profile.js";
import { SYSTEM_PROFILE_ATTRIBUTES } from "../attributes/sysprof.js";
import { SYSTEM_ATTRIBUTES } from "../attributes/system.js";
import { OlpmError } from "../../kit/errors.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { list, NOTHING, type Listing } from "../grammar/list-output.js";
import { invalidParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { filteredLpars, freshSystem, freshSystems, LISTING_OPTIONS, SYSTEM_OPTION } from "./targets.js";

/** How a listing is printed. @throws OlpmError invalid-argument for --header without -F */
export function listing(options: Options): Listing {
  if (options.has("--header") && !options.has("-F")) throw invalidParameter("--header");
  return { hasFields: options.has("-F"), fields: options.get("-F"), header: options.has("--header") };
}

export const lssyscfg: Command = {
  name: "lssyscfg",
  summary: "lists managed systems, partitions, profiles and system profiles",
  synopsis: ["lssyscfg -r {lpar | prof | sys | sysprof | cage | frame} [-m managed-system | -e managed-frame] [--osrefresh] [--filter filter-data] [-F [attribute-names] [--header]]"],
  options: [
    { name: "-r", argument: "resource", help: "what to list", required: true, values: ["lpar", "prof", "sys", "sysprof", "cage", "frame"] },
    { ...SYSTEM_OPTION, required: false, help: `${SYSTEM_OPTION.help}; needed except for -r sys, which lists all systems without it` },
    { name: "-e", argument: "managed-frame", help: "a frame; there are none, so nothing is listed" },
    { name: "--osrefresh", argument: null, help: "asks the operating systems again; what they say is always fresh here", withoutEffect: true },
    { name: "--lastvalidcfg", argument: null, help: "the last valid configuration", refused: "the managed system holds one configuration, which is the valid one" },
    ...LISTING_OPTIONS,
  ],
  details: ['Filters: lpar_names, lpar_ids, work_groups (lpar); lpar_names, lpar_ids, profile_names (prof); profile_names (sysprof).', "Frames and cages do not exist, so that -r frame and -r cage list nothing.", "Examples:\nlssyscfg -r sys -F name,state\nlssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state,rmc_state"],
  attributes: [printed("lssyscfg -r sys", SYSTEM_ATTRIBUTES), printed("lssyscfg -r lpar", LPAR_ATTRIBUTES), printed("lssyscfg -r prof", PROFILE_ATTRIBUTES), printed("lssyscfg -r sysprof", SYSTEM_PROFILE_ATTRIBUTES)],
  run: async (options, context) => {
    context.io.stdout(await text(options, context));
    return 0;
  },
};

async function text(options: Options, context: CommandContext): Promise<string> {
  const how = listing(options);
  const resource = options.get("-r");
  if (resource === "sys") {
    parseFilter(options.get("--filter"), []);
    return list(SYSTEM_ATTRIBUTES, await freshSystems(options, context), how);
  }
  if (resource === "frame" || resource === "cage") {
    parseFilter(options.get("--filter"), []);
    return NOTHING;
  }
  if (options.has("-e")) throw invalidParameter("-e");
  const system = await freshSystem(options, context);
  if (resource === "sysprof") {
    const wanted = parseFilter(options.get("--filter"), ["profile_names"]).get("profile_names");
    const { profiles } = await system.client.call("sysprof.list", {}, { signal: context.signal });
    const absent = wanted?.find((name) => !profiles.some((one) => one.name === name));
    if (absent !== undefined) throw new OlpmError("not-found", `The system profile ${absent} was not found.`, { hsc: "HSCL8016" });
    return list(SYSTEM_PROFILE_ATTRIBUTES, profiles.filter((one) => !wanted || wanted.includes(one.name)), how);
  }
  if (resource === "lpar") {
    const filters = parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids", "work_groups"]);
    // No partition is in a work group; `none` names those that are in none, which are all.
    if (filters.get("work_groups")?.length) return NOTHING;
    return list(LPAR_ATTRIBUTES, filteredLpars(filters, context, system).map((lpar) => ({ lpar, system: viewOf(system) })), how);
  }
  const filters = parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids", "profile_names"]);
  const names = filters.get("profile_names");
  const nameOf = (lparId: number) => system.lpars().find((one) => one.lparId === lparId)?.definition.name;
  const profiles = filteredLpars(filters, context, system).flatMap((lpar) => lpar.definition.profiles.filter((profile) => !names || names.includes(profile.name)).map((profile) => ({ profile, lpar, nameOf })));
  const missing = names?.find((name) => !profiles.some((one) => one.profile.name === name));
  if (missing !== undefined) throw new OlpmError("not-found", `The profile named ${missing} was not found.`, { hsc: "HSCL8016" });
  return list(PROFILE_ATTRIBUTES, profiles, how);
}

/** @throws OlpmError peer-lost HSCL0237 */
export function viewOf(system: ManagedSystem): NonNullable<ManagedSystem["view"]> {
  if (system.view === null) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237" });
  return system.view;
}
