/** What this process knows of the migrations of which this system is the destination, beside their records: gone with it. */
import type { OlpmError } from "../../kit/errors.js";

export type Outcome = "owned" | "declined";
export type Released = { readonly stoppedForMs: number; readonly at: number };

/** What lives only as long as this process. */
export interface Waiting {
  readonly abort: AbortController;
  readonly decided: Promise<Outcome>;
  readonly decide: (outcome: Outcome) => void;
  readonly released: Promise<Released>;
  readonly hearReleased: (released: Released) => void;
  /** true when the LUNs are open, as far as this process knows */
  gates: Promise<boolean> | undefined;
  watching: Promise<void> | undefined;
  /** the giving up that is under way; whoever wants it too waits for this one */
  declining: Promise<void> | undefined;
  lost: OlpmError | undefined;
  /** its process is ended for the second pair of movers: that is no loss */
  changingPairs: boolean;
  /** it is given up here: the LUNs are not opened any more */
  closing: boolean;
  /** being undone: nothing is taken over any more, and nothing is decided before it is done */
  abandoning: boolean;
}

export class WaitingMigrations {
  readonly #waiting = new Map<string, Waiting>();

  of(id: string): Waiting {
    let waiting = this.#waiting.get(id);
    if (!waiting) {
      let decide!: (outcome: Outcome) => void;
      let hearReleased!: (released: Released) => void;
      const decided = new Promise<Outcome>((resolve) => (decide = resolve));
      const released = new Promise<Released>((resolve) => (hearReleased = resolve));
      waiting = { abort: new AbortController(), decided, decide, released, hearReleased, gates: undefined, watching: undefined, declining: undefined, lost: undefined, changingPairs: false, closing: false, abandoning: false };
      this.#waiting.set(id, waiting);
    }
    return waiting;
  }
  forget(id: string): void {
    this.#waiting.delete(id);
  }
}
