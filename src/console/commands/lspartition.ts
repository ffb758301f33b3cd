/** `lspartition -dlpar`: which operating systems the console reaches by RMC (hmc-cli 8.5). */
import type { LparView } from "../../model/lpar.js";
import { mtmsText, type SystemView } from "../../model/system.js";
import { NOTHING } from "../grammar/list-output.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { freshSystems } from "./targets.js";

export const lspartition: Command = {
  name: "lspartition",
  summary: "lists the partitions whose operating systems the console reaches",
  synopsis: ["lspartition {-dlpar | -all}"],
  options: [
    { name: "-dlpar", argument: null, help: "the partitions with what their operating systems can do" },
    { name: "-all", argument: null, help: "the same" },
  ],
  details: ["Active is 1 when the operating system's agent answers. DCaps is 0x3 when memory and processors of the running partition can be changed, else 0x0. Partitions that never answered are not listed.", "Example:\nlspartition -dlpar"],
  run: async (options, context) => {
    if (!options.has("-dlpar") && !options.has("-all")) throw missingParameter("-dlpar");
    const systems = await freshSystems(options, context);
    const blocks = systems.flatMap((system) => (system.connected && system.view !== null ? known(system.view, system.lpars()) : []));
    context.io.stdout(blocks.length === 0 ? NOTHING : blocks.map((block, index) => `<#${index}> ${block}`).join(""));
    return 0;
  },
};

const known = (view: SystemView, lpars: readonly LparView[]): string[] => lpars.flatMap((lpar) => (lpar.runtime.rmcAddress === null ? [] : [block(view, lpar, lpar.runtime.rmcAddress)]));

function block(view: SystemView, { lparId, definition, runtime }: LparView, address: string): string {
  // `Linux/Debian GNU/Linux 13 6.12.0` is system, distribution and levels, which are three fields here.
  const [, system = "Unknown", level = ""] = /^([^/]+)\/(.*)$/.exec(runtime.osVersion ?? "") ?? [];
  return `Partition:<${lparId}*${mtmsText(view.mtms)}, ${definition.name}, ${address}>\n       Active:<${runtime.rmc === "active" ? 1 : 0}>, OS:<${system}, ${level}>, DCaps:<${runtime.rmc === "active" && definition.environment !== "vioserver" ? "0x3" : "0x0"}>\n`;
}
