/**
 * The rules of partition mobility, one small function each, in the order in which they are reported. Codes and rows: lpm-process section 4; where IBM's
 * code is not known ours is `OLPM-V` and the row. docs/rules.md lists which rows are here. Pure.
 */
import { bytesToMb } from "../model/units.js";
import type { Finding, MobilityFacts } from "./facts.js";
import { planFc } from "./fibre-channel.js";
import { isWanted, moversOf } from "./movers.js";
import type { StoragePlan } from "./storage.js";

export type MigrationKind = "active" | "inactive";
interface Case extends MobilityFacts {
  readonly kind: MigrationKind;
  readonly storage: StoragePlan;
}
type Said = readonly [message: string, action: string] | undefined | false;
export interface Rule {
  readonly row: string;
  readonly hsc: string;
  /** what holds when it finds nothing, for docs/rules.md */
  readonly checks: string;
  readonly severity: "error" | "warning";
  readonly kinds: "both" | MigrationKind;
  /** the message and what to do about it; undefined when the rule holds. Several findings of one rule: one for each. */
  readonly find: (facts: Case) => Said | readonly Said[];
}

const named = (facts: Case) => `Partition ${facts.lpar.definition.name}`;
const here = (facts: Case) => facts.source.view.name;
const there = (facts: Case) => facts.destination.view.name;
const adapters = (facts: Case) => facts.lpar.definition.current?.ethernet ?? [];
const clientsOf = (facts: Case) => (facts.lpar.definition.current?.scsi ?? []).filter((adapter) => adapter.role === "client");

/** HSCLA246, with the console's two blanks between the sentences. */
export const noConnection = (partition: string): string =>
  `The management console cannot communicate with partition ${partition}.  Either the network connection is not available or the partition does not have a level of software that is capable of supporting this operation.  Verify the correct network and setup of the partition, and try the operation again.`;
/** HSCLA257, and what the operating system said. */
export const guestRefusal = (partition: string, detail: string): readonly [message: string, action: string] => [
  "The migrating partition has returned a failure response to the HMC's request to perform a check for migration readiness. The migrating partition is not ready for migration at this time. Try the operation again later.",
  `The operating system of ${partition} says: ${detail || "one of its scripts said no"}. See the scripts in its /etc/openlpm/mobility.d.`,
];

export const RULES: readonly Rule[] = [
  { row: "G01", hsc: "OLPM-VG01", checks: "source and destination are different systems", severity: "error", kinds: "both", find: (f) => f.source.view.uuid === f.destination.view.uuid && [`The source and the destination are the same managed system, ${here(f)}.`, "Name another managed system with -t."] },
  { row: "G10", hsc: "OLPM-VG10", checks: "the partition is not in another migration", severity: "error", kinds: "both", find: (f) => f.lpar.migrationId !== null && [`${named(f)} is in another migration.`, "Wait until it ends, or stop it with migrlpar -o s."] },
  { row: "G12", hsc: "OLPM-VG12", checks: "both systems are below their limit of concurrent migrations", severity: "error", kinds: "both", find: (f) => [f.source, f.destination].map((system): Said => {
    const { activeMax, activeNow, inactiveMax, inactiveNow } = system.view.migration;
    const [most, now] = f.kind === "active" ? [activeMax, activeNow] : [inactiveMax, inactiveNow];
    return now >= most && [`${system.view.name} already takes part in ${now} ${f.kind} migrations, its limit.`, "Wait until one ends."];
  }) },
  { row: "S03", hsc: "OLPM-VS03", checks: "both systems are reachable and Operating", severity: "error", kinds: "both", find: (f) => [f.source, f.destination].map((system): Said => (!system.connected || system.view.state !== "operating") && [`The managed system ${system.view.name} is not in the Operating state or can not be reached.`, "Check its host and its openlpm system process."]) },
  { row: "S04", hsc: "OLPM-VS04", checks: "the hypervisor's QEMU keeps dirty memory and emulated processors coherent (9.0 or later)", severity: "error", kinds: "active", find: (f) => [f.source, f.destination].map((system): Said => losesWrites(system.view.hypervisor) && [`The hypervisor of ${system.view.name} (QEMU ${system.view.hypervisor.qemuVersion}, emulation) does not notice every change of a partition's memory while it is copied; a moved partition would lose writes.`, `QEMU ${QEMU_SAFE_MAJOR}.0 or later is needed for emulated partitions; Debian 12 has it in bookworm-backports.`]) },
  { row: "S05", hsc: "OLPM-VS05", checks: "the destination supports the processor compatibility mode", severity: "error", kinds: "both", find: (f) => {
    const mode = f.lpar.definition.current?.compatMode ?? "default";
    return !f.destination.view.compatModes.includes(mode) && [`${there(f)} does not support the processor compatibility mode ${mode} of partition ${f.lpar.definition.name}.`, "Set a lower preferred mode, restart the partition and try again."];
  } },
  { row: "S09", hsc: "OLPM-VS09", checks: "the logical memory block sizes are equal", severity: "error", kinds: "both", find: (f) => {
    const [a, b] = [f.source.view.memory.lmbBytes, f.destination.view.memory.lmbBytes];
    return a !== b && [`The logical memory block sizes differ: ${bytesToMb(a)} MB on ${here(f)}, ${bytesToMb(b)} MB on ${there(f)}.`, "Set the same size on both systems."];
  } },
  { row: "P02", hsc: "OLPM-VP02", checks: "the partition is no Virtual I/O Server", severity: "error", kinds: "both", find: (f) => f.lpar.definition.environment === "vioserver" && [`${f.lpar.definition.name} is a Virtual I/O Server, which can not be migrated.`, "Choose an AIX, Linux or IBM i partition."] },
  { row: "P03", hsc: "OLPM-VP03", checks: "the partition is Running or Not Activated", severity: "error", kinds: "both", find: (f) => f.lpar.state !== "running" && f.lpar.state !== "not-activated" && !f.lpar.state.startsWith("migrating") && [`${named(f)} is in the state ${f.lpar.state}; only a running or a not activated partition can be migrated.`, "Let it finish starting or shutting down, or shut it down."] },
  { row: "P06", hsc: "OLPM-VP06", checks: "`migration_disabled` is 0", severity: "error", kinds: "both", find: (f) => f.lpar.definition.settings.migrationDisabled && [`Migration is disabled for partition ${f.lpar.definition.name}.`, "Clear its attribute migration_disabled with chsyscfg."] },
  { row: "P07", hsc: "OLPM-VP07", checks: "an inactive partition was activated before", severity: "error", kinds: "inactive", find: (f) => f.lpar.definition.currentProfile === null && [`${named(f)} was never activated, so there is no profile to migrate.`, "Activate it once."] },
  { row: "P09", hsc: "OLPM-VP09", checks: "the name is free on the destination", severity: "error", kinds: "both", find: (f) => f.destination.lpars.some((lpar) => lpar.definition.name === f.lpar.definition.name) && [`A partition named ${f.lpar.definition.name} already exists on ${there(f)}.`, "Rename or remove one of the two."] },
  { row: "P10", hsc: "OLPM-VP10", checks: "the partition ID is free and within the limit", severity: "error", kinds: "both", find: (f) => {
    const { destLparId } = f.wanted;
    if (destLparId !== null && f.destination.lpars.some((lpar) => lpar.lparId === destLparId)) return [`Partition ID ${destLparId} is in use on ${there(f)}.`, "Choose another dest_lpar_id, or leave it out."];
    if (destLparId !== null && destLparId > f.destination.view.lparsMax) return [`Partition ID ${destLparId} is above the limit of ${there(f)}, ${f.destination.view.lparsMax}.`, "Choose a lower dest_lpar_id."];
    return f.destination.lpars.length >= f.destination.view.lparsMax && [`${there(f)} has no free partition ID.`, "Remove a partition that is not needed."];
  } },
  { row: "P11", hsc: "OLPM-VP11", checks: "the UUID is not on the destination", severity: "error", kinds: "both", find: (f) => f.destination.lpars.some((lpar) => lpar.definition.uuid === f.lpar.definition.uuid && lpar.definition.name !== f.lpar.definition.name) && [`A partition with the UUID of ${f.lpar.definition.name} exists on ${there(f)}.`, "Look at both: one may be left over from an earlier migration (migrlpar -o r)."] },
  { row: "P12", hsc: "OLPM-VP12", checks: "every MAC address is free on the destination", severity: "error", kinds: "both", find: (f) => {
    const taken = new Set(f.destination.lpars.filter((lpar) => lpar.definition.uuid !== f.lpar.definition.uuid).flatMap((lpar) => lpar.definition.current?.ethernet ?? []).flatMap((adapter) => (adapter.mac === null ? [] : [adapter.mac])));
    return adapters(f).map((adapter): Said => adapter.mac !== null && taken.has(adapter.mac) && [`The address ${adapter.mac} of the virtual Ethernet adapter in slot ${adapter.slot} is in use on ${there(f)}.`, "Change one of the two."]);
  } },
  { row: "P13", hsc: "HSCLA246", checks: "the operating system answers over RMC", severity: "error", kinds: "active", find: (f) => f.guest !== null && !f.guest.answered && [noConnection(f.lpar.definition.name), f.guest.detail] },
  { row: "P14", hsc: "HSCLA257", checks: "the operating system agrees at `check`", severity: "error", kinds: "active", find: (f) => f.guest !== null && f.guest.answered && !f.guest.agreed && guestRefusal(f.lpar.definition.name, f.guest.detail) },
  { row: "C01", hsc: "OLPM-VC02", checks: "enough free processing units", severity: "error", kinds: "both", find: (f) => f.fits !== null && !f.fits.processors && [`${there(f)} has not enough free processing resources for partition ${f.lpar.definition.name}. ${f.fits.detail}`, "Free or shrink other partitions there."] },
  { row: "C03", hsc: "OLPM-VC03", checks: "the processors fit the destination's limit for a partition", severity: "error", kinds: "both", find: (f) => {
    const procs = f.lpar.definition.current?.proc.desiredProcs ?? 0;
    return procs > f.destination.view.proc.maxProcsPerLpar && [`${named(f)} has ${procs} processors; ${there(f)} gives a partition at most ${f.destination.view.proc.maxProcsPerLpar}.`, "Take processors away first."];
  } },
  { row: "M01", hsc: "OLPM-VM01", checks: "enough free memory", severity: "error", kinds: "both", find: (f) => f.fits !== null && !f.fits.memory && [`${there(f)} has not enough free memory for partition ${f.lpar.definition.name}: ${bytesToMb(f.lpar.definition.current?.memory.desiredBytes ?? 0)} MB are needed, ${bytesToMb(f.destination.view.memory.availableBytes)} MB are available.`, "Shut down or shrink other partitions there."] },
  { row: "V01", hsc: "HSCLA246", checks: "each Virtual I/O Server that serves the partition is running", severity: "error", kinds: "both", find: (f) => [...new Set([...f.lpar.storage, ...f.lpar.fc].map((mapping) => mapping.viosLparId))].map((id): Said => {
    const vios = f.source.lpars.find((lpar) => lpar.lparId === id);
    return vios?.state !== "running" && [noConnection(vios?.definition.name ?? `with ID ${id}`), `It serves storage of ${f.lpar.definition.name} on ${here(f)} and is ${vios?.state ?? "gone"}; activate it first (chsysstate -r lpar -o on).`];
  }) },
  { row: "V03", hsc: "OLPM-VV03", checks: "every required client adapter has storage behind it", severity: "error", kinds: "both", find: (f) => clientsOf(f).map((adapter): Said => adapter.required && !f.lpar.storage.some((mapping) => mapping.clientSlot === adapter.slot) && [`The required virtual SCSI adapter in slot ${adapter.slot} has no storage behind it on ${here(f)}.`, "Map a disk to its server adapter, or make it not required."]) },
  { row: "V06", hsc: "HSCLA24E", checks: "a running Virtual I/O Server of the destination sees every LUN of the adapter, by identity, with its size, and free", severity: "error", kinds: "both", find: (f) => f.storage.impossible.map(({ clientSlot, why }): Said => [`The migrating partition's virtual SCSI adapter ${clientSlot} cannot be hosted by the existing virtual I/O server (VIOS) partitions on the destination managed system. To migrate the partition, set up the necessary VIOS hosts on the destination managed system, then try the operation again.`, `Reason: ${why}.`]) },
  { row: "V12", hsc: "OLPM-VV12", checks: "the mappings that were asked for are possible", severity: "error", kinds: "both", find: (f) => [...f.storage.refused.map((one) => ({ ...one, of: "SCSI" })), ...planFc(f).refused.map((one) => ({ ...one, of: "Fibre Channel" }))].map(({ clientSlot, why, of }): Said => [`The virtual ${of} mapping of slot ${clientSlot} can not be honoured: ${why}.`, "lslparmigr -r virtualio shows the possible mappings."]) },
  { row: "V16", hsc: "HSCLA319", checks: "a port of a running Virtual I/O Server of the destination shows every LUN of the virtual Fibre Channel adapter to the WWPN that would log in there", severity: "error", kinds: "both", find: (f) => planFc(f).impossible.map(({ clientSlot, why }): Said => [`The migrating partition's virtual fibre channel client adapter ${clientSlot} cannot be hosted by the existing Virtual I/O Server (VIOS) partitions on the destination managed system. To migrate the partition, set up the necessary VIOS host on the destination managed system, then try the operation again.`, `Zone both WWPNs of the adapter and mask its LUNs to both. Reason: ${why}.`]) },
  { row: "V10", hsc: "HSCLA340", checks: "paths over several Virtual I/O Servers stay so", severity: "warning", kinds: "both", find: (f) => {
    const before = new Set(f.lpar.storage.map((mapping) => mapping.viosLparId)).size;
    const after = new Set(f.storage.suggested.map((choice) => choice.viosLparId)).size;
    return after < before && f.storage.impossible.length + f.storage.refused.length === 0 && [`The management console may not be able to replicate the source multipath I/O configuration: client adapters on ${before} Virtual I/O Servers would be served by ${after} on ${there(f)}.`, "Activate a second Virtual I/O Server there, or choose the mappings with virtual_scsi_mappings."];
  } },
  { row: "N01", hsc: "OLPM-VN01", checks: "the virtual switches exist on the destination", severity: "error", kinds: "both", find: (f) => adapters(f).map((adapter): Said => !f.destination.view.vswitches.some((vswitch) => vswitch.name === adapter.vswitch) && [`${there(f)} has no virtual switch ${adapter.vswitch}, which the adapter in slot ${adapter.slot} uses.`, "Create it with chhwres -r virtualio --rsubtype vswitch."]) },
  { row: "N02", hsc: "OLPM-VN02", checks: "every VLAN that is bridged on the source is bridged on the destination", severity: "error", kinds: "both", find: (f) => {
    const bridged = (system: MobilityFacts["source"], vswitch: string, vlanId: number) => system.view.sharedEthernet.some((sea) => sea.vswitch === vswitch && (sea.vlanIds as readonly number[]).includes(vlanId));
    return adapters(f).flatMap((adapter) => [adapter.portVlanId, ...adapter.additionalVlanIds].map((vlanId): Said => bridged(f.source, adapter.vswitch, vlanId) && !bridged(f.destination, adapter.vswitch, vlanId) && [`VLAN ${vlanId} of the adapter in slot ${adapter.slot} is bridged on ${here(f)}, and no shared Ethernet adapter of a running Virtual I/O Server bridges it on ${there(f)}.`, "Activate or configure a shared Ethernet adapter there."]));
  } },
  { row: "N04", hsc: "OLPM-VN04", checks: "no trunk adapters", severity: "error", kinds: "both", find: (f) => adapters(f).map((adapter): Said => adapter.trunkPriority > 0 && f.lpar.definition.environment !== "vioserver" && [`The virtual Ethernet adapter in slot ${adapter.slot} is a trunk adapter.`, "Take it away; only a Virtual I/O Server bridges."]) },
  { row: "X01", hsc: "OLPM-VX01", checks: "a running mover (the one asked for) on the source", severity: "error", kinds: "active", find: (f) => missingMover(f, "source") },
  { row: "X02", hsc: "OLPM-VX02", checks: "a running mover (the one asked for) on the destination", severity: "error", kinds: "active", find: (f) => missingMover(f, "destination") },
  { row: "X03", hsc: "OLPM-VX03", checks: "the two movers reach each other, tried over a real connection", severity: "error", kinds: "active", find: (f) => f.movers !== null && !f.movers.reachable && [`The mover service partitions can not reach each other: ${f.movers.detail}.`, "Check the network between them, and their addresses."] },
];

/**
 * First major version of QEMU that keeps emulated processors and the record of dirty pages coherent: before it, stores after a look at that record could go
 * unnoticed ("physmem: Fix migration dirty bitmap coherency with TCG memory access", QEMU 9.0). Seen here with 7.2: one move in ten lost updates.
 */
const QEMU_SAFE_MAJOR = 9;
const losesWrites = (hypervisor: { readonly qemuVersion: string; readonly accelerator: string }): boolean => hypervisor.accelerator === "tcg" && !(Number.parseInt(hypervisor.qemuVersion, 10) >= QEMU_SAFE_MAJOR);

function missingMover(f: Case, side: "source" | "destination"): Said {
  const system = f[side];
  const movers = moversOf(system.lpars);
  if (movers.length === 0) return [`${system.view.name} has no running mover service partition.`, "Activate a Virtual I/O Server with the attribute msp=1."];
  const wanted = side === "source" ? f.wanted.sourceMsp : f.wanted.destMsp;
  return !movers.some((lpar) => isWanted(lpar, wanted)) && [`${wanted?.name ?? `The partition with ID ${wanted?.id}`} is no running mover service partition on ${system.view.name}.`, "lslparmigr -r msp shows the movers."];
}

/** All findings, errors before warnings, each once. */
export function findings(facts: Case): Finding[] {
  const found = RULES.filter((rule) => rule.kinds === "both" || rule.kinds === facts.kind).flatMap((rule): Finding[] => {
    const said = rule.find(facts);
    const list = Array.isArray(said) && (said.length === 0 || typeof said[0] !== "string") ? (said as readonly Said[]) : [said as Said];
    return list.flatMap((one) => (one ? [{ severity: rule.severity, hsc: rule.hsc, message: one[0], action: one[1] }] : []));
  });
  // One system as source and destination would say everything of a system twice.
  const once = found.filter((one, at) => found.findIndex((other) => other.hsc === one.hsc && other.message === one.message) === at);
  return [...once.filter((one) => one.severity === "error"), ...once.filter((one) => one.severity === "warning")];
}
