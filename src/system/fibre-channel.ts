/**
 * Login of a partition's virtual Fibre Channel adapters on the Virtual I/O Servers of this system: at activation, by the WWPN of each pair that is in turn;
 * logged out when the partition is off. During a migration the destination logs in with the other one (migration/destination.ts).
 */
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import type { LparId, Wwpn } from "../model/ids.js";
import type { LparView, ResourceConfig, VirtualFcAdapter } from "../model/lpar.js";
import type { ViosHandle } from "./contract.js";

/** What is needed of the hypervisor. */
interface Login {
  readonly log: Logger;
  view(lparId: LparId): LparView;
  vioses(): ViosHandle[];
}

/** The SAN is asked and every LUN is logged in to. */
const LOGIN_MS_MAX = 30_000;

/** The WWPN that is in turn. */
export const activeWwpn = (adapter: VirtualFcAdapter): Wwpn | null => adapter.wwpns?.[adapter.active] ?? null;

/** A profile says which WWPNs an adapter has; which of them is in turn is kept from `before`. */
export function withTurns(resources: ResourceConfig, before: ResourceConfig | null): ResourceConfig {
  const turnOf = (adapter: VirtualFcAdapter) => before?.fc.find((one) => one.wwpns !== null && one.wwpns[0] === adapter.wwpns?.[0] && one.wwpns[1] === adapter.wwpns[1])?.active;
  return { ...resources, fc: resources.fc.map((adapter) => ({ ...adapter, active: turnOf(adapter) ?? adapter.active })) };
}

/**
 * Logs every client adapter of the current configuration in. An adapter that is not required may be without its server.
 * @throws OlpmError wrong-state HSCL0DB9 (a required adapter has no running server, or is not mapped) | what the login says
 */
export async function loginFc(hypervisor: Login, lparId: LparId): Promise<void> {
  const view = hypervisor.view(lparId);
  for (const adapter of (view.definition.current?.fc ?? []).filter((one) => one.role === "client")) {
    try {
      await loginOne(hypervisor, view, adapter);
    } catch (error) {
      if (adapter.required) throw error;
      hypervisor.log.warn({ err: error, lpar: view.definition.name, slot: adapter.slot }, "a virtual Fibre Channel adapter that is not required has no way to the SAN");
    }
  }
}

async function loginOne(hypervisor: Login, view: LparView, adapter: VirtualFcAdapter): Promise<void> {
  const what = `The virtual Fibre Channel adapter in slot ${adapter.slot} of partition ${view.definition.name}`;
  const mapping = view.fc.find((one) => one.clientSlot === adapter.slot);
  const vios = hypervisor.vioses().find((one) => one.lparId === mapping?.viosLparId);
  const wwpn = activeWwpn(adapter);
  if (!mapping || !vios || wwpn === null) throw new OlpmError("wrong-state", `${what} has no server adapter on a running Virtual I/O Server.`, { hsc: "HSCL0DB9", action: "Activate the Virtual I/O Server, and look at lshwres -r virtualio --rsubtype fc --level lpar." });
  if (mapping.port === null) throw new OlpmError("wrong-state", `${what} is not mapped to a port: ${mapping.vfchost} on ${vios.name}.`, { hsc: "HSCL0DB9", action: `Run vfcmap -vadapter ${mapping.vfchost} -fcp fcs0 on ${vios.name}.` });
  await vios.client.call("fc.login", { slot: mapping.viosSlot, wwpn, clientName: view.definition.name, luns: null }, { deadlineMs: LOGIN_MS_MAX });
}

/** Logs all of them out. What fails is logged: the gates are closed, and the next start of the VIOS does not log in again. */
export async function logoutFc(hypervisor: Login, lparId: LparId): Promise<void> {
  const view = hypervisor.view(lparId);
  for (const mapping of view.fc.filter((one) => one.wwpn !== null)) {
    const vios = hypervisor.vioses().find((one) => one.lparId === mapping.viosLparId);
    await vios?.client.call("fc.logout", { slot: mapping.viosSlot }).catch((error: unknown) => hypervisor.log.warn({ err: toOlpmError(error, "logging out"), lpar: view.definition.name, slot: mapping.clientSlot }, "a virtual Fibre Channel adapter could not be logged out"));
  }
}
