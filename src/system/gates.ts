/**
 * The gates of the LUNs of this system's partitions: a Virtual I/O Server lets a partition write through an open one only. What each should be follows from
 * ownership and from what was asked last; what was asked reaches each Virtual I/O Server in turns, or with the device list with which it starts.
 */
import { toOlpmError } from "../kit/errors.js";
import { invariant } from "../kit/invariant.js";
import type { Logger } from "../kit/log.js";
import { Turns } from "../kit/turns.js";
import type { LparId } from "../model/ids.js";
import { mayRun } from "../model/ownership.js";
import type { ViosDevices } from "../wire/system-vios.js";
import type { ViosHandle } from "./contract.js";
import { mayWrite, withGates, withLogins, type Device } from "./mappings.js";
import type { LparRow, Store } from "./store.js";
import { isLost } from "./vioses.js";

/** Opening or closing a gate takes milliseconds; a SAN that does not answer gets this long. */
const GATE_MS_MAX = 10_000;

/** What is needed of the hypervisor. */
interface Holder {
  readonly store: Store;
  readonly log: Logger;
  row(lparId: LparId): LparRow;
  devices(row: LparRow): Device[];
  /** undefined: the partition has none here */
  process(lparId: LparId): object | undefined;
  readonly supervisor: { get(viosLparId: LparId): ViosHandle | undefined };
}

export class Gates {
  readonly #hypervisor: Holder;
  /** what was asked for last, while this process lives: a Virtual I/O Server that starts or comes back meanwhile must do neither more nor less */
  readonly #asked = new Map<LparId, "open" | "closed">();
  /** changes of gates, one after the other for each Virtual I/O Server */
  readonly #turns = new Turns();

  constructor(hypervisor: Holder) {
    this.#hypervisor = hypervisor;
  }

  /** The gates of all LUNs of a partition. */
  async set(lparId: LparId, gate: "open" | "closed"): Promise<void> {
    const row = this.#hypervisor.row(lparId);
    invariant(gate === "closed" || mayRun(row.ownership) || row.ownership.kind === "reserved", "storage is opened for its owner, or for who is taking the partition over");
    this.#asked.set(lparId, gate);
    const byVios = new Map<LparId, string[]>();
    for (const { viosLparId, vtd } of this.#hypervisor.devices(row)) byVios.set(viosLparId, [...(byVios.get(viosLparId) ?? []), vtd]);
    await Promise.all(
      [...byVios].map(async ([viosLparId, names]) => {
        // A VIOS that does not run writes nothing; it starts with the gates that are right then.
        const done = await this.#turns.take(String(viosLparId), () => this.#send(viosLparId, names, gate));
        if (!done && gate === "open") this.#hypervisor.log.warn({ lpar: row.definition.name, viosLparId }, "a Virtual I/O Server of the partition does not run; the partition waits for it");
      }),
    );
  }
  forget(lparId: LparId): void {
    this.#asked.delete(lparId);
  }

  /** Device list for a start of a VIOS, gates as ownership says now. */
  devicesFor(viosLparId: LparId): ViosDevices {
    const row = this.#hypervisor.row(viosLparId);
    const clients = this.#hypervisor.store.lpars().map((client) => ({ storage: this.#hypervisor.devices(client), mayWrite: mayWrite(client, this.#asked.get(client.lparId)), present: this.#hypervisor.process(client.lparId) !== undefined || client.ownership.kind === "reserved" }));
    return withGates(viosLparId, withLogins(viosLparId, row.devices ?? { disks: [], adapters: [], targets: [], fc: [] }, clients), clients);
  }
  /** Sets the gates of a Virtual I/O Server as they should be now, which may have changed while it started or could not be reached. */
  async settle(viosLparId: LparId): Promise<void> {
    await this.#turns.take(String(viosLparId), async () => {
      for (const gate of ["closed", "open"] as const) {
        const names = this.devicesFor(viosLparId).targets.filter((target) => target.gate === gate).map((target) => target.name);
        if (names.length > 0) await this.#send(viosLparId, names, gate);
      }
    });
  }
  /** False: it does not run, or ended meanwhile. In its turn only. */
  async #send(viosLparId: LparId, names: string[], gate: "open" | "closed"): Promise<boolean> {
    const vios = this.#hypervisor.supervisor.get(viosLparId);
    if (!vios) return false;
    return vios.client.call("storage.gate", { names, gate }, { deadlineMs: GATE_MS_MAX }).then(() => true, (error: unknown) => (isLost(error) ? false : Promise.reject(toOlpmError(error, "setting gates"))));
  }
}
