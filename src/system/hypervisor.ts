/**
 * The partitions of this system: their rows (the durable truth), their processes (processes.ts), the gates of their LUNs (gates.ts), their networks and their
 * Virtual I/O Servers, held together. It answers what is, and changes one thing at a time; what an operator asks for is made of these in lifecycle.ts,
 * definitions.ts and migration/.
 */
import { EventEmitter } from "node:events";
import path from "node:path";
import { realClock } from "../kit/clock.js";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import { invariant } from "../kit/invariant.js";
import type { Logger } from "../kit/log.js";
import { until } from "../kit/wait.js";
import type { LparId, MigrationId, SlotNumber } from "../model/ids.js";
import { LparId as LparIdSchema, SlotNumber as SlotSchema } from "../model/ids.js";
import type { LparView, ResourceConfig } from "../model/lpar.js";
import { ownershipStep, type OwnershipEvent } from "../model/ownership.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { ViosDevices } from "../wire/system-vios.js";
import { free, LPARS_MAX, whyNotFits, type Capacity } from "./accounting.js";
import type { Hypervisor, SystemEvents, ViosHandle } from "./contract.js";
import { Gates } from "./gates.js";
import { GuestWatcher } from "./guests.js";
import { Holds, type HoldPoint } from "./hold.js";
import { devicesOf, fcOf, storageOf, type Device } from "./mappings.js";
import { Network } from "./network.js";
import { News } from "./news.js";
import { Processes, type StartOptions } from "./processes.js";
import type { Accelerator } from "./qemu/accelerator.js";
import type { PartitionProcess, ProcessFactory } from "./qemu/contract.js";
import { synchronised } from "./synchronised.js";
import type { LparRow, Store } from "./store.js";
import { Terminals } from "./terminals.js";
import { Operations } from "./operations.js";
import { lparView, type LparFacts } from "./views.js";
import { arrangeTrunks, trunksOf } from "./trunks.js";
import { isLost, ViosSupervisor } from "./vioses.js";
import { VirtualSwitches } from "./vswitches.js";

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
  readonly processes: Processes;
  readonly gates = new Gates(this);
  readonly #news = new News(this);
  /** between the rooms of this process; what consoles hear is #news */
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #transitions = new Map<LparId, "starting" | "shutting-down">();

  constructor(options: HypervisorOptions) {
    this.config = options.config;
    this.store = options.store;
    this.log = options.log;
    this.accelerator = options.accelerator;
    this.processes = new Processes(this, options.factory);
    this.#faultHolds = new Holds(options.config.holdDir, options.log);
    this.network = new Network({ namespace: options.config.namespace, vlanProgram: path.join(options.config.nativeDir, "vlan") }, options.log);
    this.vswitches = new VirtualSwitches(options.store, options.config.vswitches, options.config.vioses.flatMap((vios) => vios.sea.map((one) => one.vswitch)));
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
    return this.viewOf(this.row(lparId), this.store.lpars());
  }
  views(): LparView[] {
    const rows = this.store.lpars();
    return rows.map((row) => this.viewOf(row, rows));
  }
  /** As `view`, among rows that were read already. */
  viewOf(row: LparRow, rows: readonly LparRow[]): LparView {
    const hardware = row.definition.environment === "vioserver" ? this.config.vioses.find((one) => one.lparId === row.lparId) : undefined;
    const migration = row.migrationId === null ? undefined : this.store.migration(row.migrationId);
    const facts: LparFacts = {
      revision: this.#news.revision(row.lparId),
      processPid: hardware ? this.supervisor.pid(row.lparId) : (this.process(row.lparId)?.pid ?? null),
      transition: this.#transitions.get(row.lparId) ?? null,
      migrationType: migration && migration.record.endedAt === null ? migration.record.type : null,
      bootMode: this.processes.bootMode(row.lparId),
      guest: this.guests.news(row.lparId),
      vtermOpen: this.terminals.isOpen(row.lparId),
      consoleLog: hardware ? path.join(this.config.stateDir, "logs", `${row.definition.name}.log`) : this.consoleLog(row.definition.uuid),
      hardware,
      heldBack: this.store.heldBack().includes(row.definition.uuid),
      storage: storageOf(row, viosRows(rows)),
      fc: fcOf(row, viosRows(rows)),
    };
    return lparView(row, facts);
  }
  /** Target devices of a partition, of virtual SCSI and Fibre Channel. */
  devices(row: LparRow): Device[] {
    return devicesOf(row, this.#viosRows());
  }
  process(lparId: LparId): PartitionProcess | undefined {
    return this.processes.get(lparId);
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
    const taken = new Set<number>([...this.store.lpars().map((row) => row.lparId), ...this.processes.placesTaken()]);
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
      this.#news.changed(next);
      const process = this.process(lparId);
      if (event.type === "own" && process) this.guests.watch(lparId, process);
      return next;
    });
  }
  update(lparId: LparId, change: (row: LparRow) => LparRow): LparRow {
    const before = this.row(lparId);
    const next = this.store.putLpar(synchronised(before, change(before)));
    this.#news.changed(next);
    return next;
  }
  adoptRow(row: LparRow): void {
    invariant(!this.store.lpar(row.lparId), "a partition ID is given once");
    this.#news.changed(this.store.putLpar(row));
  }
  dropRow(lparId: LparId): void {
    invariant(!this.process(lparId), "a partition's process is gone before its definition");
    this.store.removeLpar(lparId);
    this.guests.forget(lparId);
    this.gates.forget(lparId);
    this.#news.removed(lparId);
  }
  emit<E extends keyof SystemEvents>(event: E, payload: SystemEvents[E]): void {
    this.#news.emit(event, payload);
  }
  on<E extends keyof SystemEvents>(event: E, listener: (payload: SystemEvents[E]) => void): () => void {
    return this.#news.on(event, listener);
  }
  /** Something beside the row changed: consoles are told. */
  touch(lparId: LparId): void {
    const row = this.store.lpar(lparId);
    if (row) this.#news.changed(row);
  }
  setTransition(lparId: LparId, transition: "starting" | "shutting-down" | null): void {
    if (transition === null) this.#transitions.delete(lparId);
    else this.#transitions.set(lparId, transition);
    this.touch(lparId);
  }

  // Processes.

  startProcess(lparId: LparId, options: StartOptions): Promise<PartitionProcess> {
    return this.processes.start(lparId, options);
  }
  endProcess(lparId: LparId): Promise<void> {
    return this.processes.end(lparId);
  }

  setGates(lparId: LparId, gate: "open" | "closed"): Promise<void> {
    return this.gates.set(lparId, gate);
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
  /** News of processes.ts for whoever listens below. */
  machineChanged(lparId: LparId): void {
    this.#events.emit("machine.changed", lparId);
  }
  guestRestarted(lparId: LparId): void {
    this.guests.restarted(lparId);
    this.#events.emit("guest.restarted", lparId);
  }
  processLost(lparId: LparId): void {
    this.#events.emit("process.lost", lparId);
  }
  /** the operating system gave memory back after nobody waited for it any more */
  onMachineChanged(listener: (lparId: LparId) => void): () => void {
    this.#events.on("machine.changed", listener);
    return () => this.#events.off("machine.changed", listener);
  }
  /** the operating system of a partition starts anew in the same machine */
  onGuestRestarted(listener: (lparId: LparId) => void): () => void {
    this.#events.on("guest.restarted", listener);
    return () => this.#events.off("guest.restarted", listener);
  }
  /** An operation that is under way, or a request to the operating system that it has not answered: the partition must not be moved meanwhile. */
  operation(lparId: LparId): string | undefined {
    return this.operations.of(lparId) ?? ((this.process(lparId)?.removalsOpen ?? 0) > 0 ? "removal of memory or processors" : undefined);
  }
  onProcessLost(listener: (lparId: LparId) => void): () => void {
    this.#events.on("process.lost", listener);
    return () => this.#events.off("process.lost", listener);
  }

  /** Lets go of everything that outlives this process. */
  close(): void {
    this.guests.close();
    this.supervisor.close();
  }

  #devicesChanged(lparId: LparId, devices: ViosDevices): void {
    this.store.transaction(() => {
      const row = this.store.lpar(lparId);
      if (row && JSON.stringify(row.devices) !== JSON.stringify(devices)) this.update(lparId, (now) => ({ ...now, devices }));
    });
    // The clients' storage is read from this list.
    for (const row of this.store.lpars()) if (row.definition.environment !== "vioserver") this.#news.changed(row);
  }

  /** It was out of reach and answers again: its gates are set as they should be now; a migration that missed its news does not go on with it. */
  async #viosBack(lparId: LparId, reason: OlpmError): Promise<void> {
    this.#events.emit("vios.lost", lparId, reason);
    await this.gates.settle(lparId).catch((error: unknown) => this.log.error({ err: error, viosLparId: lparId }, "the gates of a Virtual I/O Server could not be put right"));
  }

  async #viosLost(lparId: LparId, reason: OlpmError): Promise<void> {
    this.log.error({ vios: this.store.lpar(lparId)?.definition.name, err: reason }, "a Virtual I/O Server was lost");
    this.update(lparId, (row) => ({ ...row, power: "off", failed: true }));
    this.#events.emit("vios.lost", lparId, reason);
    try {
      for (const trunk of trunksOf(this, lparId)) await this.network.removeTrunk(trunk);
      await arrangeTrunks(this);
    } catch (error) {
      this.log.error({ err: toOlpmError(error, "rearranging the trunks") }, "the network could not be put right after the loss of a Virtual I/O Server");
    }
  }

  #viosRows() {
    return viosRows(this.store.lpars());
  }
  /** True when the partition's memory and processors are taken here now. */
  #holds(row: LparRow): boolean {
    if (row.definition.environment === "vioserver") return this.supervisor.get(row.lparId) !== undefined || this.#transitions.has(row.lparId);
    return row.ownership.kind === "reserved" || row.power === "on" || this.process(row.lparId) !== undefined;
  }
}

/** The devices of a Virtual I/O Server without the server adapter of a slot and what is behind it. */
const withoutSlot = (devices: ViosDevices, slot: SlotNumber): ViosDevices => ({ ...devices, adapters: devices.adapters.filter((one) => one.slot !== slot), fc: devices.fc.filter((one) => one.slot !== slot), targets: devices.targets.filter((one) => one.slot !== slot) });

const viosRows = (rows: readonly LparRow[]) => rows.flatMap((row) => (row.devices ? [{ lparId: row.lparId, devices: row.devices }] : []));
