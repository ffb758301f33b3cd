import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../kit/errors.js";
import { layoutBytes, ResourceConfig, type MachineLayout, type MemoryDevice } from "../model/lpar.js";
import { SHARED_RESOURCES } from "../testkit/fake-console.js";
import { randomOf } from "../testkit/random.js";
import { BLOCK_BYTES, layoutAtStart, layoutOf, MEMORY_SLOTS, memoryToAdd, memoryToRemove, sizes, wantedResources, type ResizeRequest } from "./dlpar-plan.js";

const MIB = 1 << 20;
const GIB = 2 ** 30;
type Numbers = { min?: number; now?: number; max?: number; proc?: Partial<ResourceConfig["proc"]> };
/** Memory in MB. */
const resources = ({ min = 256, now = 512, max = 1024, proc = {} }: Numbers = {}): ResourceConfig =>
  ResourceConfig.parse({ ...SHARED_RESOURCES, memory: { minBytes: min * MIB, desiredBytes: now * MIB, maxBytes: max * MIB }, proc: { ...SHARED_RESOURCES.proc, ...proc } });
const dedicated = (now: number): ResourceConfig => resources({ proc: { mode: "ded", minProcs: 1, desiredProcs: now, maxProcs: 4, minUnits: 100, desiredUnits: now * 100, maxUnits: 400, sharingMode: "keep_idle_procs" } });
const request = (change: Partial<ResizeRequest>): ResizeRequest => ({ memory: null, proc: null, sharing: null, ...change });
const refusal = (current: ResourceConfig, change: Partial<ResizeRequest>): string => {
  try {
    wantedResources(current, request(change), BLOCK_BYTES);
  } catch (error) {
    assert.ok(error instanceof OlpmError);
    return error.hsc ?? error.code;
  }
  return "";
};
const blocks = (devices: readonly MemoryDevice[]): number[] => devices.map((device) => device.bytes / BLOCK_BYTES);

/** What every layout has to be: devices apart, aligned, in slots of their own, between boot memory and the maximum. */
function assertSound(layout: MachineLayout, maxBytes: number): void {
  const begin = Math.ceil(layout.bootBytes / GIB) * GIB;
  assert.equal(new Set(layout.memory.map((device) => device.slot)).size, layout.memory.length, "slots of their own");
  assert.ok(layout.memory.every(({ slot }) => slot >= 0 && slot < MEMORY_SLOTS));
  let at = begin;
  for (const { address, bytes } of [...layout.memory].sort((a, b) => a.address - b.address)) {
    assert.ok(address >= at, "devices do not overlap");
    assert.ok(bytes > 0 && bytes % BLOCK_BYTES === 0 && address % BLOCK_BYTES === 0, "whole blocks");
    at = address + bytes;
  }
  assert.ok(at <= begin + maxBytes - layout.bootBytes, "below the maximum");
}

test("memory: every operation and every quantity between nothing and beyond the maximum", () => {
  for (const now of [256, 512, 768, 1024]) {
    for (let mb = 0; mb <= 1280; mb += 64) {
      for (const [operation, wanted] of [["add", now + mb], ["remove", now - mb], ["set", mb]] as const) {
        const said = refusal(resources({ now }), { memory: { operation, bytes: mb * MIB } });
        const expected = mb === 0 || mb % 256 !== 0 ? "OLPM-L01" : wanted > 1024 ? "OLPM-L02" : wanted < 256 ? "OLPM-L03" : "";
        assert.equal(said, expected, `${operation} ${mb} at ${now}`);
        if (said === "") assert.deepEqual(wantedResources(resources({ now }), request({ memory: { operation, bytes: mb * MIB } }), BLOCK_BYTES), resources({ now: wanted }));
      }
    }
  }
});

test("processors and units: minimum, maximum, and what does not go together", () => {
  const cases: readonly [current: ResourceConfig, proc: ResizeRequest["proc"], error: string | [procs: number, units: number]][] = [
    [resources(), { operation: "add", procs: 1, units: null }, [3, 50]],
    [resources(), { operation: "add", procs: 2, units: 150 }, [4, 200]],
    [resources(), { operation: "add", procs: 3, units: null }, "OLPM-L02"],
    [resources(), { operation: "add", procs: null, units: 151 }, "OLPM-L02"],
    [resources(), { operation: "remove", procs: 1, units: null }, [1, 50]],
    [resources(), { operation: "remove", procs: 2, units: null }, "OLPM-L03"],
    [resources(), { operation: "remove", procs: 1, units: 45 }, [1, 5]],
    [resources(), { operation: "remove", procs: null, units: 45 }, "invalid-argument"],
    [resources(), { operation: "remove", procs: null, units: 50 }, "OLPM-L03"],
    [resources(), { operation: "add", procs: null, units: 150 }, [2, 200]],
    [resources({ proc: { desiredUnits: 101 } }), { operation: "remove", procs: 1, units: null }, "invalid-argument"],
    [resources(), { operation: "set", procs: 4, units: 200 }, [4, 200]],
    [resources(), { operation: "set", procs: 0, units: null }, "invalid-argument"],
    [resources(), { operation: "add", procs: null, units: -5 }, "invalid-argument"],
    [dedicated(1), { operation: "add", procs: 3, units: null }, [4, 400]],
    [dedicated(1), { operation: "add", procs: 4, units: null }, "OLPM-L02"],
    [dedicated(2), { operation: "remove", procs: 2, units: null }, "OLPM-L03"],
    [dedicated(2), { operation: "remove", procs: null, units: 50 }, "invalid-argument"],
  ];
  for (const [current, proc, expected] of cases) {
    if (typeof expected === "string") assert.equal(refusal(current, { proc }), expected, JSON.stringify(proc));
    else {
      const { desiredProcs, desiredUnits } = wantedResources(current, request({ proc }), BLOCK_BYTES).proc;
      assert.deepEqual([desiredProcs, desiredUnits], expected, JSON.stringify(proc));
    }
  }
});

test("sharing: the modes of shared and of dedicated processors, a weight only where it means something", () => {
  const cases: readonly [current: ResourceConfig, sharing: ResizeRequest["sharing"], result: string][] = [
    [resources(), { mode: "cap", weight: null }, "cap 128"],
    [resources(), { mode: "cap", weight: 5 }, "invalid-argument"],
    [resources(), { mode: null, weight: 255 }, "uncap 255"],
    [resources({ proc: { sharingMode: "cap" } }), { mode: null, weight: 9 }, "invalid-argument"],
    [resources({ proc: { sharingMode: "cap" } }), { mode: "uncap", weight: 0 }, "uncap 0"],
    [resources(), { mode: "share_idle_procs", weight: null }, "invalid-argument"],
    [dedicated(1), { mode: "share_idle_procs_always", weight: null }, "share_idle_procs_always 128"],
    [dedicated(1), { mode: "uncap", weight: null }, "invalid-argument"],
  ];
  for (const [current, sharing, result] of cases) {
    const said = refusal(current, { sharing });
    const proc = said === "" ? wantedResources(current, request({ sharing }), BLOCK_BYTES).proc : undefined;
    assert.equal(proc ? `${proc.sharingMode} ${proc.uncapWeight}` : said, result, JSON.stringify(sharing));
  }
});

test("sizes: the sum, at most the count, and any smaller number of blocks can be made of them", () => {
  for (let count = 1; count <= MEMORY_SLOTS; count++) {
    for (let sum = 0; sum <= 300; sum++) {
      const list = sizes(sum, count);
      assert.equal(list.reduce((all, one) => all + one, 0), sum);
      assert.ok(list.length <= count && list.every((one) => one > 0), `${sum} in ${count}`);
      if (2 ** count <= sum) continue; // no choice of sizes could do it
      const made = new Set([0]);
      for (const one of list) for (const before of [...made]) made.add(before + one);
      assert.equal(made.size, sum + 1, `${sum} in ${count}: ${list.join()}`);
    }
  }
  assert.deepEqual(sizes(5, 16), [1, 1, 1, 1, 1]);
  assert.deepEqual(sizes(20, 5), [1, 2, 4, 7, 6]);
});

test("at the start: the minimum and 512 MB in one piece, the rest in devices", () => {
  const cases: readonly [Numbers, boot: number, devices: readonly number[]][] = [
    [{ min: 256, now: 256, max: 1024 }, 256, []],
    [{ min: 256, now: 512, max: 1024 }, 512, []],
    [{ min: 256, now: 1024, max: 1024 }, 512, [1, 1]],
    [{ min: 768, now: 1280, max: 2048 }, 768, [1, 1]],
    [{ min: 1024, now: 1024, max: 1024 }, 1024, []],
    [{ min: 256, now: 65_536, max: 65_536 }, 512, [1, 2, 4, 8, 16, 20, 20, 20, 20, 20, 20, 20, 20, 21, 21, 21]],
  ];
  for (const [numbers, boot, devices] of cases) {
    const layout = layoutAtStart(resources(numbers), BLOCK_BYTES);
    assert.equal(layout.bootBytes, boot * MIB);
    assert.equal(layoutBytes(layout), numbers.now! * MIB);
    assert.deepEqual([...blocks(layout.memory)].sort((a, b) => a - b), [...devices].sort((a, b) => a - b), JSON.stringify(numbers));
    assertSound(layout, numbers.max! * MIB);
  }
  assert.deepEqual(layoutAtStart(resources({ now: 1024 }), BLOCK_BYTES).memory, [{ slot: 0, address: GIB, bytes: BLOCK_BYTES }, { slot: 1, address: GIB + BLOCK_BYTES, bytes: BLOCK_BYTES }]);
  const piece = (bytes: number) => ({ bytes, knownBytes: 1024 * MIB, givenBytes: 1024 * MIB });
  const emulated = (systemBytes: number) => layoutAtStart(resources({ now: 1024, max: 4096 }), BLOCK_BYTES, { systemBytes });
  assert.deepEqual(emulated(64 * GIB), { bootBytes: 1024 * MIB, piece: piece(4 * GIB), memory: [], cores: 2, procs: 2 }, "emulated: one piece");
  assert.deepEqual([emulated(2 * GIB + 1).piece, emulated(GIB / 2).piece], [piece(2 * GIB), piece(GIB)], "no more than the system has, and never less than the partition");
  assert.deepEqual(layoutOf(resources(), undefined), { bootBytes: 512 * MIB, memory: [], cores: 2, procs: 2 }, "what was started before there were devices");
});

test("to remove: the largest sum that is not too much, for every set of small devices, the highest addresses first", () => {
  const device = (slot: number, size: number, at: number): MemoryDevice => ({ slot, address: GIB + at * BLOCK_BYTES, bytes: size * BLOCK_BYTES });
  for (const list of [[], [1], [2], [1, 1, 1], [1, 2, 4], [3, 3], [2, 5], [1, 2, 4, 8, 5], [4, 4, 1]]) {
    let at = 0;
    const devices = list.map((size, slot) => device(slot, size, (at += size) - size));
    for (let wanted = 0; wanted <= at + 2; wanted++) {
      let best = 0;
      for (let set = 0; set < 2 ** list.length; set++) {
        const sum = list.reduce((all, size, bit) => all + (set & (1 << bit) ? size : 0), 0);
        if (sum <= wanted) best = Math.max(best, sum);
      }
      const chosen = memoryToRemove(devices, wanted * BLOCK_BYTES);
      assert.equal(blocks(chosen).reduce((all, one) => all + one, 0), best, `${wanted} of ${list.join()}`);
      assert.equal(new Set(chosen).size, chosen.length);
    }
  }
  assert.deepEqual(memoryToRemove([device(0, 1, 0), device(1, 1, 1), device(2, 1, 2)], 2 * BLOCK_BYTES).map((one) => one.slot), [2, 1]);
});

test("a thousand changes in any order stay sound, and there is a slot for the next one as long as steps are not tiny", () => {
  for (const seed of [1, 2, 3]) {
    const random = randomOf(seed);
    const maxBytes = 64 * GIB;
    let layout = layoutAtStart(resources({ min: 1024, now: 8192, max: 65_536 }), BLOCK_BYTES);
    for (let step = 0; step < 1_000; step++) {
      const room = (maxBytes - layoutBytes(layout)) / BLOCK_BYTES;
      const less = (layoutBytes(layout) - layout.bootBytes) / BLOCK_BYTES;
      const before = layoutBytes(layout);
      if (random() < 0.5 && room > 0 && layout.memory.length < MEMORY_SLOTS) {
        const amount = (1 + Math.floor(random() * room)) * BLOCK_BYTES;
        let added: MemoryDevice[];
        try {
          added = memoryToAdd(layout, maxBytes, amount, BLOCK_BYTES);
        } catch (error) {
          assert.ok(error instanceof OlpmError && error.hsc === "OLPM-L04", `seed ${seed}`);
          continue;
        }
        layout = { ...layout, memory: [...layout.memory, ...added] };
        assert.equal(layoutBytes(layout), before + amount);
      } else if (less > 0) {
        const amount = (1 + Math.floor(random() * less)) * BLOCK_BYTES;
        const gone = new Set(memoryToRemove(layout.memory, amount).map((one) => one.slot));
        layout = { ...layout, memory: layout.memory.filter((one) => !gone.has(one.slot)) };
        assert.ok(before - layoutBytes(layout) <= amount);
      }
      assertSound(layout, maxBytes);
    }
  }
});

test("without a free slot more memory is refused with what to do", () => {
  const memory = Array.from({ length: MEMORY_SLOTS }, (_, slot) => ({ slot, address: GIB + slot * BLOCK_BYTES, bytes: BLOCK_BYTES }));
  assert.throws(() => memoryToAdd({ bootBytes: 512 * MIB, memory, cores: 1, procs: 1 }, 64 * GIB, BLOCK_BYTES, BLOCK_BYTES), (error: OlpmError) => error.hsc === "OLPM-L04" && /Activate it again/.test(error.action ?? ""));
});
