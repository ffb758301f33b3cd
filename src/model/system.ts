/** The shape of a managed system as it shows itself to a console. */
import { z } from "zod";
import { LparId, SlotNumber, VlanId } from "./ids.js";

/** Type-model and serial number, printed `9009-42A*7800A01` (hmc-cli 1.2). */
export const TypeModel = z.string().regex(/^\d{4}-[A-Z0-9]{3}$/);
export const SerialNumber = z.string().regex(/^[A-Z0-9]{7}$/);
export const Mtms = z.object({ typeModel: TypeModel, serial: SerialNumber });
export type Mtms = z.infer<typeof Mtms>;
export const mtmsText = (mtms: Mtms): string => `${mtms.typeModel}*${mtms.serial}`;

export const SystemName = z.string().min(1).max(31).regex(/^[^()<>*$&?|[\]'"`,=\\\x00-\x1f\x7f]+$/);

export const VirtualSwitch = z.object({
  name: z.string().min(1).max(31),
  mode: z.enum(["VEB", "VEPA"]),
  /** VLANs that some adapter uses now */
  vlanIds: z.array(VlanId),
});
export type VirtualSwitch = z.infer<typeof VirtualSwitch>;

/** A Shared Ethernet Adapter: bridges VLANs of a virtual switch to the LAN. `active`: it carries the traffic now (lowest trunk priority that is up). */
export const SharedEthernet = z.object({
  viosLparId: LparId,
  vswitch: z.string(),
  vlanIds: z.array(VlanId),
  trunkSlot: SlotNumber,
  trunkPriority: z.number().int(),
  active: z.boolean(),
});
export type SharedEthernet = z.infer<typeof SharedEthernet>;

/** Which configuration an inactive migration moves: the profile last activated, or the current one (hmc-cli 2.5, lpm-process 3.1). */
export const InactiveProfPolicy = z.enum(["prof", "config"]);
export type InactiveProfPolicy = z.infer<typeof InactiveProfPolicy>;

/** A named list of partitions, each with one of its profiles, which are activated together (hmc-cli 4.9). */
export const SystemProfile = z.object({ name: z.string().min(1).max(31), members: z.array(z.object({ lparId: LparId, lparName: z.string(), profile: z.string() })) });
export type SystemProfile = z.infer<typeof SystemProfile>;

/** Whether partitions with auto_start are activated after the host was booted (hmc-cli 4.2, power_on_lpar_start_policy). */
export const StartPolicy = z.enum(["autostart", "userinit"]);
export type StartPolicy = z.infer<typeof StartPolicy>;

export const SystemView = z.object({
  name: SystemName,
  uuid: z.uuid(),
  mtms: Mtms,
  revision: z.number().int(),
  state: z.enum(["operating", "standby", "power-off", "error"]),
  version: z.string(),
  hypervisor: z.object({ qemuVersion: z.string(), accelerator: z.enum(["kvm", "tcg"]), acceleratorReason: z.string() }),
  memory: z.object({ installedBytes: z.number(), configurableBytes: z.number(), availableBytes: z.number(), firmwareBytes: z.number(), lmbBytes: z.number() }),
  /** hundredths of a processor */
  proc: z.object({ installedUnits: z.number().int(), configurableUnits: z.number().int(), availableUnits: z.number().int(), minUnitsPerProc: z.number().int(), maxProcsPerLpar: z.number().int() }),
  lparsMax: z.number().int(),
  startPolicy: StartPolicy,
  compatModes: z.array(z.string()),
  vswitches: z.array(VirtualSwitch),
  sharedEthernet: z.array(SharedEthernet),
  /** world wide port names for virtual Fibre Channel: the first digits of this system's, and how many are left */
  wwpns: z.object({ prefix: z.string(), remaining: z.number().int() }).optional(),
  migration: z.object({ activeMax: z.number().int(), activeNow: z.number().int(), inactiveMax: z.number().int(), inactiveNow: z.number().int(), inactiveProfPolicy: InactiveProfPolicy.default("config") }),
  pid: z.number().int(),
  time: z.string(),
});
export type SystemView = z.infer<typeof SystemView>;
