/**
 * Virtual Fibre Channel of one Virtual I/O Server (NPIV): it logs in to the SAN as the client partition, by the WWPN that it is told, so that LUN masking
 * follows the partition. What the SAN shows to that name becomes target devices of `Storage`, behind gates. `Vios` and the VIOS command line call it.
 *
 *   mapped to a port -> logged in as a WWPN, its LUNs served -> logged out          one change at a time
 */
import { OlpmError } from "../../kit/errors.js";
import type { Logger } from "../../kit/log.js";
import type { LparId, SlotNumber, Wwpn } from "../../model/ids.js";
import type { FcVisibility } from "../../wire/console-system.js";
import type { Params } from "../../wire/rpc.js";
import type { SystemVios, ViosConfig, ViosFcAdapter } from "../../wire/system-vios.js";
import type { DeviceTable } from "../devices.js";
import { discover, type FoundLun } from "../san/discover.js";
import { asClient, portalOf, portsOf, type FcPort } from "./ports.js";
import type { Storage } from "./storage.js";

export class FibreChannel {
  readonly #config: ViosConfig;
  readonly #table: DeviceTable;
  readonly #storage: Storage;
  readonly #log: Logger;
  #changes: Promise<unknown> = Promise.resolve();

  constructor(config: ViosConfig, table: DeviceTable, storage: Storage, log: Logger) {
    this.#config = config;
    this.#table = table;
    this.#storage = storage;
    this.#log = log;
  }

  ports(): FcPort[] {
    return portsOf(this.#config.san, this.#table.all);
  }

  /** Makes the adapter or changes its client, and maps it when a port is named. @throws OlpmError conflict | not-found | limit-reached */
  put({ port, ...wanted }: Params<SystemVios, "fc.put">): Promise<ViosFcAdapter> {
    return this.#change(async () => {
      const adapter = this.#table.putFc(wanted);
      return port === undefined || port === adapter.port ? adapter : this.#map(adapter, port);
    });
  }

  /** Maps an adapter to a port, or to none (vfcmap). @throws OlpmError not-found | conflict while it is logged in | limit-reached */
  map(name: string, port: string | null): Promise<ViosFcAdapter> {
    return this.#change(async () => {
      const adapter = this.#table.fc(name);
      if (!adapter) throw new OlpmError("not-found", `no virtual Fibre Channel adapter ${name} on ${this.#config.name}`);
      return adapter.port === port ? adapter : this.#map(adapter, port);
    });
  }

  /**
   * What the contract says of `fc.login`. When it fails the adapter is as it was before.
   * @throws OlpmError not-found | wrong-state (not mapped) | conflict (logged in as another) | lun-not-visible | lun-mismatch | storage-failed
   */
  login({ slot, wwpn, clientName, luns }: Params<SystemVios, "fc.login">): Promise<ViosFcAdapter> {
    return this.#change(async () => {
      const adapter = this.#table.fcOf(slot);
      if (!adapter) throw new OlpmError("not-found", `${this.#config.name} has no virtual Fibre Channel server adapter in slot ${slot}`);
      if (adapter.port === null) throw new OlpmError("wrong-state", `${adapter.name} of ${this.#config.name} is not mapped to a port`, { action: `Map it with vfcmap -vadapter ${adapter.name} -fcp fcs0 on the Virtual I/O Server.` });
      if (adapter.wwpn !== null && adapter.wwpn !== wwpn) throw new OlpmError("conflict", `${adapter.name} of ${this.#config.name} is logged in as ${adapter.wwpn}`);
      const found = await this.#look(wwpn, adapter.port);
      const wanted = luns ?? found.map(({ lun, bytes }) => ({ lun, lunBytes: bytes }));
      const missing = wanted.filter(({ lun }) => !found.some((one) => one.lun === lun));
      if (missing.length > 0) throw new OlpmError("lun-not-visible", `the WWPN ${wwpn} does not see ${missing.map(({ lun }) => lun).join(", ")} through ${adapter.port} of ${this.#config.name}`, { action: "Zone both WWPNs of the adapter and mask the LUNs to both." });
      await this.#assertMasked(wwpn, wanted);
      await this.#serve(adapter, wwpn, wanted, found);
      this.#log.info({ adapter: adapter.name, wwpn, luns: wanted.map(({ lun }) => lun) }, "logged in to the SAN as the client");
      return this.#table.setFc(slot, { wwpn, clientName })!;
    });
  }

  /** Cuts the client off and logs out. */
  logout(slot: SlotNumber): Promise<void> {
    return this.#change(async () => {
      const adapter = this.#table.fcOf(slot);
      if (!adapter) return;
      for (const target of this.#table.targetsBehind(slot)) await this.#storage.detach(target.name);
      if (adapter.wwpn === null) return;
      this.#table.setFc(slot, { wwpn: null, clientName: null });
      this.#log.info({ adapter: adapter.name, wwpn: adapter.wwpn }, "logged out of the SAN");
    });
  }

  /** Each name through each port. A name that the SAN does not know sees nothing, which is no error. */
  async probe(wwpns: readonly Wwpn[]): Promise<FcVisibility[]> {
    const asked = this.ports().flatMap((port) => wwpns.map((wwpn) => ({ port, wwpn })));
    return Promise.all(
      asked.map(async ({ port, wwpn }): Promise<FcVisibility> => {
        const { luns, targets, failures } = await discover(asClient(this.#config.san, wwpn, [port.portal]), this.#storage.stopped);
        return { viosLparId: this.#config.lparId as LparId, port: port.name, wwpn, targets: [...targets], luns: luns.map(({ lun, bytes, reservedBy }) => ({ lun, bytes, reservedBy })), availablePorts: port.available, detail: failures.map((one) => one.message).join("; ") };
      }),
    );
  }

  #map(adapter: ViosFcAdapter, port: string | null): ViosFcAdapter {
    if (adapter.wwpn !== null) throw new OlpmError("conflict", `${adapter.name} of ${this.#config.name} is logged in to the SAN through ${adapter.port}`, { action: "Shut the client partition down first." });
    if (port !== null) {
      const there = this.ports().find((one) => one.name === port);
      if (!there) throw new OlpmError("not-found", `${this.#config.name} has no Fibre Channel port ${port}`, { action: "lsnports shows the ports." });
      if (there.available <= 0) throw new OlpmError("limit-reached", `the port ${port} of ${this.#config.name} has no room for another virtual adapter`);
    }
    return this.#table.setFc(adapter.slot, { port })!;
  }

  /** A LUN that the SAN shows to this server's own name too may be another partition's disk by virtual SCSI: two writers that know nothing of each other. */
  async #assertMasked(wwpn: Wwpn, wanted: readonly { readonly lun: FoundLun["lun"] }[]): Promise<void> {
    const open = () => wanted.filter(({ lun }) => this.#table.diskOf(lun)?.state === "available").map(({ lun }) => lun);
    if (open().length > 0) await this.#storage.refresh(); // the masking may have been put right since the last look
    if (open().length > 0) throw new OlpmError("conflict", `the SAN shows ${open().join(", ")} to the WWPN ${wwpn} and to ${this.#config.name} itself`, { action: "Mask each LUN either to Virtual I/O Servers or to the WWPNs of one partition." });
  }

  /** By target and LUN number: the order in which a partition gets its disks. */
  async #look(wwpn: Wwpn, port: string): Promise<FoundLun[]> {
    const portal = portalOf(this.#config.san, port);
    if (portal === undefined) throw new OlpmError("not-found", `${this.#config.name} has no Fibre Channel port ${port}`);
    const { luns, failures } = await discover(asClient(this.#config.san, wwpn, [portal]), this.#storage.stopped);
    if (luns.length === 0 && failures[0]) throw failures[0];
    return [...luns].sort((a, b) => (a.target === b.target ? a.lunNumber - b.lunNumber : a.target < b.target ? -1 : 1));
  }

  /** Devices that are there stay as they are; new ones come behind closed gates; those that are not wanted any more go. */
  async #serve(adapter: ViosFcAdapter, wwpn: Wwpn, wanted: readonly { readonly lun: FoundLun["lun"]; readonly lunBytes: number }[], found: readonly FoundLun[]): Promise<void> {
    const had = this.#table.targetsBehind(adapter.slot);
    const made: string[] = [];
    try {
      for (const { lun, lunBytes } of wanted) {
        if (had.some((target) => target.lun === lun)) continue;
        const name = this.#freeName(adapter.name);
        made.push(name);
        await this.#storage.attach({ name, slot: adapter.slot, lun, lunBytes, gate: "closed", wwpn }, found.find((one) => one.lun === lun));
      }
      for (const target of had) if (target.gate === "closed" && !wanted.some(({ lun }) => lun === target.lun)) await this.#storage.detach(target.name);
    } catch (error) {
      for (const name of made.reverse()) await this.#storage.detach(name).catch(() => undefined);
      throw error;
    }
  }
  #freeName(adapter: string): string {
    for (let n = 0; ; n++) if (!this.#table.target(`${adapter}.${n}`)) return `${adapter}.${n}`;
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#changes.then(work, work);
    this.#changes = mine.catch(() => undefined);
    return mine;
  }
}
