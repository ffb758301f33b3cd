/** A migration's record for tests: an active one of db01 from ms01 to ms02, as the source keeps it. */
import { MigrationRecord, NO_PROGRESS } from "../model/migration.js";

export const migrationRecord = (change: object): MigrationRecord =>
  MigrationRecord.parse({
    id: "00000000-0000-4000-8000-000000000001",
    role: "source",
    type: "active",
    lparName: "db01",
    lparUuid: "u",
    source: { system: "ms01", lparId: 3, mspLparId: 1, mspName: "vios1", mspAddress: "10.0.0.11" },
    destination: { system: "ms02", lparId: 7, mspLparId: 1, mspName: "vios2", mspAddress: "10.0.0.12" },
    generation: 2,
    console: "hmc1",
    phase: "prepare",
    status: "running",
    stopRequested: false,
    progress: NO_PROGRESS,
    phaseStartedAt: {},
    startedAt: "2026-11-24T12:00:00.000Z",
    endedAt: null,
    stoppedMs: null,
    error: null,
    revision: 1,
    ...change,
  });
