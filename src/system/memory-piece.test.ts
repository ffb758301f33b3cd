/** Memory in one piece, over an operating system that gives and takes as Linux does: in blocks that it knows of, and by a balloon that may come to a stand. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../kit/errors.js";
import type { MemoryPiece } from "../model/lpar.js";
import { fitMemory, recallMemory, type Fitting } from "./memory-piece.js";

const MIB = 1 << 20;
const BLOCK = 256 * MIB;
const piece = (known: number, given: number): MemoryPiece => ({ bytes: 2048 * MIB, knownBytes: known * MIB, givenBytes: given * MIB });

function world(known: number, aside = 0) {
  const state = { known: known * MIB, target: aside * MIB, aside: aside * MIB, said: aside * MIB, /** the most that it can spare */ spare: Infinity, refuses: "", silent: false };
  const exec = async (_path: string, argv: readonly string[]) => {
    if (state.silent) throw new OlpmError("guest-not-answering", "silent");
    const to = Number(argv.at(-1));
    if (to > state.known && state.refuses !== "") return { code: 1, stdout: "", stderr: `sh: ${state.refuses}\n` };
    state.known = Math.max(state.known, to);
    return { code: 0, stdout: `${state.known}\n`, stderr: "" };
  };
  const process: Fitting["process"] = {
    guest: { exec, ping: async () => !state.silent } as unknown as Fitting["process"]["guest"],
    balloon: async (bytes) => void (state.target = bytes),
    ballooned: async () => {
      const step = Math.max(-BLOCK, Math.min(BLOCK, Math.min(state.target, state.spare) - state.aside));
      // The driver says something when it has done something.
      if (step !== 0) state.said = state.aside += step;
      return state.said;
    },
  };
  const fit = (at: MemoryPiece, wanted: number, change: Partial<Fitting> = {}) => fitMemory({ process, asked: true, signal: new AbortController().signal, ms: 1_000, lmbBytes: BLOCK, ...change }, at, wanted * MIB);
  return Object.assign(state, { process, fit, has: () => (state.known - state.aside) / MIB });
}

test("more is told of, less is kept aside, and what is aside comes back first", async () => {
  const at = world(512);
  let now = (await at.fit(piece(512, 512), 1024)).piece;
  assert.deepEqual([now, at.aside, at.has()], [piece(1024, 1024), 0, 1024]);
  now = (await at.fit(now, 256)).piece;
  assert.deepEqual([now, at.aside, at.has()], [piece(1024, 256), 768 * MIB, 256]);
  now = (await at.fit(now, 512)).piece;
  assert.deepEqual([now, at.aside, at.has()], [piece(1024, 512), 512 * MIB, 512]);
  now = (await at.fit(now, 1280)).piece;
  assert.deepEqual([now, at.aside, at.has()], [piece(1280, 1280), 0, 1280]);
  assert.deepEqual(await at.fit(now, 1280), { piece: now, why: null }, "once more changes nothing");
});

test("an operating system that has nothing to spare gives whole blocks, and the rest is not asked for any more", async (t) => {
  const at = world(1024);
  at.spare = 300 * MIB;
  const clock = t.mock.method(performance, "now", (() => { let ms = 0; return () => (ms += 1_000); })());
  const { piece: now, why } = await at.fit(piece(1024, 1024), 256);
  assert.ok(clock.mock.callCount() > 3);
  assert.deepEqual([now, at.target], [piece(1024, 768), 256 * MIB]);
  assert.match(why!, /no more to spare/);
});

test("an operating system that has started anew, whose driver has not said so", async () => {
  const at = world(512);
  at.said = 256 * MIB;
  assert.deepEqual(await at.fit(piece(512, 768), 768), { piece: piece(768, 768), why: null });
  assert.deepEqual([at.aside, at.target, at.said], [0, 0, 0]);
});

test("blocks that it does not take are given all the same, and it hears of them again", async () => {
  const at = world(512);
  at.refuses = "write error: Invalid argument";
  const { piece: now, why } = await at.fit(piece(512, 512), 768);
  assert.deepEqual(now, piece(512, 768));
  assert.match(why!, /Invalid argument/);
  at.refuses = "";
  assert.deepEqual(await at.fit(now, 768), { piece: piece(768, 768), why: null });
});

test("without an agent: more waits for it, less is refused, and a silent one leaves the balloon as it was", async () => {
  const at = world(512);
  assert.deepEqual(await at.fit(piece(512, 512), 768, { asked: false }), { piece: piece(512, 768), why: null });
  assert.match((await at.fit(piece(512, 512), 256, { asked: false })).why!, /agent only/);
  assert.equal(at.target, 0);
  at.silent = true;
  const kept = world(1024, 256);
  kept.silent = true;
  await assert.rejects(kept.fit(piece(1024, 768), 512), (error: OlpmError) => error.code === "guest-not-answering");
  assert.equal(kept.target, 256 * MIB);
});

test("found again: what it knows of decides; a silent one, which may have started anew, keeps all that it may need", async () => {
  const cut = world(1024);
  assert.deepEqual(await recallMemory(cut.process, piece(512, 512), 512 * MIB, 100), piece(1024, 512));
  assert.equal(cut.target, 512 * MIB, "blocks that it was told of and that nobody wrote down");
  const anew = world(512, 768);
  anew.silent = true;
  assert.deepEqual(await recallMemory(anew.process, piece(1536, 768), 512 * MIB, 100), piece(1536, 768));
  assert.equal(anew.target, 0);
});
