/** A connection from this managed system to another one, for the length of one migration; it reconnects when it is used after a loss. */
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { RpcPeer, type CallOptions, type Client } from "../../wire/rpc.js";
import { systemSystem, type SystemSystem } from "../../wire/system-system.js";
import { connectTls, type TlsFiles } from "../../wire/transport.js";

export interface PeerEndpoint {
  readonly host: string;
  readonly port: number;
  readonly name: string;
}

/** Another managed system as a migration sees it. */
export interface Peer {
  readonly client: Client<SystemSystem>;
  close(): void;
}
/** How this system reaches others; a simulation has its own. */
export type ConnectPeer = (endpoint: PeerEndpoint, log: Logger) => Peer;

export class PeerSystem implements Peer {
  readonly endpoint: PeerEndpoint;
  readonly #tls: TlsFiles;
  readonly #self: string;
  readonly #log: Logger;
  #connecting: Promise<RpcPeer> | undefined;
  #closed = false;

  constructor(endpoint: PeerEndpoint, options: { readonly tls: TlsFiles; readonly self: string; readonly log: Logger }) {
    this.endpoint = endpoint;
    this.#tls = options.tls;
    this.#self = options.self;
    this.#log = options.log;
  }

  /** Calls are rejected with `peer-lost` when the link breaks; the next call connects anew. */
  readonly client: Client<SystemSystem> = {
    call: async (method, params, options?: CallOptions) => (await this.#peer()).client(systemSystem).call(method, params, options),
    on: () => () => undefined,
  };

  close(): void {
    this.#closed = true;
    void this.#connecting?.then((peer) => peer.destroy(), () => undefined);
  }

  async #peer(): Promise<RpcPeer> {
    if (this.#closed) throw new OlpmError("aborted", "the migration is over");
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  /** Late callers share the attempt; a failed or lost connection is forgotten, so that the next caller tries anew. */
  #connect(): Promise<RpcPeer> {
    const forget = () => (this.#connecting = undefined);
    const attempt = connectTls(this.endpoint, this.#tls, this.endpoint.name).then((socket) => {
      const peer = new RpcPeer(socket, { self: this.#self, caller: this.endpoint.name, log: this.#log });
      void peer.closed.then(forget);
      return peer;
    });
    attempt.catch(forget);
    return attempt;
  }
}
