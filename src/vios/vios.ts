/**
 * One Virtual I/O Server: composes virtual SCSI and Fibre Channel (storage/), Shared Ethernet Adapters (sea.ts), the mover service partition role (msp.ts) and the VIOS
 * command line (cli/), and answers the `system-vios` contract. `main.ts` runs it.
 */
import type { Logger } from "../kit/log.js";
import { toOlpmError } from "../kit/errors.js";
import type { EventName, EventOf, Handlers } from "../wire/rpc.js";
import type { SystemVios, ViosConfig } from "../wire/system-vios.js";
import { runViosCommand } from "./cli/run.js";
import { DeviceTable } from "./devices.js";
import { MoverRole } from "./msp.js";
import { SharedEthernet } from "./sea.js";
import { FibreChannel } from "./storage/fibre-channel.js";
import { Storage } from "./storage/storage.js";

export interface ViosOptions {
  readonly config: ViosConfig;
  readonly log: Logger;
  /** tells every connected client */
  readonly emit: <E extends EventName<SystemVios>>(event: E, payload: EventOf<SystemVios, E>) => void;
  /** begins the clean end; the answer to the caller is sent before the process ends */
  readonly shutdown: () => Promise<void>;
}

export class Vios {
  readonly config: ViosConfig;
  readonly table: DeviceTable;
  readonly storage: Storage;
  readonly fibreChannel: FibreChannel;
  readonly sea: readonly SharedEthernet[];
  readonly mover: MoverRole;
  readonly #log: Logger;
  readonly #shutdown: () => Promise<void>;
  readonly #startedAt = performance.now();

  constructor({ config, log, emit, shutdown }: ViosOptions) {
    this.config = config;
    this.#log = log;
    this.#shutdown = shutdown;
    this.table = new DeviceTable(config.devices, (devices) => emit("devices.changed", devices));
    this.storage = new Storage(config, this.table, log);
    this.fibreChannel = new FibreChannel(config, this.table, this.storage, log);
    this.sea = config.sea.map((one) => new SharedEthernet(one, config.vlanProgram, log));
    this.mover = new MoverRole(config, log, (state) => emit("mover.changed", state));
  }

  /** The network comes first: the SAN and the mover may be reached over it. A part that fails is logged; the others serve. */
  async start(): Promise<void> {
    for (const one of this.sea) await this.#part("shared Ethernet adapter", one.start());
    await this.storage.start();
    await this.#part("mover", this.mover.start());
  }

  async stop(): Promise<void> {
    await this.#part("mover", this.mover.close());
    await this.#part("storage", this.storage.stop());
    for (const one of this.sea) await this.#part("shared Ethernet adapter", one.stop());
  }

  handlers(): Handlers<SystemVios> {
    const nothing = async (work: Promise<unknown>) => {
      await work;
      return {};
    };
    return {
      "vios.status": async () => ({ pid: process.pid, uptimeMs: performance.now() - this.#startedAt, devices: this.table.all, movers: this.mover.states(), doors: true }),
      "vios.shutdown": () => nothing(this.#shutdown()),
      "vios.command": ({ argv }) => runViosCommand(this, argv),
      "adapter.put": async (wanted) => this.table.putAdapter(wanted),
      "adapter.remove": ({ slot, force }) => nothing(this.#removeAdapter(slot, force)),
      "fc.put": (wanted) => this.fibreChannel.put(wanted),
      "fc.login": (wanted) => this.fibreChannel.login(wanted),
      "fc.logout": ({ slot }) => nothing(this.fibreChannel.logout(slot)),
      "fc.probe": async ({ wwpns }) => ({ found: await this.fibreChannel.probe(wwpns) }),
      "storage.probe": async ({ luns }) => ({ found: await this.storage.probe(luns) }),
      "storage.door": (door) => nothing(this.storage.giveDoor(door)),
      "storage.attach": (device) => this.storage.attach(device),
      "storage.detach": ({ name }) => nothing(this.storage.detach(name)),
      "storage.gate": ({ names, gate }) => nothing(this.storage.setGates(names, gate)),
      "mover.receive": async (params) => this.mover.service.receive(params),
      "mover.send": (params) => this.mover.service.send(params),
      "mover.stop": async ({ id, reason }) => nothing(this.mover.service.stop(id, reason)),
      "mover.probe": async ({ peer, measure }) => this.mover.service.probe(peer, measure),
    };
  }

  async #removeAdapter(slot: Parameters<DeviceTable["adapterOf"]>[0], force: boolean): Promise<void> {
    if (force) {
      await this.fibreChannel.logout(slot);
      for (const target of this.table.targetsBehind(slot)) await this.storage.detach(target.name);
    }
    this.table.removeAdapter(slot);
    this.storage.forgetDoor(slot);
  }

  async #part(part: string, work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#log.error({ err: toOlpmError(error, part), part }, "a part of the Virtual I/O Server failed");
    }
  }
}
