/**
 * Activation and shutdown of partitions, Virtual I/O Servers included. One operation for a partition at a time; the durable record comes before the
 * process, the storage is open before the processors run.
 */
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { LparId } from "../model/ids.js";
import { lparCan } from "../model/lpar-can.js";
import { mayRun } from "../model/ownership.js";
import type { BootMode, LparView, ResourceConfig } from "../model/lpar.js";
import { StartPolicy } from "../model/system.js";
import { provideAdapters } from "./adapters.js";
import { loginFc, logoutFc, withTurns } from "./fibre-channel.js";
import { layoutAtStart } from "./dlpar-plan.js";
import { assertNotHeldBack } from "./held-back.js";
import { isOpen } from "./migration/records.js";
import { collidingSlots } from "./qemu/arguments.js";
import type { SystemHypervisor } from "./hypervisor.js";
import { arrangeTrunks, trunksOf } from "./trunks.js";

const START_POLICY_FACT = "start_policy";

export interface Activation {
  readonly lparId: LparId;
  readonly profile: string | null;
  readonly bootMode: BootMode | null;
  readonly keylock: "norm" | "manual" | null;
}
export interface Shutdown {
  readonly lparId: LparId;
  readonly how: "os" | "delayed" | "immediate";
  readonly restart: boolean;
}

export class Lifecycle {
  readonly #hypervisor: SystemHypervisor;

  constructor(hypervisor: SystemHypervisor) {
    this.#hypervisor = hypervisor;
  }

  /** @throws OlpmError wrong-state HSCL3681 (runs already), HSCL3680 (no configuration) | insufficient-memory, insufficient-processors HSCL03EC | and what the hypervisor says */
  async activate(params: Activation): Promise<void> {
    const hypervisor = this.#hypervisor;
    const view = hypervisor.view(params.lparId);
    this.assertNotMigrating(view);
    if (!lparCan("activate", view.state)) throw new OlpmError("wrong-state", `The partition ${view.definition.name} is ${view.state} and can not be activated.`, { hsc: "HSCL3681" });
    await this.#exclusively(view, "activation", async () => {
      if (view.definition.environment === "vioserver") return this.#activateVios(params.lparId);
      await this.#activateClient(view, params);
    });
  }

  /** @throws OlpmError wrong-state HSCL1558 (does not run) | guest-not-answering HSCL0DB4 */
  async shutdown(params: Shutdown): Promise<void> {
    const view = this.#hypervisor.view(params.lparId);
    this.assertNotMigrating(view);
    if (!lparCan("shutdown", view.state)) throw new OlpmError("wrong-state", `The partition ${view.definition.name} is not running.`, { hsc: "HSCL1558" });
    if (view.definition.environment === "vioserver") return this.#exclusively(view, "shutdown", () => this.#shutdownVios(params));
    if (params.how === "immediate") return this.#exclusively(view, "shutdown", () => this.#powerOff(view, params.restart));
    const process = this.#hypervisor.process(params.lparId);
    if (!process || view.runtime.rmc !== "active")
      throw new OlpmError("guest-not-answering", `The operating system of partition ${view.definition.name} can not be asked to shut down, since its RMC connection is not active.`, { hsc: "HSCL0DB4", action: "Use -o shutdown --immed to power the partition off without the operating system." });
    // The partition's process ends when the operating system powers off, and that is what changes the state.
    if (!params.restart) this.#hypervisor.setTransition(params.lparId, "shutting-down");
    await process.guest.shutdown(params.restart ? "reboot" : "powerdown").catch((error: unknown) => {
      this.#hypervisor.setTransition(params.lparId, null);
      throw error;
    });
  }

  /** Brings the Virtual I/O Servers and partitions that should run into that state, when this process starts. `fresh`: the host was booted since. */
  async recover(fresh: boolean): Promise<void> {
    const hypervisor = this.#hypervisor;
    for (const hardware of hypervisor.config.vioses) {
      const row = hypervisor.row(hardware.lparId);
      try {
        if (await hypervisor.supervisor.adopt(hardware)) {
          hypervisor.update(row.lparId, (now) => ({ ...now, power: "on", failed: false }));
          hypervisor.log.info({ vios: hardware.name }, "Virtual I/O Server adopted");
        } else if (row.power === "on" || (fresh && row.definition.settings.autoStart)) await this.#activateVios(row.lparId);
      } catch (error) {
        hypervisor.log.error({ err: error, vios: hardware.name }, "a Virtual I/O Server could not be started");
      }
    }
    await arrangeTrunks(hypervisor);
  }
  /**
   * Ends the activations that the end of an earlier system process cut short between the start of QEMU and the first run of its processors. What stands still
   * for another reason has run before, or waits for state, or is in a migration, and is left alone. The Virtual I/O Servers are there.
   */
  async finishActivations(): Promise<void> {
    const hypervisor = this.#hypervisor;
    for (const row of hypervisor.store.lpars()) {
      const process = hypervisor.process(row.lparId);
      if (!process || process.spec.incoming || !mayRun(row.ownership) || row.migrationId !== null || row.power !== "on") continue;
      if ((await process.state().catch(() => "unknown")) !== "started") continue;
      try {
        assertNotHeldBack(hypervisor.store, row.definition);
        await hypervisor.setGates(row.lparId, "open");
        await process.run();
        hypervisor.log.info({ lpar: row.definition.name }, "an activation that was cut short was brought to its end");
      } catch (error) {
        hypervisor.log.error({ err: error, lpar: row.definition.name }, "an activation that was cut short could not be brought to its end");
        await this.#takeDown(row.lparId, true).catch((cause: unknown) => hypervisor.log.warn({ err: cause, lpar: row.definition.name }, "cleaning up after a failed activation"));
      }
    }
  }
  /** Durable. */
  get startPolicy(): StartPolicy {
    return this.#hypervisor.store.fact(START_POLICY_FACT, StartPolicy) ?? "autostart";
  }
  set startPolicy(policy: StartPolicy) {
    this.#hypervisor.store.putFact(START_POLICY_FACT, policy);
  }
  /** After a boot of the host, unless the operator wants to begin: with the start policy userinit. */
  async autoStart(): Promise<void> {
    if (this.startPolicy === "userinit") return;
    for (const view of this.#hypervisor.views().filter((one) => one.definition.environment !== "vioserver" && one.definition.settings.autoStart && lparCan("activate", one.state) && one.migrationId === null)) {
      await this.activate({ lparId: view.lparId, profile: null, bootMode: null, keylock: null }).catch((error: unknown) => this.#hypervisor.log.error({ err: error, lpar: view.definition.name }, "a partition with auto_start could not be activated"));
    }
  }

  assertNotMigrating(view: LparView): void {
    if (view.migrationId !== null)
      throw new OlpmError("conflict", `The partition ${view.definition.name} is taking part in a migration.`, { hsc: "OLPM-P02", action: "Wait until it ends, or stop it with migrlpar -o s." });
  }

  async #activateClient(view: LparView, params: Activation): Promise<void> {
    const hypervisor = this.#hypervisor;
    const { lparId } = view;
    assertNotHeldBack(hypervisor.store, view.definition);
    hypervisor.processes.assertPlaceFree(lparId);
    const resources = withTurns(this.#configuration(view, params.profile), view.definition.current);
    const slots = [...resources.scsi, ...resources.fc, ...resources.ethernet].map((adapter) => adapter.slot);
    const colliding = collidingSlots(slots);
    if (colliding.length > 0)
      throw new OlpmError("invalid-argument", `The virtual slots ${colliding.join(", ")} of partition ${view.definition.name} can not be used together with its other adapters.`, { action: "On this platform two adapters of a partition must not have slots that are equal modulo 16, and 0 and 1 are the terminals'." });
    hypervisor.assertFits(resources, lparId);
    this.#assertServersRun(view, resources);
    hypervisor.setTransition(lparId, "starting");
    try {
      hypervisor.update(lparId, (row) => ({
        ...row,
        power: "on",
        failed: false,
        startedAt: new Date().toISOString(),
        definition: { ...row.definition, current: resources, layout: layoutAtStart(resources, hypervisor.config.lmbBytes, hypervisor.accelerator.accelerator === "tcg" ? { systemBytes: hypervisor.config.memoryBytes } : undefined), currentProfile: params.profile ?? row.definition.currentProfile ?? row.definition.defaultProfile, settings: params.keylock === null ? row.definition.settings : { ...row.definition.settings, keylock: params.keylock } },
      }));
      await loginFc(hypervisor, lparId);
      await hypervisor.setGates(lparId, "open");
      const process = await hypervisor.startProcess(lparId, { incoming: false, ...(params.bootMode === null ? {} : { bootMode: params.bootMode }) });
      await process.run();
      hypervisor.guests.watch(lparId, process);
    } catch (thrown) {
      await this.#takeDown(lparId, false);
      throw toOlpmError(thrown, `activating partition ${view.definition.name}`);
    } finally {
      hypervisor.setTransition(lparId, null);
    }
  }

  async #takeDown(lparId: LparId, failed: boolean): Promise<void> {
    const hypervisor = this.#hypervisor;
    await hypervisor.endProcess(lparId);
    await hypervisor.setGates(lparId, "closed").catch((error: unknown) => hypervisor.log.warn({ err: error }, "closing the gates after a failed activation"));
    await logoutFc(hypervisor, lparId);
    hypervisor.update(lparId, (row) => ({ ...row, power: "off", failed }));
  }

  /** The profile's configuration, or the current one, else the default profile's. */
  #configuration(view: LparView, profile: string | null): ResourceConfig {
    const { definition } = view;
    if (profile === null && definition.current) return definition.current;
    const name = profile ?? definition.defaultProfile;
    const found = definition.profiles.find((one) => one.name === name);
    if (found) return found.resources;
    if (profile === null) throw new OlpmError("wrong-state", `The partition ${definition.name} has no current configuration; activate it with a profile.`, { hsc: "HSCL3680" });
    throw new OlpmError("not-found", `The profile ${profile} of partition ${definition.name} was not found.`, { hsc: "HSCL8016" });
  }

  #assertServersRun(view: LparView, resources: ResourceConfig): void {
    const kinds = [["SCSI", resources.scsi], ["Fibre Channel", resources.fc]] as const;
    for (const [kind, adapter] of kinds.flatMap(([kind, adapters]) => adapters.filter((one) => one.role === "client" && one.required).map((one) => [kind, one] as const))) {
      const running = adapter.remoteLparId !== null && this.#hypervisor.supervisor.get(adapter.remoteLparId) !== undefined;
      if (!running) throw new OlpmError("wrong-state", `The required virtual ${kind} adapter in slot ${adapter.slot} of partition ${view.definition.name} has no running Virtual I/O Server.`, { hsc: "HSCL0DB9", action: "Activate the Virtual I/O Server first." });
    }
  }

  async #powerOff(view: LparView, restart: boolean): Promise<void> {
    const hypervisor = this.#hypervisor;
    hypervisor.setTransition(view.lparId, "shutting-down");
    try {
      await hypervisor.endProcess(view.lparId);
      await hypervisor.setGates(view.lparId, "closed");
      await logoutFc(hypervisor, view.lparId);
      hypervisor.update(view.lparId, (row) => ({ ...row, power: "off", failed: false }));
    } finally {
      hypervisor.setTransition(view.lparId, null);
    }
    if (restart) await this.#activateClient(hypervisor.view(view.lparId), { lparId: view.lparId, profile: null, bootMode: null, keylock: null });
  }

  async #activateVios(lparId: LparId): Promise<void> {
    const hypervisor = this.#hypervisor;
    const hardware = hypervisor.config.vioses.find((one) => one.lparId === lparId);
    if (!hardware) throw new OlpmError("wrong-state", "this Virtual I/O Server has no hardware in the system's configuration");
    hypervisor.setTransition(lparId, "starting");
    try {
      hypervisor.update(lparId, (row) => ({ ...row, power: "on", failed: false, startedAt: new Date().toISOString() }));
      await provideAdapters(hypervisor.config, hardware, hypervisor.log);
      for (const trunk of trunksOf(hypervisor, lparId)) await hypervisor.network.addTrunk(trunk);
      await hypervisor.supervisor.start(hardware, hypervisor.gates.devicesFor(lparId), hypervisor.processes.doorsFor(lparId));
      await hypervisor.gates.settle(lparId);
      await arrangeTrunks(hypervisor);
    } catch (error) {
      hypervisor.update(lparId, (row) => ({ ...row, power: "off", failed: true }));
      throw error;
    } finally {
      hypervisor.setTransition(lparId, null);
    }
  }

  /** Migrations that can not do without the VIOS: it carries the stream, or serves the partition that moves. */
  #migrationsOver(viosLparId: LparId): string[] {
    const { store } = this.#hypervisor;
    const open = store.migrations().filter(isOpen).map(({ record }) => ({ record, here: record.role === "source" ? record.source : record.destination }));
    const served = (lparId: LparId) => store.lpar(lparId) !== undefined && [...this.#hypervisor.view(lparId).storage, ...this.#hypervisor.row(lparId).storage, ...this.#hypervisor.view(lparId).fc].some((mapping) => mapping.viosLparId === viosLparId);
    return open.filter(({ here }) => here.mspLparId === viosLparId || served(here.lparId)).map(({ record }) => record.lparName);
  }

  /** @throws OlpmError conflict when a migration uses it and it is not to end at once: then the migration fails and its partition stays where it is */
  async #shutdownVios({ lparId, how, restart }: Shutdown): Promise<void> {
    const hypervisor = this.#hypervisor;
    const moving = how === "immediate" ? [] : this.#migrationsOver(lparId);
    if (moving.length > 0) throw new OlpmError("conflict", `The Virtual I/O Server ${hypervisor.row(lparId).definition.name} is used by the migration of ${moving.join(", ")}.`, { hsc: "OLPM-P02", action: "Wait until it ends, or stop it with migrlpar -o s. With --immed the Virtual I/O Server ends all the same, and the migration fails, unless a second pair of movers takes over.", retryable: true });
    hypervisor.setTransition(lparId, "shutting-down");
    try {
      // Before it ends, so that nothing is handed over to it any more; and after it, for a migration that began meanwhile.
      hypervisor.viosEnds(lparId);
      for (const trunk of trunksOf(hypervisor, lparId)) await hypervisor.network.removeTrunk(trunk);
      await hypervisor.supervisor.stop(lparId, how === "immediate" ? "immediate" : "clean");
      hypervisor.update(lparId, (row) => ({ ...row, power: "off", failed: false }));
      hypervisor.viosEnds(lparId);
      await arrangeTrunks(hypervisor);
    } finally {
      hypervisor.setTransition(lparId, null);
    }
    if (restart) await this.#activateVios(lparId);
  }

  #exclusively(view: LparView, operation: string, work: () => Promise<void>): Promise<void> {
    return this.#hypervisor.operations.run(view, operation, work);
  }
}
