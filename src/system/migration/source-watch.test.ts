/** What was lost before it was watched for. */
import assert from "node:assert/strict";
import test from "node:test";
import type { OlpmError } from "../../kit/errors.js";
import type { MigrationRecord } from "../../model/migration.js";
import { watchNeeds, type SourceContext } from "./source-watch.js";

test("a server of the partition that does not run when the watch begins aborts the migration, as its loss later does; others do not", () => {
  const record = { id: "m1", redundant: null, takeOver: null, source: { lparId: 3, mspLparId: 2, mspName: "vios2" } } as unknown as MigrationRecord;
  const watched = (runs: readonly number[]) => {
    const mine = { abort: new AbortController(), pairLost: new AbortController(), bytesOnLink: 0 };
    const never = () => () => undefined;
    const hypervisor = { config: { name: "ms01" }, clock: { now: () => 0 }, view: () => ({ storage: [{ viosLparId: 1 }], fc: [] }), vios: () => ({ client: { on: never } }), vioses: () => runs.map((lparId) => ({ lparId })), onViosLost: never, onProcessLost: never };
    watchNeeds({ hypervisor, records: {}, running: { of: () => mine } } as unknown as SourceContext, record);
    return mine.abort.signal;
  };
  for (const runs of [[1, 2], [1, 2, 4]]) assert.equal(watched(runs).aborted, false);
  const { aborted, reason } = watched([2]);
  assert.equal(aborted, true);
  assert.match((reason as OlpmError).message, /A Virtual I\/O Server that serves the partition on ms01 was lost: it does not run\.$/);
});
