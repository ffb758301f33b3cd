/** A simulated console: the production runner, saga and recovery over simulated connections. Its lives end like those of a system. */
import type { LparView } from "../model/lpar.js";
import type { MigrationRecord } from "../model/migration.js";
import type { Mobility, ManagedSystem } from "../console/contract.js";
import { createMobility } from "../console/mobility/runner.js";
import { OlpmError } from "../kit/errors.js";
import type { Host } from "./host.js";
import { MOVER_VIOS, SECOND_MOVER_VIOS, STORAGE_VIOS } from "./host.js";
import { FC_LUN, LPAR_ID, LUN, type Universe } from "./universe.js";
import { Life } from "./world.js";

/** share of the migrations that have a second pair of movers */
const REDUNDANT = 0.6;

/** As src/mobility/fibre-channel.ts plans it: the name that is not in turn logs in there; a partition that is off logs in when it is activated. */
function plannedFc({ definition }: LparView, active: boolean, sameName: boolean) {
  return (definition.current?.fc ?? []).map((adapter) => ({ clientSlot: adapter.slot, viosLparId: STORAGE_VIOS, viosSlot: null, port: "fcs0", wwpn: adapter.wwpns?.[sameName ? adapter.active : 1 - adapter.active], luns: active ? [{ lun: FC_LUN, lunBytes: 1 << 30 }] : [] }));
}

export class SimConsole {
  readonly universe: Universe;
  readonly name: string;
  life: Life | undefined;
  mobility: Mobility | undefined;
  /** migrate commands that have not returned */
  busy = 0;
  /** what migrate commands returned: migration -> ok */
  readonly reported = new Map<string, boolean>();
  #listeners = new Set<(system: ManagedSystem, record: MigrationRecord) => void>();
  #connected = new Set<(system: ManagedSystem) => void>();
  #systems: ManagedSystem[] = [];

  constructor(universe: Universe, name: string) {
    this.universe = universe;
    this.name = name;
  }
  get service(): string {
    return `console:${this.name}`;
  }

  start(): void {
    if (this.life?.alive) return;
    const { universe } = this;
    const { world } = universe;
    const life = new Life(world, this.name);
    this.life = life;
    this.#listeners = new Set();
    this.#connected = new Set();
    this.#systems = universe.hosts.map((host) => this.#system(life, host));
    world.say(this.name, "the console starts");
    const inventory = {
      systems: () => this.#systems,
      system: (name: string) => {
        const found = this.#systems.find((one) => one.name === name);
        if (!found) throw new OlpmError("not-found", `The managed system ${name} was not found.`);
        return found;
      },
      lpar: (system: ManagedSystem) => {
        const found = system.lpars()[0];
        if (!found) throw new OlpmError("not-found", "The partition was not found.", { hsc: "HSCL8012" });
        return found;
      },
      onMigration: (listener: (system: ManagedSystem, record: MigrationRecord) => void) => (this.#listeners.add(listener), () => this.#listeners.delete(listener)),
      onConnected: (listener: (system: ManagedSystem) => void) => (this.#connected.add(listener), () => this.#connected.delete(listener)),
    };
    this.mobility = createMobility({
      inventory,
      consoleName: this.name,
      log: life.log,
      clock: life.clock,
      newId: () => universe.newId(),
      newTicket: () => `ticket${world.random()}`,
      onRecovery: (row) => world.count(`row:${row}`),
      onStep: (step, event) => world.count(`${event.startsWith("undo") ? "undo" : "step"}:${step}:${event}`),
      check: async (request, lpar) => {
        const active = lpar.state === "running" || lpar.state === "migrating-running";
        const pair = (id: number) => {
          const msp = (system: ManagedSystem) => `${system.name}/vios${id}`;
          return { sourceMspLparId: id, sourceMspName: msp(request.source), sourceMspAddress: "", destMspLparId: id, destMspName: msp(request.destination), destMspAddress: "" };
        };
        const redundant = active && world.chance(REDUNDANT) ? pair(SECOND_MOVER_VIOS) : null;
        const storage = [{ clientSlot: 2, lun: LUN, lunBytes: 1 << 30, viosLparId: STORAGE_VIOS, vtd: "vt0" }];
        return { kind: active ? "active" : "inactive", findings: [], pairs: [], possibleScsi: [], suggestedScsi: [], plan: { movers: active ? pair(MOVER_VIOS) : null, redundant, storage, fc: plannedFc(lpar, active, universe.bugs.sameName === true) } } as never;
      },
      ...universe.bugs.console,
    });
  }
  crash(): void {
    if (!this.life?.alive) return;
    this.universe.world.say(this.name, "the console ends");
    this.busy = 0;
    this.life.end();
  }
  hear(system: string, record: MigrationRecord): void {
    if (!this.life?.alive) return;
    const from = this.#systems.find((one) => one.name === system)!;
    for (const listener of [...this.#listeners]) listener(from, record);
  }
  systemIsUp(name: string): void {
    const { world, net } = this.universe;
    world.after(world.skewed(20, 3_000), () => {
      if (!this.life?.alive || !net.up(this.service, `system:${name}`)) return;
      for (const listener of [...this.#connected]) listener(this.#systems.find((one) => one.name === name)!);
    });
  }

  /** `migrlpar -o m`; `over` hears when it has returned. */
  migrate(from: Host, to: Host, signal: AbortSignal, over: () => void): void {
    const { life, mobility, universe } = this;
    if (!life?.alive || !mobility) return over();
    const [source, destination] = [from, to].map((host) => this.#systems.find((one) => one.name === host.name)!);
    const lparId = [...from.disk.lpars.keys()][0] ?? LPAR_ID;
    this.busy++;
    const returned = (text: string) => {
      if (!life.alive) return;
      this.busy--;
      universe.world.say(this.name, `migrlpar -o m: ${text}`);
      over();
    };
    mobility.migrate({ source: source!, destination: destination!, lparId: lparId as never, options: {} }, { signal, onProgress: () => undefined }).then(
      ({ ok, record, findings }) => {
        // A failure without a record was refused before it began.
        if (record && life.alive && (ok || findings.every((finding) => finding.hsc !== "OLPM-R01"))) this.reported.set(record.id, ok);
        returned(ok ? "ok" : `failed: ${findings[0]?.message}`);
      },
      (error: unknown) => returned(`error: ${(error as Error).message}`),
    );
  }
  stop(from: Host): void {
    void this.mobility?.stop(this.#systems.find((one) => one.name === from.name)!, LPAR_ID).catch(() => undefined);
  }
  async recover(at: Host, force: boolean): Promise<void> {
    if (!this.life?.alive || !this.mobility) return;
    const lparId = ([...at.disk.lpars.keys()][0] ?? LPAR_ID) as never;
    const signal = new AbortController().signal;
    const result = await this.mobility.recover(this.#systems.find((one) => one.name === at.name)!, lparId, { force, signal }).catch((error: unknown) => ({ ok: false, findings: [{ message: (error as Error).message }] }));
    this.universe.world.say(this.name, `migrlpar -o r -m ${at.name}${force ? " --force" : ""}: ${result.ok ? "ok" : result.findings.map((one) => one.message).join(" / ")}`);
  }

  #system(life: Life, host: Host): ManagedSystem {
    const { universe, service } = this;
    const { net } = universe;
    return {
      name: host.name,
      endpoint: { host: host.name, port: 1, name: host.service },
      get connected() {
        return net.up(service, host.service);
      },
      view: { migration: { inactiveProfPolicy: "config" } } as never,
      lpars: (): LparView[] => (host.system && host.life?.alive ? [...host.disk.lpars.values()].map((row) => host.system!.view(row)) : []),
      refresh: async () => undefined,
      client: { call: ((method: string, params: unknown, options: object) => universe.call(life, service, host.service, method, params, options)) as never, on: () => () => undefined },
    };
  }
}
