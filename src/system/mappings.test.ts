import assert from "node:assert/strict";
import test from "node:test";
import type { LparId } from "../model/ids.js";
import { ViosDevices } from "../wire/system-vios.js";
import { db01, SHARED_RESOURCES } from "../testkit/fake-console.js";
import { devicesOf, effectiveResources, fcOf, mayWrite, storageOf, withGates, withLogins } from "./mappings.js";
import { LparRow } from "./store.js";

type Scsi = { slot: number; role: "client" | "server"; remoteLparId: number | null; remoteSlot: number | null };
const resources = (scsi: readonly Scsi[]) => ({ ...SHARED_RESOURCES, scsi: scsi.map((one) => ({ ...one, required: true })) });
/** Partition 3 with these adapters. */
const row = (scsi: readonly Scsi[]): LparRow =>
  LparRow.parse({ lparId: 3, revision: 1, definition: { ...db01().definition, current: resources(scsi) }, ownership: { kind: "owner", generation: 1, migrationId: null }, storage: [], migrationId: null, power: "off", failed: false, startedAt: null, devices: null });
const client = (slot: number, remoteLparId: number | null, remoteSlot: number | null): Scsi => ({ slot, role: "client", remoteLparId, remoteSlot });

/** `slot:lpar/slot` with `*` for any, and `name@slot` for a target device; its LUN is `naa.` and the name. */
function vios(lparId: number, adapters: string, targets: string) {
  const number = (text: string) => (text === "*" ? null : Number(text));
  const words = (text: string) => text.split(" ").filter((word) => word !== "");
  const devices = ViosDevices.parse({
    disks: [],
    adapters: words(adapters).map((word, n) => {
      const [slot = "", lpar = "", remote = ""] = word.split(/[:/]/);
      return { name: `vhost${n}`, slot: Number(slot), clientLparId: number(lpar), clientSlot: number(remote) };
    }),
    targets: words(targets).map((word) => {
      const [name = "", slot = ""] = word.split("@");
      return { name, slot: Number(slot), lun: `naa.${name}`, lunBytes: 1024, gate: "closed" };
    }),
  });
  return { lparId: lparId as LparId, devices };
}
const said = (scsi: readonly Scsi[], vioses: readonly ReturnType<typeof vios>[]) => storageOf(row(scsi), vioses).map((one) => `${one.clientSlot}<${one.viosLparId}/${one.viosSlot}:${one.vtd}`).join(" ");

test("storage of a partition: where its adapters and the servers' device lists agree", () => {
  const cases: readonly [what: string, scsi: readonly Scsi[], vioses: readonly ReturnType<typeof vios>[], said: string][] = [
    ["one disk", [client(2, 1, 10)], [vios(1, "10:3/2", "a@10")], "2<1/10:a"],
    ["in the order of client slots, then of the device list", [client(5, 2, 10), client(2, 1, 10)], [vios(2, "10:3/5", "d@10"), vios(1, "10:3/2", "b@10 a@10")], "2<1/10:b 2<1/10:a 5<2/10:d"],
    ["a server adapter for any client", [client(2, 1, 10)], [vios(1, "10:*/*", "a@10")], "2<1/10:a"],
    ["a server adapter for any slot of the client", [client(2, 1, 10)], [vios(1, "10:3/*", "a@10")], "2<1/10:a"],
    ["a server adapter for another client", [client(2, 1, 10)], [vios(1, "10:4/2", "a@10")], ""],
    ["a server adapter for another slot of the client", [client(2, 1, 10)], [vios(1, "10:3/4", "a@10")], ""],
    ["another slot of the server", [client(2, 1, 11)], [vios(1, "10:3/2", "a@10")], ""],
    ["another server", [client(2, 2, 10)], [vios(1, "10:3/2", "a@10")], ""],
    ["a client adapter that names no server", [client(2, null, null)], [vios(1, "10:3/2 11:*/*", "a@10 b@11")], ""],
    ["a device behind another adapter", [client(2, 1, 10)], [vios(1, "10:3/2 11:3/4", "a@11")], ""],
    ["a server that is not there", [client(2, 1, 10)], [], ""],
    ["the partition's own server adapters", [{ slot: 2, role: "server", remoteLparId: 1, remoteSlot: 10 }], [vios(1, "10:3/2", "a@10")], ""],
    ["no adapters", [], [vios(1, "10:3/2", "a@10")], ""],
  ];
  for (const [what, scsi, vioses, expected] of cases) assert.equal(said(scsi, vioses), expected, what);
  assert.deepEqual(storageOf(row([client(2, 1, 10)]), [vios(1, "10:3/2", "a@10")]), [{ clientSlot: 2, viosLparId: 1, viosSlot: 10, vtd: "a", lun: "naa.a", lunBytes: 1024 }]);
});

test("the configuration that counts: the current one, else the default profile's, else none", () => {
  const [now, normal, big] = [row([client(2, 1, 10)]), resources([client(4, 1, 11)]), resources([client(6, 1, 12)])];
  const with_ = (change: object): LparRow => LparRow.parse({ ...now, definition: { ...now.definition, profiles: [{ name: "big", resources: big }, { name: "normal", resources: normal }], ...change } });
  assert.equal(effectiveResources(with_({}))?.scsi[0]?.slot, 2);
  assert.equal(effectiveResources(with_({ current: null }))?.scsi[0]?.slot, 4);
  assert.equal(effectiveResources(with_({ current: null, defaultProfile: "big" }))?.scsi[0]?.slot, 6);
  assert.equal(effectiveResources(with_({ current: null, defaultProfile: "lost" })), null);
  assert.deepEqual(storageOf(with_({ current: null, profiles: [] }), [vios(1, "10:3/2", "a@10")]), []);
});

test("gates of a server that starts: open for clients that may write, closed for all others, whatever they were", () => {
  const { devices } = vios(1, "10:3/2 11:4/2", "a@10 b@10 c@11 d@11");
  const mapping = (viosLparId: number, vtd: string) => ({ ...storageOf(row([client(2, 1, 10)]), [vios(1, "10:3/2", "a@10")])[0]!, viosLparId: viosLparId as LparId, vtd });
  const of = (mayWrite: boolean, ...storage: ReturnType<typeof mapping>[]) => ({ mayWrite, storage });
  const gates = (before: "open" | "closed", ...clients: ReturnType<typeof of>[]) =>
    withGates(1 as LparId, { ...devices, targets: devices.targets.map((target) => ({ ...target, gate: before })) }, clients).targets.filter((target) => target.gate === "open").map((target) => target.name).join(" ");
  for (const before of ["open", "closed"] as const) {
    assert.equal(gates(before), "", "nobody's");
    assert.equal(gates(before, of(true, mapping(1, "a"), mapping(1, "b")), of(false, mapping(1, "c"))), "a b");
    assert.equal(gates(before, of(false, mapping(1, "a")), of(true, mapping(1, "c"), mapping(1, "x"))), "c");
    assert.equal(gates(before, of(true, mapping(2, "a"), mapping(1, "d"))), "d", "the other server's device of the same name stays closed");
  }
  assert.deepEqual(withGates(1 as LparId, devices, []), devices, "all else as it was");
});

const WWPN = { first: "c05076aabbcc0000", second: "c05076aabbcc0001" } as const;
/** A server adapter in slot 30 of `lparId` for slot 4 of partition 3, logged in as `wwpn` with these LUNs, beside a virtual SCSI adapter with `v` in slot 10. */
function npivServer(lparId: number, wwpn: string | null, luns: readonly string[]) {
  const target = (name: string, slot: number, more: object) => ({ name, slot, lun: `naa.${name}`, lunBytes: 1024, gate: "closed", ...more });
  const devices = ViosDevices.parse({
    disks: [],
    adapters: [{ name: "vhost0", slot: 10, clientLparId: 3, clientSlot: 2 }],
    targets: [target("v", 10, {}), ...luns.map((name) => target(name, 30, { wwpn }))],
    fc: [{ name: "vfchost0", slot: 30, clientLparId: 3, clientSlot: 4, port: "fcs0", wwpn, clientName: wwpn === null ? null : "db01" }],
  });
  return { lparId: lparId as LparId, devices };
}
const npivClient = (remoteLparId: number, remoteSlot: number): LparRow => {
  const { definition, ...rest } = row([client(2, 1, 10)]);
  return LparRow.parse({ ...rest, definition: { ...definition, current: { ...resources([client(2, 1, 10)]), fc: [{ slot: 4, role: "client", remoteLparId, remoteSlot, required: true, wwpns: [WWPN.first, WWPN.second], active: 1 }] } } });
};

test("virtual Fibre Channel of a partition: its server adapter, the name it is logged in as, and its LUNs apart from those of virtual SCSI", () => {
  const server = npivServer(1, WWPN.second, ["b", "a"]);
  const lun = (vtd: string) => ({ vtd, lun: `naa.${vtd}`, lunBytes: 1024 });
  assert.deepEqual(fcOf(npivClient(1, 30), [server]), [{ clientSlot: 4, viosLparId: 1, viosSlot: 30, vfchost: "vfchost0", port: "fcs0", wwpn: WWPN.second, luns: [lun("b"), lun("a")] }]);
  assert.deepEqual(storageOf(npivClient(1, 30), [server]).map((one) => one.vtd), ["v"]);
  assert.deepEqual(devicesOf(npivClient(1, 30), [server]).map((one) => `${one.clientSlot}:${one.vtd}`), ["2:v", "4:b", "4:a"]);
  assert.deepEqual(fcOf(npivClient(1, 30), [npivServer(1, null, [])]).map((one) => [one.wwpn, one.luns]), [[null, []]]);
  for (const [vios, slot] of [[2, 30], [1, 31]] as const) assert.deepEqual(fcOf(npivClient(vios, slot), [server]), [], "another server adapter");
});

test("a server that starts logs in only as partitions that have a process here, and as those that are moving to here", () => {
  const { devices } = npivServer(1, WWPN.first, ["a"]);
  const storage = devicesOf(npivClient(1, 30), [{ lparId: 1 as LparId, devices }]);
  const logins = (...clients: Parameters<typeof withLogins>[2]) => withLogins(1 as LparId, devices, clients);
  assert.deepEqual(logins({ storage, present: true }), devices);
  for (const clients of [[], [{ storage, present: false }], [{ storage: storage.map((one) => ({ ...one, viosLparId: 2 as LparId })), present: true }]]) {
    const left = logins(...clients);
    assert.deepEqual(left.targets.map((one) => one.name), ["v"], "virtual SCSI stays");
    assert.deepEqual(left.fc.map((one) => [one.name, one.port, one.wwpn, one.clientName]), [["vfchost0", "fcs0", null, null]]);
  }
});

test("a partition's LUNs are open as asked last within what ownership allows, and after a restart for an owner that is to run", () => {
  const own = { owner: { kind: "owner", generation: 1, migrationId: null }, reserved: { kind: "reserved", generation: 1, migrationId: "m" }, released: { kind: "released", generation: 1, migrationId: "m" } } as const;
  const may = (kind: keyof typeof own, power: "on" | "off", asked?: "open" | "closed") => mayWrite({ ownership: own[kind], power } as unknown as LparRow, asked);
  assert.ok(may("owner", "on"), "its process may be starting, or blocked");
  assert.ok(may("owner", "on", "open"));
  assert.ok(may("reserved", "off", "open"), "a partition that is being taken over is opened before it is owned");
  for (const closed of [may("owner", "off"), may("owner", "on", "closed"), may("reserved", "off"), may("reserved", "off", "closed"), may("released", "on"), may("released", "on", "open")]) assert.ok(!closed);
});
