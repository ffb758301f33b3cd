import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { Store } from "./store.js";

/** A store in a folder of its own that goes away with the test. */
async function withStore(work: (store: Store, reopen: () => Promise<Store>) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-store-"));
  let store = new Store(dir);
  const reopen = async () => {
    await store.close();
    return (store = new Store(dir));
  };
  try {
    await work(store, reopen);
  } finally {
    await store.close();
    fs.rmSync(dir, { recursive: true });
  }
}

test("a journal keeps every entry in its order, apart from other journals, over a restart", () =>
  withStore(async (store, reopen) => {
    const [one, two] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
    for (let n = 0; n < 300; n++) {
      store.appendJournal(one, { n });
      if (n % 3 === 0) store.appendJournal(two, { n });
    }
    store.appendJournal(one, null);
    const again = await reopen();
    assert.deepEqual(again.journal(one), [...Array.from({ length: 300 }, (_, n) => ({ n })), null]);
    assert.deepEqual(again.journal(two), Array.from({ length: 100 }, (_, n) => ({ n: 3 * n })));
    assert.deepEqual(again.journal("33333333-3333-4333-8333-333333333333"), []);
  }));

test("a transaction that fails leaves nothing", () =>
  withStore(async (store, reopen) => {
    assert.throws(() =>
      store.transaction(() => {
        store.putFact("uuid", "x");
        store.appendJournal("a", 1);
        throw new Error("stop");
      }),
    );
    const again = await reopen();
    assert.deepEqual(again.journal("a"), []);
    assert.equal(again.fact("uuid", z.string()), undefined);
  }));
