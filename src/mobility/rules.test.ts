import assert from "node:assert/strict";
import test from "node:test";
import { addFc, facts, looseVios, type LooseFacts } from "../testkit/mobility-facts.js";
import type { MobilityFacts } from "./facts.js";
import { kindOf, validate } from "./plan.js";
import { findings, RULES, type MigrationKind } from "./rules.js";
import { planStorage } from "./storage.js";

const KINDS: readonly MigrationKind[] = ["active", "inactive"];
const judge = (all: MobilityFacts) => findings({ ...all, kind: kindOf(all), storage: planStorage(all) });
const current = (f: LooseFacts) => f.lpar.definition.current!;
const other = (f: LooseFacts) => f.destination.lpars.find((lpar) => lpar.definition.name === "app07")!;
const noMovers = (system: LooseFacts["source"]) => system.lpars.forEach((lpar) => lpar.runtime.vios && (lpar.runtime.vios.mspAddress = null));
const emulated = (system: LooseFacts["source"], qemuVersion: string) => Object.assign(system.view.hypervisor, { accelerator: "tcg", qemuVersion });

interface Row {
  readonly rule: string;
  readonly hsc: string;
  readonly severity?: "warning";
  /** the kinds in which it is found; without: both */
  readonly only?: MigrationKind;
  readonly change: (f: LooseFacts) => void;
  /** essential words of the message and of what to do */
  readonly says: readonly string[];
}
const TABLE: readonly Row[] = [
  { rule: "G01", hsc: "OLPM-VG01", change: (f) => (f.destination.view.uuid = f.source.view.uuid), says: ["same managed system", "ms01", "-t"] },
  { rule: "G10", hsc: "OLPM-VG10", change: (f) => (f.lpar.migrationId = "m1"), says: ["db01", "another migration", "migrlpar -o s"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "active", change: (f) => (f.source.view.migration.activeNow = 8), says: ["ms01", "8 active migrations", "limit"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "active", change: (f) => (f.destination.view.migration.activeNow = 8), says: ["ms02", "8 active migrations"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "inactive", change: (f) => (f.source.view.migration.inactiveNow = 16), says: ["ms01", "16 inactive migrations"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "inactive", change: (f) => (f.destination.view.migration.inactiveNow = 17), says: ["ms02", "17 inactive migrations"] },
  { rule: "S03", hsc: "OLPM-VS03", change: (f) => (f.source.connected = false), says: ["ms01", "not in the Operating state or can not be reached"] },
  { rule: "S03", hsc: "OLPM-VS03", change: (f) => (f.destination.view.state = "standby"), says: ["ms02", "Operating"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.source, "8.2.4"), says: ["ms01", "QEMU 8.2.4, emulation", "lose writes", "9.0 or later"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.destination, "7.2.22"), says: ["ms02", "QEMU 7.2.22"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.destination, "unknown"), says: ["ms02", "QEMU unknown"] },
  { rule: "S05", hsc: "OLPM-VS05", change: (f) => ((current(f).compatMode = "POWER9"), (f.destination.view.compatModes = ["default", "POWER8"])), says: ["ms02", "compatibility mode POWER9", "db01"] },
  { rule: "S09", hsc: "OLPM-VS09", change: (f) => (f.destination.view.memory.lmbBytes = 128 << 20), says: ["256 MB on ms01", "128 MB on ms02"] },
  { rule: "P02", hsc: "OLPM-VP02", change: (f) => (f.lpar.definition.environment = "vioserver"), says: ["db01 is a Virtual I/O Server"] },
  ...["starting", "open-firmware", "shutting-down", "error", "not-available"].map((state): Row => ({ rule: "P03", hsc: "OLPM-VP03", change: (f) => (f.lpar.state = state), says: ["db01", `state ${state};`, "running or a not activated"] })),
  { rule: "P06", hsc: "OLPM-VP06", change: (f) => (f.lpar.definition.settings.migrationDisabled = true), says: ["disabled", "db01", "migration_disabled"] },
  { rule: "P07", hsc: "OLPM-VP07", only: "inactive", change: (f) => (f.lpar.definition.currentProfile = null), says: ["db01 was never activated"] },
  { rule: "P09", hsc: "OLPM-VP09", change: (f) => (other(f).definition.name = "db01"), says: ["named db01 already exists on ms02"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.wanted.destLparId = 5), says: ["Partition ID 5 is in use on ms02", "dest_lpar_id"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.wanted.destLparId = 257), says: ["257 is above the limit of ms02, 256"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.destination.view.lparsMax = 3), says: ["ms02 has no free partition ID"] },
  { rule: "P11", hsc: "OLPM-VP11", change: (f) => (other(f).definition.uuid = f.lpar.definition.uuid), says: ["UUID of db01 exists on ms02", "migrlpar -o r"] },
  { rule: "P12", hsc: "OLPM-VP12", change: (f) => (other(f).definition.current!.ethernet[0]!.mac = "02AABB000104"), says: ["02AABB000104", "slot 4", "in use on ms02"] },
  { rule: "P13", hsc: "HSCLA246", only: "active", change: (f) => (f.guest = { answered: false, agreed: false, detail: "no answer within 180 s" }), says: ["cannot communicate with partition db01.  Either", "no answer within 180 s"] },
  { rule: "P14", hsc: "HSCLA257", only: "active", change: (f) => (f.guest = { answered: true, agreed: false, detail: "30-database said no" }), says: ["failure response", "check for migration readiness", "db01 says: 30-database said no"] },
  { rule: "P14", hsc: "HSCLA257", only: "active", change: (f) => (f.guest = { answered: true, agreed: false, detail: "" }), says: ["db01 says: one of its scripts said no"] },
  { rule: "C01", hsc: "OLPM-VC02", change: (f) => (f.fits = { memory: true, processors: false, detail: "0.5 are needed." }), says: ["ms02 has not enough free processing resources", "db01", "0.5 are needed."] },
  { rule: "C03", hsc: "OLPM-VC03", change: (f) => (f.destination.view.proc.maxProcsPerLpar = 1), says: ["db01 has 2 processors; ms02 gives a partition at most 1"] },
  { rule: "M01", hsc: "OLPM-VM01", change: (f) => (f.fits = { memory: false, processors: true, detail: "" }), says: ["ms02 has not enough free memory", "512 MB are needed, 7168 MB are available"] },
  { rule: "V01", hsc: "HSCLA246", change: (f) => (f.source.lpars[1]!.state = "shutting-down"), says: ["cannot communicate with partition vios2.", "storage of db01 on ms01 and is shutting-down", "chsysstate"] },
  { rule: "V01", hsc: "HSCLA246", change: (f) => f.source.lpars.splice(1, 1), says: ["partition with ID 2.", "is gone"] },
  { rule: "V03", hsc: "OLPM-VV03", change: (f) => current(f).scsi.push({ slot: 7, role: "client", remoteLparId: 1, remoteSlot: 12, required: true }), says: ["required", "slot 7 has no storage", "ms01"] },
  { rule: "V06", hsc: "HSCLA24E", change: (f) => f.luns!.forEach((lun) => (lun.visible = lun.lun !== "naa.600a")), says: ["virtual SCSI adapter 2 cannot be hosted", "Reason: vios1 does not see LUN naa.600a; vios2 does not see LUN naa.600a."] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 9, viosName: "vios1" }), says: ["mapping of slot 9 can not be honoured", "no virtual SCSI adapter with storage", "lslparmigr -r virtualio"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios9" }), says: ["mapping of slot 2 can not be honoured", "no running Virtual I/O Server vios9"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => addFc(f).wanted.fc.push({ clientSlot: 7, viosName: "vios1", port: "fcs5" }), says: ["virtual Fibre Channel mapping of slot 7 can not be honoured", "vios1 has no Fibre Channel port fcs5"] },
  { rule: "V16", hsc: "HSCLA319", change: (f) => addFc(f).fc!.forEach((one) => one.side === "destination" && Object.assign(one, { luns: [], targets: [] })), says: ["virtual fibre channel client adapter 7 cannot be hosted", "both WWPNs", "fcs0 of vios1: the WWPN c05076aabbcc000", "not zoned to the same target ports"] },
  { rule: "V10", hsc: "HSCLA340", severity: "warning", change: (f) => f.wanted.scsi.push({ clientSlot: 5, viosName: "vios1" }), says: ["multipath", "client adapters on 2 Virtual I/O Servers would be served by 1 on ms02", "virtual_scsi_mappings"] },
  { rule: "N01", hsc: "OLPM-VN01", change: (f) => (current(f).ethernet[0]!.vswitch = "BACKUP"), says: ["ms02 has no virtual switch BACKUP", "slot 3"] },
  { rule: "N02", hsc: "OLPM-VN02", change: (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [1, 10, 30]), says: ["VLAN 20", "slot 4", "bridged on ms01", "ms02"] },
  { rule: "N02", hsc: "OLPM-VN02", change: (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [10, 20, 30]), says: ["VLAN 1 ", "slot 3"] },
  { rule: "N04", hsc: "OLPM-VN04", change: (f) => (current(f).ethernet[1]!.trunkPriority = 1), says: ["slot 4 is a trunk adapter"] },
  { rule: "X01", hsc: "OLPM-VX01", only: "active", change: (f) => noMovers(f.source), says: ["ms01 has no running mover service partition", "msp=1"] },
  { rule: "X01", hsc: "OLPM-VX01", only: "active", change: (f) => (f.wanted.sourceMsp = { name: "vios3" }), says: ["vios3 is no running mover service partition on ms01", "lslparmigr -r msp"] },
  { rule: "X02", hsc: "OLPM-VX02", only: "active", change: (f) => noMovers(f.destination), says: ["ms02 has no running mover service partition"] },
  { rule: "X02", hsc: "OLPM-VX02", only: "active", change: (f) => (f.wanted.destMsp = { id: 5 }), says: ["The partition with ID 5 is no running mover service partition on ms02"] },
  { rule: "X03", hsc: "OLPM-VX03", only: "active", change: (f) => (f.movers = { reachable: false, detail: "10.0.0.12: no route" }), says: ["can not reach each other: 10.0.0.12: no route"] },
];

/** Just not enough for a rule: nothing is found. */
const NEAR: readonly [string, (f: LooseFacts) => void][] = [
  ["one below the limit of migrations", (f) => [f.source, f.destination].forEach(({ view }) => Object.assign(view.migration, { activeNow: 7, inactiveNow: 15 }))],
  ["the first QEMU that is good", (f) => [f.source, f.destination].forEach((system) => emulated(system, "9.0.0"))],
  ["an old QEMU with KVM", (f) => Object.assign(f.source.view.hypervisor, { accelerator: "kvm", qemuVersion: "7.2.22" })],
  ["the highest partition ID", (f) => (f.wanted.destLparId = 256)],
  ["the last partition ID", (f) => (f.destination.view.lparsMax = 4)],
  ["as many processors as a partition may have", (f) => (f.destination.view.proc.maxProcsPerLpar = 2)],
  ["an adapter without storage that is not required", (f) => current(f).scsi.push({ slot: 7, role: "client", remoteLparId: 1, remoteSlot: 12, required: false })],
  ["a Virtual I/O Server away that serves nothing of the partition", (f) => f.source.lpars.push({ ...looseVios(7, "vios7"), state: "not-activated" })],
  ["a LUN that one of two sees", (f) => f.luns!.forEach((lun) => (lun.visible = lun.lun !== "naa.600a" || lun.viosLparId === 1))],
  ["a VLAN that is bridged nowhere", (f) => [f.source, f.destination].forEach(({ view }) => (view.sharedEthernet[0]!.vlanIds = [1, 10, 30]))],
  ["a switch of the same name that nobody bridges", (f) => [f.source, f.destination].forEach(({ view }) => ((view.vswitches[0]!.name = "BACKUP"), (current(f).ethernet = current(f).ethernet.map((one) => ({ ...one, vswitch: "BACKUP" })))))],
  ["virtual Fibre Channel that one port of one server shows", (f) => (addFc(f).fc = f.fc!.filter((one) => one.side === "source" || (one.viosLparId === 2 && one.port === "fcs0")))],
  ["movers that are named rightly", (f) => Object.assign(f.wanted, { sourceMsp: { id: 2, name: "vios2" }, destMsp: { name: "vios1" } })],
  ["both adapters behind one server before and after", (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), f.wanted.scsi.push({ clientSlot: 2, viosLparId: 2 }, { clientSlot: 5, viosLparId: 2 }))],
  ["nothing asked of anybody", (f) => Object.assign(f, { guest: null, movers: null, fits: null })],
];

for (const kind of KINDS)
  test(`${kind}: nothing is found where nothing is wrong, or nearly`, () => {
    assert.deepEqual(judge(facts(undefined, kind)), []);
    for (const [name, change] of NEAR) assert.deepEqual(judge(facts(change, kind)), [], name);
  });

test("each rule finds its own case, alone, with code, severity and words, for the kinds that it is for", () => {
  for (const { rule, hsc, severity = "error", only, change, says } of TABLE)
    for (const kind of KINDS) {
      const at = `${rule} ${kind}: ${says[0]}`;
      const all = facts(change, kind);
      const found = findings({ ...all, kind, storage: planStorage(all) });
      if (only !== undefined && only !== kind) assert.deepEqual(found, [], at);
      else {
        assert.deepEqual(found.map((one) => [one.hsc, one.severity]), [[hsc, severity]], at);
        for (const words of says) assert.ok(`${found[0]?.message} ${found[0]?.action}`.includes(words), `${at}: no "${words}" in "${found[0]?.message} ${found[0]?.action}"`);
        assert.ok(found[0]?.action, `${at}: says what to do`);
      }
    }
});

test("each rule has a case above, and is declared as the cases say", () => {
  assert.deepEqual(RULES.map((rule) => rule.row), [...new Set(RULES.map((rule) => rule.row))], "rows are given once");
  for (const rule of RULES) {
    const cases = TABLE.filter((one) => one.rule === rule.row);
    assert.ok(cases.length > 0, `${rule.row} has no case`);
    assert.deepEqual([...new Set(cases.map((one) => one.hsc))], [rule.hsc], rule.row);
    for (const kind of KINDS) assert.equal(rule.kinds === "both" || rule.kinds === kind, cases.some((one) => one.only === undefined || one.only === kind), `${rule.row} ${kind}`);
  }
  assert.deepEqual(TABLE.filter((one) => !RULES.some((rule) => rule.row === one.rule)).map((one) => one.rule), [], "cases of rules that are no more");
});

test("every finding is given, errors in the order of the rules before warnings, the same words once", () => {
  const all = facts((f) => {
    f.wanted.scsi.push({ clientSlot: 5, viosName: "vios1" });
    current(f).ethernet.forEach((adapter) => (adapter.vswitch = "BACKUP"));
    f.lpar.definition.settings.migrationDisabled = true;
    f.source.lpars.forEach((lpar) => lpar.definition.environment === "vioserver" && (lpar.state = "error"));
    Object.assign(f.destination, { view: { ...f.destination.view, vswitches: [] } });
  });
  const found = judge(all).map((one) => `${one.hsc} ${one.severity} ${/slot \d|partition vios\d/.exec(one.message)?.[0] ?? ""}`.trim());
  assert.deepEqual(found, ["OLPM-VP06 error", "HSCLA246 error partition vios1", "HSCLA246 error partition vios2", "OLPM-VN01 error slot 3", "OLPM-VN01 error slot 4", "OLPM-VX01 error", "HSCLA340 warning"]);
  assert.equal(validate(all).plan, null);
  const twice = judge(facts((f) => (emulated(f.source, "7.2"), (f.destination = f.source)))).map((one) => one.message);
  assert.deepEqual(twice, [...new Set(twice)]);
});
