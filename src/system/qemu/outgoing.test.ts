import assert from "node:assert/strict";
import test from "node:test";
import { MigrationProgress } from "../../model/migration.js";
import { progressOf } from "./outgoing.js";

const ram = { transferred: 300_000_000, remaining: 50_000_000, total: 512_000_000, "dirty-sync-count": 3, "dirty-pages-rate": 1200 };

test("QEMU's numbers as ours: what it does not say is nothing, and without a rate there is no estimate", () => {
  const nothing = { bytesSent: 0, bytesRemaining: 0, bytesTotal: 0, rate: 0, rounds: 0, dirtyPagesPerSecond: 0, msRemainingEstimate: null, bytesOnLink: 0, throttlePercent: 0 };
  const some = { bytesSent: 300_000_000, bytesRemaining: 50_000_000, bytesTotal: 512_000_000, rounds: 3, dirtyPagesPerSecond: 1200, bytesOnLink: 0, throttlePercent: 0 };
  const { "dirty-pages-rate": _, ...first } = ram;
  const cases: readonly [info: Parameters<typeof progressOf>[0], rate: number, progress: MigrationProgress][] = [
    [{}, 0, nothing],
    [{ status: "setup" }, 10, { ...nothing, rate: 10, msRemainingEstimate: 0 }],
    [{ status: "active", ram }, 0, { ...some, rate: 0, msRemainingEstimate: null }],
    [{ status: "active", ram }, 100_000_000, { ...some, rate: 100_000_000, msRemainingEstimate: 500 }],
    [{ status: "active", ram }, 33_333_333.4, { ...some, rate: 33_333_333, msRemainingEstimate: 1500 }],
    [{ status: "active", ram: first }, 1, { ...some, dirtyPagesPerSecond: 0, rate: 1, msRemainingEstimate: 50_000_000_000 }],
    [{ status: "active", ram, "cpu-throttle-percentage": 30 }, 0, { ...some, rate: 0, msRemainingEstimate: null, throttlePercent: 30 }],
    [{ status: "completed", ram: { ...ram, remaining: 0 } }, 100, { ...some, bytesRemaining: 0, rate: 100, msRemainingEstimate: 0 }],
  ];
  for (const [info, rate, progress] of cases) {
    assert.deepEqual(progressOf(info, rate), progress);
    assert.deepEqual(MigrationProgress.parse(progressOf(info, rate)), progress, "it is what the wire carries");
  }
});
