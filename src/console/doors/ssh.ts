/** The SSH door: takes connections within its limits. What one connection may do is in ssh-connection.ts. */
import type net from "node:net";
import type { Logger } from "../../kit/log.js";
import type { Users } from "../users/users.js";
import { hostKeys } from "./host-keys.js";
import type { DoorServices } from "./session.js";
import { SshConnection, type Deadlines } from "./ssh-connection.js";

/** Connections before their log-in; more are closed at once. */
const PENDING_MAX = 32;

export interface SshDoorOptions {
  readonly stateDir: string;
  readonly users: Users;
  readonly services: DoorServices;
  readonly sessionsMax: number;
  readonly deadlines?: Deadlines;
  readonly log: Logger;
}

export class SshDoor {
  readonly #options: SshDoorOptions;
  readonly #keys: readonly Buffer[];
  readonly #open = new Set<SshConnection>();
  readonly #pending = new Set<SshConnection>();
  readonly #listeners: net.Server[] = [];

  constructor(options: SshDoorOptions) {
    this.#options = options;
    this.#keys = hostKeys(options.stateDir);
  }

  /** Takes the connections of a listening socket. */
  serve(listener: net.Server): void {
    this.#listeners.push(listener);
    listener.on("connection", (socket) => this.#take(socket));
  }
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#open) connection.end();
  }

  #take(socket: net.Socket): void {
    const { users, services, sessionsMax, deadlines, log } = this.#options;
    if (this.#pending.size >= PENDING_MAX || this.#open.size >= sessionsMax) {
      log.warn({ from: socket.remoteAddress, pending: this.#pending.size, open: this.#open.size }, "ssh connection refused: too many");
      socket.destroy();
      return;
    }
    const connection: SshConnection = new SshConnection(socket, {
      keys: this.#keys,
      users,
      services,
      ...(deadlines && { deadlines }),
      log,
      onLogin: () => this.#pending.delete(connection),
      onClose: () => {
        this.#pending.delete(connection);
        this.#open.delete(connection);
      },
    });
    this.#pending.add(connection);
    this.#open.add(connection);
  }
}
