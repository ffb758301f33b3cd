/**
 * The shape of a logical partition: its definition, its profiles, and what is known of it while it runs. Sizes are bytes, processing units are
 * hundredths of a processor, so that no sum is ever rounded; doors convert (units.ts).
 */
import { z } from "zod";
import { Generation, LparId, LunId, MacAddress, SlotNumber, VlanId, Wwpn, WwpnPair } from "./ids.js";

/** Partition environments we have; os400 is refused (hmc-cli 4.3). */
export const LparEnvironment = z.enum(["aixlinux", "vioserver"]);
export type LparEnvironment = z.infer<typeof LparEnvironment>;

/** hmc-cli 4.4; the text that a door prints for each is in the door. */
export const LparState = z.enum(["not-activated", "starting", "running", "open-firmware", "shutting-down", "error", "not-available", "migrating-running", "migrating-not-activated"]);
export type LparState = z.infer<typeof LparState>;

export const RmcState = z.enum(["active", "inactive", "none", "unknown"]);
export type RmcState = z.infer<typeof RmcState>;

export const BootMode = z.enum(["norm", "dd", "ds", "of", "sms"]);
export type BootMode = z.infer<typeof BootMode>;

/** Partition name: hmc-cli 1.4. */
export const LparName = z.string().min(1).max(31).regex(/^[^()<>*$&?|[\]'"`,=\\\x00-\x1f\x7f]+$/);
/** Profile name: hmc-cli 1.4 (ansible PROFILE_PATTERN), with blanks. */
export const ProfileName = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9 @#^/;:~.\-_+{}]{0,30}$/);

export const ProcCompatMode = z.enum(["default", "POWER8", "POWER9_base", "POWER9"]);
export type ProcCompatMode = z.infer<typeof ProcCompatMode>;

/** remote ids are null where the adapter accepts any partner (`any`). */
export const VirtualScsiAdapter = z.object({
  slot: SlotNumber,
  role: z.enum(["client", "server"]),
  remoteLparId: LparId.nullable(),
  remoteSlot: SlotNumber.nullable(),
  required: z.boolean(),
});
export type VirtualScsiAdapter = z.infer<typeof VirtualScsiAdapter>;

/**
 * A virtual Fibre Channel adapter (NPIV). `wwpns`: of a client adapter, for life; null on a server adapter, and until the profile is first saved to a
 * partition. `active`: which of the two is logged in while the partition runs; a move changes it (lpm-process 5.4).
 */
export const VirtualFcAdapter = VirtualScsiAdapter.extend({ wwpns: WwpnPair.nullable(), active: z.union([z.literal(0), z.literal(1)]).default(0) });
export type VirtualFcAdapter = z.infer<typeof VirtualFcAdapter>;

/** trunkPriority 0: not a trunk adapter. mac null: generated when the profile is first saved to a partition. */
export const VirtualEthernetAdapter = z.object({
  slot: SlotNumber,
  ieee: z.boolean(),
  portVlanId: VlanId,
  additionalVlanIds: z.array(VlanId),
  trunkPriority: z.number().int().min(0).max(15),
  required: z.boolean(),
  vswitch: z.string().min(1),
  mac: MacAddress.nullable(),
});
export type VirtualEthernetAdapter = z.infer<typeof VirtualEthernetAdapter>;

/** As on POWER hypervisors (max_vlans_per_port). */
export const ADDITIONAL_VLANS_MAX = 20;
/** What is wrong with an adapter's VLANs: those beside its own one need tags, and each is there once. */
export function whyNotVlans({ ieee, portVlanId, additionalVlanIds }: Pick<VirtualEthernetAdapter, "ieee" | "portVlanId" | "additionalVlanIds">): string | null {
  if (additionalVlanIds.length > 0 && !ieee) return "additional VLANs need an IEEE 802.1Q adapter (1)";
  if (additionalVlanIds.length > ADDITIONAL_VLANS_MAX) return `an adapter has at most ${ADDITIONAL_VLANS_MAX} additional VLANs`;
  const twice = [portVlanId, ...additionalVlanIds].find((one, index, all) => all.indexOf(one) !== index);
  return twice === undefined ? null : `VLAN ${twice} is there twice`;
}

/** What a partition has or would get when activated with a profile. min <= desired <= max is checked at the door and by the system. */
export const ResourceConfig = z.object({
  memory: z.object({ minBytes: z.number().int(), desiredBytes: z.number().int(), maxBytes: z.number().int() }),
  proc: z.object({
    mode: z.enum(["ded", "shared"]),
    minProcs: z.number().int().min(1),
    desiredProcs: z.number().int().min(1),
    maxProcs: z.number().int().min(1),
    /** hundredths of a processor; for dedicated partitions 100 times the procs */
    minUnits: z.number().int().min(1),
    desiredUnits: z.number().int().min(1),
    maxUnits: z.number().int().min(1),
    sharingMode: z.enum(["cap", "uncap", "keep_idle_procs", "share_idle_procs", "share_idle_procs_active", "share_idle_procs_always"]),
    uncapWeight: z.number().int().min(0).max(255),
  }),
  maxVirtualSlots: z.number().int().min(2).max(65535),
  scsi: z.array(VirtualScsiAdapter),
  ethernet: z.array(VirtualEthernetAdapter),
  fc: z.array(VirtualFcAdapter).default([]),
  bootMode: BootMode,
  compatMode: ProcCompatMode,
});
export type ResourceConfig = z.infer<typeof ResourceConfig>;

export const Profile = z.object({ name: ProfileName, resources: ResourceConfig });
export type Profile = z.infer<typeof Profile>;

/** The settable definition of a partition apart from its resources. */
export const LparSettings = z.object({
  autoStart: z.boolean(),
  availPriority: z.number().int().min(0).max(255),
  description: z.string().max(1024).regex(/^[\x20-\x7e]*$/),
  keylock: z.enum(["norm", "manual"]),
  allowPerfCollection: z.boolean(),
  migrationDisabled: z.boolean(),
  syncCurrProfile: z.boolean(),
  timeRef: z.boolean(),
  /** vioserver only */
  msp: z.boolean(),
});
export type LparSettings = z.infer<typeof LparSettings>;

/** A LUN behind a server adapter: what a VIOS serves to one client adapter. */
export const StorageMapping = z.object({
  clientSlot: SlotNumber,
  viosLparId: LparId,
  viosSlot: SlotNumber,
  vtd: z.string(),
  lun: LunId,
  lunBytes: z.number().int(),
});
export type StorageMapping = z.infer<typeof StorageMapping>;

/**
 * A virtual Fibre Channel client adapter with its server adapter: through which port of the VIOS it is mapped, and as whom it is logged in to the SAN. Null `wwpn`:
 * not logged in, as when the partition is off; `luns`: what the SAN showed to that name then, in the order in which the partition has them.
 */
export const FcMapping = z.object({
  clientSlot: SlotNumber,
  viosLparId: LparId,
  viosSlot: SlotNumber,
  vfchost: z.string(),
  port: z.string().nullable(),
  wwpn: Wwpn.nullable(),
  luns: z.array(z.object({ vtd: z.string(), lun: LunId, lunBytes: z.number().int() })),
});
export type FcMapping = z.infer<typeof FcMapping>;

/** A block of memory beside the boot memory; `address` is the guest's, `slot` the hypervisor's. */
export const MemoryDevice = z.object({ slot: z.number().int().min(0), address: z.number().int().min(0), bytes: z.number().int().positive() });
export type MemoryDevice = z.infer<typeof MemoryDevice>;
/**
 * The machine of an emulated partition: all memory that it may ever have in one piece, since QEMU notices changes of no other while it copies (docs/dependencies.md).
 * The operating system begins with the boot memory and is told of more when it is given more; what it gives back it keeps aside, and the host has it.
 */
export const MemoryPiece = z.object({
  bytes: z.number().int().positive(),
  /** what the operating system knows of, from address 0 */
  knownBytes: z.number().int().positive(),
  /** what it has of that */
  givenBytes: z.number().int().positive(),
});
export type MemoryPiece = z.infer<typeof MemoryPiece>;
/** How the hypervisor has put the running partition together. Both systems of a migration have to make it alike. */
export const MachineLayout = z.object({
  /** memory that the partition was started with */
  bootBytes: z.number().int().positive(),
  /** absent: what is beyond the boot memory comes and goes in devices */
  piece: MemoryPiece.optional(),
  /** in the order of their slots */
  memory: z.array(MemoryDevice),
  /** processor cores 0, 1, ... that are there */
  cores: z.number().int().min(1),
  /** cores of these that the partition has; the rest is offline */
  procs: z.number().int().min(1),
});
export type MachineLayout = z.infer<typeof MachineLayout>;
/** The memory that the partition has. */
export const layoutBytes = ({ bootBytes, piece, memory }: MachineLayout): number => piece?.givenBytes ?? memory.reduce((sum, device) => sum + device.bytes, bootBytes);

/** Everything that moves with a partition. Two systems never hold it as owner at the same time. */
export const LparDefinition = z.object({
  name: LparName,
  uuid: z.uuid(),
  environment: LparEnvironment,
  settings: LparSettings,
  profiles: z.array(Profile),
  defaultProfile: ProfileName,
  /** null: never activated */
  currentProfile: ProfileName.nullable(),
  /** The configuration as the hypervisor holds it now; null until first activated or created with resources. */
  current: ResourceConfig.nullable(),
  /** of the process that runs, or of the last one; absent: started with all of `current` at once */
  layout: MachineLayout.optional(),
});
export type LparDefinition = z.infer<typeof LparDefinition>;

/** What is known of a running partition; absent values are unknown, never invented. */
export const LparRuntime = z.object({
  qemuPid: z.number().int().nullable(),
  startedAt: z.string().nullable(),
  rmc: RmcState,
  rmcAddress: z.string().nullable(),
  osVersion: z.string().nullable(),
  /** Last reference code of firmware or operating system, for example `Linux ppc64le`; empty text when none. */
  refCode: z.string(),
  refCodeAt: z.string().nullable(),
  vtermOpen: z.boolean(),
  consoleLog: z.string(),
  /** vioserver only: namespace, process and adapters of the driver domain */
  vios: z
    .object({
      pid: z.number().int().nullable(),
      namespace: z.string(),
      roles: z.array(z.enum(["vscsi", "sea", "msp", "paging"])),
      mspAddress: z.string().nullable(),
    })
    .nullable(),
});
export type LparRuntime = z.infer<typeof LparRuntime>;

export const OwnershipView = z.object({
  kind: z.enum(["owner", "reserved", "released", "declined", "gone"]),
  generation: Generation,
  migrationId: z.string().nullable(),
});

/** One partition as its system shows it. `revision` rises with every change; readers drop older news. */
export const LparView = z.object({
  lparId: LparId,
  revision: z.number().int(),
  definition: LparDefinition,
  state: LparState,
  runtime: LparRuntime,
  storage: z.array(StorageMapping),
  /** virtual Fibre Channel; `storage` is virtual SCSI */
  fc: z.array(FcMapping).default([]),
  ownership: OwnershipView,
  /** id of the migration that holds the partition's lock */
  migrationId: z.string().nullable(),
  /** brought back from a backup, and nobody has confirmed yet that it runs nowhere else */
  heldBack: z.boolean().default(false),
});
export type LparView = z.infer<typeof LparView>;
