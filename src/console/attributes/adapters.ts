/** Virtual adapters as the HMC writes them in profiles, with slashes (hmc-cli 4.5). */
import { OlpmError } from "../../kit/errors.js";
import { LparId, MacAddress, SlotNumber, VlanId, WwpnPair } from "../../model/ids.js";
import { whyNotVlans, type VirtualEthernetAdapter, type VirtualFcAdapter, type VirtualScsiAdapter } from "../../model/lpar.js";

export type LookupVios = (by: { readonly name?: string; readonly id?: number }) => { readonly lparId: number } | undefined;

const SCSI_FORM = "slot/client-or-server/remote-lpar-ID/remote-lpar-name/remote-slot/is-required";
const FC_FORM = "slot/client-or-server/remote-lpar-ID/remote-lpar-name/remote-slot/[WWPN,WWPN]/is-required";
const ETHERNET_FORM = "slot/is-IEEE/port-vlan-ID/[additional-vlan-IDs]/[trunk-priority]/is-required[/[virtual-switch][/[MAC-address]/...]]";
const wrong = (attribute: string, text: string, why: string, form: string) => new OlpmError("invalid-argument", `The adapter ${text} of attribute ${attribute} is not valid: ${why}. The form is ${form}. Please check your entry and retry the command.`);

export function slotOf(text: string, attribute: string): number {
  const slot = Number(text.split("/")[0]);
  if (!/^\d{1,5}(\/|$)/.test(text) || slot < 2 || slot > 65534) throw wrong(attribute, text, "it begins with a virtual slot number from 2 to 65534", "slot/...");
  return slot;
}

export function scsiText(adapter: VirtualScsiAdapter, nameOf: (lparId: number) => string | undefined): string {
  const { slot, role, remoteLparId, remoteSlot, required } = adapter;
  return [slot, role, remoteLparId ?? "any", remoteLparId === null ? "" : (nameOf(remoteLparId) ?? ""), remoteSlot ?? "any", required ? 1 : 0].join("/");
}

/** A server adapter for any client has `any` as its partner; a client names its VIOS by ID or name. @throws OlpmError invalid-argument */
export function parseScsi(text: string, lookup: LookupVios): VirtualScsiAdapter {
  const fail = (why: string) => wrong("virtual_scsi_adapters", text, why, SCSI_FORM);
  const words = text.split("/");
  if (words.length !== 6) throw fail(`it has ${words.length} fields instead of 6`);
  return parsePair(words, slotOf(words[0] ?? "", "virtual_scsi_adapters"), lookup, fail);
}

/** The fields that a virtual SCSI and a virtual Fibre Channel adapter have in common. */
function parsePair(words: readonly string[], slotNumber: number, lookup: LookupVios, fail: (why: string) => OlpmError): VirtualScsiAdapter {
  const [, role = "", idText = "", name = "", remoteSlotText = "", required = ""] = words;
  const slot = SlotNumber.parse(slotNumber);
  if (role !== "client" && role !== "server") throw fail("the second field is client or server");
  if (required !== "0" && required !== "1") throw fail("the last field is 0 or 1");
  const any = idText === "any";
  if (any && role === "client") throw fail("a client adapter names its server");
  if (!any && idText !== "" && !LparId.safeParse(/^\d{1,5}$/.test(idText) ? Number(idText) : 0).success) throw fail("the remote partition ID is a number from 1 to 65534 or any");
  let remoteLparId: number | null = null;
  if (!any) {
    if (idText === "" && name === "") throw fail("the remote partition's ID or name is missing");
    const found = lookup({ ...(name === "" ? {} : { name }), ...(idText === "" ? {} : { id: Number(idText) }) });
    if (!found && role === "client") throw new OlpmError("not-found", `The partition ${name !== "" ? `named ${name}` : `with ID ${idText}`} was not found.`, { hsc: "HSCL8012" });
    remoteLparId = found?.lparId ?? (idText === "" ? null : Number(idText));
  }
  const anySlot = remoteSlotText === "any";
  if (!anySlot && !(/^\d{1,5}$/.test(remoteSlotText) && Number(remoteSlotText) >= 2 && Number(remoteSlotText) <= 65534)) throw fail("the remote slot is a number from 2 to 65534 or any");
  return { slot, role, remoteLparId: remoteLparId === null ? null : LparId.parse(remoteLparId), remoteSlot: anySlot ? null : SlotNumber.parse(Number(remoteSlotText)), required: required === "1" };
}

export function fcText(adapter: VirtualFcAdapter, nameOf: (lparId: number) => string | undefined): string {
  const words = scsiText(adapter, nameOf).split("/");
  return [...words.slice(0, 5), adapter.wwpns?.join(",") ?? "", words[5]].join("/");
}

/** Without WWPNs the managed system makes a pair; a server adapter has none. @throws OlpmError invalid-argument */
export function parseFc(text: string, lookup: LookupVios): VirtualFcAdapter {
  const fail = (why: string) => wrong("virtual_fc_adapters", text, why, FC_FORM);
  const words = text.split("/");
  if (words.length !== 7) throw fail(`it has ${words.length} fields instead of 7`);
  const pair = parsePair([...words.slice(0, 5), words[6]!], slotOf(words[0] ?? "", "virtual_fc_adapters"), lookup, fail);
  const names = words[5]!;
  if (names !== "" && pair.role === "server") throw fail("a server adapter has no WWPNs");
  return { ...pair, wwpns: names === "" ? null : parseWwpns(names, fail), active: 0 };
}
/** Two different names with a comma. */
export function parseWwpns(text: string, fail: (why: string) => OlpmError): WwpnPair {
  const parsed = WwpnPair.safeParse(text.toLowerCase().split(",").map((one) => one.trim()));
  if (!parsed.success || parsed.data[0] === parsed.data[1]) throw fail("WWPNs are two different names of 16 hexadecimal digits");
  return parsed.data;
}

export function ethernetText(adapter: VirtualEthernetAdapter): string {
  const { slot, ieee, portVlanId, additionalVlanIds, trunkPriority, required, vswitch, mac } = adapter;
  return [slot, ieee ? 1 : 0, portVlanId, additionalVlanIds.join(","), trunkPriority, required ? 1 : 0, vswitch, mac ?? "", "all", "none"].join("/");
}

/** @throws OlpmError invalid-argument */
export function parseEthernet(text: string): VirtualEthernetAdapter {
  const fail = (why: string) => wrong("virtual_eth_adapters", text, why, ETHERNET_FORM);
  const words = text.split("/");
  if (words.length < 6 || words.length > 10) throw fail(`it has ${words.length} fields`);
  const [slotText = "", ieee = "", pvid = "", addl = "", trunk = "", required = "", vswitch = "", mac = "", allowed = "", qos = ""] = words;
  if (allowed !== "" && allowed !== "all") throw fail("the operating system may take any address: all");
  if (qos !== "" && qos !== "none") throw fail("frames have no priorities: none");
  const slot = SlotNumber.parse(slotOf(slotText, "virtual_eth_adapters"));
  if (ieee !== "0" && ieee !== "1") throw fail("is-IEEE is 0 or 1");
  if (required !== "0" && required !== "1") throw fail("is-required is 0 or 1");
  const vlan = (value: string) => {
    const parsed = VlanId.safeParse(/^\d{1,4}$/.test(value) ? Number(value) : 0);
    if (!parsed.success) throw fail(`${value === "" ? "the VLAN ID" : value} is no VLAN ID from 1 to 4094`);
    return parsed.data;
  };
  const priority = trunk === "" ? 0 : Number(trunk);
  if (!/^\d{0,2}$/.test(trunk) || priority > 15) throw fail("the trunk priority is 0 to 15");
  const address = mac === "" ? undefined : MacAddress.safeParse(mac.toUpperCase());
  if (address && !address.success) throw fail("the MAC address has 12 hexadecimal digits");
  const adapter = { slot, ieee: ieee === "1", portVlanId: vlan(pvid), additionalVlanIds: addl === "" ? [] : addl.split(",").map(vlan), trunkPriority: priority, required: required === "1", vswitch: vswitch === "" ? "ETHERNET0" : vswitch, mac: address?.data ?? null };
  const wrongVlans = whyNotVlans(adapter);
  if (wrongVlans !== null) throw fail(wrongVlans);
  return adapter;
}
