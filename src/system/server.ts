/**
 * The managed system behind the wire. One port takes consoles and other managed systems; the name in the caller's certificate decides which contract it
 * may use. Consoles are told of every change; one that does not read its events is let go and can come back.
 */
import type { Server } from "node:tls";
import { OlpmError } from "../kit/errors.js";
import { InactiveProfPolicy, type SystemView } from "../model/system.js";
import { consoleSystem, type ConsoleSystem } from "../wire/console-system.js";
import { RpcPeer, type Contract, type EventName, type EventOf, type Handlers } from "../wire/rpc.js";
import { systemSystem } from "../wire/system-system.js";
import { listenTls, type Accepted } from "../wire/transport.js";
import { unitsOf, whyNotFits } from "./accounting.js";
import type { Definitions } from "./definitions.js";
import type { Dlpar } from "./dlpar.js";
import { LPARS_MAX } from "./accounting.js";
import type { SystemHypervisor } from "./hypervisor.js";
import { activeTrunk } from "./trunks.js";
import type { Lifecycle } from "./lifecycle.js";
import { SystemProfiles } from "./system-profiles.js";
import type { Migrations } from "./migration/index.js";
import { isOpen } from "./migration/records.js";

const PEERS_MAX = 64;
const BACKLOG_BYTES_MAX = 16 << 20;
/** PAPR allows a twentieth of a processor for each virtual processor. */
const UNITS_PER_PROC_MIN = 5;
const PROCS_PER_LPAR_MAX = 8;

export interface SystemFacts {
  readonly uuid: string;
  readonly version: string;
  readonly qemuVersion: string;
}
interface Parts {
  readonly hypervisor: SystemHypervisor;
  readonly lifecycle: Lifecycle;
  readonly definitions: Definitions;
  readonly dlpar: Dlpar;
  readonly migrations: Migrations;
  readonly facts: SystemFacts;
}

export class SystemServer {
  readonly #parts: Parts;
  readonly #consoles = new Set<RpcPeer>();
  readonly #systemProfiles: SystemProfiles;
  #peers = 0;
  #listener: Server | undefined;
  #revision = Date.now();
  #viewDue = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { hypervisor } = parts;
    this.#systemProfiles = new SystemProfiles(hypervisor.store);
    hypervisor.on("lpar.changed", (view) => this.#tell("lpar.changed", view));
    hypervisor.on("lpar.removed", (removed) => this.#tell("lpar.removed", removed));
    hypervisor.on("migration.changed", (record) => this.#tell("migration.changed", record));
    hypervisor.on("system.changed", () => this.#systemChanged());
  }

  /** @throws when the port is taken */
  async listen(): Promise<void> {
    const { config } = this.#parts.hypervisor;
    this.#listener = await listenTls(config.listen, config.tls, (accepted) => this.#accept(accepted));
  }
  close(): void {
    this.#listener?.close();
    for (const peer of this.#consoles) peer.destroy();
  }

  #accept({ socket, caller }: Accepted): void {
    const { hypervisor, migrations } = this.#parts;
    const [role] = caller.split(":");
    const serves: { contract: Contract; handlers: Handlers<any> } | undefined = role === "console" ? { contract: consoleSystem, handlers: this.#handlers() } : role === "system" ? { contract: systemSystem, handlers: migrations.systemHandlers } : undefined;
    if (!serves || this.#peers >= PEERS_MAX) {
      hypervisor.log.warn({ caller }, serves ? "connection refused: too many" : "connection refused: neither a console nor a managed system");
      socket.destroy();
      return;
    }
    this.#peers++;
    const peer = new RpcPeer(socket, { self: `system:${hypervisor.config.name}`, caller, log: hypervisor.log, serves });
    if (role === "console") this.#consoles.add(peer);
    hypervisor.log.info({ caller }, "connected");
    void peer.closed.then((reason) => {
      this.#peers--;
      this.#consoles.delete(peer);
      hypervisor.log.info({ caller, reason: reason.message }, "disconnected");
    });
  }

  #tell<E extends EventName<ConsoleSystem>>(event: E, payload: EventOf<ConsoleSystem, E>): void {
    for (const peer of this.#consoles) {
      if (peer.backlogBytes > BACKLOG_BYTES_MAX) peer.destroy(new OlpmError("limit-reached", "this console does not read its events"));
      else peer.emit(event, payload);
    }
  }
  /** Many changes in one turn are told once. */
  #systemChanged(): void {
    if (this.#viewDue) return;
    this.#viewDue = true;
    setImmediate(() => {
      this.#viewDue = false;
      this.#tell("system.changed", this.#systemView());
    });
  }

  #systemView(): SystemView {
    const { hypervisor, facts } = this.#parts;
    const { config, store, accelerator } = hypervisor;
    const available = hypervisor.available();
    const capacity = hypervisor.capacity();
    const open = store.migrations().filter(isOpen);
    const now = (type: "active" | "inactive") => open.filter((row) => row.record.type === type).length;
    const running = config.vioses.filter((one) => hypervisor.supervisor.get(one.lparId));
    const shared = running.flatMap(({ lparId, sea }) => sea.map((one) => ({ viosLparId: lparId, lparId, priority: one.trunkPriority, ...one })));
    const active = (one: (typeof shared)[number]) => activeTrunk(shared.filter((other) => other.vswitch === one.vswitch && other.vlanIds.includes(one.vlanIds[0]!)))?.lparId === one.lparId;
    return {
      name: config.name,
      uuid: facts.uuid,
      mtms: config.mtms,
      revision: ++this.#revision,
      state: "operating",
      version: facts.version,
      hypervisor: { qemuVersion: facts.qemuVersion, accelerator: accelerator.accelerator, acceleratorReason: accelerator.reason },
      memory: { installedBytes: capacity.memoryBytes, configurableBytes: capacity.memoryBytes, availableBytes: Math.max(0, available.memoryBytes), firmwareBytes: 0, lmbBytes: config.lmbBytes },
      proc: { installedUnits: capacity.units, configurableUnits: capacity.units, availableUnits: Math.max(0, available.units), minUnitsPerProc: UNITS_PER_PROC_MIN, maxProcsPerLpar: PROCS_PER_LPAR_MAX },
      lparsMax: LPARS_MAX,
      startPolicy: this.#parts.lifecycle.startPolicy,
      compatModes: ["default", "POWER8", "POWER9_base", "POWER9"],
      vswitches: this.#vswitches(),
      sharedEthernet: shared.map((one) => ({ viosLparId: one.viosLparId, vswitch: one.vswitch, vlanIds: one.vlanIds, trunkSlot: one.trunkSlot, trunkPriority: one.trunkPriority, active: active(one) })),
      wwpns: { prefix: this.#parts.definitions.wwpns.prefix, remaining: this.#parts.definitions.wwpns.remaining },
      migration: { activeMax: config.migrationsMax, activeNow: now("active"), inactiveMax: config.migrationsMax, inactiveNow: now("inactive"), inactiveProfPolicy: store.fact("inactiveProfPolicy", InactiveProfPolicy) ?? "config" },
      pid: process.pid,
      time: new Date().toISOString(),
    };
  }

  #vswitches(): SystemView["vswitches"] {
    const { hypervisor } = this.#parts;
    const adapters = hypervisor.store.lpars().flatMap((row) => row.definition.current?.ethernet ?? []);
    return hypervisor.vswitches.all().map(({ name, mode }) => ({ name, mode, vlanIds: [...new Set(adapters.filter((one) => one.vswitch === name).flatMap((one) => [one.portVlanId, ...one.additionalVlanIds]))].sort((a, b) => a - b) }));
  }

  #handlers(): Handlers<ConsoleSystem> {
    const { hypervisor, lifecycle, definitions, dlpar, migrations } = this.#parts;
    const nothing = async (work: unknown) => {
      await work;
      return {};
    };
    return {
      ...migrations.handlers,
      "migration.set": async ({ inactiveProfPolicy, mover }) => {
        if (mover) migrations.setMover(mover);
        if (inactiveProfPolicy !== undefined) hypervisor.store.putFact("inactiveProfPolicy", inactiveProfPolicy);
        this.#systemChanged();
        return {};
      },
      "system.get": async () => this.#systemView(),
      "system.rename": async () => {
        throw new OlpmError("unsupported", "The name of a managed system is in its certificate and configuration, and is changed there.");
      },
      "system.configure": async ({ startPolicy }) => {
        lifecycle.startPolicy = startPolicy;
        this.#systemChanged();
        return {};
      },
      "lpar.list": async () => ({ lpars: hypervisor.views() }),
      "lpar.create": async (params) => ({ lparId: definitions.create(params) }),
      "lpar.remove": (params) => nothing(definitions.remove(params)),
      "lpar.modify": async (params) => nothing(definitions.modify(params)),
      "profile.put": async (params) => nothing(definitions.putProfile(params)),
      "profile.remove": async (params) => nothing(definitions.removeProfile(params)),
      "profile.save": async (params) => nothing(definitions.saveProfile(params)),
      "profile.apply": async (params) => nothing(definitions.applyProfile(params)),
      "sysprof.list": async () => ({ profiles: this.#systemProfiles.list() }),
      "sysprof.put": async (params) => nothing(this.#systemProfiles.put(params)),
      "sysprof.remove": async ({ name }) => nothing(this.#systemProfiles.remove(name)),
      "lpar.activate": (params) => nothing(lifecycle.activate(params)),
      "lpar.shutdown": (params) => nothing(lifecycle.shutdown(params)),
      "lpar.resize": (params) => dlpar.resize(params),
      "adapter.add": (params) => nothing(definitions.addAdapter(params)),
      "adapter.set": (params) => nothing(definitions.setAdapter(params)),
      "adapter.remove": (params) => nothing(definitions.removeAdapter(params)),
      "vswitch.put": async (params) => {
        definitions.putSwitch(params);
        this.#systemChanged();
        return {};
      },
      "vswitch.remove": async ({ name }) => {
        const user = hypervisor.store.lpars().find((row) => [row.definition.current, ...row.definition.profiles.map((one) => one.resources)].some((one) => one?.ethernet.some((adapter) => adapter.vswitch === name)));
        if (user) throw new OlpmError("conflict", `The virtual switch ${name} is used by partition ${user.definition.name}.`);
        hypervisor.vswitches.remove(name);
        this.#systemChanged();
        return {};
      },
      "vswitch.list": async () => ({ vswitches: this.#vswitches() }),
      "vios.command": ({ lparId, argv, admin }, { signal }) => hypervisor.vios(lparId).client.call("vios.command", { argv, admin }, { signal, deadlineMs: 120_000 }),
      "vterm.open": async ({ lparId }, { peer }) => {
        const view = hypervisor.view(lparId);
        const running = hypervisor.process(lparId);
        if (!running) throw new OlpmError("wrong-state", `The partition ${view.definition.name} has no terminal while it is ${view.definition.environment === "vioserver" ? "a Virtual I/O Server of this platform" : view.state}.`);
        return { session: await hypervisor.terminals.open(lparId, view.definition.name, running, peer) };
      },
      "vterm.write": async ({ session, data }, { peer }) => nothing(hypervisor.terminals.write(session, data, peer)),
      "vterm.close": async ({ session }, { peer }) => nothing(hypervisor.terminals.close(session, peer)),
      "vterm.closeAny": async ({ lparId }) => nothing(hypervisor.terminals.closeAny(lparId)),
      "system.fits": async ({ resources }) => {
        const available = hypervisor.available();
        const memory = resources.memory.desiredBytes <= available.memoryBytes;
        const processors = unitsOf(resources) <= available.units;
        return { memory, processors, detail: whyNotFits(resources, available)?.message ?? "" };
      },
    };
  }
}
