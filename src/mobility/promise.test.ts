import assert from "node:assert/strict";
import test from "node:test";
import { facts, type LooseFacts } from "../testkit/mobility-facts.js";
import { brokenPromise } from "./promise.js";

test("a network that goes away during the copy breaks the promise; what the systems hold themselves does not count", () => {
  const cases: readonly [string, (f: LooseFacts) => void, string | undefined][] = [
    ["nothing changed", () => undefined, undefined],
    ["it moves", (f) => ((f.lpar.state = "migrating-running"), (f.lpar.migrationId = "m1")), undefined],
    ["the name stands on the destination already, as it does while it moves", (f) => (f.destination.lpars.at(-1)!.definition.name = "db01"), undefined],
    ["a server of the destination is away", (f) => (f.destination.lpars[0]!.state = "error"), undefined],
    ["the VLANs are bridged no more", (f) => (f.destination.view.sharedEthernet = []), "OLPM-VN02"],
    ["the same while it moves, as it always does then", (f) => ((f.lpar.state = "migrating-running"), (f.lpar.migrationId = "m1"), (f.destination.view.sharedEthernet = [])), "OLPM-VN02"],
    ["the same, and it was allowed", (f) => ((f.destination.view.sharedEthernet = []), (f.wanted.levels.vlanBridge = 2)), undefined],
    ["on neither side any more", (f) => [f.source, f.destination].forEach(({ view }) => (view.sharedEthernet = [])), undefined],
    ["a switch is gone", (f) => (f.destination.view.vswitches = []), "OLPM-VN01"],
  ];
  for (const [what, change, hsc] of cases) assert.equal(brokenPromise(facts(change))?.hsc, hsc, what);
});
