/** The input data of `migrlpar` (hmc-cli 2.4, 2.5): attributes of one migration, and those that name the partition in each value when several move. */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { Levels, WantedMsp } from "../../mobility/facts.js";
import { isProfileName } from "../../mobility/rules/partition.js";
import type { MobilityOptions } from "../contract.js";
import { checkRecord, invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import { parseRecord, splitList } from "../grammar/record.js";
import type { Options } from "./command.js";

const PAGING = "partitions have dedicated memory";
const ONE_PAIR = "it names the mover of the first pair; redundant_msps names both";
const MAPPING = "client-slot/VIOS-name/VIOS-ID[/VIOS-slot]; name or ID may be empty";
const FC_MAPPING = "client-slot/VIOS-name/VIOS-ID[/[VIOS-slot][/port]]; name or ID may be empty";
const SWITCH = "VLAN-ID/switch/switch-on-the-target; without VLAN-ID all adapters of the switch";

/** hmc-cli 2.4 */
export const MIGRATION_RECORD: readonly RecordAttribute[] = [
  { name: "dest_lpar_id", help: "partition ID on the target" },
  { name: "source_msp_id", help: "ID of the mover on the source" },
  { name: "source_msp_name", help: "its name" },
  { name: "source_msp_ipaddr", help: "its address" },
  { name: "dest_msp_id", help: "ID of the mover on the target" },
  { name: "dest_msp_name", help: "its name" },
  { name: "dest_msp_ipaddr", help: "its address" },
  { name: "source_msps", help: "name/ID/address of the mover on the source", list: true },
  { name: "dest_msps", help: "name/ID/address of the mover on the target", list: true },
  { name: "redundant_msps", help: "both pairs of movers, the second takes over when the first is lost: two of group/source-name/source-ID/source-address/target-name/target-ID/target-address with one group for both; several partitions take one group for all, or one for each", list: true },
  { name: "shared_proc_pool_id", help: "shared processor pool on the target" },
  { name: "shared_proc_pool_name", help: "its name" },
  { name: "virtual_scsi_mappings", help: MAPPING, list: true },
  { name: "virtual_fc_mappings", help: FC_MAPPING, list: true },
  { name: "vswitch_mappings", help: SWITCH, list: true },
  { name: "vnic_mappings", help: "", refused: "there are no SR-IOV adapters" },
  { name: "multiple_dest_lpar_ids", help: "for several partitions: name/ID/ID-on-the-target", list: true },
  { name: "multiple_shared_proc_pools", help: "for several partitions: name/ID/pool", list: true },
  { name: "multiple_virtual_scsi_mappings", help: "for several partitions: name/ID/ and a mapping", list: true },
  { name: "multiple_virtual_fc_mappings", help: "for several partitions: name/ID/ and a mapping", list: true },
  { name: "multiple_vnic_mappings", help: "", refused: "there are no SR-IOV adapters" },
  { name: "multiple_vswitch_mappings", help: "for several partitions: name/ID/ and a mapping", list: true },
  ...["primary_paging_vios_name", "primary_paging_vios_id", "secondary_paging_vios_name", "secondary_paging_vios_id", "paging_device_name"].map((name): RecordAttribute => ({ name, help: "", refused: PAGING })),
  ...["primary_rs_vios_name", "primary_rs_vios_id", "secondary_rs_vios_name", "secondary_rs_vios_id", "rs_device_name"].map((name): RecordAttribute => ({ name, help: "", refused: "there is no reserved storage" })),
  { name: "concurr_migration_perf_level", help: "0 to 5; a migration takes what the link gives", withoutEffect: true },
  { name: "mapping_group_label", help: "Virtual I/O Servers have no group labels", withoutEffect: true },
];
/** Those that say something of one partition only. */
const SINGLE = ["dest_lpar_id", "virtual_scsi_mappings", "virtual_fc_mappings", "vswitch_mappings"];

export const SET_SYSTEM_RECORD: readonly RecordAttribute[] = [{ name: "inactive_prof_policy", help: "prof or config: what an inactive migration moves" }];
export const SET_LPAR_RECORD: readonly RecordAttribute[] = [
  { name: "num_active_migrations_configured", help: "active migrations that a mover carries at once" },
  { name: "concurr_migration_perf_level", help: "0 to 5; a migration takes what the link gives", withoutEffect: true },
];

/** The text of -i, or of -f, which is standard input here. @throws OlpmError unsupported for another file; invalid-argument for both */
export async function inputData(options: Options, input: AsyncIterable<Buffer>): Promise<string> {
  const file = options.get("-f");
  if (file === undefined) return options.get("-i") ?? "";
  if (options.has("-i")) throw new OlpmError("invalid-argument", "The parameters -i and -f exclude each other. Please check your entry and retry the command.");
  if (file !== "-" && file !== "/dev/stdin") throw new OlpmError("unsupported", `This console keeps no files, so it has no ${file}.`, { action: "Give the data with -i, or on standard input with -f -." });
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    bytes += part.length;
    if (bytes > INPUT_BYTES_MAX) throw new OlpmError("limit-reached", `The input data has more than ${INPUT_BYTES_MAX} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8").split("\n").map((line) => line.trim()).filter((line) => line !== "").join(",");
}
const INPUT_BYTES_MAX = 1 << 20;

/** What is asked for, by partition. @throws OlpmError invalid-argument, unsupported */
export function migrationOptions(options: Options, data: string, lpars: readonly LparView[]): (lpar: LparView) => MobilityOptions {
  const items = parseRecord(data);
  checkRecord(items, MIGRATION_RECORD);
  const values = new Map(items.map(({ name, value }) => [name, value]));
  const single = lpars.length > 1 ? SINGLE.find((name) => values.has(name)) : undefined;
  if (single !== undefined) throw invalidValue(single, values.get(single), `it is for one partition; several take multiple_${single === "dest_lpar_id" ? "dest_lpar_ids" : single}`);
  perfLevel(values.get("concurr_migration_perf_level"));
  const common = commonOptions(options, values);
  const pairs = redundantMsps(values, lpars.length);
  if (pairs.length > 0 && options.number("--redundantmsps") === 0) throw invalidValue("redundant_msps", values.get("redundant_msps"), "with --redundantmsps 0 there is no second pair");
  const more = new Map(["multiple_dest_lpar_ids", "multiple_shared_proc_pools", "multiple_virtual_scsi_mappings", "multiple_virtual_fc_mappings", "multiple_vswitch_mappings"].map((name) => [name, splitList(values.get(name) ?? "").map((element) => ownedElement(name, element))]));
  const owns = (lpar: LparView, owner: { readonly name: string; readonly id: number }) => (owner.name === "" || owner.name === lpar.definition.name) && (owner.id === 0 || owner.id === lpar.lparId);
  for (const [name, elements] of more) for (const { owner, rest } of elements) if (!lpars.some((lpar) => owns(lpar, owner))) throw invalidValue(name, `${owner.name}/${owner.id || ""}/${rest}`, "no partition of this command is meant");
  return (lpar) => {
    const mine = (name: string) => (more.get(name) ?? []).filter(({ owner }) => owns(lpar, owner)).map(({ rest }) => rest);
    const [destLparId, pool] = [mine("multiple_dest_lpar_ids")[0], mine("multiple_shared_proc_pools")[0]];
    const scsi = [...(common.scsiMappings ?? []), ...mine("multiple_virtual_scsi_mappings").map((one) => scsiMapping("multiple_virtual_scsi_mappings", one))];
    const fc = [...(common.fcMappings ?? []), ...mine("multiple_virtual_fc_mappings").map((one) => fcMapping("multiple_virtual_fc_mappings", one))];
    const vswitches = [...(common.vswitchMappings ?? []), ...mine("multiple_vswitch_mappings").map((one) => switchMapping("multiple_vswitch_mappings", one))];
    return {
      ...common,
      ...(pairs.length === 1 ? pairs[0] : pairs[lpars.indexOf(lpar)]),
      ...(destLparId === undefined ? {} : { destLparId: lparId("multiple_dest_lpar_ids", destLparId) }),
      ...(pool === undefined ? {} : { procPool: /^\d+$/.test(pool) ? { id: Number(pool) } : { name: pool } }),
      ...(scsi.length > 0 ? { scsiMappings: scsi } : {}),
      ...(fc.length > 0 ? { fcMappings: fc } : {}),
      ...(vswitches.length > 0 ? { vswitchMappings: vswitches } : {}),
    };
  };
}

function commonOptions(options: Options, values: ReadonlyMap<string, string>): MobilityOptions {
  const level = <N extends number>(name: string) => options.number(name) as N | undefined;
  const levels: Levels = { redundantVios: level("--redundantvios"), mpio: level("--mpio"), vlanBridge: level("--vlanbridge"), uuid: level("--uuid"), redundantMsps: level("--redundantmsps") };
  const profileName = options.get("-n");
  if (profileName !== undefined && !isProfileName(profileName)) throw new OlpmError("invalid-argument", `${profileName} can not be the name of a profile. Please check your entry and retry the command.`, { hsc: "OLPM-VP08" });
  const [sourceMsp, destMsp] = [msp("source", values), msp("dest", values)];
  const destLparId = values.get("dest_lpar_id");
  const [poolId, poolName] = [values.get("shared_proc_pool_id"), values.get("shared_proc_pool_name")];
  if (poolId !== undefined && !/^\d{1,2}$/.test(poolId)) throw invalidValue("shared_proc_pool_id", poolId, "a pool ID is a number");
  const scsi = splitList(values.get("virtual_scsi_mappings") ?? "").map((one) => scsiMapping("virtual_scsi_mappings", one));
  const fc = splitList(values.get("virtual_fc_mappings") ?? "").map((one) => fcMapping("virtual_fc_mappings", one));
  const vswitches = splitList(values.get("vswitch_mappings") ?? "").map((one) => switchMapping("vswitch_mappings", one));
  const waitMinutes = options.number("-w");
  return {
    levels,
    ...(profileName === undefined ? {} : { profileName }),
    ...(sourceMsp ? { sourceMsp } : {}),
    ...(destMsp ? { destMsp } : {}),
    ...(destLparId === undefined ? {} : { destLparId: lparId("dest_lpar_id", destLparId) }),
    ...(poolId === undefined && poolName === undefined ? {} : { procPool: { ...(poolId === undefined ? {} : { id: Number(poolId) }), ...(poolName === undefined ? {} : { name: poolName }) } }),
    ...(waitMinutes === undefined ? {} : { waitMinutes }),
    ...(scsi.length > 0 ? { scsiMappings: scsi } : {}),
    ...(fc.length > 0 ? { fcMappings: fc } : {}),
    ...(vswitches.length > 0 ? { vswitchMappings: vswitches } : {}),
    ...(options.has("--usecurrdata") ? { useCurrentData: true } : {}),
  };
}

/** The mover of one side: `source_msps` has name, ID and address in one and counts more than the single attributes (hmc-cli 2.4). */
function msp(side: "source" | "dest", values: ReadonlyMap<string, string>): MobilityOptions["sourceMsp"] {
  const entries = splitList(values.get(`${side}_msps`) ?? "");
  if (entries.length > 1) throw invalidValue(`${side}_msps`, values.get(`${side}_msps`), ONE_PAIR);
  const [name, id, address, ...more] = entries.length === 1 ? entries[0]!.split("/") : [values.get(`${side}_msp_name`), values.get(`${side}_msp_id`), values.get(`${side}_msp_ipaddr`)];
  if (more.length > 0) throw invalidValue(`${side}_msps`, entries[0], "the form is name/ID/address");
  const known = { ...(name ? { name } : {}), ...(id ? { id: lparId(`${side}_msp_id`, id) } : {}), ...(address ? { address } : {}) };
  return Object.keys(known).length === 0 ? undefined : known;
}

/**
 * `redundant_msps` (hmc-cli 2.4, lpm-process 6.4): two entries of one group, the first pair and the second, for all partitions or a group for each in their order.
 * @throws OlpmError invalid-argument
 */
function redundantMsps(values: ReadonlyMap<string, string>, partitions: number): Pick<MobilityOptions, "sourceMsp" | "destMsp" | "secondMsps">[] {
  const text = values.get("redundant_msps");
  if (text === undefined) return [];
  const bad = (why: string) => invalidValue("redundant_msps", text, why);
  const stray = [...values.keys()].find((name) => /^(source|dest)_msp(s|_name|_id|_ipaddr)$/.test(name));
  if (stray !== undefined) throw bad(`it names both pairs, so ${stray} has no place beside it`);
  const groups = new Map<string, [WantedMsp, WantedMsp][]>();
  for (const entry of splitList(text)) {
    const [group, ...words] = entry.split("/");
    if (group === undefined || group === "" || words.length !== 6) throw bad("each entry is group/source-name/source-ID/source-address/target-name/target-ID/target-address; parts of a mover may be empty");
    const [source, destination] = [words.slice(0, 3), words.slice(3)].map(([name, id, address]): WantedMsp => ({ ...(name ? { name } : {}), ...(id ? { id: lparId("redundant_msps", id) } : {}), ...(address ? { address } : {}) })) as [WantedMsp, WantedMsp];
    if ([source, destination].some((one) => Object.keys(one).length === 0)) throw bad("each entry names a mover on both systems");
    groups.set(group, [...(groups.get(group) ?? []), [source, destination]]);
  }
  const found = [...groups.values()];
  if (found.some((pairs) => pairs.length !== 2)) throw bad("each group has two entries: the first pair and the second");
  if (found.length !== 1 && found.length !== partitions) throw bad(`there are ${found.length} groups for ${partitions} partitions`);
  return found.map(([first, second]) => ({ sourceMsp: first![0], destMsp: first![1], secondMsps: { source: second![0], destination: second![1] } }));
}

export function perfLevel(value: string | undefined): void {
  if (value !== undefined && !/^[0-5]$/.test(value)) throw invalidValue("concurr_migration_perf_level", value, "0 to 5");
}
export function lparId(name: string, value: string): number {
  if (!/^[1-9]\d{0,4}$/.test(value) || Number(value) > 65534) throw invalidValue(name, value, "a partition ID is a number from 1 to 65534");
  return Number(value);
}

/** `name/ID/rest`; name or ID may be empty. */
function ownedElement(attribute: string, text: string): { readonly owner: { readonly name: string; readonly id: number }; readonly rest: string } {
  const [name = "", id = "", ...rest] = text.split("/");
  if ((name === "" && id === "") || (id !== "" && !/^\d{1,5}$/.test(id)) || rest.length === 0) throw invalidValue(attribute, text, "each element begins with partition-name/partition-ID/");
  return { owner: { name, id: id === "" ? 0 : Number(id) }, rest: rest.join("/") };
}

function scsiMapping(attribute: string, text: string) {
  const [slot = "", name = "", id = "", viosSlot = "", ...more] = text.split("/");
  const number = (value: string) => /^\d{1,5}$/.test(value);
  if (!number(slot) || (name === "" && id === "") || (id !== "" && !number(id)) || (viosSlot !== "" && !number(viosSlot)) || more.length > 0)
    throw new OlpmError("invalid-argument", `The mapping ${text} of ${attribute} is not valid. The form is client-slot/VIOS-name/VIOS-ID[/VIOS-slot]. Please check your entry and retry the command.`);
  return { clientSlot: Number(slot), ...(name === "" ? {} : { viosName: name }), ...(id === "" ? {} : { viosLparId: Number(id) }), ...(viosSlot === "" ? {} : { viosSlot: Number(viosSlot) }) };
}

/** As above, with the port at the end (hmc-cli 2.4). */
function fcMapping(attribute: string, text: string) {
  const words = text.split("/");
  const port = words.length === 5 ? words[4]! : "";
  if (port !== "" && !/^fcs\d{1,3}$/.test(port)) throw new OlpmError("invalid-argument", `The mapping ${text} of ${attribute} is not valid: ${port} is no port. The form is client-slot/VIOS-name/VIOS-ID[/[VIOS-slot][/port]]. Please check your entry and retry the command.`);
  return { ...scsiMapping(attribute, words.length === 5 ? words.slice(0, 4).join("/") : text), ...(port === "" ? {} : { port }) };
}

function switchMapping(attribute: string, text: string) {
  const [vlan = "", from = "", to = "", ...more] = text.split("/");
  const vlanId = vlan === "" ? null : Number(vlan);
  if ((vlan !== "" && !(/^\d{1,4}$/.test(vlan) && Number(vlan) >= 1 && Number(vlan) <= 4094)) || from === "" || to === "" || more.length > 0)
    throw new OlpmError("invalid-argument", `The mapping ${text} of ${attribute} is not valid. The form is VLAN-ID/virtual-switch/virtual-switch-on-the-target. Please check your entry and retry the command.`);
  return { vlanId, from, to };
}
