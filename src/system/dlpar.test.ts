/** Dynamic partitioning over a machine and an operating system that do as they are told, or not: what is claimed, what is reported, what the row says afterwards. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../kit/errors.js";
import { silentLogger } from "../kit/log.js";
import type { LparId } from "../model/ids.js";
import { layoutBytes, LparView, MachineLayout, ResourceConfig, type LparDefinition, type MemoryDevice } from "../model/lpar.js";
import { db01 } from "../testkit/fake-console.js";
import { BLOCK_BYTES, layoutAtStart } from "./dlpar-plan.js";
import { Dlpar } from "./dlpar.js";
import type { SystemHypervisor } from "./hypervisor.js";
import { Operations } from "./operations.js";
import type { Limits, PartitionProcess } from "./qemu/contract.js";

const MIB = 1 << 20;
interface World {
  definition: LparDefinition;
  machine: { memory: MemoryDevice[]; cores: number };
  /** processors online and memory blocks offline, as the operating system has them */
  readonly guest: { online: Set<number>; offline: Set<number> };
  /** says no with these words; by what is asked: `offline 0` (slot), `cpu 1`, `add 0` (QEMU), `remove 0` (QEMU) */
  readonly refuses: Map<string, string>;
  rmc: "active" | "inactive";
  takesCores: boolean;
  running: boolean;
  freeBytes: number;
  readonly caps: Limits[];
  /** in one piece: what the operating system knows of, and what it keeps aside */
  known: number;
  aside: number;
  restart: (lparId: LparId) => void;
  /** memory that counts as given out, at each step */
  readonly claims: number[];
  /** the hypervisor tells that the partition changed */
  tell: (view: LparView) => void;
  readonly dlpar: Dlpar;
  readonly hypervisor: SystemHypervisor;
}

function world(change: { mb?: number; maxMb?: number; procs?: number; emulatedOnMb?: number } = {}): World {
  const view = db01();
  const current = ResourceConfig.parse({ ...view.definition.current!, memory: { minBytes: 256 * MIB, desiredBytes: (change.mb ?? 512) * MIB, maxBytes: (change.maxMb ?? 2048) * MIB }, proc: { ...view.definition.current!.proc, desiredProcs: change.procs ?? 1 } });
  const layout = layoutAtStart(current, BLOCK_BYTES, change.emulatedOnMb === undefined ? undefined : { systemBytes: change.emulatedOnMb * MIB });
  const state = { definition: { ...view.definition, current, layout }, machine: { memory: [...layout.memory], cores: layout.cores }, guest: { online: new Set(Array.from({ length: layout.cores }, (_, core) => core)), offline: new Set<number>() }, refuses: new Map<string, string>(), rmc: "active" as "active" | "inactive", takesCores: false, running: true, freeBytes: 4096 * MIB, caps: [] as World["caps"][number][], tell: (_: LparView): void => undefined, claims: [] as number[], known: layout.bootBytes, aside: 0, restart: (_: LparId): void => undefined };
  const refuse = (what: string, code: "refused" | "guest-refused" = "refused") => {
    const words = state.refuses.get(what);
    if (words !== undefined) throw new OlpmError(code, words);
  };
  const exec = async (_path: string, argv: readonly string[]) => {
    if (argv[0] === "-c") return { code: 0, stdout: "pseries-hotplug-mem: Memory indexed-count-remove failed\n", stderr: "" };
    const [word, ...rest] = argv.slice(5);
    try {
      if (rest.length === 0 && /^\d+$/.test(word!)) {
        refuse("extend");
        return { code: 0, stdout: String((state.known = Math.max(state.known, Number(word)))), stderr: "" };
      }
      if (word === "online" || word === "offline") {
        const slot = state.machine.memory.find((device) => String(device.address) === rest[0])!.slot;
        refuse(`${word} ${slot}`);
        state.guest.offline[word === "offline" ? "add" : "delete"](slot);
      } else
        for (const [core, to] of [word!, ...rest].map((pair) => pair.split("=").map(Number) as [number, number])) {
          refuse(`cpu ${core}`);
          state.guest.online[to === 1 ? "add" : "delete"](core);
        }
      return { code: 0, stdout: "", stderr: "" };
    } catch (error) {
      return { code: 1, stdout: "", stderr: `sh: ${(error as Error).message}\n` };
    }
  };
  const process = {
    guest: { exec, ping: async () => state.rmc === "active" },
    balloon: async (bytes: number) => void (state.aside = bytes),
    ballooned: async () => state.aside,
    get takesCores() {
      return state.takesCores;
    },
    machine: async () => structuredClone(state.machine),
    addMemory: async (device: MemoryDevice) => {
      refuse(`add ${device.slot}`);
      state.machine.memory = [...state.machine.memory, device].sort((a, b) => a.slot - b.slot);
    },
    addCore: async (core: number) => {
      assert.equal(core, state.machine.cores, "cores come in order");
      state.machine.cores++;
    },
    removeMemory: async (slot: number) => {
      refuse(`remove ${slot}`, "guest-refused");
      if (state.rmc === "active") assert.ok(state.guest.offline.has(slot), "offline before it goes");
      state.machine.memory = state.machine.memory.filter((device) => device.slot !== slot);
    },
    removeCore: async (core: number) => {
      assert.ok(!state.guest.online.has(core), "offline before it goes");
      refuse(`core ${core}`, "guest-refused");
      assert.equal(core, --state.machine.cores, "the highest first");
    },
    cap: (limits: World["caps"][number]) => state.caps.push(limits) > 0,
  } as unknown as PartitionProcess;
  const row = () => ({ lparId: view.lparId, definition: state.definition, ownership: view.ownership, migrationId: null });
  const hypervisor = {
    operations: new Operations(),
    config: { lmbBytes: BLOCK_BYTES },
    log: silentLogger,
    store: { lpars: () => [row()], lpar: row },
    row,
    view: () => LparView.parse({ ...view, definition: state.definition, state: state.running ? "running" : "not-activated", runtime: { ...view.runtime, rmc: state.rmc } }),
    process: () => (state.running ? process : undefined),
    update: (_: number, change: (now: ReturnType<typeof row>) => ReturnType<typeof row>) => {
      state.definition = change(row()).definition as typeof state.definition;
      state.claims.push(state.definition.current.memory.desiredBytes);
    },
    assertFits: (wanted: ResourceConfig) => {
      if (wanted.memory.desiredBytes > state.freeBytes) throw new OlpmError("insufficient-memory", "not enough", { hsc: "HSCL03EC" });
    },
    on: (event: string, listener: (view: LparView) => void) => {
      if (event === "lpar.changed") state.tell = listener;
      return () => undefined;
    },
    onMachineChanged: () => () => undefined,
    onGuestRestarted: (listener: (lparId: LparId) => void) => {
      state.restart = listener;
      return () => undefined;
    },
  } as unknown as SystemHypervisor;
  return Object.assign(state, { hypervisor, dlpar: new Dlpar(hypervisor) });
}
const resize = (at: World, change: object) => at.dlpar.resize({ lparId: 3 as never, memory: null, proc: null, sharing: null, waitMinutes: 1, force: false, ...change });
const memory = (at: World, operation: "add" | "remove", mb: number, more = {}) => resize(at, { memory: { operation, bytes: mb * MIB }, ...more });
const procs = (at: World, operation: "add" | "remove", count: number, more = {}) => resize(at, { proc: { operation, procs: count, units: null }, ...more });

/** At rest the row, the machine and the operating system say the same. */
function assertSettled(at: World, mb: number, processors: number): void {
  const { current, layout } = at.definition;
  assert.deepEqual(MachineLayout.parse(layout), layout);
  assert.deepEqual([current!.memory.desiredBytes / MIB, layoutBytes(layout!) / MIB, layout!.bootBytes / MIB + at.machine.memory.reduce((sum, device) => sum + device.bytes / MIB, 0)], [mb, mb, mb]);
  assert.deepEqual(layout!.memory, at.machine.memory);
  assert.deepEqual([current!.proc.desiredProcs, layout!.procs, layout!.cores], [processors, processors, at.machine.cores]);
  assert.deepEqual([...at.guest.offline].filter((slot) => at.machine.memory.some((device) => device.slot === slot)), [], "nothing that it has is offline");
}

test("memory: claimed before it comes, counted until it is gone", async () => {
  const at = world();
  assert.deepEqual(await memory(at, "add", 512), { memoryBytes: 1024 * MIB, procs: 1, units: 50, refusal: null });
  assertSettled(at, 1024, 1);
  assert.equal(at.claims[0], 1024 * MIB, "nobody else is given it meanwhile");
  at.claims.length = 0;
  assert.deepEqual(await memory(at, "remove", 256), { memoryBytes: 768 * MIB, procs: 1, units: 50, refusal: null });
  assert.ok(at.claims.slice(0, -1).every((bytes) => bytes === 1024 * MIB));
  assertSettled(at, 768, 1);
});

test("a device that the operating system refuses is left as it was, and another one taken", async () => {
  const at = world();
  await memory(at, "add", 768);
  at.refuses.set("offline 2", "write error: Device or resource busy");
  assert.equal((await memory(at, "remove", 512)).refusal, null);
  assert.deepEqual(at.machine.memory.map((device) => device.slot), [2]);
  assertSettled(at, 768, 1);
});

test("a part: how much went, why the rest did not, and what the kernel says", async () => {
  const at = world();
  await memory(at, "add", 768);
  at.refuses.set("offline 1", "write error: Device or resource busy");
  at.refuses.set("offline 2", "write error: Device or resource busy");
  const { memoryBytes, refusal } = await memory(at, "remove", 768);
  assert.equal(memoryBytes, 1024 * MIB);
  assert.match(refusal!, /^HSCL2932 .* Amount of memory removed: 256 MB of 768 MB\. The detailed output of the OS operation follows:\n.*resource busy.*\npseries-hotplug-mem: /);
  assertSettled(at, 1024, 1);
});

test("what is offline and does not go after all is put online again", async () => {
  const at = world();
  await memory(at, "add", 256);
  at.refuses.set("remove 0", "the operating system did not give it back");
  assert.match((await memory(at, "remove", 256)).refusal!, /removed: 0 MB of 256 MB/);
  assertSettled(at, 768, 1);
});

test("boot memory stays, and the message says so", async () => {
  const at = world();
  assert.match((await memory(at, "remove", 256)).refusal!, /^HSCL2932 .*removed: 0 MB of 256 MB.*\nthe rest is memory that the partition was started with/s);
  assertSettled(at, 512, 1);
});

test("QEMU refuses in the middle: what came stays, what did not is not claimed any more", async () => {
  const at = world();
  at.refuses.set("add 1", "QEMU: no memory");
  await assert.rejects(memory(at, "add", 512), /no memory/);
  assertSettled(at, 768, 1);
});

test("the operating system does not use what it was given: it has it, and the message says so", async () => {
  const at = world();
  at.refuses.set("online 1", "no such block");
  const { memoryBytes, refusal } = await memory(at, "add", 512);
  assert.equal(memoryBytes, 1024 * MIB);
  assert.match(refusal!, /^OLPM-L05 The partition was given 512 MB, and its operating system uses 256 MB of them: .*no such block/);
});

test("processors: offline stays where cores can not be taken, and is the first to come again", async () => {
  const at = world({ procs: 2 });
  await procs(at, "remove", 1);
  assertSettled(at, 512, 1);
  assert.deepEqual([at.machine.cores, [...at.guest.online]], [2, [0]]);
  await procs(at, "add", 2);
  assertSettled(at, 512, 3);
  assert.deepEqual([at.machine.cores, [...at.guest.online]], [3, [0, 1, 2]]);
  at.takesCores = true;
  await procs(at, "remove", 2);
  assertSettled(at, 512, 1);
  assert.deepEqual([at.machine.cores, [...at.guest.online]], [1, [0]]);
});

test("a processor that the operating system keeps: those above it went", async () => {
  const at = world({ procs: 4 });
  at.refuses.set("cpu 2", "write error: Device or resource busy");
  const { procs: left, refusal } = await procs(at, "remove", 3);
  assert.equal(left, 3);
  assert.match(refusal!, /^OLPM-L06 .* Number of processors removed: 1 of 3\. .*resource busy/);
  assertSettled(at, 512, 3);
});

test("a core that does not go after all is put online again", async () => {
  const at = world({ procs: 2 });
  at.takesCores = true;
  at.refuses.set("core 1", "the operating system did not give it back");
  assert.match((await procs(at, "remove", 1)).refusal!, /^OLPM-L06 .*removed: 0 of 1\./);
  assertSettled(at, 512, 2);
  assert.deepEqual([...at.guest.online], [0, 1]);
});

test("sharing and units reach the processor group; nobody needs RMC for them", async () => {
  const at = world();
  at.rmc = "inactive";
  await resize(at, { sharing: { mode: "cap", weight: null } });
  await resize(at, { proc: { operation: "add", procs: null, units: 25 } });
  assert.deepEqual(at.caps.at(-1), { units: 75, weight: 128, memoryBytes: 512 * MIB });
  assertSettled(at, 512, 1);
});

test("without RMC nothing is added or taken, unless it is forced; then QEMU and the kernel agree alone", async () => {
  const at = world();
  at.rmc = "inactive";
  for (const change of [() => memory(at, "add", 256), () => procs(at, "add", 1)]) await assert.rejects(change(), (error: OlpmError) => error.hsc === "HSCL2957" && error.message.includes("db01"));
  assertSettled(at, 512, 1);
  await memory(at, "add", 256, { force: true });
  assertSettled(at, 768, 1);
  await memory(at, "remove", 256, { force: true });
  assertSettled(at, 512, 1);
  const forced = world({ procs: 2 });
  forced.rmc = "inactive";
  assert.match((await procs(forced, "remove", 1, { force: true })).refusal!, /^OLPM-L06 .*agent only/);
  assertSettled(forced, 512, 2);
});

test("no memory on the system: nothing is claimed", async () => {
  const at = world();
  at.freeBytes = 512 * MIB;
  await assert.rejects(memory(at, "add", 256), (error: OlpmError) => error.hsc === "HSCL03EC");
  assert.deepEqual(at.claims, []);
});

test("of a partition that is off the current configuration changes, between its minimum and maximum", async () => {
  const at = world();
  at.running = false;
  assert.deepEqual(await memory(at, "add", 512), { memoryBytes: 1024 * MIB, procs: 1, units: 50, refusal: null });
  assert.equal(at.definition.current!.memory.desiredBytes, 1024 * MIB);
  await assert.rejects(memory(at, "add", 2048), (error: OlpmError) => error.hsc === "OLPM-L02");
});

test("after a restart of the system process the row says what the machine has, whatever was claimed", async () => {
  const at = world({ mb: 1024 });
  at.definition = { ...at.definition, current: { ...at.definition.current!, memory: { ...at.definition.current!.memory, desiredBytes: 2048 * MIB } } };
  at.machine.memory = at.machine.memory.slice(1);
  await at.dlpar.adopt();
  assertSettled(at, 768, 1);
});

test("after a restart of the operating system, and after a migration, the processors online are those that the partition has", async () => {
  const at = world({ procs: 3 });
  await procs(at, "remove", 1);
  const told = async (rmc: "active" | "inactive", migrationId: string | null) => {
    const view = at.hypervisor.view(3 as never);
    at.tell({ ...view, runtime: { ...view.runtime, rmc }, migrationId });
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    return [...at.guest.online].sort();
  };
  at.guest.online = new Set([0, 1, 2]);
  assert.deepEqual(await told("inactive", null), [0, 1, 2], "it can not be asked");
  assert.deepEqual(await told("active", null), [0, 1]);
  at.guest.online = new Set([0]);
  assert.deepEqual(await told("active", null), [0], "whoever put one offline meanwhile meant it");
  assert.deepEqual(await told("active", "m1"), [0], "while it moves");
  assert.deepEqual(await told("active", null), [0, 1]);
});

test("memory in one piece: claimed and allowed before it comes, to the minimum and to what the first system has", async () => {
  const at = world({ maxMb: 4096, emulatedOnMb: 1536 });
  const has = () => [at.definition.current!.memory.desiredBytes, layoutBytes(at.definition.layout!), at.known - at.aside].map((bytes) => bytes / MIB);
  assert.equal((await memory(at, "add", 512)).refusal, null);
  assert.deepEqual([has(), at.claims[0]! / MIB, at.caps[0]!.memoryBytes / MIB], [[1024, 1024, 1024], 1024, 1024]);
  await assert.rejects(memory(at, "add", 1024), (error: OlpmError) => error.hsc === "OLPM-L04" && error.message.includes("1536 MB"));
  assert.deepEqual(await memory(at, "remove", 768), { memoryBytes: 256 * MIB, procs: 1, units: 50, refusal: null });
  assert.deepEqual([has(), at.caps.at(-1)!.memoryBytes / MIB], [[256, 256, 256], 256]);
  at.refuses.set("extend", "write error: Invalid argument");
  await assert.rejects(memory(at, "add", 256));
  assert.deepEqual(has(), [256, 256, 256]);
});

test("memory in one piece: an operating system that starts anew begins with its boot memory, and hears of the rest", async () => {
  const at = world({ emulatedOnMb: 4096 });
  const tell = async (rmc: "active" | "inactive") => {
    const view = at.hypervisor.view(3 as never);
    at.tell({ ...view, runtime: { ...view.runtime, rmc } });
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    return (at.known - at.aside) / MIB;
  };
  await tell("active");
  await memory(at, "add", 1024);
  await memory(at, "remove", 256);
  at.known = 512 * MIB;
  at.restart(3 as never);
  await tell("inactive");
  assert.deepEqual([at.aside, at.definition.layout!.piece!.knownBytes / MIB], [0, 512]);
  assert.equal(await tell("active"), 1280);
  await memory(at, "remove", 1024);
  at.known = 512 * MIB;
  at.restart(3 as never);
  assert.equal(await tell("inactive"), 256, "no more is kept aside than it can spare");
});

test("one change at a time", async () => {
  const at = world();
  const first = memory(at, "add", 256);
  await assert.rejects(memory(at, "add", 256), (error: OlpmError) => error.code === "conflict" && /dynamic partitioning/.test(error.message));
  await first;
  assertSettled(at, 768, 1);
});
