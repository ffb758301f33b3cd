/**
 * Calls between consoles and systems over links that lose, delay, repeat and come too late. A caller whose connection broke can not know whether its request was
 * carried out: here it may have been before, may be afterwards, or never. A link that is down refuses; what was under way is lost within the silence limit.
 */
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { CallOptions } from "../wire/rpc.js";
import type { Life, World } from "./world.js";

/** As RpcPeer's SILENCE_MS_MAX and default deadline. */
const SILENCE_MS_MAX = 15_000;
const DEADLINE_MS = 30_000;
const CONNECT_MS_MAX = 3_000;

export interface Trouble {
  /** chances for each call */
  lost: number;
  replyLost: number;
  late: number;
  twice: number;
  slow: number;
}
export const NO_TROUBLE: Trouble = { lost: 0, replyLost: 0, late: 0, twice: 0, slow: 0 };

/** What answers at one name now. */
export interface Service {
  readonly life: Life;
  answer(method: string, params: unknown, context: { readonly caller: string; readonly signal: AbortSignal }): Promise<unknown>;
}

const linkOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);
const lost = (to: string) => new OlpmError("peer-lost", `the connection to ${to} was lost`, { retryable: true });
const copy = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

export class Net {
  readonly #world: World;
  readonly #services = new Map<string, Service>();
  readonly #down = new Set<string>();
  readonly #flying = new Map<string, Set<(error: OlpmError, withinMs: number) => void>>();
  trouble: Trouble = { ...NO_TROUBLE };
  /** the next answer to this method is lost */
  losesReplyTo: string | undefined;
  /** the next call of this method comes twice, the second time whenever */
  repeats: string | undefined;

  constructor(world: World) {
    this.#world = world;
  }
  serve(name: string, service: Service): void {
    this.#services.set(name, service);
  }
  reaches(from: string, to: string): boolean {
    return !this.#down.has(linkOf(from, to));
  }
  up(from: string, to: string): boolean {
    return this.reaches(from, to) && this.#services.get(to)?.life.alive === true;
  }
  cut(a: string, b: string): void {
    const link = linkOf(a, b);
    this.#down.add(link);
    for (const fail of this.#flying.get(link) ?? []) fail(lost(b), SILENCE_MS_MAX);
  }
  heal(a: string, b: string): void {
    this.#down.delete(linkOf(a, b));
  }
  healAll(): void {
    this.#down.clear();
    this.trouble = { ...NO_TROUBLE };
  }

  call(life: Life, from: string, to: string, method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    const world = this.#world;
    const { trouble } = this;
    return new Promise((resolve, reject) => {
      const link = linkOf(from, to);
      const handler = new AbortController();
      const flying = this.#flying.get(link) ?? new Set();
      this.#flying.set(link, flying);
      let over = false;
      const finish = (settle: () => void) => {
        if (over || !life.alive) return;
        over = true;
        flying.delete(fail);
        cancelDeadline?.();
        options.signal?.removeEventListener("abort", onAbort);
        settle();
      };
      const fail = (error: OlpmError, withinMs: number) => void world.after(world.between(0, withinMs), () => finish(() => reject(error)));
      const stop = () => void world.after(world.between(1, 20), () => handler.abort(new OlpmError("aborted", "the caller stopped it")));
      const onAbort = () => {
        stop();
        const { reason } = options.signal!;
        finish(() => reject(reason instanceof OlpmError ? reason : new OlpmError("aborted", "stopped")));
      };
      if (options.signal?.aborted) return onAbort();
      options.signal?.addEventListener("abort", onAbort);
      flying.add(fail);
      const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
      const cancelDeadline = deadlineMs === Infinity ? undefined : world.after(deadlineMs, () => (finish(() => reject(new OlpmError("timeout", `${method}: no answer within ${deadlineMs} ms`, { retryable: true }))), stop()));
      if (!this.up(from, to)) return fail(lost(to), CONNECT_MS_MAX);
      const sent = copy(params);
      const deliver = (ms: number, answered: boolean) =>
        world.after(ms, () => {
          const service = this.#services.get(to);
          if (!service?.life.alive || !this.reaches(from, to)) return fail(lost(to), 100);
          service.life.onEnd(() => fail(lost(to), 100));
          if (method !== "migration.get" && method !== "migration.list" && method !== "journal.append") world.say(from, `calls ${method} on ${to}${answered ? "" : ", and will not hear the answer"}`);
          service.answer(method, copy(sent), { caller: from, signal: handler.signal }).then(
            (result) => answered && this.#reply(link, ms, () => finish(() => resolve(copy(result)))),
            (thrown: unknown) => {
              const error = toOlpmError(thrown, method);
              const { code, message, hsc, action, retryable } = error;
              if (answered) this.#reply(link, ms, () => finish(() => reject(new OlpmError(code, message, { hsc, action, retryable, reportedBy: error.reportedBy ?? to }))));
            },
          );
        });
      const ms = trouble.slow > 0 && world.chance(trouble.slow) ? world.skewed(1, 8_000) : world.between(0.3, 4);
      const fate = world.random();
      if (method === this.losesReplyTo) {
        this.losesReplyTo = undefined;
        return this.#count("reply lost", () => (deliver(ms, false), fail(lost(to), SILENCE_MS_MAX)));
      }
      if (fate < trouble.lost) return this.#count("call lost", () => fail(lost(to), SILENCE_MS_MAX));
      if (fate < trouble.lost + trouble.replyLost) return this.#count("reply lost", () => (deliver(ms, false), fail(lost(to), SILENCE_MS_MAX)));
      if (fate < trouble.lost + trouble.replyLost + trouble.late) return this.#count("call late", () => (deliver(ms + world.between(0, 20_000), false), fail(lost(to), 1_000)));
      deliver(ms, true);
      if (method === this.repeats) {
        this.repeats = undefined;
        return this.#count("call twice", () => deliver(ms + world.between(0, 20_000), false));
      }
      if (trouble.twice > 0 && world.chance(trouble.twice)) this.#count("call twice", () => deliver(ms + world.skewed(0, 10_000), false));
    });
  }

  #reply(link: string, ms: number, settle: () => void): void {
    this.#world.after(Math.min(ms, 5), () => !this.#down.has(link) && settle());
  }
  #count(fault: string, work: () => void): void {
    this.#world.count(`fault:${fault}`);
    work();
  }
}
