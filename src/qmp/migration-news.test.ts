import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../kit/errors.js";
import type { QmpEvent } from "./client.js";
import { MigrationNews } from "./migration-news.js";

const LONG_MS = 60_000;
function monitor() {
  const listeners = new Set<(event: QmpEvent) => void>();
  let lose!: (error: OlpmError) => void;
  const closed = new Promise<OlpmError>((resolve) => (lose = resolve));
  const say = (event: string, status: string) => listeners.forEach((listener) => listener({ event, data: { status }, at: 0 }));
  return { listeners, lose, say, qmp: { closed, onEvent: (listener: (event: QmpEvent) => void) => (listeners.add(listener), () => listeners.delete(listener)) } };
}

test("what was told while nobody waited is there at the next look, the latest of it, once", async () => {
  const { qmp, say, listeners } = monitor();
  const news = new MigrationNews(qmp);
  const { signal } = new AbortController();
  say("MIGRATION", "active");
  say("MIGRATION", "pre-switchover");
  say("STOP", "other");
  assert.equal(await news.take(LONG_MS, signal), "pre-switchover");
  assert.equal(await news.take(1, signal), undefined);
  const next = news.take(LONG_MS, signal);
  say("MIGRATION", "completed");
  assert.equal(await next, "completed");
  news.close();
  assert.equal(listeners.size, 0);
});

test("an abort and the loss of the monitor end the wait, also when they came before it", async () => {
  const { qmp, lose } = monitor();
  const news = new MigrationNews(qmp);
  const abort = new AbortController();
  const waiting = news.take(LONG_MS, abort.signal);
  abort.abort();
  assert.equal(await waiting, undefined);
  assert.equal(await news.take(LONG_MS, abort.signal), undefined);
  const { signal } = new AbortController();
  const lost = news.take(LONG_MS, signal);
  lose(new OlpmError("peer-lost", "QEMU closed its monitor"));
  assert.equal(await lost, undefined);
  assert.equal(await news.take(LONG_MS, signal), undefined);
});
