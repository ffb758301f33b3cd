import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { batch02, db01 } from "../testkit/fake-console.js";
import type { LparView } from "../model/lpar.js";
import { LparRow, Store } from "./store.js";
import { synchronised } from "./synchronised.js";
import { SystemProfiles } from "./system-profiles.js";

const row = (from: LparView, change: object = {}): LparRow =>
  LparRow.parse({ lparId: from.lparId, revision: 0, definition: from.definition, ownership: { kind: "owner", generation: 1, migrationId: null }, storage: [], migrationId: null, power: "off", failed: false, startedAt: null, devices: null, ...change });

test("system profiles are kept, changed, renamed and removed; a member goes with its partition", async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-sysprof-"));
  const store = new Store(dir);
  try {
    for (const lpar of [db01(), batch02()]) store.putLpar(row(lpar));
    const profiles = new SystemProfiles(store);
    const put = (name: string, members: { lparId: number; profile: string }[] | null, more: { newName?: string; mustExist?: boolean } = {}) => profiles.put({ name, members, mustExist: false, ...more });
    put("night", [{ lparId: 3, profile: "normal" }, { lparId: 4, profile: "big" }]);
    assert.deepEqual(profiles.list(), [{ name: "night", members: [{ lparId: 3, lparName: "db01", profile: "normal" }, { lparId: 4, lparName: "batch02", profile: "big" }] }]);
    const before = profiles.list();
    assert.throws(() => put("night", []), { code: "already-exists" });
    assert.throws(() => put("x", [{ lparId: 9, profile: "p" }]), { hsc: "HSCL8012" });
    assert.throws(() => put("x", [{ lparId: 3, profile: "p" }]), { hsc: "HSCL8016" });
    assert.throws(() => put("x", null, { mustExist: true }), { hsc: "HSCL8016" });
    assert.throws(() => profiles.remove("x"), { hsc: "HSCL8016" });
    assert.deepEqual(profiles.list(), before, "a refused change changes nothing");
    put("night", null, { newName: "day", mustExist: true });
    assert.deepEqual(profiles.list().map((one) => [one.name, one.members.length]), [["day", 2]]);
    put("day", [{ lparId: 4, profile: "big" }], { mustExist: true });
    store.removeLpar(4);
    store.putLpar(row(batch02(), { definition: { ...batch02().definition, uuid: "00000000-0000-4000-8000-0000000000dd" } }));
    assert.deepEqual(profiles.list(), [{ name: "day", members: [] }], "another partition with the same ID is not the member");
    profiles.remove("day");
    assert.deepEqual(profiles.list(), []);
  } finally {
    await store.close();
    fs.rmSync(dir, { recursive: true });
  }
});

test("with sync_curr_profile the last activated profile follows changes of the current configuration, and nothing else changes", () => {
  const before = row(db01());
  const sync = { ...before.definition, settings: { ...before.definition.settings, syncCurrProfile: true } };
  const grown = { ...before.definition.current!, maxVirtualSlots: 99 };
  const change = (definition: LparRow["definition"], more: Partial<LparRow["definition"]> = {}) => ({ ...before, definition: { ...definition, current: grown, ...more } });
  const slots = (definition: LparRow["definition"]) => definition.profiles.map((one) => one.resources.maxVirtualSlots);
  assert.deepEqual(slots(synchronised(before, change(before.definition)).definition), [40], "it is off");
  assert.deepEqual(slots(synchronised({ ...before, definition: sync }, change(sync)).definition), [99]);
  const untouched = { ...before, definition: { ...sync, settings: { ...sync.settings, description: "x" } } };
  assert.equal(synchronised({ ...before, definition: sync }, untouched), untouched);
  const other = { ...sync, profiles: [...sync.profiles, { name: "second", resources: sync.current! }] };
  assert.deepEqual(slots(synchronised({ ...before, definition: other }, change(other, { currentProfile: "second" })).definition), [40, 40], "activation with another profile");
});
