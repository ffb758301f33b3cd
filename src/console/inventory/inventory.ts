/** The managed systems of this console, by name and by machine type, model and serial number. */
import { EventEmitter } from "node:events";
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import type { LparView } from "../../model/lpar.js";
import type { MigrationRecord } from "../../model/migration.js";
import { mtmsText } from "../../model/system.js";
import type { ConsoleConfig } from "../../wire/console-config.js";
import type { Inventory, ManagedSystem } from "../contract.js";
import { SystemConnection } from "./connection.js";

export interface ConsoleInventory extends Inventory {
  /** a system was connected, at first or again, and its cache is filled */
  onConnected(listener: (system: ManagedSystem) => void): () => void;
  /** A managed system that has joined; one with its name is replaced. */
  add(system: ConsoleConfig["systems"][number]): void;
}

export function createInventory({ config, log }: { readonly config: ConsoleConfig; readonly log: Logger }): ConsoleInventory {
  const events = new EventEmitter().setMaxListeners(0);
  const connect = ({ name, host, port }: ConsoleConfig["systems"][number]) => {
    const connection: SystemConnection = new SystemConnection({
      endpoint: { host, port, name: `system:${name}` },
      systemName: name,
      tls: config.tls,
      self: `console:${config.name}`,
      log,
      onMigration: (record) => events.emit("migration", connection, record),
      onConnected: () => events.emit("connected", connection),
    });
    return connection;
  };
  const systems: SystemConnection[] = config.systems.map(connect);
  const on = (event: string, listener: (...words: never[]) => void) => {
    events.on(event, listener as never);
    return () => events.off(event, listener as never);
  };
  return {
    systems: () => systems,
    system: (wanted) => findSystem(systems, wanted),
    lpar: findLpar,
    onMigration: (listener: (system: ManagedSystem, record: MigrationRecord) => void) => on("migration", listener as never),
    add: (system) => {
      const at = systems.findIndex((one) => one.name === system.name);
      void (at < 0 ? undefined : systems[at])?.close();
      systems.splice(at < 0 ? systems.length : at, at < 0 ? 0 : 1, connect(system));
    },
    onConnected: (listener) => on("connected", listener as never),
    close: async () => void (await Promise.all(systems.map((system) => system.close()))),
  };
}

/** hmc-cli 1.2: a name, or `tttt-mmm*sssssss`. */
export function findSystem(systems: readonly ManagedSystem[], wanted: string): ManagedSystem {
  const found = systems.filter((system) => system.name === wanted || (system.view !== null && mtmsText(system.view.mtms) === wanted));
  if (found.length > 1) throw new OlpmError("invalid-argument", `Several managed systems are named ${wanted}.`, { action: "Use the form tttt-mmm*sssssss." });
  if (found.length === 0) throw new OlpmError("not-found", `The managed system ${wanted} was not found.`, { hsc: "HSCL8018" });
  return found[0]!;
}

export function findLpar(system: ManagedSystem, by: { readonly name: string } | { readonly lparId: number }): LparView {
  const found = system.lpars().find((lpar) => ("name" in by ? lpar.definition.name === by.name : lpar.lparId === by.lparId));
  if (found) return found;
  if (system.view === null) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237" });
  throw new OlpmError("not-found", "name" in by ? `The partition named ${by.name} was not found.` : `The partition with ID ${by.lparId} was not found.`, { hsc: "HSCL8012" });
}
