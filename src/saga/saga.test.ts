import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../kit/errors.js";
import { replay, type JournalEntry } from "./journal.js";
import { runSaga, type Step } from "./saga.js";

const NAMES = ["a", "b", "c", "d", "e"];
const POINT = "c";

interface World {
  readonly did: string[];
  readonly there: Set<string>;
  failing: { step: string; times: number } | undefined;
  failingUndo: string | undefined;
  /** the process dies before this many more journal entries are written */
  entriesLeft: number;
}
const world = (): World => ({ did: [], there: new Set(), failing: undefined, failingUndo: undefined, entriesLeft: Infinity });
class Crash extends Error {}

const steps: Step<World>[] = NAMES.map((name) => ({
  name,
  run: async (w) => {
    w.did.push(name);
    if (w.failing?.step === name && w.failing.times-- > 0) throw new OlpmError("refused", `${name} failed`);
    w.there.add(name);
    return `${name}!`;
  },
  undo: async (w) => {
    w.did.push(`-${name}`);
    if (w.failingUndo === name) throw new OlpmError("timeout", `undo of ${name} failed`);
    w.there.delete(name);
  },
}));

async function attempt(w: World, entries: JournalEntry[], retryMs = 0) {
  const stop = new AbortController();
  const append = async (entry: JournalEntry) => {
    if (w.entriesLeft-- <= 0) {
      stop.abort();
      throw new Crash();
    }
    entries.push(JSON.parse(JSON.stringify(entry)) as JournalEntry);
  };
  return runSaga({ steps, pointOfNoReturn: POINT, context: w, journal: { append }, entries: [...entries], retryMs, signal: stop.signal });
}

test("all steps run once, in order, and their outputs reach later steps", async () => {
  const w = world();
  const entries: JournalEntry[] = [];
  assert.equal((await attempt(w, entries)).kind, "done");
  assert.deepEqual(w.did, NAMES);
  assert.deepEqual(replay(NAMES, entries).next, NAMES.length);
});

test("each step that fails before the point of no return leaves the world as it was", async () => {
  for (const name of ["a", "b", "c"]) {
    const w = world();
    w.failing = { step: name, times: 1 };
    const outcome = await attempt(w, []);
    assert.equal(outcome.kind, "undone");
    assert.deepEqual([...w.there], [], `after ${name}`);
    assert.equal(w.did.filter((one) => one.startsWith("-")).join(), NAMES.slice(0, NAMES.indexOf(name) + 1).reverse().map((one) => `-${one}`).join());
  }
});

test("a step behind the point of no return is tried again and nothing is undone", async () => {
  for (const name of ["d", "e"]) {
    const w = world();
    w.failing = { step: name, times: 3 };
    assert.equal((await attempt(w, [])).kind, "done");
    assert.equal(w.did.filter((one) => one === name).length, 4);
    assert.ok(!w.did.some((one) => one.startsWith("-")));
  }
});

test("an undo that fails is told and the others go on", async () => {
  const w = world();
  w.failing = { step: "c", times: 1 };
  w.failingUndo = "b";
  const outcome = await attempt(w, []);
  assert.equal(outcome.kind, "undone");
  assert.deepEqual(outcome.kind === "undone" && outcome.left.map((one) => one.step), ["b"]);
  assert.deepEqual([...w.there], ["b"]);
});

test("a crash before any journal entry is taken up again: forward to the end, or back to the beginning", async () => {
  for (const failing of [undefined, "a", "b", "c"]) {
    for (let crashAt = 0; crashAt < 12; crashAt++) {
      const w = world();
      const entries: JournalEntry[] = [];
      if (failing !== undefined) w.failing = { step: failing, times: Infinity };
      w.entriesLeft = crashAt;
      await attempt(w, entries).catch(() => undefined);
      w.entriesLeft = Infinity;
      const outcome = await attempt(w, entries);
      assert.equal(outcome.kind, failing === undefined ? "done" : "undone", `failing ${failing}, crash at ${crashAt}`);
      assert.deepEqual([...w.there].sort(), failing === undefined ? NAMES : [], `failing ${failing}, crash at ${crashAt}`);
    }
  }
});

test("an order that can not have happened is refused", () => {
  const bad: JournalEntry[][] = [
    [{ step: "b", event: "started" }],
    [{ step: "a", event: "succeeded" }],
    [{ step: "z", event: "started" }],
    [{ step: "a", event: "started" }, { step: "a", event: "failed" }, { step: "a", event: "started" }],
    [{ step: "a", event: "started" }, { step: "a", event: "undoFinished" }],
    [{ step: "a", event: "started" }, { step: "a", event: "undoStarted" }, { step: "a", event: "undoFinished" }, { step: "a", event: "undoStarted" }],
  ];
  for (const entries of bad) assert.throws(() => replay(NAMES, entries), /journal/);
});
