/** Rows G and S: the operation, limits, and the two systems (lpm-process 4.2, 4.3). Pure. */
import { bytesToMb } from "../../model/units.js";
import type { SystemFacts } from "../facts.js";
import { bothSystems, here, nameOf, named, there, type Case, type Rule, type Said } from "./rule.js";

/**
 * First major version of QEMU that keeps emulated processors and the record of dirty pages coherent: before it, stores after a look at that record could go
 * unnoticed ("physmem: Fix migration dirty bitmap coherency with TCG memory access", QEMU 9.0). Seen here with 7.2: one move in ten lost updates.
 */
const QEMU_SAFE_MAJOR = 9;
const losesWrites = (hypervisor: { readonly qemuVersion: string; readonly accelerator: string }): boolean => hypervisor.accelerator === "tcg" && !(Number.parseInt(hypervisor.qemuVersion, 10) >= QEMU_SAFE_MAJOR);

/** Clocks that differ more than this are said: certificates and logs of two systems are compared by them. */
const CLOCK_MS_MAX = 5_000;

/** `10.0` of `10.0.2 (Debian ...)`: the version of the machine type that a QEMU gives. */
const machineVersion = (system: SystemFacts): string => /^\d+\.\d+/.exec(system.view.hypervisor.qemuVersion)?.[0] ?? system.view.hypervisor.qemuVersion;
/** The mode that a partition runs in when none is asked for: the best of its system (lpm-process 4.14). */
export const bestMode = (modes: readonly string[]): string => modes.filter((mode) => mode !== "default").at(-1) ?? "default";

export const GENERAL: readonly Rule[] = [
  { row: "G01", hsc: "OLPM-VG01", checks: "source and destination are different systems", severity: "error", kinds: "both", find: (f) => f.source.view.uuid === f.destination.view.uuid && [`The source and the destination are the same managed system, ${here(f)}.`, "Name another managed system with -t."] },
  { row: "G10", hsc: "OLPM-VG10", checks: "the partition is not in another migration", severity: "error", kinds: "both", alone: true, find: (f) => {
    if (f.lpar.migrationId === null || isLeftover(f.record)) return undefined;
    if (f.record?.status === "undoing") return [`${named(f)} is in another migration, which is being undone.`, `Wait until it ends; if it does not, recover it: migrlpar -o r -m ${here(f)} -p ${nameOf(f)}.`];
    return [`${named(f)} is in another migration${f.record ? `, which console ${f.record.console} drives` : ""}.`, "Wait until it ends, or stop it with migrlpar -o s."];
  } },
  { row: "G11", hsc: "OLPM-VG11", checks: "no earlier migration of the partition left something", severity: "error", kinds: "both", alone: true, find: (f) => isLeftover(f.record) && [`An earlier migration of partition ${nameOf(f)} to ${f.record?.destination.system} ended unsuccessfully and is not cleaned up${f.record?.error ? `: ${f.record.error.message}` : ""}.`, `Recover it first: migrlpar -o r -m ${here(f)} -p ${nameOf(f)}.`] },
  { row: "G12", hsc: "OLPM-VG12", checks: "both systems are below their limit of concurrent migrations", severity: "error", kinds: "both", find: (f) => bothSystems(f).map((system): Said => {
    const { activeMax, activeNow, inactiveMax, inactiveNow } = system.view.migration;
    const [most, now] = f.kind === "active" ? [activeMax, activeNow] : [inactiveMax, inactiveNow];
    return now >= most && [`${system.view.name} already takes part in ${now} ${f.kind} migrations, its limit.`, "Wait until one ends."];
  }) },
  { row: "S03", hsc: "OLPM-VS03", checks: "both systems are reachable and Operating", severity: "error", kinds: "both", find: (f) => bothSystems(f).map((system): Said => (!system.connected || system.view.state !== "operating") && [`The managed system ${system.view.name} is not in the Operating state or can not be reached.`, "Check its host and its openlpm system process."]) },
  { row: "S04", hsc: "OLPM-VS04", checks: "the hypervisors fit: QEMU 9.0 or later where it emulates (earlier ones lose writes) and memory in one piece there, the same machine type version, the same accelerator; QEMU 10.0.5 or 10.1.1 for an emulated partition in POWER8 mode", severity: "error", kinds: "active", find: (f) => {
    const lossy = bothSystems(f).map((system): Said => losesWrites(system.view.hypervisor) && [`The hypervisor of ${system.view.name} (QEMU ${system.view.hypervisor.qemuVersion}, emulation) does not notice every change of a partition's memory while it is copied; a moved partition would lose writes.`, `QEMU ${QEMU_SAFE_MAJOR}.0 or later is needed for emulated partitions; Debian 12 has it in bookworm-backports.`]);
    const [mine, theirs] = [machineVersion(f.source), machineVersion(f.destination)];
    const version: Said = mine !== theirs && [`The machine types differ: ${here(f)} has pseries-${mine}, ${there(f)} has pseries-${theirs}; the state of a running partition of one does not load in the other.`, "Bring both systems to the same QEMU version; a partition that is not activated can move at once."];
    const [one, other] = [f.source.view.hypervisor.accelerator, f.destination.view.hypervisor.accelerator];
    const accelerator: Said = one !== other && [`Partitions of ${here(f)} run with ${one}, those of ${there(f)} with ${other}; their processors are not the same.`, "Move the partition while it is not activated."];
    // cpu_physical_memory_sync_dirty_bitmap() gives tlb_reset_dirty_range_all() an offset in the block for an address, in every QEMU since 9.0 that emulates (10.0.2 seen).
    const pieces: Said = one === "tcg" && (f.lpar.definition.layout?.memory.length ?? 0) > 0 && [`Memory was added to partition ${nameOf(f)} while it ran, and the hypervisor of ${here(f)} (QEMU, emulation) notices every change only of memory in one piece: on the destination, writes would be missing.`, "Shut the partition down and activate it again, which joins its memory, or move it while it is not activated."];
    return [...lossy, version, accelerator, pieces, ...withoutInterrupts(f)];
  } },
  { row: "S05", hsc: "OLPM-VS05", checks: "the destination supports the current processor compatibility mode", severity: "error", kinds: "active", find: (f) => {
    const preferred = f.lpar.definition.current?.compatMode ?? "default";
    const mode = preferred === "default" ? bestMode(f.source.view.compatModes) : preferred;
    return !f.destination.view.compatModes.includes(mode) && [`${there(f)} does not support the processor compatibility mode ${mode} in which partition ${nameOf(f)} runs.`, "Set a lower preferred mode (lpar_proc_compat_mode), restart the partition and try again."];
  } },
  { row: "S06", hsc: "OLPM-VS06", checks: "the destination supports the preferred processor compatibility mode of every profile that will be activated next", severity: "error", kinds: "active", find: (f) => unsupportedPreference(f.lpar.definition.profiles.find((profile) => profile.name === f.lpar.definition.currentProfile)?.resources.compatMode, f.lpar.definition.current?.compatMode, f.destination.view.compatModes, nameOf(f), there(f)) },
  { row: "S07", hsc: "OLPM-VS07", checks: "the destination supports the preferred processor compatibility mode", severity: "error", kinds: "inactive", find: (f) => unsupportedPreference(f.resources?.compatMode, undefined, f.destination.view.compatModes, nameOf(f), there(f)) },
  { row: "S09", hsc: "OLPM-VS09", checks: "the logical memory block sizes are equal", severity: "error", kinds: "both", find: (f) => {
    const [a, b] = [f.source.view.memory.lmbBytes, f.destination.view.memory.lmbBytes];
    return a !== b && [`The logical memory block sizes differ: ${bytesToMb(a)} MB on ${here(f)}, ${bytesToMb(b)} MB on ${there(f)}.`, "Set the same size on both systems."];
  } },
  { row: "S12", hsc: "OLPM-VS12", checks: "the clocks of the systems differ by no more than 5 s", severity: "warning", kinds: "active", find: (f) => {
    const ahead = f.clockAheadMs ?? 0;
    return Math.abs(ahead) > CLOCK_MS_MAX && [`The clock of ${there(f)} is ${(Math.abs(ahead) / 1000).toFixed(0)} s ${ahead > 0 ? "ahead of" : "behind"} that of ${here(f)}.`, "Set both by the same time server."];
  } },
  { row: "S13", hsc: "OLPM-VS13", checks: "the partition is not the time reference of its system", severity: "warning", kinds: "both", find: (f) => f.lpar.definition.settings.timeRef && [`${named(f)} is a time reference partition of ${here(f)}.`, "Set time_ref on another partition there."] },
];

/**
 * In POWER8 mode a partition has the interrupt controller XICS. QEMU without KVM leaves its presentation part (`icp/server`) out of the state from the removal of the machine
 * pseries-2.9 on until 10.0.5 and 10.1.1 ("hw/intc/xics: Add missing call to register vmstate_icp_server"): on the destination the processor hears no interrupt any more.
 */
export function carriesXics(qemuVersion: string): boolean {
  const [major = 0, minor = 0, patch = 0] = (/^\d+\.\d+\.\d+/.exec(qemuVersion)?.[0] ?? "").split(".").map(Number);
  return major > 10 || (major === 10 && (minor > 1 || (minor === 1 && patch >= 1) || (minor === 0 && patch >= 5)));
}
function withoutInterrupts(f: Case): readonly Said[] {
  const emulated = f.source.view.hypervisor.accelerator === "tcg";
  if (!emulated || f.lpar.definition.current?.compatMode !== "POWER8") return [];
  return bothSystems(f).map((system): Said => !carriesXics(system.view.hypervisor.qemuVersion) && [`${named(f)} runs in the processor compatibility mode POWER8, and the hypervisor of ${system.view.name} (QEMU ${system.view.hypervisor.qemuVersion}, emulation) does not carry over the state of its interrupt controller: the partition would hear no interrupt after the move.`, "QEMU 10.0.5, 10.1.1 or later is needed on both systems; or move it while it is not activated, or give it the mode POWER9 or default (lpar_proc_compat_mode) and activate it again."]);
}

/** A migration that failed and that nobody cleans up any more, or whose end is not known. */
const isLeftover = (record: { readonly status: string; readonly endedAt: string | null } | null | undefined): boolean => record != null && record.endedAt === null && (record.status === "failed" || record.status === "undecided");

/** `now` is what S05 has looked at already. */
function unsupportedPreference(mode: string | undefined, now: string | undefined, offered: readonly string[], partition: string, system: string): Said {
  return mode !== undefined && mode !== "default" && mode !== now && !offered.includes(mode) && [`${system} does not offer the preferred processor compatibility mode ${mode} of partition ${partition}, which could not be activated there as it is configured.`, "Change its preferred mode (lpar_proc_compat_mode)."];
}
