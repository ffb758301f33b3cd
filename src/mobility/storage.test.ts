import assert from "node:assert/strict";
import test from "node:test";
import { facts, looseVios, LUN_BYTES, type LooseFacts } from "../testkit/mobility-facts.js";
import { randomOf } from "../testkit/random.js";
import type { MobilityFacts } from "./facts.js";
import { planStorage } from "./storage.js";

/** `slot>vios`, one by one */
const said = (choices: readonly { readonly clientSlot: number; readonly viosName: string }[]) => choices.map((one) => `${one.clientSlot}>${one.viosName}`).join(" ");
const why = (list: readonly { readonly clientSlot: number; readonly why: string }[]) => list.map((one) => `${one.clientSlot}: ${one.why}`);
const serve = (f: LooseFacts, lparIds: readonly number[], names = lparIds.map((id) => `vios${id}`)) => {
  f.destination.lpars = lparIds.map((lparId, n) => looseVios(lparId, names[n]!));
  f.luns = lparIds.flatMap((viosLparId) => f.lpar.storage.map(({ lun }) => ({ viosLparId, lun, visible: true, bytes: LUN_BYTES, inUse: false, detail: "" })));
};
const hide = (f: LooseFacts, viosLparId: number, lun: string) => f.luns!.forEach((one) => one.viosLparId === viosLparId && one.lun === lun && (one.visible = false));

const CHOICES: readonly [what: string, change: (f: LooseFacts) => void, suggested: string, possible?: string][] = [
  ["same names", () => undefined, "2>vios1 5>vios2", "2>vios1 2>vios2 5>vios1 5>vios2"],
  ["same names, other IDs", (f) => serve(f, [1, 2], ["vios2", "vios1"]), "2>vios1 5>vios2"],
  ["both from one server, one of that name", (f) => f.lpar.storage.forEach((one) => (one.viosLparId = 2)), "2>vios2 5>vios2"],
  ["no names alike: one each, lowest IDs first", (f) => serve(f, [4, 6, 8]), "2>vios4 5>vios6"],
  ["one name alike, needed by the later slot", (f) => serve(f, [2, 3]), "2>vios3 5>vios2"],
  ["one name alike, for the earlier slot", (f) => serve(f, [1, 7]), "2>vios1 5>vios7"],
  ["the later slot has one choice only", (f) => (serve(f, [4, 6]), hide(f, 6, "naa.600b")), "2>vios6 5>vios4", "2>vios4 2>vios6 5>vios4"],
  ["the same name does not see the LUN: the two paths change places", (f) => hide(f, 1, "naa.600a"), "2>vios2 5>vios1", "2>vios2 5>vios1 5>vios2"],
  ["one server for both", (f) => serve(f, [9]), "2>vios9 5>vios9"],
  ["a server that is off", (f) => (f.destination.lpars[0]!.state = "not-activated"), "2>vios2 5>vios2"],
  ["a partition that is no server", (f) => (f.destination.lpars[0]!.definition.environment = "aixlinux"), "2>vios2 5>vios2"],
  ["asked by name", (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios2" }, { clientSlot: 5, viosName: "vios1" }), "2>vios2 5>vios1"],
  ["asked by ID", (f) => f.wanted.scsi.push({ clientSlot: 5, viosLparId: 1 }, { clientSlot: 2, viosLparId: 2 }), "2>vios2 5>vios1"],
  ["asked by ID with an empty name", (f) => f.wanted.scsi.push({ clientSlot: 5, viosName: "", viosLparId: 1 }), "2>vios2 5>vios1"],
  ["asked for the later slot, the earlier one keeps off", (f) => (serve(f, [4, 6]), f.wanted.scsi.push({ clientSlot: 5, viosLparId: 4 })), "2>vios6 5>vios4"],
  ["a size that the server could not read", (f) => f.luns!.forEach((one) => (one.bytes = null)), "2>vios1 5>vios2"],
  ["the same ID where no name is alike", (f) => serve(f, [2, 3], ["east", "west"]), "2>west 5>east"],
  ["the fewest adapters where neither is alike", (f) => (serve(f, [6, 7], ["east", "west"]), (f.destination.lpars[1]!.definition.current!.scsi = []), (f.lpar.storage = f.lpar.storage.slice(0, 1))), "2>west"],
  ["two adapters of one server stay together, also where two servers could", (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), serve(f, [4, 6])), "2>vios4 5>vios4"],
  ["they are taken apart where no server can do both", (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), serve(f, [4, 6]), hide(f, 4, "naa.600a"), hide(f, 6, "naa.600b")), "2>vios6 5>vios4"],
  ["redundancy that need not be kept: each the server of its name", (f) => (hide(f, 1, "naa.600a"), (f.wanted.levels.redundantVios = 0)), "2>vios2 5>vios2"],
  ["no storage at all", (f) => (f.lpar.storage = []), "", ""],
];

test("suggested: what was asked, else groups together and apart, then the same name, the same ID, the fewest adapters, the lowest ID", () => {
  for (const [what, change, suggested, possible] of CHOICES) {
    const plan = planStorage(facts(change));
    assert.equal(said(plan.suggested), suggested, what);
    if (possible !== undefined) assert.equal(said(plan.possible), possible, what);
    assert.deepEqual([plan.impossible, plan.refused], [[], []], what);
  }
});

const bad = (change: (lun: LooseFacts["luns"] extends readonly (infer One)[] | null ? One : never) => void) => (f: LooseFacts) => f.luns!.forEach((one) => one.lun === "naa.600a" && one.viosLparId === 1 && change(one));
const REASONS: readonly [what: string, change: (f: LooseFacts) => void, reason: string][] = [
  ["invisible", bad((one) => (one.visible = false)), "vios1 does not see LUN naa.600a"],
  ["invisible, told why", bad((one) => Object.assign(one, { visible: false, detail: "no path" })), "vios1 does not see LUN naa.600a (no path)"],
  ["not answered", (f) => (f.luns = f.luns!.filter((one) => one.lun !== "naa.600a" || one.viosLparId !== 1)), "vios1 does not see LUN naa.600a"],
  ["smaller", bad((one) => (one.bytes = LUN_BYTES - 512)), `vios1 sees LUN naa.600a with ${LUN_BYTES - 512} bytes, the source with ${LUN_BYTES}`],
  ["larger", bad((one) => (one.bytes = LUN_BYTES + 512)), `vios1 sees LUN naa.600a with ${LUN_BYTES + 512} bytes, the source with ${LUN_BYTES}`],
  ["in use", bad((one) => (one.inUse = true)), "LUN naa.600a is in use on vios1"],
  ["in use, told by whom", bad((one) => Object.assign(one, { inUse: true, detail: "behind vhost3" })), "LUN naa.600a is in use on vios1 (behind vhost3)"],
];

test("a LUN that a server can not serve: not possible, refused when asked, impossible where it is the only server", () => {
  for (const [what, change, reason] of REASONS) {
    const plan = planStorage(facts(change));
    assert.equal(said(plan.possible), "2>vios2 5>vios1 5>vios2", what);
    assert.equal(said(plan.suggested), "2>vios2 5>vios1", what);
    const asked = planStorage(facts((f) => (change(f), f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }))));
    assert.deepEqual([why(asked.refused), said(asked.suggested), asked.impossible], [[`2: ${reason}`], "5>vios2", []], what);
    const alone = planStorage(facts((f) => (change(f), f.destination.lpars.splice(1, 1))));
    assert.deepEqual([why(alone.impossible), said(alone.suggested), alone.refused], [[`2: ${reason}`], "5>vios1", []], what);
  }
});

test("one LUN of several that is missing rules the server out for that adapter", () => {
  const plan = planStorage(facts((f) => f.lpar.storage.push({ ...f.lpar.storage[0]!, lun: "naa.600c", vtd: "vtscsi2" }) && f.luns!.push({ viosLparId: 2, lun: "naa.600c", visible: true, bytes: LUN_BYTES, inUse: false, detail: "" })));
  assert.equal(said(plan.possible), "2>vios2 5>vios1 5>vios2");
  assert.equal(said(plan.suggested), "2>vios2 5>vios1");
});

test("asked mappings that name nothing are refused with the reason; without servers nothing is possible", () => {
  const none = "the destination has no running Virtual I/O Server";
  const cases: readonly [MobilityFacts["wanted"]["scsi"][number], string][] = [
    [{ clientSlot: 2, viosName: "vios9" }, `2: ${none} vios9`],
    [{ clientSlot: 2, viosLparId: 9 }, `2: ${none} with ID 9`],
    [{ clientSlot: 2, viosLparId: 5 }, `2: ${none} with ID 5`],
    [{ clientSlot: 2, viosName: "vios1", viosLparId: 2 }, `2: ${none} vios1`],
    [{ clientSlot: 3, viosName: "vios1" }, "3: the partition has no virtual SCSI adapter with storage in that slot"],
  ];
  for (const [asked, reason] of cases) assert.deepEqual(why(planStorage(facts((f) => f.wanted.scsi.push(asked as never))).refused), [reason]);
  for (const change of [(f: LooseFacts) => (f.destination.lpars = []), (f: LooseFacts) => f.destination.lpars.forEach((lpar) => (lpar.state = "shutting-down"))])
    assert.deepEqual(why(planStorage(facts(change)).impossible), ["2: no Virtual I/O Server runs there", "5: no Virtual I/O Server runs there"]);
  assert.deepEqual(why(planStorage(facts((f) => (f.luns = null))).impossible), [2, 5].map((slot) => `${slot}: ${[1, 2].map((id) => `vios${id} does not see LUN naa.600${slot === 2 ? "a" : "b"}`).join("; ")}`));
});

function randomFacts(seed: number): MobilityFacts {
  const random = randomOf(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  return facts((f) => {
    const vioses = Array.from({ length: below(5) }, (_, n) => 3 + n);
    f.lpar.storage = Array.from({ length: below(5) }, (_, n) => Array.from({ length: 1 + below(2) }, (_, m) => ({ clientSlot: 2 + n, viosLparId: 1 + below(2), viosSlot: 10 + n, vtd: `v${n}${m}`, lun: `naa.${n}${m}`, lunBytes: LUN_BYTES }))).flat();
    serve(f, vioses, vioses.map((id, n) => (n < 2 && random() < 0.4 ? `vios${1 + n}` : `other${id}`)));
    f.destination.lpars.forEach((lpar) => random() < 0.1 && (lpar.state = "not-activated"));
    f.luns!.forEach((lun) => Object.assign(lun, { visible: random() < 0.8, inUse: random() < 0.1, bytes: random() < 0.9 ? LUN_BYTES : 512 }));
    for (let slot = 2; slot < 8; slot++) if (random() < 0.15) f.wanted.scsi.push({ clientSlot: slot, viosLparId: 2 + below(6) });
  });
}
/** True when there is a choice that keeps groups of the source together and apart, beside what was asked. */
function canKeep(slots: readonly { readonly before: number; readonly choices: readonly number[] }[], used: ReadonlyMap<number, number> = new Map()): boolean {
  const [first, ...rest] = slots;
  if (!first) return true;
  const mine = used.get(first.before);
  return first.choices.some((id) => (mine === undefined ? ![...used.values()].includes(id) : mine === id) && canKeep(rest, new Map([...used, [first.before, id]])));
}

test("random storage: what is suggested is possible and as asked, each slot is told once, and redundancy is kept wherever it can be", () => {
  let [spread, lost] = [0, 0];
  for (let seed = 1; seed <= 600; seed++) {
    const all = randomFacts(seed);
    const { possible, suggested, impossible, refused, merged, split } = planStorage(all);
    const at = `seed ${seed}`;
    const slots = [...new Set(all.lpar.storage.map((one) => one.clientSlot as number))];
    const told = [...suggested, ...impossible, ...refused].map((one) => one.clientSlot);
    const unknown = all.wanted.scsi.map((one) => one.clientSlot).filter((slot) => !slots.includes(slot));
    assert.deepEqual(told.sort((a, b) => a - b), [...slots, ...unknown].sort((a, b) => a - b), `${at}: each slot is told once`);
    assert.deepEqual(suggested.map((one) => one.clientSlot), suggested.map((one) => one.clientSlot).sort((a, b) => a - b), `${at}: in the order of slots`);
    for (const choice of suggested) assert.ok(possible.some((one) => one.clientSlot === choice.clientSlot && one.viosLparId === choice.viosLparId && one.viosName === choice.viosName), `${at}: ${said([choice])} is possible`);
    for (const one of possible) {
      const vios = all.destination.lpars.find((lpar) => lpar.lparId === one.viosLparId)!;
      assert.equal(vios.state, "running", at);
      for (const { lun } of all.lpar.storage.filter((mapping) => mapping.clientSlot === one.clientSlot))
        assert.ok(all.luns!.some((fact) => fact.viosLparId === one.viosLparId && fact.lun === lun && fact.visible && !fact.inUse && fact.bytes === LUN_BYTES), `${at}: ${said([one])} with ${lun}`);
    }
    const beforeOf = (slot: number): number => all.lpar.storage.find((one) => one.clientSlot === slot)!.viosLparId;
    const choices = suggested.map((choice) => {
      const asked = all.wanted.scsi.find((one) => one.clientSlot === choice.clientSlot);
      if (asked) assert.equal(choice.viosLparId, asked.viosLparId, at);
      return { before: beforeOf(choice.clientSlot), choices: asked ? [choice.viosLparId] : possible.filter((one) => one.clientSlot === choice.clientSlot).map((one) => one.viosLparId) };
    });
    const kept = merged.length + split.length === 0;
    assert.equal(kept, canKeep(choices), `${at}: ${said(suggested)} of ${said(possible)}`);
    const really = canKeep(suggested.map((one) => ({ before: beforeOf(one.clientSlot), choices: [one.viosLparId] })));
    assert.equal(kept, really, `${at}: what is broken is said`);
    if (kept && new Set(suggested.map((one) => one.viosLparId)).size > 1) spread++;
    if (!kept) lost++;
  }
  assert.ok(spread > 30 && lost > 30, `${spread} cases with several servers, ${lost} that lose redundancy`);
});
