/** What a destination refuses whatever a console asks. */
import assert from "node:assert/strict";
import test from "node:test";
import { migrationRecord } from "../../testkit/migration-record.js";
import type { CallContext } from "../../wire/rpc.js";
import type { Hypervisor } from "../contract.js";
import { createMigrations } from "./index.js";

const ID = "0d4f3f0e-0000-4000-8000-000000000001" as never;
const context: CallContext = { caller: "console:hmc1", signal: new AbortController().signal, peer: undefined as never };

test("a call that comes late makes no empty shell of a partition that was taken over, or declined, and has no process any more", async () => {
  for (const outcome of ["owned", "declined"] as const) {
    const record = migrationRecord({ id: ID, role: "destination", console: "hmc1", phase: "confirm", status: "running", endedAt: null });
    const hypervisor = { config: { name: "ms02" }, store: { migration: () => ({ record, ticket: "t", outcome }) }, process: () => undefined, startProcess: () => assert.fail("a shell was started"), row: () => assert.fail("storage was attached"), hold: async () => undefined, clock: { now: () => 0 } } as unknown as Hypervisor;
    const { handlers } = createMigrations(hypervisor);
    for (const call of [() => handlers["migration.startShell"]({ id: ID }, context), () => handlers["migration.attachStorage"]({ id: ID }, context), () => handlers["migration.openDestinationMover"]({ id: ID, mspLparId: 1 as never }, context)]) await assert.rejects(call(), { code: "wrong-state", message: outcome === "owned" ? /owns the partition already/ : /has declined the partition/ });
  }
});

test("a partition does not come to where its UUID is another's, by which its console log and its process are known", async () => {
  const definition = { name: "db01", uuid: "u", current: null };
  const hypervisor = { config: { name: "ms02", vioses: [] }, store: { migration: () => undefined, migrations: () => [], lpars: () => [{ lparId: 5, definition: { name: "copy", uuid: "u" } }] }, vioses: () => [], hold: async () => undefined, clock: { now: () => 0 } } as unknown as Hypervisor;
  await assert.rejects(createMigrations(hypervisor).handlers["migration.reserve"]({ id: ID, definition, destination: { mspLparId: null } } as never, context), { code: "already-exists", hsc: "OLPM-VP11", message: /^The partition copy of ms02 has the UUID of db01/ });
});
