/** What consoles are told of this system: events, and each change of a partition under a rising revision. */
import { EventEmitter } from "node:events";
import type { LparId } from "../model/ids.js";
import type { LparView } from "../model/lpar.js";
import type { SystemEvents } from "./contract.js";
import type { LparRow, Store } from "./store.js";

/** What is needed of the hypervisor. */
interface Shown {
  readonly store: Store;
  viewOf(row: LparRow, rows: readonly LparRow[]): LparView;
}

export class News {
  readonly #hypervisor: Shown;
  readonly #events = new EventEmitter().setMaxListeners(0);
  readonly #revisions = new Map<LparId, number>();
  readonly #dirty = new Set<LparId>();
  /** begins above every revision of an earlier process of this system */
  #revision = Date.now();

  constructor(hypervisor: Shown) {
    this.#hypervisor = hypervisor;
  }

  emit<E extends keyof SystemEvents>(event: E, payload: SystemEvents[E]): void {
    this.#events.emit(event, payload);
  }
  on<E extends keyof SystemEvents>(event: E, listener: (payload: SystemEvents[E]) => void): () => void {
    this.#events.on(event, listener);
    return () => this.#events.off(event, listener);
  }
  /** The one at which a partition was told last. */
  revision(lparId: LparId): number {
    return this.#revisions.get(lparId) ?? this.#revision;
  }
  removed(lparId: LparId): void {
    this.#dirty.delete(lparId);
    this.emit("lpar.removed", { lparId, revision: ++this.#revision });
    this.#revisions.delete(lparId);
    this.emit("system.changed", {});
  }
  /** Tells the consoles at the end of this turn, so that what belongs together (row and migration record) is shown together. */
  changed(row: LparRow): void {
    if (this.#dirty.size === 0) queueMicrotask(() => this.#tell());
    this.#dirty.add(row.lparId);
  }
  #tell(): void {
    const rows = this.#hypervisor.store.lpars();
    const told = rows.filter((row) => this.#dirty.has(row.lparId));
    this.#dirty.clear();
    for (const row of told) {
      this.#revisions.set(row.lparId, ++this.#revision);
      this.emit("lpar.changed", this.#hypervisor.viewOf(row, rows));
    }
    this.emit("system.changed", {});
  }
}
