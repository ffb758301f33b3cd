/**
 * Target devices of one Virtual I/O Server: which LUNs the SAN shows, which devices stand on them, behind which door, and their gates. `Vios` and the VIOS
 * command line call it; what is special to virtual Fibre Channel is in fibre-channel.ts. The way to a LUN is the VIOS's own or, for a device with a WWPN, its
 * client's. Slow questions to the SAN run beside each other; changes of the device table are one at a time; gates never wait for either.
 *
 *   target device:  wanted (in the table) -> served (chain in the storage daemon of its slot's door) ; a lost daemon or SAN leaves it wanted, and it is tried again
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import { delay } from "../../kit/wait.js";
import type { LunId, LparId, SlotNumber } from "../../model/ids.js";
import type { LunVisibility } from "../../wire/console-system.js";
import type { ViosConfig, ViosDoor, ViosTargetDevice } from "../../wire/system-vios.js";
import { mergeDisks, type DeviceTable } from "../devices.js";
import { discover, inspect, type Discovery, type FoundLun, type LunPath, type SanConfig } from "../san/discover.js";
import type { Door } from "./door.js";
import { Doors } from "./doors.js";
import { missing, type Exports } from "./exports.js";
import { asClient, portalOf } from "./ports.js";

/** Between two tries to serve what the SAN or the daemon's death took away. Clients wait and try again by themselves meanwhile. */
const RESTORE_EVERY_MS = 1_000;
/** Device names as AIX allows them, and long enough for names that a migration brings along. */
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

export class Storage {
  readonly #config: ViosConfig;
  readonly #san: SanConfig;
  readonly #table: DeviceTable;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  /** where each served device is logged in */
  readonly #ways = new Map<string, LunPath>();
  readonly #doors: Doors;
  #lastFailures: readonly OlpmError[] = [];
  #refreshing: Promise<void> | undefined;
  #changes: Promise<unknown> = Promise.resolve();
  #restoring: Promise<void> | undefined;
  /** LUNs that someone holds a SCSI reservation of, as they were seen last */
  readonly #reserved = new Map<LunId, string>();
  /** what was logged last of each thing that is tried again and again; the same is not said twice */
  readonly #said = new Map<string, string>();

  constructor(config: ViosConfig, table: DeviceTable, log: Logger) {
    this.#config = config;
    this.#san = config.san;
    this.#table = table;
    this.#log = log;
    this.#doors = new Doors(config.runDir, config.doors, { initiatorName: config.san.initiatorName, log, onLost: (door) => void this.#reopen(door) });
  }

  /** Ready when every target device that the SAN gives now is served; the others follow. @throws OlpmError storage-failed (no daemon) */
  async start(): Promise<void> {
    await Promise.all([this.refresh(), this.#doors.open(this.#wanted())]);
    await this.#restoreOnce();
    this.#doors.publish();
    this.#restoreRest();
  }

  /** Exports closed, written data flushed, sessions logged out. */
  async stop(): Promise<void> {
    this.#stopped.abort(new OlpmError("aborted", "the Virtual I/O Server is shutting down"));
    await this.#changes.catch(() => undefined);
    await this.#doors.shut();
  }

  served(name: string): boolean {
    return this.#doors.serving(name) !== undefined;
  }

  /** Where a served device is logged in. */
  wayOf(name: string): LunPath | undefined {
    return this.served(name) ? this.#ways.get(name) : undefined;
  }
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** Why portals could not be asked at the last look at the SAN; empty when all answered. */
  get failures(): readonly OlpmError[] {
    return this.#lastFailures;
  }

  /** Looks at the SAN anew (cfgdev). Callers at the same time share one look. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  /** Each LUN with what this VIOS knows of it; the SAN is asked anew for those it does not see. */
  async probe(luns: readonly LunId[]): Promise<LunVisibility[]> {
    const checked = await Promise.all(luns.map((lun) => this.#seen(lun)));
    if (checked.includes(false)) await this.refresh();
    return luns.map((lun) => this.#visibility(lun));
  }

  /**
   * Serves a LUN behind the server adapter of its slot. The same device again only sets its gate. A name that is chosen among those which are free is asked for
   * when no other change is under way, so that two devices never choose the same. `seen`: where the LUN was found a moment ago.
   * @throws OlpmError not-found (no such adapter) | already-exists | conflict (LUN in use) | lun-not-visible | lun-mismatch | storage-failed
   */
  attach(asked: Omit<ViosTargetDevice, "name"> & { readonly name: string | (() => string) }, seen?: FoundLun): Promise<ViosTargetDevice> {
    return this.#change(async () => {
      const wanted: ViosTargetDevice = { ...asked, name: typeof asked.name === "string" ? asked.name : asked.name() };
      const old = this.#table.target(wanted.name);
      this.#assertAttachable(wanted, old);
      try {
        if (!this.served(wanted.name)) await this.#serve(old ?? wanted, seen);
      } catch (error) {
        await this.#doors.shutUnused(this.#wanted());
        throw error;
      }
      if (old) await this.setGates([wanted.name], wanted.gate);
      else this.#table.addTarget(wanted);
      this.#publish(wanted.slot);
      this.#log.info({ device: wanted.name, lun: wanted.lun, gate: wanted.gate }, "target device attached");
      return this.#table.target(wanted.name)!;
    });
  }

  /** Cuts the client off and logs out. Absent counts as detached. */
  detach(name: string): Promise<void> {
    return this.#change(async () => {
      if (!this.#table.target(name)) return;
      await this.#doors.serving(name)?.remove(name);
      this.#table.removeTarget(name);
      await this.#doors.shutUnused(this.#wanted());
      this.#log.info({ device: name }, "target device detached");
    });
  }

  /**
   * Gives the door of a slot to an account. Devices that are at another socket, or that another account's client may hold, are cut off and served anew.
   * @throws OlpmError storage-failed | what serving throws
   */
  giveDoor(door: ViosDoor): Promise<void> {
    return this.#change(async () => {
      const behind = this.#table.targetsBehind(door.slot);
      if (this.#doors.give(door)) {
        for (const { name } of behind) await this.#doors.serving(name)?.remove(name);
        await this.#doors.shutUnused(this.#wanted());
      }
      for (const target of behind) if (!this.served(target.name)) await this.#serve(target);
      this.#publish(door.slot);
      this.#log.info({ slot: door.slot, socket: door.socket, uid: door.uid }, "the door of a server adapter was given");
    }).finally(() => this.#restoreRest());
  }
  /** The adapter is gone. */
  forgetDoor(slot: SlotNumber): void {
    this.#doors.forget(slot);
  }

  /**
   * Opens or closes gates, all behind one door or none. A device that is not served now has no way to its LUN, so its gate counts as closed when asked to.
   * @throws OlpmError not-found | storage-failed
   */
  async setGates(names: readonly string[], gate: ViosTargetDevice["gate"]): Promise<void> {
    const unknown = names.filter((name) => !this.#table.target(name));
    if (unknown.length > 0) throw new OlpmError("not-found", `no target device ${unknown.join(", ")} on ${this.#config.name}`);
    // A device being restored takes its gate from the table: closed is written at once, so that it can not come back open.
    if (gate === "closed") this.#table.setGates(names.filter((name) => !this.served(name)), gate);
    const concerned = gate === "closed" ? names.filter((name) => this.served(name)) : names;
    const begun = performance.now();
    const byDoor = new Map<Exports, string[]>();
    for (const name of concerned) {
      const exports = this.#doors.serving(name) ?? missing(name);
      byDoor.set(exports, [...(byDoor.get(exports) ?? []), name]);
    }
    await Promise.all([...byDoor].map(([exports, behind]) => exports.setGates(behind, gate)));
    this.#table.setGates(names, gate);
    this.#log.info({ devices: names, gate, ms: Number((performance.now() - begun).toFixed(2)) }, "gates set");
  }

  /** Slots with devices. */
  #wanted(): SlotNumber[] {
    return this.#table.all.targets.map((target) => target.slot);
  }
  /** Lets the client in when all of its devices are there: one that reconnects finds all exports or no server. */
  #publish(slot: SlotNumber): void {
    const door = this.#doors.at(slot);
    const whole = this.#table.all.targets.every((target) => this.#doors.at(target.slot) !== door || this.served(target.name));
    if (door.exports && !door.published && whole) door.publish();
  }

  #assertAttachable(wanted: ViosTargetDevice, old: ViosTargetDevice | undefined): void {
    if (!NAME.test(wanted.name)) throw new OlpmError("invalid-argument", `${wanted.name} can not be the name of a target device`);
    if (!(wanted.wwpn === undefined ? this.#table.adapterOf(wanted.slot) : this.#table.fcOf(wanted.slot))) throw new OlpmError("not-found", `${this.#config.name} has no virtual ${wanted.wwpn === undefined ? "SCSI" : "Fibre Channel"} server adapter in slot ${wanted.slot}`);
    if (old && (old.lun !== wanted.lun || old.slot !== wanted.slot || old.wwpn !== wanted.wwpn)) throw new OlpmError("already-exists", `the target device ${wanted.name} already serves ${old.lun} in slot ${old.slot} of ${this.#config.name}`);
    // Two adapters of a partition may reach one LUN as two WWPNs: that is multipath. Everything else would be two users of one LUN.
    const user = this.#table.all.targets.find((one) => one.lun === wanted.lun && (one.wwpn === undefined || wanted.wwpn === undefined || one.wwpn === wanted.wwpn));
    if (user && user.name !== wanted.name) throw new OlpmError("conflict", `${wanted.lun} is already used by the target device ${user.name} of ${this.#config.name}`);
  }

  /** Finds the way to the LUN, logs in, and checks before and after that it is the one that was meant. */
  async #serve(device: ViosTargetDevice, seen?: FoundLun): Promise<void> {
    // The daemon starts while the SAN is asked.
    const opening = this.#doors.at(device.slot).open();
    opening.catch(() => undefined); // awaited below
    const path = seen ? this.#sized(device, seen.bytes, seen) : device.wwpn === undefined ? await this.#pathTo(device) : await this.#pathAsClient(device);
    const san = device.wwpn === undefined ? this.#san : asClient(this.#san, device.wwpn);
    const confirm = async () => {
      const now = await inspect(san, path, this.#stopped.signal);
      if (now.lun !== device.lun) throw this.#mismatch(device, path, now.lun);
    };
    const exports = await opening;
    await exports.add(device, path, confirm, () => this.#table.target(device.name)?.gate ?? device.gate, san.initiatorName);
    this.#ways.set(device.name, path);
  }

  /** Virtual Fibre Channel: what the SAN shows to the client's name through the port that its adapter is mapped to. */
  async #pathAsClient(device: ViosTargetDevice): Promise<LunPath> {
    const port = this.#table.fcOf(device.slot)?.port;
    const portal = port == null ? undefined : portalOf(this.#san, port);
    if (device.wwpn === undefined || portal === undefined) throw new OlpmError("not-found", `the virtual Fibre Channel adapter of ${device.name} is not mapped to a port`);
    const found = await discover(asClient(this.#san, device.wwpn, [portal]), this.#stopped.signal);
    const seen = found.luns.find((one) => one.lun === device.lun);
    if (seen) return this.#sized(device, seen.bytes, seen);
    throw new OlpmError("lun-not-visible", `the LUN ${device.lun} is not visible to the WWPN ${device.wwpn} through ${port} of ${this.#config.name}${found.failures.map((one) => `: ${one.message}`).join("")}`, { action: "Check that both WWPNs of the adapter are zoned and the LUN is masked to both.", retryable: true });
  }

  async #pathTo(device: ViosTargetDevice): Promise<LunPath> {
    const known = this.#table.diskOf(device.lun);
    const there = known && (await inspect(this.#san, known, this.#stopped.signal).catch(() => undefined));
    if (there?.lun === device.lun) return this.#sized(device, there.bytes, known!);
    await this.refresh();
    const disk = this.#table.diskOf(device.lun);
    if (disk?.state === "available") return this.#sized(device, disk.bytes, disk);
    if (known && there) throw this.#mismatch(device, known, there.lun);
    throw this.#notVisible(device);
  }

  #notVisible(device: ViosTargetDevice): OlpmError {
    return new OlpmError("lun-not-visible", `the LUN ${device.lun} of ${device.name} is not visible to ${this.#config.name} (initiator ${this.#san.initiatorName})${this.#reasons()}`, {
      action: "Check the zoning and LUN masking of the SAN, then run cfgdev on the Virtual I/O Server.",
      retryable: true,
    });
  }

  #sized(device: ViosTargetDevice, bytes: number, path: LunPath): LunPath {
    if (bytes === device.lunBytes) return path;
    throw new OlpmError("lun-mismatch", `the LUN ${device.lun} of ${device.name} has ${bytes} bytes on ${this.#config.name}, ${device.lunBytes} were expected`, { action: "Check that the SAN shows the same LUN to both systems." });
  }

  #mismatch(device: ViosTargetDevice, path: LunPath, found: LunId): OlpmError {
    return new OlpmError("lun-mismatch", `${path.target} LUN ${path.lunNumber} at ${path.portal} is ${found}, but ${device.name} expects ${device.lun}`, { action: "Check which LUN the SAN shows to this Virtual I/O Server; nothing was attached." });
  }

  #reasons(): string {
    return this.#lastFailures.length === 0 ? "" : `: ${this.#lastFailures.map((failure) => failure.message).join("; ")}`;
  }

  /** True when the LUN is where it was seen last; a LUN that backs a served device needs no question. */
  async #seen(lun: LunId): Promise<boolean> {
    const disk = this.#table.diskOf(lun);
    if (disk?.state !== "available") return false;
    const user = this.#table.targetOf(lun);
    if (user && this.served(user.name)) return true;
    const there = await inspect(this.#san, disk, this.#stopped.signal).catch(() => undefined);
    if (there) this.#noteReservation(there);
    return there?.lun === lun && (there.bytes === disk.bytes || there.reservedBy !== null);
  }

  #visibility(lun: LunId): LunVisibility {
    const disk = this.#table.diskOf(lun);
    const user = this.#table.all.targets.find((one) => one.lun === lun); // by virtual Fibre Channel too
    const visible = disk?.state === "available";
    // Another LUN where this one stood is worth to be told: paths are not names.
    const other = disk && !visible ? this.#table.all.disks.find((one) => one.state === "available" && one.target === disk.target && one.lunNumber === disk.lunNumber) : undefined;
    const detail = visible ? disk.name : `not visible to ${this.#san.initiatorName}${other ? `; ${other.target} LUN ${other.lunNumber}, where it was, is ${other.lun}` : ""}${this.#reasons()}`;
    const reservedBy = user ? null : (this.#reserved.get(lun) ?? null);
    return { viosLparId: this.#config.lparId as LparId, lun, visible, bytes: visible && disk.bytes > 0 ? disk.bytes : null, inUse: user !== undefined, reservedBy, detail: user ? `${detail}, used by ${user.name}` : detail };
  }
  #noteReservation({ lun, reservedBy }: FoundLun): void {
    if (reservedBy === null) this.#reserved.delete(lun);
    else this.#reserved.set(lun, reservedBy);
  }

  async #look(): Promise<void> {
    const found: Discovery = await discover(this.#san, this.#stopped.signal);
    this.#lastFailures = found.failures;
    for (const lun of found.luns) this.#noteReservation(lun);
    if (found.failures.length === 0) this.#said.delete("san");
    else this.#sayOnce("san", new OlpmError("storage-failed", found.failures.map((failure) => failure.message).join("; ")), "the SAN could not be asked");
    this.#table.setDisks(mergeDisks(this.#table.all.disks, found.luns));
  }

  /**
   * Every device in the table that is not served is tried once; what fails is logged and stays wanted. LUNs that the last look at the SAN did not
   * show are passed over, so that a SAN which does not answer is waited for once and not once for each device.
   */
  async #restoreOnce(): Promise<void> {
    for (const { name } of [...this.#table.all.targets]) {
      await this.#change(async () => {
        const target = this.#table.target(name); // it may have gone, or its gate may have closed, while this waited
        if (!target || this.served(name)) return;
        if (target.wwpn === undefined && this.#table.diskOf(target.lun)?.state !== "available") throw this.#notVisible(target);
        await this.#serve(target);
        this.#said.delete(name);
        this.#log.info({ device: name, gate: target.gate }, "target device restored");
      }).catch((error: unknown) => this.#sayOnce(name, toOlpmError(error, `restoring ${name}`), "a target device could not be restored"));
    }
  }

  #sayOnce(about: string, error: OlpmError, message: string): void {
    if (this.#said.get(about) === error.message) return;
    this.#said.set(about, error.message);
    this.#log.error({ err: error, about }, message);
  }

  /** Goes on trying in the background while a wanted device is not served. Single-flight. */
  #restoreRest(): void {
    const work = async () => {
      while (!this.#stopped.signal.aborted && this.#table.all.targets.some((target) => !this.served(target.name))) {
        await delay(RESTORE_EVERY_MS, this.#stopped.signal);
        await this.refresh();
        await this.#restoreOnce();
        this.#doors.publish();
      }
    };
    this.#restoring ??= work()
      .catch(() => undefined) // only the shutdown ends the wait
      .finally(() => (this.#restoring = undefined));
  }

  async #reopen(door: Door): Promise<void> {
    while (!this.#stopped.signal.aborted && this.#wanted().some((slot) => this.#doors.at(slot) === door)) {
      try {
        await door.open();
        await this.#restoreOnce();
        this.#doors.publish();
        return this.#restoreRest();
      } catch (error) {
        this.#log.error({ socket: door.socket, err: error }, "the storage daemon could not be replaced");
        await delay(RESTORE_EVERY_MS, this.#stopped.signal).catch(() => undefined);
      }
    }
  }

  /** One change of the table at a time, in the order of their calls. */
  #change<T>(work: () => Promise<T>): Promise<T> {
    if (this.#stopped.signal.aborted) return Promise.reject(new OlpmError("aborted", `${this.#config.name} is shutting down`));
    const mine = this.#changes.then(work, work);
    this.#changes = mine.catch(() => undefined);
    return mine;
  }
}
