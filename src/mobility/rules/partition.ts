/** Row P: the mobile partition (lpm-process 4.4). Pure. */
import { ProfileName } from "../../model/lpar.js";
import { movingProfile } from "../definition.js";
import { adaptersOf } from "./network.js";
import { guestRefusal, here, named, nameOf, noConnection, there, type Case, type Rule, type Said } from "./rule.js";

export const PARTITION: readonly Rule[] = [
  { row: "P02", hsc: "OLPM-VP02", checks: "the partition is no Virtual I/O Server", severity: "error", kinds: "both", find: (f) => f.lpar.definition.environment === "vioserver" && [`${nameOf(f)} is a Virtual I/O Server, which can not be migrated.`, "Choose an AIX, Linux or IBM i partition."] },
  { row: "P03", hsc: "OLPM-VP03", checks: "the partition is Running or Not Activated", severity: "error", kinds: "both", find: (f) => f.lpar.state !== "running" && f.lpar.state !== "not-activated" && !f.lpar.state.startsWith("migrating") && [`${named(f)} is in the state ${f.lpar.state}; only a running or a not activated partition can be migrated.`, "Let it finish starting or shutting down, or shut it down."] },
  { row: "P06", hsc: "OLPM-VP06", checks: "`migration_disabled` is 0", severity: "error", kinds: "both", find: (f) => f.lpar.definition.settings.migrationDisabled && [`Migration is disabled for partition ${nameOf(f)}.`, "Clear its attribute migration_disabled with chsyscfg."] },
  { row: "P07", hsc: "OLPM-VP07", checks: "an inactive partition was activated before", severity: "error", kinds: "inactive", find: (f) => f.lpar.definition.currentProfile === null && [`${named(f)} was never activated, so there is no profile to migrate.`, "Activate it once."] },
  { row: "P08", hsc: "HSCLA295", checks: "the profile that is written anew (-n) loses nothing", severity: "warning", kinds: "both", find: replacedProfile },
  { row: "P09", hsc: "OLPM-VP09", checks: "the name is free on the destination", severity: "error", kinds: "both", find: (f) => f.destination.lpars.some((lpar) => lpar.definition.name === nameOf(f)) && [`A partition named ${nameOf(f)} already exists on ${there(f)}.`, "Rename or remove one of the two."] },
  { row: "P10", hsc: "OLPM-VP10", checks: "the partition ID is free and within the limit", severity: "error", kinds: "both", find: (f) => {
    const { destLparId } = f.wanted;
    if (destLparId !== null && f.destination.lpars.some((lpar) => lpar.lparId === destLparId)) return [`Partition ID ${destLparId} is in use on ${there(f)}.`, "Choose another dest_lpar_id, or leave it out."];
    if (destLparId !== null && destLparId > f.destination.view.lparsMax) return [`Partition ID ${destLparId} is above the limit of ${there(f)}, ${f.destination.view.lparsMax}.`, "Choose a lower dest_lpar_id."];
    return f.destination.lpars.length >= f.destination.view.lparsMax && [`${there(f)} has no free partition ID.`, "Remove a partition that is not needed."];
  } },
  // A running partition can not be given another identity, so only a stopped one gets it.
  { row: "P11", hsc: "OLPM-VP11", checks: "the UUID is not on the destination", severity: "error", kinds: "both", demoted: { by: "--uuid 2 (a partition that is not activated gets a new one)", when: (f) => f.wanted.levels.uuid === 2 && f.kind === "inactive" }, find: (f) => uuidTaken(f) && [`A partition with the UUID of ${nameOf(f)} exists on ${there(f)}.`, f.wanted.levels.uuid === 2 && f.kind === "inactive" ? "The partition gets a new UUID." : "Look at both: one may be left over from an earlier migration (migrlpar -o r)."] },
  { row: "P12", hsc: "OLPM-VP12", checks: "every MAC address is free on the destination", severity: "error", kinds: "both", find: (f) => {
    const taken = new Set(f.destination.lpars.filter((lpar) => lpar.definition.uuid !== f.lpar.definition.uuid).flatMap((lpar) => lpar.definition.current?.ethernet ?? []).flatMap((adapter) => (adapter.mac === null ? [] : [adapter.mac])));
    return adaptersOf(f).map((adapter): Said => adapter.mac !== null && taken.has(adapter.mac) && [`The address ${adapter.mac} of the virtual Ethernet adapter in slot ${adapter.slot} is in use on ${there(f)}.`, "Change one of the two."]);
  } },
  { row: "P13", hsc: "HSCLA246", checks: "the operating system answers over RMC", severity: "error", kinds: "active", find: (f) => f.guest !== null && !f.guest.answered && [noConnection(nameOf(f)), f.guest.detail] },
  { row: "P14", hsc: "HSCLA257", checks: "the operating system agrees at `check`", severity: "error", kinds: "active", find: (f) => f.guest !== null && f.guest.answered && !f.guest.agreed && guestRefusal(nameOf(f), f.guest.detail) },
  { row: "P22", hsc: "HSCLA291", checks: "no virtual terminal is open", severity: "warning", kinds: "active", find: (f) => f.lpar.runtime.vtermOpen && ["The selected partition may have an open virtual terminal session.  The management console will force termination of the partition's open virtual terminal session when the migration has completed.", `Close it with rmvterm -m ${here(f)} -p ${nameOf(f)}, and open it on ${there(f)} afterwards.`] },
  { row: "P26", hsc: "OLPM-VP26", checks: "the configuration that the policy `inactive_prof_policy` names is there", severity: "error", kinds: "inactive", find: (f) => f.lpar.definition.currentProfile !== null && f.resources === null && [`${named(f)} has no current configuration, which the inactive migration policy of ${here(f)} (config) would move.`, "Set the policy prof (migrlpar -o set -r sys), or activate the partition once."] },
  // Its destination would start what may run on a third system; what starts it here refuses as well (system/held-back.ts).
  { row: "P29", hsc: "OLPM-VP29", checks: "a partition that a restore brought back is confirmed to run nowhere else", severity: "error", kinds: "both", find: (f) => f.lpar.heldBack && [`${named(f)} was brought back from a backup, and may run elsewhere since.`, `Look for it on the other systems; where it runs nowhere, openlpm restore --confirm ${nameOf(f)} on the host of ${here(f)} lets it go.`] },
];

export const uuidTaken = (f: Pick<Case, "destination" | "lpar">): boolean => f.destination.lpars.some((lpar) => lpar.definition.uuid === f.lpar.definition.uuid && lpar.definition.name !== f.lpar.definition.name);

/** A profile that differs, in more than its adapters' partners, from what would be written in its place. */
function replacedProfile(f: Case): Said {
  const name = movingProfile(f.lpar.definition, f.wanted);
  const old = f.lpar.definition.profiles.find((profile) => profile.name === name);
  if (!old || !f.resources) return undefined;
  const plain = (resources: NonNullable<Case["resources"]>) =>
    JSON.stringify({ ...resources, scsi: resources.scsi.map(({ remoteLparId: _, remoteSlot: __, ...rest }) => rest).sort((a, b) => a.slot - b.slot), fc: resources.fc.map(({ slot, required }) => ({ slot, required })).sort((a, b) => a.slot - b.slot), ethernet: resources.ethernet.map(({ mac: _, vswitch: __, ...rest }) => rest).sort((a, b) => a.slot - b.slot) });
  return plain(old.resources) !== plain(f.resources) && [`The new migration profile will replace the current profile ${name} of partition ${nameOf(f)}, which differs from what moves.`, "Name another profile with -n to keep it."];
}

/** lpm-process 2.4, as far as profile names go here. */
export const isProfileName = (name: string): boolean => ProfileName.safeParse(name).success;
