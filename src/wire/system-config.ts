/** Configuration file of a managed system process (YAML; docs/operate.md explains each key). */
import { z } from "zod";
import { LparId, SlotNumber, VlanId } from "../model/ids.js";
import { Mtms, SystemName } from "../model/system.js";
import { LparName } from "../model/lpar.js";

const Tls = z.object({ ca: z.string(), cert: z.string(), key: z.string() });

/** The physical side of a VIOS: what no profile can say. The partition itself is defined at first start from this. */
export const ViosHardware = z.object({
  lparId: LparId,
  name: LparName,
  namespace: z.string(),
  san: z.object({ portals: z.array(z.string()), initiatorName: z.string() }),
  /** the namespace's interface to the LAN, and the VIOS's own address there */
  uplink: z.string(),
  address: z.string(),
  prefix: z.number().int(),
  sea: z.object({ vswitch: z.string(), vlanIds: z.array(VlanId), trunkSlot: SlotNumber, trunkPriority: z.number().int() }),
  msp: z.boolean(),
  moverPort: z.number().int(),
  moverConcurrentMax: z.number().int().default(4),
  tls: Tls,
});
export type ViosHardware = z.infer<typeof ViosHardware>;

export const SystemConfig = z.object({
  name: SystemName,
  mtms: Mtms,
  /** durable: database, console logs */
  stateDir: z.string(),
  /** sockets and pids; short, since a unix socket's path has at most 107 bytes */
  runDir: z.string(),
  /** network namespace of the hypervisor: virtual switches and taps are made here; null: the process's own */
  namespace: z.string().nullable(),
  listen: z.object({ host: z.string(), port: z.number().int() }),
  tls: Tls,
  memoryBytes: z.number().int(),
  lmbBytes: z.number().int(),
  processors: z.number().int(),
  image: z.object({ kernel: z.string(), initrd: z.string() }),
  accelerator: z.enum(["auto", "tcg", "kvm"]).default("auto"),
  vswitches: z.array(z.string()).default(["ETHERNET0"]),
  migrationsMax: z.number().int().default(8),
  vioses: z.array(ViosHardware),
  /** directory with the native programs */
  nativeDir: z.string(),
});
export type SystemConfig = z.infer<typeof SystemConfig>;
