import assert from "node:assert/strict";
import test from "node:test";
import { facts, looseFacts, parsedFacts, type LooseFacts, type LooseLpar } from "../testkit/mobility-facts.js";
import { choosePairs, isWanted, moverPairs, moversOf, requiresSecond, secondPairs, wantsSecond } from "./movers.js";

const said = (change: (f: LooseFacts) => void = () => undefined) => moverPairs(facts(change)).map((one) => `${one.sourceMspName}>${one.destMspName}`).join(" ");

test("pairs: every mover that runs with every one that runs, lowest IDs first, with names, IDs and addresses", () => {
  assert.equal(said(), "vios1>vios1 vios1>vios2 vios2>vios1 vios2>vios2");
  assert.deepEqual(moverPairs(facts())[1], {
    sourceMspLparId: 1,
    sourceMspName: "vios1",
    sourceMspAddress: "10.0.0.11",
    destMspLparId: 2,
    destMspName: "vios2",
    destMspAddress: "10.0.0.12",
  });
});

test("no mover: without the role, without an address, not running, or no Virtual I/O Server", () => {
  const changes: readonly [string, (lpar: LooseLpar) => void][] = [
    ["no role", (lpar) => (lpar.runtime.vios!.mspAddress = null)],
    ["off", (lpar) => (lpar.state = "not-activated")],
    ["starting", (lpar) => (lpar.state = "starting")],
    ["shutting down", (lpar) => (lpar.state = "shutting-down")],
    ["no server", (lpar) => (lpar.runtime.vios = null)],
  ];
  for (const [what, change] of changes) {
    assert.equal(said((f) => change(f.source.lpars[0]!)), "vios2>vios1 vios2>vios2", what);
    assert.equal(said((f) => change(f.destination.lpars[0]!)), "vios1>vios2 vios2>vios2", what);
    assert.equal(said((f) => [f.source, f.destination].forEach(({ lpars }) => change(lpars[0]!))), "vios2>vios2", what);
    assert.equal(said((f) => f.source.lpars.slice(0, 2).forEach(change)), "", what);
    assert.equal(said((f) => f.destination.lpars.slice(0, 2).forEach(change)), "", what);
  }
  assert.deepEqual(moversOf(parsedFacts(looseFacts()).destination.lpars).map((lpar) => lpar.definition.name), ["vios1", "vios2"], "app07 is none");
});

test("asked movers, by ID, name or both, on either side", () => {
  const cases: readonly [wanted: Partial<LooseFacts["wanted"]>, pairs: string][] = [
    [{ sourceMsp: { id: 2 } }, "vios2>vios1 vios2>vios2"],
    [{ sourceMsp: { name: "vios2" } }, "vios2>vios1 vios2>vios2"],
    [{ destMsp: { id: 2 } }, "vios1>vios2 vios2>vios2"],
    [{ sourceMsp: { id: 2, name: "vios2" }, destMsp: { name: "vios1" } }, "vios2>vios1"],
    [{ sourceMsp: { id: 1, name: "vios2" } }, ""],
    [{ sourceMsp: { name: "vios3" } }, ""],
    [{ destMsp: { id: 5 } }, ""],
    [{ sourceMsp: {}, destMsp: null }, "vios1>vios1 vios1>vios2 vios2>vios1 vios2>vios2"],
  ];
  for (const [wanted, pairs] of cases) assert.equal(said((f) => Object.assign(f.wanted, wanted)), pairs, JSON.stringify(wanted));
  const [lpar] = facts().source.lpars;
  for (const [wanted, answer] of [[null, true], [{ id: 1 }, true], [{ id: 2 }, false], [{ name: "vios1", id: 1 }, true], [{ name: "vios1", id: 2 }, false], [{ name: "VIOS1" }, false]] as const) assert.equal(isWanted(lpar!, wanted), answer, JSON.stringify(wanted));
});

test("a second pair has no mover of the first; the best first pair that leaves one is taken, else the best alone", () => {
  const all = moverPairs(facts());
  const names = (found: ReturnType<typeof choosePairs>) => found && [found.pair, found.second].map((one) => (one ? `${one.sourceMspName}>${one.destMspName}` : "none")).join(" ");
  const reached = (...ok: string[]) => all.filter((one) => ok.includes(`${one.sourceMspLparId}>${one.destMspLparId}`));
  assert.equal(names(choosePairs(all, all)), "vios1>vios1 vios2>vios2");
  assert.equal(names(choosePairs(all, [])), "vios1>vios1 none");
  assert.equal(names(choosePairs(reached("1>1", "1>2", "2>1"), reached("1>1", "1>2", "2>1"))), "vios1>vios2 vios2>vios1", "the best pair leaves no other");
  assert.equal(names(choosePairs(reached("1>1", "1>2"), reached("1>1", "1>2"))), "vios1>vios1 none", "one mover on the source");
  assert.equal(choosePairs([], all), undefined);
  const seconds = (wanted: Partial<LooseFacts["wanted"]>) => secondPairs(facts((f) => Object.assign(f.wanted, wanted))).map((one) => `${one.sourceMspLparId}>${one.destMspLparId}`).join(" ");
  assert.equal(seconds({ sourceMsp: { id: 2 }, destMsp: { id: 2 } }), "1>1 1>2 2>1 2>2", "a named first pair says nothing of the second");
  assert.equal(seconds({ secondMsps: { source: { name: "vios2" }, destination: { id: 1 } } }), "2>1");
});

test("a second pair is looked for unless it is refused, or the first one was named and nothing is said; it is required when it is, or when both are named", () => {
  const both = { source: { id: 2 }, destination: { id: 2 } };
  const named = { sourceMsp: { id: 1 } };
  const cases: readonly [wanted: Partial<LooseFacts["wanted"]>, wants: boolean, requires: boolean][] = [
    [{}, true, false],
    [{ levels: { redundantMsps: 0 } }, false, false],
    [{ levels: { redundantMsps: 1 } }, true, true],
    [{ levels: { redundantMsps: 2 } }, true, false],
    [{ ...named }, false, false],
    [{ ...named, levels: { redundantMsps: 2 } }, true, false],
    [{ ...named, levels: { redundantMsps: 1 } }, true, true],
    [{ ...named, secondMsps: both }, true, true],
    [{ ...named, secondMsps: both, levels: { redundantMsps: 2 } }, true, false],
  ];
  for (const [wanted, wants, requires] of cases) {
    const { wanted: all } = facts((f) => Object.assign(f.wanted, wanted));
    assert.deepEqual([wantsSecond(all), requiresSecond(all)], [wants, requires], JSON.stringify(wanted));
  }
});
