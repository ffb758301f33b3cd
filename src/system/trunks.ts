/** Where adapters are in the virtual switches: those of client partitions, and the trunks of the Virtual I/O Servers, of which one carries each VLAN. */
import { invariant } from "../kit/invariant.js";
import { LparId } from "../model/ids.js";
import type { VirtualEthernetAdapter } from "../model/lpar.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { Hypervisor } from "./contract.js";
import type { GuestWatcher } from "./guests.js";
import type { Network, Plug, Trunk } from "./network.js";
import type { PartitionProcess } from "./qemu/contract.js";
import { trunkInterface } from "./vioses.js";
import type { VirtualSwitches } from "./vswitches.js";

/** What is needed of the hypervisor. */
interface Wired extends Pick<Hypervisor, "vioses" | "emit"> {
  readonly config: Pick<SystemConfig, "vioses">;
  readonly vswitches: Pick<VirtualSwitches, "get">;
  readonly network: Pick<Network, "activate">;
  readonly guests: Pick<GuestWatcher, "news">;
  readonly processes: { all(): PartitionProcess[] };
}

/** All trunks of the system whose VIOS runs; the one with the lowest priority of each VLAN is made the active one. */
export async function arrangeTrunks(hypervisor: Wired): Promise<void> {
  const trunks = hypervisor.vioses().flatMap((vios) => trunksOf(hypervisor, vios.lparId));
  const vlans = new Map<string, Trunk[]>();
  for (const trunk of trunks) vlans.set(`${trunk.vswitchId}/${trunk.vlanId}`, [...(vlans.get(`${trunk.vswitchId}/${trunk.vlanId}`) ?? []), trunk]);
  for (const group of vlans.values()) await hypervisor.network.activate(group, activeTrunk(group)?.lparId);
  // The LAN learns the new way from the partitions themselves, but those that are silent are announced.
  for (const process of hypervisor.processes.all()) if (!process.spec.incoming || hypervisor.guests.news(LparId.parse(process.spec.lparId)).rmc === "active") await process.announce().catch(() => undefined);
  hypervisor.emit("system.changed", {});
}

/** One for each VLAN of each shared Ethernet adapter. */
export function trunksOf(hypervisor: Pick<Wired, "config" | "vswitches">, viosLparId: LparId): Trunk[] {
  const hardware = hypervisor.config.vioses.find((one) => one.lparId === viosLparId);
  invariant(hardware, "a Virtual I/O Server has its hardware in the configuration");
  return hardware.sea.flatMap((sea, index) => sea.vlanIds.map((vlanId): Trunk => ({ lparId: viosLparId, vswitchId: hypervisor.vswitches.get(sea.vswitch).id, vlanId, priority: sea.trunkPriority, namespace: hardware.namespace, remoteName: trunkInterface(hardware, index, vlanId) })));
}

export function plugOf(hypervisor: Pick<Wired, "vswitches">, lparId: LparId, { slot, vswitch, portVlanId, additionalVlanIds }: VirtualEthernetAdapter): Plug {
  return { lparId, slot, vswitchId: hypervisor.vswitches.get(vswitch).id, vlanId: portVlanId, additionalVlanIds };
}

export const activeTrunk = <T extends Pick<Trunk, "priority" | "lparId">>(group: readonly T[]): T | undefined => [...group].sort((a, b) => a.priority - b.priority || a.lparId - b.lparId)[0];
