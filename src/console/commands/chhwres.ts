import { OlpmError } from "../../kit/errors.js";
import { LparId, SlotNumber, VlanId } from "../../model/ids.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { missingParameter } from "../grammar/options.js";
import { parseRecord, splitList, valueOf, type RecordItem } from "../grammar/record.js";
import type { Command, Options } from "./command.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

/** hmc-cli 6.9, the part for virtual adapters and switches. */
export const chhwres: Command = {
  name: "chhwres",
  summary: "changes hardware resources: virtual adapters and virtual switches",
  synopsis: ["chhwres -r virtualio -m managed-system -o a {-p partition-name | --id partition-ID} --rsubtype {scsi | eth} [-s virtual-slot] -a \"attributes\"", "chhwres -r virtualio -m managed-system -o r {-p partition-name | --id partition-ID} [--rsubtype {scsi | eth}] -s virtual-slot [--force]", "chhwres -r virtualio -m managed-system -o {a | r | s} --rsubtype vswitch --vswitch name [-a \"new_name=...,switch_mode={VEB | VEPA}\"]"],
  options: [
    { name: "-r", argument: "resource", help: "what to change", required: true, values: ["virtualio", "mem", "proc", "io", "mempool", "procpool", "sriov"] },
    SYSTEM_OPTION,
    { name: "-o", argument: "operation", help: "a adds, r removes, s sets", required: true, values: ["a", "r", "s", "m", "d", "e"] },
    ...LPAR_OPTIONS,
    { name: "--rsubtype", argument: "subtype", help: "which kind of virtual resource", values: ["scsi", "eth", "vswitch", "fc", "serial", "vnic"] },
    { name: "-s", argument: "virtual-slot", help: "the adapter's slot; the lowest free one without it", number: { min: 2, max: 65534 } },
    { name: "-a", argument: "attributes", help: "scsi: adapter_type, remote_lpar_id or remote_lpar_name, remote_slot_num, is_required; eth: ieee_virtual_eth, port_vlan_id, addl_vlan_ids, is_trunk, trunk_priority, vswitch, mac_addr, is_required" },
    { name: "--vswitch", argument: "name", help: "the virtual switch" },
    { name: "-q", argument: "quantity", help: "MB of memory" },
    { name: "--procs", argument: "number", help: "processors" },
    { name: "--procunits", argument: "units", help: "processing units" },
    { name: "-t", argument: "target-partition", help: "partition to move to" },
    { name: "--tid", argument: "target-ID", help: "the same, by ID" },
    { name: "-l", argument: "slot", help: "physical slot" },
    { name: "-w", argument: "minutes", help: "time for the operating system", withoutEffect: true },
    { name: "-d", argument: "detail-level", help: "level of detail", withoutEffect: true },
    { name: "--force", argument: null, help: "removes an adapter also when target devices hang on it" },
  ],
  details: ["Server adapters of a Virtual I/O Server can be changed while it runs; adapters of a client partition while it is not activated.", 'Example:\nchhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype scsi -s 10 -a "adapter_type=server,remote_lpar_name=db01,remote_slot_num=2"'],
  run: async (options, context) => {
    const resource = options.get("-r")!;
    if (resource !== "virtualio") throw new OlpmError("unsupported", `chhwres -r ${resource} is not available in this version.`, { action: "Change the profile with chsyscfg -r prof and activate the partition again." });
    const system = systemOf(options, context);
    const subtype = options.get("--rsubtype");
    if (subtype === "vswitch") return changeSwitch(options, context, system);
    if (subtype === "fc" || subtype === "serial" || subtype === "vnic") throw new OlpmError("unsupported", `Virtual adapters of the kind ${subtype} are not available in this version.`);
    const lpar = lparOf(options, context, system);
    const operation = options.get("-o");
    if (operation === "a") return addAdapter(options, context, system, lpar);
    if (operation !== "r") throw missingParameter("-o");
    if (!options.has("-s")) throw missingParameter("-s");
    await system.client.call("adapter.remove", { lparId: lpar.lparId, slot: SlotNumber.parse(options.number("-s")), force: options.has("--force") }, { signal: context.signal });
    return 0;
  },
};

async function addAdapter(options: Options, context: CommandContext, system: ManagedSystem, lpar: LparView): Promise<number> {
  const subtype = options.get("--rsubtype");
  if (subtype === undefined) throw missingParameter("--rsubtype");
  const items = parseRecord(options.get("-a") ?? "");
  const slot = SlotNumber.parse(options.number("-s") ?? freeSlot(lpar));
  const adapter = subtype === "scsi" ? { kind: "scsi" as const, value: scsi(items, slot, system) } : { kind: "ethernet" as const, value: ethernet(items, slot) };
  await system.client.call("adapter.add", { lparId: lpar.lparId, adapter }, { signal: context.signal });
  return 0;
}

function freeSlot(lpar: LparView): number {
  const resources = lpar.definition.current ?? lpar.definition.profiles[0]?.resources;
  const taken = new Set<number>([...(resources?.scsi ?? []), ...(resources?.ethernet ?? [])].map((one) => one.slot));
  let slot = 2;
  while (taken.has(slot)) slot++;
  return slot;
}

const bad = (name: string, value: string | undefined, right: string) => new OlpmError("invalid-argument", `The value ${value ?? "(missing)"} of attribute ${name} is not valid: ${right}. Please check your entry and retry the command.`);
function known(items: readonly RecordItem[], names: readonly string[]): void {
  const other = items.find((item) => !names.includes(item.name) || item.operator !== "=");
  if (other) throw new OlpmError("invalid-argument", `An invalid attribute was entered. The invalid attribute is ${other.name}. Please check your entry and retry the command.`);
}
function bit(items: readonly RecordItem[], name: string): boolean {
  const value = valueOf(items, name) ?? "0";
  if (value !== "0" && value !== "1") throw bad(name, value, "0 or 1");
  return value === "1";
}

function scsi(items: readonly RecordItem[], slot: SlotNumber, system: ManagedSystem) {
  known(items, ["adapter_type", "remote_lpar_id", "remote_lpar_name", "remote_slot_num", "is_required"]);
  const role = valueOf(items, "adapter_type");
  if (role !== "client" && role !== "server") throw bad("adapter_type", role, "client or server");
  const [name, idText, slotText] = [valueOf(items, "remote_lpar_name"), valueOf(items, "remote_lpar_id"), valueOf(items, "remote_slot_num")];
  if (name === undefined && idText === undefined) throw bad("remote_lpar_id", undefined, "the partner's ID, remote_lpar_name=NAME, or any for a server adapter");
  const any = idText === "any" || name === "any";
  const found = system.lpars().find((lpar) => (name === undefined || lpar.definition.name === name) && (idText === undefined || String(lpar.lparId) === idText));
  if (!any && !found && (name !== undefined || role === "client")) throw new OlpmError("not-found", `The partition ${name === undefined ? `with ID ${idText}` : `named ${name}`} was not found.`, { hsc: "HSCL8012" });
  if (!any && !found && !/^\d{1,5}$/.test(idText ?? "")) throw bad("remote_lpar_id", idText, "a partition ID");
  if (slotText !== undefined && slotText !== "any" && !/^\d{1,5}$/.test(slotText)) throw bad("remote_slot_num", slotText, "a virtual slot number");
  if (role === "client" && (any || slotText === undefined || slotText === "any")) throw bad("remote_slot_num", slotText, "a client adapter names its server's partition and slot");
  return { slot, role, remoteLparId: any ? null : (found?.lparId ?? LparId.parse(Number(idText))), remoteSlot: slotText === undefined || slotText === "any" ? null : SlotNumber.parse(Number(slotText)), required: bit(items, "is_required") } as const;
}

function ethernet(items: readonly RecordItem[], slot: SlotNumber) {
  known(items, ["ieee_virtual_eth", "port_vlan_id", "addl_vlan_ids", "is_trunk", "trunk_priority", "vswitch", "mac_addr", "is_required", "allowed_os_mac_addrs", "qos_priority"]);
  const vlan = (text: string | undefined, name: string) => {
    const parsed = VlanId.safeParse(/^\d{1,4}$/.test(text ?? "") ? Number(text) : 0);
    if (!parsed.success) throw bad(name, text, "a VLAN ID from 1 to 4094");
    return parsed.data;
  };
  const mac = valueOf(items, "mac_addr")?.toUpperCase();
  if (mac !== undefined && !/^[0-9A-F]{12}$/.test(mac)) throw bad("mac_addr", mac, "12 hexadecimal digits");
  const priority = bit(items, "is_trunk") ? Number(valueOf(items, "trunk_priority") ?? "1") : 0;
  if (!Number.isInteger(priority) || priority < 0 || priority > 15) throw bad("trunk_priority", valueOf(items, "trunk_priority"), "1 to 15");
  return { slot, ieee: bit(items, "ieee_virtual_eth"), portVlanId: vlan(valueOf(items, "port_vlan_id"), "port_vlan_id"), additionalVlanIds: splitList(valueOf(items, "addl_vlan_ids") ?? "").map((one) => vlan(one, "addl_vlan_ids")), trunkPriority: priority, required: bit(items, "is_required"), vswitch: valueOf(items, "vswitch") ?? "ETHERNET0", mac: (mac ?? null) as never };
}

async function changeSwitch(options: Options, context: CommandContext, system: ManagedSystem): Promise<number> {
  const name = options.get("--vswitch");
  if (name === undefined) throw missingParameter("--vswitch");
  const how = { signal: context.signal };
  const operation = options.get("-o");
  if (operation === "r") {
    await system.client.call("vswitch.remove", { name }, how);
    return 0;
  }
  if (operation !== "a" && operation !== "s") throw missingParameter("-o");
  const items = parseRecord(options.get("-a") ?? "");
  known(items, ["new_name", "switch_mode"]);
  const [newName, mode] = [valueOf(items, "new_name"), valueOf(items, "switch_mode")];
  if (mode !== undefined && mode !== "VEB" && mode !== "VEPA") throw bad("switch_mode", mode, "VEB or VEPA");
  await system.client.call("vswitch.put", { name, ...(newName === undefined ? {} : { newName }), ...(mode === undefined ? {} : { mode }), mustExist: operation === "s" }, how);
  return 0;
}
