/**
 * One connection of the SSH door, from its first byte: key exchange -> log-in -> channels. Each stage has its deadline, and after it the socket is destroyed: a
 * client that does not read or does not close its end can not keep it.
 */
import type net from "node:net";
import ssh2, { type Connection } from "ssh2";
import type { Logger } from "../../kit/log.js";
import type { Users } from "../users/users.js";
import { Session, type DoorServices } from "./session.js";
import { serveChannel } from "./ssh-channel.js";
import { METHODS, verdictOn } from "./ssh-login.js";

export interface Deadlines {
  /** from the connection to the first request to log in: programs only, nobody types */
  readonly helloMs: number;
  /** from the connection to the log-in: somebody types a password */
  readonly loginMs: number;
}
export const DEADLINES: Deadlines = { helloMs: 10_000, loginMs: 60_000 };
/** From our goodbye to the end of the socket. */
const GOODBYE_MS_MAX = 5_000;
const FAILURES_MAX = 6;
const KEEPALIVE = { keepaliveInterval: 15_000, keepaliveCountMax: 4 };
const CHANNELS_MAX = 16;

export interface ConnectionOptions {
  readonly keys: readonly Buffer[];
  readonly users: Users;
  readonly services: DoorServices;
  readonly deadlines?: Deadlines;
  readonly log: Logger;
  /** it is past the log-in */
  readonly onLogin: () => void;
  /** the socket is closed */
  readonly onClose: () => void;
}

export class SshConnection {
  readonly #socket: net.Socket;
  readonly #options: ConnectionOptions;
  readonly #gone = new AbortController();
  #client: Connection | undefined;
  #session: Session | undefined;
  #timer: NodeJS.Timeout;
  #failures = 0;
  #asked = false;

  constructor(socket: net.Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    const { helloMs, loginMs } = options.deadlines ?? DEADLINES;
    this.#timer = setTimeout(() => {
      if (!this.#asked) return this.#tooLate("no request to log in");
      this.#timer = setTimeout(() => this.#tooLate("no log-in"), loginMs - helloMs);
    }, helloMs);
    socket.on("close", () => this.#closed());
    // A server object for each connection: it tells of its client only when that has said hello, and not on which socket.
    const server = new ssh2.Server({ hostKeys: [...options.keys], ident: "OpenLPM", ...KEEPALIVE } as ssh2.ServerConfig, (client) => this.#serve(client));
    server.on("error", (error: unknown) => options.log.debug({ err: error }, "ssh connection"));
    server.injectSocket(socket);
  }

  /** Says goodbye and ends. */
  end(): void {
    clearTimeout(this.#timer);
    this.#client?.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), GOODBYE_MS_MAX);
  }

  #tooLate(why: string): void {
    this.#options.log.warn({ from: this.#socket.remoteAddress, why }, "ssh connection dropped");
    this.#socket.destroy();
  }
  #closed(): void {
    clearTimeout(this.#timer);
    this.#gone.abort();
    this.#session?.close();
    this.#options.onClose();
  }

  #serve(client: Connection): void {
    const { users, log } = this.#options;
    this.#client = client;
    client.on("error", (error: unknown) => {
      log.debug({ err: error }, "ssh connection");
      this.end();
    });
    client.on("authentication", (context) => {
      this.#asked = true;
      void verdictOn(context, users, log).then((verdict) => {
        if (verdict === "proved") this.#loggedIn(context.username, context.method);
        if (verdict !== "refused") return context.accept();
        // Clients ask for the methods by the method `none`.
        if (context.method !== "none" && ++this.#failures >= FAILURES_MAX) return this.end();
        context.reject([...METHODS]);
      });
    });
    let channels = 0;
    client.on("session", (accept, reject) => {
      if (!this.#session || channels >= CHANNELS_MAX) return void reject?.();
      channels++;
      serveChannel(accept(), { session: this.#session, signal: this.#gone.signal, ended: () => channels--, log });
    });
  }

  #loggedIn(user: string, method: string): void {
    if (this.#gone.signal.aborted || this.#session) return;
    clearTimeout(this.#timer);
    this.#session = new Session(user, this.#options.services);
    this.#options.log.info({ user, method, from: this.#socket.remoteAddress }, "ssh log-in");
    this.#options.onLogin();
  }
}
