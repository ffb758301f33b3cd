/** `migrlpar -o r` against two systems that say what a test tells them to. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Clock } from "../../kit/clock.js";
import { OlpmError } from "../../kit/errors.js";
import type { DestinationFacts, MigrationRecord, SourceFacts } from "../../model/migration.js";
import type { ManagedSystem } from "../contract.js";
import { recoverMigration, recoverPartition, settleSafely } from "./recover.js";

type Side = SourceFacts | DestinationFacts | null;
const source = (state: SourceFacts["state"], rest: Partial<SourceFacts> = {}): SourceFacts => ({ role: "source", state, process: "stopped", driven: false, alone: false, generation: null, detail: "", ...rest });
const destination = (state: DestinationFacts["state"], process: DestinationFacts["process"] = "none"): DestinationFacts => ({ role: "destination", state, process, generation: null, detail: "" });
const RECORD = { id: "m1", lparName: "db01", role: "source", endedAt: null, startedAt: "1", source: { system: "ms01", lparId: 3 }, destination: { system: "ms02", lparId: 3 } } as unknown as MigrationRecord;

/** Two systems; `after`: what they say once a step has been done. */
function stage(before: readonly [Side, Side], after: Readonly<Record<string, readonly [Side, Side]>> = {}, records: readonly MigrationRecord[] = [RECORD]) {
  let now = before;
  const steps: string[] = [];
  const system = (name: string, at: 0 | 1): ManagedSystem =>
    ({
      name,
      client: {
        call: async (method: string, params: { step?: string }) => {
          if (method === "migration.list") return { records };
          if (now[at] === null) throw new OlpmError("peer-lost", "no connection");
          if (method === "migration.settle") {
            steps.push(params.step!);
            now = after[params.step!] ?? now;
          }
          return now[at];
        },
      },
    }) as unknown as ManagedSystem;
  const systems = [system("ms01", 0), system("ms02", 1)];
  let ms = 0;
  const clock: Clock = { now: () => ms, date: () => new Date(ms), after: (delay, fire) => (queueMicrotask(() => ((ms += delay), fire())), () => undefined) };
  return { systems, steps, parts: { inventory: { system: (name: string) => systems.find((one) => one.name === name)! }, clock, signal: new AbortController().signal } };
}
const codes = (findings: readonly { readonly hsc: string }[]) => findings.map((finding) => finding.hsc);

test("a migration that nobody drives is undone on both sides, in this order", async () => {
  const { parts, steps } = stage([source("preparing", { process: "running" }), destination("reserved", "waiting")], { "destination.abandon": [source("closed"), destination("closed")] });
  assert.deepEqual(await recoverMigration(parts, RECORD, false), { ok: true, findings: [] });
  assert.deepEqual(steps, ["source.endFailed", "destination.abandon"]);
});

test("nothing to recover, and a migration that is driven, are errors that change nothing", async () => {
  const over = stage([source("closed"), destination("closed")]);
  assert.deepEqual(codes((await recoverMigration(over.parts, RECORD, true)).findings), ["OLPM-R03"]);
  const driven = stage([source("preparing", { driven: true, process: "running" }), destination("reserved", "waiting")]);
  assert.deepEqual(codes((await recoverMigration(driven.parts, RECORD, true)).findings), ["OLPM-R04", "OLPM-R00", "OLPM-R00"]);
  assert.deepEqual([...over.steps, ...driven.steps], []);
  const unknown = stage([null, null], {}, []);
  assert.deepEqual(codes((await recoverPartition(unknown.parts, unknown.systems[0]!, 3 as never, false)).findings), ["OLPM-R03"]);
});

test("a lost destination needs a person, who sees what is known; --force takes the partition back, once", async () => {
  const ask = stage([source("released"), null]);
  const { ok, findings } = await recoverPartition(ask.parts, ask.systems[0]!, 3 as never, false);
  assert.deepEqual([ok, codes(findings)], [false, ["OLPM-R05", "OLPM-R00", "OLPM-R00"]]);
  assert.match(findings[0]!.action, /--force/);
  assert.match(findings[2]!.message, /ms02 can not be asked/);
  assert.deepEqual(ask.steps, []);
  const forced = stage([source("released"), null], { "source.takeBack": [source("undoing", { alone: true }), null], "source.endFailed": [source("closed", { alone: true }), null] });
  assert.deepEqual(await recoverPartition(forced.parts, forced.systems[0]!, 3 as never, true), { ok: true, findings: [] });
  assert.deepEqual(forced.steps, ["source.takeBack", "source.endFailed"]);
});

test("two records that can not both be true change nothing, also with --force", async () => {
  const { parts, steps } = stage([source("copying"), destination("owner", "running")]);
  assert.deepEqual(codes((await recoverMigration(parts, RECORD, true)).findings), ["OLPM-R05", "OLPM-R00", "OLPM-R00"]);
  assert.deepEqual(steps, []);
});

test("what a console does by itself is one safe step, and nothing that asks for a person", async () => {
  const owned = stage([source("gone"), destination("owner", "running")]);
  await settleSafely(owned.parts, RECORD);
  assert.deepEqual(owned.steps, ["source.clean"]);
  const lost = stage([source("released"), null]);
  await settleSafely(lost.parts, RECORD);
  assert.deepEqual(lost.steps, []);
});
