/**
 * What a console may ask of a managed system. Served by `system`, called by `console`, over mutual TLS. Every change is durable before
 * it is answered; every migration call is keyed by the migration's id and may be repeated: the same call gives the same answer.
 */
import { z } from "zod";
import { Generation, LparId, LunId, MigrationId, SlotNumber, Wwpn } from "../model/ids.js";
import { BootMode, LparDefinition, LparSettings, LparView, Profile, ProfileName, ResourceConfig, StorageMapping, VirtualEthernetAdapter, VirtualFcAdapter, VirtualScsiAdapter, LparName, LparEnvironment } from "../model/lpar.js";
import { Prediction, MigrationEnd, MigrationError, MigrationRecord, MoverPair, RecoveryStep, SideFacts } from "../model/migration.js";
import { InactiveProfPolicy, StartPolicy, SystemProfile, SystemView, VirtualSwitch } from "../model/system.js";

const Nothing = z.object({});
const ByLpar = z.object({ lparId: LparId });
const ByMigration = z.object({ id: MigrationId });
const Endpoint = z.object({ host: z.string(), port: z.number().int(), name: z.string() });

const Operation = z.enum(["add", "remove", "set"]);

/** One LUN of the moving partition and where the destination would serve it. */
export const PlannedStorage = z.object({ clientSlot: SlotNumber, lun: LunId, lunBytes: z.number().int(), viosLparId: LparId, vtd: z.string(), /** taken when it is free, another otherwise, unless it was asked for */ viosSlot: SlotNumber.optional(), slotAsked: z.boolean().default(false) });
export type PlannedStorage = z.infer<typeof PlannedStorage>;

/** What one VIOS says of one LUN. */
export const LunVisibility = z.object({ viosLparId: LparId, lun: LunId, visible: z.boolean(), bytes: z.number().int().nullable(), inUse: z.boolean(), /** who holds a SCSI reservation of it */ reservedBy: z.string().nullable().default(null), detail: z.string() });
export type LunVisibility = z.infer<typeof LunVisibility>;

/**
 * One virtual Fibre Channel adapter of the moving partition on the destination: `wwpn` is the name of the pair that logs in there, `luns` what it has to see, in the
 * order in which the partition has them; none for a partition that is off. viosSlot null: a free one.
 */
export const PlannedFc = z.object({ clientSlot: SlotNumber, viosLparId: LparId, viosSlot: SlotNumber.nullable(), port: z.string(), wwpn: Wwpn, luns: z.array(z.object({ lun: LunId, lunBytes: z.number().int() })) });
export type PlannedFc = z.infer<typeof PlannedFc>;

/** What the SAN shows to one WWPN through one port of a VIOS. `targets`: names of the SAN's own ports; `availablePorts`: virtual adapters that the port can still take. */
export const FcVisibility = z.object({ viosLparId: LparId, port: z.string(), wwpn: Wwpn, targets: z.array(z.string()), luns: z.array(z.object({ lun: LunId, bytes: z.number().int(), /** who holds a SCSI reservation */ reservedBy: z.string().nullable() })), availablePorts: z.number().int(), detail: z.string() });
export type FcVisibility = z.infer<typeof FcVisibility>;

/** Answer of the guest's own scripts to a mobility event (lpm-process 2.3 rule 2). */
export const GuestVerdict = z.object({ answered: z.boolean(), agreed: z.boolean(), detail: z.string() });
export type GuestVerdict = z.infer<typeof GuestVerdict>;

export const consoleSystem = {
  name: "console-system",
  methods: {
    "system.get": { params: Nothing, result: SystemView },
    "system.rename": { params: z.object({ name: z.string() }), result: Nothing },
    "system.configure": { params: z.object({ startPolicy: StartPolicy }), result: Nothing },
    "lpar.list": { params: Nothing, result: z.object({ lpars: z.array(LparView) }) },

    /** lparId null: the lowest free one. Adapters without MAC get one. */
    "lpar.create": { params: z.object({ lparId: LparId.nullable(), name: LparName, environment: LparEnvironment, settings: LparSettings, profile: Profile }), result: z.object({ lparId: LparId }) },
    "lpar.remove": { params: ByLpar.extend({ removeServerAdapters: z.boolean() }), result: Nothing },
    "lpar.modify": { params: ByLpar.extend({ newName: LparName.optional(), settings: LparSettings.partial().optional(), defaultProfile: ProfileName.optional() }), result: Nothing },
    "profile.put": { params: ByLpar.extend({ profile: Profile, newName: ProfileName.optional(), mustExist: z.boolean(), mayReplace: z.boolean() }), result: Nothing },
    "profile.remove": { params: ByLpar.extend({ name: ProfileName }), result: Nothing },
    /** saves the current configuration as a profile */
    "profile.save": { params: ByLpar.extend({ name: ProfileName, force: z.boolean() }), result: Nothing },
    /** makes a profile the current configuration of a partition that is not activated */
    "profile.apply": { params: ByLpar.extend({ name: ProfileName }), result: Nothing },
    "sysprof.list": { params: Nothing, result: z.object({ profiles: z.array(SystemProfile) }) },
    /** members null: as they are */
    "sysprof.put": { params: z.object({ name: ProfileName, newName: ProfileName.optional(), members: z.array(z.object({ lparId: LparId, profile: ProfileName })).max(1024).nullable(), mustExist: z.boolean() }), result: Nothing },
    "sysprof.remove": { params: z.object({ name: ProfileName }), result: Nothing },
    /** returns when accepted; the state tells the rest */
    "lpar.activate": { params: ByLpar.extend({ profile: ProfileName.nullable(), bootMode: BootMode.nullable(), keylock: z.enum(["norm", "manual"]).nullable() }), result: Nothing },
    "lpar.shutdown": { params: ByLpar.extend({ how: z.enum(["os", "delayed", "immediate"]), restart: z.boolean() }), result: Nothing },

    /**
     * Memory, processors and sharing of the current configuration, of a running partition at once. Units in hundredths of a processor; null leaves as it is.
     * `refusal`: the operating system gave or took only a part; the numbers say what the partition has now.
     */
    "lpar.resize": {
      params: ByLpar.extend({
        memory: z.object({ operation: Operation, bytes: z.number().int() }).nullable(),
        proc: z.object({ operation: Operation, procs: z.number().int().nullable(), units: z.number().int().nullable() }).nullable(),
        sharing: z.object({ mode: ResourceConfig.shape.proc.shape.sharingMode.nullable(), weight: ResourceConfig.shape.proc.shape.uncapWeight.nullable() }).nullable(),
        /** what the operating system may take; 0: as long as it needs */
        waitMinutes: z.number().int().min(0).max(1_440),
        /** also without RMC */
        force: z.boolean(),
      }),
      result: z.object({ memoryBytes: z.number().int(), procs: z.number().int(), units: z.number().int(), refusal: z.string().nullable() }),
    },
    /** Virtual adapters of the current configuration; of a running client partition only where the hypervisor can. */
    "adapter.add": { params: ByLpar.extend({ adapter: z.discriminatedUnion("kind", [z.object({ kind: z.literal("scsi"), value: VirtualScsiAdapter }), z.object({ kind: z.literal("ethernet"), value: VirtualEthernetAdapter }), z.object({ kind: z.literal("fc"), value: VirtualFcAdapter })]) }), result: Nothing },
    /** VLAN and switch of an Ethernet adapter, found by its slot, also while the partition runs; the address stays */
    "adapter.set": { params: ByLpar.extend({ value: VirtualEthernetAdapter }), result: Nothing },
    "adapter.remove": { params: ByLpar.extend({ slot: SlotNumber, force: z.boolean() }), result: Nothing },
    "vswitch.put": { params: z.object({ name: z.string(), newName: z.string().optional(), mode: z.enum(["VEB", "VEPA"]).optional(), mustExist: z.boolean() }), result: Nothing },
    "vswitch.remove": { params: z.object({ name: z.string() }), result: Nothing },
    "vswitch.list": { params: Nothing, result: z.object({ vswitches: z.array(VirtualSwitch) }) },

    /** runs a VIOS command line (argv without `ioscli`) in the VIOS */
    "vios.command": { params: ByLpar.extend({ argv: z.array(z.string().max(4096)).max(64), admin: z.boolean() }), result: z.object({ stdout: z.string(), stderr: z.string(), code: z.number().int() }) },

    /** One terminal per partition; data is base64. The session ends with the connection. Data comes as `vterm.data` events. */
    "vterm.open": { params: ByLpar, result: z.object({ session: z.string() }) },
    "vterm.write": { params: z.object({ session: z.string(), data: z.string() }), result: Nothing },
    "vterm.close": { params: z.object({ session: z.string() }), result: Nothing },
    /** closes whoever's session of this partition; fine when there is none */
    "vterm.closeAny": { params: ByLpar, result: Nothing },

    // Migration: facts that only the system can find out. Nothing is changed by these.
    "migration.probeStorage": { params: z.object({ luns: z.array(LunId) }), result: z.object({ found: z.array(LunVisibility) }) },
    /** trial login of these names through the ports of the running VIOSes; null: all of them */
    "migration.probeFc": { params: z.object({ wwpns: z.array(Wwpn).max(128), viosLparIds: z.array(LparId).nullable() }), result: z.object({ found: z.array(FcVisibility) }) },
    "migration.probeMover": { params: z.object({ mspLparId: LparId, peer: Endpoint, measure: z.boolean().default(false) }), result: z.object({ reachable: z.boolean(), detail: z.string(), bytesPerSecond: z.number().nullable().default(null) }) },
    /** for a prediction: what of a running partition's memory is in use, how fast it changes, and what earlier moves to that system reached */
    "migration.measure": { params: ByLpar.extend({ destination: z.string() }), result: z.object({ residentBytes: z.number(), dirtyBytesPerSecond: z.number().nullable(), past: z.array(z.object({ bytesPerSecond: z.number(), linkBytesPerSecond: z.number().nullable() })) }) },
    /** where the mover of this VIOS is reached */
    "migration.moverAddress": { params: z.object({ mspLparId: LparId }), result: Endpoint },
    "migration.checkGuest": { params: ByLpar, result: GuestVerdict },

    /** what `migrlpar -o set` changes */
    "migration.set": { params: z.object({ inactiveProfPolicy: InactiveProfPolicy.optional(), mover: z.object({ lparId: LparId, configured: z.number().int().min(1) }).optional() }), result: Nothing },
    /** the mover service partitions with their limits of concurrent migrations */
    "migration.movers": { params: Nothing, result: z.object({ movers: z.array(z.object({ lparId: LparId, supported: z.number().int(), configured: z.number().int(), inProgress: z.number().int() })) }) },

    // Migration: source side.
    /** takes the partition's lock and a migration slot, writes the record; `peer`: where the destination system is reached, for what the two settle alone */
    "migration.begin": {
      params: z.object({ id: MigrationId, peer: Endpoint, lparId: LparId, type: z.enum(["active", "inactive"]), destination: MigrationEnd, sourceMspLparId: LparId.nullable(), redundant: MoverPair.nullable().default(null), console: z.string(), prediction: Prediction.nullable().default(null) }),
      result: z.object({ record: MigrationRecord, definition: LparDefinition, storage: z.array(StorageMapping) }),
    },
    "migration.notifyGuest": { params: ByMigration.extend({ event: z.enum(["prepare", "confirm", "error"]) }), result: GuestVerdict },
    "migration.openSourceMover": { params: ByMigration.extend({ ticket: z.string(), peer: Endpoint }), result: Nothing },
    "migration.closeMover": { params: ByMigration, result: Nothing },
    /**
     * Begins the copy and returns. The source system watches it, makes the hand-over with the destination system by itself, and tells by
     * `migration.changed` events and `migration.get` how it ends.
     */
    "migration.start": { params: ByMigration.extend({ peer: Endpoint }), result: Nothing },
    /** @throws wrong-state after the hand-over */
    "migration.stop": { params: ByMigration.extend({ error: MigrationError.nullable().default(null) }), result: Nothing },
    /** ends the record of a migration that was not handed over: unlocks the partition; the copy is cancelled first if it runs */
    "migration.endFailed": { params: ByMigration.extend({ status: z.enum(["failed", "stopped"]), error: MigrationError }), result: Nothing },
    /** after the destination owns the partition: ends the source's process, adapters, mappings, definition */
    "migration.cleanSource": { params: ByMigration, result: Nothing },

    // Migration: destination side.
    "migration.reserve": {
      params: z.object({ id: MigrationId, peer: Endpoint, type: z.enum(["active", "inactive"]), source: MigrationEnd, destination: MigrationEnd, redundant: MoverPair.nullable().default(null), lparId: LparId.nullable(), generation: Generation, definition: LparDefinition, storage: z.array(PlannedStorage), fc: z.array(PlannedFc).default([]), ticket: z.string(), console: z.string() }),
      result: z.object({ lparId: LparId }),
    },
    /** logs in to the LUNs (identity checked) and makes the server adapters; their gates stay closed */
    "migration.attachStorage": { params: ByMigration, result: z.object({ storage: z.array(StorageMapping) }) },
    /** starts the partition's process, waiting for state */
    "migration.startShell": { params: ByMigration, result: Nothing },
    "migration.openDestinationMover": { params: ByMigration.extend({ mspLparId: LparId }), result: Endpoint },
    /** undoes everything of the reservation; absent counts as undone. @throws wrong-state when this side owns the partition */
    "migration.abandon": { params: ByMigration.extend({ error: MigrationError.nullable() }), result: Nothing },
    "migration.finish": { params: ByMigration, result: Nothing },

    // Migration: records, on both sides.
    "migration.get": { params: ByMigration, result: MigrationRecord },
    "migration.list": { params: z.object({ history: z.boolean() }), result: z.object({ records: z.array(MigrationRecord) }) },
    /** what this side finds about a migration, in its records and in the partition's process; for recovery */
    "migration.facts": { params: ByMigration.extend({ role: z.enum(["source", "destination"]) }), result: SideFacts },
    /** does one step of recovery on this side and gives what it finds afterwards. @throws wrong-state when this side's own record does not allow it */
    "migration.settle": { params: ByMigration.extend({ step: RecoveryStep }), result: SideFacts },
    /** the saga's journal lies with the source system, so that any console can go on with it */
    "journal.append": { params: ByMigration.extend({ entry: z.unknown() }), result: Nothing },
    "journal.read": { params: ByMigration, result: z.object({ entries: z.array(z.unknown()) }) },

    /** processor compatibility and resources after a profile would be activated, for validation */
    "system.fits": { params: z.object({ resources: ResourceConfig }), result: z.object({ memory: z.boolean(), processors: z.boolean(), detail: z.string() }) },
  },
  events: {
    "system.changed": SystemView,
    "lpar.changed": LparView,
    "lpar.removed": z.object({ lparId: LparId, revision: z.number().int() }),
    "migration.changed": MigrationRecord,
    "vterm.data": z.object({ session: z.string(), data: z.string() }),
    "vterm.closed": z.object({ session: z.string() }),
  },
} as const;
export type ConsoleSystem = typeof consoleSystem;
