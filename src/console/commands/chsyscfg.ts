import { OlpmError } from "../../kit/errors.js";
import { LPAR_CHANGE_RECORD, settingsOf } from "../attributes/lpar-record.js";
import { PROFILE_RECORD, profileFromRecord } from "../attributes/profile-record.js";
import { membersOf, SYSTEM_PROFILE_CHANGE } from "../attributes/sysprof.js";
import { startPolicyOf, SYSTEM_RECORD } from "../attributes/system-record.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { checkRecord, invalidValue, taken, type RecordAttribute } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { valueOf, type RecordItem } from "../grammar/record.js";
import type { Command } from "./command.js";
import { checkPartitionOf, FILE_OPTION, lookup, lparName, lparOfRecord, PROFILE_KEYS, profileName, record } from "./mksyscfg.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

const CHANGE_PROFILE: readonly RecordAttribute[] = [...PROFILE_KEYS, { name: "new_name", help: "renames it" }, ...PROFILE_RECORD];

/** hmc-cli 4.7. */
export const chsyscfg: Command = {
  name: "chsyscfg",
  summary: "changes partitions, profiles, system profiles and managed systems",
  synopsis: ['chsyscfg -r {lpar | prof | sys | sysprof} -m managed-system -i "attributes" [--force]', "chsyscfg -r lpar -m managed-system -o apply {-p partition-name | --id partition-ID} -n profile-name"],
  options: [
    { name: "-r", argument: "resource", help: "what to change", required: true, values: ["lpar", "prof", "sys", "sysprof"], refusedValues: { frame: "there are no frames" } },
    SYSTEM_OPTION,
    { name: "-i", argument: "attributes", help: 'attribute record "name=value,..."; lists also by += and -=' },
    FILE_OPTION,
    { name: "-o", argument: "operation", help: "apply makes a profile the configuration of a partition that is not activated", values: ["apply"] },
    ...LPAR_OPTIONS,
    { name: "-n", argument: "profile-name", help: "the profile to apply" },
    { name: "-e", argument: "managed-frame", help: "a frame", refused: "there are no frames" },
    { name: "--force", argument: null, help: "accepted for scripts", withoutEffect: true },
  ],
  details: ["A profile changes what the next activation with it gives; a running partition is changed with chhwres. With sync_curr_profile=1 the profile that the partition was last activated with follows such changes.", 'Examples:\nchsyscfg -r lpar -m ms01 -i "name=db01,description=orders"\nchsyscfg -r prof -m ms01 -i "name=normal,lpar_name=db01,virtual_eth_adapters+=7/0/1//0/0"\nchsyscfg -r lpar -m ms01 -o apply -p batch02 -n big\nchsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=userinit\nchsyscfg -r sysprof -m ms01 -i "name=night,lpar_names-=db01"'],
  attributes: [taken("chsyscfg -r lpar", LPAR_CHANGE_RECORD), taken("chsyscfg -r prof", CHANGE_PROFILE), taken("chsyscfg -r sys", SYSTEM_RECORD), taken("chsyscfg -r sysprof", SYSTEM_PROFILE_CHANGE)],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const how = { signal: context.signal };
    const stray = (options.has("-o") ? ["-i"] : ["-p", "--id", "-n"]).find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    if (options.has("-o")) {
      if (options.get("-r") !== "lpar") throw invalidParameter("-o");
      if (!options.has("-n")) throw missingParameter("-n");
      await system.client.call("profile.apply", { lparId: lparOf(options, context, system).lparId, name: profileName(options.get("-n")!) }, how);
      return 0;
    }
    const resource = options.get("-r");
    const items = record(options);
    if (resource === "sys") return changeSystem(items, context, system);
    if (resource === "sysprof") return changeSystemProfile(items, context, system);
    if (resource === "lpar") {
      const lpar = lparOfRecord(items, context, system, { name: "name", id: "lpar_id" });
      checkRecord(items, LPAR_CHANGE_RECORD);
      const settings = settingsOf(items);
      const newName = valueOf(items, "new_name");
      const profile = valueOf(items, "profile_name") ?? valueOf(items, "default_profile");
      await system.client.call("lpar.modify", { lparId: lpar.lparId, ...(newName === undefined ? {} : { newName: lparName(newName) }), ...(profile === undefined ? {} : { defaultProfile: profileName(profile) }), settings }, how);
      return 0;
    }
    const lpar = lparOfRecord(items, context, system);
    checkRecord(items, CHANGE_PROFILE);
    checkPartitionOf(items, lpar);
    const name = valueOf(items, "name");
    const base = lpar.definition.profiles.find((one) => one.name === name);
    if (!base) throw new OlpmError("not-found", `The profile ${name ?? "(no name)"} of partition ${lpar.definition.name} was not found.`, { hsc: "HSCL8016" });
    const newName = valueOf(items, "new_name");
    const resources = profileFromRecord(items, { lookupVios: lookup(system), base: base.resources });
    await system.client.call("profile.put", { lparId: lpar.lparId, profile: { name: base.name, resources }, ...(newName === undefined ? {} : { newName: profileName(newName) }), mustExist: true, mayReplace: true }, how);
    return 0;
  },
};

async function changeSystem(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  checkRecord(items, SYSTEM_RECORD);
  const name = valueOf(items, "name");
  if (name !== undefined && name !== system.name) throw invalidValue("name", name, `-m names ${system.name}`);
  const startPolicy = startPolicyOf(items);
  if (startPolicy !== undefined) await system.client.call("system.configure", { startPolicy }, { signal: context.signal });
  return 0;
}

async function changeSystemProfile(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  checkRecord(items, SYSTEM_PROFILE_CHANGE);
  const how = { signal: context.signal };
  const [name, newName] = [valueOf(items, "name"), valueOf(items, "new_name")];
  if (name === undefined) throw new OlpmError("invalid-argument", "The configuration data lacks the attribute name.", { hsc: "HSCL0622" });
  const found = (await system.client.call("sysprof.list", {}, how)).profiles.find((one) => one.name === name);
  if (!found) throw new OlpmError("not-found", `The system profile ${name} was not found.`, { hsc: "HSCL8016" });
  const members = membersOf(items, found.members.map(({ lparId, profile }) => ({ lparId, profile })), (by) => context.inventory.lpar(system, by));
  await system.client.call("sysprof.put", { name, ...(newName === undefined ? {} : { newName: profileName(newName) }), members, mustExist: true }, how);
  return 0;
}
