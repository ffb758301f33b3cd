import assert from "node:assert/strict";
import test from "node:test";
import { randomOf } from "../testkit/random.js";
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
  for (const event of EVENTS.filter((one) => "migrationId" in one))
    for (const kind of ["reserved", "released", "declined", "gone"] as const) {
      const step = ownershipStep(at(kind, OTHER), event);
      assert.equal(step.ok, false, `${event.type} of ${M} in ${kind} of ${OTHER}`);
    }
});

test("a reservation is repeated only as it was: another generation of the same migration is refused", () => {
  for (const [generation, ok] of [[4, false], [5, true], [6, false]] as const) assert.equal(ownershipStep(at("reserved"), { type: "reserve", generation: g(generation), migrationId: M }).ok, ok, `generation ${generation}`);
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

/** A migration of the random walk: what its source did, and the rest of its state, which is sent once and lost when the destination lets go. */
interface Move {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly generation: Generation;
  phase: "open" | "reserved" | "undone" | "released" | "ended";
  state: "here" | "sent" | "complete" | "lost";
}
interface Message {
  readonly to: number;
  readonly move: Move;
  readonly event: OwnershipEvent;
}

test("random walk: migrations among three systems, messages late, out of order and twice; one owner at most, with rising generations, and one at the end", () => {
  const [ended, declined, undone, refused] = [0, 1, 2, 3];
  const counts = [0, 0, 0, 0];
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomOf(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const systems: Ownership[] = [OWNER, ABSENT, ABSENT];
    const moves: Move[] = [];
    const messages: Message[] = [];
    let highest = 4;
    const apply = (system: number, event: OwnershipEvent): boolean => {
      const step = ownershipStep(systems[system]!, event);
      if (!step.ok) return counts[refused]!++, false;
      if (step.changed && step.next.kind === "owner") {
        assert.ok(step.next.generation > highest, `seed ${seed}: generation ${step.next.generation} after ${highest}`);
        highest = step.next.generation;
      }
      systems[system] = step.next;
      assert.ok(systems.filter(mayRun).length <= 1, `seed ${seed}: ${event.type} made ${JSON.stringify(systems)}`);
      return true;
    };
    const post = (to: number, move: Move, event: OwnershipEvent) => messages.push({ to, move, event });
    const holds = ({ id, to }: Move) => systems[to]!.kind === "reserved" && systems[to]!.migrationId === id;

    const begin = () => {
      const from = systems.findIndex(mayRun);
      const owner = systems[from];
      if (owner?.kind !== "owner" || moves.some((one) => one.phase === "open" || one.phase === "reserved")) return;
      const move: Move = { id: `m${moves.length}`, from, to: (from + 1 + below(2)) % 3, generation: g(owner.generation + 1), phase: "open", state: "here" };
      moves.push(move);
      post(move.to, move, { type: "reserve", generation: move.generation, migrationId: move.id });
    };
    const undo = (move: Move) => {
      if (move.phase !== "open" && move.phase !== "reserved") return;
      move.phase = "undone";
      counts[undone]!++;
      post(move.to, move, { type: "abandon", migrationId: move.id });
    };
    const release = (move: Move) => {
      if (move.phase !== "reserved") return;
      assert.ok(apply(move.from, { type: "release", migrationId: move.id }), `seed ${seed}: the owner may release`);
      [move.phase, move.state] = ["released", "sent"];
    };
    const decide = (move: Move) => {
      if (move.phase !== "released" || !holds(move)) return;
      if (move.state === "sent" && random() < 0.7) move.state = "complete";
      else if (move.state === "complete") {
        assert.ok(apply(move.to, { type: "own", migrationId: move.id }));
        post(move.from, move, { type: "learn-owned", migrationId: move.id });
      } else {
        assert.ok(apply(move.to, { type: "decline", migrationId: move.id }));
        move.state = "lost";
        counts[declined]!++;
        post(move.from, move, { type: "learn-declined", migrationId: move.id });
      }
    };
    const deliver = (at: number, twice: boolean) => {
      const { to, move, event } = (twice ? messages.slice(at, at + 1) : messages.splice(at, 1))[0]!;
      if (!apply(to, event)) return;
      if (event.type === "reserve" && move.phase === "open") move.phase = "reserved";
      else if (event.type === "reserve" && (move.phase === "undone" || move.phase === "ended") && holds(move)) post(to, move, { type: "abandon", migrationId: move.id }); // came after its end
      if ((event.type === "learn-owned" || event.type === "learn-declined") && move.phase === "released") {
        move.phase = "ended";
        counts[ended]!++;
        for (const system of [move.from, move.to]) post(system, move, { type: "forget", migrationId: move.id });
      }
    };

    for (let turn = 0; turn < 300; turn++) {
      const move = moves.at(-1);
      const what = random();
      if (!move || what < 0.1) begin();
      else if (what < 0.13) undo(move);
      else if (what < 0.3) release(move);
      else if (what < 0.5) decide(move);
      else if (messages.length > 0) deliver(below(messages.length), random() < 0.3);
    }
    for (const move of moves) undo(move);
    for (let turn = 0; turn < 10; turn++) {
      while (messages.length > 0) deliver(0, false);
      for (const move of moves) decide(move);
    }
    assert.deepEqual(systems.filter((one) => !["absent", "gone", "declined"].includes(one.kind)).map((one) => one.kind), ["owner"], `seed ${seed}: at the end ${JSON.stringify(systems)}`);
  }
  assert.ok(counts.every((count) => count > 200), `the walk went everywhere: ${counts.join()}`);
});
