import assert from "node:assert/strict";
import test from "node:test";
import { ResourceConfig } from "../model/lpar.js";
import { mbToBytes } from "../model/units.js";
import { SHARED_RESOURCES } from "../testkit/fake-console.js";
import { free, unitsOf, whyNotFits, type Capacity } from "./accounting.js";

const shared = (mb: number, units: number): ResourceConfig => {
  const { memory, proc } = SHARED_RESOURCES;
  return ResourceConfig.parse({ ...SHARED_RESOURCES, memory: { ...memory, desiredBytes: mbToBytes(mb) }, proc: { ...proc, desiredUnits: units } });
};
const dedicated = (mb: number, procs: number): ResourceConfig => {
  const resources = shared(mb, 1);
  return ResourceConfig.parse({ ...resources, proc: { ...resources.proc, mode: "ded", desiredProcs: procs, sharingMode: "keep_idle_procs" } });
};
const capacity = (mb: number, units: number): Capacity => ({ memoryBytes: mbToBytes(mb), units });

test("shared partitions take their units, dedicated ones whole processors whatever their units say", () => {
  assert.equal(unitsOf(shared(1, 5)), 5);
  assert.equal(unitsOf(shared(1, 150)), 150);
  assert.equal(unitsOf(dedicated(1, 3)), 300);
});

test("free: the capacity without every holder's desired memory and units; below nothing when more was given out", () => {
  const cases: readonly [holders: readonly ResourceConfig[], free: Capacity][] = [
    [[], capacity(8192, 400)],
    [[shared(512, 50)], capacity(7680, 350)],
    [[shared(512, 50), dedicated(1024, 2), shared(1, 5)], capacity(6655, 145)],
    [[dedicated(8192, 4)], capacity(0, 0)],
    [[dedicated(8193, 5)], capacity(-1, -100)],
  ];
  for (const [holders, left] of cases) assert.deepEqual(free(capacity(8192, 400), holders.map((resources) => ({ resources }))), left);
});

test("what fits exactly fits; one more does not, memory is told first, with what is needed and what there is", () => {
  const cases: readonly [wanted: ResourceConfig, available: Capacity, error: undefined | [code: string, words: string]][] = [
    [shared(512, 50), capacity(512, 50), undefined],
    [dedicated(512, 2), capacity(512, 200), undefined],
    [shared(512, 50), capacity(511, 50), ["insufficient-memory", "512 MB are needed, 511 MB are available"]],
    [shared(512, 50), { memoryBytes: mbToBytes(512) - 1, units: 50 }, ["insufficient-memory", "512 MB are needed, 511 MB are available"]],
    [shared(512, 50), capacity(-256, 50), ["insufficient-memory", "512 MB are needed, 0 MB are available"]],
    [shared(512, 50), capacity(512, 49), ["insufficient-processors", "0.5 processing units are needed, 0.49 are available"]],
    [dedicated(512, 2), capacity(512, 199), ["insufficient-processors", "2.0 processing units are needed, 1.99 are available"]],
    [shared(512, 5), capacity(512, -100), ["insufficient-processors", "0.05 processing units are needed, 0.0 are available"]],
    [shared(512, 50), capacity(0, 0), ["insufficient-memory", "512 MB are needed"]],
  ];
  for (const [wanted, available, error] of cases) {
    const found = whyNotFits(wanted, available);
    assert.deepEqual(found && [found.code, found.hsc], error && [error[0], "HSCL03EC"]);
    if (error) assert.ok(found?.message.includes(error[1]) && found.action, found?.message);
  }
});

test("a holder's own share is enough for itself: what is free without it fits it again", () => {
  const all = [shared(512, 50), dedicated(1024, 1), shared(4096, 205)];
  for (const one of all) assert.equal(whyNotFits(one, free(capacity(5632, 355), all.filter((other) => other !== one).map((resources) => ({ resources })))), undefined);
});
