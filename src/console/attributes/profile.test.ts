import assert from "node:assert/strict";
import test from "node:test";
import { ResourceConfig } from "../../model/lpar.js";
import { batch02, db01, SHARED_RESOURCES, vios } from "../../testkit/fake-console.js";
import { formatRecord, parseRecord } from "../grammar/record.js";
import { profileToPairs } from "./profile.js";
import { profileFromRecord } from "./profile-record.js";

const VIOS = vios(1, "vios1", "10.0.0.11");
const lookupVios = (by: { readonly name?: string; readonly id?: number }) => [VIOS].find((lpar) => (by.name === undefined || lpar.definition.name === by.name) && (by.id === undefined || lpar.lparId === by.id));
const read = (text: string, base: ResourceConfig | null = null) => profileFromRecord(parseRecord(text), { lookupVios, base });
const BASE = ResourceConfig.parse(SHARED_RESOURCES);

test("a printed profile read back is the same profile", () => {
  const nameOf = (lparId: number) => (lparId === 1 ? "vios1" : lparId === 3 ? "db01" : undefined);
  for (const lpar of [db01(), batch02()]) {
    const [profile] = lpar.definition.profiles;
    assert.ok(profile);
    assert.deepEqual(read(formatRecord(profileToPairs(profile, lpar, nameOf))), { ...profile.resources });
  }
});

const NEW = "min_mem=256,desired_mem=512,max_mem=1024,proc_mode=shared,min_procs=1,desired_procs=2,max_procs=4,min_proc_units=0.1,desired_proc_units=0.5,max_proc_units=2";
test("a new profile has the defaults of what its record leaves out", () => {
  const resources = read(NEW);
  assert.deepEqual(resources.memory, { minBytes: 256 << 20, desiredBytes: 512 << 20, maxBytes: 1 << 30 });
  assert.deepEqual([resources.proc.minUnits, resources.proc.desiredUnits, resources.proc.maxUnits], [10, 50, 200]);
  assert.deepEqual({ ...resources, memory: null, proc: { sharingMode: resources.proc.sharingMode, uncapWeight: resources.proc.uncapWeight } }, { memory: null, proc: { sharingMode: "uncap", uncapWeight: 128 }, maxVirtualSlots: 20, scsi: [], ethernet: [], fc: [], bootMode: "norm", compatMode: "default" });
});

test("adapters: input may leave the partner's ID or name, and the last fields, out", () => {
  const { scsi, ethernet } = read(`${NEW},"virtual_scsi_adapters=2/client//vios1/10/1,3/client/1//11/0","virtual_eth_adapters=4/0/1//0/1,""5/1/10/20,30/0/0/VS2/02aabb000105"""`);
  assert.deepEqual(scsi, [
    { slot: 2, role: "client", remoteLparId: 1, remoteSlot: 10, required: true },
    { slot: 3, role: "client", remoteLparId: 1, remoteSlot: 11, required: false },
  ]);
  assert.deepEqual(ethernet, [
    { slot: 4, ieee: false, portVlanId: 1, additionalVlanIds: [], trunkPriority: 0, required: true, vswitch: "ETHERNET0", mac: null },
    { slot: 5, ieee: true, portVlanId: 10, additionalVlanIds: [20, 30], trunkPriority: 0, required: false, vswitch: "VS2", mac: "02AABB000105" },
  ]);
});

test("virtual Fibre Channel adapters: the pair of WWPNs stands in an element with quotes of its own, is read back, and may be left out", () => {
  const pair = ["c05076aabbcc0000", "c05076aabbcc0001"];
  const text = `""3/client/1/vios1/10/${pair.join(",")}/0"",""4/client//vios1/11//1"",10/server/3/lpar3/3//0`;
  const { fc } = read(`${NEW},"virtual_fc_adapters=${text}"`);
  assert.deepEqual(fc, [
    { slot: 3, role: "client", remoteLparId: 1, remoteSlot: 10, required: false, wwpns: pair, active: 0 },
    { slot: 4, role: "client", remoteLparId: 1, remoteSlot: 11, required: true, wwpns: null, active: 0 },
    { slot: 10, role: "server", remoteLparId: 3, remoteSlot: 3, required: false, wwpns: null, active: 0 },
  ]);
  assert.deepEqual(read(`"virtual_fc_adapters+=""3/client/1//12/${pair.join(",").toUpperCase()}/0"""`, { ...BASE, fc }).fc.map((one) => [one.slot, one.remoteSlot, one.wwpns?.[1]]), [[4, 11, undefined], [10, 3, undefined], [3, 12, pair[1]]]);
  assert.deepEqual(read("virtual_fc_adapters-=3", { ...BASE, fc }).fc.map((one) => one.slot), [4, 10]);
  const wrong = ["3/client/1//10/0", "3/client/1//10/c05076aabbcc000,c05076aabbcc0001/0", `3/client/1//10/${pair[0]}/0`, `3/client/1//10/${pair[0]},${pair[0]}/0`, `10/server/3//3/${pair.join(",")}/0`, `3/client/any//10/${pair.join(",")}/0`];
  for (const one of wrong) assert.throws(() => read(`${NEW},"virtual_fc_adapters=""${one}"""`), { code: "invalid-argument", message: /virtual_fc_adapters/ }, one);
});

test("= replaces adapters, += adds or changes, -= removes by slot, and the rest stays", () => {
  const slots = (text: string) => read(text, BASE).ethernet.map((adapter) => adapter.slot);
  assert.deepEqual(slots("virtual_eth_adapters=7/0/1//0/0"), [7]);
  assert.deepEqual(slots("virtual_eth_adapters+=7/0/1//0/0"), [3, 4, 7]);
  assert.deepEqual(slots("virtual_eth_adapters-=3/0/1//0/0"), [4]);
  assert.deepEqual(slots("virtual_eth_adapters=none"), []);
  assert.equal(read("virtual_eth_adapters+=3/0/99//0/0", BASE).ethernet.find((adapter) => adapter.slot === 3)?.portVlanId, 99);
  assert.deepEqual(read("desired_mem=768", BASE), { ...BASE, memory: { ...BASE.memory, desiredBytes: 768 << 20 } });
});

test("a change to dedicated processors leaves the processing units behind", () => {
  const { proc } = read("proc_mode=ded,min_procs=1,desired_procs=2,max_procs=2", BASE);
  assert.deepEqual(proc, { mode: "ded", minProcs: 1, desiredProcs: 2, maxProcs: 2, minUnits: 100, desiredUnits: 200, maxUnits: 200, sharingMode: "keep_idle_procs", uncapWeight: 128 });
});

test("records that can not be are refused, saying which attribute", () => {
  const cases: [string, ResourceConfig | null, RegExp][] = [
    ["min_mem=256", null, /desired_mem/],
    [NEW.replace("desired_proc_units=0.5,", ""), null, /desired_proc_units/],
    [NEW.replace("desired_mem=512", "desired_mem=2048"), null, /memory must not fall/],
    ["desired_procs=9", BASE, /number of processors must not fall/],
    ["desired_proc_units=0.05", BASE, /too few for 2 virtual processors/],
    ["desired_mem=1.5", BASE, /desired_mem/],
    ["desired_proc_units=0.123", BASE, /desired_proc_units/],
    ["sharing_mode=keep_idle_procs", BASE, /sharing_mode.*cap, uncap/],
    ["mem_mode=shared", BASE, /mem_mode/],
    ["io_slots=21010002/none/1", BASE, /io_slots/],
    ["desired_mem+=1", BASE, /for lists/],
    ["virtual_scsi_adapters=2/client//nobody/10/1", BASE, /partition named nobody was not found/],
    ["virtual_scsi_adapters=2/client/any//10/1", BASE, /names its server/],
    ["virtual_scsi_adapters=2/client/1/10/1", BASE, /5 fields instead of 6/],
    ["virtual_eth_adapters=3/0/4095//0/0", BASE, /VLAN ID/],
    ["virtual_eth_adapters=3/0/1//0/0/ETHERNET0/XYZ", BASE, /MAC/],
    ["virtual_eth_adapters=3/0/1//0/0/ETHERNET0//none/none", BASE, /any address/],
    ["virtual_eth_adapters=3/0/1//0/0/ETHERNET0//all/3", BASE, /no priorities/],
    ["virtual_scsi_adapters=65535/client/1//10/0", BASE, /virtual slot number/],
    ["virtual_scsi_adapters=2/client/1//99999/0", BASE, /remote slot/],
    ["desired_io_entitled_mem=auto", BASE, /desired_io_entitled_mem is not supported/],
    ["virtual_eth_adapters-=9/0/1//0/0", BASE, /no adapter in that slot/],
  ];
  for (const [text, base, expected] of cases) assert.throws(() => read(text, base), expected, text);
  assert.throws(() => read("min_mem=256"), { hsc: "HSCL0622" });
});
