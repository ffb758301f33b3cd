/**
 * What the operating systems of running partitions say of themselves, by their agents (RMC): asked now and then, kept in memory, told when it changes.
 * A partition that stands still for a hand-over or is not ours is not asked.
 */
import type { LparId } from "../model/ids.js";
import type { RmcState } from "../model/lpar.js";
import type { PartitionProcess } from "./qemu/contract.js";

export interface GuestNews {
  readonly rmc: RmcState;
  readonly address: string | null;
  readonly osVersion: string | null;
  readonly refCode: string;
  readonly refCodeAt: string | null;
}
export const NO_NEWS: GuestNews = { rmc: "inactive", address: null, osVersion: null, refCode: "", refCodeAt: null };

/** Soon after the start, since an operator waits for it; then seldom. */
const ASK_EVERY_MS = { inactive: 500, active: 5_000 } as const;
const PING_MS_MAX = 2_000;
/** An agent that missed this many questions in a row is inactive; one alone may be a busy guest. */
const MISSES_MAX = 2;

interface Watch {
  readonly process: PartitionProcess;
  news: GuestNews;
  misses: number;
  timer: NodeJS.Timeout | undefined;
}

export class GuestWatcher {
  readonly #watches = new Map<LparId, Watch>();
  readonly #changed: (lparId: LparId) => void;

  constructor(changed: (lparId: LparId) => void) {
    this.#changed = changed;
  }

  news(lparId: LparId): GuestNews {
    return this.#watches.get(lparId)?.news ?? NO_NEWS;
  }

  /** Begins to ask this process; a process that is asked already is left alone. */
  watch(lparId: LparId, process: PartitionProcess): void {
    if (this.#watches.get(lparId)?.process === process) return;
    this.forget(lparId);
    const watch: Watch = { process, news: NO_NEWS, misses: 0, timer: undefined };
    this.#watches.set(lparId, watch);
    this.#later(lparId, watch, 0);
  }

  /** The operating system restarts: what it said before is over. */
  restarted(lparId: LparId): void {
    const watch = this.#watches.get(lparId);
    if (watch) this.#set(lparId, watch, NO_NEWS);
  }

  forget(lparId: LparId): void {
    const watch = this.#watches.get(lparId);
    if (!watch) return;
    clearTimeout(watch.timer);
    this.#watches.delete(lparId);
  }

  close(): void {
    for (const lparId of [...this.#watches.keys()]) this.forget(lparId);
  }

  #later(lparId: LparId, watch: Watch, ms: number): void {
    watch.timer = setTimeout(() => void this.#ask(lparId, watch), ms);
    watch.timer.unref();
  }

  async #ask(lparId: LparId, watch: Watch): Promise<void> {
    const { guest } = watch.process;
    if (await guest.ping(PING_MS_MAX)) {
      watch.misses = 0;
      if (watch.news.rmc !== "active") {
        const osVersion = await guest.osVersion();
        const address = await guest.address();
        // The agent answers, so the operating system is up: that is what this reference code says on Power.
        this.#set(lparId, watch, { rmc: "active", address, osVersion, refCode: "Linux ppc64le", refCodeAt: new Date().toISOString() });
      } else if (watch.news.address === null) this.#set(lparId, watch, { ...watch.news, address: await guest.address() });
    } else if (++watch.misses >= MISSES_MAX && watch.news.rmc === "active") this.#set(lparId, watch, { ...watch.news, rmc: "inactive" });
    if (this.#watches.get(lparId) === watch) this.#later(lparId, watch, ASK_EVERY_MS[watch.news.rmc === "active" ? "active" : "inactive"]);
  }

  #set(lparId: LparId, watch: Watch, news: GuestNews): void {
    if (this.#watches.get(lparId) !== watch || JSON.stringify(watch.news) === JSON.stringify(news)) return;
    watch.news = news;
    this.#changed(lparId);
  }
}
