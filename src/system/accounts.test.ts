/** Which account a partition gets, and what is passed over. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import type { LparId } from "../model/ids.js";
import { db01 } from "../testkit/fake-console.js";
import { accountOf, inTurn, isLent, isMapped } from "./accounts.js";
import { LparRow, Store } from "./store.js";

function holder(t: TestContext, ids: readonly number[], range = { first: 5000, count: 4 }) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-accounts-"));
  const store = new Store(dir);
  for (const lparId of ids) store.putLpar(LparRow.parse({ lparId, revision: 0, definition: db01().definition, ownership: { kind: "owner", generation: 1, migrationId: null }, storage: [], migrationId: null, power: "off", failed: false, startedAt: null, devices: null }));
  t.after(async () => {
    await store.close();
    fs.rmSync(dir, { recursive: true });
  });
  const config = { name: "ms01", partitionUids: range };
  return { config, store, update: (lparId: LparId, change: (row: LparRow) => LparRow) => store.putLpar(change(store.lpar(lparId)!)) };
}
const nobody = async () => false;
const id = (lparId: number) => lparId as LparId;

test("each partition has one of its own, and keeps it", async (t) => {
  const one = holder(t, [3, 4, 5]);
  const uids = [];
  for (const lparId of [3, 4, 3, 5, 4]) uids.push((await accountOf(one, id(lparId), new Set(), nobody)).uid);
  assert.deepEqual(uids, [5000, 5001, 5000, 5002, 5001]);
  assert.deepEqual(await Promise.all([3, 4, 5].map((lparId) => accountOf(one, id(lparId), new Set(), nobody))), [5000, 5001, 5002].map((uid) => ({ uid, gid: uid })));
});

test("two that are started at the same time get two", async (t) => {
  const one = holder(t, [3, 4]);
  const [a, b] = await Promise.all([3, 4].map((lparId) => accountOf(one, id(lparId), new Set(), nobody)));
  assert.notEqual(a!.uid, b!.uid);
});

test("passed over: an account of the host, one that a process of another partition has, one that was given last", async (t) => {
  const one = holder(t, [3, 4]);
  assert.equal((await accountOf(one, id(3), new Set([5001]), async (uid) => uid === 5000)).uid, 5002);
  one.store.removeLpar(3);
  assert.equal((await accountOf(one, id(4), new Set(), nobody)).uid, 5003, "that of a partition that is gone comes last");
  assert.equal((await accountOf(one, id(4), new Set(), async (uid) => uid === 5003)).uid, 5000, "somebody else has got its number meanwhile");
  await assert.rejects(accountOf(one, id(4), new Set(), async () => true), { code: "limit-reached", message: /5000 to 5003/ });
});

test("a changed range holds for those that are started from then on for the first time", async (t) => {
  const one = holder(t, [3, 4]);
  await accountOf(one, id(3), new Set(), nobody);
  one.config.partitionUids = { first: 9000, count: 2 };
  assert.equal((await accountOf(one, id(3), new Set(), nobody)).uid, 5000);
  assert.equal((await accountOf(one, id(4), new Set(), nobody)).uid, 9000);
});

test("the range goes round", () => {
  assert.deepEqual([...inTurn({ first: 10, count: 3 }, undefined)], [10, 11, 12]);
  assert.deepEqual([...inTurn({ first: 10, count: 3 }, 10)], [11, 12, 10]);
  assert.deepEqual([...inTurn({ first: 10, count: 3 }, 12)], [10, 11, 12]);
  assert.deepEqual([...inTurn({ first: 10, count: 3 }, 99)], [10, 11, 12]);
});

test("ranges of containers", () => {
  const subuid = "root:100000:65536\nalice:200000:10\n";
  assert.deepEqual([99_999, 100_000, 165_535, 165_536, 200_009, 200_010].map((uid) => isLent(subuid, uid)), [false, true, true, false, true, false]);
  assert.equal(isLent("", 5), false);
  const map = "         0     100000      65536\n";
  assert.deepEqual([0, 65_535, 65_536].map((uid) => isMapped(map, uid)), [true, true, false]);
  assert.equal(isMapped("         0          0 4294967295\n", 2_100_000_000), true);
});
