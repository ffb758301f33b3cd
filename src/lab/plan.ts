/** What a laboratory consists of: names, addresses, places. Pure: the same description gives the same plan. */
import path from "node:path";
import { z } from "zod";
import { VlanId } from "../model/ids.js";
import { ConvergencePolicy } from "../model/migration.js";

export const LabName = z.string().regex(/^[a-z][a-z0-9-]{0,11}$/, "a laboratory's name has 1 to 12 characters: a letter, then letters, digits and -");

/** A shared Ethernet adapter of each Virtual I/O Server of a system: the first VLAN is without tags on its cable to the LAN, the others with them. */
const NetworkDescription = z.object({ vswitch: z.string().default("ETHERNET0"), vlanIds: z.array(VlanId.max(254)).min(1) });
const NETWORKS = [{ vswitch: "ETHERNET0", vlanIds: [VlanId.parse(1)] }];
const ViosDescription = z.object({ name: z.string(), msp: z.boolean().default(true), moverTrusted: z.array(z.string()).default([]) });
const SystemDescription = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,11}$/),
  typeModel: z.string().default("9009-42A"),
  serial: z.string(),
  memoryMb: z.number().int().min(1024).default(8192),
  processors: z.number().int().min(1).default(8),
  /** how its copies come to their end; docs/operate.md */
  migration: ConvergencePolicy.default(ConvergencePolicy.parse({})),
  networks: z.array(NetworkDescription).min(1).max(4).default(NETWORKS),
  vioses: z.array(ViosDescription).min(1).max(4).default([{ name: "vios1", msp: true, moverTrusted: [] }, { name: "vios2", msp: true, moverTrusted: [] }]),
});
const SYSTEMS_MAX = 8;
/** Accounts of partitions: apart for each system, and for laboratories side by side as far as their numbers differ; below those of real hosts. */
const [LAB_UIDS, UIDS] = [1_900_000_000, 128];

/** The file of `lab up --config`; docs/laboratory.md explains it. */
export const LabDescription = z.object({
  systems: z.array(SystemDescription).min(1).max(SYSTEMS_MAX).default([
    { name: "ms01", typeModel: "9009-42A", serial: "7800A01", memoryMb: 8192, processors: 8, migration: ConvergencePolicy.parse({}), networks: NETWORKS, vioses: [{ name: "vios1", msp: true, moverTrusted: [] }, { name: "vios2", msp: true, moverTrusted: [] }] },
    { name: "ms02", typeModel: "9009-42A", serial: "7800A02", memoryMb: 8192, processors: 8, migration: ConvergencePolicy.parse({}), networks: NETWORKS, vioses: [{ name: "vios1", msp: true, moverTrusted: [] }, { name: "vios2", msp: true, moverTrusted: [] }] },
  ]),
  consoles: z.array(z.object({ name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/) })).min(1).max(4).default([{ name: "hmc1" }]),
  luns: z.number().int().min(1).max(64).default(8),
  /** fault injection in the managed systems (docs/reliability.md) */
  faults: z.boolean().default(false),
  /** LUNs that no Virtual I/O Server sees, for partitions with virtual Fibre Channel */
  fcLuns: z.number().int().min(0).max(64).default(2),
});
export type LabDescription = z.infer<typeof LabDescription>;

export const PREFIX = 24;
export const LUN_MB = 512;
export const LAN_ADDRESS = "10.9.0.1";
export const SAN_ADDRESS = "10.9.1.1";
export const SAN_PORT = 3260;
export const SYSTEM_PORT = 4410;
export const MOVER_PORT = 4420;
/** A segment of the LAN for each VLAN: its bridge in the namespace `lan`, and the address there. */
export const lanSegment = (vlanId: number): { readonly bridge: string; readonly address: string } => (vlanId === 1 ? { bridge: "lan0", address: LAN_ADDRESS } : { bridge: `lan${vlanId}`, address: `10.9.${vlanId}.1` });
export const vlansOf = ({ systems }: Pick<LabPlan, "systems">): number[] => [...new Set([1, ...systems.flatMap((system) => system.networks.flatMap((one) => one.vlanIds))])];
export const partitionAddress = (lun: number): string => `10.9.0.${100 + lun}`;

export interface ViosPlan {
  readonly name: string;
  readonly lparId: number;
  readonly namespace: string;
  readonly lanAddress: string;
  readonly sanAddress: string;
  readonly initiatorName: string;
  readonly msp: boolean;
  readonly moverTrusted: readonly string[];
  readonly trunkPriority: number;
  readonly certificate: string;
}
export interface SystemPlan {
  readonly name: string;
  readonly typeModel: string;
  readonly serial: string;
  readonly memoryMb: number;
  readonly processors: number;
  readonly migration: ConvergencePolicy;
  readonly partitionUids: { readonly first: number; readonly count: number };
  readonly networks: LabDescription["systems"][number]["networks"];
  readonly namespace: string;
  readonly lanAddress: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly certificate: string;
  readonly vioses: readonly ViosPlan[];
}
export interface ConsolePlan {
  readonly name: string;
  readonly namespace: string;
  readonly lanAddress: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly certificate: string;
}
export interface LunPlan {
  readonly number: number;
  readonly id: string;
  readonly file: string;
}
export interface LabPlan {
  readonly name: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly faults: boolean;
  readonly lan: { readonly namespace: string };
  readonly san: { readonly namespace: string; readonly target: string; readonly control: number; readonly luns: readonly LunPlan[]; readonly fcLuns: readonly LunPlan[]; /** who sees the first target; null: everybody */ readonly initiators: readonly string[] | null };
  readonly systems: readonly SystemPlan[];
  readonly consoles: readonly ConsolePlan[];
}

/** Where a system looks for requests to wait at a point of a migration. */
export const holdDirOf = (system: SystemPlan): string => path.join(system.runDir, "hold");

export const stateDirOf = (name: string): string => path.join("/var/lib/openlpm/labs", name);
export const runDirOf = (name: string): string => path.join("/run/openlpm", name);

/** A small number from a name, so that laboratories side by side have different LUN identities. */
const numberOf = (name: string): number => [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) % 0xffff, 7);
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

export function planLab(name: string, description: LabDescription): LabPlan {
  const stateDir = stateDirOf(name);
  const runDir = runDirOf(name);
  const space = (place: string) => `olpm-${name}-${place}`;
  const number = numberOf(name);
  let host = 20;
  const systems = description.systems.map((system, index): SystemPlan => ({
    ...system,
    partitionUids: { first: LAB_UIDS + (number * SYSTEMS_MAX + index) * UIDS, count: UIDS },
    namespace: space(system.name),
    lanAddress: `10.9.0.${11 + index}`,
    stateDir: path.join(stateDir, system.name),
    runDir: path.join(runDir, system.name),
    certificate: `system-${system.name}`,
    vioses: system.vioses.map((vios, at) => ({ ...vios, lparId: 1 + at, namespace: space(`${system.name}-${vios.name}`), lanAddress: `10.9.0.${++host}`, sanAddress: `10.9.1.${host}`, initiatorName: `iqn.2026-01.org.openlpm:${system.name}.${vios.name}`, trunkPriority: 1 + at, certificate: `vios-${system.name}-${vios.name}` })),
  }));
  const consoles = description.consoles.map((one, index): ConsolePlan => ({ name: one.name, namespace: space(one.name), lanAddress: `10.9.0.${5 + index}`, stateDir: path.join(stateDir, one.name), runDir: path.join(runDir, one.name), certificate: `console-${one.name}` }));
  const lun = (at: number, kind: string, name: string): LunPlan => ({ number: 1 + at, id: `naa.600507680c${hex(number, 4)}${kind}000000000000${hex(at, 4)}`, file: path.join(stateDir, "san", `${name}${at}.img`) });
  const luns = Array.from({ length: description.luns }, (_, at) => lun(at, "00", "lun"));
  const fcLuns = Array.from({ length: description.fcLuns }, (_, at) => lun(at, "fc", "fc"));
  const initiators = systems.flatMap((system) => system.vioses.map((vios) => vios.initiatorName));
  return { name, stateDir, runDir, faults: description.faults, lan: { namespace: space("lan") }, san: { namespace: space("san"), target: `naa.500507680c${hex(number, 4)}01`, control: 1_000 + (number % 30_000), luns, fcLuns, initiators }, systems, consoles };
}
