import assert from "node:assert/strict";
import test from "node:test";
import { LparDefinition } from "../model/lpar.js";
import { looseFacts } from "../testkit/mobility-facts.js";
import { definitionToMove, movingProfile, movingResources, switchThere, type Moving } from "./definition.js";

/** db01 whose profile has less memory than it runs with, and a second profile. */
function definition(change: (loose: ReturnType<typeof looseFacts>["lpar"]["definition"]) => void = () => undefined): LparDefinition {
  const { definition: loose } = structuredClone(looseFacts().lpar);
  loose.profiles = [{ name: "normal", resources: structuredClone(loose.current!) }, { name: "small", resources: structuredClone(loose.current!) }];
  loose.profiles[0]!.resources.memory.desiredBytes = 256 << 20;
  loose.profiles[0]!.resources.ethernet.forEach((adapter) => (adapter.mac = null));
  change(loose);
  return LparDefinition.parse(loose);
}
const moving = (change: Partial<Moving> = {}): Moving => ({ kind: "active", policy: "config", profileName: null, vswitches: [], uuid: null, ...change });
const MB = (bytes: number | undefined) => (bytes ?? 0) / (1 << 20);

test("what moves: what runs; of a partition that does not run, what the policy says", () => {
  const cases: readonly [Partial<Moving>, number][] = [
    [{ kind: "active", policy: "prof" }, 512],
    [{ kind: "active", policy: "config" }, 512],
    [{ kind: "inactive", policy: "config" }, 512],
    [{ kind: "inactive", policy: "prof" }, 256],
  ];
  for (const [how, mb] of cases) {
    const moved = definitionToMove(definition(), moving(how));
    assert.equal(MB(moved.current?.memory.desiredBytes), mb, JSON.stringify(how));
    assert.equal(MB(moved.profiles[0]?.resources.memory.desiredBytes), mb, "the profile last activated is written anew");
    assert.deepEqual(moved.current?.ethernet.map((one) => one.mac), ["02AABB000103", "02AABB000104"], "addresses stay");
    assert.deepEqual(moved.profiles.map((one) => one.name), ["normal", "small"]);
    assert.deepEqual(moved.profiles[1], definition().profiles[1], "the other profiles move as they are");
  }
  assert.equal(movingResources(definition((one) => (one.current = null)), moving({ kind: "inactive" })), null);
  assert.equal(MB(movingResources(definition((one) => one.profiles.shift()), moving({ kind: "inactive", policy: "prof" }))?.memory.desiredBytes), 512, "a profile that is no more can not move");
});

test("-n: a new name makes a profile, a known one is written anew; it is the one last activated afterwards, the default stays", () => {
  const fresh = definitionToMove(definition(), moving({ profileName: "moved" }));
  assert.deepEqual([fresh.profiles.map((one) => one.name), fresh.currentProfile, fresh.defaultProfile], [["normal", "small", "moved"], "moved", "normal"]);
  assert.deepEqual(fresh.profiles[0], definition().profiles[0], "the one activated before is left alone");
  const known = definitionToMove(definition(), moving({ profileName: "small" }));
  assert.deepEqual([known.profiles.map((one) => one.name), known.currentProfile, MB(known.profiles[1]?.resources.memory.desiredBytes)], [["normal", "small"], "small", 512]);
  assert.equal(movingProfile(definition((one) => (one.currentProfile = null)), moving()), "normal");
});

test("virtual switches: a mapping of a VLAN before one of the switch; other adapters stay", () => {
  const vswitches = [{ vlanId: 10, from: "ETHERNET0", to: "BLUE" }, { vlanId: null, from: "ETHERNET0", to: "RED" }];
  assert.deepEqual(definitionToMove(definition(), moving({ vswitches })).current?.ethernet.map((one) => one.vswitch), ["RED", "BLUE"]);
  assert.deepEqual(definitionToMove(definition(), moving({ vswitches: vswitches.slice(0, 1) })).profiles[0]?.resources.ethernet.map((one) => one.vswitch), ["ETHERNET0", "BLUE"]);
  assert.equal(switchThere(vswitches, "GREEN", 10), "GREEN");
});

test("everything else of a definition stays; the UUID changes only when one is given", () => {
  const before = definition();
  const after = definitionToMove(before, moving());
  for (const name of ["name", "uuid", "environment", "settings", "defaultProfile", "currentProfile", "current"] as const) assert.deepEqual(after[name], before[name], name);
  assert.equal(definitionToMove(before, moving({ uuid: "00000000-0000-4000-8000-00000000dead" })).uuid, "00000000-0000-4000-8000-00000000dead");
  assert.throws(() => definitionToMove(definition((one) => (one.current = null)), moving()), /without a configuration/);
});
