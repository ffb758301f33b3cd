/**
 * Virtual Fibre Channel in a migration: the destination's server adapters, logged in with the WWPN of each pair that the source does not use, so that both systems see
 * the storage and only the source can write (lpm-process 5.4, P3). The source logs out when it is cleaned.
 */
import { until } from "../../kit/wait.js";
import type { LparId, SlotNumber } from "../../model/ids.js";
import type { LparDefinition, StorageMapping } from "../../model/lpar.js";
import type { PlannedFc } from "../../wire/console-system.js";
import type { Hypervisor } from "../contract.js";
import { withResources } from "./placement.js";

/** Each LUN is logged in to and looked at. */
const LOGIN_MS_MAX = 30_000;
const SETTLE_MS_MAX = 5_000;

/** The plan with a free server slot where none is asked for; `beside`: what the same migration takes besides. */
export function placeFc(hypervisor: Hypervisor, planned: readonly PlannedFc[], beside: readonly StorageMapping[]): PlannedFc[] {
  const promised = hypervisor.store.lpars().flatMap((row) => [...row.storage, ...row.fc]);
  const placed: PlannedFc[] = [];
  for (const want of planned) {
    const taken = new Set([...promised, ...beside, ...placed].filter((one) => one.viosLparId === want.viosLparId).map((one) => one.viosSlot));
    const used = (slot: SlotNumber) => taken.has(slot) || hypervisor.view(want.viosLparId).definition.current?.fc.some((one) => one.slot === slot) || hypervisor.view(want.viosLparId).definition.current?.scsi.some((one) => one.slot === slot);
    let slot = want.viosSlot !== null && !used(want.viosSlot) ? want.viosSlot : hypervisor.freeSlot(want.viosLparId);
    while (used(slot)) slot = (slot + 1) as SlotNumber;
    placed.push({ ...want, viosSlot: slot });
  }
  return placed;
}

/** The definition with client adapters that point at the destination's VIOSes, and the turn of their WWPNs changed to the one that logs in there. */
export function withFc(definition: LparDefinition, placed: readonly PlannedFc[]): LparDefinition {
  return withResources(definition, (resources) => ({
    ...resources,
    fc: resources.fc.map((adapter) => {
      const mapping = placed.find((one) => one.clientSlot === adapter.slot);
      return adapter.role === "client" && mapping ? { ...adapter, remoteLparId: mapping.viosLparId, remoteSlot: mapping.viosSlot, active: adapter.wwpns?.[1] === mapping.wwpn ? 1 : 0 } : adapter;
    }),
  }));
}

/** Makes and maps the server adapters of a partition that is reserved here, and logs them in where LUNs are promised. May be repeated. @throws OlpmError lun-not-visible ... */
export async function attachFc(hypervisor: Hypervisor, lparId: LparId): Promise<void> {
  const { fc, definition } = hypervisor.row(lparId);
  for (const { viosLparId, viosSlot, clientSlot, port, wwpn, luns } of fc) {
    const vios = hypervisor.vios(viosLparId);
    if (viosSlot === null) continue; // placeFc leaves none
    await vios.client.call("fc.put", { slot: viosSlot, clientLparId: lparId, clientSlot, port });
    if (luns.length > 0) await vios.client.call("fc.login", { slot: viosSlot, wwpn, clientName: definition.name, luns: [...luns] }, { deadlineMs: LOGIN_MS_MAX });
  }
  const listed = () => fc.every((want) => hypervisor.view(lparId).fc.some((has) => has.clientSlot === want.clientSlot && want.luns.every(({ lun }) => has.luns.some((one) => one.lun === lun))));
  await until(() => listed() || undefined, { what: "the virtual Fibre Channel adapters in the VIOS's list", deadlineMs: SETTLE_MS_MAX, everyMs: 10, clock: hypervisor.clock });
}

/** Logs out and removes server adapters, also from the list of a VIOS that does not run. */
export async function removeFc(hypervisor: Hypervisor, mappings: readonly { readonly viosLparId: LparId; readonly viosSlot: SlotNumber | null }[]): Promise<void> {
  for (const { viosLparId, viosSlot } of mappings) {
    if (viosSlot !== null) await hypervisor.unmap({ viosLparId, viosSlot });
  }
}
