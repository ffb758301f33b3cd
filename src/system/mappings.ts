/** Which LUNs a client partition's adapters reach: what its adapters say and what the VIOSes' device lists say, where both agree. Pure. */
import type { LparId, LunId, SlotNumber } from "../model/ids.js";
import { mayRun } from "../model/ownership.js";
import type { FcMapping, ResourceConfig, StorageMapping } from "../model/lpar.js";
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

const serves = (server: Pick<ViosServerAdapter, "clientLparId" | "clientSlot">, clientId: LparId, clientSlot: number): boolean => (server.clientLparId === null || server.clientLparId === clientId) && (server.clientSlot === null || server.clientSlot === clientSlot);

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

/** The same for virtual Fibre Channel. A server adapter is here when it is there, mapped to a port or not, logged in or not. */
export function fcOf(row: LparRow, vioses: readonly ViosRow[]): FcMapping[] {
  const clients = (effectiveResources(row)?.fc ?? []).filter((adapter) => adapter.role === "client").sort((a, b) => a.slot - b.slot);
  return clients.flatMap((client) =>
    vioses
      .filter((vios) => vios.lparId === client.remoteLparId)
      .flatMap((vios) =>
        vios.devices.fc
          .filter((server) => server.slot === client.remoteSlot && serves(server, row.lparId, client.slot))
          .map((server) => ({
            clientSlot: client.slot,
            viosLparId: vios.lparId,
            viosSlot: server.slot,
            vfchost: server.name,
            port: server.port,
            wwpn: server.wwpn,
            luns: vios.devices.targets.filter((target) => target.slot === server.slot && target.wwpn !== undefined && target.wwpn === server.wwpn).map((target) => ({ vtd: target.name, lun: target.lun, lunBytes: target.lunBytes })),
          })),
      ),
  );
}

/** One target device of a partition: what its gate and its place among the disks depend on. */
export interface Device {
  readonly clientSlot: SlotNumber;
  readonly viosLparId: LparId;
  readonly viosSlot: SlotNumber;
  readonly vtd: string;
  readonly lun: LunId;
}
/** All target devices of a partition, of both kinds. */
export function devicesOf(row: LparRow, vioses: readonly ViosRow[]): Device[] {
  return [...storageOf(row, vioses), ...fcOf(row, vioses).flatMap(({ clientSlot, viosLparId, viosSlot, luns }) => luns.map(({ vtd, lun }) => ({ clientSlot, viosLparId, viosSlot, vtd, lun })))];
}

/** The device list for a VIOS that starts, without the logins of partitions that are not there: only a partition that has a process here is logged in to the SAN. */
export function withLogins(viosId: LparId, devices: ViosDevices, clients: readonly { readonly storage: readonly Device[]; readonly present: boolean }[]): ViosDevices {
  const wanted = new Set(clients.filter((client) => client.present).flatMap((client) => client.storage.filter((mapping) => mapping.viosLparId === viosId).map((mapping) => mapping.vtd)));
  const targets = devices.targets.filter((target) => target.wwpn === undefined || wanted.has(target.name));
  return { ...devices, targets, fc: devices.fc.map((adapter) => (targets.some((target) => target.wwpn !== undefined && target.slot === adapter.slot) ? adapter : { ...adapter, wwpn: null, clientName: null })) };
}

/** Whether the LUNs of a partition are open: as this process asked last, within what ownership allows; after a restart of it, for an owner that is to run. */
export const mayWrite = (row: Pick<LparRow, "ownership" | "power">, asked: "open" | "closed" | undefined): boolean =>
  asked === undefined ? mayRun(row.ownership) && row.power === "on" : asked === "open" && (mayRun(row.ownership) || row.ownership.kind === "reserved");

/** The device list for a VIOS that starts: every gate as the ownership of the client says, whatever it was before. */
export function withGates(viosId: LparId, devices: ViosDevices, clients: readonly { readonly storage: readonly Pick<Device, "viosLparId" | "vtd">[]; readonly mayWrite: boolean }[]): ViosDevices {
  const open = new Set(clients.filter((client) => client.mayWrite).flatMap((client) => client.storage.filter((mapping) => mapping.viosLparId === viosId).map((mapping) => mapping.vtd)));
  return { ...devices, targets: devices.targets.map((target) => ({ ...target, gate: open.has(target.name) ? "open" : "closed" })) };
}
