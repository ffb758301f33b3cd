/** Whom a destination gives the second pair of movers, and when it refuses: the order of things is the simulation's to try. */
import assert from "node:assert/strict";
import test from "node:test";
import type { MigrationRecord } from "../../model/migration.js";
import type { Ownership } from "../../model/ownership.js";
import { migrationRecord } from "../../testkit/migration-record.js";
import type { CallContext } from "../../wire/rpc.js";
import type { Hypervisor } from "../contract.js";
import type { MigrationRow } from "../store.js";
import { createMigrations } from "./index.js";

const log = { warn: () => undefined, info: () => undefined, error: () => undefined, child: () => log } as never;
const pair = (id: number) => ({ mspLparId: id as never, mspName: `vios${id}`, mspAddress: `10.0.0.1${id}` });
const RECORD = migrationRecord({
  role: "destination",
  phase: "prepare",
  source: { system: "ms01", lparId: 3 as never, ...pair(1) },
  destination: { system: "ms02", lparId: 3 as never, ...pair(1) },
  redundant: { source: pair(2), destination: pair(2) },
});

interface World {
  record?: Partial<MigrationRecord>;
  ownership?: Ownership["kind"];
  state?: string | null;
  caller?: string;
  generation?: number;
}
/** Asks once, or `times` in a row; gives what was done to the partition's process and at which Virtual I/O Server. */
async function ask({ record: change = {}, ownership = "reserved", state = "waiting", caller = "system:ms01", generation }: World, times = 1): Promise<{ done: string[]; answers: unknown[]; record: MigrationRecord }> {
  let row: MigrationRow = { record: { ...RECORD, ...change }, ticket: "first", planned: [], peer: null, outcome: ownership === "owner" ? "owned" : null };
  const done: string[] = [];
  const process = (what: string) => ({ spec: { dir: `/run/${what}` }, state: async () => (what === "old" ? state : "waiting"), loaded: () => new Promise<never>(() => undefined), listenIncoming: async () => void done.push(`${what} listens`) });
  let running = state === null ? undefined : process("old");
  const client = (id: number) => ({ call: async (method: string, params: { ticket?: string }) => (done.push(`${method} at vios${id}${params.ticket === "first" ? " with the first ticket" : ""}`), method === "mover.receive" ? { host: "h", port: id, name: `vios:ms02/vios${id}` } : {}) });
  const lpar = { lparId: 3, migrationId: RECORD.id, ownership: { kind: ownership, generation: RECORD.generation, migrationId: RECORD.id }, storage: [], fc: [] };
  const hypervisor = {
    config: { name: "ms02", vioses: [] },
    log,
    clock: { now: () => 0, date: () => new Date(0) },
    store: { migration: () => row, migrations: () => [row], putMigration: (next: MigrationRow) => (row = next), lpar: () => lpar, heldBack: () => [], transaction: (work: () => unknown) => work() },
    row: () => lpar,
    view: () => lpar,
    emit: () => undefined,
    process: () => running,
    endProcess: async () => void (done.push("the process is ended"), (running = undefined)),
    startProcess: async () => (done.push("another is started"), (running = process("new"))),
    closeMover: async (id: number) => void done.push(`vios${id} is closed`),
    vioses: () => [],
    vios: (id: number) => ({ client: client(id) }),
    onViosLost: () => () => undefined,
    hold: async () => undefined,
  } as unknown as Hypervisor;
  const { systemHandlers } = createMigrations(hypervisor);
  const context: CallContext = { caller, signal: new AbortController().signal, peer: undefined as never };
  const answers: unknown[] = [];
  for (let time = 0; time < times; time++) answers.push(await systemHandlers["handover.secondPair"]({ id: RECORD.id, generation: (generation ?? RECORD.generation) as never, reason: "the mover was lost" }, context).catch((error: Error) => Promise.reject(Object.assign(error, { done }))));
  return { done, answers, record: row.record };
}

test("the process of the first pair goes, another one and the second mover come, with another ticket; asked again nothing more happens", async () => {
  const { done, answers, record } = await ask({}, 3);
  assert.deepEqual(done.filter((one) => !one.startsWith("mover.receive")), ["the process is ended", "vios1 is closed", "another is started", "new listens"]);
  assert.deepEqual(done.filter((one) => one.startsWith("mover.receive")), Array(3).fill("mover.receive at vios2"));
  assert.deepEqual(answers[1], answers[0]);
  assert.deepEqual(answers[2], answers[0]);
  assert.match((answers[0] as { ticket: string }).ticket, /^[\w-]{43}$/);
  assert.deepEqual([record.destination.mspName, record.source.mspName, record.redundant?.destination.mspName, record.takeOver?.reason, record.status], ["vios2", "vios2", "vios1", "the mover was lost", "running"]);
});

test("a process that has ended already is no hindrance", async () => {
  assert.deepEqual((await ask({ state: null })).record.takeOver?.reason, "the mover was lost");
});

test("nothing is touched when another asks, when it was not planned, or when this side decides or has decided", async () => {
  const cases: readonly [string, World, RegExp][] = [
    ["another system", { caller: "system:ms03" }, /is not the source of this migration/],
    ["a console", { caller: "console:hmc1" }, /is not the source of this migration/],
    ["another generation", { generation: 9 }, /generation 9 is handed over/],
    ["one pair", { record: { redundant: null } }, /one pair of movers/],
    ["ended", { record: { endedAt: "2026-01-01T00:00:00Z", status: "failed" } }, /has ended/],
    ["being undone", { record: { status: "undoing" } }, /being undone/],
    ["handed over", { record: { phase: "handOver" } }, /too late/],
    ["handed over, by the second pair", { record: { phase: "handOver", takeOver: { at: "", reason: "" } } }, /too late/],
    ["owned", { ownership: "owner" }, /owns the partition/],
    ["declined", { ownership: "declined" as never }, /too late/],
    ["complete", { state: "loaded" }, /complete/],
  ];
  for (const [what, world, expected] of cases)
    await assert.rejects(ask(world), (error: Error & { done: string[] }) => {
      assert.match(error.message, expected, what);
      assert.deepEqual(error.done, [], what);
      return true;
    });
});
