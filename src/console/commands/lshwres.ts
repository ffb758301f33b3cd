/** `lshwres`: memory, processors, virtual adapters and virtual switches (hmc-cli 6.1 to 6.6). */
import { POOL_PROCESSORS, SYSTEM_MEMORY, SYSTEM_PROCESSORS } from "../attributes/system.js";
import { ADAPTER_SLOTS, ETHERNET, LPAR_MEMORY, LPAR_PROCESSORS, LPAR_SLOTS, SCSI, PROCESSOR_POOL, SERIAL, VIRTUAL_NETWORKS, VIRTUAL_SWITCHES, slotsOf, virtualNetworks, type AdapterObject } from "../attributes/hardware.js";
import type { CommandContext } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { list, NOTHING } from "../grammar/list-output.js";
import { missingParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { listing, viewOf } from "./lssyscfg.js";
import { filteredLpars, freshSystem, LISTING_OPTIONS, SYSTEM_OPTION } from "./targets.js";

const SUBTYPES = ["eth", "scsi", "serial", "slot", "vswitch", "fc", "vnic", "vnetwork", "unit", "bus", "iopool", "taggedio", "adapter", "physport", "logport"];

export const lshwres: Command = {
  name: "lshwres",
  summary: "lists hardware resources of a managed system and its partitions",
  synopsis: ["lshwres -r {mem | proc} -m managed-system --level {sys | pool | lpar} [--filter filter-data] [-F [attribute-names] [--header]]", "lshwres -r virtualio -m managed-system --rsubtype {eth | scsi | serial | slot | vnetwork | vswitch} [--level {lpar | slot}] [--filter filter-data] [-F [attribute-names] [--header]]", "lshwres -r {io | sriov | procpool | mempool} -m managed-system ..."],
  options: [
    { name: "-r", argument: "resource", help: "what to list", required: true, values: ["mem", "proc", "virtualio", "io", "sriov", "procpool", "mempool", "rspool", "hea"] },
    SYSTEM_OPTION,
    { name: "--rsubtype", argument: "subtype", help: "which kind of virtual adapter", values: SUBTYPES },
    { name: "--level", argument: "level", help: "of the system, of partitions, or of slots", values: ["sys", "lpar", "slot", "pool", "eth", "roce"] },
    { name: "-R", argument: null, help: "only partitions with resources that can be restored", withoutEffect: true },
    ...LISTING_OPTIONS,
  ],
  details: ["Filters: lpar_names, lpar_ids, slots, vswitches, vlans.", "Physical adapters belong to the Virtual I/O Servers' hosts, so -r io and -r sriov list nothing.", 'Example:\nlshwres -r virtualio -m ms01 --rsubtype scsi --level lpar --filter "lpar_names=db01"'],
  attributes: [
    printed("lshwres -r mem --level sys", SYSTEM_MEMORY),
    printed("lshwres -r mem --level lpar", LPAR_MEMORY),
    printed("lshwres -r proc --level sys", SYSTEM_PROCESSORS),
    printed("lshwres -r proc --level pool", POOL_PROCESSORS),
    printed("lshwres -r proc --level lpar", LPAR_PROCESSORS),
    printed("lshwres -r procpool", PROCESSOR_POOL),
    printed("lshwres -r virtualio --rsubtype scsi", SCSI),
    printed("lshwres -r virtualio --rsubtype eth", ETHERNET),
    printed("lshwres -r virtualio --rsubtype serial", SERIAL),
    printed("lshwres -r virtualio --rsubtype slot --level lpar", LPAR_SLOTS),
    printed("lshwres -r virtualio --rsubtype slot --level slot", ADAPTER_SLOTS),
    printed("lshwres -r virtualio --rsubtype vswitch", VIRTUAL_SWITCHES),
    printed("lshwres -r virtualio --rsubtype vnetwork", VIRTUAL_NETWORKS),
  ],
  run: async (options, context) => {
    context.io.stdout(await text(options, context));
    return 0;
  },
};

async function text(options: Options, context: CommandContext): Promise<string> {
  const system = await freshSystem(options, context);
  const how = listing(options);
  const filters = parseFilter(options.get("--filter"), ["lpar_names", "lpar_ids", "slots", "vswitches", "vlans", "units", "pools", "adapter_ids", "drc_indexes"]);
  const resource = options.get("-r");
  const level = options.get("--level");
  const lpars = () => filteredLpars(filters, context, system);
  if (resource === "mem" || resource === "proc") {
    if (level === "pool" && resource === "proc") return list(POOL_PROCESSORS, [system], how);
    if (level !== "lpar" && level !== "sys") throw missingParameter("--level");
    if (level === "sys") return list(resource === "mem" ? SYSTEM_MEMORY : SYSTEM_PROCESSORS, [system], how);
    return resource === "mem" ? list(LPAR_MEMORY, lpars(), how) : list(LPAR_PROCESSORS, lpars(), how);
  }
  if (resource === "procpool") return list(PROCESSOR_POOL, [system.lpars()], how);
  const subtype = options.get("--rsubtype");
  if (subtype === undefined && (resource === "virtualio" || resource === "io" || resource === "sriov")) throw missingParameter("--rsubtype");
  if (resource !== "virtualio") return NOTHING;
  const view = viewOf(system);
  if (subtype === "vswitch") {
    const names = filters.get("vswitches");
    return list(VIRTUAL_SWITCHES, view.vswitches.filter((one) => !names || names.includes(one.name)).map((vswitch) => ({ vswitch, lpars: system.lpars() })), how);
  }
  if (subtype === "vnetwork") {
    const [vswitches, vlans] = [filters.get("vswitches"), filters.get("vlans")];
    return list(VIRTUAL_NETWORKS, virtualNetworks(view, system.lpars()).filter((one) => (!vswitches || vswitches.includes(one.vswitch)) && (!vlans || vlans.includes(String(one.vlanId)))), how);
  }
  if (subtype === "slot" && level !== "slot") return list(LPAR_SLOTS, lpars(), how);
  const slots = filters.get("slots")?.map(Number);
  const adapters: AdapterObject[] = lpars().flatMap((lpar) => slotsOf(lpar, system.lpars(), view)).filter((one) => !slots || slots.includes(one.slot));
  if (subtype === "slot") return list(ADAPTER_SLOTS, adapters, how);
  if (subtype === "scsi") return list(SCSI, adapters.filter((one) => one.kind === "scsi"), how);
  if (subtype === "eth") return list(ETHERNET, adapters.filter((one) => one.kind === "eth"), how);
  if (subtype === "serial") return list(SERIAL, adapters.filter((one) => one.kind === "serial"), how);
  return NOTHING;
}
