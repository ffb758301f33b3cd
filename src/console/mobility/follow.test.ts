import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { MigrationRecord, NO_PROGRESS, type MigrationPhase } from "../../model/migration.js";
import type { ManagedSystem } from "../contract.js";
import { followCopy } from "./follow.js";

const ID = "00000000-0000-4000-8000-0000000000aa";
const end = (system: string) => ({ system, lparId: 3, mspLparId: null, mspName: null, mspAddress: null });
let revision = 0;
const record = (phase: MigrationPhase, change: object = {}): MigrationRecord =>
  MigrationRecord.parse({ id: ID, role: "source", type: "active", lparName: "db01", lparUuid: "u", source: end("ms01"), destination: end("ms02"), generation: 2, console: "hmc1", phase, status: "running", stopRequested: false, progress: NO_PROGRESS, phaseStartedAt: {}, startedAt: "2026-11-24T12:00:00.000Z", endedAt: null, stoppedMs: null, error: null, revision: ++revision, ...change });

/** A source system that answers with what `next` gives, and keeps what it is asked to stop. */
function source(next: (stopped: readonly { error?: { hsc: string | null } | null }[]) => MigrationRecord) {
  const stopped: { error?: { hsc: string | null; message: string; code: string } | null }[] = [];
  const call = async (method: string, params: { error?: never }) => {
    if (method === "migration.stop") return void stopped.push(params);
    assert.equal(method, "migration.get");
    return next(stopped);
  };
  return { stopped, system: { client: { call } } as unknown as ManagedSystem };
}
const follow = (system: ManagedSystem, broken?: () => OlpmError | undefined, stop = new AbortController().signal) =>
  followCopy({ inventory: { onMigration: () => () => undefined }, source: system, id: ID as never, onProgress: () => undefined, start: async () => undefined, stop, end: new AbortController().signal, ...(broken ? { broken } : {}) });

test("a promise that breaks during the copy stops the migration with the check that changed, once", async () => {
  const lost = new OlpmError("migration-failed", "VLAN 1 is bridged no more.", { hsc: "OLPM-VN02", action: "Bridge it." });
  const { stopped, system } = source((asked) => (asked.length === 0 ? record("copy") : record("copy", { status: "undoing", error: { ...asked[0]!.error } })));
  await assert.rejects(follow(system, () => lost), (error: OlpmError) => error.hsc === "OLPM-VN02" && error.message === lost.message);
  assert.deepEqual(stopped, [{ id: ID, error: { code: "migration-failed", message: lost.message, hsc: "OLPM-VN02", action: "Bridge it.", reportedBy: null } }]);
});

test("after the hand-over nothing is asked any more, and the move completes", async () => {
  const phases: MigrationPhase[] = ["handOver", "confirm"];
  const { stopped, system } = source(() => record(phases.shift()!));
  await follow(system, () => assert.fail("not looked at"));
  assert.deepEqual(stopped, []);
});

test("an operator's stop is passed on without a reason of ours", async () => {
  const { stopped, system } = source((asked) => (asked.length === 0 ? record("copy") : record("copy", { status: "stopped", stopRequested: true })));
  await assert.rejects(follow(system, undefined, AbortSignal.abort()));
  assert.deepEqual(stopped, [{ id: ID, error: null }]);
});
