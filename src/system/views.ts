/** How a system shows its partitions: a row, and what is known of its process, made into the one shape that everybody reads. Pure. */
import type { FcMapping, LparRuntime, LparState, LparView, RmcState, StorageMapping } from "../model/lpar.js";
import type { ViosHardware } from "../wire/system-config.js";
import type { GuestNews } from "./guests.js";
import type { LparRow } from "./store.js";

/** What is known of a partition beside its row. */
export interface LparFacts {
  /** rises with every change of the row or of what is known beside it */
  readonly revision: number;
  readonly processPid: number | null;
  /** an operation that is under way */
  readonly transition: "starting" | "shutting-down" | null;
  readonly migrationType: "active" | "inactive" | null;
  readonly bootMode: string;
  readonly guest: GuestNews;
  readonly vtermOpen: boolean;
  readonly consoleLog: string;
  readonly hardware: ViosHardware | undefined;
  readonly heldBack: boolean;
  readonly storage: readonly StorageMapping[];
  readonly fc: readonly FcMapping[];
}

const FIRMWARE_MODES = ["of", "sms"];

export function stateOf(row: LparRow, facts: LparFacts): LparState {
  if (facts.migrationType === "active") return "migrating-running";
  if (facts.migrationType === "inactive") return "migrating-not-activated";
  if (row.ownership.kind !== "owner") return "not-available";
  if (facts.transition !== null) return facts.transition;
  if (facts.processPid !== null) return FIRMWARE_MODES.includes(facts.bootMode) ? "open-firmware" : "running";
  return row.failed ? "error" : "not-activated";
}

export function lparView(row: LparRow, facts: LparFacts): LparView {
  const { ownership } = row;
  if (ownership.kind === "absent") throw new Error(`invariant broken: partition ${row.lparId} has a row and no ownership record`);
  const vioserver = row.definition.environment === "vioserver";
  return {
    lparId: row.lparId,
    revision: facts.revision,
    definition: vioserver ? withServerAdapters(row) : row.definition,
    state: stateOf(row, facts),
    runtime: runtimeOf(row, facts),
    storage: [...facts.storage],
    fc: [...facts.fc],
    ownership,
    migrationId: row.migrationId,
    heldBack: facts.heldBack,
  };
}

/** The server adapters of a VIOS are its device list's; they show as its configuration's adapters, as on any partition. */
function withServerAdapters(row: LparRow): LparRow["definition"] {
  const { current } = row.definition;
  if (!current) return row.definition;
  const scsi = (row.devices?.adapters ?? []).map((adapter) => ({ slot: adapter.slot, role: "server" as const, remoteLparId: adapter.clientLparId, remoteSlot: adapter.clientSlot, required: false }));
  const fc = (row.devices?.fc ?? []).map((adapter) => ({ slot: adapter.slot, role: "server" as const, remoteLparId: adapter.clientLparId, remoteSlot: adapter.clientSlot, required: false, wwpns: null, active: 0 as const }));
  return { ...row.definition, current: { ...current, scsi, fc } };
}

function runtimeOf(row: LparRow, facts: LparFacts): LparRuntime {
  const { hardware } = facts;
  const running = facts.processPid !== null;
  const common = { startedAt: running ? row.startedAt : null, vtermOpen: facts.vtermOpen, consoleLog: facts.consoleLog };
  if (!hardware) {
    const { guest } = facts;
    const rmc: RmcState = running ? guest.rmc : "inactive";
    return { ...common, qemuPid: facts.processPid, rmc, rmcAddress: guest.address, osVersion: guest.osVersion, refCode: running ? guest.refCode : "", refCodeAt: running ? guest.refCodeAt : null, vios: null };
  }
  const roles: ("vscsi" | "sea" | "msp")[] = hardware.msp && row.definition.settings.msp ? ["vscsi", "sea", "msp"] : ["vscsi", "sea"];
  return {
    ...common,
    qemuPid: null,
    // The VIOS answers its system over its own socket: while that stands it can be managed, which is what RMC says.
    rmc: running ? "active" : "inactive",
    rmcAddress: hardware.address,
    osVersion: null,
    refCode: "",
    refCodeAt: null,
    vios: { pid: facts.processPid, namespace: hardware.namespace, roles, mspAddress: roles.includes("msp") ? hardware.address : null },
  };
}
