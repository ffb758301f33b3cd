import assert from "node:assert/strict";
import test from "node:test";
import { addFc, FC_PAIR, facts, LUN_BYTES, type LooseFacts } from "../testkit/mobility-facts.js";
import { planFc } from "./fibre-channel.js";
import { validate } from "./plan.js";

const fc = (change: (f: LooseFacts) => unknown = () => undefined, kind: "active" | "inactive" = "active") => facts((f) => void change(addFc(f)), kind);
const there = (f: LooseFacts) => f.fc!.filter((one) => one.side === "destination");

test("a running partition logs in on the destination with the WWPN that is not in use, at the next move with the other", () => {
  const plan = (active: 0 | 1) => validate(fc((f) => ((f.lpar.definition.current!.fc[0]!.active = active), (f.lpar.fc[0]!.wwpn = FC_PAIR[active])))).plan?.fc;
  const planned = { clientSlot: 7, viosLparId: 1, viosSlot: null, port: "fcs1", luns: [{ lun: "naa.600f", lunBytes: LUN_BYTES }] };
  assert.deepEqual([plan(0), plan(1)], [[{ ...planned, wwpn: FC_PAIR[1] }], [{ ...planned, wwpn: FC_PAIR[0] }]]);
});

test("a partition that is off keeps its WWPN and promises no LUNs, but what the source sees by a trial login has to be seen there", () => {
  assert.deepEqual(validate(fc(undefined, "inactive")).plan?.fc, [{ clientSlot: 7, viosLparId: 1, viosSlot: null, port: "fcs1", wwpn: FC_PAIR[0], luns: [] }]);
  const unseen = planFc(fc((f) => there(f).filter((one) => one.wwpn === FC_PAIR[0]).forEach((one) => (one.luns = [])), "inactive"));
  assert.deepEqual([unseen.suggested, unseen.impossible.map((one) => one.clientSlot)], [[], [7]]);
});

test("the server of the same name and the port of the same name come first; else what is possible", () => {
  const suggested = (change: (f: LooseFacts) => unknown) => planFc(fc(change)).suggested.map((one) => `${one.viosName} ${one.port}`).join();
  const hide = (f: LooseFacts, vios: number, port?: string) => there(f).filter((one) => one.viosLparId === vios && (port === undefined || one.port === port)).forEach((one) => (one.luns = []));
  assert.equal(suggested(() => undefined), "vios1 fcs1");
  assert.equal(suggested((f) => hide(f, 1, "fcs1")), "vios1 fcs0");
  assert.equal(suggested((f) => hide(f, 1)), "vios2 fcs1");
  assert.equal(suggested((f) => there(f).forEach((one) => one.viosLparId === 1 && (one.availablePorts = 0))), "vios2 fcs1");
  assert.equal(suggested((f) => (f.source.lpars[0]!.definition.name = "vios9")), "vios1 fcs1", "the lowest ID");
  assert.equal(suggested((f) => (f.destination.lpars[0]!.state = "not-activated")), "vios2 fcs1");
  assert.deepEqual(planFc(fc()).possible.map((one) => `${one.viosName} ${one.port}`), ["vios1 fcs1", "vios2 fcs1"]);
});

test("a mapping that is asked for is taken, or refused with the reason", () => {
  const asked = (want: LooseFacts["wanted"]["fc"][number], change: (f: LooseFacts) => unknown = () => undefined) => {
    const { suggested, refused, impossible } = planFc(fc((f) => (f.wanted.fc.push(want), change(f))));
    assert.deepEqual(impossible, []);
    return [...suggested.map((one) => `${one.clientSlot} ${one.viosName} ${one.port}`), ...refused.map((one) => one.why)].join("; ");
  };
  assert.equal(asked({ clientSlot: 7, viosName: "vios2" }), "7 vios2 fcs1");
  assert.equal(asked({ clientSlot: 7, viosLparId: 2, port: "fcs0" }), "7 vios2 fcs0");
  assert.equal(asked({ clientSlot: 7, viosName: "vios2", viosLparId: 1 }), "the destination has no running Virtual I/O Server vios2");
  assert.equal(asked({ clientSlot: 7, viosLparId: 9 }), "the destination has no running Virtual I/O Server with ID 9");
  assert.equal(asked({ clientSlot: 7, viosName: "vios2", port: "fcs7" }), "vios2 has no Fibre Channel port fcs7");
  assert.equal(asked({ clientSlot: 7, viosName: "vios1" }, (f) => there(f).forEach((one) => (one.luns = one.luns.map((lun) => ({ ...lun, bytes: 5 }))))), `fcs0 of vios1: LUN naa.600f has 5 bytes, on the source ${LUN_BYTES}; fcs1 of vios1: LUN naa.600f has 5 bytes, on the source ${LUN_BYTES}`);
  assert.equal(asked({ clientSlot: 3, viosName: "vios1" }), "7 vios1 fcs1; the partition has no virtual Fibre Channel adapter with a server adapter in that slot");
  assert.deepEqual(validate(fc((f) => f.wanted.fc.push({ clientSlot: 7, viosName: "vios2", viosSlot: 44 }))).plan?.fc.map((one) => [one.viosLparId, one.viosSlot]), [[2, 44]]);
});

test("a LUN that somebody has reserved is not taken", () => {
  const found = planFc(fc((f) => there(f).forEach((one) => (one.luns = one.luns.map((lun) => ({ ...lun, bytes: 0, reservedBy: "the holder of the persistent reservation key 0x2a" }))))));
  assert.equal(found.impossible[0]?.why.split("; ")[0], "fcs0 of vios1: LUN naa.600f is reserved (by the holder of the persistent reservation key 0x2a)");
});

test("a LUN that only one WWPN of the pair sees is said by name", () => {
  const found = planFc(fc((f) => there(f).filter((one) => one.wwpn === FC_PAIR[1]).forEach((one) => (one.luns = []))));
  assert.equal(found.impossible[0]?.why.split("; ")[0], `fcs0 of vios1: the WWPN ${FC_PAIR[1]} does not see naa.600f`);
});
