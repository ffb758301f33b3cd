/**
 * What a managed system asks of a Virtual I/O Server, over a unix socket (0600) in the VIOS's run directory. The VIOS holds nothing that
 * outlives it: the system keeps the device list (`devices.changed`) and gives it back in the VIOS's configuration at its next start.
 */
import { z } from "zod";
import { LparId, LunId, MigrationId, SlotNumber, Wwpn } from "../model/ids.js";
import { MoverWay } from "../model/migration.js";
import { FcVisibility, LunVisibility } from "./console-system.js";

const Nothing = z.object({});

export const ViosDisk = z.object({ name: z.string().regex(/^hdisk\d+$/), lun: LunId, bytes: z.number().int(), target: z.string(), lunNumber: z.number().int(), portal: z.string(), state: z.enum(["available", "defined"]) });
export type ViosDisk = z.infer<typeof ViosDisk>;

/** A virtual SCSI server adapter: the VIOS's end of a client's adapter. client null: any. */
export const ViosServerAdapter = z.object({ name: z.string().regex(/^vhost\d+$/), slot: SlotNumber, clientLparId: LparId.nullable(), clientSlot: SlotNumber.nullable() });
export type ViosServerAdapter = z.infer<typeof ViosServerAdapter>;

/** A port to the SAN, `fcsN`: the Nth portal of the VIOS's configuration. */
export const FcPortName = z.string().regex(/^fcs\d{1,3}$/);

/** A virtual Fibre Channel server adapter. `port`: where vfcmap put it; `wwpn`: as whom it is logged in to the SAN now, for the partition `clientName`. */
export const ViosFcAdapter = z.object({ name: z.string().regex(/^vfchost\d+$/), slot: SlotNumber, clientLparId: LparId.nullable(), clientSlot: SlotNumber.nullable(), port: FcPortName.nullable(), wwpn: Wwpn.nullable(), clientName: z.string().nullable() });
export type ViosFcAdapter = z.infer<typeof ViosFcAdapter>;

/**
 * A virtual target device: one LUN behind one server adapter. Its gate is open only while this system owns the client partition. `wwpn`: the way to the LUN is
 * the client's own (virtual Fibre Channel); absent: the VIOS's (virtual SCSI).
 */
export const ViosTargetDevice = z.object({ name: z.string().min(1).max(64), slot: SlotNumber, lun: LunId, lunBytes: z.number().int(), gate: z.enum(["open", "closed"]), wwpn: Wwpn.optional() });
export type ViosTargetDevice = z.infer<typeof ViosTargetDevice>;

/**
 * The door of a server adapter: the socket at which the target devices behind it are served by NBD (export name = target device name), and the account
 * that may connect. One door each, so that a partition reaches no other's devices; only clients of a version that had one socket for all share theirs.
 */
export const ViosDoor = z.object({ slot: SlotNumber, socket: z.string(), uid: z.number().int().min(0), gid: z.number().int().min(0) });
export type ViosDoor = z.infer<typeof ViosDoor>;
/** Where a door is unless the system says otherwise; until it says whose it is, it is root's. */
export const doorSocket = (runDir: string, slot: number): string => `${runDir}/nbd-${slot}.sock`;

export const ViosDevices = z.object({ disks: z.array(ViosDisk), adapters: z.array(ViosServerAdapter), targets: z.array(ViosTargetDevice), fc: z.array(ViosFcAdapter).default([]) });
export type ViosDevices = z.infer<typeof ViosDevices>;

/** Configuration of a VIOS process, written by its system when it starts it. */
export const ViosConfig = z.object({
  systemName: z.string(),
  mtms: z.string(),
  name: z.string(),
  lparId: LparId,
  runDir: z.string(),
  logFile: z.string(),
  /** where this VIOS answers its system */
  socket: z.string(),
  /** those of clients that run */
  doors: z.array(ViosDoor).default([]),
  san: z.object({ portals: z.array(z.string()), initiatorName: z.string() }),
  /** each VLAN with the interface of its trunk to the virtual switch, in the VIOS's own namespace; the first is without tags on the uplink, the others with them */
  sea: z.array(z.object({ name: z.string(), uplink: z.string(), segments: z.array(z.object({ vlanId: z.number().int(), trunk: z.string() })).min(1), trunkSlot: SlotNumber, trunkPriority: z.number().int(), address: z.string().nullable(), prefix: z.number().int() })),
  mover: z.object({ host: z.string(), port: z.number().int(), concurrentMax: z.number().int(), trusted: z.array(z.string()), tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }) }).nullable(),
  moverProgram: z.string(),
  vlanProgram: z.string(),
  /** a system that says nothing for so long is let go; it comes back */
  silenceMs: z.number().int(),
  devices: ViosDevices,
});
export type ViosConfig = z.infer<typeof ViosConfig>;

export const MoverState = z.object({
  id: MigrationId,
  side: z.enum(["source", "destination"]),
  /** null until the movers have agreed */
  way: MoverWay.nullable(),
  /** waiting: no peer yet; streaming; finished: every byte was passed on and both ends closed; failed: `detail` says why */
  state: z.enum(["waiting", "streaming", "finished", "failed"]),
  detail: z.string(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  /** bytes on the link between the movers, seals included */
  bytesOnLink: z.number(),
  /** since the last byte moved */
  idleMs: z.number(),
});
export type MoverState = z.infer<typeof MoverState>;

export const systemVios = {
  name: "system-vios",
  methods: {
    "vios.status": { params: Nothing, result: z.object({ pid: z.number().int(), uptimeMs: z.number(), devices: ViosDevices, movers: z.array(MoverState), /** false: an earlier version, with one socket for all */ doors: z.boolean().default(false) }) },
    /** finishes nothing, ends cleanly: exports closed, storage flushed, sessions logged out */
    "vios.shutdown": { params: Nothing, result: Nothing },
    "vios.command": { params: z.object({ argv: z.array(z.string()), admin: z.boolean() }), result: z.object({ stdout: z.string(), stderr: z.string(), code: z.number().int() }) },

    "adapter.put": { params: z.object({ slot: SlotNumber, clientLparId: LparId.nullable(), clientSlot: SlotNumber.nullable() }), result: ViosServerAdapter },
    /** of virtual SCSI or Fibre Channel; forced, with all that hangs on it */
    "adapter.remove": { params: z.object({ slot: SlotNumber, force: z.boolean() }), result: Nothing },

    /** makes a virtual Fibre Channel server adapter or changes its client; `port` absent: as it is mapped */
    "fc.put": { params: z.object({ slot: SlotNumber, clientLparId: LparId.nullable(), clientSlot: SlotNumber.nullable(), port: FcPortName.optional() }), result: ViosFcAdapter },
    /**
     * Logs the adapter in to the SAN as the client and serves the LUNs that the SAN shows to that name behind closed gates. `luns`: exactly these, in this order
     * (the destination of a move); null: what there is. Logged in already as this name: looks for what is missing only.
     */
    "fc.login": { params: z.object({ slot: SlotNumber, wwpn: Wwpn, clientName: z.string(), luns: z.array(z.object({ lun: LunId, lunBytes: z.number().int() })).nullable() }), result: ViosFcAdapter },
    /** cuts the client off and logs out; no such adapter counts as logged out */
    "fc.logout": { params: z.object({ slot: SlotNumber }), result: Nothing },
    /** trial login through every port: what the SAN shows to these names; leaves nothing behind */
    "fc.probe": { params: z.object({ wwpns: z.array(Wwpn).max(128) }), result: z.object({ found: z.array(FcVisibility) }) },

    /** asks the SAN; identity by VPD page 0x83, never by path */
    "storage.probe": { params: z.object({ luns: z.array(LunId) }), result: z.object({ found: z.array(LunVisibility) }) },
    /** gives the door of a server adapter to an account, before its client starts; a client that is connected at another socket is cut off */
    "storage.door": { params: ViosDoor, result: Nothing },
    /** logs in to the LUN, checks identity and size, exports it behind the server adapter of `slot` with its gate as said */
    "storage.attach": { params: ViosTargetDevice, result: ViosTargetDevice },
    "storage.detach": { params: z.object({ name: z.string() }), result: Nothing },
    /** opens or closes the gates of these target devices, all or none; flushes before it closes */
    "storage.gate": { params: z.object({ names: z.array(z.string()), gate: z.enum(["open", "closed"]) }), result: Nothing },

    /** destination: wait for the peer with this ticket, then give the waiting QEMU its channel (one descriptor by SCM_RIGHTS at `takeSocket`) */
    "mover.receive": { params: z.object({ id: MigrationId, ticket: z.string(), takeSocket: z.string() }), result: z.object({ host: z.string(), port: z.number().int(), name: z.string() }) },
    /** source: fetch QEMU's channel from `channelSocket` (one descriptor by SCM_RIGHTS), connect to the peer, stream; gives the way that the movers agreed on */
    "mover.send": { params: z.object({ id: MigrationId, ticket: z.string(), channelSocket: z.string(), peer: z.object({ host: z.string(), port: z.number().int(), name: z.string() }) }), result: z.object({ way: MoverWay }) },
    /** `reason`: what the peer mover is told */
    "mover.stop": { params: z.object({ id: MigrationId, reason: z.string().optional() }), result: Nothing },
    /** opens and closes an authenticated connection to a peer mover */
    "mover.probe": { params: z.object({ peer: z.object({ host: z.string(), port: z.number().int(), name: z.string() }), measure: z.boolean().default(false) }), result: z.object({ reachable: z.boolean(), detail: z.string(), bytesPerSecond: z.number().nullable().default(null) }) },
  },
  events: {
    /** the system keeps this list */
    "devices.changed": ViosDevices,
    /** at every change of state, and twice a second while streaming */
    "mover.changed": MoverState,
  },
} as const;
export type SystemVios = typeof systemVios;
