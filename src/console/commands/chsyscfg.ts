import { OlpmError } from "../../kit/errors.js";
import { LPAR_CHANGE_RECORD, settingsOf } from "../attributes/lpar-record.js";
import { PROFILE_RECORD, profileFromRecord } from "../attributes/profile-record.js";
import { checkRecord, taken } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { valueOf } from "../grammar/record.js";
import type { Command } from "./command.js";
import { checkPartitionOf, FILE_OPTION, lookup, lparName, lparOfRecord, PROFILE_KEYS, profileName, record } from "./mksyscfg.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

const CHANGE_PROFILE = [...PROFILE_KEYS, ...PROFILE_RECORD];

/** hmc-cli 4.7. */
export const chsyscfg: Command = {
  name: "chsyscfg",
  summary: "changes partitions and profiles",
  synopsis: ['chsyscfg -r {lpar | prof} -m managed-system -i "attributes" [--force]', "chsyscfg -r lpar -m managed-system -o apply {-p partition-name | --id partition-ID} -n profile-name"],
  options: [
    { name: "-r", argument: "resource", help: "what to change", required: true, values: ["lpar", "prof", "sys", "sysprof"] },
    SYSTEM_OPTION,
    { name: "-i", argument: "attributes", help: 'attribute record "name=value,..."; lists also by += and -=' },
    FILE_OPTION,
    { name: "-o", argument: "operation", help: "apply makes a profile the configuration of a partition that is not activated", values: ["apply"] },
    ...LPAR_OPTIONS,
    { name: "-n", argument: "profile-name", help: "the profile to apply" },
    { name: "--force", argument: null, help: "accepted for scripts", withoutEffect: true },
  ],
  details: ['Examples:\nchsyscfg -r lpar -m ms01 -i "name=db01,description=orders"\nchsyscfg -r prof -m ms01 -i "name=normal,lpar_name=db01,virtual_eth_adapters+=7/0/1//0/0"'],
  attributes: [taken("chsyscfg -r lpar", LPAR_CHANGE_RECORD), taken("chsyscfg -r prof", CHANGE_PROFILE)],
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
    if (resource === "sys" || resource === "sysprof") throw new OlpmError("unsupported", "The attributes of a managed system are in its host's configuration and are changed there.");
    const items = record(options);
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
    const resources = profileFromRecord(items, { lookupVios: lookup(system), base: base.resources });
    await system.client.call("profile.put", { lparId: lpar.lparId, profile: { name: base.name, resources }, mustExist: true, mayReplace: true }, how);
    return 0;
  },
};
