/**
 * The mover of a Virtual I/O Server: pairs with the mover of the other system for one migration, and watches the channel that carries the state.
 *
 *   receive: waiting -> (ticket shown) -> streaming -> finished | failed
 *   send:    waiting -> (peer answered) -> streaming -> finished | failed
 *
 * The movers authenticate each other by TLS 1.3 and a ticket for this one migration; the channel's keys come from that connection and are never sent.
 * The control connection stays while the channel streams: its loss before the end is the loss of the peer.
 */
import { timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { Server, TLSSocket } from "node:tls";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { until, within } from "../kit/wait.js";
import type { MigrationId } from "../model/ids.js";
import type { MoverWay } from "../model/migration.js";
import { EXPORTER_LABEL, KEY_BYTES, moverMover, MOVER_VERSION, type MoverMover } from "../wire/mover-mover.js";
import { RpcPeer, type Client, type Handlers, type Params } from "../wire/rpc.js";
import type { MoverState } from "../wire/system-vios.js";
import { connectTls, listenTls, type Accepted, type TlsFiles } from "../wire/transport.js";
import { Channel, type ChannelNews } from "./channel.js";

/** A peer that says nothing for this long is lost. */
const SILENCE_MS_MAX = 8_000;
const PAIR_MS_MAX = 10_000;
const PROBE_MS_MAX = 5_000;
/** A receiver that nobody comes to is given up after this. */
const UNUSED_MS_MAX = 600_000;
const TELL_EVERY_MS = 500;
const FAREWELL_MS_MAX = 200;
const PEERS_MAX = 64;
/** Bytes of the bursts of a measurement; the next one is sent only when the last was too short to tell, and on a slow link not for long. */
const BURSTS = [128 << 10, 1 << 20, 4 << 20] as const;
const BURST_MS_ENOUGH = 30;
const BURST_BYTES_ENOUGH = 1 << 20;
const BURSTS_MS_MAX = 120;

export interface MoverPeer {
  readonly host: string;
  readonly port: number;
  readonly name: string;
}
export interface MoverOptions {
  readonly host: string;
  readonly port: number;
  readonly concurrentMax: number;
  /** networks (ADDRESS/PREFIX) in which a peer's link needs no encryption */
  readonly trusted: readonly string[];
  readonly tls: TlsFiles;
  /** the channel program */
  readonly program: string;
  /** name in our certificate: `vios:SYSTEM/NAME` */
  readonly self: string;
  readonly runDir: string;
  readonly log: Logger;
}

interface Stream {
  readonly id: MigrationId;
  readonly side: "source" | "destination";
  /** destination only */
  readonly ticket: string | null;
  readonly takeSocket: string | null;
  way: MoverWay | null;
  ticketUsed: boolean;
  state: MoverState["state"];
  detail: string;
  counters: { in: number; out: number; link: number };
  movedAt: number;
  toldAt: number;
  channel: Channel | undefined;
  control: RpcPeer | undefined;
  /** source: resolves when it streams */
  sending: Promise<{ way: MoverWay }> | undefined;
  waiters: { resolve: (news: ChannelNews) => void }[];
  unused: NodeJS.Timeout | undefined;
}

export class MoverService {
  readonly #options: MoverOptions;
  readonly #streams = new Map<string, Stream>();
  readonly #listeners = new Set<(state: MoverState) => void>();
  readonly #trusted = new BlockList();
  #server: Server | undefined;
  #port = 0;
  #peers = 0;

  constructor(options: MoverOptions) {
    this.#options = options;
    for (const network of options.trusted) {
      const [address = "", prefix = ""] = network.split("/");
      this.#trusted.addSubnet(address, Number(prefix), isIP(address) === 6 ? "ipv6" : "ipv4");
    }
  }

  /** Begins to listen for peers. */
  async start(): Promise<void> {
    const { host, port, tls } = this.#options;
    this.#server = await listenTls({ host, port }, tls, (accepted) => this.#accept(accepted));
    const address = this.#server.address();
    this.#port = typeof address === "object" && address ? address.port : port;
  }

  async close(): Promise<void> {
    this.#server?.close();
    await Promise.all([...this.#streams.keys()].map((id) => this.stop(id)));
  }

  states(): MoverState[] {
    return [...this.#streams.values()].map(stateOf);
  }
  onChange(listener: (state: MoverState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Destination: waits for the peer with this ticket. Asked again for the same migration it gives the same answer. @throws limit-reached | conflict */
  async receive(params: { readonly id: MigrationId; readonly ticket: string; readonly takeSocket: string }): Promise<MoverPeer> {
    const known = this.#streams.get(params.id);
    if (known && known.ticket !== params.ticket) throw new OlpmError("conflict", "this migration's channel is open with another ticket");
    if (!known) {
      this.#assertRoom();
      const stream = this.#add(params.id, "destination", params.ticket, params.takeSocket);
      stream.unused = setTimeout(() => this.#fail(stream, "no peer mover came"), UNUSED_MS_MAX);
      stream.unused.unref();
    }
    return { host: this.#options.host, port: this.#port, name: this.#options.self };
  }

  /** Source: pairs with the peer and begins to stream. Resolves when the stream is set up. @throws limit-reached | not-authorised | peer-lost | timeout | refused */
  async send(params: { readonly id: MigrationId; readonly ticket: string; readonly channelSocket: string; readonly peer: MoverPeer }): Promise<{ way: MoverWay }> {
    const known = this.#streams.get(params.id);
    if (known?.sending) return known.sending;
    this.#assertRoom();
    const stream = this.#add(params.id, "source", null, null);
    stream.sending = this.#pair(stream, params).catch(async (error: unknown) => {
      this.#fail(stream, toOlpmError(error, "pairing the movers").message);
      throw error;
    });
    return stream.sending;
  }

  /** Ends and forgets the stream of this migration; the peer hears the reason. Unknown counts as ended. */
  async stop(id: string, reason?: string): Promise<void> {
    const stream = this.#streams.get(id);
    if (!stream) return;
    this.#streams.delete(id);
    clearTimeout(stream.unused);
    const { control } = stream;
    if (reason !== undefined && control) {
      // The reason leaves before the connections break, so that the peer does not tell its operator of a broken connection.
      control.emit("mover.ended", { id: stream.id, state: "failed", detail: reason });
      await until(() => (control.backlogBytes === 0 || !control.alive ? true : undefined), { what: "telling the peer mover", deadlineMs: FAREWELL_MS_MAX, everyMs: 5 }).catch(() => undefined);
    }
    stream.channel?.kill();
    control?.destroy();
    await stream.channel?.ended;
  }

  /** Opens and closes an authenticated connection to a peer; with `measure` also sends it a burst, and says what the link carried. */
  async probe(peer: MoverPeer, measure = false): Promise<{ reachable: boolean; detail: string; bytesPerSecond: number | null }> {
    try {
      const socket = await connectTls(peer, this.#options.tls, peer.name, { deadlineMs: PROBE_MS_MAX });
      const control = new RpcPeer(socket, { self: this.#options.self, caller: peer.name, log: this.#options.log });
      try {
        const { version } = await control.client(moverMover).call("mover.hello", { version: MOVER_VERSION }, { deadlineMs: PROBE_MS_MAX });
        if (version !== MOVER_VERSION) return { reachable: false, detail: `${peer.name} speaks version ${version} of the mover protocol, this mover ${MOVER_VERSION}`, bytesPerSecond: null };
        return { reachable: true, detail: "", bytesPerSecond: measure ? await burst(control.client(moverMover)) : null };
      } finally {
        control.destroy();
      }
    } catch (error) {
      return { reachable: false, detail: toOlpmError(error, `reaching ${peer.name}`).message, bytesPerSecond: null };
    }
  }

  async #pair(stream: Stream, params: { readonly ticket: string; readonly channelSocket: string; readonly peer: MoverPeer }): Promise<{ way: MoverWay }> {
    const { peer } = params;
    const socket = await connectTls(peer, this.#options.tls, peer.name, { deadlineMs: PAIR_MS_MAX });
    const control = new RpcPeer(socket, { self: this.#options.self, caller: peer.name, log: this.#options.log, silenceMsMax: SILENCE_MS_MAX });
    // What was given up while this waited is nobody's any more: nothing of it may stay.
    const assertWanted = () => {
      if (this.#streams.get(stream.id) === stream && stream.state === "waiting") return;
      control.destroy();
      throw new OlpmError("aborted", stream.detail || "the mover was closed while it was being paired");
    };
    assertWanted();
    this.#watchControl(stream, control);
    const ways: MoverWay[] = this.#trusts(peer.host) ? ["direct", "sealed"] : ["sealed"];
    const { port, way } = await control.client(moverMover).call("mover.offer", { version: MOVER_VERSION, id: stream.id, ticket: params.ticket, ways }, { deadlineMs: PAIR_MS_MAX });
    assertWanted();
    if (!ways.includes(way)) throw new OlpmError("refused", `${peer.name} wants the ${way} way, which was not offered`);
    this.#openChannel(stream, way, ["send", params.channelSocket, peer.host, String(port)], keysOf(socket, stream.id));
    await this.#next(stream, "streaming");
    return { way };
  }

  #accept({ socket, caller }: Accepted): void {
    if (this.#peers >= PEERS_MAX || !caller.startsWith("vios:")) return void socket.destroy();
    this.#peers++;
    const handlers: Handlers<MoverMover> = {
      "mover.hello": async () => ({ version: MOVER_VERSION }),
      "mover.sink": async () => ({}),
      "mover.offer": ({ version, id, ticket, ways }, { peer }) => this.#offered({ version, id, ticket, ways }, peer, socket as TLSSocket),
    };
    const control = new RpcPeer(socket, { self: this.#options.self, caller, log: this.#options.log, silenceMsMax: SILENCE_MS_MAX, serves: { contract: moverMover, handlers } });
    void control.closed.then(() => this.#peers--);
  }

  async #offered(offer: Params<MoverMover, "mover.offer">, control: RpcPeer, socket: TLSSocket): Promise<{ port: number; way: MoverWay }> {
    const { version, id, ticket, ways } = offer;
    if (version !== MOVER_VERSION) throw new OlpmError("unsupported", `this mover speaks version ${MOVER_VERSION} of the mover protocol, the peer ${version}`);
    const stream = this.#streams.get(id);
    // One answer for an unknown migration, a wrong ticket and one that was used: a stranger learns nothing.
    if (!stream || stream.ticket === null || stream.ticketUsed || stream.state !== "waiting" || !sameText(stream.ticket, ticket)) {
      this.#options.log.warn({ migration_id: id, caller: control.caller }, "a mover was refused: no such migration waits, or the ticket is not good");
      throw new OlpmError("not-authorised", "no migration waits here for this ticket");
    }
    stream.ticketUsed = true;
    clearTimeout(stream.unused);
    this.#watchControl(stream, control);
    // In the clear only where both ends trust the link; what the source offers says what its own configuration trusts.
    const way: MoverWay = ways.includes("direct") && this.#trusts(socket.remoteAddress ?? "") ? "direct" : "sealed";
    this.#openChannel(stream, way, ["receive", this.#options.host, (socket.remoteAddress ?? "").replace(/^::ffff:/i, ""), stream.takeSocket!], keysOf(socket, stream.id));
    const news = await this.#next(stream, "port");
    return { port: news.kind === "port" ? news.port : 0, way };
  }

  /** True for an address in one of the networks that the operator trusts. */
  #trusts(address: string): boolean {
    return this.#trusted.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }

  #openChannel(stream: Stream, way: MoverWay, words: readonly string[], keys: Buffer): void {
    stream.way = way;
    stream.channel = new Channel(this.#options.program, [...words, way], keys, (news) => this.#hear(stream, news));
    keys.fill(0);
  }

  /** The next news of this kind. @throws refused with the channel's words when it ends before | timeout */
  #next(stream: Stream, kind: ChannelNews["kind"]): Promise<ChannelNews> {
    const wait = new Promise<ChannelNews>((resolve, reject) => {
      stream.waiters.push({
        resolve: (news) => {
          if (news.kind === kind) resolve(news);
          else if (news.kind === "failed") reject(new OlpmError("refused", news.detail));
        },
      });
    });
    return within(wait, PAIR_MS_MAX, "setting up the channel between the movers");
  }

  #hear(stream: Stream, news: ChannelNews): void {
    for (const waiter of stream.waiters) waiter.resolve(news);
    if (news.kind === "failed") return this.#fail(stream, news.detail);
    if (news.kind === "counters") {
      const { counters } = stream;
      if (news.in !== counters.in || news.out !== counters.out) stream.movedAt = performance.now();
      stream.counters = news;
      if (performance.now() - stream.toldAt >= TELL_EVERY_MS) this.#tell(stream);
      return;
    }
    if (news.kind === "streaming" || news.kind === "finished") this.#enter(stream, news.kind, "");
    if (news.kind === "finished") stream.control?.emit("mover.ended", { id: stream.id, state: "finished", detail: "" });
  }

  #watchControl(stream: Stream, control: RpcPeer): void {
    stream.control = control;
    control.client(moverMover).on("mover.ended", (ended) => {
      if (ended.id === stream.id && ended.state === "failed") this.#fail(stream, `the peer mover said: ${ended.detail}`);
    });
    void control.closed.then((reason) => {
      if (stream.control === control) this.#fail(stream, `the connection to the peer mover was lost: ${reason.message}`);
    });
  }

  /** The first reason stays. After the end nothing is a failure any more. */
  #fail(stream: Stream, detail: string): void {
    if (stream.state === "finished" || stream.state === "failed") return;
    stream.control?.emit("mover.ended", { id: stream.id, state: "failed", detail });
    this.#enter(stream, "failed", detail);
    stream.channel?.fail(detail);
    this.#options.log.warn({ migration_id: stream.id, side: stream.side, detail }, "the mover's stream failed");
    for (const waiter of stream.waiters) waiter.resolve({ kind: "failed", detail });
  }

  #enter(stream: Stream, state: MoverState["state"], detail: string): void {
    stream.state = state;
    stream.detail = detail;
    this.#tell(stream);
  }
  #tell(stream: Stream): void {
    stream.toldAt = performance.now();
    if (this.#streams.get(stream.id) === stream) for (const listener of [...this.#listeners]) listener(stateOf(stream));
  }

  #add(id: MigrationId, side: Stream["side"], ticket: string | null, takeSocket: string | null): Stream {
    const stream: Stream = { id, side, ticket, takeSocket, way: null, ticketUsed: false, state: "waiting", detail: "", counters: { in: 0, out: 0, link: 0 }, movedAt: performance.now(), toldAt: 0, channel: undefined, control: undefined, sending: undefined, waiters: [], unused: undefined };
    this.#streams.set(id, stream);
    return stream;
  }
  #assertRoom(): void {
    const busy = [...this.#streams.values()].filter((stream) => stream.state === "waiting" || stream.state === "streaming").length;
    if (busy >= this.#options.concurrentMax) throw new OlpmError("limit-reached", `The mover service partition ${this.#options.self} already carries ${busy} migrations, its limit.`, { hsc: "OLPM-VM05", action: "Wait until one ends, or use another mover service partition.", retryable: true });
  }
}

/** What crossed in a burst, bytes a second: a small one first, which opens the link's window, then one that lasts long enough to be measured. */
async function burst(peer: Client<MoverMover>): Promise<number | null> {
  let rate: number | null = null;
  try {
    const first = performance.now();
    for (const bytes of BURSTS) {
      const began = performance.now();
      await peer.call("mover.sink", { data: "x".repeat(bytes) }, { deadlineMs: PROBE_MS_MAX });
      const ms = performance.now() - began;
      rate = (bytes * 1_000) / ms;
      if ((ms > BURST_MS_ENOUGH && bytes >= BURST_BYTES_ENOUGH) || performance.now() - first > BURSTS_MS_MAX) break;
    }
  } catch {
    return rate; // a peer that knows no bursts, or a link too slow for one
  }
  return rate;
}

function stateOf(stream: Stream): MoverState {
  return { id: stream.id, side: stream.side, way: stream.way, state: stream.state, detail: stream.detail, bytesIn: stream.counters.in, bytesOut: stream.counters.out, bytesOnLink: stream.counters.link, idleMs: Math.round(performance.now() - stream.movedAt) };
}

/** Key source -> destination and key back, known to both ends of this TLS connection only. */
const keysOf = (socket: TLSSocket, id: string): Buffer => socket.exportKeyingMaterial(KEY_BYTES, EXPORTER_LABEL, Buffer.from(id));

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
