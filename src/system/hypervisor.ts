/**
 * The partitions of this system: their rows (the durable truth), their processes, their networks and their Virtual I/O Servers, held together. It answers
 * what is, and changes one thing at a time; what an operator asks for is made of these in lifecycle.ts, definitions.ts and migration/.
 */
import { EventEmitter } from "node:events";
import fs from "node:fs";
import path from "node:path";
import { realClock } from "../kit/clock.js";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import { invariant } from "../kit/invariant.js";
import type { Logger } from "../kit/log.js";
import { Turns } from "../kit/turns.js";
import { until } from "../kit/wait.js";
import type { LparId, MigrationId, SlotNumber } from "../model/ids.js";
import { LparId as LparIdSchema, SlotNumber as SlotSchema } from "../model/ids.js";
import type { LparView, ResourceConfig } from "../model/lpar.js";
import { mayRun, ownershipStep, type OwnershipEvent } from "../model/ownership.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { ViosDevices } from "../wire/system-vios.js";
import { free, whyNotFits, type Capacity } from "./accounting.js";
import type { Hypervisor, SystemEvents, ViosHandle } from "./contract.js";
import { layoutOf } from "./dlpar-plan.js";
import { GuestWatcher } from "./guests.js";
import { Holds, type HoldPoint } from "./hold.js";
import { logoutFc } from "./fibre-channel.js";
import { devicesOf, fcOf, mayWrite, storageOf, withGates, withLogins, type Device } from "./mappings.js";
import { Network, type Trunk } from "./network.js";
import type { Accelerator } from "./qemu/accelerator.js";
import { partitionAccount } from "./qemu/confine.js";
import type { PartitionProcess, PartitionSpec, ProcessFactory } from "./qemu/contract.js";
import { synchronised } from "./synchronised.js";
import type { LparRow, Store } from "./store.js";
import { Terminals } from "./terminals.js";
import { Operations } from "./operations.js";
import { lparView, type LparFacts } from "./views.js";
import { trunkInterface, ViosSupervisor } from "./vioses.js";
import { VirtualSwitches } from "./vswitches.js";

/** Partitions that one system can have. */
export const LPARS_MAX = 256;
/** Opening or closing a gate takes milliseconds; a SAN that does not answer gets this long. */
const GATE_MS_MAX = 10_000;
const MOVER_STOP_MS_MAX = 5_000;
/** A little more than the supervisor gives a start. */
const VIOS_START_MS_MAX = 70_000;

export interface HypervisorOptions {
  readonly config: SystemConfig;
  readonly store: Store;
  readonly log: Logger;
  readonly factory: ProcessFactory;
  readonly accelerator: Accelerator;
}

export class SystemHypervisor implements Hypervisor {
  readonly config: SystemConfig;
  readonly store: Store;
  readonly log: Logger;
  readonly clock = realClock;
  readonly #faultHolds: Holds;
  readonly network: Network;
  readonly vswitches: VirtualSwitches;
  readonly supervisor: ViosSupervisor;
  readonly guests: GuestWatcher;
  readonly terminals: Terminals;
  readonly accelerator: Accelerator;
  readonly operations = new Operations();
  readonly #factory: ProcessFactory;
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #processes = new Map<LparId, PartitionProcess>();
  readonly #transitions = new Map<LparId, "starting" | "shutting-down">();
  readonly #bootModes = new Map<LparId, string>();
  readonly #revisions = new Map<LparId, number>();
  readonly #dirty = new Set<LparId>();
  /** what was asked for last, while this process lives: a Virtual I/O Server that starts or comes back meanwhile must do neither more nor less */
  readonly #gates = new Map<LparId, "open" | "closed">();
  /** changes of gates, one after the other for each Virtual I/O Server */
  readonly #gateTurns = new Turns();
  /** live processes in a partition's place that are not the partition's */
  readonly #strangers = new Map<LparId, PartitionProcess>();
  /** begins above every revision of an earlier process of this system */
  #revision = Date.now();

  constructor(options: HypervisorOptions) {
    this.config = options.config;
    this.store = options.store;
    this.log = options.log;
    this.accelerator = options.accelerator;
    this.#factory = options.factory;
    this.#faultHolds = new Holds(options.config.holdDir, options.log);
    this.network = new Network(options.config.namespace, options.log);
    this.vswitches = new VirtualSwitches(options.store, options.config.vswitches);
    this.guests = new GuestWatcher((lparId) => this.touch(lparId));
    this.terminals = new Terminals((lparId) => this.touch(lparId));
    this.supervisor = new ViosSupervisor(options.config, options.log, {
      devicesChanged: (lparId, devices) => this.#devicesChanged(lparId, devices),
      reconnected: (lparId, reason) => void this.#viosBack(lparId, reason),
      lost: (lparId, reason) => void this.#viosLost(lparId, reason),
    });
  }

  // What is.

  row(lparId: LparId): LparRow {
    const row = this.store.lpar(lparId);
    if (!row) throw new OlpmError("not-found", `The partition with ID ${lparId} was not found.`, { hsc: "HSCL8012" });
    return row;
  }
  view(lparId: LparId): LparView {
    return this.#viewOf(this.row(lparId), this.store.lpars());
  }
  views(): LparView[] {
    const rows = this.store.lpars();
    return rows.map((row) => this.#viewOf(row, rows));
  }
  /** Target devices of a partition, of virtual SCSI and Fibre Channel. */
  devices(row: LparRow): Device[] {
    return devicesOf(row, this.#viosRows());
  }
  process(lparId: LparId): PartitionProcess | undefined {
    return this.#processes.get(lparId);
  }
  vioses(): ViosHandle[] {
    return this.supervisor.handles();
  }
  vios(lparId: LparId): ViosHandle {
    const handle = this.supervisor.get(lparId);
    if (handle) return handle;
    const name = this.store.lpar(lparId)?.definition.name ?? `with ID ${lparId}`;
    throw new OlpmError("wrong-state", `The Virtual I/O Server ${name} on ${this.config.name} does not run.`, { hsc: "HSCLA246", action: `Activate it with chsysstate -m ${this.config.name} -r lpar -o on -n ${name}.` });
  }
  capacity(): Capacity {
    return { memoryBytes: this.config.memoryBytes, units: this.config.processors * 100 };
  }
  /** What is left beside partitions that run, are reserved, or still hold their memory after a hand-over. */
  available(except?: LparId): Capacity {
    const holders = this.store.lpars().filter((row) => row.lparId !== except && this.#holds(row));
    return free(this.capacity(), holders.flatMap((row) => (row.definition.current ? [{ resources: row.definition.current }] : [])));
  }
  assertFits(resources: ResourceConfig, except?: LparId): void {
    const error = whyNotFits(resources, this.available(except));
    if (error) throw error;
  }
  lowestFreeLparId(): LparId {
    const taken = new Set<number>([...this.store.lpars().map((row) => row.lparId), ...this.#strangers.keys()]);
    for (let id = 1; id <= LPARS_MAX; id++) if (!taken.has(id)) return LparIdSchema.parse(id);
    throw new OlpmError("limit-reached", `${this.config.name} has ${LPARS_MAX} partitions, its limit.`);
  }
  freeSlot(viosLparId: LparId): SlotNumber {
    const row = this.row(viosLparId);
    const taken = new Set<number>([0, 1, ...[...(row.devices?.adapters ?? []), ...(row.devices?.fc ?? [])].map((adapter) => adapter.slot), ...(row.definition.current?.ethernet ?? []).map((adapter) => adapter.slot)]);
    // From 10 on, as administrators do: the low ones are left for the VIOS's own adapters.
    let slot = 10;
    while (taken.has(slot)) slot++;
    return SlotSchema.parse(slot);
  }
  consoleLog(uuid: string): string {
    return path.join(this.config.stateDir, "console", `${uuid}.log`);
  }

  hold(point: HoldPoint): Promise<void> {
    return this.#faultHolds.at(point);
  }

  // Changes of rows.

  own(lparId: LparId, event: OwnershipEvent, change: (row: LparRow) => LparRow = (row) => row): LparRow {
    return this.store.transaction(() => {
      const row = this.row(lparId);
      const step = ownershipStep(row.ownership, event);
      if (!step.ok) throw new OlpmError("wrong-state", `partition ${row.definition.name}: ${step.why}`);
      const next = this.store.putLpar(change({ ...row, ownership: step.next }));
      if (step.changed) this.log.info({ lpar: row.definition.name, event: event.type, ownership: step.next }, "ownership changed");
      this.#changed(next);
      const process = this.#processes.get(lparId);
      if (event.type === "own" && process) this.guests.watch(lparId, process);
      return next;
    });
  }
  update(lparId: LparId, change: (row: LparRow) => LparRow): LparRow {
    const before = this.row(lparId);
    const next = this.store.putLpar(synchronised(before, change(before)));
    this.#changed(next);
    return next;
  }
  adoptRow(row: LparRow): void {
    invariant(!this.store.lpar(row.lparId), "a partition ID is given once");
    this.#changed(this.store.putLpar(row));
  }
  dropRow(lparId: LparId): void {
    invariant(!this.#processes.has(lparId), "a partition's process is gone before its definition");
    this.store.removeLpar(lparId);
    this.guests.forget(lparId);
    this.#dirty.delete(lparId);
    this.#gates.delete(lparId);
    this.emit("lpar.removed", { lparId, revision: ++this.#revision });
    this.#revisions.delete(lparId);
    this.emit("system.changed", {});
  }
  emit<E extends keyof SystemEvents>(event: E, payload: SystemEvents[E]): void {
    this.#events.emit(event, payload);
  }
  on<E extends keyof SystemEvents>(event: E, listener: (payload: SystemEvents[E]) => void): () => void {
    this.#events.on(event, listener);
    return () => this.#events.off(event, listener);
  }
  /** Something beside the row changed: consoles are told. */
  touch(lparId: LparId): void {
    const row = this.store.lpar(lparId);
    if (row) this.#changed(row);
  }
  setTransition(lparId: LparId, transition: "starting" | "shutting-down" | null): void {
    if (transition === null) this.#transitions.delete(lparId);
    else this.#transitions.set(lparId, transition);
    this.touch(lparId);
  }

  // Processes.

  /** @throws OlpmError conflict: a live process of another partition has this ID's run directory and interfaces (see adoptProcesses) */
  assertPlaceFree(lparId: LparId): void {
    const stranger = this.#strangers.get(lparId);
    if (stranger) throw new OlpmError("conflict", `The place of partition ID ${lparId} is taken by a process of another partition, ${stranger.spec.name} (process ${stranger.pid}).`, { action: `Find out whether ${stranger.spec.name} is needed; end its process, then try again.` });
  }

  async startProcess(lparId: LparId, options: { readonly incoming: boolean; readonly bootMode?: string }): Promise<PartitionProcess> {
    invariant(!this.#processes.has(lparId), "a partition has one process");
    const row = this.row(lparId);
    this.assertPlaceFree(lparId);
    const resources = row.definition.current;
    invariant(resources, "a partition that is started has a current configuration");
    const nics = [];
    for (const adapter of resources.ethernet) {
      invariant(adapter.mac, "an adapter of a current configuration has its address");
      nics.push({ slot: adapter.slot, mac: adapter.mac, tap: await this.network.plug(lparId, adapter.slot, this.vswitches.get(adapter.vswitch).id, adapter.portVlanId, partitionAccount()?.uid ?? 0) });
    }
    const bootMode = options.bootMode ?? resources.bootMode;
    try {
      const process = await this.#factory.start({ ...this.#specOf(row, resources, bootMode), nics, incoming: options.incoming });
      this.#hold(lparId, process, bootMode);
      return process;
    } catch (error) {
      await this.network.unplug(lparId, resources.ethernet.map((adapter) => adapter.slot));
      throw error;
    }
  }

  async endProcess(lparId: LparId): Promise<void> {
    const process = this.#processes.get(lparId);
    this.terminals.closeAny(lparId);
    this.guests.forget(lparId);
    await process?.end();
    this.#processes.delete(lparId);
    const row = this.store.lpar(lparId);
    if (!this.#strangers.has(lparId)) await this.network.unplug(lparId, (row?.definition.current?.ethernet ?? []).map((adapter) => adapter.slot));
    if (row) this.#changed(row);
  }

  async setGates(lparId: LparId, gate: "open" | "closed"): Promise<void> {
    const row = this.row(lparId);
    invariant(gate === "closed" || mayRun(row.ownership) || row.ownership.kind === "reserved", "storage is opened for its owner, or for who is taking the partition over");
    this.#gates.set(lparId, gate);
    const byVios = new Map<LparId, string[]>();
    for (const { viosLparId, vtd } of this.devices(row)) byVios.set(viosLparId, [...(byVios.get(viosLparId) ?? []), vtd]);
    await Promise.all(
      [...byVios].map(async ([viosLparId, names]) => {
        // A VIOS that does not run writes nothing; it starts with the gates that are right then.
        const done = await this.#gateTurns.take(String(viosLparId), () => this.#sendGates(viosLparId, names, gate));
        if (!done && gate === "open") this.log.warn({ lpar: row.definition.name, viosLparId }, "a Virtual I/O Server of the partition does not run; the partition waits for it");
      }),
    );
  }

  async unmap({ viosLparId, viosSlot }: { readonly viosLparId: LparId; readonly viosSlot: SlotNumber }): Promise<void> {
    for (;;) {
      await until(() => (this.#transitions.get(viosLparId) === "starting" ? undefined : true), { what: "the start of a Virtual I/O Server", deadlineMs: VIOS_START_MS_MAX });
      const vios = this.supervisor.get(viosLparId);
      if (!vios) break;
      try {
        await vios.client.call("adapter.remove", { slot: viosSlot, force: true });
        return;
      } catch (error) {
        if (!isLost(error)) throw error;
        await until(() => (this.supervisor.get(viosLparId) === vios ? undefined : true), { what: "the end of a Virtual I/O Server", deadlineMs: VIOS_START_MS_MAX });
      }
    }
    // It starts with the list that is kept here.
    this.update(viosLparId, (row) => (row.devices === null ? row : { ...row, devices: withoutSlot(row.devices, viosSlot) }));
  }

  async closeMover(viosLparId: LparId | null, id: MigrationId, reason?: string): Promise<void> {
    const vios = viosLparId === null ? undefined : this.supervisor.get(viosLparId);
    await vios?.client.call("mover.stop", { id, ...(reason === undefined ? {} : { reason }) }, { deadlineMs: MOVER_STOP_MS_MAX }).catch((error: unknown) => {
      if (!isLost(error) && toOlpmError(error, "").code !== "timeout") throw error;
      this.log.warn({ err: error, vios: vios.name, migration_id: id }, "a mover could not be closed: its Virtual I/O Server is gone or does not answer");
    });
  }

  onViosLost(listener: (lparId: LparId, reason: OlpmError) => void): () => void {
    this.#events.on("vios.lost", listener);
    return () => this.#events.off("vios.lost", listener);
  }
  /** An operator shuts a VIOS down: to a migration that uses it, that is its loss. */
  viosEnds(lparId: LparId): void {
    this.#events.emit("vios.lost", lparId, new OlpmError("peer-lost", "an operator shut it down"));
  }
  /** the operating system gave memory back after nobody waited for it any more */
  onMachineChanged(listener: (lparId: LparId) => void): () => void {
    this.#events.on("machine.changed", listener);
    return () => this.#events.off("machine.changed", listener);
  }
  /** An operation that is under way, or a request to the operating system that it has not answered: the partition must not be moved meanwhile. */
  operation(lparId: LparId): string | undefined {
    return this.operations.of(lparId) ?? ((this.#processes.get(lparId)?.removalsOpen ?? 0) > 0 ? "removal of memory or processors" : undefined);
  }
  onProcessLost(listener: (lparId: LparId) => void): () => void {
    this.#events.on("process.lost", listener);
    return () => this.#events.off("process.lost", listener);
  }

  /** Finds the processes of an earlier system process again; what died meanwhile is marked so. What is in the way of one partition holds up no other. */
  async adoptProcesses(): Promise<void> {
    const rows = this.store.lpars();
    const clients = rows.filter((one) => one.definition.environment !== "vioserver").map((row) => ({ lparId: row.lparId, row }));
    // An old database that was brought back may lack a partition that runs.
    const places = fs.readdirSync(this.config.runDir).flatMap((name) => /^p([1-9]\d*)$/.exec(name)?.[1] ?? []).map(Number);
    const unknown = places.filter((id) => id <= LPARS_MAX && !rows.some((row) => row.lparId === id)).map((id) => ({ lparId: LparIdSchema.parse(id), row: undefined }));
    for (const { lparId, row } of [...clients, ...unknown]) await this.#adoptProcess(lparId, row).catch((error: unknown) => this.log.error({ err: error, lparId, lpar: row?.definition.name }, "a partition's process could not be adopted"));
  }
  async #adoptProcess(lparId: LparId, row: LparRow | undefined): Promise<void> {
    const process = await this.#factory.adopt(this.#runDir(lparId));
    if (process && row && process.spec.uuid === row.definition.uuid) {
      this.#hold(lparId, process, process.spec.bootMode);
      if (mayRun(row.ownership) && row.migrationId === null) this.guests.watch(lparId, process);
      this.log.info({ lpar: row.definition.name, pid: process.pid }, "partition adopted");
      return;
    }
    if (process) {
      // After an old database was brought back the ID may be another partition's, or nobody's. The process and its interfaces are not ours to touch.
      this.#strangers.set(lparId, process);
      process.on("exit", () => this.#strangers.delete(lparId));
      this.log.error({ lpar: row?.definition.name, uuid: row?.definition.uuid, lparId, found: { name: process.spec.name, uuid: process.spec.uuid, pid: process.pid } }, "a process of another partition is in a partition's place");
    }
    if (row?.power === "on" && mayRun(row.ownership)) {
      if (!process) {
        this.log.error({ lpar: row.definition.name }, "the partition's process ended while the managed system's process was away");
        await this.network.unplug(lparId, (row.definition.current?.ethernet ?? []).map((adapter) => adapter.slot));
      }
      this.update(lparId, (now) => ({ ...now, power: "off", failed: true }));
    }
  }

  // Virtual I/O Servers: started and stopped by lifecycle.ts.

  /** Device list for a start of a VIOS, gates as ownership says now. */
  devicesFor(viosLparId: LparId): ViosDevices {
    const row = this.row(viosLparId);
    const clients = this.store.lpars().map((client) => ({ storage: this.devices(client), mayWrite: mayWrite(client, this.#gates.get(client.lparId)), present: this.#processes.has(client.lparId) || client.ownership.kind === "reserved" }));
    return withGates(viosLparId, withLogins(viosLparId, row.devices ?? { disks: [], adapters: [], targets: [], fc: [] }, clients), clients);
  }
  /** Sets the gates of a Virtual I/O Server as they should be now, which may have changed while it started or could not be reached. */
  async settleGates(viosLparId: LparId): Promise<void> {
    await this.#gateTurns.take(String(viosLparId), async () => {
      for (const gate of ["closed", "open"] as const) {
        const names = this.devicesFor(viosLparId).targets.filter((target) => target.gate === gate).map((target) => target.name);
        if (names.length > 0) await this.#sendGates(viosLparId, names, gate);
      }
    });
  }
  /** False: it does not run, or ended meanwhile. In its turn only. */
  async #sendGates(viosLparId: LparId, names: string[], gate: "open" | "closed"): Promise<boolean> {
    const vios = this.supervisor.get(viosLparId);
    if (!vios) return false;
    return vios.client.call("storage.gate", { names, gate }, { deadlineMs: GATE_MS_MAX }).then(() => true, (error: unknown) => (isLost(error) ? false : Promise.reject(toOlpmError(error, "setting gates"))));
  }
  /** All trunks of the system whose VIOS runs; the one with the lowest priority of each VLAN is made the active one. */
  async arrangeTrunks(): Promise<void> {
    const trunks = this.vioses().map((vios) => this.trunkOf(vios.lparId));
    const vlans = new Map<string, Trunk[]>();
    for (const trunk of trunks) vlans.set(`${trunk.vswitchId}/${trunk.vlanId}`, [...(vlans.get(`${trunk.vswitchId}/${trunk.vlanId}`) ?? []), trunk]);
    for (const group of vlans.values()) await this.network.activate(group, activeTrunk(group)?.lparId);
    // The LAN learns the new way from the partitions themselves, but those that are silent are announced.
    for (const process of this.#processes.values()) if (!process.spec.incoming || this.guests.news(LparIdSchema.parse(process.spec.lparId)).rmc === "active") await process.announce().catch(() => undefined);
    this.emit("system.changed", {});
  }
  trunkOf(viosLparId: LparId): Trunk {
    const hardware = this.config.vioses.find((one) => one.lparId === viosLparId);
    invariant(hardware, "a Virtual I/O Server has its hardware in the configuration");
    const { sea } = hardware;
    return { lparId: viosLparId, vswitchId: this.vswitches.get(sea.vswitch).id, vlanId: sea.vlanIds[0] ?? 1, priority: sea.trunkPriority, namespace: hardware.namespace, remoteName: trunkInterface(0) };
  }

  /** Lets go of everything that outlives this process. */
  close(): void {
    this.guests.close();
    this.supervisor.close();
  }

  #specOf(row: LparRow, resources: ResourceConfig, bootMode: string): Omit<PartitionSpec, "nics" | "incoming"> {
    const { proc, memory } = resources;
    const [layout, limits] = [layoutOf(resources, row.definition.layout), limitsOf(resources)];
    const units = new Map<number, number>();
    const disks = this.devices(row).flatMap((mapping) => {
      const vios = this.supervisor.get(mapping.viosLparId);
      if (!vios) return [];
      const unit = units.get(mapping.clientSlot) ?? 0;
      units.set(mapping.clientSlot, unit + 1);
      return [{ slot: mapping.clientSlot, unit, nbdSocket: vios.nbdSocket, exportName: mapping.vtd }];
    });
    return {
      lparId: row.lparId,
      name: row.definition.name,
      uuid: row.definition.uuid,
      dir: this.#runDir(row.lparId),
      namespace: this.config.namespace,
      accelerator: this.accelerator.accelerator,
      memoryBytes: layout.bootBytes,
      memoryDevices: layout.memory,
      maxMemoryBytes: memory.maxBytes,
      procs: layout.cores,
      maxProcs: proc.maxProcs,
      capUnits: limits.units,
      weight: limits.weight,
      compatMode: resources.compatMode,
      kernel: this.config.image.kernel,
      initrd: this.config.image.initrd,
      bootMode,
      disks,
      consoleLog: this.consoleLog(row.definition.uuid),
    };
  }
  #runDir(lparId: LparId): string {
    return path.join(this.config.runDir, `p${lparId}`);
  }

  #hold(lparId: LparId, process: PartitionProcess, bootMode: string): void {
    this.#processes.set(lparId, process);
    this.#bootModes.set(lparId, bootMode);
    let asked = false;
    process.on("guest", (what) => {
      if (what === "shutdown") asked = true;
      if (what === "reset") this.guests.restarted(lparId);
    });
    process.on("machine", () => void this.#events.emit("machine.changed", lparId));
    process.on("exit", ({ stderr }) => void this.#processEnded(lparId, process, asked, stderr));
    this.touch(lparId);
  }

  /** A process ended that we did not end: the operating system powered off, or something killed it. */
  async #processEnded(lparId: LparId, process: PartitionProcess, asked: boolean, stderr: string): Promise<void> {
    if (this.#processes.get(lparId) !== process) return;
    const row = this.store.lpar(lparId);
    if (asked) this.log.info({ lpar: row?.definition.name }, "the operating system powered the partition off");
    else this.log.error({ lpar: row?.definition.name, stderr }, "the partition's process ended unexpectedly");
    await this.endProcess(lparId).catch((error: unknown) => this.log.error({ err: error }, "cleaning up after a partition's process failed"));
    this.#transitions.delete(lparId);
    if (row && mayRun(row.ownership)) {
      await this.setGates(lparId, "closed").catch((error: unknown) => this.log.warn({ err: error }, "closing the gates of a partition that ended failed"));
      await logoutFc(this, lparId);
      this.update(lparId, (now) => ({ ...now, power: "off", failed: !asked }));
    }
    this.#events.emit("process.lost", lparId);
  }

  #devicesChanged(lparId: LparId, devices: ViosDevices): void {
    this.store.transaction(() => {
      const row = this.store.lpar(lparId);
      if (row && JSON.stringify(row.devices) !== JSON.stringify(devices)) this.update(lparId, (now) => ({ ...now, devices }));
    });
    // The clients' storage is read from this list.
    for (const row of this.store.lpars()) if (row.definition.environment !== "vioserver") this.#changed(row);
  }

  /** It was out of reach and answers again: its gates are set as they should be now; a migration that missed its news does not go on with it. */
  async #viosBack(lparId: LparId, reason: OlpmError): Promise<void> {
    this.#events.emit("vios.lost", lparId, reason);
    await this.settleGates(lparId).catch((error: unknown) => this.log.error({ err: error, viosLparId: lparId }, "the gates of a Virtual I/O Server could not be put right"));
  }

  async #viosLost(lparId: LparId, reason: OlpmError): Promise<void> {
    this.log.error({ vios: this.store.lpar(lparId)?.definition.name, err: reason }, "a Virtual I/O Server was lost");
    const { vlanId } = this.trunkOf(lparId);
    this.update(lparId, (row) => ({ ...row, power: "off", failed: true }));
    this.#events.emit("vios.lost", lparId, reason);
    try {
      await this.network.removeTrunk(lparId, vlanId);
      await this.arrangeTrunks();
    } catch (error) {
      this.log.error({ err: toOlpmError(error, "rearranging the trunks") }, "the network could not be put right after the loss of a Virtual I/O Server");
    }
  }

  /** Tells the consoles at the end of this turn, so that what belongs together (row and migration record) is shown together. */
  #changed(row: LparRow): void {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#tell());
    this.#dirty.add(row.lparId);
  }
  #tell(): void {
    const rows = this.store.lpars();
    const told = rows.filter((row) => this.#dirty.has(row.lparId));
    this.#dirty.clear();
    for (const row of told) {
      this.#revisions.set(row.lparId, ++this.#revision);
      this.emit("lpar.changed", this.#viewOf(row, rows));
    }
    this.emit("system.changed", {});
  }
  #viewOf(row: LparRow, rows: readonly LparRow[]): LparView {
    const hardware = row.definition.environment === "vioserver" ? this.config.vioses.find((one) => one.lparId === row.lparId) : undefined;
    const migration = row.migrationId === null ? undefined : this.store.migration(row.migrationId);
    const facts: LparFacts = {
      revision: this.#revisions.get(row.lparId) ?? this.#revision,
      processPid: hardware ? this.supervisor.pid(row.lparId) : (this.#processes.get(row.lparId)?.pid ?? null),
      transition: this.#transitions.get(row.lparId) ?? null,
      migrationType: migration && migration.record.endedAt === null ? migration.record.type : null,
      bootMode: this.#bootModes.get(row.lparId) ?? "norm",
      guest: this.guests.news(row.lparId),
      vtermOpen: this.terminals.isOpen(row.lparId),
      consoleLog: hardware ? path.join(this.config.stateDir, "logs", `${row.definition.name}.log`) : this.consoleLog(row.definition.uuid),
      hardware,
      storage: storageOf(row, viosRows(rows)),
      fc: fcOf(row, viosRows(rows)),
    };
    return lparView(row, facts);
  }
  #viosRows() {
    return viosRows(this.store.lpars());
  }
  /** True when the partition's memory and processors are taken here now. */
  #holds(row: LparRow): boolean {
    if (row.definition.environment === "vioserver") return this.supervisor.get(row.lparId) !== undefined || this.#transitions.has(row.lparId);
    return row.ownership.kind === "reserved" || row.power === "on" || this.#processes.has(row.lparId);
  }
}

/** What the processor group of a partition enforces; units null: as much as others leave. */
export const limitsOf = ({ proc }: ResourceConfig): { readonly units: number | null; readonly weight: number } => ({ units: proc.mode === "ded" ? proc.desiredProcs * 100 : proc.sharingMode === "cap" ? proc.desiredUnits : null, weight: proc.uncapWeight });
/** The process at the other end is gone, or going: what it held is gone with it. */
const isLost = (error: unknown): boolean => {
  const { code, reportedBy } = toOlpmError(error, "");
  return reportedBy === undefined && (code === "peer-lost" || code === "aborted");
};

/** The devices of a Virtual I/O Server without the server adapter of a slot and what is behind it. */
const withoutSlot = (devices: ViosDevices, slot: SlotNumber): ViosDevices => ({ ...devices, adapters: devices.adapters.filter((one) => one.slot !== slot), fc: devices.fc.filter((one) => one.slot !== slot), targets: devices.targets.filter((one) => one.slot !== slot) });

export const activeTrunk = (group: readonly Trunk[]): Trunk | undefined => [...group].sort((a, b) => a.priority - b.priority || a.lparId - b.lparId)[0];
const viosRows = (rows: readonly LparRow[]) => rows.flatMap((row) => (row.devices ? [{ lparId: row.lparId, devices: row.devices }] : []));
