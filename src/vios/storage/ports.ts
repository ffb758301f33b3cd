/** Ports of a Virtual I/O Server to the SAN, which virtual Fibre Channel adapters share: `fcsN` is the Nth portal of its configuration. Pure. */
import type { Wwpn } from "../../model/ids.js";
import type { ViosDevices } from "../../wire/system-vios.js";
import type { SanConfig } from "../san/discover.js";

/** Virtual adapters that a port takes, as a physical one does (lpm-process 4.9 V21). */
export const PORT_ADAPTERS_MAX = 64;

export interface FcPort {
  readonly name: string;
  readonly portal: string;
  readonly available: number;
}

export function portsOf(san: Pick<SanConfig, "portals">, devices: Pick<ViosDevices, "fc">): FcPort[] {
  return san.portals.map((portal, n) => ({ name: `fcs${n}`, portal, available: PORT_ADAPTERS_MAX - devices.fc.filter((adapter) => adapter.port === `fcs${n}`).length }));
}
export const portalOf = (san: Pick<SanConfig, "portals">, port: string): string | undefined => san.portals[Number(port.slice("fcs".length))];

/** The SAN as a client partition sees it: its name in the place of the VIOS's. */
export const asClient = (san: SanConfig, wwpn: Wwpn, portals: readonly string[] = san.portals): SanConfig => ({ portals, initiatorName: `naa.${wwpn}` });
