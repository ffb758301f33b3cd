import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { absent, list } from "../grammar/list-output.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { listing } from "./lssyscfg.js";
import { filteredLpars, freshSystem, LISTING_OPTIONS, SYSTEM_OPTION } from "./targets.js";

const LEDS = absent("a host's lights are not this console's", "state", "lpar_id", "lpar_name", "phys_loc", "led_type");

/** The HMC's attention lights. Neither a host nor a partition has one that this console could ask: nothing is listed. */
export const lsled: Command = {
  name: "lsled",
  summary: "lists the lights of a managed system and its partitions: there are none here",
  synopsis: ["lsled -r {sa | phys} -m managed-system [-t {phys | virtualsys | virtuallpar}] [--filter filter-data] [-F [attribute-names] [--header]]"],
  options: [
    { name: "-r", argument: "resource", help: "sa: system attention; phys: those of parts", required: true, values: ["sa", "phys"] },
    SYSTEM_OPTION,
    { name: "-t", argument: "type", help: "with -r sa: of the system, or virtual ones of the system or of partitions", values: ["phys", "virtualsys", "virtuallpar"] },
    ...LISTING_OPTIONS,
  ],
  details: ["Filters: lpar_names, lpar_ids, units, phys_locs. Look for errors with lssyscfg -r lpar -F name,state and lsrefcode.", "Example:\nlsled -r sa -t virtuallpar -m ms01"],
  attributes: [printed("lsled", LEDS)],
  run: async (options, context) => {
    if (options.get("-r") === "sa" && !options.has("-t")) throw missingParameter("-t");
    const how = listing(options);
    const filters = parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids", "units", "phys_locs"]);
    filteredLpars(filters, context, await freshSystem(options, context));
    context.io.stdout(list(LEDS, [], how));
    return 0;
  },
};
