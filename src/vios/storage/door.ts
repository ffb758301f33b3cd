/**
 * A door of a Virtual I/O Server: one storage daemon, the exports in it and the account that may connect. Devices of one client lie behind it, so that a
 * client which breaks out of its machine finds no other's (an NBD server of QEMU gives every export to whoever reaches its socket).
 *
 *   shut -> open (daemon runs) -> published (clients come in) -> shut ; a lost daemon leaves it shut, and `onLost` is told
 */
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { StorageDaemon } from "./daemon.js";
import { Exports } from "./exports.js";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}
const ROOT: Account = { uid: 0, gid: 0 };

export interface DoorOptions {
  readonly socket: string;
  readonly initiatorName: string;
  readonly log: Logger;
  /** the daemon ended without being asked to */
  readonly onLost: (door: Door) => void;
}

export class Door {
  readonly socket: string;
  readonly #options: DoorOptions;
  #account = ROOT;
  #daemon: StorageDaemon | undefined;
  #exports: Exports | undefined;
  #opening: Promise<Exports> | undefined;
  #published = false;

  constructor(options: DoorOptions) {
    this.socket = options.socket;
    this.#options = options;
  }

  /** undefined while it is shut */
  get exports(): Exports | undefined {
    return this.#exports;
  }
  get published(): boolean {
    return this.#published;
  }

  /** Starts the daemon if none runs. @throws OlpmError storage-failed */
  open(): Promise<Exports> {
    if (this.#exports) return Promise.resolve(this.#exports);
    this.#opening ??= this.#start().finally(() => (this.#opening = undefined));
    return this.#opening;
  }
  /** Clients come in from here on. */
  publish(): void {
    if (!this.#daemon) throw new OlpmError("storage-failed", "the storage daemon ended", { retryable: true });
    this.#daemon.publish(this.#account);
    this.#published = true;
  }
  /** Whose it is from here on. */
  give(account: Account): void {
    this.#account = account;
    if (this.#published) this.#daemon?.publish(account);
  }
  /** Exports closed, written data flushed, sessions logged out. */
  async shut(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const daemon = this.#daemon;
    this.#forget();
    await daemon?.quit();
  }

  async #start(): Promise<Exports> {
    const { socket, initiatorName, log, onLost } = this.#options;
    const daemon = await StorageDaemon.start({
      nbdSocket: socket,
      log,
      onLost: () => {
        if (this.#daemon !== daemon) return;
        this.#forget(); // nothing has a way to its LUN now
        onLost(this);
      },
    });
    this.#daemon = daemon;
    return (this.#exports = new Exports(daemon, initiatorName));
  }
  #forget(): void {
    this.#daemon = undefined;
    this.#exports = undefined;
    this.#published = false;
  }
}
