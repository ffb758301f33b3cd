/**
 * The steps of a migration in order, each with its undo. The console drives and the systems record: every call is keyed by the migration's id and may be
 * repeated. The point of no return is inside copyAndHandOver, where the two systems agree alone; that step ends when they have.
 *
 *   reserve -> attachStorage -> startShell -> openDestinationMover -> openSourceMover -> prepareGuest -> copyAndHandOver | confirmGuest -> cleanSource -> finish
 *
 * `begin` (the lock and the record on the source) is before them and `endFailed` after an undo: runner.ts.
 */
import type { Clock } from "../../kit/clock.js";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { delay } from "../../kit/wait.js";
import type { Generation, LparId, MigrationId } from "../../model/ids.js";
import type { LparDefinition } from "../../model/lpar.js";
import type { MigrationEnd, MigrationError, MoverPair } from "../../model/migration.js";
import { guestRefusal, noConnection } from "../../mobility/rules/rule.js";
import type { Step } from "../../saga/saga.js";
import type { PlannedFc, PlannedStorage } from "../../wire/console-system.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Params, Result } from "../../wire/rpc.js";
import type { ManagedSystem } from "../contract.js";

/** What a migration needs all along; it lies in the journal, so that another console can go on. */
export interface MigrationParams {
  readonly id: MigrationId;
  readonly ticket: string;
  readonly type: "active" | "inactive";
  readonly lparId: LparId;
  readonly lparName: string;
  readonly generation: Generation;
  readonly source: MigrationEnd;
  readonly destination: MigrationEnd;
  /** absent in a journal that knows of one pair of movers only */
  readonly redundant?: MoverPair | null;
  readonly destLparId: LparId | null;
  readonly definition: LparDefinition;
  readonly storage: readonly PlannedStorage[];
  readonly fc: readonly PlannedFc[];
  readonly waitMs: number;
  readonly console: string;
}
export interface MigrationContext {
  readonly params: MigrationParams;
  readonly source: ManagedSystem;
  readonly destination: ManagedSystem;
  readonly clock: Clock;
  /** the operator wants it stopped */
  readonly stop: AbortSignal;
  /** runs until the two systems have decided; `start` is repeated to a source that has forgotten it in a restart. @throws the recorded error when the partition stays on the source */
  readonly follow: (start: () => Promise<unknown>) => Promise<void>;
  /** warnings found on the way */
  readonly warn: (hsc: string, message: string, action: string) => void;
}
type Endpoint = Result<ConsoleSystem, "migration.moverAddress">;

/** A system that restarts is back within this; longer is a failure. */
const AWAY_MS_MAX = 20_000;
const UNDO_AWAY_MS_MAX = 60_000;
const STORAGE_MS_MAX = 60_000;
/** The undo does not wait longer for scripts that hear of the failure: what hinders them may be what made the migration fail, and the destination holds resources. */
const TELL_FAILURE_MS_MAX = 5_000;
const ASK_AGAIN_MS = 1_000;

export const asRecordError = (error: OlpmError): MigrationError => ({ code: error.code, message: error.message, hsc: error.hsc ?? null, action: error.action ?? null, reportedBy: error.reportedBy ?? null });

/** Repeats an idempotent call while its system is away. */
async function patiently<T>(clock: Clock, awayMsMax: number, work: () => Promise<T>): Promise<T> {
  const end = clock.now() + awayMsMax;
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      const error = toOlpmError(thrown, "");
      if (error.code !== "peer-lost" || error.reportedBy !== undefined || clock.now() > end) throw thrown;
      await delay(250, undefined, clock);
    }
  }
}
type Call = <M extends keyof ConsoleSystem["methods"]>(method: M, params: Params<ConsoleSystem, M>, deadlineMs?: number) => Promise<Result<ConsoleSystem, M>>;
const on = (clock: Clock, system: ManagedSystem, awayMsMax = AWAY_MS_MAX): Call => (method, params, deadlineMs) => patiently(clock, awayMsMax, () => system.client.call(method, params, deadlineMs === undefined ? {} : { deadlineMs }));

const onlyActive = (work: (context: MigrationContext, outputs: ReadonlyMap<string, unknown>) => Promise<unknown>) => async (context: MigrationContext, outputs: ReadonlyMap<string, unknown>) => (context.params.type === "active" ? work(context, outputs) : null);

export const POINT_OF_NO_RETURN = "copyAndHandOver";

/** A step with its line in docs/architecture.md. */
export interface MigrationStep extends Step<MigrationContext> {
  readonly does: string;
  readonly undone?: string;
}

export const STEPS: readonly MigrationStep[] = [
  {
    name: "reserve",
    does: "the destination takes the definition, ID, slots, memory and processors; nothing there may run or write",
    undone: "the destination ends its shell, closes its mover and gives everything back; this undoes the next three steps as well",
    run: async ({ params, source: { endpoint: peer }, destination, clock }) => {
      const { id, type, source, destination: end, redundant = null, destLparId, generation, definition, storage, fc, ticket, console } = params;
      return on(clock, destination)("migration.reserve", { id, peer, type, source, destination: end, redundant, lparId: destLparId, generation, definition, storage: [...storage], fc: [...fc], ticket, console });
    },
    // One undo for all that the destination holds: its process first, then mover, storage and definition.
    undo: async ({ params, destination, clock }, error) => void (await on(clock, destination, UNDO_AWAY_MS_MAX)("migration.abandon", { id: params.id, error: asRecordError(error) }, STORAGE_MS_MAX)),
  },
  { name: "attachStorage", does: "the destination's VIOSes log in to the LUNs and offer them behind closed gates", run: ({ params, destination, clock }) => on(clock, destination)("migration.attachStorage", { id: params.id }, STORAGE_MS_MAX) },
  { name: "startShell", does: "an empty QEMU waits for the state", run: onlyActive(({ params, destination, clock }) => on(clock, destination)("migration.startShell", { id: params.id }, STORAGE_MS_MAX)) },
  { name: "openDestinationMover", does: "the destination's mover waits for the peer with the ticket", run: onlyActive(({ params, destination, clock }) => on(clock, destination)("migration.openDestinationMover", { id: params.id, mspLparId: params.destination.mspLparId! })) },
  {
    name: "openSourceMover",
    does: "the source's mover shows the ticket; the two agree on sealed or direct and open the channel",
    run: onlyActive(({ params, source, clock }, outputs) => on(clock, source)("migration.openSourceMover", { id: params.id, ticket: params.ticket, peer: outputs.get("openDestinationMover") as Endpoint }, STORAGE_MS_MAX)),
  },
  {
    name: "prepareGuest",
    does: "the operating system and its scripts prepare, or refuse",
    undone: "the operating system hears that there is no move",
    run: onlyActive(async ({ params, source }) => {
      const verdict = await source.client.call("migration.notifyGuest", { id: params.id, event: "prepare" }, { deadlineMs: params.waitMs });
      if (!verdict.answered) throw new OlpmError("guest-not-answering", noConnection(params.lparName), { hsc: "HSCLA246", action: verdict.detail });
      const [message, action] = guestRefusal(params.lparName, verdict.detail);
      if (!verdict.agreed) throw new OlpmError("guest-refused", message, { hsc: "HSCLA257", action });
      return null;
    }),
    undo: async ({ params, source }) => void (await source.client.call("migration.notifyGuest", { id: params.id, event: "error" }, { deadlineMs: Math.min(params.waitMs, TELL_FAILURE_MS_MAX) }).catch(() => undefined)),
  },
  {
    name: POINT_OF_NO_RETURN,
    does: "copy, suspend, hand over and resume, which the two systems agree alone; the console follows",
    run: async ({ params, source, destination, follow, clock, stop }) => {
      // Whether a start whose answer was lost has begun the copy, nobody knows but the source: it is asked until it answers, or the operator gives up.
      const start = () => source.client.call("migration.start", { id: params.id, peer: destination.endpoint });
      for (;;) {
        try {
          await start();
          break;
        } catch (thrown) {
          const error = toOlpmError(thrown, "starting the copy");
          if (!["peer-lost", "timeout"].includes(error.code) || error.reportedBy !== undefined || stop.aborted) throw thrown;
          await delay(ASK_AGAIN_MS, undefined, clock);
        }
      }
      await follow(start);
      return null;
    },
  },
  {
    name: "confirmGuest",
    does: "the operating system and its scripts hear that they run elsewhere",
    run: onlyActive(async ({ params, destination, warn }) => {
      const verdict = await destination.client.call("migration.notifyGuest", { id: params.id, event: "confirm" }, { deadlineMs: params.waitMs }).catch((error: unknown) => ({ answered: false, agreed: false, detail: toOlpmError(error, "confirming").message }));
      if (!verdict.answered || !verdict.agreed) warn("OLPM-W01", `The operating system of partition ${params.lparName} did not confirm the migration: ${verdict.detail}`, "The partition has moved all the same; see its log /var/log/openlpm-mobility.log.");
      return null;
    }),
  },
  { name: "cleanSource", does: "the source removes the partition, its adapters, mappings and mover", run: ({ params, source, clock }) => on(clock, source)("migration.cleanSource", { id: params.id }, STORAGE_MS_MAX) },
  { name: "finish", does: "the destination closes its mover and the record", run: ({ params, destination, clock }) => on(clock, destination)("migration.finish", { id: params.id }, STORAGE_MS_MAX) },
];
