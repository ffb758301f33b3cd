/**
 * The storage daemon's QMP monitor: one JSON object a line over a unix socket, replies matched by id. Only `daemon.ts` uses it. It has no events,
 * since the daemon's state is asked for; the client of a partition's monitor, which has, lies in the qmp room.
 */
import type net from "node:net";
import { OlpmError } from "../../kit/errors.js";
import { within } from "../../kit/wait.js";
import { connectUnix } from "../../wire/transport.js";

/** A line of the monitor is a few kilobytes; a longer one without an end is no monitor. */
const LINE_BYTES_MAX = 4 << 20;
const GREETING_MS_MAX = 5_000;

interface Reply {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

export class Monitor {
  readonly #socket: net.Socket;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #greeted: Promise<void>;
  #greet!: () => void;
  #text = "";
  #nextId = 1;
  #end: OlpmError | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#greeted = new Promise((resolve) => (this.#greet = resolve));
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#push(text));
    socket.on("error", () => undefined); // `close` follows
    socket.on("close", () => this.#finish(new OlpmError("storage-failed", "the storage daemon closed its monitor", { retryable: true })));
  }

  /** @throws OlpmError not-found | peer-lost | timeout */
  static async connect(path: string): Promise<Monitor> {
    const monitor = new Monitor(await connectUnix(path));
    try {
      await within(monitor.#greeted, GREETING_MS_MAX, "greeting of the storage daemon");
      await monitor.call("qmp_capabilities", {}, GREETING_MS_MAX);
      return monitor;
    } catch (error) {
      monitor.close();
      throw error;
    }
  }

  /**
   * Runs one command. After a deadline the daemon may still be at it.
   * @throws OlpmError storage-failed with the daemon's words | timeout
   */
  call(command: string, args: Readonly<Record<string, unknown>>, deadlineMs: number): Promise<unknown> {
    if (this.#end) return Promise.reject(this.#end);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    return within(answer, deadlineMs, `${command} in the storage daemon`).finally(() => this.#pending.delete(id));
  }

  close(): void {
    this.#socket.destroy();
  }

  #push(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      if (line.trim() !== "") this.#take(line);
    }
    if (this.#text.length > LINE_BYTES_MAX) this.#socket.destroy();
  }

  #take(line: string): void {
    let reply: Reply;
    try {
      reply = JSON.parse(line) as Reply;
    } catch {
      this.#socket.destroy();
      return;
    }
    if (reply.QMP !== undefined) this.#greet();
    const pending = reply.id === undefined ? undefined : this.#pending.get(reply.id);
    if (!pending) return; // an event, or an answer that nobody waits for any more
    if (reply.error) pending.reject(new OlpmError("storage-failed", reply.error.desc));
    else pending.resolve(reply.return);
  }

  #finish(reason: OlpmError): void {
    this.#end ??= reason;
    for (const pending of [...this.#pending.values()]) pending.reject(this.#end);
  }
}
