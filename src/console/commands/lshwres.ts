/** `lshwres`: memory, processors, virtual adapters and virtual switches (hmc-cli 6.1 to 6.6). */
import { OlpmError } from "../../kit/errors.js";
import type { VirtualEthernetAdapter } from "../../model/lpar.js";
import { POOL_PROCESSORS, SYSTEM_MEMORY, SYSTEM_PROCESSORS } from "../attributes/system.js";
import { ADAPTER_SLOTS, ETHERNET, FIBRE_CHANNEL, LPAR_MEMORY, LPAR_PROCESSORS, LPAR_SLOTS, SCSI, PROCESSOR_POOL, SERIAL, SYSTEM_FIBRE_CHANNEL, VIRTUAL_NETWORKS, VIRTUAL_SWITCHES, slotsOf, networkName, virtualNetworks, type AdapterObject } from "../attributes/hardware.js";
import type { CommandContext } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { list, NOTHING } from "../grammar/list-output.js";
import { missingParameter, notSupported } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { listing, viewOf } from "./lssyscfg.js";
import { filteredLpars, freshSystem, LISTING_OPTIONS, SYSTEM_OPTION } from "./targets.js";

/** What can be asked of each resource: the kinds of it, and the levels; the first kind of none has no `--rsubtype`. */
const FORMS: Readonly<Record<string, { readonly subtypes?: readonly string[]; readonly levels?: readonly string[]; readonly filters: readonly string[] }>> = {
  mem: { levels: ["lpar", "sys"], filters: ["lpar_names", "lpar_ids"] },
  proc: { levels: ["lpar", "pool", "sys"], filters: ["lpar_names", "lpar_ids"] },
  procpool: { filters: ["pools", "pool_names", "pool_ids", "lpar_names", "lpar_ids"] },
  virtualio: { subtypes: ["eth", "fc", "hsl", "virtualopti", "scsi", "serial", "slot", "vnetwork", "vnic", "vnicbkdev", "vswitch", "vasi"], levels: ["lpar", "slot"], filters: ["lpar_names", "lpar_ids", "slots", "vlans", "vswitches", "vnetworks"] },
  io: { subtypes: ["unit", "bus", "slot", "iopool", "taggedio", "slotchildren"], levels: ["pool", "sys", "slot"], filters: ["lpar_names", "lpar_ids", "units", "buses", "slots", "pools", "drc_indexes"] },
  sriov: { subtypes: ["adapter", "physport", "logport"], levels: ["eth", "ethc", "roce", "lpar"], filters: ["lpar_names", "lpar_ids", "adapter_ids", "phys_port_ids"] },
  mempool: { subtypes: ["pgdev"], filters: ["pools", "lpar_names", "lpar_ids"] },
  rspool: { subtypes: ["rsdev"], filters: ["lpar_names", "lpar_ids"] },
  hea: { subtypes: ["logical", "phys"], levels: ["port", "sys"], filters: ["lpar_names", "lpar_ids", "adapter_ids", "port_groups"] },
  hca: { levels: ["sys"], filters: ["lpar_names", "lpar_ids"] },
  sni: { filters: ["lpar_names", "lpar_ids"] },
  pmem: { subtypes: ["volume"], levels: ["lpar", "sys"], filters: ["lpar_names", "lpar_ids"] },
  accel: { levels: ["lpar", "sys"], filters: ["lpar_names", "lpar_ids"] },
};
const RESOURCES = Object.keys(FORMS);
const every = (of: "subtypes" | "levels" | "filters") => [...new Set(RESOURCES.flatMap((name) => FORMS[name]![of] ?? []))];
/** The HMC asks for a kind of these, and has a listing of the others without. */
const NEED_SUBTYPE = ["virtualio", "io", "sriov"];

export const lshwres: Command = {
  name: "lshwres",
  summary: "lists hardware resources of a managed system and its partitions",
  synopsis: [
    "lshwres -r {mem | proc} -m managed-system --level {sys | pool | lpar} [--filter filter-data] [-F [attribute-names] [--header]]",
    "lshwres -r virtualio -m managed-system --rsubtype {eth | fc | scsi | serial | slot | vnetwork | vswitch} [--level {lpar | slot | sys}] [--filter filter-data] [-F [attribute-names] [--header]]",
    "lshwres -r procpool -m managed-system [--filter filter-data] [-F [attribute-names] [--header]]",
    "lshwres -r {io | sriov | mempool | rspool | ...} -m managed-system [--rsubtype subtype] ...",
  ],
  options: [
    { name: "-r", argument: "resource", help: "what to list", required: true, values: RESOURCES },
    SYSTEM_OPTION,
    { name: "--rsubtype", argument: "subtype", help: "which kind of it", values: every("subtypes") },
    { name: "--level", argument: "level", help: "of the system, of partitions, or of slots", values: every("levels") },
    { name: "-R", argument: null, help: "only partitions with resources that can be restored: none, since a managed system holds its partitions' resources itself" },
    { name: "--maxmem", argument: "quantity", help: "how much memory a partition of that maximum would need", refused: "what a partition needs beside its memory is QEMU's choice" },
    { name: "--hptratio", argument: "ratio", help: "for --maxmem", refused: "what a partition needs beside its memory is QEMU's choice" },
    { name: "--stat", argument: null, help: "statistics of I/O entitled memory", refused: "there is no shared memory pool" },
    ...LISTING_OPTIONS,
  ],
  details: [
    `Filters: ${RESOURCES.map((name) => `${FORMS[name]!.filters.join(", ")} (${name})`).join("; ")}.`,
    "Nothing is listed of what is not here: physical adapters, which belong to the Virtual I/O Servers' hosts (io, sriov, hea, hca, sni, accel), virtual adapters that QEMU has not (vnic, vnicbkdev, hsl, virtualopti, vasi), pools of shared memory and of reserved storage (mempool, rspool), persistent memory (pmem).",
    'Examples:\nlshwres -r mem -m ms01 --level sys\nlshwres -r proc -m ms01 --level lpar -F lpar_name,curr_procs\nlshwres -r virtualio -m ms01 --rsubtype scsi --level lpar --filter "lpar_names=db01"',
  ],
  attributes: [
    printed("lshwres -r mem --level sys", SYSTEM_MEMORY),
    printed("lshwres -r mem --level lpar", LPAR_MEMORY),
    printed("lshwres -r proc --level sys", SYSTEM_PROCESSORS),
    printed("lshwres -r proc --level pool", POOL_PROCESSORS),
    printed("lshwres -r proc --level lpar", LPAR_PROCESSORS),
    printed("lshwres -r procpool", PROCESSOR_POOL),
    printed("lshwres -r virtualio --rsubtype scsi", SCSI),
    printed("lshwres -r virtualio --rsubtype fc --level lpar", FIBRE_CHANNEL),
    printed("lshwres -r virtualio --rsubtype fc --level sys", SYSTEM_FIBRE_CHANNEL),
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
  const [resource, subtype, level] = [options.get("-r")!, options.get("--rsubtype"), options.get("--level")];
  const form = FORMS[resource]!;
  if (subtype === undefined ? NEED_SUBTYPE.includes(resource) : !form.subtypes?.includes(subtype)) throw missingParameter("--rsubtype");
  const how = listing(options);
  const filters = parseFilter(options.get("--filter"), form.filters);
  const system = await freshSystem(options, context);
  if (resource === "virtualio" && subtype === "eth" && level === "sys") throw notSupported("The value sys of the parameter --level", "the addresses of a system's adapters have no prefix that could be set");
  const fcSystem = resource === "virtualio" && subtype === "fc" && level === "sys";
  if (level !== undefined && !form.levels?.includes(level) && !fcSystem) throw missingParameter("--level");
  const lpars = () => filteredLpars(filters, context, system);
  if (options.has("-R")) {
    lpars();
    return NOTHING;
  }
  if (resource === "mem" || resource === "proc") {
    if (level === "pool" && resource === "proc") return list(POOL_PROCESSORS, [system], how);
    if (level !== "lpar" && level !== "sys") throw missingParameter("--level");
    if (level === "sys") return list(resource === "mem" ? SYSTEM_MEMORY : SYSTEM_PROCESSORS, [system], how);
    return resource === "mem" ? list(LPAR_MEMORY, lpars(), how) : list(LPAR_PROCESSORS, lpars(), how);
  }
  if (resource === "procpool") return list(PROCESSOR_POOL, isPool(filters) ? [system.lpars()] : [], how);
  if (resource !== "virtualio") {
    lpars();
    return NOTHING;
  }
  const view = viewOf(system);
  if (subtype === "vswitch") {
    const names = filters.get("vswitches");
    return list(VIRTUAL_SWITCHES, view.vswitches.filter((one) => !names || names.includes(one.name)).map((vswitch) => ({ vswitch, lpars: system.lpars() })), how);
  }
  if (subtype === "vnetwork") {
    const [vswitches, vlans, names] = [filters.get("vswitches"), numbers(filters, "vlans"), filters.get("vnetworks")];
    return list(VIRTUAL_NETWORKS, virtualNetworks(view, system.lpars()).filter((one) => (!vswitches || vswitches.includes(one.vswitch)) && (!vlans || vlans.includes(one.vlanId)) && (!names || names.includes(networkName(one)))), how);
  }
  if (fcSystem) return list(SYSTEM_FIBRE_CHANNEL, [view], how);
  if (subtype === "slot" && level !== "slot") return list(LPAR_SLOTS, lpars(), how);
  const slots = numbers(filters, "slots");
  const adapters: AdapterObject[] = lpars().flatMap((lpar) => slotsOf(lpar, system.lpars(), view)).filter((one) => !slots || slots.includes(one.slot));
  if (subtype === "slot") return list(ADAPTER_SLOTS, adapters, how);
  if (subtype === "scsi") return list(SCSI, adapters.filter((one) => one.kind === "scsi"), how);
  if (subtype === "fc") return list(FIBRE_CHANNEL, adapters.filter((one) => one.kind === "fc"), how);
  if (subtype === "eth") return list(ETHERNET, adapters.filter((one) => one.ethernet && onNetwork(one.ethernet, filters)), how);
  if (subtype === "serial") return list(SERIAL, adapters.filter((one) => one.kind === "serial"), how);
  return NOTHING;
}

/** @throws OlpmError invalid-argument for what is no number */
function numbers(filters: ReadonlyMap<string, readonly string[]>, name: string): number[] | undefined {
  return filters.get(name)?.map((text) => {
    if (!/^\d{1,5}$/.test(text)) throw new OlpmError("invalid-argument", `The value ${text} of the filter ${name} is not a number. Please check your entry and retry the command.`);
    return Number(text);
  });
}
function onNetwork({ vswitch, portVlanId, additionalVlanIds }: VirtualEthernetAdapter, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const [vswitches, vlans] = [filters.get("vswitches"), numbers(filters, "vlans")];
  return (!vswitches || vswitches.includes(vswitch)) && (!vlans || [portVlanId, ...additionalVlanIds].some((one) => vlans.includes(one)));
}
/** Whether the filters take pool 0. */
const isPool = (filters: ReadonlyMap<string, readonly string[]>): boolean => ["pools", "pool_ids"].every((name) => numbers(filters, name)?.includes(0) ?? true) && (filters.get("pool_names")?.includes("DefaultPool") ?? true);
