/**
 * One simulated host: what outlives the system process (disk, QEMU processes, Virtual I/O Servers) and the lives of that process, each with the production code of
 * src/system/migration on a hypervisor that does what src/system/hypervisor.ts does, over simulated parts.
 */
import { OlpmError } from "../kit/errors.js";
import { invariant } from "../kit/invariant.js";
import type { LparId, SlotNumber } from "../model/ids.js";
import type { LparView } from "../model/lpar.js";
import { mayRun, type Ownership, type OwnershipEvent } from "../model/ownership.js";
import type { Hypervisor, SystemEvents, ViosHandle } from "../system/contract.js";
import { createMigrations } from "../system/migration/index.js";
import type { PartitionProcess } from "../system/qemu/contract.js";
import type { LparRow, MigrationRow, Store } from "../system/store.js";
import type { SystemConfig } from "../wire/system-config.js";
import { Handle, Machine } from "./partition.js";
import { emptyDisk, SimStore, type Disk } from "./store.js";
import type { Universe } from "./universe.js";
import { SimVios } from "./vios.js";
import { Life, type World } from "./world.js";

export const STORAGE_VIOS = 1;
export const MOVER_VIOS = 2;
/** of the second pair */
export const SECOND_MOVER_VIOS = 7;

export class Host {
  readonly universe: Universe;
  readonly world: World;
  readonly name: string;
  disk: Disk = emptyDisk();
  readonly vioses: readonly SimVios[];
  readonly machines = new Map<number, Machine>();
  life: Life | undefined;
  system: SimSystem | undefined;
  powered = true;
  /** destroyed: never comes back */
  lost = false;
  /** its database was brought back from an earlier moment */
  restored = false;
  storageTrouble = 0;
  /** commits until this life crashes; 0: never */
  crashAfterCommits = 0;
  commits = 0;
  readonly #ended = new Map<string, string>();
  readonly #changedPairs = new Set<string>();

  constructor(universe: Universe, name: string) {
    this.universe = universe;
    this.world = universe.world;
    this.name = name;
    this.vioses = [new SimVios(this, STORAGE_VIOS), new SimVios(this, MOVER_VIOS), new SimVios(this, SECOND_MOVER_VIOS)];
  }

  get service(): string {
    return `system:${this.name}`;
  }

  /** Starts the system process, unless it runs or the host is off. */
  startSystem(): void {
    if (!this.powered || this.life?.alive) return;
    const life = new Life(this.world, this.name);
    this.life = life;
    this.world.say(this.name, "the system process starts");
    const system = new SimSystem(this, life);
    this.system = system;
    void system.boot().catch((error: unknown) => life.alive && this.world.violated(`the system process of ${this.name} does not start: ${String((error as Error).stack)}`));
  }
  crashSystem(why: string): void {
    if (!this.life?.alive) return;
    this.world.say(this.name, `the system process ends: ${why}`);
    this.universe.bugs.onSystemCrash?.(this);
    for (const vios of this.vioses) vios.moverListeners.clear();
    this.life.end();
  }
  powerOff(): void {
    if (!this.powered) return;
    this.world.say(this.name, "the host loses its power");
    this.powered = false;
    this.crashSystem("no power");
    for (const machine of this.machines.values()) this.universe.killed(machine);
    this.machines.clear();
    for (const vios of this.vioses) vios.crash();
  }
  powerOn(): void {
    if (this.powered || this.lost) return;
    this.powered = true;
    this.world.say(this.name, "the host is switched on");
    this.startSystem();
  }

  committed(): void {
    this.commits++;
    if (this.crashAfterCommits > 0 && --this.crashAfterCommits === 0) {
      this.world.count("fault:crash at a commit");
      this.crashSystem("killed right after a commit");
      this.world.after(this.world.skewed(100, 30_000), () => this.startSystem());
    }
  }
  /** Another database has its own history. */
  replaceDisk(disk: Disk): void {
    this.disk = disk;
    this.#ended.clear();
  }
  /** An ended record never changes its result, and is reported once. */
  migrationPut(row: MigrationRow): void {
    const { id, role, status, endedAt, takeOver } = row.record;
    if (takeOver && !this.#changedPairs.has(id)) this.world.count(`pair:taken over on the ${role}`);
    if (takeOver) this.#changedPairs.add(id);
    if (takeOver && endedAt !== null && !this.#ended.has(id)) this.world.count(`pair:taken over, then ${status} on the ${role}`);
    const before = this.#ended.get(id);
    if (endedAt === null) {
      if (before !== undefined) this.world.violated(`${this.name} opened an ended record again`);
      return;
    }
    const now = `${status} ${endedAt}`;
    if (before !== undefined && before !== now) this.world.violated(`${this.name} reported the end of a migration twice: ${before}, ${now}`);
    this.#ended.set(id, now);
  }
  kill(machine: Machine): void {
    this.universe.killed(machine);
    machine.kill();
    if (this.machines.get(machine.lparId) === machine) this.machines.delete(machine.lparId);
  }
  row(lparId: number): LparRow | undefined {
    return this.disk.lpars.get(lparId);
  }
  mayWrite(lparId: number): boolean {
    const row = this.row(lparId);
    return row !== undefined && mayRun(row.ownership as Ownership) && this.machines.has(lparId);
  }
  /** It has a process here, or is on its way to here. */
  isPresent(lparId: number): boolean {
    return this.machines.has(lparId) || this.row(lparId)?.ownership.kind === "reserved";
  }
}

/** One life of a system process. */
export class SimSystem {
  readonly #host: Host;
  readonly #life: Life;
  readonly store: Store;
  readonly #processes = new Map<number, Handle>();
  readonly #viosLost = new Set<(lparId: LparId, reason: OlpmError) => void>();
  readonly #processLost = new Set<(lparId: LparId) => void>();

  constructor(host: Host, life: Life) {
    this.#host = host;
    this.#life = life;
    this.store = new SimStore(host.disk, { alive: () => life.alive, committed: () => host.committed(), migrationPut: (row) => host.migrationPut(row), piecemeal: host.universe.bugs.piecemeal === true }) as unknown as Store;
  }

  /** Adopts what runs, starts the VIOSes that should, takes migrations up, and answers from then on: the order of src/system/main.ts. */
  async boot(): Promise<void> {
    const { world, universe } = this.#host;
    await this.#life.later(world.skewed(50, 1_500), () => undefined);
    for (const row of this.store.lpars()) {
      const machine = this.#host.machines.get(row.lparId);
      if (machine?.alive) this.#hold(row.lparId, machine);
      else {
        this.#host.machines.delete(row.lparId);
        if (row.power === "on" && mayRun(row.ownership as Ownership)) this.store.putLpar({ ...row, power: "off", failed: true });
      }
    }
    for (const vios of this.#host.vioses) if (!vios.alive) vios.start((lparId) => this.#host.mayWrite(lparId), (lparId) => this.#host.isPresent(lparId));
    const hypervisor = universe.bugs.hypervisor?.(this.#hypervisor(), this.#host) ?? this.#hypervisor();
    const migrations = createMigrations(hypervisor, {
      connect: (endpoint) => ({ client: { call: ((method: string, params: unknown, options: object) => universe.call(this.#life, this.#host.service, endpoint.name, method, params, options)) as never, on: () => () => undefined }, close: () => undefined }),
      logs: universe.logs,
      onRecovery: (row) => world.count(`row:${row}`),
      ...universe.bugs.parts,
    });
    await universe.bugs.onBoot?.(hypervisor, this.#host);
    await migrations.resume();
    const handlers = { ...migrations.handlers, ...migrations.systemHandlers, ...universe.bugs.handlers?.(hypervisor, migrations) } as unknown as Record<string, (params: unknown, context: unknown) => Promise<unknown>>;
    universe.net.serve(this.#host.service, { life: this.#life, answer: async (method, params, context) => handlers[method]!(params, context) });
    universe.systemIsUp(this.#host.name);
  }

  viosWasLost(lparId: number): void {
    for (const tell of [...this.#viosLost]) tell(lparId as LparId, new OlpmError("peer-lost", "its process ended"));
  }

  #hypervisor(): Hypervisor {
    const { store } = this;
    const host = this.#host;
    const life = this.#life;
    const row = (lparId: LparId): LparRow => {
      const found = store.lpar(lparId);
      if (!found) throw new OlpmError("not-found", `The partition with ID ${lparId} was not found.`, { hsc: "HSCL8012" });
      return found;
    };
    const hypervisor: Hypervisor = {
      config: { name: host.name, migrationsMax: 8, tls: {}, vioses: [MOVER_VIOS, SECOND_MOVER_VIOS].map((lparId) => ({ lparId, msp: true, moverConcurrentMax: 4 })) } as unknown as SystemConfig,
      store,
      log: life.log,
      clock: life.clock,
      row,
      view: (lparId) => {
        const vios = host.vioses.find((one) => one.lparId === lparId);
        const slots = (of: ReadonlyMap<number, unknown>) => [...of.keys()].map((slot) => ({ slot }));
        return vios ? ({ lparId, definition: { current: { scsi: slots(vios.adapters), fc: slots(vios.fc) } } } as unknown as LparView) : this.view(row(lparId));
      },
      own: (lparId: LparId, event: OwnershipEvent, change = (one: LparRow) => one) =>
        store.transaction(() => {
          const current = row(lparId);
          const step = host.universe.ownershipStep(current.ownership as Ownership, event);
          if (!step.ok) throw new OlpmError("wrong-state", step.why);
          if (step.changed) host.world.say(host.name, `ownership: ${event.type} -> ${step.next.kind}`);
          return store.putLpar(change({ ...current, ownership: step.next } as LparRow));
        }),
      update: (lparId, change) => store.putLpar(change(row(lparId))),
      adoptRow: (one) => {
        invariant(!store.lpar(one.lparId), "a partition ID is given once");
        store.putLpar(one);
      },
      dropRow: (lparId) => {
        invariant(!this.#processes.has(lparId), "a partition's process is gone before its definition");
        store.removeLpar(lparId);
      },
      emit: <E extends keyof SystemEvents>(event: E, payload: SystemEvents[E]) => void (event === "migration.changed" && host.universe.tellConsoles(host, payload)),
      assertFits: () => undefined,
      lowestFreeLparId: () => [3, 4, 5, 6].find((id) => !store.lpar(id)) as LparId,
      freeSlot: (viosLparId) => {
        let slot = 10;
        const vios = host.vioses.find((one) => one.lparId === viosLparId)!;
        while (vios.adapters.has(slot) || vios.fc.has(slot)) slot++;
        return slot as SlotNumber;
      },
      operation: () => undefined,
      process: (lparId) => this.#processes.get(lparId) as PartitionProcess | undefined,
      startProcess: (lparId, { incoming }) => this.#start(lparId, incoming) as unknown as Promise<PartitionProcess>,
      endProcess: (lparId) => this.#end(lparId),
      setGates: (lparId, gate) => this.#setGates(row(lparId), gate),
      hold: async () => undefined,
      unmap: async ({ viosLparId, viosSlot }) => {
        const vios = host.vioses.find((one) => one.lparId === viosLparId)!;
        if (vios.alive) await vios.client(life).call("adapter.remove", { slot: viosSlot, force: true });
        else vios.removeAdapter(viosSlot);
      },
      closeMover: async (viosLparId, id) => {
        const vios = host.vioses.find((one) => one.lparId === viosLparId);
        if (vios?.alive) await vios.client(life).call("mover.stop", { id }).catch((error: unknown) => (error instanceof OlpmError && error.code === "peer-lost" ? undefined : Promise.reject(error)));
      },
      vioses: () => host.vioses.filter((one) => one.alive).map((one) => this.#handle(one)),
      vios: (lparId) => {
        const found = host.vioses.find((one) => one.lparId === lparId);
        if (!found?.alive) throw new OlpmError("wrong-state", `The Virtual I/O Server with ID ${lparId} does not run.`, { hsc: "HSCLA246" });
        return this.#handle(found);
      },
      onViosLost: (listener) => (this.#viosLost.add(listener), () => this.#viosLost.delete(listener)),
      onProcessLost: (listener) => (this.#processLost.add(listener), () => this.#processLost.delete(listener)),
    };
    return hypervisor;
  }

  view(row: LparRow): LparView {
    const storage = this.#host.vioses.flatMap((vios) =>
      [...vios.targets.values()].filter((target) => target.wwpn === undefined && vios.adapters.get(target.slot)?.clientLparId === row.lparId).map((target) => ({ clientSlot: 2, viosLparId: vios.lparId, viosSlot: target.slot, vtd: target.vtd, lun: target.lun, lunBytes: target.lunBytes })),
    );
    const fc = this.#host.vioses.flatMap((vios) =>
      [...vios.fc].filter(([, adapter]) => adapter.clientLparId === row.lparId).map(([viosSlot, { clientSlot, wwpn }]) => ({ clientSlot, viosLparId: vios.lparId, viosSlot, vfchost: "vfchost0", port: "fcs0", wwpn, luns: [...vios.targets.values()].filter((target) => target.slot === viosSlot && target.wwpn === wwpn && wwpn !== null).map(({ vtd, lun, lunBytes }) => ({ vtd, lun, lunBytes })) })),
    );
    const running = this.#processes.has(row.lparId);
    const state = row.migrationId === null ? (running ? "running" : "not-activated") : running ? "migrating-running" : "migrating-not-activated";
    return { lparId: row.lparId, definition: row.definition, storage, fc, state, migrationId: row.migrationId, runtime: { consoleLog: `${this.#host.name}/${row.definition.uuid}` } } as unknown as LparView;
  }
  #handle(vios: SimVios): ViosHandle {
    return { lparId: vios.lparId as LparId, name: vios.name, hardware: { name: vios.name, address: vios.name } as never, nbdSocket: () => "", doors: true, client: vios.client(this.#life) };
  }

  #hold(lparId: number, machine: Machine): Handle {
    const handle = new Handle(this.#life, machine, this.#host.universe.bugs);
    this.#processes.set(lparId, handle);
    machine.onExit(() => this.#host.world.after(5, () => void (this.#life.alive && this.#processEnded(lparId as LparId, handle).catch(() => undefined))));
    return handle;
  }
  async #start(lparId: LparId, incoming: boolean): Promise<Handle> {
    invariant(!this.#processes.has(lparId), "a partition has one process");
    const { world, machines, name, universe } = this.#host;
    const machine = new Machine(world, { name: `${name}#${lparId}`, system: name, lparId, incoming, memory: 0 });
    // It is started before it answers, and lives on if we do not.
    world.after(world.skewed(1, 200), () => {
      if (!this.#host.powered || !this.#life.alive) return; // it ends with who starts it until it is on its own
      if (machines.get(lparId)?.alive) return void universe.world.violated(`${name} has two processes for one partition ID`);
      machines.set(lparId, machine);
    });
    await this.#life.later(world.skewed(220, 2_000), () => undefined);
    if (!machine.alive) throw new OlpmError("refused", "the hypervisor could not start the partition");
    return this.#hold(lparId, machine);
  }
  async #end(lparId: LparId): Promise<void> {
    const handle = this.#processes.get(lparId);
    await handle?.end();
    if (handle && this.#host.machines.get(lparId) === handle.qemu) this.#host.machines.delete(lparId);
    this.#processes.delete(lparId);
  }
  async #processEnded(lparId: LparId, handle: Handle): Promise<void> {
    if (this.#processes.get(lparId) !== handle) return;
    const row = this.store.lpar(lparId);
    await this.#end(lparId);
    if (row && mayRun(row.ownership as Ownership)) {
      await this.#setGates(row, "closed").catch(() => undefined);
      for (const { viosLparId, viosSlot } of this.view(row).fc) await this.#host.vioses.find((one) => one.alive && one.lparId === viosLparId)?.client(this.#life).call("fc.logout", { slot: viosSlot }).catch(() => undefined);
      const now = this.store.lpar(lparId);
      if (now) this.store.putLpar({ ...now, power: "off", failed: true });
    }
    for (const tell of [...this.#processLost]) tell(lparId);
  }
  async #setGates(row: LparRow, gate: "open" | "closed"): Promise<void> {
    const { ownership } = row;
    invariant(gate === "closed" || mayRun(ownership as Ownership) || ownership.kind === "reserved", "storage is opened for its owner, or for who is taking the partition over");
    const { storage, fc } = this.view(row);
    const mappings = [...storage, ...fc.flatMap(({ viosLparId, luns }) => luns.map(({ vtd }) => ({ viosLparId, vtd })))];
    await Promise.all(
      this.#host.vioses.map(async (vios) => {
        const names = mappings.filter((one) => one.viosLparId === vios.lparId).map((one) => one.vtd);
        if (names.length > 0 && vios.alive) await vios.client(this.#life).call("storage.gate", { names, gate }, { deadlineMs: 10_000 });
      }),
    );
  }
}
