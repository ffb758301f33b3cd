/**
 * Virtual time for one seed: a heap of events, one random sequence, and lives. A life is one run of a process: when it ends, none of its timers fires and
 * none of its promises settles any more, which is all that a SIGKILL leaves of a process inside itself. After each event every promise that can go on has
 * gone on before the next event, so one seed gives one run.
 */
import type { Clock } from "../kit/clock.js";
import type { Logger } from "../kit/log.js";
import { randomOf } from "../kit/random.js";

interface Event {
  readonly at: number;
  readonly order: number;
  fire: (() => void) | undefined;
}

/** Virtual ms at which records' dates begin. */
const DATE_MS = Date.UTC(2026, 0, 1);

export class World {
  readonly seed: number;
  readonly random: () => number;
  readonly trace: ((line: string) => void) | undefined;
  readonly violations: string[] = [];
  /** what was reached: `step:...`, `undo:...`, `row:...`, `fault:...` -> how often */
  readonly counts = new Map<string, number>();
  now = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  constructor(seed: number, trace?: (line: string) => void) {
    this.seed = seed;
    this.random = randomOf(seed);
    this.trace = trace;
  }

  after(ms: number, fire: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, ms), order: this.#order++, fire };
    push(this.#heap, event);
    return () => (event.fire = undefined);
  }
  /** Runs the next event and all that follows from it at once. False when there is none before `until`. */
  async tick(until: number): Promise<boolean> {
    for (;;) {
      const event = this.#heap[0];
      if (!event || event.at > until) {
        this.now = until;
        return false;
      }
      pop(this.#heap);
      if (!event.fire) continue;
      this.now = event.at;
      event.fire();
      await settled();
      return true;
    }
  }

  chance(p: number): boolean {
    return this.random() < p;
  }
  between(low: number, high: number): number {
    return low + this.random() * (high - low);
  }
  /** mostly short, sometimes long: from low, rarely up to high */
  skewed(low: number, high: number): number {
    return low + (high - low) * this.random() ** 4;
  }
  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)]!;
  }
  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
  say(who: string, text: string): void {
    this.trace?.(`${(this.now / 1000).toFixed(3).padStart(9)} ${who.padEnd(10)} ${text}`);
  }
  violated(rule: string): void {
    if (this.violations.includes(rule)) return;
    this.violations.push(rule);
    this.say("CHECK", rule);
  }
}

export class Life {
  readonly name: string;
  readonly world: World;
  alive = true;
  readonly clock: Clock;
  readonly log: Logger;
  readonly #onEnd: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.world = world;
    this.name = name;
    this.clock = {
      now: () => world.now,
      date: () => new Date(DATE_MS + Math.floor(world.now)),
      after: (ms, fire) => world.after(ms, () => this.alive && fire()),
    };
    this.log = loggerOf(this);
  }
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener);
  }
  end(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const listener of this.#onEnd.splice(0)) listener();
  }
  /** A promise that this life sees settle after `ms`, with what `work` gives then; never, if the life has ended. */
  later<T>(ms: number, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.world.after(ms, () => {
        if (!this.alive) return;
        try {
          resolve(work());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }
}

/** Logs go to the trace; without one they cost nothing. */
function loggerOf(life: Life): Logger {
  const { world } = life;
  const nothing = () => undefined;
  const line = (fields: unknown, message?: string) => {
    if (!life.alive) return;
    if (typeof fields === "string") return world.say(life.name, fields);
    const { err, ...rest } = fields as { err?: { message?: string } };
    delete (rest as Record<string, unknown>)["migration_id"];
    world.say(life.name, `${message ?? ""} ${Object.keys(rest).length > 0 ? JSON.stringify(rest) : ""}${err ? `: ${err.message}` : ""}`);
  };
  const write = world.trace ? line : nothing;
  const logger = { debug: nothing, info: write, warn: write, error: write, child: () => logger };
  return logger as unknown as Logger;
}

/** All promise reactions of this turn have run when this resolves. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const before = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order);
function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(event, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = event;
}
function pop(heap: Event[]): void {
  const last = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
}
