/** Which LUNs a client partition's adapters reach: what its adapters say and what the VIOSes' device lists say, where both agree. Pure. */
import type { LparId } from "../model/ids.js";
import type { ResourceConfig, StorageMapping } from "../model/lpar.js";
import type { ViosDevices, ViosServerAdapter } from "../wire/system-vios.js";
import type { LparRow } from "./store.js";

/** The configuration that counts now: the current one, else the one that the default profile would give. */
export function effectiveResources(row: LparRow): ResourceConfig | null {
  return row.definition.current ?? row.definition.profiles.find((profile) => profile.name === row.definition.defaultProfile)?.resources ?? null;
}

interface ViosRow {
  readonly lparId: LparId;
  readonly devices: ViosDevices;
}

const serves = (server: ViosServerAdapter, clientId: LparId, clientSlot: number): boolean => (server.clientLparId === null || server.clientLparId === clientId) && (server.clientSlot === null || server.clientSlot === clientSlot);

/** In the order of client slots, and behind one adapter in the order in which the VIOS lists its target devices. */
export function storageOf(row: LparRow, vioses: readonly ViosRow[]): StorageMapping[] {
  const clients = (effectiveResources(row)?.scsi ?? []).filter((adapter) => adapter.role === "client").sort((a, b) => a.slot - b.slot);
  return clients.flatMap((client) =>
    vioses
      .filter((vios) => vios.lparId === client.remoteLparId)
      .flatMap((vios) =>
        vios.devices.adapters
          .filter((server) => server.slot === client.remoteSlot && serves(server, row.lparId, client.slot))
          .flatMap((server) => vios.devices.targets.filter((target) => target.slot === server.slot).map((target) => ({ clientSlot: client.slot, viosLparId: vios.lparId, viosSlot: server.slot, vtd: target.name, lun: target.lun, lunBytes: target.lunBytes }))),
      ),
  );
}

/** The device list for a VIOS that starts: every gate as the ownership of the client says, whatever it was before. */
export function withGates(viosId: LparId, devices: ViosDevices, clients: readonly { readonly storage: readonly StorageMapping[]; readonly mayWrite: boolean }[]): ViosDevices {
  const open = new Set(clients.filter((client) => client.mayWrite).flatMap((client) => client.storage.filter((mapping) => mapping.viosLparId === viosId).map((mapping) => mapping.vtd)));
  return { ...devices, targets: devices.targets.map((target) => ({ ...target, gate: open.has(target.name) ? "open" : "closed" })) };
}
