/**
 * The console's connection to one managed system: kept up for ever, with its cache of what that system said last. Listeners are put on before the first
 * question, so that no change falls between. Older news than the cache's is dropped; what an earlier connection said is older than all that a new one says,
 * whatever its revision: a system whose clock was put back counts from there.
 *
 *   connecting -> connected -> (lost) -> connecting ...
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { delay, within } from "../../kit/wait.js";
import type { LparView } from "../../model/lpar.js";
import type { MigrationRecord } from "../../model/migration.js";
import type { SystemView } from "../../model/system.js";
import { consoleSystem, type ConsoleSystem } from "../../wire/console-system.js";
import { RpcPeer, type CallOptions, type Client, type EventName, type EventOf, type MethodName, type Params, type Result } from "../../wire/rpc.js";
import { connectTls, type TlsFiles } from "../../wire/transport.js";
import type { ManagedSystem } from "../contract.js";

const RETRY_MS = { first: 100, most: 5_000 } as const;
/** A call that finds no connection waits for the next one this long. */
const CONNECT_WAIT_MS = 3_000;

export interface ConnectionOptions {
  readonly endpoint: { readonly host: string; readonly port: number; readonly name: string };
  readonly systemName: string;
  readonly tls: TlsFiles;
  readonly self: string;
  readonly log: Logger;
  readonly onMigration: (record: MigrationRecord) => void;
  /** after each successful connection, when the cache is filled */
  readonly onConnected: () => void;
}

type Subscription = { readonly event: EventName<ConsoleSystem>; readonly listener: (payload: never) => void };

export class SystemConnection implements ManagedSystem {
  readonly name: string;
  readonly endpoint: ConnectionOptions["endpoint"];
  readonly #options: ConnectionOptions;
  readonly #stop = new AbortController();
  readonly #lpars = new Map<number, LparView>();
  /** partitions of which this connection has said something */
  #said = new Set<number>();
  readonly #subscriptions = new Set<Subscription>();
  #view: SystemView | null = null;
  #peer: RpcPeer | undefined;
  #waiting: (() => void)[] = [];
  /** ends the pause between two tries */
  #hurry = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.name = options.systemName;
    this.endpoint = options.endpoint;
    this.#running = this.#keep();
  }

  get connected(): boolean {
    return this.#peer?.alive === true;
  }
  get view(): SystemView | null {
    return this.#view;
  }
  lpars(): readonly LparView[] {
    return [...this.#lpars.values()].sort((a, b) => a.lparId - b.lparId);
  }

  /** Uses whatever connection there is; listeners outlive it. */
  readonly client: Client<ConsoleSystem> = {
    call: async <M extends MethodName<ConsoleSystem>>(method: M, params: Params<ConsoleSystem, M>, options?: CallOptions): Promise<Result<ConsoleSystem, M>> => (await this.#connection(options?.signal)).client(consoleSystem).call(method, params, options),
    on: <E extends EventName<ConsoleSystem>>(event: E, listener: (payload: EventOf<ConsoleSystem, E>) => void) => {
      const subscription: Subscription = { event, listener };
      this.#subscriptions.add(subscription);
      return () => this.#subscriptions.delete(subscription);
    },
  };

  async refresh(signal?: AbortSignal): Promise<void> {
    await this.#load(await this.#connection(signal), signal);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#peer?.destroy();
    await this.#running;
  }

  async #keep(): Promise<void> {
    const { endpoint, tls, log, systemName, self } = this.#options;
    let pause: number = RETRY_MS.first;
    let said = "";
    while (!this.#stop.signal.aborted) {
      try {
        const socket = await connectTls(endpoint, tls, endpoint.name, { signal: this.#stop.signal });
        const peer = new RpcPeer(socket, { self, caller: endpoint.name, log });
        this.#said = new Set();
        this.#listen(peer);
        await this.#load(peer, this.#stop.signal);
        this.#peer = peer;
        for (const wake of this.#waiting.splice(0)) wake();
        log.info({ system: systemName }, "connected to the managed system");
        pause = RETRY_MS.first;
        said = "";
        this.#options.onConnected();
        const reason = await peer.closed;
        if (!this.#stop.signal.aborted) log.warn({ system: systemName, reason: reason.message }, "the connection to the managed system was lost");
      } catch (thrown) {
        const { message } = toOlpmError(thrown, `connecting to ${systemName}`);
        if (message !== said && !this.#stop.signal.aborted) log.warn({ system: systemName, reason: message }, "the managed system can not be reached; trying again");
        said = message;
        if (this.#waiting.length > 0) pause = RETRY_MS.first;
        await delay(pause, AbortSignal.any([this.#stop.signal, (this.#hurry = new AbortController()).signal])).catch(() => undefined);
        pause = Math.min(pause * 2, RETRY_MS.most);
      }
    }
  }

  #listen(peer: RpcPeer): void {
    const client = peer.client(consoleSystem);
    const forward = <E extends EventName<ConsoleSystem>>(event: E, first: (payload: EventOf<ConsoleSystem, E>) => void) =>
      client.on(event, (payload) => {
        first(payload);
        for (const one of [...this.#subscriptions]) if (one.event === event) one.listener(payload as never);
      });
    forward("system.changed", (view) => {
      if (!this.#view || view.revision > this.#view.revision || view.pid !== this.#view.pid) this.#view = view;
    });
    forward("lpar.changed", (view) => this.#put(view));
    forward("lpar.removed", ({ lparId, revision }) => {
      if (!this.#isOlder(lparId, revision)) this.#lpars.delete(lparId);
    });
    forward("migration.changed", (record) => this.#options.onMigration(record));
    forward("vterm.data", () => undefined);
    forward("vterm.closed", () => undefined);
  }

  async #load(peer: RpcPeer, signal?: AbortSignal): Promise<void> {
    const client = peer.client(consoleSystem);
    const [view, { lpars }] = await Promise.all([client.call("system.get", {}, { signal }), client.call("lpar.list", {}, { signal })]);
    if (!this.#view || view.revision > this.#view.revision || view.pid !== this.#view.pid) this.#view = view;
    const ids = new Set<number>(lpars.map((one) => one.lparId));
    for (const id of [...this.#lpars.keys()]) if (!ids.has(id)) this.#lpars.delete(id);
    for (const one of lpars) this.#put(one);
  }
  #put(view: LparView): void {
    if (this.#isOlder(view.lparId, view.revision)) return;
    this.#lpars.set(view.lparId, view);
    this.#said.add(view.lparId);
  }
  /** Than what this connection said. */
  #isOlder(lparId: number, revision: number): boolean {
    return this.#said.has(lparId) && revision < (this.#lpars.get(lparId)?.revision ?? 0);
  }

  async #connection(signal?: AbortSignal): Promise<RpcPeer> {
    if (this.#peer?.alive) return this.#peer;
    this.#hurry.abort(); // who waits longest between two tries is who asks first after the system came back
    let wake!: () => void;
    const connected = new Promise<void>((resolve) => this.#waiting.push((wake = resolve)));
    await within(connected, CONNECT_WAIT_MS, this.name, signal)
      .catch((error: unknown) => {
        if (toOlpmError(error, "").code !== "timeout") throw error;
      })
      .finally(() => (this.#waiting = this.#waiting.filter((one) => one !== wake)));
    if (this.#peer?.alive) return this.#peer;
    throw new OlpmError("peer-lost", `The managed system ${this.name} can not be reached (No Connection).`, { hsc: "HSCL0237", action: "Check that its host and its openlpm system process run.", retryable: true });
  }
}
