/** Row N: virtual networks (lpm-process 4.10, 5.5). Pure. */
import { switchThere } from "../definition.js";
import type { SystemFacts } from "../facts.js";
import { here, nameOf, there, type Case, type Rule, type Said } from "./rule.js";

export const adaptersOf = (f: Case) => f.resources?.ethernet ?? [];
/** Each VLAN of each adapter, with the switches here and there. */
const vlansOf = (f: Case) =>
  adaptersOf(f).flatMap((adapter) => [adapter.portVlanId, ...adapter.additionalVlanIds].map((vlanId) => ({ vlanId: vlanId as number, slot: adapter.slot, from: adapter.vswitch, to: switchThere(f.wanted.vswitches, adapter.vswitch, adapter.portVlanId) })));
const bridged = (system: SystemFacts, vswitch: string, vlanId: number): boolean => system.view.sharedEthernet.some((sea) => sea.vswitch === vswitch && (sea.vlanIds as readonly number[]).includes(vlanId));

export const NETWORK: readonly Rule[] = [
  { row: "N01", hsc: "OLPM-VN01", checks: "the virtual switches, by name or by `vswitch_mappings`, are on the destination with the same mode", severity: "error", kinds: "both", find: (f) => [
    ...adaptersOf(f).map((adapter): Said => {
      const to = switchThere(f.wanted.vswitches, adapter.vswitch, adapter.portVlanId);
      const found = f.destination.view.vswitches.find((vswitch) => vswitch.name === to);
      if (!found) return [`${there(f)} has no virtual switch ${to}, which the adapter in slot ${adapter.slot} uses.`, "Create it with chhwres -r virtualio --rsubtype vswitch, or name another with vswitch_mappings."];
      const mode = f.source.view.vswitches.find((vswitch) => vswitch.name === adapter.vswitch)?.mode;
      return mode !== undefined && mode !== found.mode && [`The virtual switch ${to} of ${there(f)} has the mode ${found.mode}; ${adapter.vswitch} of ${here(f)}, which the adapter in slot ${adapter.slot} uses, has ${mode}.`, "Give both switches the same mode."];
    }),
    ...f.wanted.vswitches.map((asked): Said => !adaptersOf(f).some((adapter) => adapter.vswitch === asked.from && (asked.vlanId === null || asked.vlanId === adapter.portVlanId)) && [`The mapping of virtual switch ${asked.from}${asked.vlanId === null ? "" : `, VLAN ${asked.vlanId},`} to ${asked.to} fits no adapter of partition ${nameOf(f)}.`, "Leave it out, or name the switch and the port VLAN of one of its adapters."]),
  ] },
  { row: "N02", hsc: "OLPM-VN02", checks: "every VLAN that is bridged on the source is bridged on the destination", severity: "error", kinds: "both", demoted: { by: "--vlanbridge 2", when: (f) => f.wanted.levels.vlanBridge === 2 }, find: (f) =>
    vlansOf(f).map(({ vlanId, slot, from, to }): Said => bridged(f.source, from, vlanId) && !bridged(f.destination, to, vlanId) && [`VLAN ${vlanId} of the adapter in slot ${slot} is bridged on ${here(f)}, and no shared Ethernet adapter of a running Virtual I/O Server bridges it on ${there(f)}.`, f.wanted.levels.vlanBridge === 2 ? "The partition will have no network on it." : "Activate or configure a shared Ethernet adapter there, or go on without that network with --vlanbridge 2."]) },
  { row: "N03", hsc: "OLPM-VN03", checks: "a VLAN that is bridged nowhere has no other partition of the source on it", severity: "warning", kinds: "both", find: (f) =>
    vlansOf(f).map(({ vlanId, slot, from }): Said => {
      if (bridged(f.source, from, vlanId)) return undefined;
      const neighbours = f.source.lpars.filter((lpar) => lpar.lparId !== f.lpar.lparId && (lpar.definition.current?.ethernet ?? []).some((one) => one.vswitch === from && [one.portVlanId, ...one.additionalVlanIds].includes(vlanId as never))).map((lpar) => lpar.definition.name);
      return neighbours.length > 0 && [`VLAN ${vlanId} of the adapter in slot ${slot} is internal to ${here(f)}; the partition will not reach ${neighbours.join(", ")} on it any more.`, "Bridge the VLAN on both systems, or move its partitions together."];
    }) },
  { row: "N04", hsc: "OLPM-VN04", checks: "no trunk adapters", severity: "error", kinds: "both", find: (f) => adaptersOf(f).map((adapter): Said => adapter.trunkPriority > 0 && f.lpar.definition.environment !== "vioserver" && [`The virtual Ethernet adapter in slot ${adapter.slot} is a trunk adapter.`, "Take it away; only a Virtual I/O Server bridges."]) },
];
