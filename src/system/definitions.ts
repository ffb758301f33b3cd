/** Definitions of partitions: created, changed and removed by operators. Every change is durable when its function returns; a refused one changes nothing. */
import { randomBytes, randomUUID } from "node:crypto";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { LparId as LparIdSchema, MacAddress, type LparId, type WwpnPair } from "../model/ids.js";
import { lparCan, type LparAction } from "../model/lpar-can.js";
import { whyNotVlans, type LparView, type Profile, type ResourceConfig, type VirtualEthernetAdapter, type VirtualFcAdapter } from "../model/lpar.js";
import { bytesToMb } from "../model/units.js";
import type { Params } from "../wire/rpc.js";
import type { ConsoleSystem } from "../wire/console-system.js";
import type { ViosHardware } from "../wire/system-config.js";
import { unitsOf } from "./accounting.js";
import { withTurns } from "./fibre-channel.js";
import { LPARS_MAX } from "./accounting.js";
import type { SystemHypervisor } from "./hypervisor.js";
import type { LparRow } from "./store.js";
import { plugOf } from "./trunks.js";
import { WwpnPool } from "./wwpns.js";

const PROFILES_MAX = 32;
/** What a VIOS counts for in the accounting of its system; its process takes less. */
const VIOS_MEMORY_BYTES = 256 << 20;
const VIOS_UNITS = 10;

type Request<M extends keyof ConsoleSystem["methods"]> = Params<ConsoleSystem, M>;

export class Definitions {
  readonly #hypervisor: SystemHypervisor;
  readonly wwpns: WwpnPool;

  constructor(hypervisor: SystemHypervisor) {
    this.#hypervisor = hypervisor;
    this.wwpns = new WwpnPool(hypervisor.store);
  }

  /** The partitions of the VIOSes that the configuration names, made at the first start; their trunk adapters are the configuration's at each. @throws OlpmError invalid-argument when a client has the ID */
  defineVioses(): void {
    const { store, config } = this.#hypervisor;
    for (const hardware of config.vioses) {
      const row = store.lpar(hardware.lparId);
      if (row && row.definition.environment !== "vioserver") throw new OlpmError("invalid-argument", `The configuration gives the Virtual I/O Server ${hardware.name} the partition ID ${hardware.lparId}, which partition ${row.definition.name} has.`, { action: "Give it another one (vioses[].lparId)." });
      store.putLpar(row ? withTrunkAdapters(row, trunkAdapters(hardware)) : viosRow(hardware));
    }
  }

  create(params: Request<"lpar.create">): LparId {
    const { store } = this.#hypervisor;
    if (params.environment === "vioserver") throw new OlpmError("unsupported", "Virtual I/O Servers are made from the managed system's configuration, since they own physical adapters.");
    const rows = store.lpars();
    if (rows.some((row) => row.definition.name === params.name)) throw new OlpmError("already-exists", `A partition named ${params.name} already exists on ${this.#hypervisor.config.name}.`, { hsc: "HSCL0616" });
    if (params.lparId !== null && rows.some((row) => row.lparId === params.lparId)) throw new OlpmError("already-exists", `Partition ID ${params.lparId} is in use on ${this.#hypervisor.config.name}.`);
    if (params.lparId !== null && params.lparId > LPARS_MAX) throw new OlpmError("invalid-argument", `Partition ID ${params.lparId} is above this system's limit of ${LPARS_MAX}.`);
    const lparId = params.lparId ?? this.#hypervisor.lowestFreeLparId();
    const profile = this.#checked(params.profile, lparId);
    const definition = { name: params.name, uuid: randomUUID(), environment: params.environment, settings: params.settings, profiles: [profile], defaultProfile: profile.name, currentProfile: null, current: null };
    store.transaction(() => {
      store.putLpar({ lparId, revision: 0, definition, ownership: { kind: "absent" }, storage: [], fc: [], migrationId: null, power: "off", failed: false, startedAt: null, devices: null });
      this.#hypervisor.own(lparId, { type: "create" });
    });
    return lparId;
  }

  /** One operation, so that neither a migration nor an activation begins while the VIOSes take its adapters away. */
  async remove(params: Request<"lpar.remove">): Promise<void> {
    await this.#hypervisor.operations.run(this.#hypervisor.view(params.lparId), "removal", () => this.#remove(params));
  }
  async #remove({ lparId, removeServerAdapters }: Request<"lpar.remove">): Promise<void> {
    const view = this.#changeable(lparId, "remove");
    if (view.definition.environment === "vioserver") throw new OlpmError("unsupported", `${view.definition.name} is a Virtual I/O Server of the managed system's configuration and can not be removed here.`);
    for (const mapping of removeServerAdapters ? view.storage : []) {
      const vios = this.#hypervisor.vios(mapping.viosLparId);
      await vios.client.call("storage.detach", { name: mapping.vtd });
      await vios.client.call("adapter.remove", { slot: mapping.viosSlot, force: true });
    }
    for (const mapping of removeServerAdapters ? view.fc : []) await this.#hypervisor.vios(mapping.viosLparId).client.call("adapter.remove", { slot: mapping.viosSlot, force: true });
    this.#hypervisor.store.transaction(() => {
      this.#hypervisor.own(lparId, { type: "remove" });
      this.#hypervisor.dropRow(lparId);
    });
  }

  modify({ lparId, newName, settings, defaultProfile }: Request<"lpar.modify">): void {
    const view = this.#changeable(lparId, "modify");
    if (newName !== undefined && newName !== view.definition.name && this.#hypervisor.store.lpars().some((row) => row.definition.name === newName))
      throw new OlpmError("already-exists", `A partition named ${newName} already exists on ${this.#hypervisor.config.name}.`, { hsc: "HSCL0616" });
    if (defaultProfile !== undefined) profileOf(view, defaultProfile);
    if (settings?.msp !== undefined && view.definition.environment !== "vioserver") throw new OlpmError("invalid-argument", "The attribute msp is only for Virtual I/O Servers.");
    const given = Object.fromEntries(Object.entries(settings ?? {}).filter(([, value]) => value !== undefined));
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, name: newName ?? row.definition.name, defaultProfile: defaultProfile ?? row.definition.defaultProfile, settings: { ...row.definition.settings, ...given } } }));
  }

  putProfile({ lparId, profile, newName, mustExist, mayReplace }: Request<"profile.put">): void {
    const view = this.#changeable(lparId, "modifyProfile");
    const exists = view.definition.profiles.some((one) => one.name === profile.name);
    if (mustExist) profileOf(view, profile.name);
    if (exists && !mayReplace) throw new OlpmError("already-exists", `The profile ${profile.name} of partition ${view.definition.name} exists.`);
    if (!exists && view.definition.profiles.length >= PROFILES_MAX) throw new OlpmError("limit-reached", `A partition has at most ${PROFILES_MAX} profiles.`);
    const name = newName ?? profile.name;
    if (name !== profile.name && view.definition.profiles.some((one) => one.name === name)) throw new OlpmError("already-exists", `The profile ${name} of partition ${view.definition.name} exists.`);
    const checked = { ...this.#checked(profile, lparId), name };
    const renamed = <T extends string | null>(known: T) => (known === profile.name ? name : known);
    this.#hypervisor.update(lparId, (row) => ({
      ...row,
      definition: {
        ...row.definition,
        defaultProfile: renamed(row.definition.defaultProfile),
        currentProfile: renamed(row.definition.currentProfile),
        profiles: exists ? row.definition.profiles.map((one) => (one.name === profile.name ? checked : one)) : [...row.definition.profiles, checked],
      },
    }));
  }

  removeProfile({ lparId, name }: Request<"profile.remove">): void {
    const view = this.#changeable(lparId, "modifyProfile");
    profileOf(view, name);
    if (view.definition.profiles.length === 1) throw new OlpmError("wrong-state", `${name} is the only profile of partition ${view.definition.name}.`);
    if (view.definition.defaultProfile === name) throw new OlpmError("wrong-state", `${name} is the default profile of partition ${view.definition.name}.`, { action: "Choose another one with chsyscfg -i default_profile=NAME first." });
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, profiles: row.definition.profiles.filter((one) => one.name !== name) } }));
  }

  saveProfile({ lparId, name, force }: Request<"profile.save">): void {
    const view = this.#changeable(lparId, "modifyProfile");
    if (!view.definition.current) throw new OlpmError("wrong-state", `The partition ${view.definition.name} has no current configuration to save.`, { hsc: "HSCL3680" });
    this.putProfile({ lparId, profile: { name, resources: view.definition.current }, mustExist: false, mayReplace: force });
  }

  applyProfile({ lparId, name }: Request<"profile.apply">): void {
    const view = this.#changeable(lparId, "remove"); // like a removal: only while it is off
    const { resources } = profileOf(view, name);
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current: withTurns(resources, row.definition.current), currentProfile: name } }));
  }

  async addAdapter({ lparId, adapter }: Request<"adapter.add">): Promise<void> {
    const view = this.#changeable(lparId, "dlpar");
    if (view.definition.environment === "vioserver") {
      if (adapter.kind === "ethernet" || adapter.value.role !== "server") throw new OlpmError("unsupported", "A Virtual I/O Server takes virtual SCSI and Fibre Channel server adapters here; its trunk adapter comes from the managed system's configuration.");
      return this.#putServerAdapter(view, adapter.kind, adapter.value);
    }
    const resources = this.#offlineConfiguration(view);
    const next = adapter.kind === "scsi" ? { ...resources, scsi: [...resources.scsi, adapter.value] } : adapter.kind === "fc" ? { ...resources, fc: [...resources.fc, adapter.value] } : { ...resources, ethernet: [...resources.ethernet, adapter.value] };
    const checked = this.#checked({ name: "current", resources: next }, lparId).resources;
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current: checked } }));
  }

  /** VLAN and switch of a client partition's adapter; the tap of a running one is joined anew. */
  async setAdapter(params: Request<"adapter.set">): Promise<void> {
    await this.#hypervisor.operations.run(this.#hypervisor.view(params.lparId), "change of an adapter", () => this.#setAdapter(params));
  }
  async #setAdapter({ lparId, value }: Request<"adapter.set">): Promise<void> {
    const view = this.#changeable(lparId, "dlpar");
    if (view.definition.environment === "vioserver") throw new OlpmError("unsupported", "The trunk adapter of a Virtual I/O Server comes from the managed system's configuration.");
    const resources = view.definition.current ?? profileOf(view, view.definition.defaultProfile).resources;
    const before = resources.ethernet.find((one) => one.slot === value.slot);
    if (!before) throw new OlpmError("not-found", `Partition ${view.definition.name} has no virtual Ethernet adapter in slot ${value.slot}.`);
    if (value.mac !== before.mac) throw new OlpmError("invalid-argument", `The adapter in slot ${value.slot} of partition ${view.definition.name} keeps its address.`);
    const { resources: checked } = this.#checked({ name: "current", resources: { ...resources, ethernet: resources.ethernet.map((one) => (one === before ? value : one)) } }, lparId);
    const put = (current: ResourceConfig | null) => this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current } }));
    put(checked);
    if (!this.#hypervisor.process(lparId)) return;
    const hypervisor = this.#hypervisor;
    const join = (adapter: VirtualEthernetAdapter) => hypervisor.network.rejoin(plugOf(hypervisor, lparId, adapter));
    try {
      await join(value);
    } catch (error) {
      put(view.definition.current);
      await join(before).catch((again: unknown) => this.#hypervisor.log.error({ err: again, slot: before.slot }, "the VLAN of an adapter could not be put back"));
      throw error;
    }
  }

  /** A switch that gets another name takes its adapters along. @throws OlpmError conflict: the configuration or a migration holds on to the name */
  putSwitch(wanted: Request<"vswitch.put">): void {
    const { store, config, vswitches } = this.#hypervisor;
    const { name, newName } = wanted;
    if (newName === undefined || newName === name) return vswitches.put(wanted);
    const vios = config.vioses.find((one) => one.sea.some((sea) => sea.vswitch === name));
    if (vios) throw new OlpmError("conflict", `The virtual switch ${name} is bridged by the Virtual I/O Server ${vios.name}, by the managed system's configuration.`, { action: "Change vioses[].sea there, or keep the name." });
    const renamed = (resources: ResourceConfig): ResourceConfig => ({ ...resources, ethernet: resources.ethernet.map((adapter) => (adapter.vswitch === name ? { ...adapter, vswitch: newName } : adapter)) });
    const users = store.lpars().filter(({ definition }) => [definition.current, ...definition.profiles.map((one) => one.resources)].some((one) => one?.ethernet.some((adapter) => adapter.vswitch === name)));
    const moving = users.find((row) => row.migrationId !== null);
    if (moving) throw new OlpmError("conflict", `The virtual switch ${name} is used by partition ${moving.definition.name}, which is taking part in a migration.`, { hsc: "OLPM-P02", action: "Wait until it ends, or stop it with migrlpar -o s." });
    store.transaction(() => {
      vswitches.put(wanted);
      for (const { lparId } of users) this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current: row.definition.current && renamed(row.definition.current), profiles: row.definition.profiles.map((one) => ({ ...one, resources: renamed(one.resources) })) } }));
    });
  }

  async removeAdapter({ lparId, slot, force }: Request<"adapter.remove">): Promise<void> {
    const view = this.#changeable(lparId, "dlpar");
    const missing = () => new OlpmError("not-found", `Partition ${view.definition.name} has no virtual adapter in slot ${slot}.`);
    if (view.definition.environment === "vioserver") {
      const row = this.#hypervisor.row(lparId);
      if (![...(row.devices?.adapters ?? []), ...(row.devices?.fc ?? [])].some((one) => one.slot === slot) || !row.devices) throw missing();
      const vios = this.#hypervisor.supervisor.get(lparId);
      if (vios) return void (await vios.client.call("adapter.remove", { slot, force }));
      if (row.devices.targets.some((target) => target.slot === slot) && !force) throw new OlpmError("conflict", `Target devices hang on the adapter in slot ${slot}.`, { action: "Remove them first, or use --force." });
      const { devices } = row;
      this.#hypervisor.update(lparId, (now) => ({ ...now, devices: { ...devices, adapters: devices.adapters.filter((one) => one.slot !== slot), fc: devices.fc.filter((one) => one.slot !== slot), targets: devices.targets.filter((one) => one.slot !== slot) } }));
      return;
    }
    const resources = this.#offlineConfiguration(view);
    if (![...resources.scsi, ...resources.fc, ...resources.ethernet].some((one) => one.slot === slot)) throw missing();
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current: { ...resources, scsi: resources.scsi.filter((one) => one.slot !== slot), fc: resources.fc.filter((one) => one.slot !== slot), ethernet: resources.ethernet.filter((one) => one.slot !== slot) } } }));
  }

  async #putServerAdapter(view: LparView, kind: "scsi" | "fc", adapter: Pick<VirtualFcAdapter, "slot" | "remoteLparId" | "remoteSlot">): Promise<void> {
    const wanted = { slot: adapter.slot, clientLparId: adapter.remoteLparId, clientSlot: adapter.remoteSlot };
    const row = this.#hypervisor.row(view.lparId);
    const { adapters, fc } = row.devices ?? { adapters: [], fc: [] };
    if ([...adapters, ...fc].some((one) => one.slot === adapter.slot) || row.definition.current?.ethernet.some((one) => one.slot === adapter.slot)) throw new OlpmError("already-exists", `Slot ${adapter.slot} of ${view.definition.name} is in use.`);
    const vios = this.#hypervisor.supervisor.get(view.lparId);
    if (vios) {
      await (kind === "scsi" ? vios.client.call("adapter.put", wanted) : vios.client.call("fc.put", wanted));
      return;
    }
    const freeName = (prefix: string) => {
      let number = 0;
      while ([...adapters, ...fc].some((one) => one.name === `${prefix}${number}`)) number++;
      return `${prefix}${number}`;
    };
    const made = kind === "scsi" ? { adapters: [...adapters, { name: freeName("vhost"), ...wanted }], fc } : { adapters, fc: [...fc, { name: freeName("vfchost"), ...wanted, port: null, wwpn: null, clientName: null }] };
    this.#hypervisor.update(view.lparId, (now) => ({ ...now, devices: { disks: [], targets: [], ...now.devices, ...made } }));
  }

  /** @throws OlpmError unsupported: QEMU's virtual I/O bus takes no adapter while the partition runs */
  #offlineConfiguration(view: LparView): ResourceConfig {
    if (view.state !== "not-activated" && view.state !== "error") throw new OlpmError("unsupported", `Virtual adapters of partition ${view.definition.name} can not be changed while it runs on this platform.`, { action: "Change its profile with chsyscfg -r prof and activate it again, or shut it down first." });
    return view.definition.current ?? profileOf(view, view.definition.defaultProfile).resources;
  }

  #changeable(lparId: LparId, action: LparAction): LparView {
    const view = this.#hypervisor.view(lparId);
    if (view.migrationId !== null) throw new OlpmError("conflict", `The partition ${view.definition.name} is taking part in a migration.`, { hsc: "OLPM-P02", action: "Wait until it ends, or stop it with migrlpar -o s." });
    if (!lparCan(action, view.state)) throw new OlpmError("wrong-state", `The partition ${view.definition.name} is ${view.state}; this is not possible in that state.`, { action: action === "remove" ? "Shut it down first." : undefined });
    return view;
  }

  /** The profile with addresses for its adapters, after every check that needs the system. */
  #checked(profile: Profile, lparId: LparId): Profile {
    const { config, vswitches } = this.#hypervisor;
    const { resources } = profile;
    const { memory, proc } = resources;
    for (const [name, bytes] of [["min_mem", memory.minBytes], ["desired_mem", memory.desiredBytes], ["max_mem", memory.maxBytes]] as const)
      if (bytes % config.lmbBytes !== 0 || bytes <= 0) throw new OlpmError("invalid-argument", `${name}=${bytesToMb(bytes)} is not a multiple of the logical memory block size of ${bytesToMb(config.lmbBytes)} MB.`);
    if (memory.desiredBytes > config.memoryBytes) throw new OlpmError("insufficient-memory", `desired_mem=${bytesToMb(memory.desiredBytes)} is more than the system's ${bytesToMb(config.memoryBytes)} MB.`);
    if (unitsOf(resources) > config.processors * 100 || proc.desiredProcs > config.processors * 10) throw new OlpmError("insufficient-processors", `The profile asks for more than the system's ${config.processors} processors.`);
    const slots = [...resources.scsi, ...resources.fc, ...resources.ethernet].map((one) => one.slot);
    const twice = slots.find((slot, index) => slots.indexOf(slot) !== index);
    if (twice !== undefined) throw new OlpmError("invalid-argument", `Virtual slot ${twice} is given to two adapters.`);
    const outside = slots.find((slot) => slot < 2 || slot >= resources.maxVirtualSlots);
    if (outside !== undefined) throw new OlpmError("invalid-argument", `Virtual slot ${outside} is outside 2 to ${resources.maxVirtualSlots - 1} (max_virtual_slots=${resources.maxVirtualSlots}; 0 and 1 are the terminals').`);
    for (const adapter of resources.ethernet) vswitches.get(adapter.vswitch);
    const trunk = resources.ethernet.find((one) => one.trunkPriority > 0);
    if (trunk && this.#hypervisor.store.lpar(lparId)?.definition.environment !== "vioserver") throw new OlpmError("unsupported", `The adapter in slot ${trunk.slot} can not be a trunk adapter: those belong to Virtual I/O Servers.`, { action: "Give it the trunk priority 0." });
    for (const adapter of resources.ethernet) {
      const wrong = whyNotVlans(adapter);
      if (wrong !== null) throw new OlpmError("invalid-argument", `The adapter in slot ${adapter.slot} is not valid: ${wrong}.`);
    }
    this.#assertFreeWwpns(resources, lparId);
    const fc = resources.fc.map((adapter) => (adapter.role === "client" ? { ...adapter, wwpns: adapter.wwpns ?? this.#wwpnsFor(adapter, lparId) } : adapter));
    return { ...profile, resources: { ...resources, fc, ethernet: resources.ethernet.map((adapter) => ({ ...adapter, mac: adapter.mac ?? this.#macFor(adapter, lparId) })) } };
  }

  /** Two adapters that were one to the SAN would reach each other's LUNs. */
  #assertFreeWwpns(resources: ResourceConfig, lparId: LparId): void {
    const given = resources.fc.flatMap((adapter) => adapter.wwpns ?? []);
    const twice = given.find((wwpn, index) => given.indexOf(wwpn) !== index);
    if (twice !== undefined) throw new OlpmError("invalid-argument", `The WWPN ${twice} is given twice.`);
    for (const row of this.#hypervisor.store.lpars().filter((one) => one.lparId !== lparId)) {
      const taken = adaptersOf(row).flatMap((adapter) => adapter.wwpns ?? []).find((wwpn) => given.includes(wwpn));
      if (taken !== undefined) throw new OlpmError("already-exists", `The WWPN ${taken} belongs to partition ${row.definition.name}.`, { action: "Leave the WWPNs out: the managed system makes a new pair." });
    }
  }

  /** An adapter keeps its pair over all profiles of its partition; others get a new one. */
  #wwpnsFor(adapter: VirtualFcAdapter, lparId: LparId): WwpnPair {
    const row = this.#hypervisor.store.lpar(lparId);
    return (row ? adaptersOf(row) : []).find((one) => one.role === "client" && one.slot === adapter.slot && one.wwpns !== null)?.wwpns ?? this.wwpns.next();
  }

  /** An adapter keeps its address over all profiles of its partition; others get the system's prefix, a counter and the slot. */
  #macFor(adapter: VirtualEthernetAdapter, lparId: LparId): VirtualEthernetAdapter["mac"] {
    const { store } = this.#hypervisor;
    const row = store.lpar(lparId);
    const known = [...(row?.definition.current?.ethernet ?? []), ...(row?.definition.profiles ?? []).flatMap((profile) => profile.resources.ethernet)].find((one) => one.slot === adapter.slot && one.mac !== null);
    if (known) return known.mac;
    let prefix = store.fact("mac_prefix", z.string());
    if (prefix === undefined) {
      const bytes = randomBytes(3);
      bytes[0] = (bytes[0]! & 0xfc) | 0x02; // locally administered, unicast
      store.putFact("mac_prefix", (prefix = bytes.toString("hex").toUpperCase()));
    }
    const number = (store.fact("mac_next", z.number()) ?? 1) & 0xffff;
    store.putFact("mac_next", number + 1);
    return MacAddress.parse(`${prefix}${number.toString(16).padStart(4, "0")}${(adapter.slot & 0xff).toString(16).padStart(2, "0")}`.toUpperCase());
  }
}

/** All virtual Fibre Channel adapters that a partition has or would have. */
const adaptersOf = (row: LparRow): VirtualFcAdapter[] => [...(row.definition.current?.fc ?? []), ...row.definition.profiles.flatMap((profile) => profile.resources.fc)];

/** @throws OlpmError not-found HSCL8016 */
function profileOf(view: LparView, name: string): Profile {
  const found = view.definition.profiles.find((profile) => profile.name === name);
  if (!found) throw new OlpmError("not-found", `The profile ${name} of partition ${view.definition.name} was not found.`, { hsc: "HSCL8016" });
  return found;
}

const trunkAdapters = ({ sea }: ViosHardware): VirtualEthernetAdapter[] => sea.map((one) => ({ slot: one.trunkSlot, ieee: true, portVlanId: one.vlanIds[0]!, additionalVlanIds: one.vlanIds.slice(1), trunkPriority: one.trunkPriority, required: true, vswitch: one.vswitch, mac: null }));

function withTrunkAdapters(row: LparRow, ethernet: VirtualEthernetAdapter[]): LparRow {
  const profiles = row.definition.profiles.map((profile) => ({ ...profile, resources: { ...profile.resources, ethernet } }));
  return { ...row, definition: { ...row.definition, profiles, current: row.definition.current && { ...row.definition.current, ethernet } } };
}

function viosRow(hardware: ViosHardware): LparRow {
  const memory = { minBytes: VIOS_MEMORY_BYTES, desiredBytes: VIOS_MEMORY_BYTES, maxBytes: VIOS_MEMORY_BYTES };
  const proc = { mode: "shared", minProcs: 1, desiredProcs: 1, maxProcs: 1, minUnits: VIOS_UNITS, desiredUnits: VIOS_UNITS, maxUnits: 100, sharingMode: "uncap", uncapWeight: 255 } as const;
  const resources: ResourceConfig = { memory, proc, maxVirtualSlots: 200, scsi: [], ethernet: trunkAdapters(hardware), fc: [], bootMode: "norm", compatMode: "default" };
  const settings = { autoStart: true, availPriority: 191, description: "", keylock: "norm" as const, allowPerfCollection: false, migrationDisabled: false, syncCurrProfile: false, timeRef: false, msp: hardware.msp };
  return {
    lparId: LparIdSchema.parse(hardware.lparId),
    revision: 0,
    definition: { name: hardware.name, uuid: randomUUID(), environment: "vioserver", settings, profiles: [{ name: "default", resources }], defaultProfile: "default", currentProfile: "default", current: resources },
    ownership: { kind: "owner", generation: 1 as never, migrationId: null },
    storage: [],
    fc: [],
    migrationId: null,
    power: "off",
    failed: false,
    startedAt: null,
    devices: { disks: [], adapters: [], targets: [], fc: [] },
  };
}
