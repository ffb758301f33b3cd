/** The migrations of a managed system behind the wire: what consoles and other systems may ask, and what a restart takes up. */
import { OlpmError } from "../../kit/errors.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Handlers } from "../../wire/rpc.js";
import type { SystemSystem } from "../../wire/system-system.js";
import type { Hypervisor } from "../contract.js";
import { fileLogs, type ConsoleLogs } from "./console-log.js";
import { DestinationSide } from "./destination.js";
import { tellGuest } from "./guest.js";
import { PeerSystem, type ConnectPeer } from "./peer.js";
import { isOpen, Records } from "./records.js";
import { SourceSide } from "./source.js";

type MigrationMethod = Exclude<Extract<keyof ConsoleSystem["methods"], `migration.${string}` | `journal.${string}`>, "migration.set">;
export interface Migrations {
  readonly handlers: Pick<Handlers<ConsoleSystem>, MigrationMethod>;
  readonly systemHandlers: Handlers<SystemSystem>;
  /** after a start of this process, when partitions and VIOSes have been adopted */
  resume(): Promise<void>;
}

/** What the migrations take from outside beside the hypervisor; a simulation puts its own in their place. */
export interface MigrationParts {
  readonly connect: ConnectPeer;
  readonly logs: ConsoleLogs;
}

export function createMigrations(hypervisor: Hypervisor, given: Partial<MigrationParts> = {}): Migrations {
  const { config } = hypervisor;
  const parts: MigrationParts = { connect: (endpoint, log) => new PeerSystem(endpoint, { tls: config.tls, self: `system:${config.name}`, log }), logs: fileLogs, ...given };
  const records = new Records(hypervisor);
  const source = new SourceSide(hypervisor, records, parts);
  const destination = new DestinationSide(hypervisor, records, parts);
  const sideOf = (id: string) => (records.get(id).record.role === "source" ? source : destination);

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
    "migration.probeMover": ({ mspLparId, peer }, { signal }) => hypervisor.vios(mspLparId).client.call("mover.probe", { peer }, { signal }),
    "migration.moverAddress": async ({ mspLparId }) => {
      const { hardware, name } = hypervisor.vios(mspLparId);
      if (!hardware.msp) throw new OlpmError("refused", `VIOS ${name} is not a mover service partition`, { hsc: "OLPM-VX02" });
      return { host: hardware.address, port: hardware.moverPort, name: `vios:${hypervisor.config.name}/${hardware.name}` };
    },
    "migration.checkGuest": async ({ lparId }) => {
      const process = hypervisor.process(lparId);
      return process ? tellGuest(process.guest, "check") : { answered: false, agreed: false, detail: "the partition does not run" };
    },
    "migration.begin": async (params) => source.begin(params),
    "migration.notifyGuest": ({ id, event }) => sideOf(id).notifyGuest(id, event),
    "migration.openSourceMover": async ({ id, ticket, peer }) => {
      await source.openMover(id, ticket, peer);
      return {};
    },
    "migration.closeMover": async ({ id }) => {
      await sideOf(id).closeMover(id);
      return {};
    },
    "migration.start": async ({ id, peer }) => {
      source.start(id, peer);
      return {};
    },
    "migration.stop": async ({ id }) => {
      await source.stop(id);
      return {};
    },
    "migration.endFailed": async ({ id, status, error }) => {
      await source.endFailed(id, status, error);
      return {};
    },
    "migration.cleanSource": async ({ id }) => {
      await source.clean(id);
      return {};
    },
    "migration.reserve": async (params) => destination.reserve(params),
    "migration.attachStorage": ({ id }) => destination.attachStorage(id),
    "migration.startShell": async ({ id }) => {
      await destination.startShell(id);
      return {};
    },
    "migration.openDestinationMover": ({ id, mspLparId }) => destination.openMover(id, mspLparId),
    "migration.abandon": async ({ id, error }) => {
      await destination.abandon(id, error);
      return {};
    },
    "migration.finish": async ({ id }) => {
      await destination.finish(id);
      return {};
    },
    "migration.get": async ({ id }) => records.get(id).record,
    "migration.list": async ({ history }) => ({ records: records.list(history) }),
    "journal.append": async ({ id, entry }) => {
      hypervisor.store.appendJournal(id, entry);
      return {};
    },
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
    "handover.outcome": async ({ id }) => destination.outcome(id),
  };

  return {
    handlers,
    systemHandlers,
    resume: async () => {
      for (const row of hypervisor.store.migrations().filter(isOpen)) {
        try {
          await (row.record.role === "source" ? source : destination).resume(row);
        } catch (error) {
          hypervisor.log.error({ err: error, migration_id: row.record.id }, "a migration could not be taken up after the restart");
        }
      }
    },
  };
}
