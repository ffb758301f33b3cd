/** A Virtual I/O Server as its system sees it: target devices with gates, and the mover role. Its devices are kept by the system; its streams die with it. */
import { OlpmError } from "../kit/errors.js";
import type { CallOptions, Client, Params, Result } from "../wire/rpc.js";
import type { SystemVios } from "../wire/system-vios.js";
import type { Host } from "./host.js";
import { Stream } from "./partition.js";
import type { Life, World } from "./world.js";

export interface Target {
  readonly vtd: string;
  readonly slot: number;
  readonly lun: string;
  readonly lunBytes: number;
  gate: "open" | "closed";
  /** the way to the LUN is the client's own, as this name */
  readonly wwpn?: string;
}
/** A virtual Fibre Channel server adapter; `wwpn`: as whom it is logged in to the SAN. */
interface FcAdapter {
  readonly clientLparId: number;
  readonly clientSlot: number;
  wwpn: string | null;
}
interface Receiver {
  readonly ticket: string;
  readonly lparId: number;
  stream: Stream | undefined;
}

export class SimVios {
  readonly host: Host;
  readonly lparId: number;
  alive = true;
  /** how often it was started: what was asked of an earlier process is gone with it */
  starts = 1;
  readonly adapters = new Map<number, { readonly clientLparId: number; readonly clientSlot: number }>();
  readonly fc = new Map<number, FcAdapter>();
  readonly targets = new Map<string, Target>();
  readonly sending = new Map<string, Stream>();
  readonly receiving = new Map<string, Receiver>();
  /** of one life of the system */
  readonly moverListeners = new Set<(payload: unknown) => void>();
  /** the SAN does not answer until then */
  sanAwayUntil = 0;

  constructor(host: Host, lparId: number) {
    this.host = host;
    this.lparId = lparId;
  }
  get name(): string {
    return `${this.host.name}/vios${this.lparId}`;
  }
  get #world(): World {
    return this.host.world;
  }

  crash(): void {
    if (!this.alive) return;
    this.alive = false;
    for (const stream of [...this.sending.values(), ...[...this.receiving.values()].flatMap((one) => (one.stream ? [one.stream] : []))]) stream.break(`${this.name} was lost`);
    this.sending.clear();
    this.receiving.clear();
  }
  /** With the gates that ownership says now, and logged in as the partitions that are there (system/mappings.ts). */
  start(mayWrite: (clientLparId: number) => boolean, isPresent: (clientLparId: number) => boolean): void {
    this.alive = true;
    this.starts++;
    for (const [slot, { clientLparId }] of this.fc) if (!isPresent(clientLparId)) this.#logout(slot);
    for (const target of this.targets.values()) target.gate = mayWrite(this.clientOf(target)) ? "open" : "closed";
  }
  clientOf({ slot }: Pick<Target, "slot">): number {
    return (this.adapters.get(slot) ?? this.fc.get(slot))?.clientLparId ?? 0;
  }
  /** Names that the SAN has sessions of through this server. */
  loggedIn(): string[] {
    return this.alive ? [...this.fc.values()].flatMap((one) => one.wwpn ?? []) : [];
  }
  #logout(slot: number): void {
    const adapter = this.fc.get(slot);
    if (adapter) adapter.wwpn = null;
    for (const [vtd, target] of this.targets) if (target.slot === slot && target.wwpn !== undefined) this.targets.delete(vtd);
  }
  /** A server adapter goes with its target devices, and its login. */
  removeAdapter(slot: number): void {
    this.adapters.delete(slot);
    this.fc.delete(slot);
    for (const [vtd, target] of this.targets) if (target.slot === slot) this.targets.delete(vtd);
  }
  /** streams through this VIOS break when its link to the other mover does */
  breakStreams(why: string): void {
    for (const stream of this.sending.values()) stream.break(why);
  }

  client(life: Life): Client<SystemVios> {
    const call = (method: string, params: never, options?: CallOptions) => this.#call(life, method, params, options);
    return {
      call: call as never,
      on: ((event: string, listener: (payload: unknown) => void) => {
        if (event !== "mover.changed") return () => undefined;
        const listeners = this.moverListeners;
        listeners.add(listener);
        return () => listeners.delete(listener);
      }) as never,
    };
  }

  #call(life: Life, method: string, params: Record<string, unknown>, options: CallOptions = {}): Promise<unknown> {
    const world = this.#world;
    return new Promise((resolve, reject) => {
      if (!life.alive) return;
      const storage = method.startsWith("storage.") || method.startsWith("fc.");
      const away = storage ? Math.max(0, this.sanAwayUntil - world.now) : 0;
      const ms = world.skewed(1, method === "storage.gate" || method === "vios.status" ? 60 : 600) + away;
      const fails = world.chance(this.host.storageTrouble);
      const { starts } = this;
      const deadlineMs = options.deadlineMs ?? 30_000;
      if (ms > deadlineMs) world.after(deadlineMs, () => life.alive && reject(new OlpmError("timeout", `${method}: no answer within ${deadlineMs} ms`)));
      world.after(ms, () => {
        if (!this.alive || this.starts !== starts) return void (life.alive && reject(new OlpmError("peer-lost", `${this.name} was lost`)));
        try {
          if (fails) throw new OlpmError("storage-failed", `${method} failed on ${this.name}`);
          const result = this.#do(method, params);
          world.after(0.2, () => life.alive && resolve(result));
        } catch (error) {
          if (life.alive) reject(error as Error);
        }
      });
    });
  }

  #do(method: string, params: Record<string, unknown>): unknown {
    const named = (name: string): Target => {
      const target = this.targets.get(name);
      if (!target) throw new OlpmError("not-found", `no target device ${name}`);
      return target;
    };
    switch (method) {
      case "adapter.put":
        this.adapters.set(params["slot"] as number, { clientLparId: params["clientLparId"] as number, clientSlot: params["clientSlot"] as number });
        return {};
      case "adapter.remove":
        this.removeAdapter(params["slot"] as number);
        return {};
      case "fc.put": {
        const slot = params["slot"] as number;
        this.fc.set(slot, { clientLparId: params["clientLparId"] as number, clientSlot: params["clientSlot"] as number, wwpn: this.fc.get(slot)?.wwpn ?? null });
        return {};
      }
      case "fc.login": {
        const { slot, wwpn, luns } = params as { slot: number; wwpn: string; luns: { lun: string; lunBytes: number }[] };
        const adapter = this.fc.get(slot);
        if (!adapter) throw new OlpmError("not-found", `no virtual Fibre Channel adapter in slot ${slot}`);
        adapter.wwpn = wwpn;
        for (const one of luns) if (!this.targets.has(`fc${slot}`)) this.targets.set(`fc${slot}`, { vtd: `fc${slot}`, slot, ...one, gate: "closed", wwpn });
        return {};
      }
      case "fc.logout":
        this.#logout(params["slot"] as number);
        return {};
      case "storage.attach": {
        const { name, slot, lun, lunBytes, gate } = params as { name: string; slot: number; lun: string; lunBytes: number; gate: "open" | "closed" };
        if (!this.targets.has(name)) this.targets.set(name, { vtd: name, slot, lun, lunBytes, gate });
        return {};
      }
      case "storage.detach":
        this.targets.delete(params["name"] as string);
        return {};
      case "storage.gate":
        for (const target of (params["names"] as string[]).map(named)) target.gate = params["gate"] as "open" | "closed";
        return {};
      case "mover.receive":
        return this.#receive(params as Params<SystemVios, "mover.receive">);
      case "mover.send":
        return this.#send(params as Params<SystemVios, "mover.send">);
      case "mover.stop": {
        const id = params["id"] as string;
        this.sending.get(id)?.break("the mover was stopped");
        this.receiving.get(id)?.stream?.break("the mover was stopped");
        this.sending.delete(id);
        this.receiving.delete(id);
        return {};
      }
      case "vios.status":
        return { pid: 1, uptimeMs: 1, devices: { disks: [], adapters: [], targets: [] }, movers: [...this.sending].map(([id, stream]) => ({ id, side: "source", state: stream.broken === undefined ? "streaming" : "failed", detail: stream.broken ?? "", bytesIn: 0, bytesOut: 0, bytesOnLink: 0, idleMs: 0 })) };
      default:
        throw new Error(`the simulated Virtual I/O Server was not taught ${method}`);
    }
  }
  #tellMover(payload: unknown): void {
    if (this.alive && this.host.life?.alive) for (const listener of [...this.moverListeners]) listener(payload);
  }
  #receive({ id, ticket, takeSocket }: Params<SystemVios, "mover.receive">): Result<SystemVios, "mover.receive"> {
    const lparId = Number(takeSocket.split("/")[3]);
    if (!this.receiving.has(id)) this.receiving.set(id, { ticket, lparId, stream: undefined });
    return { host: this.host.name, port: this.lparId, name: `vios:${this.name}` };
  }
  #send({ id, ticket, channelSocket, peer }: Params<SystemVios, "mover.send">): Result<SystemVios, "mover.send"> {
    if (this.sending.has(id)) return { way: "sealed" };
    const from = this.host.machines.get(Number(channelSocket.split("/")[1]));
    const other = this.host.universe.host(peer.host);
    const mover = other.vioses.find((one) => one.lparId === peer.port);
    const receiver = mover?.receiving.get(id);
    const to = receiver && other.machines.get(receiver.lparId);
    if (!this.host.universe.moversReach || !mover?.alive || !receiver || receiver.stream || receiver.ticket !== ticket || !to?.listening || !from) throw new OlpmError("peer-lost", "the peer mover did not take the stream");
    const stream = new Stream(from, to);
    receiver.stream = stream;
    this.sending.set(id, stream);
    from.stream = stream;
    stream.onBroken((detail) => this.#world.after(this.#world.between(1, 200), () => this.#tellMover({ id, side: "source", state: "failed", detail, bytesIn: 0, bytesOut: 0, bytesOnLink: 0, idleMs: 0 })));
    return { way: "sealed" };
  }
}
