/** `chhwres -r virtualio` (hmc-cli 6.9): virtual SCSI, Fibre Channel and Ethernet adapters, and virtual switches. chhwres.ts has the options. */
import { OlpmError } from "../../kit/errors.js";
import { LparId, MacAddress, SlotNumber, VlanId } from "../../model/ids.js";
import { whyNotVlans, type LparView, type VirtualEthernetAdapter } from "../../model/lpar.js";
import { parseWwpns } from "../attributes/adapters.js";
import { nextFreeSlot, slotsOf } from "../attributes/hardware.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { checkRecord, invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, splitList, valueOf, type RecordItem } from "../grammar/record.js";
import type { Options } from "./command.js";
import { viewOf } from "./lssyscfg.js";
import { lparOf, systemOf } from "./targets.js";

export const SCSI_RECORD: readonly RecordAttribute[] = [
  { name: "adapter_type", help: "client or server" },
  { name: "remote_lpar_id", help: "the partner's ID; any for a server adapter that takes any client" },
  { name: "remote_lpar_name", help: "the same, by name" },
  { name: "remote_slot_num", help: "the partner's slot, or any" },
  { name: "is_required", help: "0 or 1: whether the partition starts only when the Virtual I/O Server runs" },
];
export const FC_RECORD: readonly RecordAttribute[] = [...SCSI_RECORD, { name: "wwpns", help: "of a client adapter: two names of 16 hexadecimal digits; made by the system without it", list: true }];
const SWITCHED: readonly RecordAttribute[] = [
  { name: "port_vlan_id", help: "1 to 4094" },
  { name: "addl_vlan_ids", help: "VLANs whose frames have 802.1Q tags, at most 20; none", list: true },
  { name: "ieee_virtual_eth", help: "0 or 1; additional VLANs need 1" },
  { name: "vswitch", help: "the virtual switch; ETHERNET0 without it" },
  { name: "is_required", help: "0 or 1" },
  { name: "is_trunk", help: "", only: { values: ["0"], reason: "the trunk adapter of a Virtual I/O Server comes from the managed system's configuration" } },
  { name: "trunk_priority", help: "", only: { values: ["0"], reason: "the trunk adapter of a Virtual I/O Server comes from the managed system's configuration" } },
  { name: "allowed_os_mac_addrs", help: "", only: { values: ["all"], reason: "the operating system may take any address" } },
  { name: "qos_priority", help: "", only: { values: ["none"], reason: "frames have no priorities" } },
];
export const ETHERNET_RECORD: readonly RecordAttribute[] = [...SWITCHED, { name: "mac_addr", help: "12 hexadecimal digits; made by the system without it" }];
/** Of an adapter that exists. */
export const ETHERNET_CHANGE: readonly RecordAttribute[] = [...SWITCHED, { name: "mac_addr", help: "", refused: "an adapter keeps its address; remove it and add another one" }];
export const SWITCH_RECORD: readonly RecordAttribute[] = [
  { name: "new_name", help: "renames it" },
  { name: "switch_mode", help: "", only: { values: ["VEB"], reason: "a virtual switch passes frames between its partitions itself" } },
];

/** Gives the exit status. @throws OlpmError */
export async function changeVirtualIo(options: Options, context: CommandContext): Promise<number> {
  const [operation, subtype] = [options.get("-o")!, options.get("--rsubtype")];
  const stray = ["-q", "--procs", "--procunits", "-t", "--tid", "-l", ...(subtype === "vswitch" ? ["-p", "--id", "-s", "--force"] : ["--vswitch"])].find((name) => options.has(name));
  if (stray !== undefined) throw invalidParameter(stray);
  if (!["a", "r", "s"].includes(operation)) throw missingParameter("-o");
  const system = systemOf(options, context);
  if (subtype === "vswitch") return changeSwitch(options, context, system);
  const lpar = lparOf(options, context, system);
  if (operation === "r") return removeAdapter(options, context, system, lpar);
  if (subtype === undefined) throw missingParameter("--rsubtype");
  if (operation === "a") return addAdapter(subtype, options, context, system, lpar);
  if (subtype !== "eth") throw new OlpmError("unsupported", "A virtual SCSI or Fibre Channel adapter keeps its partner.", { action: "Remove it and add another one." });
  return changeEthernet(options, context, system, lpar);
}

async function addAdapter(subtype: string, options: Options, context: CommandContext, system: ManagedSystem, lpar: LparView): Promise<number> {
  if (!options.has("-a")) throw missingParameter("-a");
  const items = parseRecord(options.get("-a")!);
  const free = options.number("-s") ?? nextFreeSlot(lpar);
  if (free === undefined) throw new OlpmError("limit-reached", `Partition ${lpar.definition.name} has no free virtual slot (max_virtual_slots).`);
  const slot = SlotNumber.parse(free);
  const adapter = subtype === "scsi" ? { kind: "scsi" as const, value: scsi(items, slot, system) } : subtype === "fc" ? { kind: "fc" as const, value: fibreChannel(items, slot, system) } : { kind: "ethernet" as const, value: ethernet(items, slot) };
  await system.client.call("adapter.add", { lparId: lpar.lparId, adapter }, { signal: context.signal });
  return 0;
}

async function removeAdapter(options: Options, context: CommandContext, system: ManagedSystem, lpar: LparView): Promise<number> {
  if (!options.has("-s")) throw missingParameter("-s");
  if (options.has("-a")) throw invalidParameter("-a");
  const slot = SlotNumber.parse(options.number("-s"));
  await system.client.call("adapter.remove", { lparId: lpar.lparId, slot, force: options.has("--force") }, { signal: context.signal });
  return 0;
}

async function changeEthernet(options: Options, context: CommandContext, system: ManagedSystem, lpar: LparView): Promise<number> {
  if (!options.has("-s")) throw missingParameter("-s");
  if (!options.has("-a")) throw missingParameter("-a");
  await system.refresh(context.signal);
  const now = context.inventory.lpar(system, { lparId: lpar.lparId });
  const before = slotsOf(now, system.lpars(), viewOf(system)).find((one) => one.slot === options.number("-s"))?.ethernet;
  if (!before) throw new OlpmError("not-found", `Partition ${now.definition.name} has no virtual Ethernet adapter in slot ${options.get("-s")}.`);
  const items = parseRecord(options.get("-a")!);
  checkRecord(items, ETHERNET_CHANGE);
  await system.client.call("adapter.set", { lparId: now.lparId, value: switched(items, before) }, { signal: context.signal });
  return 0;
}

function bit(items: readonly RecordItem[], name: string, otherwise = false): boolean {
  const value = valueOf(items, name) ?? (otherwise ? "1" : "0");
  if (value !== "0" && value !== "1") throw invalidValue(name, value, "0 or 1");
  return value === "1";
}
const idOf = (text: string | undefined): LparId | undefined => LparId.safeParse(/^\d{1,5}$/.test(text ?? "") ? Number(text) : 0).data;

function scsi(items: readonly RecordItem[], slot: SlotNumber, system: ManagedSystem) {
  checkRecord(items, SCSI_RECORD);
  const role = valueOf(items, "adapter_type");
  if (role !== "client" && role !== "server") throw invalidValue("adapter_type", role, "client or server");
  const [name, idText, slotText] = [valueOf(items, "remote_lpar_name"), valueOf(items, "remote_lpar_id"), valueOf(items, "remote_slot_num")];
  if (name === undefined && idText === undefined) throw invalidValue("remote_lpar_id", undefined, "the partner's ID, remote_lpar_name=NAME, or any for a server adapter");
  const any = idText === "any" || name === "any";
  if (!any && idText !== undefined && idOf(idText) === undefined) throw invalidValue("remote_lpar_id", idText, "a partition ID from 1 to 65534, or any");
  const found = system.lpars().find((lpar) => (name === undefined || lpar.definition.name === name) && (idText === undefined || String(lpar.lparId) === idText));
  if (!any && !found && (name !== undefined || role === "client")) throw new OlpmError("not-found", `The partition ${name === undefined ? `with ID ${idText}` : `named ${name}`} was not found.`, { hsc: "HSCL8012" });
  const anySlot = slotText === undefined || slotText === "any";
  if (!anySlot && !(/^\d{1,5}$/.test(slotText) && Number(slotText) >= 2 && Number(slotText) <= 65534)) throw invalidValue("remote_slot_num", slotText, "a virtual slot number from 2 to 65534, or any");
  if (role === "client" && (any || anySlot)) throw invalidValue("remote_slot_num", slotText, "a client adapter names its server's partition and slot");
  return { slot, role, remoteLparId: any ? null : (found?.lparId ?? idOf(idText)!), remoteSlot: anySlot ? null : SlotNumber.parse(Number(slotText)), required: bit(items, "is_required") } as const;
}

function fibreChannel(items: readonly RecordItem[], slot: SlotNumber, system: ManagedSystem) {
  checkRecord(items, FC_RECORD);
  const value = scsi(items.filter((item) => item.name !== "wwpns"), slot, system);
  const names = valueOf(items, "wwpns");
  if (names !== undefined && value.role === "server") throw invalidValue("wwpns", names, "a server adapter has none");
  return { ...value, wwpns: names === undefined ? null : parseWwpns(names, (why) => invalidValue("wwpns", names, why)), active: 0 } as const;
}

function ethernet(items: readonly RecordItem[], slot: SlotNumber): VirtualEthernetAdapter {
  checkRecord(items, ETHERNET_RECORD);
  const macText = valueOf(items, "mac_addr")?.toUpperCase();
  const mac = macText === undefined ? null : MacAddress.safeParse(macText).data;
  if (mac === undefined) throw invalidValue("mac_addr", macText, "12 hexadecimal digits");
  if (valueOf(items, "port_vlan_id") === undefined) throw invalidValue("port_vlan_id", undefined, "a VLAN ID from 1 to 4094");
  return switched(items, { slot, ieee: false, portVlanId: VlanId.parse(1), additionalVlanIds: [], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac });
}

/** An adapter with the VLAN of a checked record. @throws OlpmError invalid-argument */
function switched(items: readonly RecordItem[], before: VirtualEthernetAdapter): VirtualEthernetAdapter {
  const vlan = (text: string, name: string): VlanId => {
    const parsed = VlanId.safeParse(/^\d{1,4}$/.test(text) ? Number(text) : 0);
    if (!parsed.success) throw invalidValue(name, text, "a VLAN ID from 1 to 4094");
    return parsed.data;
  };
  const pvid = valueOf(items, "port_vlan_id");
  const vswitch = valueOf(items, "vswitch") ?? before.vswitch;
  if (vswitch === "") throw invalidValue("vswitch", vswitch, "the name of a virtual switch");
  const listed = valueOf(items, "addl_vlan_ids");
  const additionalVlanIds = listed === undefined ? before.additionalVlanIds : listed === "" || listed === "none" ? [] : splitList(listed).map((one) => vlan(one, "addl_vlan_ids"));
  const after = { ...before, ieee: bit(items, "ieee_virtual_eth", before.ieee), portVlanId: pvid === undefined ? before.portVlanId : vlan(pvid, "port_vlan_id"), additionalVlanIds, vswitch, required: bit(items, "is_required", before.required) };
  const wrong = whyNotVlans(after);
  if (wrong !== null) throw invalidValue("addl_vlan_ids", additionalVlanIds.join(","), wrong);
  return after;
}

/** As the managed system has it (vswitches.ts). */
const SWITCH_NAME = /^[^()<>*$&?|[\]'"`,=\\\x00-\x1f\x7f/]{1,31}$/;
async function changeSwitch(options: Options, context: CommandContext, system: ManagedSystem): Promise<number> {
  const [name, operation] = [options.get("--vswitch"), options.get("-o")];
  if (name === undefined) throw missingParameter("--vswitch");
  const how = { signal: context.signal };
  if (operation === "r") {
    if (options.has("-a")) throw invalidParameter("-a");
    await system.client.call("vswitch.remove", { name }, how);
    return 0;
  }
  const items = options.has("-a") ? parseRecord(options.get("-a")!) : [];
  checkRecord(items, SWITCH_RECORD);
  const newName = valueOf(items, "new_name");
  const wrong = [name, newName ?? name].find((one) => !SWITCH_NAME.test(one));
  if (wrong !== undefined) throw new OlpmError("invalid-argument", `${wrong === "" ? "An empty text" : wrong} is no name of a virtual switch: 1 to 31 characters, none of ( ) < > * $ & ? | [ ] ' " \` , = \\ /. Please check your entry and retry the command.`);
  if (operation === "a" && newName !== undefined) throw invalidValue("new_name", newName, "it is for -o s; --vswitch names the new one");
  if (operation === "s" && items.length === 0) throw missingParameter("-a");
  await system.client.call("vswitch.put", { name, ...(newName === undefined ? {} : { newName }), mustExist: operation === "s" }, how);
  return 0;
}
