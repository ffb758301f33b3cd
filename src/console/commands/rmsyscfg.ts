import { invalidParameter, missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { profileName } from "./mksyscfg.js";
import { lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

/** Options without a meaning for a resource. */
const STRAY: Readonly<Record<string, readonly string[]>> = { lpar: ["-p"], prof: ["--vioscfg", "--vdisk", "--vdisks"], sysprof: ["-p", "--id", "--vioscfg", "--vdisk", "--vdisks"] };

/** hmc-cli 4.8. */
export const rmsyscfg: Command = {
  name: "rmsyscfg",
  summary: "removes partitions, profiles and system profiles",
  synopsis: ["rmsyscfg -r lpar -m managed-system {-n partition-name | --id partition-ID} [--vioscfg]", "rmsyscfg -r prof -m managed-system -n profile-name {-p partition-name | --id partition-ID}", "rmsyscfg -r sysprof -m managed-system -n system-profile-name"],
  options: [
    { name: "-r", argument: "resource", help: "what to remove", required: true, values: ["lpar", "prof", "sysprof"] },
    SYSTEM_OPTION,
    { name: "-n", argument: "name", help: "the partition, profile or system profile to remove" },
    { name: "-p", argument: "partition-name", help: "the partition of the profile" },
    { name: "--id", argument: "partition-ID", help: "the partition, by ID", number: { min: 1, max: 65534 } },
    { name: "--vioscfg", argument: null, help: "also removes its server adapters and mappings on the Virtual I/O Servers" },
    { name: "--vdisk", argument: null, help: "virtual disks of a Virtual I/O Server; there are none", withoutEffect: true },
    { name: "--vdisks", argument: null, help: "the same", withoutEffect: true },
  ],
  details: ["A partition must be Not Activated. The data on its LUNs is not touched.", "Examples:\nrmsyscfg -r lpar -m ms01 -n db01 --vioscfg\nrmsyscfg -r prof -m ms01 -n normal -p db01\nrmsyscfg -r sysprof -m ms01 -n night"],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const how = { signal: context.signal, deadlineMs: 60_000 };
    const stray = STRAY[options.get("-r")!]!.find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    if (options.get("-r") === "sysprof") {
      if (!options.has("-n")) throw missingParameter("-n");
      await system.client.call("sysprof.remove", { name: profileName(options.get("-n")!) }, how);
      return 0;
    }
    if (options.get("-r") === "lpar") {
      const lpar = lparOf(options, context, system, { name: "-n", id: "--id" });
      await system.client.call("lpar.remove", { lparId: lpar.lparId, removeServerAdapters: options.has("--vioscfg") }, how);
      return 0;
    }
    if (!options.has("-n")) throw missingParameter("-n");
    const lpar = lparOf(options, context, system);
    await system.client.call("profile.remove", { lparId: lpar.lparId, name: profileName(options.get("-n")!) }, how);
    return 0;
  },
};
