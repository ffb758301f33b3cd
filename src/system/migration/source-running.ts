/** What this process knows of the migrations of which this system is the source, beside their records: gone with it. */
import type { OutgoingMigration } from "../qemu/contract.js";
import { isOpen, type Records } from "./records.js";

/** What lives only as long as this process; the durable part is the record. */
export interface Running {
  readonly abort: AbortController;
  /** aborted when the pair of movers is lost and the second one may take over; that one has its own */
  pairLost: AbortController;
  outgoing: OutgoingMigration | undefined;
  carrying: Promise<void> | undefined;
  bytesOnLink: number;
  /** ends the watch for what the migration can not do without, from the opening of the mover to the hand-over */
  unwatch: (() => void) | undefined;
  /** a person said that the destination is lost for good */
  alone: boolean;
}

export class RunningMigrations {
  readonly #records: Records;
  readonly #running = new Map<string, Running>();

  constructor(records: Records) {
    this.#records = records;
  }

  of(id: string): Running {
    let running = this.#running.get(id);
    if (!running) {
      running = { abort: new AbortController(), pairLost: new AbortController(), outgoing: undefined, carrying: undefined, bytesOnLink: 0, unwatch: undefined, alone: false };
      if (isOpen(this.#records.get(id))) this.#running.set(id, running);
    }
    return running;
  }
  find(id: string): Running | undefined {
    return this.#running.get(id);
  }
  forget(id: string): void {
    this.#running.delete(id);
  }
}
