/** Which pairs of movers are tried, and which two are chosen of those that connect. */
import assert from "node:assert/strict";
import test from "node:test";
import { facts, type LooseFacts } from "../../testkit/mobility-facts.js";
import type { ManagedSystem } from "../contract.js";
import { probeMovers } from "./facts.js";

/** The movers 1 and 2 of both sides; those pairs connect that `reached` names (`1>2`). */
async function probed(wanted: Partial<LooseFacts["wanted"]>, reached: readonly string[]) {
  const tried: string[] = [];
  const source = { client: { call: async (_: string, { mspLparId, peer }: { mspLparId: number; peer: { port: number } }) => {
    const pair = `${mspLparId}>${peer.port}`;
    tried.push(pair);
    return reached.includes(pair) ? { reachable: true, detail: "", bytesPerSecond: 1e6 } : { reachable: false, detail: `${pair}: no route`, bytesPerSecond: null };
  } } } as unknown as ManagedSystem;
  const destination = { client: { call: async (_: string, { mspLparId }: { mspLparId: number }) => ({ host: "", port: mspLparId, name: "" }) } } as unknown as ManagedSystem;
  const found = await probeMovers(facts((f) => Object.assign(f.wanted, wanted)), source, destination, new AbortController().signal);
  const name = (pair: { sourceMspLparId: number; destMspLparId: number } | undefined) => (pair ? `${pair.sourceMspLparId}>${pair.destMspLparId}` : "none");
  return { tried, reachable: found?.reachable, pairs: `${name(found?.pair)} ${name(found?.second)}`, why: found?.secondDetail };
}
const ALL = ["1>1", "1>2", "2>1", "2>2"];

test("the best pair alone first; the others when a second pair is wanted, or the best does not answer", async () => {
  assert.deepEqual(await probed({}, ALL), { tried: ["1>1", "1>2", "2>1", "2>2"], reachable: true, pairs: "1>1 2>2", why: undefined });
  assert.deepEqual(await probed({ levels: { redundantMsps: 0 } }, ALL), { tried: ["1>1"], reachable: true, pairs: "1>1 none", why: undefined });
  assert.deepEqual(await probed({ sourceMsp: { id: 2 }, destMsp: { id: 2 } }, ALL), { tried: ["2>2"], reachable: true, pairs: "2>2 none", why: undefined }, "the pair that was named, and no other");
  assert.deepEqual(await probed({ sourceMsp: { id: 2 }, destMsp: { id: 2 }, levels: { redundantMsps: 1 } }, ALL), { tried: ["2>2", "1>1"], reachable: true, pairs: "2>2 1>1", why: undefined });
  assert.deepEqual(await probed({ levels: { redundantMsps: 0 } }, ["2>1"]), { tried: ["1>1", "1>2", "2>1", "2>2"], reachable: true, pairs: "2>1 none", why: undefined });
});

test("pairs that leave each other a mover are taken before the best one; why there is no second one is said", async () => {
  assert.deepEqual((await probed({}, ["1>1", "1>2", "2>1"])).pairs, "1>2 2>1");
  const alone = await probed({}, ["1>1", "1>2"]);
  assert.deepEqual([alone.pairs, alone.why], ["1>1 none", "vios2 to vios2: 2>2: no route"]);
  assert.deepEqual((await probed({ sourceMsp: { id: 1 }, destMsp: { id: 1 }, secondMsps: { source: { id: 2 }, destination: { id: 2 } } }, ALL)).pairs, "1>1 2>2");
  assert.deepEqual(await probed({}, []), { tried: ["1>1", "1>2", "2>1", "2>2"], reachable: false, pairs: "none none", why: undefined });
});
