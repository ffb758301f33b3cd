import assert from "node:assert/strict";
import test from "node:test";
import type { Generation } from "./ids.js";
import { mayRun, ownershipStep, type Ownership, type OwnershipEvent } from "./ownership.js";

const g = (number: number) => number as Generation;
const M = "m1";
const OTHER = "m2";
const ABSENT: Ownership = { kind: "absent" };
const OWNER: Ownership = { kind: "owner", generation: g(4), migrationId: null };
const at = (kind: "reserved" | "released" | "declined" | "gone", migrationId = M): Ownership => ({ kind, generation: g(5), migrationId });
const STATES: readonly Ownership[] = [ABSENT, OWNER, at("reserved"), at("released"), at("declined"), at("gone")];
const EVENTS: readonly OwnershipEvent[] = [
  { type: "create" },
  { type: "remove" },
  { type: "reserve", generation: g(5), migrationId: M },
  { type: "abandon", migrationId: M },
  { type: "release", migrationId: M },
  { type: "own", migrationId: M },
  { type: "decline", migrationId: M },
  { type: "learn-owned", migrationId: M },
  { type: "learn-declined", migrationId: M },
  { type: "forget", migrationId: M },
];

/** What each event does in each state: the next kind (with ! when the record changes), or - when it is refused. */
const TABLE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  create: { absent: "owner!", owner: "-", reserved: "-", released: "-", declined: "-", gone: "-" },
  remove: { absent: "absent", owner: "absent!", reserved: "-", released: "-", declined: "-", gone: "-" },
  reserve: { absent: "reserved!", owner: "-", reserved: "reserved", released: "-", declined: "-", gone: "-" },
  abandon: { absent: "absent", owner: "-", reserved: "absent!", released: "-", declined: "-", gone: "-" },
  release: { absent: "-", owner: "released!", reserved: "-", released: "released", declined: "-", gone: "-" },
  own: { absent: "-", owner: "-", reserved: "owner!", released: "-", declined: "-", gone: "-" },
  decline: { absent: "-", owner: "-", reserved: "declined!", released: "-", declined: "declined", gone: "-" },
  "learn-owned": { absent: "-", owner: "-", reserved: "-", released: "gone!", declined: "-", gone: "gone" },
  "learn-declined": { absent: "-", owner: "-", reserved: "-", released: "owner!", declined: "-", gone: "-" },
  forget: { absent: "absent", owner: "-", reserved: "-", released: "-", declined: "absent!", gone: "absent!" },
};

test("every event in every state does what the table says", () => {
  for (const event of EVENTS)
    for (const state of STATES) {
      const step = ownershipStep(state, event);
      const got = step.ok ? `${step.next.kind}${step.changed ? "!" : ""}` : "-";
      assert.equal(got, TABLE[event.type]?.[state.kind], `${event.type} in ${state.kind}`);
    }
});

test("an event of another migration never changes a record that belongs to one", () => {
  for (const event of EVENTS.filter((one) => "migrationId" in one && one.type !== "release"))
    for (const kind of ["reserved", "released", "declined", "gone"] as const) {
      const step = ownershipStep(at(kind, OTHER), event);
      assert.equal(step.ok, false, `${event.type} of ${M} in ${kind} of ${OTHER}`);
    }
});

test("generations only rise: release and a declined return each add one, a reservation must be newer than what was", () => {
  const released = ownershipStep(OWNER, { type: "release", migrationId: M });
  assert.ok(released.ok && released.next.kind === "released" && released.next.generation === 5);
  const back = ownershipStep(released.next, { type: "learn-declined", migrationId: M });
  assert.ok(back.ok && back.next.kind === "owner" && back.next.generation === 6);
  for (const kind of ["gone", "declined"] as const) {
    assert.equal(ownershipStep(at(kind), { type: "reserve", generation: g(5), migrationId: OTHER }).ok, false, "not newer");
    assert.equal(ownershipStep(at(kind), { type: "reserve", generation: g(6), migrationId: OTHER }).ok, true, "newer");
  }
});

test("over any sequence of events at most one of two sides may run", () => {
  // Both sides of one migration, every interleaving of their events up to a depth, with the messages between them in any order after they were sent.
  type World = { readonly source: Ownership; readonly destination: Ownership; readonly state: "none" | "complete"; readonly reserved: boolean; readonly released: boolean };
  const seen = new Set<string>();
  let explored = 0;
  const visit = (world: World): void => {
    const key = JSON.stringify(world);
    if (seen.has(key)) return;
    seen.add(key);
    explored++;
    assert.ok(!(mayRun(world.source) && mayRun(world.destination)), `two may run: ${key}`);
    const step = (side: "source" | "destination", event: OwnershipEvent) => {
      const next = ownershipStep(world[side], event);
      if (next.ok) visit({ ...world, [side]: next.next, reserved: world.reserved || event.type === "reserve", released: world.released || event.type === "release" });
    };
    // A migration is reserved and released once; the migration's record sees to that.
    if (!world.reserved) step("destination", { type: "reserve", generation: g(5), migrationId: M });
    step("destination", { type: "abandon", migrationId: M });
    if (!world.released) step("source", { type: "release", migrationId: M });
    step("destination", { type: "decline", migrationId: M });
    if (world.source.kind === "released") visit({ ...world, state: "complete" }); // the rest of the state goes only after the release
    if (world.state === "complete") step("destination", { type: "own", migrationId: M });
    if (world.destination.kind === "owner") step("source", { type: "learn-owned", migrationId: M });
    if (world.destination.kind === "declined") step("source", { type: "learn-declined", migrationId: M });
  };
  visit({ source: OWNER, destination: ABSENT, state: "none", reserved: false, released: false });
  assert.ok(explored >= 10, `explored ${explored} worlds`);
});
