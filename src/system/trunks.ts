/** The trunks of the Virtual I/O Servers into the virtual switches: which of those that serve one VLAN carries it. */
import { invariant } from "../kit/invariant.js";
import { LparId } from "../model/ids.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { Hypervisor } from "./contract.js";
import type { GuestWatcher } from "./guests.js";
import type { Network, Trunk } from "./network.js";
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
  const trunks = hypervisor.vioses().map((vios) => trunkOf(hypervisor, vios.lparId));
  const vlans = new Map<string, Trunk[]>();
  for (const trunk of trunks) vlans.set(`${trunk.vswitchId}/${trunk.vlanId}`, [...(vlans.get(`${trunk.vswitchId}/${trunk.vlanId}`) ?? []), trunk]);
  for (const group of vlans.values()) await hypervisor.network.activate(group, activeTrunk(group)?.lparId);
  // The LAN learns the new way from the partitions themselves, but those that are silent are announced.
  for (const process of hypervisor.processes.all()) if (!process.spec.incoming || hypervisor.guests.news(LparId.parse(process.spec.lparId)).rmc === "active") await process.announce().catch(() => undefined);
  hypervisor.emit("system.changed", {});
}

export function trunkOf(hypervisor: Pick<Wired, "config" | "vswitches">, viosLparId: LparId): Trunk {
  const hardware = hypervisor.config.vioses.find((one) => one.lparId === viosLparId);
  invariant(hardware, "a Virtual I/O Server has its hardware in the configuration");
  const { sea } = hardware;
  return { lparId: viosLparId, vswitchId: hypervisor.vswitches.get(sea.vswitch).id, vlanId: sea.vlanIds[0] ?? 1, priority: sea.trunkPriority, namespace: hardware.namespace, remoteName: trunkInterface(0) };
}

export const activeTrunk = (group: readonly Trunk[]): Trunk | undefined => [...group].sort((a, b) => a.priority - b.priority || a.lparId - b.lparId)[0];
