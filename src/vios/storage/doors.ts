/** The doors of a Virtual I/O Server by slot of the server adapter: as the system said last, otherwise one for each slot, root's. */
import type { SlotNumber } from "../../model/ids.js";
import { doorSocket, type ViosDoor } from "../../wire/system-vios.js";
import { Door, type DoorOptions } from "./door.js";
import type { Exports } from "./exports.js";

/** Storage daemons that start at the same time: each takes some 30 ms of a processor. */
const STARTS_MAX = 8;

export class Doors {
  readonly #runDir: string;
  readonly #options: Omit<DoorOptions, "socket">;
  readonly #told = new Map<SlotNumber, ViosDoor>();
  readonly #doors = new Map<string, Door>();

  constructor(runDir: string, told: readonly ViosDoor[], options: Omit<DoorOptions, "socket">) {
    this.#runDir = runDir;
    this.#options = options;
    for (const one of told) this.give(one);
  }

  at(slot: SlotNumber): Door {
    const socket = this.#told.get(slot)?.socket ?? doorSocket(this.#runDir, slot);
    const known = this.#doors.get(socket);
    if (known) return known;
    const door = new Door({ ...this.#options, socket });
    const told = [...this.#told.values()].find((one) => one.socket === socket);
    if (told) door.give(told);
    this.#doors.set(socket, door);
    return door;
  }
  all(): Door[] {
    return [...this.#doors.values()];
  }
  /** The exports in which a device is served. */
  serving(name: string): Exports | undefined {
    return this.all().find((door) => door.exports?.has(name))?.exports;
  }

  /** What the system says of a slot. True: its devices are at another socket now, or another account's client may be connected still. */
  give(told: ViosDoor): boolean {
    const [before, was] = [this.at(told.slot), this.#told.get(told.slot)];
    this.#told.set(told.slot, told);
    this.at(told.slot).give(told);
    return before !== this.at(told.slot) || (was !== undefined && was.uid !== told.uid);
  }
  /** The adapter is gone. */
  forget(slot: SlotNumber): void {
    this.#told.delete(slot);
  }

  /** Opens those of these slots. @throws OlpmError storage-failed */
  async open(slots: Iterable<SlotNumber>): Promise<void> {
    const doors = [...new Set([...slots].map((slot) => this.at(slot)))];
    for (let at = 0; at < doors.length; at += STARTS_MAX) await Promise.all(doors.slice(at, at + STARTS_MAX).map((door) => door.open()));
  }
  /** Lets clients in where they are not yet. */
  publish(): void {
    for (const door of this.all()) if (door.exports && !door.published) door.publish();
  }
  /** Ends the daemon of a door behind which nothing is wanted: `slots` have devices. */
  async shutUnused(slots: Iterable<SlotNumber>): Promise<void> {
    const used = new Set([...slots].map((slot) => this.at(slot)));
    for (const door of this.all().filter((one) => !used.has(one))) {
      this.#doors.delete(door.socket);
      await door.shut();
    }
  }
  async shut(): Promise<void> {
    await Promise.all(this.all().map((door) => door.shut()));
  }
}
