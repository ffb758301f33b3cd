/**
 * The processes of this system's partitions: started with what their rows say, held while they live, found again by a later system process. A process in
 * a partition's place that is not the partition's is neither held nor touched.
 */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { invariant } from "../kit/invariant.js";
import { LparId } from "../model/ids.js";
import type { ResourceConfig } from "../model/lpar.js";
import { mayRun } from "../model/ownership.js";
import type { ViosDoor } from "../wire/system-vios.js";
import { LPARS_MAX } from "./accounting.js";
import { accountOf } from "./accounts.js";
import type { Hypervisor, ViosHandle } from "./contract.js";
import { layoutOf } from "./dlpar-plan.js";
import { logoutFc } from "./fibre-channel.js";
import type { GuestWatcher } from "./guests.js";
import type { Device } from "./mappings.js";
import type { Network } from "./network.js";
import type { Accelerator } from "./qemu/accelerator.js";
import { sharedAccount, type Account } from "./qemu/confine.js";
import type { Limits, PartitionProcess, PartitionSpec, ProcessFactory } from "./qemu/contract.js";
import type { LparRow } from "./store.js";
import type { Terminals } from "./terminals.js";
import { plugOf } from "./trunks.js";
import type { VirtualSwitches } from "./vswitches.js";

export interface StartOptions {
  /** waits for the state of a migration */
  readonly incoming: boolean;
  readonly bootMode?: string;
}

/** What is needed of the hypervisor. */
interface Host extends Pick<Hypervisor, "config" | "store" | "log" | "row" | "update" | "setGates" | "view" | "vioses"> {
  readonly accelerator: Accelerator;
  readonly network: Network;
  readonly vswitches: VirtualSwitches;
  readonly guests: GuestWatcher;
  readonly terminals: Terminals;
  readonly supervisor: { get(viosLparId: LparId): ViosHandle | undefined };
  devices(row: LparRow): Device[];
  consoleLog(uuid: string): string;
  touch(lparId: LparId): void;
  setTransition(lparId: LparId, transition: null): void;
  machineChanged(lparId: LparId): void;
  guestRestarted(lparId: LparId): void;
  processLost(lparId: LparId): void;
}

export class Processes {
  readonly #hypervisor: Host;
  readonly #factory: ProcessFactory;
  readonly #held = new Map<LparId, PartitionProcess>();
  readonly #bootModes = new Map<LparId, string>();
  /** live processes in a partition's place that are not the partition's */
  readonly #strangers = new Map<LparId, PartitionProcess>();

  constructor(hypervisor: Host, factory: ProcessFactory) {
    this.#hypervisor = hypervisor;
    this.#factory = factory;
  }

  get(lparId: LparId): PartitionProcess | undefined {
    return this.#held.get(lparId);
  }
  all(): PartitionProcess[] {
    return [...this.#held.values()];
  }
  bootMode(lparId: LparId): string {
    return this.#bootModes.get(lparId) ?? "norm";
  }
  /** IDs whose place a process of another partition has. */
  placesTaken(): LparId[] {
    return [...this.#strangers.keys()];
  }
  /** @throws OlpmError conflict: a live process of another partition has this ID's run directory and interfaces (see adopt) */
  assertPlaceFree(lparId: LparId): void {
    const stranger = this.#strangers.get(lparId);
    if (stranger) throw new OlpmError("conflict", `The place of partition ID ${lparId} is taken by a process of another partition, ${stranger.spec.name} (process ${stranger.pid}).`, { action: `Find out whether ${stranger.spec.name} is needed; end its process, then try again.` });
  }

  async start(lparId: LparId, options: StartOptions): Promise<PartitionProcess> {
    invariant(!this.#held.has(lparId), "a partition has one process");
    const row = this.#hypervisor.row(lparId);
    this.assertPlaceFree(lparId);
    const resources = row.definition.current;
    invariant(resources, "a partition that is started has a current configuration");
    const account = await this.#account(row);
    const nics = [];
    for (const adapter of resources.ethernet) {
      invariant(adapter.mac, "an adapter of a current configuration has its address");
      nics.push({ slot: adapter.slot, mac: adapter.mac, tap: await this.#hypervisor.network.plug(plugOf(this.#hypervisor, lparId, adapter), account.uid) });
    }
    const bootMode = options.bootMode ?? resources.bootMode;
    try {
      await this.#giveDoors(row, account);
      const process = await this.#factory.start({ ...this.#specOf(row, resources, bootMode), account, nics, incoming: options.incoming });
      this.#hold(lparId, process, bootMode);
      return process;
    } catch (error) {
      await this.#hypervisor.network.unplug(lparId, resources.ethernet.map((adapter) => adapter.slot));
      throw error;
    }
  }

  async end(lparId: LparId): Promise<void> {
    const process = this.#held.get(lparId);
    this.#hypervisor.terminals.closeAny(lparId);
    this.#hypervisor.guests.forget(lparId);
    await process?.end();
    this.#held.delete(lparId);
    const row = this.#hypervisor.store.lpar(lparId);
    if (!this.#strangers.has(lparId)) await this.#hypervisor.network.unplug(lparId, (row?.definition.current?.ethernet ?? []).map((adapter) => adapter.slot));
    if (row) this.#hypervisor.touch(lparId);
  }

  /** Finds the processes of an earlier system process again; what died meanwhile is marked so. What is in the way of one partition holds up no other. */
  async adopt(): Promise<void> {
    const rows = this.#hypervisor.store.lpars();
    const clients = rows.filter((one) => one.definition.environment !== "vioserver").map((row) => ({ lparId: row.lparId, row }));
    // An old database that was brought back may lack a partition that runs.
    const places = fs.readdirSync(this.#hypervisor.config.runDir).flatMap((name) => /^p([1-9]\d*)$/.exec(name)?.[1] ?? []).map(Number);
    const unknown = places.filter((id) => id <= LPARS_MAX && !rows.some((row) => row.lparId === id)).map((id) => ({ lparId: LparId.parse(id), row: undefined }));
    for (const { lparId, row } of [...clients, ...unknown]) await this.#adoptOne(lparId, row).catch((error: unknown) => this.#hypervisor.log.error({ err: error, lparId, lpar: row?.definition.name }, "a partition's process could not be adopted"));
  }
  async #adoptOne(lparId: LparId, row: LparRow | undefined): Promise<void> {
    const process = await this.#factory.adopt(this.#runDir(lparId));
    if (process && row && process.spec.uuid === row.definition.uuid) {
      this.#hold(lparId, process, process.spec.bootMode);
      if (mayRun(row.ownership) && row.migrationId === null) this.#hypervisor.guests.watch(lparId, process);
      this.#hypervisor.log.info({ lpar: row.definition.name, pid: process.pid }, "partition adopted");
      return;
    }
    if (process) {
      // After an old database was brought back the ID may be another partition's, or nobody's. The process and its interfaces are not ours to touch.
      this.#strangers.set(lparId, process);
      process.on("exit", () => this.#strangers.delete(lparId));
      this.#hypervisor.log.error({ lpar: row?.definition.name, uuid: row?.definition.uuid, lparId, found: { name: process.spec.name, uuid: process.spec.uuid, pid: process.pid } }, "a process of another partition is in a partition's place");
    }
    if (row?.power === "on" && mayRun(row.ownership)) {
      if (!process) {
        this.#hypervisor.log.error({ lpar: row.definition.name }, "the partition's process ended while the managed system's process was away");
        await this.#hypervisor.network.unplug(lparId, (row.definition.current?.ethernet ?? []).map((adapter) => adapter.slot));
      }
      this.#hypervisor.update(lparId, (now) => ({ ...now, power: "off", failed: true }));
    }
  }

  /** Its own; the shared one while a Virtual I/O Server of an earlier version serves it. */
  async #account(row: LparRow): Promise<Account> {
    const old = this.#hypervisor.devices(row).some(({ viosLparId }) => this.#hypervisor.supervisor.get(viosLparId)?.doors === false);
    if (old) return sharedAccount() ?? ROOT;
    const others = [...this.#held, ...this.#strangers].filter(([lparId]) => lparId !== row.lparId).map(([, process]) => accountUnder(process).uid);
    return accountOf(this.#hypervisor, row.lparId, new Set(others));
  }
  async #giveDoors(row: LparRow, account: Account): Promise<void> {
    const slots = new Map(this.#hypervisor.devices(row).map(({ viosLparId, viosSlot }) => [`${viosLparId}/${viosSlot}`, { viosLparId, viosSlot }]));
    await Promise.all(
      [...slots.values()].map(async ({ viosLparId, viosSlot }) => {
        const vios = this.#hypervisor.supervisor.get(viosLparId);
        if (vios?.doors) await vios.client.call("storage.door", { slot: viosSlot, socket: vios.nbdSocket(viosSlot), ...account });
      }),
    );
  }
  /** Doors of a Virtual I/O Server that starts: where the disks of the processes that run are, and theirs. */
  doorsFor(viosLparId: LparId): ViosDoor[] {
    const targets = this.#hypervisor.row(viosLparId).devices?.targets ?? [];
    const disks = this.all().flatMap((process) => process.spec.disks.map((disk) => ({ ...disk, ...accountUnder(process) })));
    const here = disks.filter(({ nbdSocket }) => path.basename(path.dirname(nbdSocket)) === `v${viosLparId}`);
    return targets.flatMap(({ name, slot }) => here.filter(({ exportName }) => exportName === name).map(({ nbdSocket, uid, gid }) => ({ slot, socket: nbdSocket, uid, gid })));
  }

  #specOf(row: LparRow, resources: ResourceConfig, bootMode: string): Omit<PartitionSpec, "account" | "nics" | "incoming"> {
    const { proc, memory } = resources;
    const layout = layoutOf(resources, row.definition.layout);
    const units = new Map<number, number>();
    const disks = this.#hypervisor.devices(row).flatMap((mapping) => {
      const vios = this.#hypervisor.supervisor.get(mapping.viosLparId);
      if (!vios) return [];
      const unit = units.get(mapping.clientSlot) ?? 0;
      units.set(mapping.clientSlot, unit + 1);
      return [{ slot: mapping.clientSlot, unit, nbdSocket: vios.nbdSocket(mapping.viosSlot), exportName: mapping.vtd, lun: mapping.lun }];
    });
    return {
      lparId: row.lparId,
      name: row.definition.name,
      uuid: row.definition.uuid,
      dir: this.#runDir(row.lparId),
      namespace: this.#hypervisor.config.namespace,
      accelerator: this.#hypervisor.accelerator.accelerator,
      memoryBytes: layout.piece?.bytes ?? layout.bootBytes,
      osMemoryBytes: layout.piece ? layout.bootBytes : null,
      memoryDevices: layout.memory,
      maxMemoryBytes: layout.piece?.bytes ?? memory.maxBytes,
      procs: layout.cores,
      maxProcs: proc.maxProcs,
      limits: limitsOf(resources),
      compatMode: resources.compatMode,
      kernel: this.#hypervisor.config.image.kernel,
      initrd: this.#hypervisor.config.image.initrd,
      bootMode,
      disks,
      consoleLog: this.#hypervisor.consoleLog(row.definition.uuid),
    };
  }
  #runDir(lparId: LparId): string {
    return path.join(this.#hypervisor.config.runDir, `p${lparId}`);
  }

  #hold(lparId: LparId, process: PartitionProcess, bootMode: string): void {
    this.#held.set(lparId, process);
    this.#bootModes.set(lparId, bootMode);
    let asked = false;
    process.on("guest", (what) => {
      if (what === "shutdown") asked = true;
      if (what === "reset") this.#hypervisor.guestRestarted(lparId);
    });
    process.on("machine", () => this.#hypervisor.machineChanged(lparId));
    process.on("exit", ({ stderr }) => void this.#processEnded(lparId, process, asked, stderr));
    this.#hypervisor.touch(lparId);
  }

  /** A process ended that we did not end: the operating system powered off, or something killed it. */
  async #processEnded(lparId: LparId, process: PartitionProcess, asked: boolean, stderr: string): Promise<void> {
    if (this.#held.get(lparId) !== process) return;
    const row = this.#hypervisor.store.lpar(lparId);
    if (asked) this.#hypervisor.log.info({ lpar: row?.definition.name }, "the operating system powered the partition off");
    else this.#hypervisor.log.error({ lpar: row?.definition.name, stderr }, "the partition's process ended unexpectedly");
    await this.end(lparId).catch((error: unknown) => this.#hypervisor.log.error({ err: error }, "cleaning up after a partition's process failed"));
    this.#hypervisor.setTransition(lparId, null);
    if (row && mayRun(row.ownership)) {
      await this.#hypervisor.setGates(lparId, "closed").catch((error: unknown) => this.#hypervisor.log.warn({ err: error }, "closing the gates of a partition that ended failed"));
      await logoutFc(this.#hypervisor, lparId);
      this.#hypervisor.update(lparId, (now) => ({ ...now, power: "off", failed: !asked }));
    }
    this.#hypervisor.processLost(lparId);
  }
}

const ROOT: Account = { uid: 0, gid: 0 };
const accountUnder = ({ spec }: PartitionProcess): Account => spec.account ?? sharedAccount() ?? ROOT;

/** What the host's groups enforce for a partition. */
export const limitsOf = ({ proc, memory }: ResourceConfig): Limits => ({ units: proc.mode === "ded" ? proc.desiredProcs * 100 : proc.sharingMode === "cap" ? proc.desiredUnits : null, weight: proc.uncapWeight, memoryBytes: memory.desiredBytes });
