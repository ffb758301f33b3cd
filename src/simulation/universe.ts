/** Two hosts, two consoles, one partition, and what must hold of them after every event. */
import type { LparId } from "../model/ids.js";
import { mayRun, ownershipStep, type Ownership, type OwnershipEvent } from "../model/ownership.js";
import type { MigrationRecord } from "../model/migration.js";
import type { CallOptions } from "../wire/rpc.js";
import type { ConsoleLogs } from "../system/migration/console-log.js";
import type { LparRow } from "../system/store.js";
import type { Bugs } from "./bugs.js";
import { SimConsole } from "./console.js";
import { Host, STORAGE_VIOS } from "./host.js";
import { Net } from "./network.js";
import { Machine } from "./partition.js";
import type { World } from "./world.js";

export const LPAR_ID = 3 as LparId;
export const LUN = "naa.1";
export const FC_LUN = "naa.fc1";
const WWPNS = ["c050760000000000", "c050760000000001"];
const FC_SLOT = 4;
const FC_SERVER_SLOT = 30;
const UUID = "00000000-0000-4000-8000-000000000003";
const SERVER_SLOT = 10;

export class Universe {
  readonly world: World;
  readonly net: Net;
  readonly bugs: Bugs;
  readonly hosts: readonly Host[];
  readonly consoles: readonly SimConsole[];
  readonly ownershipStep: typeof ownershipStep;
  moversReach = true;
  /** told of each change of ownership, so that a fault can be aimed */
  onOwnership: (event: OwnershipEvent["type"]) => void = () => undefined;
  /** a fault ended the only copy that had all of the partition's memory: nobody can make it run again */
  endedByFault = false;
  /** a person used --force after which the partition has to be activated anew */
  forced = false;
  /** a database was lost or restored: what is left may need a person */
  damaged = false;
  #latest = 0;
  #generation = 1;
  #ids = 0;
  readonly #logs = new Map<string, Buffer>();

  constructor(world: World, bugs: Bugs) {
    this.world = world;
    this.bugs = bugs;
    const step = bugs.ownershipStep ?? ownershipStep;
    this.ownershipStep = (now, event) => {
      const result = step(now, event);
      if (result.ok && result.changed) this.onOwnership(event.type);
      if (result.ok && result.changed && result.next.kind === "owner") this.#newOwner(result.next.generation);
      return result;
    };
    this.net = new Net(world);
    this.hosts = ["ms01", "ms02"].map((name) => new Host(this, name));
    this.consoles = ["hmc1", "hmc2"].map((name) => new SimConsole(this, name));
  }

  host(name: string): Host {
    return this.hosts.find((one) => one.name === name)!;
  }
  newId(): string {
    return `m${++this.#ids}`;
  }
  get logs(): ConsoleLogs {
    const of = (file: string) => this.#logs.get(file) ?? Buffer.alloc(0);
    return {
      size: (file) => of(file).length,
      read: (file, from, length) => of(file).subarray(from, from + length),
      place: (file, offset, bytes) => void this.#logs.set(file, Buffer.concat([of(file).subarray(0, offset), bytes])),
    };
  }

  /** Defines the partition on the first host, and runs it there if it is to be active. `fibreChannel`: it has a second disk by its own WWPNs. */
  begin(active: boolean, fibreChannel: boolean): void {
    const [home] = this.hosts;
    const server = home!.vioses.find((one) => one.lparId === STORAGE_VIOS)!;
    server.adapters.set(SERVER_SLOT, { clientLparId: LPAR_ID, clientSlot: 2 });
    server.targets.set("vt0", { vtd: "vt0", slot: SERVER_SLOT, lun: LUN, lunBytes: 1 << 30, gate: active ? "open" : "closed" });
    if (fibreChannel) server.fc.set(FC_SERVER_SLOT, { clientLparId: LPAR_ID, clientSlot: FC_SLOT, wwpn: active ? WWPNS[0]! : null });
    if (fibreChannel && active) server.targets.set("fc0", { vtd: "fc0", slot: FC_SERVER_SLOT, lun: FC_LUN, lunBytes: 1 << 30, gate: "open", wwpn: WWPNS[0]! });
    const fc = fibreChannel ? [{ slot: FC_SLOT, role: "client", remoteLparId: STORAGE_VIOS, remoteSlot: FC_SERVER_SLOT, required: true, wwpns: WWPNS, active: 0 }] : [];
    const resources = { memory: {}, proc: {}, scsi: [{ slot: 2, role: "client", remoteLparId: STORAGE_VIOS, remoteSlot: SERVER_SLOT, required: true }], ethernet: [], fc };
    const definition = { name: "db01", uuid: UUID, environment: "aixlinux", settings: { autoStart: false }, profiles: [{ name: "normal", resources }], defaultProfile: "normal", currentProfile: "normal", current: resources };
    const row = { lparId: LPAR_ID, revision: 1, definition, ownership: { kind: "owner", generation: 1, migrationId: null }, storage: [], fc: [], migrationId: null, power: active ? "on" : "off", failed: false, startedAt: null, devices: null };
    home!.disk.lpars.set(LPAR_ID, row as unknown as LparRow);
    if (active) {
      const machine = new Machine(this.world, { name: `${home!.name}#${LPAR_ID}`, system: home!.name, lparId: LPAR_ID, incoming: false, memory: 1 });
      machine.run();
      home!.machines.set(LPAR_ID, machine);
    } else this.endedByFault = true; // nothing is to run
    this.#logs.set(`${home!.name}/${UUID}`, Buffer.from("booting\n"));
    for (const host of this.hosts) host.startSystem();
    for (const console of this.consoles) console.start();
  }

  call(life: Parameters<Net["call"]>[0], from: string, to: string, method: string, params: unknown, options: CallOptions | undefined): Promise<unknown> {
    const result = this.net.call(life, from, to, method, params, options);
    return this.bugs.call?.(method, result) ?? result;
  }
  systemIsUp(name: string): void {
    for (const console of this.consoles) console.systemIsUp(name);
  }
  tellConsoles(host: Host, record: unknown): void {
    const text = JSON.stringify(record);
    for (const console of this.consoles) this.world.after(this.world.between(0.3, 4), () => this.net.up(console.service, host.service) && console.hear(host.name, JSON.parse(text) as MigrationRecord));
  }
  /** Each owner comes after all earlier ones; a database that was restored has forgotten some. */
  #newOwner(generation: number): void {
    if (generation <= this.#generation && !this.damaged) this.world.violated(`generation ${generation} has an owner for the second time`);
    this.#generation = Math.max(this.#generation, generation);
  }
  /** A fault ends a process. */
  killed(machine: Machine): void {
    const row = this.hosts.flatMap((host) => [...host.machines.values()]).filter((one) => one !== machine && one.alive && one.memory >= machine.memory && one.memory > 0);
    const owner = mayRun((this.host(machine.system).row(machine.lparId)?.ownership ?? { kind: "absent" }) as Ownership);
    if ((machine.memory >= this.#latest && row.length === 0) || owner) this.endedByFault = true;
    machine.kill();
  }

  /** What must hold at every moment. */
  check(): void {
    const running: Machine[] = [];
    let writable = 0;
    for (const host of this.hosts) {
      for (const machine of host.machines.values()) if (machine.running) running.push(machine);
      if (host.vioses.some((vios) => vios.alive && [...vios.targets.values()].some((target) => target.gate === "open"))) writable++;
    }
    const names = this.hosts.flatMap((host) => host.vioses.flatMap((vios) => vios.loggedIn()));
    if (new Set(names).size < names.length) this.world.violated("one WWPN is logged in to the SAN twice");
    if (names.length > 1) this.world.count("san:both WWPNs logged in");
    for (const host of this.damaged ? [] : this.hosts) for (const vios of host.vioses) for (const target of vios.targets.values()) if (target.wwpn !== undefined && target.gate === "open" && !this.#inTurn(host, vios.clientOf(target), target.wwpn)) this.world.violated(`${vios.name} lets a partition write as ${target.wwpn}, which is not in turn there`);
    if (running.length > 1) this.world.violated("two copies of the partition run");
    if (writable > 1) this.world.violated("a LUN can be written through two systems");
    for (const machine of running) {
      if (machine.memory < this.#latest) this.world.violated(`an old copy runs again on ${machine.system}`);
      machine.memory = ++this.#latest;
      const row = this.host(machine.system).row(machine.lparId);
      // A restored record may be older than what runs; that nothing is begun by it is the other rules' business.
      if (!this.host(machine.system).restored && (!row || !mayRun(row.ownership as Ownership))) this.world.violated(`the partition runs on ${machine.system}, whose record says ${row?.ownership.kind ?? "nothing"}`);
    }
  }

  #inTurn(host: Host, lparId: number, wwpn: string): boolean {
    return (host.row(lparId)?.definition.current?.fc ?? []).some((adapter) => adapter.wwpns?.[adapter.active] === wwpn);
  }

  /** What is left over, in words; empty when all is quiet and as it should be. */
  leftovers(): string[] {
    const left: string[] = [];
    const there = this.hosts.filter((host) => !host.lost);
    for (const host of there) {
      if (!host.life?.alive) left.push(`${host.name} is down`);
      for (const { record } of host.disk.migrations.values()) if (record.endedAt === null) left.push(`${host.name}: open record as ${record.role}, phase ${record.phase}, status ${record.status}`);
      for (const row of host.disk.lpars.values()) {
        if (row.ownership.kind !== "owner") left.push(`${host.name}: ownership ${row.ownership.kind}`);
        if (row.migrationId !== null) left.push(`${host.name}: the partition is locked by a migration`);
      }
      for (const machine of host.machines.values()) if (machine.alive && !host.row(machine.lparId)) left.push(`${host.name}: a process without a partition`);
      for (const vios of host.vioses) {
        for (const target of vios.targets.values()) if (!host.row(vios.clientOf(target))) left.push(`${vios.name}: a target device without a partition`);
        for (const adapter of vios.adapters.values()) if (!host.row(adapter.clientLparId)) left.push(`${vios.name}: a server adapter without a partition`);
        for (const adapter of vios.fc.values()) if (!host.row(adapter.clientLparId)) left.push(`${vios.name}: a virtual Fibre Channel adapter without a partition${adapter.wwpn === null ? "" : ", logged in to the SAN"}`);
        if (vios.sending.size + vios.receiving.size > 0) left.push(`${vios.name}: a mover`);
      }
    }
    const owners = there.filter((host) => [...host.disk.lpars.values()].some((row) => row.ownership.kind === "owner"));
    if (owners.length > 1 || (owners.length === 0 && there.length === this.hosts.length)) left.push(`${owners.length} systems own the partition`);
    const runs = owners.some((host) => [...host.machines.values()].some((machine) => machine.running));
    if (owners.length === 1 && !runs && !this.endedByFault && !this.forced) left.push(`the partition does not run on ${owners[0]!.name}, and no fault ended it`);
    // A command whose system never comes back waits until its user ends it.
    if (there.length === this.hosts.length) for (const console of this.consoles) if (console.busy > 0) left.push(`${console.name}: a migrate command has not returned`);
    return left;
  }

  /** Both ends tell the same of each migration. */
  checkReports(): void {
    if (this.hosts.some((host) => host.lost) || this.damaged) return;
    const [a, b] = this.hosts;
    for (const [id, mine] of a!.disk.migrations) {
      const theirs = b!.disk.migrations.get(id);
      if (theirs && (mine.record.status === "succeeded") !== (theirs.record.status === "succeeded")) this.world.violated(`migration ${id}: ${a!.name} reports ${mine.record.status}, ${b!.name} ${theirs.record.status}`);
    }
    for (const [id, ok] of this.consoles.flatMap((console) => [...console.reported])) {
      const records = this.hosts.flatMap((host) => host.disk.migrations.get(id) ?? []);
      // It has moved and does not run there: the operator hears of a failure, and where to activate it.
      if (!ok && records.some(({ record }) => record.role === "destination" && record.status === "succeeded" && record.error?.hsc === "OLPM-R02")) continue;
      if (records.some(({ record }) => (record.status === "succeeded") !== ok)) this.world.violated(`migration ${id}: the console reported ${ok ? "success" : "failure"}, the records say ${records.map(({ record }) => record.status).join(", ")}`);
    }
  }
}
