import { hmcTime } from "../attributes/names.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { parseFilter } from "../grammar/filter.js";
import { list, type Attribute } from "../grammar/list-output.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";
import { listing } from "./lssyscfg.js";
import { filteredLpars, LISTING_OPTIONS, SYSTEM_OPTION, systemOf } from "./targets.js";

const NETWORK: readonly Attribute<CommandContext>[] = [
  { name: "hostname", read: (context) => context.consoleName },
  { name: "ipaddr", read: (context) => [...context.about.addresses] },
  { name: "ssh", read: (context) => (context.about.sshEnabled ? "enable" : "disable") },
];
const REMOTE: readonly Attribute<CommandContext>[] = [{ name: "ssh", read: (context) => (context.about.sshEnabled ? "enable" : "disable") }];

/** hmc-cli section 8. */
export const lshmc: Command = {
  name: "lshmc",
  summary: "lists information about this management console",
  synopsis: ["lshmc {-v | -V | -n | -r} [-F [attribute-names] [--header]]"],
  options: [
    { name: "-v", argument: null, help: "vital product data" },
    { name: "-V", argument: null, help: "version" },
    { name: "-n", argument: null, help: "network" },
    { name: "-r", argument: null, help: "remote access" },
    ...LISTING_OPTIONS.filter((option) => option.name !== "--filter"),
  ],
  details: ["Example:\nlshmc -V"],
  run: async (options, context) => {
    const { about, io, consoleName } = context;
    if (options.has("-V")) io.stdout(`"version= Version: ${about.version.split(".")[0]}\n Release: ${about.version.split(".")[1]}\nHMC Build level OpenLPM ${about.version}\n","base_version=V${about.version}\n"\n`);
    else if (options.has("-v")) io.stdout(`"vpd=*FC ????????\n*VC 20.0\n*N2 ${consoleName}\n*FC ????????\n*DS Management Console\n*TM OpenLPM\n*RM V${about.version}\n"\n`);
    else if (options.has("-n")) io.stdout(list(NETWORK, [context], listing(options)));
    else if (options.has("-r")) io.stdout(list(REMOTE, [context], listing(options)));
    else throw missingParameter("-V");
    return 0;
  },
};

const REFCODES: readonly Attribute<LparView>[] = [
  { name: "lpar_name", read: (lpar) => lpar.definition.name },
  { name: "lpar_id", read: (lpar) => String(lpar.lparId) },
  { name: "time_stamp", read: (lpar) => (lpar.runtime.refCodeAt === null ? "" : hmcTime(lpar.runtime.refCodeAt)) },
  { name: "refcode", read: (lpar) => lpar.runtime.refCode },
];
const SYSTEM_REFCODES: readonly Attribute<ManagedSystem>[] = [{ name: "refcode_num", read: () => "0" }, { name: "refcode", read: () => "" }];

/** hmc-cli 5.2. */
export const lsrefcode: Command = {
  name: "lsrefcode",
  summary: "lists reference codes of partitions",
  synopsis: ["lsrefcode -r {lpar | sys} -m managed-system [--filter filter-data] [-F [attribute-names] [--header]]"],
  options: [
    { name: "-r", argument: "resource", help: "of what", required: true, values: ["lpar", "sys"] },
    SYSTEM_OPTION,
    { name: "-n", argument: "number", help: "how many; the latest is kept", number: { min: 1, max: 999 }, withoutEffect: true },
    { name: "-s", argument: "side", help: "service processor", values: ["p", "s", "a", "b"], withoutEffect: true },
    ...LISTING_OPTIONS,
  ],
  run: async (options, context) => {
    const system = systemOf(options, context);
    if (options.get("-r") === "sys") context.io.stdout(list(SYSTEM_REFCODES, [system], listing(options)));
    else context.io.stdout(list(REFCODES, filteredLpars(parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids"]), context, system), listing(options)));
    return 0;
  },
};

/** The management console's view of RMC. */
export const lspartition: Command = {
  name: "lspartition",
  summary: "lists the partitions whose operating systems the console can talk to",
  synopsis: ["lspartition -dlpar"],
  options: [
    { name: "-dlpar", argument: null, help: "partitions that take part in dynamic logical partitioning" },
    { name: "-all", argument: null, help: "the same here", withoutEffect: true },
  ],
  run: async (_options, context) => {
    let number = 0;
    for (const system of context.inventory.systems()) {
      for (const lpar of system.lpars()) {
        const { mtms } = system.view!;
        context.io.stdout(`<#${number++}> Partition:<${lpar.lparId}*${mtms.typeModel}*${mtms.serial}, ${lpar.definition.name}, ${lpar.runtime.rmcAddress ?? ""}>\n       Active:<${lpar.runtime.rmc === "active" ? 1 : 0}>, OS:<${lpar.runtime.osVersion ?? ""}>, DCaps:<0x0>, CmdCaps:<0x0, 0x0>, PinnedMem:<0>\n`);
      }
    }
    return 0;
  },
};
