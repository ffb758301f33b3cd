/** What a source does not do on a person's word alone. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { migrationRecord } from "../../testkit/migration-record.js";
import type { CallContext } from "../../wire/rpc.js";
import type { Hypervisor } from "../contract.js";
import { createMigrations } from "./index.js";
import type { Peer } from "./peer.js";

const ID = "0d4f3f0e-0000-4000-8000-000000000001" as never;
const from = (caller: string): CallContext => ({ caller, signal: new AbortController().signal, peer: undefined as never });
const log = { warn: () => undefined, info: () => undefined, child: () => log } as never;

test("a partition that was brought back from a backup is not moved before a person has looked", async () => {
  const row = { lparId: 3, migrationId: null, ownership: { kind: "owner", generation: 1, migrationId: null }, definition: { name: "db01", uuid: "u" } };
  const begun = (heldBack: readonly string[]) => {
    const store = { migration: () => undefined, migrations: () => [], heldBack: () => heldBack };
    const hypervisor = { config: { name: "ms01", vioses: [], migrationsMax: 0 }, log, store, row: () => row, view: () => ({ ...row, state: "running" }), operation: () => undefined, vioses: () => [], clock: { now: () => 0 } } as unknown as Hypervisor;
    return createMigrations(hypervisor).handlers["migration.begin"]({ id: ID, lparId: 3, type: "active", sourceMspLparId: null } as never, from("console:hmc1"));
  };
  await assert.rejects(begun(["u"]), { code: "wrong-state", message: /db01 was brought back from a backup, and may run elsewhere since/ });
  await assert.rejects(begun(["another"]), { code: "limit-reached" });
});

test("a partition whose record a backup brought back does not run on by it before a person has looked: it may have been handed over since", async () => {
  for (const [heldBack, runs] of [[["u"], false], [["another"], true]] as const) {
    const did: string[] = [];
    let record = migrationRecord({ id: ID, role: "source", source: { system: "ms01", lparId: 3, mspLparId: null, mspName: null, mspAddress: null }, phase: "copy", status: "running", endedAt: null });
    const found = () => ({ record, peer: null, ticket: null, planned: [], outcome: null });
    const row = { lparId: 3, migrationId: ID, power: "on", ownership: { kind: "owner", generation: 1, migrationId: null }, definition: { name: "db01", uuid: "u" } };
    const store = { migration: found, migrations: () => [found()], lpar: () => row, heldBack: () => heldBack, putMigration: (next: { record: typeof record }) => ((record = next.record), next), transaction: (work: () => unknown) => work() };
    const outgoing = { resumeHere: async () => void did.push("runs") };
    const process = { adoptOutgoing: async () => outgoing };
    const hypervisor = { config: { name: "ms01" }, log: { ...(log as object), error: () => did.push("says so") }, store, row: () => row, process: () => process, emit: () => undefined, setGates: async (_: number, gate: string) => void did.push(gate), clock: { now: () => 0, date: () => new Date(), after: () => () => undefined } } as unknown as Hypervisor;
    await createMigrations(hypervisor).resume();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(did, runs ? ["open", "runs"] : ["says so"]);
  }
});

test("--force takes nothing back while the source itself reaches a destination that knows of the partition", async () => {
  const record = { id: ID, role: "source", lparName: "db01", source: { lparId: 3 }, destination: { system: "ms02" }, endedAt: null, status: "undecided", phase: "handOver", console: "hmc1" };
  const takenBack = (answer: () => object) => {
    const hypervisor = { config: { name: "ms01" }, log, store: { migration: () => ({ record, peer: { host: "", port: 1, name: "system:ms02" }, outcome: null }) }, row: () => ({ ownership: { kind: "owner" } }), clock: { now: () => 0 } } as unknown as Hypervisor;
    const connect = (): Peer => ({ client: { call: async () => answer(), on: () => () => undefined } as never, close: () => undefined });
    return createMigrations(hypervisor, { connect }).handlers["migration.settle"]({ id: ID, step: "source.takeBack" }, from("console:hmc1"));
  };
  const fails = (error: Error) => () => {
    throw error;
  };
  for (const state of ["owner", "reserved", "declined", "finished", "closed"]) await assert.rejects(takenBack(() => ({ state, process: "running", detail: "phase confirm" })), { message: `ms02 is not lost: it answers ms01 that partition db01 is ${state} there (process running; phase confirm).` });
  await assert.rejects(takenBack(fails(new OlpmError("internal", "its database is damaged", { reportedBy: "system:ms02" }))), /its database is damaged/);
  // Where nobody answers, or nothing is known, the person has the word: it is the record here that refuses this one.
  for (const lost of [() => ({ state: "none", process: "unknown", detail: "" }), fails(new OlpmError("peer-lost", "nobody there"))]) await assert.rejects(takenBack(lost), /the partition's record here says owner, not released/);
});
