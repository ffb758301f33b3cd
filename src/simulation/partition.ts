/**
 * QEMU and the movers as the code under test sees them. A process belongs to its host and outlives the system's life; a handle belongs to one life. A command that
 * was sent is carried out even if its sender dies meanwhile. `memory` counts the partition's work: a copy that runs while another one has done
 * more is a resumed old copy.
 */
import { OlpmError } from "../kit/errors.js";
import { abortError } from "../kit/wait.js";
import { NO_PROGRESS } from "../model/migration.js";
import type { GuestAgent, OutgoingMigration, PartitionProcess, PartitionSpec, ProcessState } from "../system/qemu/contract.js";
import type { Life, World } from "./world.js";

type OutgoingStatus = "none" | "active" | "pre-switchover" | "device" | "completed" | "cancelled";
const QMP_MS = [0.2, 15] as const;

/** The bytes between two movers: from one process to another, whole or broken. */
export class Stream {
  readonly from: Machine;
  readonly to: Machine;
  broken: string | undefined;
  /** nobody reads it, and nobody says so yet */
  hung = false;
  readonly #onBroken: ((why: string) => void)[] = [];

  constructor(from: Machine, to: Machine) {
    this.from = from;
    this.to = to;
  }
  get flows(): boolean {
    return this.broken === undefined && !this.hung;
  }
  break(why: string): void {
    if (this.broken !== undefined) return;
    this.broken = why;
    for (const tell of this.#onBroken.splice(0)) tell(why);
    this.to.streamBroken();
  }
  onBroken(listener: (why: string) => void): void {
    if (this.broken === undefined) this.#onBroken.push(listener);
    else listener(this.broken);
  }
}

/** One QEMU process. */
export class Machine {
  readonly world: World;
  readonly name: string;
  readonly system: string;
  readonly lparId: number;
  readonly incoming: boolean;
  memory: number;
  alive = true;
  running = false;
  incomingState: "none" | "waiting" | "loaded";
  listening = false;
  outgoing: OutgoingStatus = "none";
  stream: Stream | undefined;
  stoppedAt = 0;
  readonly #waiters = new Set<() => void>();
  readonly #exits = new Set<() => void>();

  constructor(world: World, at: { readonly name: string; readonly system: string; readonly lparId: number; readonly incoming: boolean; readonly memory: number }) {
    this.world = world;
    this.name = at.name;
    this.system = at.system;
    this.lparId = at.lparId;
    this.incoming = at.incoming;
    this.memory = at.memory;
    this.incomingState = at.incoming ? "waiting" : "none";
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.running = false;
    this.stream?.break("the process has ended");
    this.changed();
    for (const tell of [...this.#exits]) tell();
  }
  onExit(listener: () => void): void {
    this.#exits.add(listener);
  }
  run(): void {
    if (this.alive) this.running = true;
  }
  /** QEMU's copy: it ends at pre-switchover if somebody reads it to the end. */
  begin(): void {
    if (!this.alive || this.outgoing !== "none") return;
    this.outgoing = "active";
    this.changed();
    const { stream } = this;
    this.world.after(this.world.skewed(40, 6_000), () => {
      if (!this.alive || this.outgoing !== "active" || !stream || this.stream !== stream || !stream.flows) return; // blocked: nobody reads; or another copy began
      this.outgoing = "pre-switchover";
      this.running = false;
      this.stoppedAt = this.world.now;
      this.changed();
    });
  }
  continueRest(): void {
    if (!this.alive || this.outgoing !== "pre-switchover") return;
    this.outgoing = "device";
    const { stream } = this;
    this.world.after(this.world.skewed(1, 3_000), () => {
      if (!this.alive || this.outgoing !== "device" || !stream?.flows) return;
      this.outgoing = "completed";
      this.changed();
      const { memory } = this;
      this.world.after(this.world.skewed(1, 2_000), () => stream.flows && stream.to.load(memory));
    });
  }
  load(memory: number): void {
    if (!this.alive || this.incomingState !== "waiting") return;
    this.memory = memory;
    this.incomingState = "loaded";
    this.changed();
  }
  /** A QEMU whose incoming stream ends too early gives up. */
  streamBroken(): void {
    if (this.alive && this.incomingState === "waiting") this.world.after(this.world.between(1, 300), () => this.incomingState === "waiting" && this.kill());
  }
  resume(): void {
    if (!this.alive) return;
    this.outgoing = "cancelled";
    this.running = true;
    this.changed();
  }
  get state(): ProcessState {
    if (!this.alive) return "ended";
    if (this.running) return "running";
    return this.incomingState === "none" ? "paused" : this.incomingState;
  }

  /** Resolves when `done` gives something; asked at every change. */
  until<T>(life: Life, done: () => T | undefined, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!life.alive) return forget();
        try {
          if (signal?.aborted) throw abortError(signal);
          const value = done();
          if (value === undefined) return;
          forget();
          resolve(value);
        } catch (error) {
          forget();
          reject(error as Error);
        }
      };
      const forget = () => {
        this.#waiters.delete(look);
        signal?.removeEventListener("abort", look);
      };
      this.#waiters.add(look);
      signal?.addEventListener("abort", look);
      look();
    });
  }
  changed(): void {
    for (const look of [...this.#waiters]) look();
  }
}

const gone = () => new OlpmError("peer-lost", "QEMU has ended");

/** What changes a running partition's size takes no part in a migration. */
type Resizing = "removalsOpen" | "takesCores" | "machine" | "addMemory" | "addCore" | "removeMemory" | "removeCore" | "ballooned" | "balloon" | "cap";

/** A process as one life of its system holds it. */
export class Handle implements Omit<PartitionProcess, Resizing | "measure"> {
  readonly qemu: Machine;
  readonly spec: PartitionSpec;
  readonly pid = 1;
  readonly movesProcessors = true;
  readonly guest: GuestAgent;
  readonly #life: Life;
  readonly #loadedEarly: boolean;

  constructor(life: Life, machine: Machine, bugs: { readonly loadedEarly?: boolean } = {}) {
    this.#life = life;
    this.qemu = machine;
    this.#loadedEarly = bugs.loadedEarly === true;
    this.spec = { dir: `/run/${machine.system}/${machine.lparId}`, lparId: machine.lparId, incoming: machine.incoming, bootMode: "norm" } as PartitionSpec;
    const { world } = life;
    this.guest = {
      ping: () => this.#ask(() => machine.running),
      exec: () => life.later(world.skewed(5, 4_000), () => ({ code: world.chance(GUEST_REFUSES) ? 1 : 0, stdout: "", stderr: "" })),
      shutdown: () => Promise.resolve(),
      osVersion: () => Promise.resolve(null),
      address: () => Promise.resolve(null),
    };
  }

  state(): Promise<ProcessState> {
    return this.#life.later(this.#ms(), () => (this.#loadedEarly && this.qemu.state === "waiting" ? "loaded" : this.qemu.state));
  }
  async run(): Promise<number> {
    await this.#do(() => this.qemu.run());
    return 0;
  }
  pause(): Promise<void> {
    return this.#do(() => (this.qemu.running = false));
  }
  async powerdown(): Promise<void> {}
  async reset(): Promise<void> {}
  end(): Promise<void> {
    return this.#life.later(this.#ms(), () => this.qemu.kill());
  }
  async prepareOutgoing(): Promise<OutgoingMigration> {
    await this.#do(() => {
      if (this.qemu.outgoing === "cancelled") this.qemu.outgoing = "none";
    });
    return new SimOutgoing(this.#life, this.qemu);
  }
  adoptOutgoing(): Promise<OutgoingMigration | undefined> {
    return this.#life.later(this.#ms(), () => (this.qemu.outgoing === "none" ? undefined : new SimOutgoing(this.#life, this.qemu)));
  }
  listenIncoming(): Promise<void> {
    return this.#do(() => (this.qemu.listening = true));
  }
  loaded(signal: AbortSignal): Promise<void> {
    return this.qemu.until(
      this.#life,
      () => {
        if (!this.qemu.alive) throw new OlpmError("migration-failed", "the hypervisor on the destination did not take the partition's state");
        return this.qemu.incomingState === "loaded" || this.#loadedEarly ? null : undefined;
      },
      signal,
    ) as Promise<never>;
  }
  announce(): Promise<void> {
    return this.#do(() => undefined);
  }
  openTerminal(): Promise<never> {
    return Promise.reject(gone());
  }
  on(): () => void {
    return () => undefined;
  }

  #ms(): number {
    return this.#life.world.skewed(...QMP_MS);
  }
  #ask<T>(work: () => T): Promise<T> {
    return this.#life.later(this.#ms(), work);
  }
  #do(effect: () => unknown): Promise<void> {
    return command(this.#life, this.qemu, effect);
  }
}
/** share of the events that the operating system refuses */
const GUEST_REFUSES = 0.01;

/** A command to QEMU: carried out once sent, answered to who is still there. */
function command(life: Life, machine: Machine, effect: () => unknown): Promise<void> {
  const { world } = life;
  return new Promise((resolve, reject) => {
    if (!life.alive) return;
    world.after(world.skewed(...QMP_MS), () => {
      if (!machine.alive) return void (life.alive && reject(gone()));
      effect();
      world.after(0.1, () => life.alive && resolve());
    });
  });
}

class SimOutgoing implements OutgoingMigration {
  readonly channelSocket: string;
  readonly #life: Life;
  readonly #machine: Machine;

  constructor(life: Life, machine: Machine) {
    this.#life = life;
    this.#machine = machine;
    this.channelSocket = `${machine.system}/${machine.lparId}/hand`;
  }
  sample() {
    return this.#life.later(1, () => ({ ...NO_PROGRESS, status: this.#machine.outgoing }));
  }
  allowStop(): Promise<void> {
    return command(this.#life, this.#machine, () => undefined);
  }
  begin(): Promise<void> {
    return command(this.#life, this.#machine, () => this.#machine.begin());
  }
  async reachSwitchover(signal: AbortSignal): Promise<{ readonly stoppedAt: number }> {
    await this.#reach((status) => status === "pre-switchover", signal);
    return { stoppedAt: this.#machine.stoppedAt };
  }
  async sendRest(signal: AbortSignal): Promise<void> {
    await command(this.#life, this.#machine, () => this.#machine.continueRest());
    await this.#reach((status) => status === "completed", signal);
  }
  resumeHere(): Promise<void> {
    return command(this.#life, this.#machine, () => this.#machine.resume());
  }
  async close(): Promise<void> {}

  #reach(wanted: (status: OutgoingStatus) => boolean, signal: AbortSignal): Promise<unknown> {
    const machine = this.#machine;
    return machine.until(
      this.#life,
      () => {
        if (!machine.alive) throw gone();
        if (machine.outgoing === "cancelled") throw new OlpmError("migration-failed", "QEMU ended the migration (cancelled)");
        return wanted(machine.outgoing) ? null : undefined;
      },
      signal,
    );
  }
}
