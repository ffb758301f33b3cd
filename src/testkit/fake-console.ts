/** A console without processes for tests of its commands: two managed systems, a Virtual I/O Server on each, one shared and one dedicated partition. Tests only. */
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { silentLogger } from "../kit/log.js";
import { LparId } from "../model/ids.js";
import { LparView } from "../model/lpar.js";
import type { MigrationRecord } from "../model/migration.js";
import { SystemView, type SystemProfile } from "../model/system.js";
import { mbToBytes } from "../model/units.js";
import { findLpar, findSystem } from "../console/inventory/inventory.js";
import { consoleSystem } from "../wire/console-system.js";
import type { CommandContext, ManagedSystem, UserInfo, ValidationResult } from "../console/contract.js";

const GIB = 1 << 30;
const settings = { autoStart: false, availPriority: 127, description: "", keylock: "norm", allowPerfCollection: true, migrationDisabled: false, syncCurrProfile: false, timeRef: false, msp: false } as const;

export const SHARED_RESOURCES = {
  memory: { minBytes: mbToBytes(256), desiredBytes: mbToBytes(512), maxBytes: mbToBytes(1024) },
  proc: { mode: "shared", minProcs: 1, desiredProcs: 2, maxProcs: 4, minUnits: 5, desiredUnits: 50, maxUnits: 200, sharingMode: "uncap", uncapWeight: 128 },
  maxVirtualSlots: 40,
  scsi: [{ slot: 2, role: "client", remoteLparId: 1, remoteSlot: 10, required: true }],
  ethernet: [
    { slot: 3, ieee: false, portVlanId: 1, additionalVlanIds: [], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac: "02AABB000103" },
    { slot: 4, ieee: true, portVlanId: 10, additionalVlanIds: [20, 30], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac: "02AABB000104" },
  ],
  bootMode: "norm",
  compatMode: "default",
} as const;
const DEDICATED_RESOURCES = { ...SHARED_RESOURCES, proc: { mode: "ded", minProcs: 1, desiredProcs: 1, maxProcs: 2, minUnits: 100, desiredUnits: 100, maxUnits: 200, sharingMode: "keep_idle_procs", uncapWeight: 128 }, scsi: [], ethernet: [] } as const;
const VIOS_RESOURCES = {
  ...SHARED_RESOURCES,
  maxVirtualSlots: 200,
  scsi: [{ slot: 10, role: "server", remoteLparId: 3, remoteSlot: 2, required: false }, { slot: 11, role: "server", remoteLparId: null, remoteSlot: null, required: false }],
  ethernet: [{ slot: 5, ieee: true, portVlanId: 1, additionalVlanIds: [], trunkPriority: 1, required: true, vswitch: "ETHERNET0", mac: "02AABB000101" }],
} as const;

const OFF = { qemuPid: null, startedAt: null, rmc: "inactive", rmcAddress: null, osVersion: null, refCode: "", refCodeAt: null, vtermOpen: false, consoleLog: "/log", vios: null } as const;
const owner = { kind: "owner", generation: 1, migrationId: null } as const;
const common = (lparId: number) => ({ lparId, revision: 1, ownership: owner, migrationId: null });

export const vios = (lparId: number, name: string, address: string): LparView =>
  LparView.parse({
    ...common(lparId),
    definition: { name, uuid: `00000000-0000-4000-8000-00000000000${lparId}`, environment: "vioserver", settings: { ...settings, availPriority: 191, msp: true }, profiles: [{ name: "default", resources: VIOS_RESOURCES }], defaultProfile: "default", currentProfile: "default", current: VIOS_RESOURCES },
    state: "running",
    runtime: { ...OFF, startedAt: "2026-11-24T10:00:00.000Z", rmc: "active", rmcAddress: address, vios: { pid: 100, namespace: "ns", roles: ["vscsi", "sea", "msp"], mspAddress: address } },
    storage: [],
  });

/** db01 runs, with shared processors and a LUN; batch02 is dedicated and was never activated. */
export const db01 = (): LparView =>
  LparView.parse({
    ...common(3),
    definition: { name: "db01", uuid: "00000000-0000-4000-8000-0000000000ab", environment: "aixlinux", settings, profiles: [{ name: "normal", resources: SHARED_RESOURCES }], defaultProfile: "normal", currentProfile: "normal", current: SHARED_RESOURCES },
    state: "running",
    runtime: { ...OFF, qemuPid: 200, startedAt: "2026-11-24T11:00:00.000Z", rmc: "active", rmcAddress: "10.0.0.21", osVersion: "Linux/Debian GNU/Linux 13 6.12.0", refCode: "Linux ppc64le", refCodeAt: "2026-11-24T11:00:20.000Z" },
    storage: [{ clientSlot: 2, viosLparId: 1, viosSlot: 10, vtd: "vtscsi0", lun: "naa.600a", lunBytes: GIB }],
  });
export const batch02 = (): LparView =>
  LparView.parse({
    ...common(4),
    definition: { name: "batch02", uuid: "00000000-0000-4000-8000-0000000000ac", environment: "aixlinux", settings: { ...settings, autoStart: true }, profiles: [{ name: "big", resources: DEDICATED_RESOURCES }], defaultProfile: "big", currentProfile: null, current: null },
    state: "not-activated",
    runtime: OFF,
    storage: [],
  });

const systemView = (name: string, serial: string): SystemView =>
  SystemView.parse({
    name,
    uuid: "00000000-0000-4000-8000-0000000000ff",
    mtms: { typeModel: "9009-42A", serial },
    revision: 1,
    state: "operating",
    version: "0.1.0",
    hypervisor: { qemuVersion: "10.0.0", accelerator: "tcg", acceleratorReason: "test" },
    memory: { installedBytes: 8 * GIB, configurableBytes: 8 * GIB, availableBytes: 7 * GIB, firmwareBytes: 0, lmbBytes: mbToBytes(256) },
    proc: { installedUnits: 400, configurableUnits: 400, availableUnits: 300, minUnitsPerProc: 5, maxProcsPerLpar: 8 },
    lparsMax: 256,
    startPolicy: "autostart",
    compatModes: ["default", "POWER8", "POWER9_base", "POWER9"],
    vswitches: [{ name: "ETHERNET0", mode: "VEB", vlanIds: [1, 10, 20, 30] }],
    sharedEthernet: [],
    migration: { activeMax: 8, activeNow: 0, inactiveMax: 16, inactiveNow: 0 },
    pid: 1,
    time: "2026-11-24T12:00:00.000Z",
  });

export interface FakeSystem {
  name: string;
  connected: boolean;
  view: SystemView | null;
  lpars: LparView[];
  records: MigrationRecord[];
  /** how often it was asked for what it says now */
  refreshes: number;
  /** partitions whose agent does not answer when it is asked */
  silentGuests: number[];
  systemProfiles: SystemProfile[];
  /** what it was asked to change: method and parameters, which the contract allows */
  changes: { readonly method: string; readonly params: unknown }[];
  /** what it says to the next changes, when it refuses them */
  refusal?: OlpmError;
  /** what the operating system gives only a part of, in the system's words */
  resizeRefusal?: string;
}
const systemProfiles = (): SystemProfile[] => [{ name: "night", members: [{ lparId: LparId.parse(3), lparName: "db01", profile: "normal" }, { lparId: LparId.parse(4), lparName: "batch02", profile: "big" }] }];
export const fakeSystems = (): [FakeSystem, FakeSystem] => [
  { name: "ms01", connected: true, view: systemView("ms01", "7800A01"), lpars: [vios(1, "vios1", "10.0.0.11"), db01(), batch02()], systemProfiles: systemProfiles(), records: [], refreshes: 0, silentGuests: [], changes: [] },
  { name: "ms02", connected: true, view: systemView("ms02", "7800A02"), lpars: [vios(1, "vios2", "10.0.0.12")], systemProfiles: [], records: [], refreshes: 0, silentGuests: [], changes: [] },
];

/** Methods that only look. */
const LOOKS = ["system.get", "lpar.list", "vswitch.list", "migration.list", "migration.get", "migration.checkGuest", "migration.movers", "vios.command", "sysprof.list"];
/** As the real one: parameters by the contract, then an answer by the contract. @throws OlpmError internal when a command sends what the contract does not allow */
function answer(system: FakeSystem, method: string, params: { readonly lparId?: number }): unknown {
  const known = (consoleSystem.methods as Readonly<Record<string, { readonly params: z.ZodType }>>)[method];
  const parsed = known?.params.safeParse(params);
  if (!parsed?.success) throw new OlpmError("internal", `${method} was called with what the contract does not allow: ${parsed ? z.prettifyError(parsed.error) : "no such method"}`);
  if (!LOOKS.includes(method)) {
    if (system.refusal) throw system.refusal;
    system.changes.push({ method, params: parsed.data });
  }
  const answered = !system.silentGuests.includes(params.lparId ?? 0);
  const answers: Readonly<Record<string, unknown>> = {
    "migration.list": { records: system.records },
    "migration.checkGuest": { answered, agreed: answered, detail: answered ? "" : "no answer within 2000 ms" },
    "sysprof.list": { profiles: system.systemProfiles },
    "migration.movers": { movers: system.lpars.filter((lpar) => lpar.runtime.vios).map(({ lparId }) => ({ lparId, supported: 4, configured: 4, inProgress: system.records.filter((record) => record.source.mspLparId === lparId && record.role === "source").length })) },
    "lpar.create": { lparId: 9 },
    "lpar.resize": { memoryBytes: mbToBytes(256), procs: 1, units: 25, refusal: system.resizeRefusal ?? null },
    "vterm.open": { session: "s1" },
    "vios.command": { stdout: "", stderr: "", code: 0 },
  };
  return answers[method] ?? {};
}

function managed(system: FakeSystem): ManagedSystem {
  return {
    name: system.name,
    endpoint: { host: "10.0.0.1", port: 1, name: `system:${system.name}` },
    get connected() {
      return system.connected;
    },
    get view() {
      return system.view;
    },
    lpars: () => system.lpars,
    refresh: async () => {
      system.refreshes++;
      if (!system.connected) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237" });
    },
    client: {
      call: (async (method: string, params: { lparId?: number }) => answer(system, method, params)) as unknown as ManagedSystem["client"]["call"],
      on: () => () => undefined,
    },
  };
}

export interface FakeConsole {
  readonly context: CommandContext;
  /** migrations that were begun or stopped */
  readonly moves: string[];
  /** what was asked of the users */
  readonly userChanges: unknown[];
  /** what was printed since the last call */
  take(): { readonly out: string; readonly err: string };
}
const FAKE_USERS: readonly UserInfo[] = [
  { name: "hscroot", taskRole: "hmcsuperadmin", description: "HMC Super User", pwageDays: 99_999, sshAccess: true },
  { name: "operator1", taskRole: "hmcoperator", description: "first, and second shift", pwageDays: 90, sshAccess: false },
];
export function fakeConsole(systems: readonly FakeSystem[], validation?: ValidationResult): FakeConsole {
  const all = systems.map(managed);
  let [out, err] = ["", ""];
  const moves: string[] = [];
  const userChanges: unknown[] = [];
  const nothingFound: ValidationResult = { findings: [], type: "active", possibleScsi: [], suggestedScsi: [], possibleFc: [], suggestedFc: [], possibleMsps: [] };
  const context: CommandContext = {
    user: "hscroot",
    taskRole: "hmcsuperadmin",
    consoleName: "hmc1",
    inventory: { systems: () => all, system: (name) => findSystem(all, name), lpar: findLpar, onMigration: () => () => undefined, close: async () => undefined },
    mobility: {
      validate: async () => validation ?? nothingFound,
      migrate: async ({ lparId }) => {
        moves.push(`migrate ${lparId}`);
        return { ok: true, findings: [], record: null };
      },
      stop: async (_source, lparId) => void moves.push(`stop ${lparId}`),
      recover: async (_system, lparId) => {
        moves.push(`recover ${lparId}`);
        return { ok: true, findings: [] };
      },
      close: async () => undefined,
    },
    io: {
      stdout: (text) => {
        out += text.toString();
      },
      stderr: (text) => {
        err += text;
      },
      tty: null,
      input: async function* () {},
      setRaw: () => undefined,
    },
    signal: new AbortController().signal,
    env: {},
    log: silentLogger,
    users: {
      list: () => FAKE_USERS,
      create: (user) => void userChanges.push(user),
      change: (name, change) => void userChanges.push({ name, change }),
      remove: (name) => {
        if (!FAKE_USERS.some((user) => user.name === name)) throw new OlpmError("not-found", `The user ${name} was not found.`);
        userChanges.push({ remove: name });
      },
    },
    keys: { add: () => true, remove: () => 1, list: () => [] },
    about: { version: "0.1.0", addresses: ["10.0.0.5", "10.1.0.5"], sshEnabled: true },
  };
  return {
    context,
    moves,
    userChanges,
    take: () => {
      const taken = { out, err };
      [out, err] = ["", ""];
      return taken;
    },
  };
}
