import assert from "node:assert/strict";
import test from "node:test";
import { LparView } from "../model/lpar.js";
import { ViosHardware } from "../wire/system-config.js";
import { db01, vios } from "../testkit/fake-console.js";
import { NO_NEWS, type GuestNews } from "./guests.js";
import { LparRow } from "./store.js";
import { lparView, stateOf, type LparFacts } from "./views.js";

const OWNER = { kind: "owner", generation: 4, migrationId: null } as const;
const row = (change: object = {}, from: LparView = db01()): LparRow =>
  LparRow.parse({ lparId: from.lparId, revision: 7, definition: from.definition, ownership: OWNER, storage: [], migrationId: null, power: "off", failed: false, startedAt: "2026-11-24T11:00:00.000Z", devices: null, ...change });
const known = (change: Partial<LparFacts> = {}): LparFacts => ({ revision: 12, processPid: null, transition: null, migrationType: null, bootMode: "norm", guest: NO_NEWS, vtermOpen: false, consoleLog: "/log", hardware: undefined, heldBack: false, storage: [], fc: [], ...change });
const hardware = ViosHardware.parse({ lparId: 1, name: "vios1", namespace: "ns1", san: { portals: [], initiatorName: "iqn.2026-01.test:x" }, uplink: "up", address: "10.0.0.11", prefix: 24, sea: { vswitch: "ETHERNET0", vlanIds: [1], trunkSlot: 5, trunkPriority: 1 }, msp: true, moverPort: 1, tls: { ca: "", cert: "", key: "" } });

test("the state: a migration, then whose the partition is, then what is under way, then its process", () => {
  const others = ["reserved", "released", "declined", "gone"].map((kind) => ({ kind, generation: 5, migrationId: "m" }));
  const cases: readonly [state: string, row: object, facts: Partial<LparFacts>][] = [
    ["not-activated", {}, {}],
    ["not-activated", { power: "on" }, {}],
    ["error", { failed: true }, {}],
    ["running", {}, { processPid: 9 }],
    ["running", { failed: true }, { processPid: 9 }],
    ["running", {}, { processPid: 9, bootMode: "dd" }],
    ["open-firmware", {}, { processPid: 9, bootMode: "of" }],
    ["open-firmware", {}, { processPid: 9, bootMode: "sms" }],
    ["not-activated", {}, { bootMode: "sms" }],
    ["starting", {}, { transition: "starting" }],
    ["starting", { failed: true }, { transition: "starting", processPid: 9, bootMode: "of" }],
    ["shutting-down", {}, { transition: "shutting-down", processPid: 9 }],
    ...others.map((ownership): [string, object, Partial<LparFacts>] => ["not-available", { ownership, failed: true }, { transition: "starting", processPid: 9 }]),
    ...[OWNER, ...others].map((ownership): [string, object, Partial<LparFacts>] => ["migrating-running", { ownership }, { migrationType: "active", transition: "shutting-down", processPid: 9 }]),
    ...[OWNER, ...others].map((ownership): [string, object, Partial<LparFacts>] => ["migrating-not-activated", { ownership, failed: true }, { migrationType: "inactive" }]),
  ];
  for (const [state, change, facts] of cases) assert.equal(stateOf(row(change), known(facts)), state, JSON.stringify([change, facts]));
});

test("a row without ownership can not be shown", () => {
  assert.throws(() => lparView(row({ ownership: { kind: "absent" } }), known()), /partition 3 has a row and no ownership/);
});

test("a client partition: its definition unchanged, RMC state and reference code only while it runs", () => {
  const guest: GuestNews = { rmc: "active", address: "10.0.0.21", osVersion: "Linux/Debian", refCode: "Linux ppc64le", refCodeAt: "2026-11-24T11:00:20.000Z" };
  const storage = db01().storage;
  const running = lparView(row({ migrationId: "m1" }), known({ processPid: 9, guest, vtermOpen: true, storage }));
  assert.deepEqual(LparView.parse(running), running, "it is what the wire carries");
  assert.deepEqual(running, {
    lparId: 3,
    revision: 12,
    definition: db01().definition,
    state: "running",
    runtime: { qemuPid: 9, startedAt: "2026-11-24T11:00:00.000Z", rmc: "active", rmcAddress: "10.0.0.21", osVersion: "Linux/Debian", refCode: "Linux ppc64le", refCodeAt: "2026-11-24T11:00:20.000Z", vtermOpen: true, consoleLog: "/log", vios: null },
    storage,
    fc: [],
    ownership: OWNER,
    migrationId: "m1",
    heldBack: false,
  });
  assert.equal(lparView(row(), known({ heldBack: true })).heldBack, true);
  const { runtime } = lparView(row(), known({ guest }));
  assert.deepEqual([runtime.qemuPid, runtime.startedAt, runtime.rmc, runtime.refCode, runtime.refCodeAt], [null, null, "inactive", "", null]);
});

test("a Virtual I/O Server: server adapters of its device list, managed while its process runs, mover where hardware and setting say so", () => {
  const from = vios(1, "vios1", "10.0.0.11");
  const devices = { disks: [], adapters: [{ name: "vhost0", slot: 12, clientLparId: 3, clientSlot: 2 }, { name: "vhost1", slot: 13, clientLparId: null, clientSlot: null }], targets: [] };
  const running = lparView(row({ devices }, from), known({ processPid: 100, hardware }));
  assert.deepEqual(LparView.parse(running), running);
  assert.deepEqual(running.definition.current?.scsi, [
    { slot: 12, role: "server", remoteLparId: 3, remoteSlot: 2, required: false },
    { slot: 13, role: "server", remoteLparId: null, remoteSlot: null, required: false },
  ]);
  assert.deepEqual(running.definition.profiles, from.definition.profiles, "profiles stay as they were saved");
  assert.deepEqual([running.runtime.qemuPid, running.runtime.rmc, running.runtime.rmcAddress], [null, "active", "10.0.0.11"]);
  assert.deepEqual(running.runtime.vios, { pid: 100, namespace: "ns1", roles: ["vscsi", "sea", "msp"], mspAddress: "10.0.0.11" });
  const off = lparView(row({}, from), known({ hardware }));
  assert.deepEqual([off.state, off.runtime.rmc, off.runtime.startedAt, off.runtime.vios?.pid, off.definition.current?.scsi], ["not-activated", "inactive", null, null, []]);
  for (const [msp, setting] of [[false, true], [true, false], [false, false]] as const) {
    const changed = { ...from, definition: { ...from.definition, settings: { ...from.definition.settings, msp: setting } } };
    const view = lparView(row({}, changed), known({ processPid: 100, hardware: { ...hardware, msp } }));
    assert.deepEqual(view.runtime.vios, { pid: 100, namespace: "ns1", roles: ["vscsi", "sea"], mspAddress: null }, `hardware ${msp}, setting ${setting}`);
  }
  assert.equal(lparView(row({ definition: { ...from.definition, current: null }, devices }, from), known({ hardware })).definition.current, null, "never activated");
});
