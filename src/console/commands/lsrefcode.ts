/** `lsrefcode`: the latest reference code of partitions and managed systems (hmc-cli 5.2). Clients read the last line, so an empty code is an empty line, never none. */
import type { LparView } from "../../model/lpar.js";
import { hmcTime } from "../attributes/names.js";
import type { CommandContext } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { absent, list, type Attribute } from "../grammar/list-output.js";
import { invalidParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { listing } from "./lssyscfg.js";
import { filteredLpars, freshSystem, LISTING_OPTIONS, SYSTEM_OPTION } from "./targets.js";

const LPAR_CODES: readonly Attribute<LparView>[] = [
  { name: "lpar_name", read: (lpar) => lpar.definition.name },
  { name: "lpar_id", read: (lpar) => String(lpar.lparId) },
  { name: "time_stamp", read: ({ runtime }) => (runtime.refCodeAt === null ? undefined : hmcTime(runtime.refCodeAt)) },
  { name: "refcode", read: ({ runtime }) => runtime.refCode },
  ...absent("QEMU's firmware writes no further words", "word2", "word3", "word4", "word5", "word6", "word7", "word8", "word9"),
  ...absent("there are no field-replaceable units", "fru_call_out_loc_codes"),
];
/** A managed system has no service processor here that would write codes. */
const SYSTEM_CODES: readonly Attribute<object>[] = [
  { name: "refcode_num", read: () => "0" },
  { name: "refcode", read: () => "" },
  ...absent("there is no service processor that would write codes", "time_stamp", "word2", "word3", "word4", "word5", "word6", "word7", "word8", "word9"),
];

export const lsrefcode: Command = {
  name: "lsrefcode",
  summary: "lists reference codes",
  synopsis: ["lsrefcode -r lpar -m managed-system [--filter filter-data] [-n number] [-F [attribute-names] [--header]]", "lsrefcode -r sys -m managed-system [-s {p | s}] [-n number] [-F [attribute-names] [--header]]"],
  options: [
    { name: "-r", argument: "resource", help: "whose reference codes", required: true, values: ["lpar", "sys"] },
    SYSTEM_OPTION,
    { name: "-n", argument: "number", help: "how many codes; the latest one is kept", number: { min: 1, max: 1000 }, withoutEffect: true },
    { name: "-s", argument: "side", help: "the primary or the secondary service processor; -r sys only", values: ["p", "s"], withoutEffect: true },
    ...LISTING_OPTIONS,
  ],
  details: ["Filters: lpar_names, lpar_ids (lpar).", "The code of a partition is empty until its operating system answers; then it is `Linux ppc64le`. The code of a managed system is always empty.", "Example:\nlsrefcode -r lpar -m ms01 --filter lpar_names=db01 -F refcode"],
  attributes: [printed("lsrefcode -r lpar", LPAR_CODES), printed("lsrefcode -r sys", SYSTEM_CODES)],
  run: async (options, context) => {
    context.io.stdout(await text(options, context));
    return 0;
  },
};

async function text(options: Options, context: CommandContext): Promise<string> {
  const how = listing(options);
  const ofLpars = options.get("-r") === "lpar";
  const filters = parseFilter(options.get("--filter"), ofLpars ? ["lpar_names", "lpar_ids"] : []);
  if (ofLpars && options.has("-s")) throw invalidParameter("-s");
  const system = await freshSystem(options, context);
  return ofLpars ? list(LPAR_CODES, filteredLpars(filters, context, system), how) : list(SYSTEM_CODES, [{}], how);
}
