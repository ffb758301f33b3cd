/** One seed from beginning to end: migrations, faults at moments that the seed chooses, then repair, and the question whether all is well. */
import { Universe } from "./universe.js";
import { NO_BUGS, type Bugs } from "./bugs.js";
import type { Host } from "./host.js";
import { emptyDisk, copyOf, type Disk } from "./store.js";
import { World } from "./world.js";

/** Faults come until here; migrations take seconds. */
const FAULTS_MS = 40_000;
/** An operator who finds it standing comes with migrlpar -o r, then with --force if that host is off. */
const OPERATOR_MS = 100_000;
/** Hosts that were away for long come back. */
const RETURN_MS = 260_000;
/** All must be quiet by then: leases, retries and deadlines are minutes. */
const QUIET_MS_MAX = 900_000;
const LOOK_MS = 5_000;
/** Share of the partitions that reach a second disk by virtual Fibre Channel. */
const FC_SHARE = 0.4;
const TICKS_MAX = 200_000;

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly counts: ReadonlyMap<string, number>;
  readonly ticks: number;
  readonly virtualMs: number;
}

export async function runSeed(seed: number, options: { readonly bugs?: Bugs; readonly trace?: (line: string) => void } = {}): Promise<Outcome> {
  const world = new World(seed, options.trace);
  const universe = new Universe(world, options.bugs ?? NO_BUGS);
  const scenario = new Scenario(universe);
  scenario.begin();
  let ticks = 0;
  let lookAt = FAULTS_MS;
  while (world.violations.length === 0 && world.now < QUIET_MS_MAX) {
    if (await world.tick(lookAt)) {
      universe.check();
      if (++ticks > TICKS_MAX) world.violated("it never comes to rest: too many events");
      continue;
    }
    lookAt += LOOK_MS;
    if (scenario.over(world.now) && universe.leftovers().length === 0) break;
  }
  if (world.violations.length === 0 && !universe.damaged) {
    for (const left of universe.leftovers()) world.violated(`not quiet: ${left}`);
    universe.checkReports();
  }
  return { seed, violations: world.violations, counts: world.counts, ticks, virtualMs: world.now };
}

class Scenario {
  readonly #universe: Universe;
  readonly #world: World;
  #left: number;
  #migrating = false;
  /** a host that is off until an operator has dealt with it, or for ever */
  #absent: Host | undefined;
  #operated = false;
  #interrupt: AbortController | undefined;

  constructor(universe: Universe) {
    this.#universe = universe;
    this.#world = universe.world;
    this.#left = this.#world.chance(0.35) ? 2 : 1;
  }

  begin(): void {
    const world = this.#world;
    const universe = this.#universe;
    universe.begin(world.chance(0.88), world.chance(FC_SHARE));
    world.after(2_500, () => this.#migrate());
    this.#planTrouble();
    const faults = world.chance(0.08) ? 0 : 1 + Math.floor(world.random() ** 2 * 5);
    // Most migrations take a few seconds from 2.5 s on: that is where most faults belong.
    for (let index = 0; index < faults; index++) world.after(world.chance(0.8) ? world.between(2_500, 12_000) : world.between(0, FAULTS_MS), () => this.#fault());
    if (world.chance(0.15)) world.after(world.between(2_600, 12_000), () => this.#count("stop asked", () => world.pick(universe.consoles).stop(world.pick(universe.hosts))));
    if (world.chance(0.25)) world.after(world.between(2_600, FAULTS_MS), () => this.#count("recovery asked", () => void world.pick(universe.consoles).recover(world.pick(universe.hosts), false)));
    if (world.chance(0.1)) world.after(world.between(2_400, 15_000), () => this.#count("a second migration asked", () => this.#migrateBeside()));
    if (world.chance(0.06)) this.#aim();
    if (world.chance(0.15)) world.after(world.between(2_600, 12_000), () => this.#strikeMover());
    world.after(FAULTS_MS, () => this.#repair());
    world.after(OPERATOR_MS, () => void this.#operate());
    world.after(RETURN_MS, () => this.#return());
  }
  /** nothing that was planned is still to come */
  over(now: number): boolean {
    return now > FAULTS_MS && (this.#absent === undefined || (now > RETURN_MS && this.#operated));
  }

  #migrate(): void {
    const universe = this.#universe;
    if (this.#left <= 0 || this.#migrating || this.#world.now > FAULTS_MS) return;
    const from = universe.hosts.find((host) => [...host.disk.lpars.values()].some((row) => row.ownership.kind === "owner" && row.migrationId === null));
    const console = universe.consoles.find((one) => one.life?.alive);
    if (!from || !console) return void this.#world.after(3_000, () => this.#migrate());
    this.#left--;
    this.#migrating = true;
    const interrupt = new AbortController();
    this.#interrupt = interrupt;
    if (this.#world.chance(0.15)) this.#world.after(this.#world.between(0, 4_000), () => this.#count("command interrupted", () => interrupt.abort()));
    console.migrate(from, universe.hosts.find((host) => host !== from)!, interrupt.signal, () => {
      this.#migrating = false;
      this.#world.after(this.#world.between(100, 5_000), () => this.#migrate());
    });
  }

  /** Another console asks for the same partition, whatever goes on. */
  #migrateBeside(): void {
    const [from, to] = this.#world.chance(0.5) ? this.#universe.hosts : [...this.#universe.hosts].reverse();
    this.#universe.consoles[1]!.migrate(from!, to!, new AbortController().signal, () => undefined);
  }
  #planTrouble(): void {
    const world = this.#world;
    if (world.chance(0.45)) {
      const rate = world.pick([0.005, 0.02, 0.06]);
      this.#universe.net.trouble = { lost: rate * world.random(), replyLost: rate * world.random(), late: rate * world.random(), twice: rate * world.random() * 2, slow: rate * world.random() * 2 };
    }
    if (world.chance(0.15)) for (const host of this.#universe.hosts) host.storageTrouble = world.pick([0.01, 0.05]);
  }

  #fault(): void {
    const world = this.#world;
    const { hosts, consoles } = this.#universe;
    const host = world.pick(hosts);
    const vios = world.pick(host.vioses);
    const console = world.chance(0.7) ? consoles[0]! : consoles[1]!;
    const back = (work: () => void, most = 25_000) => world.after(world.skewed(50, most), work);
    const roll = world.random();
    const over = (share: number): boolean => roll < share;
    if (over(0.2)) return this.#count("system process killed", () => (host.crashSystem("killed"), back(() => host.startSystem())));
    if (over(0.36)) return void (host.crashAfterCommits = 1 + Math.floor(world.random() * 12));
    if (over(0.48)) return this.#count("console killed", () => (console.crash(), world.chance(0.6) ? back(() => console.start()) : undefined));
    if (over(0.6)) return this.#count("VIOS killed", () => this.#killVios(host, vios.lparId, back));
    if (over(0.68)) return this.#count("QEMU killed", () => [...host.machines.values()].forEach((machine) => host.kill(machine)));
    if (over(0.74)) return this.#count("host lost its power", () => (host.powerOff(), back(() => host.powerOn())));
    if (over(0.8)) return this.#cut("systems cut from each other", hosts[0]!.service, hosts[1]!.service, back);
    if (over(0.86)) return this.#cut("console cut from a system", console.service, host.service, back);
    if (over(0.92)) return this.#count("movers cut from each other", () => this.#cutMovers(back));
    if (over(0.95)) return this.#count("SAN away", () => host.vioses.forEach((one) => (one.sanAwayUntil = world.now + world.skewed(500, 30_000))));
    if (over(0.985)) return this.#absence(host);
    return this.#damage(host, back);
  }
  /** Faults that need a moment of milliseconds come at that moment: around the hand-over, when one side does not know yet. */
  #aim(): void {
    const world = this.#world;
    const { hosts, consoles, net } = this.#universe;
    if (world.chance(0.3)) {
      // The user gives up while nobody knows whether the copy began: the undo meets whatever came of it.
      net.losesReplyTo = "migration.start";
      return void world.after(world.between(3_000, 9_000), () => this.#count("command interrupted", () => this.#interrupt?.abort()));
    }
    const [event, kind] = world.pick([["release", "away"], ["release", "forgets"], ["learn-owned", "forgets"]] as const);
    this.#universe.onOwnership = (now) => {
      if (now !== event || world.now > FAULTS_MS) return;
      this.#universe.onOwnership = () => undefined;
      world.after(0.1, () => {
        const destination = hosts.find((host) => [...host.disk.migrations.values()].some(({ record }) => record.role === "destination" && record.endedAt === null));
        if (!destination) return;
        net.cut(hosts[0]!.service, hosts[1]!.service);
        for (const console of consoles) console.crash();
        world.after(world.between(1_000, 20_000), () => consoles[0]!.start());
        const strike = () => (kind === "away" ? this.#absence(destination) : this.#damage(destination, (work) => world.after(world.skewed(50, 10_000), work), true));
        world.after(kind === "away" ? world.skewed(10, 6_000) : 1, strike);
      });
    };
  }
  /** A mover that carries: its program is killed, or stops to move and is found out later. */
  #strikeMover(): void {
    const world = this.#world;
    const [stream] = this.#universe.hosts.flatMap((host) => host.vioses.flatMap((vios) => [...vios.sending.values()]));
    if (!stream) return;
    if (world.chance(0.3)) this.#universe.net.repeats = "handover.secondPair";
    if (world.chance(0.5)) return this.#count("mover killed", () => stream.break("the channel ended unexpectedly"));
    this.#count("mover hung", () => {
      stream.hung = true;
      world.after(world.skewed(5_000, 30_000), () => stream.break("the channel said nothing"));
    });
  }
  #killVios(host: Host, lparId: number, back: (work: () => void) => void): void {
    const vios = host.vioses.find((one) => one.lparId === lparId)!;
    if (!vios.alive) return;
    vios.crash();
    this.#world.after(this.#world.between(1, 200), () => host.life?.alive && host.system?.viosWasLost(lparId));
    back(() => host.powered && !vios.alive && host.life?.alive && vios.start((client) => host.mayWrite(client), (client) => host.isPresent(client)));
  }
  #cut(fault: string, a: string, b: string, back: (work: () => void, most?: number) => void): void {
    this.#count(fault, () => {
      this.#universe.net.cut(a, b);
      back(() => this.#heal(a, b), 60_000);
    });
  }
  #heal(a: string, b: string): void {
    this.#universe.net.heal(a, b);
    for (const host of this.#universe.hosts) if (a === host.service || b === host.service) this.#universe.systemIsUp(host.name);
  }
  #cutMovers(back: (work: () => void) => void): void {
    this.#universe.moversReach = false;
    for (const host of this.#universe.hosts) for (const vios of host.vioses) this.#world.after(this.#world.skewed(100, 20_000), () => !this.#universe.moversReach && vios.breakStreams("the link between the movers is silent"));
    back(() => (this.#universe.moversReach = true));
  }
  /** A host is off for so long that an operator decides, or for ever. */
  #absence(host: Host): void {
    if (this.#absent) return;
    this.#absent = host;
    this.#count(this.#world.chance(0.5) ? "host lost for ever" : "host away for long", () => host.powerOff());
    if (this.#world.counts.has("fault:host lost for ever")) host.lost = true;
  }
  /** A host comes back with an empty database, or with an older copy of it: what no code can make good. Only the rules of every moment are checked then. */
  #damage(host: Host, back: (work: () => void) => void, atOnce = false): void {
    const world = this.#world;
    const old: Disk = atOnce || world.chance(0.4) ? emptyDisk() : copyOf(host.disk);
    this.#count("database lost or restored", () => {
      this.#universe.damaged = true;
      world.after(atOnce ? 1 : world.skewed(10, 20_000), () => {
        // As openlpm restore does it: partitions that the backup knows may run on, and none is activated before a person has looked.
        const stays = host.powered && world.chance(0.5) && [...host.machines.keys()].every((lparId) => old.lpars.has(lparId));
        if (stays) host.crashSystem("its database is brought back");
        else host.powerOff();
        host.replaceDisk(old);
        host.restored = true;
        host.disk.heldBack = [...host.disk.lpars.values()].map((row) => row.definition.uuid);
        for (const [id, row] of host.disk.lpars) if (!stays) host.disk.lpars.set(id, { ...row, power: "off" });
        back(() => (stays ? host.startSystem() : host.powerOn()));
      });
    });
  }

  #repair(): void {
    const { net, hosts, consoles } = this.#universe;
    net.healAll();
    this.#universe.moversReach = true;
    for (const host of hosts) {
      host.crashAfterCommits = 0;
      host.storageTrouble = 0;
      if (host === this.#absent) continue;
      host.powerOn();
      host.startSystem();
      for (const vios of host.vioses) if (!vios.alive) this.#world.after(5_000, () => host.powered && !vios.alive && vios.start((client) => host.mayWrite(client), (client) => host.isPresent(client)));
    }
    for (const host of hosts) this.#universe.systemIsUp(host.name);
    // A console that was lost may stay away for ever: the other one is there for people.
    if (!consoles.some((one) => one.life?.alive)) consoles[1]!.start();
  }

  /** What a person does at last: asks, and uses --force only about a host that is off and stays so. */
  async #operate(): Promise<void> {
    const universe = this.#universe;
    const console = universe.consoles.find((one) => one.life?.alive);
    const here = universe.hosts.filter((host) => host !== this.#absent);
    // openlpm restore --confirm, where the partition has no process on the other host.
    for (const host of here) if (universe.hosts.every((other) => other === host || other.machines.size === 0)) host.disk.heldBack = [];
    for (const host of here) {
      if (![...host.disk.migrations.values()].some(({ record }) => record.endedAt === null)) continue;
      await console?.recover(host, false);
      if (!this.#absent && !universe.damaged) continue;
      const kinds = [...host.disk.lpars.values()].map((row) => row.ownership.kind);
      if (kinds.includes("released")) universe.forced = true;
      await console?.recover(host, true);
    }
    this.#operated = true;
  }
  #return(): void {
    this.#absent?.powerOn();
  }
  #count(fault: string, work: () => unknown): void {
    this.#world.count(`fault:${fault}`);
    this.#world.say("FAULT", fault);
    work();
  }
}
