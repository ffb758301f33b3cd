import assert from "node:assert/strict";
import test from "node:test";
import { NO_PROGRESS } from "../../model/migration.js";
import { addFc, FC_PAIR, facts, looseVios, type LooseFacts } from "../../testkit/mobility-facts.js";
import type { MobilityFacts } from "../facts.js";
import { kindOf, validate } from "../plan.js";
import type { MigrationKind } from "../definition.js";
import { findings, RULES } from "./index.js";
import { carriesXics } from "./general.js";
import { REFERENCE } from "./reference.js";
import { asCase } from "./rule.js";
import { planStorage } from "../storage.js";

const KINDS: readonly MigrationKind[] = ["active", "inactive"];
const judge = (all: MobilityFacts) => findings(asCase(all, kindOf(all), planStorage(all)));
const current = (f: LooseFacts) => f.lpar.definition.current!;
const other = (f: LooseFacts) => f.destination.lpars.find((lpar) => lpar.definition.name === "app07")!;
const noMovers = (system: LooseFacts["source"]) => system.lpars.forEach((lpar) => lpar.runtime.vios && (lpar.runtime.vios.mspAddress = null));
const emulated = (system: LooseFacts["source"], qemuVersion: string) => Object.assign(system.view.hypervisor, { accelerator: "tcg", qemuVersion });

const smaller = (f: LooseFacts, name: string) => ({ name, resources: { ...structuredClone(current(f)), memory: { ...current(f).memory, desiredBytes: 256 << 20 } } });
const withMode = (f: LooseFacts, compatMode: string) => ({ name: "normal", resources: { ...structuredClone(current(f)), compatMode } });
const recorded = (status: string) => ({ ...structuredClone(RECORD), status }) as never;
const end = (system: string) => ({ system, lparId: 3, mspLparId: null, mspName: null, mspAddress: null });
const RECORD = { id: "00000000-0000-4000-8000-0000000000aa", role: "source", type: "active", lparName: "db01", lparUuid: "u", source: end("ms01"), destination: end("ms02"), generation: 2, console: "hmc2", phase: "copy", status: "running", stopRequested: false, progress: NO_PROGRESS, phaseStartedAt: {}, startedAt: "2026-11-24T12:00:00.000Z", endedAt: null, stoppedMs: null, error: null, revision: 1 };

const onlyRunning = (f: LooseFacts, change: () => unknown) => f.lpar.state === "running" && change();
const onlyOff = (f: LooseFacts, change: () => unknown) => f.lpar.state === "not-activated" && change();

interface Row {
  readonly rule: string;
  readonly hsc: string;
  readonly severity?: "warning";
  /** the kinds in which it is found; without: both */
  readonly only?: MigrationKind;
  readonly change: (f: LooseFacts) => void;
  /** codes that are found beside it, since they follow from the same */
  readonly with?: readonly string[];
  /** essential words of the message and of what to do */
  readonly says: readonly string[];
}
const TABLE: readonly Row[] = [
  { rule: "G01", hsc: "OLPM-VG01", change: (f) => (f.destination.view.uuid = f.source.view.uuid), says: ["same managed system", "ms01", "-t"] },
  { rule: "G10", hsc: "OLPM-VG10", change: (f) => (f.lpar.migrationId = "m1"), says: ["db01", "another migration", "migrlpar -o s"] },
  { rule: "G10", hsc: "OLPM-VG10", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("running"))), says: ["which console hmc2 drives"] },
  { rule: "G10", hsc: "OLPM-VG10", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("undoing"))), says: ["being undone", "migrlpar -o r -m ms01 -p db01"] },
  { rule: "G10", hsc: "OLPM-VG10", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("running")), (other(f).definition.name = "db01"), f.luns!.forEach((lun) => (lun.inUse = true))), says: ["another migration"] },
  { rule: "G11", hsc: "OLPM-VG11", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("failed")), (other(f).definition.name = "db01")), says: ["not cleaned up"] },
  { rule: "G11", hsc: "OLPM-VG11", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("failed"))), says: ["to ms02 ended unsuccessfully", "migrlpar -o r -m ms01 -p db01"] },
  { rule: "G11", hsc: "OLPM-VG11", change: (f) => ((f.lpar.migrationId = "m1"), (f.record = recorded("undecided"))), says: ["not cleaned up"] },
  { rule: "G13", hsc: "OLPM-VG13", only: "active", change: (f) => (f.source.movers = [1, 2].map((lparId) => ({ lparId, inProgress: 4, max: 4 }))), says: ["Every mover service partition of ms01", "vios1 carries 4 of at most 4, vios2 carries 4"] },
  { rule: "G13", hsc: "OLPM-VG13", only: "active", change: (f) => ((f.destination.movers = [{ lparId: 2, inProgress: 1, max: 1 }]), (f.wanted.destMsp = { name: "vios2" })), says: ["ms02", "vios2 carries 1 of at most 1"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "active", change: (f) => (f.source.view.migration.activeNow = 8), says: ["ms01", "8 active migrations", "limit"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "active", change: (f) => (f.destination.view.migration.activeNow = 8), says: ["ms02", "8 active migrations"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "inactive", change: (f) => (f.source.view.migration.inactiveNow = 16), says: ["ms01", "16 inactive migrations"] },
  { rule: "G12", hsc: "OLPM-VG12", only: "inactive", change: (f) => (f.destination.view.migration.inactiveNow = 17), says: ["ms02", "17 inactive migrations"] },
  { rule: "S03", hsc: "OLPM-VS03", change: (f) => (f.source.connected = false), says: ["ms01", "not in the Operating state or can not be reached"] },
  { rule: "S03", hsc: "OLPM-VS03", change: (f) => (f.destination.view.state = "standby"), says: ["ms02", "Operating"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => [f.source, f.destination].forEach((system) => emulated(system, "8.2.4")), with: ["OLPM-VS04"], says: ["ms01", "QEMU 8.2.4, emulation", "lose writes", "9.0 or later"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.destination, "7.2.22"), with: ["OLPM-VS04"], says: ["ms02", "QEMU 7.2.22"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.destination, "unknown"), with: ["OLPM-VS04"], says: ["ms02", "QEMU unknown"] },
  { rule: "S05", hsc: "OLPM-VS05", only: "active", change: (f) => onlyRunning(f, () => ((current(f).compatMode = "POWER9"), (f.destination.view.compatModes = ["default", "POWER8"]))), says: ["ms02", "compatibility mode POWER9", "db01"] },
  { rule: "S05", hsc: "OLPM-VS05", only: "active", change: (f) => (f.destination.view.compatModes = ["default", "POWER8"]), says: ["ms02 does not support the processor compatibility mode POWER9 in which partition db01 runs"] },
  { rule: "S06", hsc: "OLPM-VS06", only: "active", change: (f) => onlyRunning(f, () => ((f.lpar.definition.profiles = [withMode(f, "POWER9")]), (f.source.view.compatModes = f.destination.view.compatModes = ["default", "POWER8"]))), with: ["HSCLA295"], says: ["ms02 does not offer the preferred", "POWER9", "db01"] },
  { rule: "S07", hsc: "OLPM-VS07", only: "inactive", change: (f) => onlyOff(f, () => ((current(f).compatMode = "POWER9"), (f.destination.view.compatModes = ["default", "POWER8"]))), says: ["ms02 does not offer the preferred", "POWER9", "db01"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => emulated(f.destination, "10.1.3"), says: ["ms01 has pseries-10.0, ms02 has pseries-10.1"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => (f.destination.view.hypervisor.accelerator = "kvm"), says: ["ms01 run with tcg, those of ms02 with kvm"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => (f.lpar.definition.layout = { bootBytes: 512 << 20, memory: [{ slot: 0, address: 2 ** 30, bytes: 256 << 20 }], cores: 1, procs: 1 }), says: ["Memory was added to partition db01", "writes would be missing", "activate it again"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => (current(f).compatMode = "POWER8"), with: ["OLPM-VS04"], says: ["db01 runs in the processor compatibility mode POWER8", "ms01 (QEMU 10.0.0, emulation) does not carry over", "10.0.5"] },
  { rule: "S04", hsc: "OLPM-VS04", only: "active", change: (f) => (emulated(f.source, "10.0.5"), (current(f).compatMode = "POWER8")), says: ["POWER8", "ms02 (QEMU 10.0.0"] },
  { rule: "S12", hsc: "OLPM-VS12", only: "active", severity: "warning", change: (f) => (f.clockAheadMs = 5_400), says: ["clock of ms02 is 5 s ahead of that of ms01"] },
  { rule: "S12", hsc: "OLPM-VS12", only: "active", severity: "warning", change: (f) => (f.clockAheadMs = -61_000), says: ["clock of ms02 is 61 s behind"] },
  { rule: "S13", hsc: "OLPM-VS13", severity: "warning", change: (f) => (f.lpar.definition.settings.timeRef = true), says: ["db01 is a time reference partition of ms01"] },
  { rule: "S09", hsc: "OLPM-VS09", change: (f) => (f.destination.view.memory.lmbBytes = 128 << 20), says: ["256 MB on ms01", "128 MB on ms02"] },
  { rule: "P02", hsc: "OLPM-VP02", change: (f) => (f.lpar.definition.environment = "vioserver"), says: ["db01 is a Virtual I/O Server"] },
  ...["starting", "open-firmware", "shutting-down", "error", "not-available"].map((state): Row => ({ rule: "P03", hsc: "OLPM-VP03", change: (f) => (f.lpar.state = state), says: ["db01", `state ${state};`, "running or a not activated"] })),
  { rule: "P06", hsc: "OLPM-VP06", change: (f) => (f.lpar.definition.settings.migrationDisabled = true), says: ["disabled", "db01", "migration_disabled"] },
  { rule: "P07", hsc: "OLPM-VP07", only: "inactive", change: (f) => (f.lpar.definition.currentProfile = null), says: ["db01 was never activated"] },
  { rule: "P08", hsc: "HSCLA295", severity: "warning", change: (f) => (f.lpar.definition.profiles = [smaller(f, "normal")]), says: ["replace the current profile normal", "db01", "-n"] },
  { rule: "P08", hsc: "HSCLA295", severity: "warning", change: (f) => (f.lpar.definition.profiles.push(smaller(f, "night")), (f.wanted.profileName = "night")), says: ["replace the current profile night"] },
  { rule: "P22", hsc: "HSCLA291", only: "active", severity: "warning", change: (f) => (f.lpar.runtime.vtermOpen = true), says: ["open virtual terminal session", "rmvterm -m ms01 -p db01"] },
  { rule: "P26", hsc: "OLPM-VP26", only: "inactive", change: (f) => onlyOff(f, () => ((f.lpar.definition.current = null), (f.lpar.storage = []))), says: ["db01 has no current configuration", "policy of ms01"] },
  { rule: "P29", hsc: "OLPM-VP29", change: (f) => (f.lpar.heldBack = true), says: ["db01 was brought back from a backup", "restore --confirm db01 on the host of ms01"] },
  { rule: "P09", hsc: "OLPM-VP09", change: (f) => (other(f).definition.name = "db01"), says: ["named db01 already exists on ms02"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.wanted.destLparId = 5), says: ["Partition ID 5 is in use on ms02", "dest_lpar_id"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.wanted.destLparId = 257), says: ["257 is above the limit of ms02, 256"] },
  { rule: "P10", hsc: "OLPM-VP10", change: (f) => (f.destination.view.lparsMax = 3), says: ["ms02 has no free partition ID"] },
  { rule: "P11", hsc: "OLPM-VP11", change: (f) => (other(f).definition.uuid = f.lpar.definition.uuid), says: ["UUID of db01 exists on ms02", "migrlpar -o r"] },
  { rule: "P11", hsc: "OLPM-VP11", only: "active", change: (f) => onlyRunning(f, () => ((other(f).definition.uuid = f.lpar.definition.uuid), (f.wanted.levels.uuid = 2))), says: ["UUID of db01 exists on ms02"] },
  { rule: "P11", hsc: "OLPM-VP11", only: "inactive", severity: "warning", change: (f) => onlyOff(f, () => ((other(f).definition.uuid = f.lpar.definition.uuid), (f.wanted.levels.uuid = 2))), says: ["gets a new UUID"] },
  { rule: "P12", hsc: "OLPM-VP12", change: (f) => (other(f).definition.current!.ethernet[0]!.mac = "02AABB000104"), says: ["02AABB000104", "slot 4", "in use on ms02"] },
  { rule: "P13", hsc: "HSCLA246", only: "active", change: (f) => (f.guest = { answered: false, agreed: false, detail: "no answer within 180 s" }), says: ["cannot communicate with partition db01.  Either", "no answer within 180 s"] },
  { rule: "P14", hsc: "HSCLA257", only: "active", change: (f) => (f.guest = { answered: true, agreed: false, detail: "30-database said no" }), says: ["failure response", "check for migration readiness", "db01 says: 30-database said no"] },
  { rule: "P14", hsc: "HSCLA257", only: "active", change: (f) => (f.guest = { answered: true, agreed: false, detail: "" }), says: ["db01 says: one of its scripts said no"] },
  { rule: "C01", hsc: "OLPM-VC01", change: (f) => ((current(f).proc.mode = "ded"), (f.fits = { memory: true, processors: false, detail: "2 are needed." })), says: ["ms02 has not enough free processing resources", "2 are needed."] },
  { rule: "C02", hsc: "OLPM-VC02", change: (f) => (f.fits = { memory: true, processors: false, detail: "0.5 are needed." }), says: ["ms02 has not enough free processing resources", "db01", "0.5 are needed."] },
  { rule: "C03", hsc: "OLPM-VC03", change: (f) => (f.destination.view.proc.maxProcsPerLpar = 1), says: ["db01 has 2 processors; ms02 gives a partition at most 1"] },
  { rule: "C03", hsc: "OLPM-VC03", change: (f) => ((f.destination.view.proc.minUnitsPerProc = 30)), says: ["0.5 processing units for 2 virtual processors", "ms02 wants at least 0.6"] },
  { rule: "C04", hsc: "OLPM-VC04", change: (f) => (f.wanted.procPool = { name: "SharedPool01" }), says: ["ms02 has no shared processor pool SharedPool01"] },
  { rule: "C04", hsc: "OLPM-VC04", change: (f) => (f.wanted.procPool = { id: 1 }), says: ["pool 1"] },
  { rule: "C06", hsc: "OLPM-VC06", change: (f) => (current(f).memory.minBytes = 768 << 20), says: ["memory of partition db01", "(768, 512, 1024)"] },
  { rule: "C06", hsc: "OLPM-VC06", change: (f) => (current(f).proc.maxProcs = 1), says: ["number of processors", "(1, 2, 1)"] },
  { rule: "C06", hsc: "OLPM-VC06", change: (f) => (current(f).proc.minUnits = 60), says: ["processing units", "(60, 50, 200)"] },
  { rule: "C09", hsc: "OLPM-VC09", change: (f) => (current(f).maxVirtualSlots = 5), says: ["virtual slot 5 of partition db01 is not below its maximum, 5"] },
  { rule: "M02", hsc: "OLPM-VM02", change: (f) => (current(f).memory.desiredBytes = 640 << 20), says: ["640 MB, is no multiple", "ms02, 256 MB"] },
  { rule: "M03", hsc: "OLPM-VM03", change: (f) => (current(f).memory.maxBytes = 16 * 1024 * 1024 * 1024), says: ["16384 MB, is above the memory of ms02, 8192 MB"] },
  { rule: "M01", hsc: "OLPM-VM01", change: (f) => (f.fits = { memory: false, processors: true, detail: "" }), says: ["ms02 has not enough free memory", "512 MB are needed, 7168 MB are available"] },
  { rule: "V01", hsc: "HSCLA246", change: (f) => (f.source.lpars[1]!.state = "shutting-down"), says: ["cannot communicate with partition vios2.", "storage of db01 on ms01 and is shutting-down", "chsysstate"] },
  { rule: "V01", hsc: "HSCLA246", change: (f) => f.source.lpars.splice(1, 1), says: ["partition with ID 2.", "is gone"] },
  { rule: "V02", hsc: "HSCLA246", only: "inactive", change: (f) => onlyOff(f, () => (f.destination.lpars.splice(1, 1), (f.destination.lpars[0]!.state = "error"))), says: ["cannot communicate with partition vios1.", "db01 on ms02 and is error"] },
  { rule: "V02", hsc: "HSCLA246", change: (f) => onlyRunning(f, () => f.destination.lpars.slice(0, 2).forEach((lpar) => (lpar.state = "error"))), with: ["HSCLA246", "OLPM-VX02"], only: "active", says: ["cannot communicate with partition vios1."] },
  { rule: "V02", hsc: "HSCLA246", change: (f) => onlyOff(f, () => f.destination.lpars.splice(0, 2)), only: "inactive", says: ["ms02 has no Virtual I/O Server"] },
  { rule: "V03", hsc: "OLPM-VV03", change: (f) => current(f).scsi.push({ slot: 7, role: "client", remoteLparId: 1, remoteSlot: 12, required: true }), says: ["required", "slot 7 has no storage", "ms01"] },
  { rule: "V06", hsc: "HSCLA24E", change: (f) => f.luns!.forEach((lun) => (lun.visible = lun.lun !== "naa.600a")), says: ["virtual SCSI adapter 2 cannot be hosted", "Reason: vios1 does not see LUN naa.600a; vios2 does not see LUN naa.600a."] },
  { rule: "V07", hsc: "HSCLA356", with: ["HSCLA24E", "HSCLA356"], change: (f) => f.luns!.forEach((lun) => lun.lun === "naa.600a" && Object.assign(lun, { inUse: true, detail: "hdisk0, used by vtscsi3" })), says: ["partition vios1 failed", "virtual adapter 2", "LUN naa.600a is in use there: hdisk0, used by vtscsi3"] },
  { rule: "V07", hsc: "HSCLA356", with: ["HSCLA340"], change: (f) => ((f.lpar.storage[1]!.lun = "naa.600a"), f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" })), says: ["LUN naa.600a is reached by the adapters in slots 2 and 5", "vios1 on ms02 can not serve it twice"] },
  { rule: "V08", hsc: "HSCLA29A", with: ["HSCLA24E", "HSCLA29A"], change: (f) => f.luns!.forEach((lun) => lun.lun === "naa.600a" && (lun.reservedBy = "another initiator")), says: ["partition vios1 failed", "cannot host the virtual adapter 2", "LUN naa.600a is reserved by another initiator"] },
  { rule: "V09", hsc: "HSCLA27C", change: (f) => f.sourceLuns!.forEach((lun) => lun.lun === "naa.600a" && Object.assign(lun, { visible: false, detail: "no path" })), says: ["adapter 10", "partition vios1 has failed", "naa.600a", "no path"] },
  { rule: "V11", hsc: "OLPM-VV11", change: (f) => (f.destination.lpars[0]!.definition.current!.maxVirtualSlots = 12), says: ["vios1 on ms02 has 0 free virtual slots; 1 are needed"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1", viosSlot: 11 }), says: ["slot 11 of vios1 is in use"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1", viosSlot: 200 }), says: ["slot 200 is not below the maximum of vios1, 200"] },
  { rule: "V15", hsc: "OLPM-VV15", severity: "warning", change: (f) => ((f.lpar.storage[0]!.vtd = "orders"), (other(f).storage = [{ ...f.lpar.storage[0]!, lun: "naa.600f" }])), says: ["name orders", "vios1 of ms02"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 9, viosName: "vios1" }), says: ["mapping of slot 9 can not be honoured", "no virtual SCSI adapter with storage", "lslparmigr -r virtualio"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios9" }), says: ["mapping of slot 2 can not be honoured", "no running Virtual I/O Server vios9"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => addFc(f).wanted.fc.push({ clientSlot: 7, viosName: "vios1", port: "fcs5" }), says: ["virtual Fibre Channel mapping of slot 7 can not be honoured", "vios1 has no Fibre Channel port fcs5"] },
  { rule: "V12", hsc: "OLPM-VV12", change: (f) => addFc(f).wanted.fc.push({ clientSlot: 7, viosName: "vios1", viosSlot: 11 }), says: ["virtual Fibre Channel mapping of slot 7", "slot 11 of vios1 is in use"] },
  { rule: "V20", hsc: "OLPM-VV20", change: (f) => (other(f).definition.current!.fc = structuredClone(addFc(f).lpar.definition.current!.fc).map((one) => ({ ...one, wwpns: [FC_PAIR[1], "c05076aabbcc0009"] as [string, string] }))), says: ["WWPN c05076aabbcc0001", "db01 belongs to partition app07 as well"] },
  { rule: "V16", hsc: "HSCLA319", change: (f) => addFc(f).fc!.forEach((one) => one.side === "destination" && Object.assign(one, { luns: [], targets: [] })), says: ["virtual fibre channel client adapter 7 cannot be hosted", "both WWPNs", "fcs0 of vios1: the WWPN c05076aabbcc000", "not zoned to the same target ports"] },
  { rule: "V10", hsc: "HSCLA340", change: (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" }), says: ["may not be able to replicate the source multipath", "adapters of vios1 and vios2 would be served by vios1 alone on ms02", "virtual_scsi_mappings", "--mpio 2"] },
  { rule: "V10", hsc: "HSCLA340", change: (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios2" })), says: ["adapters of vios1 would be served by vios1 and vios2 on ms02"] },
  ...([["mpio", 2], ["redundantVios", 0], ["redundantVios", 2]] as const).map(([name, value]): Row => ({ rule: "V10", hsc: "HSCLA340", severity: "warning", change: (f) => (f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" }), (f.wanted.levels[name] = value)), says: ["vios1 alone"] })),
  { rule: "V10", hsc: "HSCLA340", change: (f) => (f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" }), Object.assign(f.wanted.levels, { mpio: 2, redundantVios: 1 })), says: ["vios1 alone"] },
  { rule: "V10", hsc: "HSCLA340", change: (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios2" }), (f.wanted.levels.redundantVios = 2)), says: ["vios1 and vios2"] },
  { rule: "V10", hsc: "HSCLA340", change: (f) => f.destination.lpars.splice(1, 1), says: ["served by vios1 alone"] },
  { rule: "N01", hsc: "OLPM-VN01", change: (f) => (current(f).ethernet[0]!.vswitch = "BACKUP"), says: ["ms02 has no virtual switch BACKUP", "slot 3"] },
  { rule: "N01", hsc: "OLPM-VN01", change: (f) => f.wanted.vswitches.push({ vlanId: 10, from: "ETHERNET0", to: "BLUE" }), says: ["ms02 has no virtual switch BLUE", "slot 4"], with: [...["OLPM-VN02", "OLPM-VN02", "OLPM-VN02"]] },
  { rule: "N01", hsc: "OLPM-VN01", change: (f) => (f.destination.view.vswitches[0]!.mode = "VEPA"), with: ["OLPM-VN01"], says: ["ETHERNET0 of ms02 has the mode VEPA", "has VEB"] },
  { rule: "N01", hsc: "OLPM-VN01", change: (f) => f.wanted.vswitches.push({ vlanId: 77, from: "ETHERNET0", to: "ETHERNET0" }), says: ["VLAN 77", "fits no adapter of partition db01"] },
  { rule: "N02", hsc: "OLPM-VN02", severity: "warning", change: (f) => ((f.destination.view.sharedEthernet[0]!.vlanIds = [1, 10, 30]), (f.wanted.levels.vlanBridge = 2)), says: ["VLAN 20", "no network"] },
  { rule: "N03", hsc: "OLPM-VN03", severity: "warning", change: (f) => ([f.source, f.destination].forEach(({ view }) => (view.sharedEthernet[0]!.vlanIds = [1, 10, 30])), f.source.lpars.push({ ...structuredClone(other(f)), lparId: 8 })) && (f.source.lpars.at(-1)!.definition.current!.ethernet[0]!.portVlanId = 20), says: ["VLAN 20 of the adapter in slot 4 is internal to ms01", "app07"] },
  { rule: "N02", hsc: "OLPM-VN02", change: (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [1, 10, 30]), says: ["VLAN 20", "slot 4", "bridged on ms01", "ms02"] },
  { rule: "N02", hsc: "OLPM-VN02", change: (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [10, 20, 30]), says: ["VLAN 1 ", "slot 3"] },
  { rule: "N04", hsc: "OLPM-VN04", change: (f) => (current(f).ethernet[1]!.trunkPriority = 1), says: ["slot 4 is a trunk adapter"] },
  { rule: "X01", hsc: "OLPM-VX01", only: "active", change: (f) => noMovers(f.source), says: ["ms01 has no running mover service partition", "msp=1"] },
  { rule: "X01", hsc: "OLPM-VX01", only: "active", change: (f) => (f.wanted.sourceMsp = { name: "vios3" }), says: ["vios3 is no running mover service partition on ms01", "lslparmigr -r msp"] },
  { rule: "X02", hsc: "OLPM-VX02", only: "active", change: (f) => noMovers(f.destination), says: ["ms02 has no running mover service partition"] },
  { rule: "X02", hsc: "OLPM-VX02", only: "active", change: (f) => (f.wanted.destMsp = { id: 5 }), says: ["The partition with ID 5 is no running mover service partition on ms02"] },
  { rule: "X03", hsc: "OLPM-VX03", only: "active", change: (f) => (f.movers = { reachable: false, detail: "10.0.0.12: no route" }), says: ["can not reach each other: 10.0.0.12: no route"] },
  { rule: "X01", hsc: "OLPM-VX01", only: "active", change: (f) => (f.wanted.sourceMsp = { address: "10.0.0.99" }), says: ["The address 10.0.0.99 is no running mover"] },
  { rule: "X04", hsc: "OLPM-VX04", only: "active", change: (f) => (f.wanted.destMsp = { name: "vios2", address: "10.0.0.11" }), says: ["vios2 on ms02 has not the address 10.0.0.11; its address is 10.0.0.12"] },
  { rule: "X06", hsc: "OLPM-VX06", only: "active", change: (f) => (f.wanted.levels.redundantMsps = 1), says: ["second pair of movers", "ms02", "two running mover service partitions"] },
  { rule: "X06", hsc: "OLPM-VX06", only: "active", change: (f) => ((f.wanted.secondMsps = { source: { name: "vios2" }, destination: { id: 2 } }), (f.movers = { reachable: true, detail: "", secondDetail: "vios2 to vios2: no route" })), says: ["second pair of movers", "vios2 to vios2: no route"] },
];

/** Just not enough for a rule: nothing is found. */
const NEAR: readonly [string, (f: LooseFacts) => void][] = [
  ["one below the limit of migrations", (f) => [f.source, f.destination].forEach(({ view }) => Object.assign(view.migration, { activeNow: 7, inactiveNow: 15 }))],
  ["the first QEMU that is good", (f) => [f.source, f.destination].forEach((system) => emulated(system, "9.0.0"))],
  ["an old QEMU with KVM on both", (f) => [f.source, f.destination].forEach(({ view }) => Object.assign(view.hypervisor, { accelerator: "kvm", qemuVersion: "7.2.22" }))],
  ["the highest partition ID", (f) => (f.wanted.destLparId = 256)],
  ["the last partition ID", (f) => (f.destination.view.lparsMax = 4)],
  ["as many processors as a partition may have", (f) => (f.destination.view.proc.maxProcsPerLpar = 2)],
  ["an adapter without storage that is not required", (f) => current(f).scsi.push({ slot: 7, role: "client", remoteLparId: 1, remoteSlot: 12, required: false })],
  ["a Virtual I/O Server away that serves nothing of the partition", (f) => f.source.lpars.push({ ...looseVios(7, "vios7"), state: "not-activated" })],
  ["a LUN that one of two sees", (f) => f.luns!.forEach((lun) => (lun.visible = lun.lun !== "naa.600a" || lun.viosLparId === 1))],
  ["clocks that differ a little", (f) => (f.clockAheadMs = 5_000)],
  ["the last place of a mover", (f) => (f.source.movers = [{ lparId: 1, inProgress: 3, max: 4 }, { lparId: 2, inProgress: 4, max: 4 }])],
  ["the default pool by name and ID", (f) => (f.wanted.procPool = { id: 0, name: "DefaultPool" })],
  ["a new profile", (f) => (f.lpar.definition.profiles.push(smaller(f, "night")), (f.wanted.profileName = "morning"))],
  ["a free server slot that was asked for", (f) => f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1", viosSlot: 44 })],
  ["as many server slots as are needed", (f) => (f.destination.lpars[0]!.definition.current!.maxVirtualSlots = 13)],
  ["a generated device name that is taken", (f) => (other(f).storage = [{ ...f.lpar.storage[0]!, lun: "naa.600f" }])],
  ["two paths to one LUN over two servers", (f) => (f.lpar.storage[1]!.lun = "naa.600a")],
  ["two pairs of movers if possible", (f) => (f.wanted.levels.redundantMsps = 2)],
  ["two pairs of movers that are there", (f) => ((f.wanted.levels.redundantMsps = 1), (f.movers = { reachable: true, detail: "", second: { sourceMspLparId: 2, sourceMspName: "vios2", sourceMspAddress: "10.0.0.2", destMspLparId: 2, destMspName: "vios2", destMspAddress: "10.0.0.12" } }))],
  ["a VLAN that is bridged nowhere", (f) => [f.source, f.destination].forEach(({ view }) => (view.sharedEthernet[0]!.vlanIds = [1, 10, 30]))],
  ["a switch of the same name that nobody bridges", (f) => [f.source, f.destination].forEach(({ view }) => ((view.vswitches[0]!.name = "BACKUP"), (current(f).ethernet = current(f).ethernet.map((one) => ({ ...one, vswitch: "BACKUP" })))))],
  ["virtual Fibre Channel that one port of one server shows", (f) => (addFc(f).fc = f.fc!.filter((one) => one.side === "source" || (one.viosLparId === 2 && one.port === "fcs0")))],
  ["movers that are named rightly", (f) => Object.assign(f.wanted, { sourceMsp: { id: 2, name: "vios2" }, destMsp: { name: "vios1" } })],
  ["both adapters behind one server before and after", (f) => (f.lpar.storage.forEach((one) => (one.viosLparId = 1)), f.wanted.scsi.push({ clientSlot: 2, viosLparId: 2 }, { clientSlot: 5, viosLparId: 2 }))],
  ["nothing asked of anybody", (f) => Object.assign(f, { guest: null, movers: null, fits: null })],
];

for (const kind of KINDS)
  test(`${kind}: nothing is found where nothing is wrong, or nearly`, () => {
    assert.deepEqual(judge(facts(undefined, kind)), []);
    for (const [name, change] of NEAR) assert.deepEqual(judge(facts(change, kind)), [], name);
  });

test("the interrupt controller of POWER8 mode moves with these versions of QEMU", () => {
  for (const [version, carries] of [["9.2.4", false], ["10.0.2 (Debian 1:10.0.2+ds-2)", false], ["10.0.4", false], ["10.0.5", true], ["10.0.12 (Debian)", true], ["10.1.0", false], ["10.1.1", true], ["10.2.0", true], ["11.0.0", true], ["unknown", false]] as const) assert.equal(carriesXics(version), carries, version);
});

test("each rule finds its own case, alone, with code, severity and words, for the kinds that it is for", () => {
  for (const { rule, hsc, severity = "error", only, change, says, with: others = [] } of TABLE)
    for (const kind of KINDS) {
      const at = `${rule} ${kind}: ${says[0]}`;
      const all = facts(change, kind);
      const found = findings(asCase(all, kind, planStorage(all)));
      if (only !== undefined && only !== kind) assert.deepEqual(found, [], at);
      else {
        assert.deepEqual(found.map((one) => one.hsc).sort(), [hsc, ...others].sort(), at);
        const mine = found.find((one) => one.hsc === hsc);
        assert.equal(mine?.severity, severity, at);
        const text = `${mine?.message} ${mine?.action} ${(mine?.details ?? []).join(" ")}`;
        for (const words of says) assert.ok(text.includes(words), `${at}: no "${words}" in "${text}"`);
        assert.ok(found.every((one) => one.action !== ""), `${at}: says what to do`);
      }
    }
});

test("each rule has a case above, and is declared as the cases say", () => {
  assert.deepEqual(RULES.map((rule) => rule.row), [...new Set(RULES.map((rule) => rule.row))], "rows are given once");
  for (const rule of RULES) {
    const cases = TABLE.filter((one) => one.rule === rule.row);
    assert.ok(cases.length > 0, `${rule.row} has no case`);
    assert.deepEqual([...new Set(cases.map((one) => one.hsc))], [rule.hsc], rule.row);
    for (const kind of KINDS) assert.equal(rule.kinds === "both" || rule.kinds === kind, cases.some((one) => one.only === undefined || one.only === kind), `${rule.row} ${kind}`);
  }
  assert.deepEqual(TABLE.filter((one) => !RULES.some((rule) => rule.row === one.rule)).map((one) => one.rule), [], "cases of rules that are no more");
});

test("the reference names every row once, and the rules are those that it says are rules", () => {
  const rows = REFERENCE.map(({ row }) => row);
  assert.deepEqual(rows, [...new Set(rows)], "rows are given once");
  const groups: readonly [string, number][] = [["G", 14], ["S", 24], ["P", 28], ["D", 11], ["C", 9], ["M", 5], ["A", 15], ["V", 23], ["N", 7], ["X", 11]];
  const book = groups.flatMap(([letter, count]) => Array.from({ length: count }, (_, n) => `${letter}${String(n + 1).padStart(2, "0")}`));
  const ownRows = ["P29"];
  assert.deepEqual(rows.filter((row) => row !== "P20i" && !ownRows.includes(row)).sort(), book.sort(), "as the rule book, and checks of this product's own");
  assert.deepEqual(REFERENCE.filter(({ where }) => where === "rule").map(({ row }) => row).sort(), RULES.map(({ row }) => row).sort());
});

test("every finding is given, errors in the order of the rules before warnings, the same words once", () => {
  const all = facts((f) => {
    f.wanted.levels.mpio = 2;
    f.wanted.scsi.push({ clientSlot: 2, viosName: "vios1" }, { clientSlot: 5, viosName: "vios1" });
    current(f).ethernet.forEach((adapter) => (adapter.vswitch = "BACKUP"));
    f.lpar.definition.settings.migrationDisabled = true;
    f.source.lpars.forEach((lpar) => lpar.definition.environment === "vioserver" && (lpar.state = "error"));
    Object.assign(f.destination, { view: { ...f.destination.view, vswitches: [] } });
  });
  const found = judge(all).map((one) => `${one.hsc} ${one.severity} ${/slot \d|partition vios\d/.exec(one.message)?.[0] ?? ""}`.trim());
  assert.deepEqual(found, ["OLPM-VP06 error", "HSCLA246 error partition vios1", "HSCLA246 error partition vios2", "OLPM-VN01 error slot 3", "OLPM-VN01 error slot 4", "OLPM-VX01 error", "HSCLA340 warning"]);
  assert.equal(validate(all).plan, null);
  const twice = judge(facts((f) => (emulated(f.source, "7.2"), (f.destination = f.source)))).map((one) => one.message);
  assert.deepEqual(twice, [...new Set(twice)]);
});
