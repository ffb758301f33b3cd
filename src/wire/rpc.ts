/**
 * The typed call protocol between console, system and VIOS: a contract is a table of methods and events with schemas, checked on both sides.
 * One RpcPeer per connection; either side may serve a contract, call one, or both. Requests in flight live in a map by id; when the
 * connection dies all of them are rejected. An abort on the caller's side reaches the handler as an abort of its signal.
 */
import type { Duplex } from "node:stream";
import { z, type ZodType } from "zod";
import { OlpmError, toOlpmError, ERROR_CODES, type ErrorCode } from "../kit/errors.js";
import { abortError } from "../kit/wait.js";
import type { Logger } from "../kit/log.js";
import { encodeFrame, FrameDecoder } from "./frame.js";

export interface Contract {
  readonly name: string;
  readonly methods: Readonly<Record<string, { readonly params: ZodType; readonly result: ZodType }>>;
  readonly events: Readonly<Record<string, ZodType>>;
}
export type MethodName<C extends Contract> = keyof C["methods"] & string;
export type EventName<C extends Contract> = keyof C["events"] & string;
export type Params<C extends Contract, M extends MethodName<C>> = z.infer<C["methods"][M]["params"]>;
export type Result<C extends Contract, M extends MethodName<C>> = z.infer<C["methods"][M]["result"]>;
export type EventOf<C extends Contract, E extends EventName<C>> = z.infer<C["events"][E]>;

/** What a handler is told beside its parameters. */
export interface CallContext {
  readonly signal: AbortSignal;
  /** the authenticated name of the caller, for example `console:hmc1`; `local` on a unix socket */
  readonly caller: string;
  /** this connection, for events to one client only */
  readonly peer: RpcPeer;
}
export type Handlers<C extends Contract> = { readonly [M in MethodName<C>]: (params: Params<C, M>, context: CallContext) => Promise<Result<C, M>> };

/** What callers of a contract hold; a test may put a simulated one in its place. */
export interface Client<C extends Contract> {
  call<M extends MethodName<C>>(method: M, params: Params<C, M>, options?: CallOptions): Promise<Result<C, M>>;
  on<E extends EventName<C>>(event: E, listener: (payload: EventOf<C, E>) => void): () => void;
}
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** default 30 s; Infinity for calls that end with what they wait for */
  readonly deadlineMs?: number;
}

const WireError = z.object({ code: z.enum(ERROR_CODES), message: z.string(), hsc: z.string().optional(), action: z.string().optional(), retryable: z.boolean().optional(), reportedBy: z.string().optional() });
const Message = z.discriminatedUnion("t", [
  z.object({ t: z.literal("call"), id: z.number().int(), method: z.string(), params: z.unknown() }),
  z.object({ t: z.literal("ok"), id: z.number().int(), result: z.unknown() }),
  z.object({ t: z.literal("err"), id: z.number().int(), error: WireError }),
  z.object({ t: z.literal("stop"), id: z.number().int() }),
  z.object({ t: z.literal("event"), event: z.string(), payload: z.unknown() }),
  z.object({ t: z.literal("ping") }),
]);

/** A connection over which nothing came for this long is lost; each side sends a ping every third of it. */
export const SILENCE_MS_MAX = 15_000;
/** Requests of one connection that may be handled at the same time; more is a defect of the peer. */
const CALLS_MAX = 1024;

interface Pending {
  readonly settle: (outcome: { ok: unknown } | { error: OlpmError }) => void;
}

export interface RpcPeerOptions<C extends Contract> {
  /** who we are, put into errors that we report: `system:ms01` */
  readonly self: string;
  /** the authenticated name of the other end */
  readonly caller: string;
  readonly log: Logger;
  readonly serves?: { readonly contract: C; readonly handlers: Handlers<C> };
  /** default SILENCE_MS_MAX; 0 for sockets on one machine, which close when the other end dies */
  readonly silenceMsMax?: number;
}

export class RpcPeer {
  readonly caller: string;
  /** Resolves once when the connection is over, with the reason. */
  readonly closed: Promise<OlpmError>;
  readonly #stream: Duplex;
  readonly #options: RpcPeerOptions<Contract>;
  readonly #pending = new Map<number, Pending>();
  readonly #handling = new Map<number, AbortController>();
  readonly #listeners = new Map<string, Set<(payload: unknown) => void>>();
  #nextId = 1;
  #end: OlpmError | undefined;
  #resolveClosed!: (reason: OlpmError) => void;
  #timer: NodeJS.Timeout | undefined;
  #lastHeard = performance.now();

  constructor(stream: Duplex, options: RpcPeerOptions<any>) {
    this.#stream = stream;
    this.#options = options;
    this.caller = options.caller;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    const decoder = new FrameDecoder();
    stream.on("data", (chunk: Buffer) => {
      this.#lastHeard = performance.now();
      try {
        for (const message of decoder.push(chunk)) this.#take(message);
      } catch (error) {
        this.destroy(toOlpmError(error, `reading from ${options.caller}`));
      }
    });
    stream.on("error", (error) => this.destroy(new OlpmError("peer-lost", `the connection to ${options.caller} broke`, { cause: error, retryable: true })));
    stream.on("close", () => this.destroy(new OlpmError("peer-lost", `the connection to ${options.caller} closed`, { retryable: true })));
    const silence = options.silenceMsMax ?? SILENCE_MS_MAX;
    if (silence > 0) {
      this.#timer = setInterval(() => {
        if (performance.now() - this.#lastHeard > silence) this.destroy(new OlpmError("peer-lost", `${options.caller} was silent for ${silence} ms`, { retryable: true }));
        else this.#send({ t: "ping" });
      }, silence / 3);
      this.#timer.unref();
    }
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  /** A typed client of the contract that the other end serves. */
  client<C extends Contract>(contract: C): Client<C> {
    return {
      call: (method, params, options) => this.#call(contract, method, params, options),
      on: (event, listener) => this.#listen(contract, event, listener as (payload: unknown) => void),
    };
  }

  /** Sends an event to the other end. Payloads are checked by the receiver; ours are trusted. */
  emit(event: string, payload: unknown): void {
    this.#send({ t: "event", event, payload });
  }

  /** Bytes waiting to be sent; an emitter of a stream of events pauses when this is large. */
  get backlogBytes(): number {
    return this.#stream.writableLength;
  }

  /** Ends the connection now. Requests in flight are rejected, handlers aborted. May be called twice. */
  destroy(reason: OlpmError = new OlpmError("aborted", "the connection was closed here")): void {
    if (this.#end) return;
    this.#end = reason;
    clearInterval(this.#timer);
    this.#stream.destroy();
    for (const pending of [...this.#pending.values()]) pending.settle({ error: reason });
    for (const controller of this.#handling.values()) controller.abort(reason);
    this.#resolveClosed(reason);
  }

  #send(message: z.input<typeof Message>): void {
    if (!this.#end) this.#stream.write(encodeFrame(message));
  }

  #call(contract: Contract, method: string, params: unknown, options: CallOptions = {}): Promise<any> {
    if (this.#end) return Promise.reject(this.#end);
    if (options.signal?.aborted) return Promise.reject(abortError(options.signal));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const deadlineMs = options.deadlineMs ?? 30_000;
      const settle: Pending["settle"] = (outcome) => {
        clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
        this.#pending.delete(id);
        if ("error" in outcome) return reject(outcome.error);
        const parsed = contract.methods[method]!.result.safeParse(outcome.ok);
        if (parsed.success) resolve(parsed.data);
        else reject(new OlpmError("internal", `${this.caller} answered ${method} in a form that the contract does not know: ${z.prettifyError(parsed.error)}`));
      };
      const give = (error: OlpmError) => {
        this.#send({ t: "stop", id });
        settle({ error });
      };
      const onAbort = () => give(abortError(options.signal!));
      const timer = Number.isFinite(deadlineMs) ? setTimeout(() => give(new OlpmError("timeout", `${this.caller} did not answer ${method} within ${deadlineMs} ms`, { retryable: true })), deadlineMs) : undefined;
      options.signal?.addEventListener("abort", onAbort, { once: true });
      this.#pending.set(id, { settle });
      this.#send({ t: "call", id, method, params });
    });
  }

  #listen(contract: Contract, event: string, listener: (payload: unknown) => void): () => void {
    const schema = contract.events[event]!;
    const checked = (payload: unknown) => {
      const parsed = schema.safeParse(payload);
      if (parsed.success) listener(parsed.data);
      else this.#options.log.warn({ event, from: this.caller, issues: z.prettifyError(parsed.error) }, "event dropped: not in the contract's form");
    };
    const set = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, set.add(checked));
    return () => set.delete(checked);
  }

  #take(raw: unknown): void {
    const parsed = Message.safeParse(raw);
    if (!parsed.success) throw new OlpmError("invalid-argument", `${this.caller} sent a message of unknown form`);
    const message = parsed.data;
    switch (message.t) {
      case "call":
        return void this.#handle(message.id, message.method, message.params);
      case "ok":
        return this.#pending.get(message.id)?.settle({ ok: message.result });
      case "err": {
        const { code, message: text, hsc, action, retryable, reportedBy } = message.error;
        return this.#pending.get(message.id)?.settle({ error: new OlpmError(code, text, { hsc, action, retryable, reportedBy: reportedBy ?? this.caller }) });
      }
      case "stop":
        return this.#handling.get(message.id)?.abort(new OlpmError("aborted", "the caller stopped waiting"));
      case "event":
        for (const listener of this.#listeners.get(message.event) ?? []) listener(message.payload);
        return;
      case "ping":
        return;
    }
  }

  async #handle(id: number, method: string, params: unknown): Promise<void> {
    const serves = this.#options.serves;
    const definition = serves?.contract.methods[method];
    const controller = new AbortController();
    try {
      if (!serves || !definition || !Object.hasOwn(serves.contract.methods, method)) throw new OlpmError("unsupported", `no method ${method} here`);
      if (this.#handling.size >= CALLS_MAX) throw new OlpmError("limit-reached", `more than ${CALLS_MAX} requests in flight`, { retryable: true });
      const parsed = definition.params.safeParse(params);
      if (!parsed.success) throw new OlpmError("invalid-argument", `${method}: ${z.prettifyError(parsed.error)}`);
      this.#handling.set(id, controller);
      const handler = (serves.handlers as Record<string, (p: unknown, c: CallContext) => Promise<unknown>>)[method]!;
      const result = await handler(parsed.data, { signal: controller.signal, caller: this.caller, peer: this });
      this.#send({ t: "ok", id, result: result ?? {} });
    } catch (thrown) {
      const error = toOlpmError(thrown, method);
      if (error.code === "internal") this.#options.log.error({ err: thrown, method, caller: this.caller }, "request failed");
      const { code, message, hsc, action, retryable } = error;
      this.#send({ t: "err", id, error: { code: code as ErrorCode, message, hsc, action, retryable, reportedBy: error.reportedBy ?? this.#options.self } });
    } finally {
      this.#handling.delete(id);
    }
  }
}
