import assert from "node:assert/strict";
import test from "node:test";
import { LparState } from "../model/lpar.js";
import { facts, LUN_BYTES, type LooseFacts } from "../testkit/mobility-facts.js";
import { kindOf, validate } from "./plan.js";

test("the partition's state decides the kind: inactive where nothing of it runs", () => {
  const kinds = Object.fromEntries(LparState.options.map((state) => [state, kindOf(facts((f) => (f.lpar.state = state)))]));
  assert.deepEqual(kinds, {
    "not-activated": "inactive",
    starting: "active",
    running: "active",
    "open-firmware": "active",
    "shutting-down": "active",
    error: "active",
    "not-available": "active",
    "migrating-running": "active",
    "migrating-not-activated": "inactive",
  });
});

test("an active plan: the best pair of movers, and each LUN behind the server that was chosen for its adapter", () => {
  const found = validate(facts((f) => ((f.wanted.destMsp = { name: "vios2" }), f.lpar.storage.push({ ...f.lpar.storage[0]!, lun: "naa.600b", vtd: "vtscsi9" }))));
  assert.deepEqual([found.kind, found.findings, found.pairs.length], ["active", [], 2]);
  assert.equal(found.plan?.movers, found.pairs[0]);
  assert.deepEqual([found.plan?.movers?.sourceMspName, found.plan?.movers?.destMspName], ["vios1", "vios2"]);
  assert.deepEqual(found.plan?.storage, [
    { clientSlot: 2, lun: "naa.600a", lunBytes: LUN_BYTES, viosLparId: 1, vtd: "vtscsi0", viosSlot: 10, slotAsked: false },
    { clientSlot: 5, lun: "naa.600b", lunBytes: LUN_BYTES, viosLparId: 2, vtd: "vtscsi1", viosSlot: 10, slotAsked: false },
    { clientSlot: 2, lun: "naa.600b", lunBytes: LUN_BYTES, viosLparId: 1, vtd: "vtscsi9", viosSlot: 10, slotAsked: false },
  ]);
});

test("an inactive plan has storage and no movers, even where some are asked for that do not run", () => {
  for (const change of [() => undefined, (f: LooseFacts) => (f.wanted.sourceMsp = { name: "vios9" })]) {
    const found = validate(facts(change, "inactive"));
    assert.deepEqual([found.kind, found.findings, found.pairs, found.plan?.movers], ["inactive", [], [], null]);
    assert.deepEqual(found.plan?.storage.map((one) => [one.clientSlot, one.viosLparId]), [[2, 1], [5, 2]]);
  }
});

test("there is a plan exactly when no finding is an error; choices are told in any case", () => {
  const changes: readonly [(f: LooseFacts) => void, severities: string][] = [
    [() => undefined, ""],
    [(f) => (f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" }), (f.wanted.levels.mpio = 2)), "warning"],
    [(f) => (f.fits = { memory: false, processors: false, detail: "" }), "error error"],
    [(f) => (f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" }), (f.wanted.levels.mpio = 2), (f.lpar.definition.settings.migrationDisabled = true)), "error warning"],
    [(f) => (f.source.connected = false), "error"],
    [(f) => f.wanted.scsi.push({ clientSlot: 9, viosName: "vios1" }), "error"],
  ];
  for (const kind of ["active", "inactive"] as const)
    for (const [change, severities] of changes) {
      const found = validate(facts(change, kind));
      assert.equal(found.findings.map((one) => one.severity).join(" "), severities);
      assert.equal(found.plan === null, severities.includes("error"), severities);
      assert.equal(found.possibleScsi.length, 4, severities);
      assert.equal(found.suggestedScsi.length, 2, severities);
    }
});
