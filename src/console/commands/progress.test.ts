/** What is told once of a migration, on a terminal and where there is none. */
import assert from "node:assert/strict";
import test from "node:test";
import { migrationRecord } from "../../testkit/migration-record.js";
import type { CommandIo } from "../contract.js";
import { ProgressPrinter } from "./progress.js";

test("a take-over by the second pair of movers is told once, over the line that is redrawn", () => {
  const end = (name: string) => ({ mspLparId: 2, mspName: name, mspAddress: "10.0.0.12" });
  const before = migrationRecord({ phase: "copy", redundant: { source: end("vios2"), destination: end("vios3") } });
  const takeOver = { at: "2026-11-24T12:00:05.000Z", reason: "The mover on vios1 lost the stream: the channel ended unexpectedly (SIGKILL)." };
  const after = migrationRecord({ phase: "copy", source: { ...before.source, ...end("vios2") }, destination: { ...before.destination, ...end("vios3") }, takeOver });
  for (const [tty, begin] of [[undefined, ""], [{ columns: 80, color: false }, "\r\x1b[K"]] as const) {
    let out = "";
    const printer = new ProgressPrinter({ stdout: (text: string) => (out += text), tty } as unknown as CommandIo);
    for (const record of [before, before, after, after]) printer.tell(record);
    assert.equal(out, `${begin}db01: the second pair of movers (vios2 to vios3) takes over, the copy begins anew: The mover on vios1 lost the stream: the channel ended unexpectedly (SIGKILL).\n`);
  }
});
