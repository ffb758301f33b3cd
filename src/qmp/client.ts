/**
 * QMP, QEMU's machine protocol, over a unix socket: greeting, capabilities, commands one after the other, events. QEMU answers commands in order.
 * A timeout and the loss of QEMU are different errors, since callers act differently on them. Source: QEMU docs/interop/qmp-spec.
 *
 *   (attach) connecting, again and again -> greeted -> ready -> lost
 */
import net from "node:net";
import { OlpmError } from "../kit/errors.js";
import { within } from "../kit/wait.js";

export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** when QEMU says it happened, ms since the epoch of its host */
  readonly at: number;
}
interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: OlpmError) => void;
}

/** Commands that wait for something inside QEMU get more than the others. */
const DEADLINE_MS: Readonly<Record<string, number>> = { cont: 20_000, stop: 20_000, "blockdev-add": 20_000, migrate_cancel: 20_000 };
const DEADLINE_MS_DEFAULT = 10_000;
/** A QEMU that is busy or blocked in a write greets nobody; that is no reason to keep every caller waiting. */
const READY_MS_MAX = 2_000;
/** QEMU's monitor has a short queue of connections, which earlier tries may fill for a while. */
const CONNECT_AGAIN_MS = 250;
/** Asked so often that they would drown everything else in the transcript. */
const CHATTY = new Set(["query-migrate", "query-status"]);
const TRANSCRIPT_LINES_MAX = 200;
/** A line longer than this is not from QEMU. */
const LINE_BYTES_MAX = 4 << 20;

export class QmpClient {
  #socket!: net.Socket;
  readonly #path: string;
  readonly #waiting: Waiting[] = [];
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #transcript: string[] = [];
  #text = "";
  #lost: OlpmError | undefined;
  #again: NodeJS.Timeout | undefined;
  #greet!: () => void;
  #beReady!: () => void;
  #isReady = false;
  readonly #ready = new Promise<void>((resolve) => (this.#beReady = resolve));
  readonly closed: Promise<OlpmError>;
  #resolveClosed!: (error: OlpmError) => void;

  private constructor(path: string, persistent: boolean) {
    this.#path = path;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
    this.#open(persistent);
  }

  /** Connects and agrees on capabilities. @throws not-found | peer-lost | timeout */
  static async connect(path: string, deadlineMs = 10_000): Promise<QmpClient> {
    const client = new QmpClient(path, false);
    try {
      await within(Promise.race([client.#ready, client.closed.then((error) => Promise.reject(error))]), deadlineMs, `QEMU's greeting on ${path}`);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** The monitor of a QEMU that lives but may not answer now: connects when it can. Until then commands are not sent, and end with a timeout soon; close() ends the trying. */
  static attach(path: string): QmpClient {
    return new QmpClient(path, true);
  }

  /** @throws refused with QEMU's description | timeout | peer-lost */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}, deadlineMs = DEADLINE_MS[command] ?? DEADLINE_MS_DEFAULT): Promise<any> {
    if (!this.#isReady && !this.#lost) await within(Promise.race([this.#ready, this.closed]), Math.min(deadlineMs, READY_MS_MAX), `QEMU's greeting on ${this.#path}`);
    return within(this.#send(command, args), deadlineMs, `QEMU's answer to ${command}`);
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** what was said lately, without the chatty commands */
  get transcript(): readonly string[] {
    return this.#transcript;
  }
  get alive(): boolean {
    return this.#lost === undefined;
  }
  close(): void {
    this.#lose("QEMU's monitor was closed");
    this.#socket.destroy();
  }

  /** `persistent`: what fails before QEMU is ready is tried again. */
  #open(persistent: boolean): void {
    const socket = net.connect(this.#path);
    this.#socket = socket;
    this.#text = "";
    const greeted = new Promise<void>((resolve) => (this.#greet = resolve));
    const failed = (why: string) => {
      if (socket !== this.#socket || this.#lost) return;
      if (!persistent || this.#isReady) return this.#lose(why);
      this.#waiting.length = 0; // nobody's but our own first command
      clearTimeout(this.#again);
      this.#again = setTimeout(() => this.#lost ?? this.#open(true), CONNECT_AGAIN_MS);
      this.#again.unref();
    };
    socket.on("close", () => failed("QEMU closed its monitor"));
    socket.on("error", (error) => failed(`QEMU's monitor: ${error.message}`));
    socket.setEncoding("utf8");
    socket.on("data", (chunk: unknown) => this.#take(String(chunk)));
    void greeted.then(() => this.#send("qmp_capabilities", {})).then(
      () => {
        this.#isReady = true;
        this.#beReady();
      },
      (error: unknown) => socket.destroy(error as Error),
    );
  }
  #lose(why: string): void {
    if (this.#lost) return;
    clearTimeout(this.#again);
    this.#lost = new OlpmError("peer-lost", why);
    for (const one of this.#waiting.splice(0)) one.reject(this.#lost);
    this.#resolveClosed(this.#lost);
  }
  #send(command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#lost) return Promise.reject(this.#lost);
    const line = JSON.stringify({ execute: command, arguments: args });
    if (!CHATTY.has(command)) this.#note(`> ${line}`);
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    answer.catch(() => undefined); // after a timeout nobody else looks at a late refusal
    this.#socket.write(`${line}\n`);
    return answer;
  }

  #take(chunk: string): void {
    this.#text += chunk;
    for (let end; (end = this.#text.indexOf("\n")) >= 0; ) {
      const line = this.#text.slice(0, end).trim();
      this.#text = this.#text.slice(end + 1);
      if (line !== "") this.#message(line);
    }
    if (this.#text.length > LINE_BYTES_MAX) this.#socket.destroy(new Error("a line over the limit"));
  }

  #message(line: string): void {
    let message: Record<string, any>;
    try {
      message = JSON.parse(line) as Record<string, any>;
    } catch {
      this.#socket.destroy(new Error("a line that is not JSON"));
      return;
    }
    if ("QMP" in message) return this.#greet();
    if ("event" in message) {
      this.#note(`< ${line}`);
      const { seconds, microseconds } = (message["timestamp"] ?? {}) as { seconds?: number; microseconds?: number };
      const at = seconds === undefined ? Date.now() : seconds * 1_000 + (microseconds ?? 0) / 1_000;
      for (const listener of [...this.#listeners]) listener({ event: String(message["event"]), data: message["data"] ?? {}, at });
      return;
    }
    const waiting = this.#waiting.shift();
    if (!waiting) return;
    if ("error" in message) {
      this.#note(`< ${line}`);
      waiting.reject(new OlpmError("refused", `QEMU: ${String(message["error"]?.desc)}`));
    } else waiting.resolve(message["return"]);
  }

  #note(line: string): void {
    this.#transcript.push(line.slice(0, 500));
    if (this.#transcript.length > TRANSCRIPT_LINES_MAX) this.#transcript.shift();
  }
}
