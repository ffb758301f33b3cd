import assert from "node:assert/strict";
import { test } from "node:test";
import { LparId, LunId, SlotNumber, Wwpn } from "../model/ids.js";
import type { ViosDevices } from "../wire/system-vios.js";
import { DeviceTable, lowestFree, mergeDisks } from "./devices.js";
import type { FoundLun } from "./san/discover.js";
import { interfacesIn } from "./sea.js";

const lun = (digit: string): LunId => LunId.parse(`naa.6${digit.repeat(31)}`);
const found = (digit: string, lunNumber: number): FoundLun => ({ lun: lun(digit), bytes: 1 << 20, blockBytes: 512, portal: "p:1", target: "iqn.t", lunNumber, reservedBy: null });
const slot = (n: number) => SlotNumber.parse(n);

test("names take the lowest free number", () => {
  assert.equal(lowestFree("vtscsi", []), "vtscsi0");
  assert.equal(lowestFree("vtscsi", ["vtscsi0", "vtscsi2", "other1"]), "vtscsi1");
});

test("a disk keeps its name by identity, whatever its way to it", () => {
  const first = mergeDisks([], [found("b", 2), found("a", 1)]);
  assert.deepEqual(first.map((disk) => [disk.name, disk.lun]), [["hdisk0", lun("a")], ["hdisk1", lun("b")]]);
  const moved = mergeDisks(first, [found("b", 1), found("c", 9)]);
  assert.deepEqual(moved.map((disk) => [disk.name, disk.lun, disk.lunNumber, disk.state]), [
    ["hdisk0", lun("a"), 1, "defined"],
    ["hdisk1", lun("b"), 1, "available"],
    ["hdisk2", lun("c"), 9, "available"],
  ]);
});

test("adapters are named by creation and keep their names; changes are told once", () => {
  const told: ViosDevices[] = [];
  const table = new DeviceTable({ disks: [], adapters: [], targets: [], fc: [] }, (devices) => told.push(devices));
  const client = (n: number) => ({ clientLparId: LparId.parse(n), clientSlot: slot(2) });
  assert.equal(table.putAdapter({ slot: slot(20), ...client(3) }).name, "vhost0");
  assert.equal(table.putAdapter({ slot: slot(10), ...client(4) }).name, "vhost1");
  assert.equal(table.putAdapter({ slot: slot(20), ...client(5) }).name, "vhost0");
  assert.equal(told.length, 3);
  table.putAdapter({ slot: slot(20), ...client(5) });
  assert.equal(told.length, 3, "the same again is no change");
  table.addTarget({ name: "vtscsi0", slot: slot(20), lun: lun("a"), lunBytes: 1 << 20, gate: "closed" });
  assert.throws(() => table.removeAdapter(slot(20)), { code: "conflict" });
  table.setGates(["vtscsi0"], "open");
  assert.equal(told.at(-1)?.targets[0]?.gate, "open");
  table.removeTarget("vtscsi0");
  table.removeAdapter(slot(20));
  assert.equal(table.putAdapter({ slot: slot(30), ...client(6) }).name, "vhost0");
});

test("virtual Fibre Channel adapters are named by creation and keep port and login; another client needs a logout", () => {
  const table = new DeviceTable({ disks: [], adapters: [], targets: [], fc: [] }, () => undefined);
  const wanted = { slot: slot(30), clientLparId: LparId.parse(3), clientSlot: slot(4) };
  assert.deepEqual(table.putFc(wanted), { ...wanted, name: "vfchost0", port: null, wwpn: null, clientName: null });
  assert.equal(table.putFc({ ...wanted, slot: slot(31) }).name, "vfchost1");
  const wwpn = Wwpn.parse("c05076aabbcc0000");
  table.setFc(slot(30), { port: "fcs0", wwpn });
  assert.deepEqual([table.putFc(wanted).port, table.putFc(wanted).wwpn], ["fcs0", wwpn]);
  assert.throws(() => table.putFc({ ...wanted, clientSlot: slot(5) }), { code: "conflict" });
  table.setFc(slot(30), { wwpn: null });
  assert.equal(table.putFc({ ...wanted, clientSlot: slot(5) }).port, "fcs0");
  table.removeAdapter(slot(30));
  assert.deepEqual(table.all.fc.map((one) => one.name), ["vfchost1"]);
});

test("interfaces are read from the kernel's table", () => {
  const text = "Inter-|   Receive  \n face |bytes    packets\n    lo: 1 2 3\neth0:123 4\n  tr-a.1: 0\n";
  assert.deepEqual([...interfacesIn(text)], ["lo", "eth0", "tr-a.1"]);
});
