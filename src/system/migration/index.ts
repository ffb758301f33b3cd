/** The migrations of a managed system behind the wire: what consoles and other systems may ask, and what a restart takes up. */
import { OlpmError } from "../../kit/errors.js";
import { Turns } from "../../kit/turns.js";
import type { LparId } from "../../model/ids.js";
import type { MigrationRecord } from "../../model/migration.js";
import { decideRecovery, type RecoveryRowName } from "../../mobility/recovery.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Handlers } from "../../wire/rpc.js";
import type { SystemSystem } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import { fileLogs, type ConsoleLogs } from "./console-log.js";
import { DestinationSide } from "./destination.js";
import { tellGuest } from "./guest.js";
import { PeerSystem, type ConnectPeer } from "./peer.js";
import { MoverLimits } from "./limits.js";
import { isOpen, Records } from "./records.js";
import { Recovery } from "./recovery.js";
import { SourceSide } from "./source.js";

type MigrationMethod = Exclude<Extract<keyof ConsoleSystem["methods"], `migration.${string}` | `journal.${string}`>, "migration.set">;
export interface Migrations {
  readonly handlers: Pick<Handlers<ConsoleSystem>, MigrationMethod>;
  readonly systemHandlers: Handlers<SystemSystem>;
  /** @throws OlpmError invalid-argument */
  setMover(mover: { readonly lparId: LparId; readonly configured: number }): void;
  /** after a start of this process, when partitions and VIOSes have been adopted */
  resume(): Promise<void>;
}

/** What the migrations take from outside beside the hypervisor; a simulation puts its own in their place. */
export interface MigrationParts {
  readonly connect: ConnectPeer;
  readonly logs: ConsoleLogs;
  readonly turns: Turns;
  readonly decide: typeof decideRecovery;
  /** told which row of the recovery table fitted, at each look */
  readonly onRecovery?: (row: RecoveryRowName) => void;
}

export function createMigrations(hypervisor: Hypervisor, given: Partial<MigrationParts> = {}): Migrations {
  const { config } = hypervisor;
  const parts: MigrationParts = { connect: (endpoint, log) => new PeerSystem(endpoint, { tls: config.tls, self: `system:${config.name}`, log }), logs: fileLogs, turns: new Turns(), decide: decideRecovery, ...given };
  const records = new Records(hypervisor);
  const limits = new MoverLimits(hypervisor, records);
  const source = new SourceSide(hypervisor, records, parts);
  const destination = new DestinationSide(hypervisor, records, parts);
  const { turns } = parts;
  const recovery = new Recovery({ hypervisor, records, parts, source, destination });
  const sideOf = (id: string) => (records.get(id).record.role === "source" ? source : destination);

  const driven = <T>(id: string, caller: string, work: () => Promise<T>) => recovery.during(id, caller, work);
  /** What changes one migration is done one after the other, so that a late call meets either what was before another one or what is after it. */
  const inTurn = (id: string, caller: string, work: () => Promise<void> | void) => driven(id, caller, async () => (await turns.take(id, work), {}));

  const handlers: Migrations["handlers"] = {
    "migration.probeStorage": async ({ luns }, { signal }) => {
      const answers = await Promise.all(hypervisor.vioses().map((vios) => vios.client.call("storage.probe", { luns }, { signal })));
      return { found: answers.flatMap((answer) => answer.found) };
    },
    "migration.probeFc": async ({ wwpns, viosLparIds }, { signal }) => {
      const asked = hypervisor.vioses().filter((vios) => viosLparIds === null || viosLparIds.includes(vios.lparId));
      const answers = await Promise.all(asked.map((vios) => vios.client.call("fc.probe", { wwpns }, { signal })));
      return { found: answers.flatMap((answer) => answer.found) };
    },
    "migration.probeMover": ({ mspLparId, peer, measure }, { signal }) => hypervisor.vios(mspLparId).client.call("mover.probe", { peer, measure }, { signal }),
    "migration.measure": async ({ lparId, destination }) => ({ ...(await (hypervisor.process(lparId)?.measure() ?? { residentBytes: 0, dirtyBytesPerSecond: null })), past: pastRates(records.list(true), destination) }),
    "migration.moverAddress": async ({ mspLparId }) => {
      const { hardware, name } = hypervisor.vios(mspLparId);
      if (!hardware.msp) throw new OlpmError("refused", `VIOS ${name} is not a mover service partition`, { hsc: "OLPM-VX02" });
      return { host: hardware.address, port: hardware.moverPort, name: `vios:${hypervisor.config.name}/${hardware.name}` };
    },
    "migration.checkGuest": async ({ lparId }) => {
      const process = hypervisor.process(lparId);
      return process ? tellGuest(process.guest, "check") : { answered: false, agreed: false, detail: "the partition does not run" };
    },
    "migration.movers": async () => limits.list(),
    "migration.begin": (params, { caller }) => driven(params.id, caller, async () => {
        if (!records.find(params.id)) limits.assertBelow(params.sourceMspLparId);
        return source.begin(params);
      }),
    "migration.notifyGuest": ({ id, event }, { caller }) => driven(id, caller, () => sideOf(id).notifyGuest(id, event)),
    "migration.openSourceMover": ({ id, ticket, peer }, { caller }) => inTurn(id, caller, () => source.openMover(id, ticket, peer)),
    "migration.closeMover": ({ id }, { caller }) => inTurn(id, caller, () => sideOf(id).closeMover(id)),
    "migration.start": ({ id, peer }, { caller }) => inTurn(id, caller, () => source.start(id, peer)),
    // Not in its turn: it must end what holds the turn.
    "migration.stop": async ({ id, error }) => {
      await source.stop(id, error);
      return {};
    },
    "migration.endFailed": ({ id, status, error }, { caller }) => inTurn(id, caller, () => source.endFailed(id, status, error)),
    "migration.cleanSource": ({ id }, { caller }) => inTurn(id, caller, () => source.clean(id)),
    "migration.reserve": (params, { caller }) => driven(params.id, caller, () => turns.take(params.id, async () => {
        await hypervisor.hold("reserve");
        if (!records.find(params.id)) limits.assertBelow(params.destination.mspLparId);
        return destination.reserve(params);
      })),
    "migration.attachStorage": ({ id }, { caller }) => driven(id, caller, () => turns.take(id, () => destination.attachStorage(id))),
    "migration.startShell": ({ id }, { caller }) => inTurn(id, caller, () => destination.startShell(id)),
    "migration.openDestinationMover": ({ id, mspLparId }, { caller }) => driven(id, caller, () => turns.take(id, () => destination.openMover(id, mspLparId))),
    "migration.abandon": ({ id, error }, { caller }) => inTurn(id, caller, () => destination.abandon(id, error)),
    "migration.finish": ({ id }, { caller }) => inTurn(id, caller, () => destination.finish(id)),
    "migration.facts": ({ id, role }) => recovery.facts(id, role),
    "migration.settle": ({ id, step }) => recovery.settle(id, step),
    "migration.get": ({ id }, { caller }) => driven(id, caller, async () => records.get(id).record),
    "migration.list": async ({ history }) => ({ records: records.list(history) }),
    "journal.append": ({ id, entry }, { caller }) =>
      driven(id, caller, async () => {
        hypervisor.store.appendJournal(id, entry);
        return {};
      }),
    "journal.read": async ({ id }) => ({ entries: hypervisor.store.journal(id) }),
  };

  /** Only the source of a migration has a say in it: another system of the installation could else hand over what is not its own. */
  const fromSource = (id: string, caller: string): void => {
    const { source } = records.get(id).record;
    if (caller !== `system:${source.system}`) throw new OlpmError("not-authorised", `${caller} is not the source of this migration, system:${source.system} is`);
  };
  const systemHandlers: Migrations["systemHandlers"] = {
    "handover.consoleLog": async (params, { caller }) => {
      fromSource(params.id, caller);
      destination.consoleLog(params);
      return {};
    },
    "handover.released": async (params, { signal, caller }) => {
      fromSource(params.id, caller);
      return destination.released(params, signal);
    },
    "handover.secondPair": async (params, { caller }) => {
      fromSource(params.id, caller);
      return turns.take(params.id, () => destination.secondPair(params));
    },
    "handover.facts": async ({ id, role }, { caller }) => {
      const record = records.find(id)?.record;
      if (record && ![record.source.system, record.destination.system].some((name) => caller === `system:${name}`)) throw new OlpmError("not-authorised", `${caller} takes no part in this migration`);
      return recovery.facts(id, role);
    },
  };

  return {
    handlers,
    systemHandlers,
    setMover: (mover) => limits.set(mover),
    resume: async () => {
      for (const row of hypervisor.store.migrations().filter(isOpen)) {
        try {
          await (row.record.role === "source" ? source.resume(row) : destination.resume(row, () => recovery.askSource(row)));
        } catch (error) {
          hypervisor.log.error({ err: error, migration_id: row.record.id }, "a migration could not be taken up after the restart");
        }
      }
      recovery.run();
    },
  };
}

/** Earlier moves to a system that count for a prediction: the last ones, since links and hosts change. */
const PAST_MAX = 5;
/** What the movers carried, bytes a second, in moves that succeeded in one copy: the latest first. */
function pastRates(records: readonly MigrationRecord[], destination: string): { readonly bytesPerSecond: number; readonly linkBytesPerSecond: number | null }[] {
  return records
    .filter((record) => record.role === "source" && record.status === "succeeded" && record.type === "active" && record.takeOver === null && record.destination.system === destination)
    .reverse()
    .slice(0, PAST_MAX)
    .flatMap(({ phaseStartedAt: { copy, suspend }, progress, prediction }) => {
      const ms = copy === undefined || suspend === undefined ? 0 : Date.parse(suspend) - Date.parse(copy);
      return ms > 0 && progress.bytesSent > 0 ? [{ bytesPerSecond: (progress.bytesSent * 1_000) / ms, linkBytesPerSecond: prediction?.basis.linkBytesPerSecond ?? null }] : [];
    });
}
