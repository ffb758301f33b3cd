/** Who may speak to a destination about a migration. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import type { CallContext } from "../../wire/rpc.js";
import type { Hypervisor } from "../contract.js";
import { createMigrations } from "./index.js";

const ID = "0d4f3f0e-0000-4000-8000-000000000001";
/** A destination that knows one migration, from ms01, with an outcome already. */
const hypervisor = { store: { migration: () => ({ record: { id: ID, type: "active", source: { system: "ms01" }, generation: 2, stoppedMs: 7, error: { message: "no disk" } }, outcome: "declined" }) } } as unknown as Hypervisor;
const { systemHandlers } = createMigrations(hypervisor);
const from = (caller: string): CallContext => ({ caller, signal: new AbortController().signal, peer: undefined as never });
const words = { id: ID as never, generation: 2 as never, stoppedForMs: 0, consoleLogOffset: 0, consoleLogTail: "" };

test("a hand-over is heard from the source alone, whatever else belongs to the installation", async () => {
  assert.deepEqual(await systemHandlers["handover.released"](words, from("system:ms01")), { outcome: "declined", stoppedMs: 7, reason: "no disk" });
  for (const caller of ["system:ms02", "system:ms010", "console:ms01", "vios:ms01/vios1", "ms01"]) {
    const stranger = (error: unknown) => error instanceof OlpmError && error.code === "not-authorised";
    await assert.rejects(systemHandlers["handover.released"](words, from(caller)), stranger, caller);
    await assert.rejects(systemHandlers["handover.consoleLog"]({ id: ID as never, offset: 0, data: "" }, from(caller)), stranger, caller);
  }
});
