/** Virtual terminals: at most one session for each partition, which ends with its connection, with the partition's process, or when somebody closes it. */
import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { OlpmError } from "../kit/errors.js";
import type { LparId } from "../model/ids.js";
import type { RpcPeer } from "../wire/rpc.js";
import type { PartitionProcess } from "./qemu/contract.js";

/** Output that a client has not taken yet; above this the partition's terminal waits. */
const BACKLOG_BYTES_MAX = 1 << 20;
const DRAIN_MS = 20;

interface Session {
  readonly id: string;
  readonly lparId: LparId;
  readonly peer: RpcPeer;
  readonly stream: Duplex;
}

export class Terminals {
  readonly #sessions = new Map<string, Session>();
  readonly #changed: (lparId: LparId) => void;

  constructor(changed: (lparId: LparId) => void) {
    this.#changed = changed;
  }

  isOpen(lparId: LparId): boolean {
    return this.#of(lparId) !== undefined;
  }

  /** @throws OlpmError conflict when a session is open */
  async open(lparId: LparId, name: string, process: PartitionProcess, peer: RpcPeer): Promise<string> {
    if (this.#of(lparId)) throw new OlpmError("conflict", `A terminal session is already open for partition ${name}.`, { action: "Only one open session is allowed for a partition; close it with rmvterm." });
    const stream = await process.openTerminal();
    const session: Session = { id: randomUUID(), lparId, peer, stream };
    this.#sessions.set(session.id, session);
    stream.on("data", (chunk: Buffer) => {
      peer.emit("vterm.data", { session: session.id, data: chunk.toString("base64") });
      if (peer.backlogBytes > BACKLOG_BYTES_MAX) void this.#drain(session);
    });
    const end = () => this.#end(session);
    stream.on("error", end);
    stream.on("close", end);
    void peer.closed.then(end);
    this.#changed(lparId);
    return session.id;
  }

  /** @throws OlpmError not-found */
  write(id: string, data: string, peer: RpcPeer): void {
    const session = this.#sessions.get(id);
    if (!session || session.peer !== peer) throw new OlpmError("not-found", "the terminal session has ended");
    session.stream.write(Buffer.from(data, "base64"));
  }

  close(id: string, peer: RpcPeer): void {
    const session = this.#sessions.get(id);
    if (session?.peer === peer) this.#end(session);
  }
  closeAny(lparId: LparId): void {
    const session = this.#of(lparId);
    if (session) this.#end(session);
  }

  #of(lparId: LparId): Session | undefined {
    return [...this.#sessions.values()].find((session) => session.lparId === lparId);
  }
  #end(session: Session): void {
    if (!this.#sessions.delete(session.id)) return;
    session.stream.destroy();
    session.peer.emit("vterm.closed", { session: session.id });
    this.#changed(session.lparId);
  }
  async #drain(session: Session): Promise<void> {
    session.stream.pause();
    while (session.peer.alive && session.peer.backlogBytes > BACKLOG_BYTES_MAX / 2) await new Promise((resolve) => setTimeout(resolve, DRAIN_MS));
    session.stream.resume();
  }
}
