import { OlpmError } from "../../kit/errors.js";
import { BootMode } from "../../model/lpar.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { profileName } from "./mksyscfg.js";
import { lparOf, systemOf } from "./targets.js";

/** Activation waits for the storage and the partition's process; a Virtual I/O Server also for its SAN. */
const STATE_MS_MAX = 120_000;

/** hmc-cli 5.1. */
export const chsysstate: Command = {
  name: "chsysstate",
  summary: "changes the state of a partition",
  synopsis: ["chsysstate -m managed-system -r lpar -o on {-n partition-name | --id partition-ID} [-f profile-name] [-b boot-mode] [-k keylock-position]", "chsysstate -m managed-system -r lpar -o {shutdown | osshutdown} {-n partition-name | --id partition-ID} [--immed] [--restart]"],
  options: [
    { name: "-m", argument: "managed-system", help: "the managed system, by name or as tttt-mmm*sssssss", required: true },
    { name: "-r", argument: "resource", help: "what changes its state", required: true, values: ["lpar", "sys", "sysprof"] },
    { name: "-o", argument: "operation", help: "on activates; osshutdown lets the operating system shut down; shutdown does so too, or with --immed powers off at once", required: true, values: ["on", "shutdown", "osshutdown", "off", "rebuild", "chkey", "dumprestart", "retrydump", "recover", "onstandby", "onsysprof"] },
    { name: "-n", argument: "partition-name", help: "the partition, by name" },
    { name: "--id", argument: "partition-ID", help: "the partition, by ID", number: { min: 1, max: 65534 } },
    { name: "-f", argument: "profile-name", help: "the profile to activate; the current configuration without it" },
    { name: "-b", argument: "boot-mode", help: "how the partition boots", values: BootMode.options },
    { name: "-k", argument: "keylock-position", help: "position of the keylock", values: ["norm", "manual"] },
    { name: "-i", argument: "ipl-source", help: "IBM i only", withoutEffect: true },
    { name: "--immed", argument: null, help: "at once, without the operating system" },
    { name: "--restart", argument: null, help: "and activates the partition again" },
    { name: "--force", argument: null, help: "accepted for scripts", withoutEffect: true },
  ],
  details: ["Examples:\nchsysstate -m ms01 -r lpar -o on -n db01 -f normal\nchsysstate -m ms01 -r lpar -o shutdown -n db01 --immed"],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const operation = options.get("-o")!;
    if (options.get("-r") !== "lpar") {
      if (operation !== "rebuild") throw new OlpmError("unsupported", "The power of a managed system is its host's; it is switched there.");
      await system.refresh(context.signal);
      return 0;
    }
    const lpar = lparOf(options, context, system, { name: "-n", id: "--id" });
    const { lparId } = lpar;
    const how = { signal: context.signal, deadlineMs: STATE_MS_MAX };
    if (operation === "on") {
      const [bootMode, profile] = [options.get("-b"), options.get("-f")];
      await system.client.call("lpar.activate", { lparId, profile: profile === undefined ? null : profileName(profile), bootMode: bootMode === undefined ? null : BootMode.parse(bootMode), keylock: (options.get("-k") as "norm" | "manual" | undefined) ?? null }, how);
      return 0;
    }
    if (operation === "chkey") {
      const keylock = options.get("-k");
      if (keylock !== "norm" && keylock !== "manual") throw missingParameter("-k");
      await system.client.call("lpar.modify", { lparId, settings: { keylock } }, how);
      return 0;
    }
    if (operation !== "shutdown" && operation !== "osshutdown") throw new OlpmError("unsupported", `The operation ${operation} has no meaning for a partition of this platform.`, { action: "The operations are on, shutdown, osshutdown and chkey." });
    const kind = operation === "osshutdown" ? "os" : options.has("--immed") ? "immediate" : "delayed";
    await system.client.call("lpar.shutdown", { lparId, how: kind, restart: options.has("--restart") }, how);
    return 0;
  },
};
