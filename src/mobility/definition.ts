/**
 * What of a partition's definition arrives on the destination (lpm-process 2.4, 3.1, 9.2): the same but for the profile that moves, which is written anew from
 * what the partition has now, and for virtual switches that have another name there. The adapters' partners follow when the destination has chosen slots. Pure.
 */
import type { LparDefinition, ResourceConfig } from "../model/lpar.js";
import type { InactiveProfPolicy } from "../model/system.js";

export type MigrationKind = "active" | "inactive";

/** hmc-cli 2.4: the adapters of one VLAN on one switch go to another switch; VLAN null: all adapters of the switch */
export interface SwitchMapping {
  readonly vlanId: number | null;
  readonly from: string;
  readonly to: string;
}
export interface Moving {
  readonly kind: MigrationKind;
  readonly policy: InactiveProfPolicy;
  /** -n; null: the profile last activated */
  readonly profileName: string | null;
  readonly vswitches: readonly SwitchMapping[];
  /** null: the partition keeps its own */
  readonly uuid: string | null;
}

/** The switch on the destination of an adapter that is on `vswitch` with this port VLAN. */
export const switchThere = (mappings: readonly SwitchMapping[], vswitch: string, portVlanId: number): string =>
  (mappings.find((one) => one.from === vswitch && one.vlanId === portVlanId) ?? mappings.find((one) => one.from === vswitch && one.vlanId === null))?.to ?? vswitch;

/** The configuration that moves: what runs, or what the policy of the source system says of a partition that does not; null when there is none. */
export function movingResources(definition: LparDefinition, { kind, policy }: Pick<Moving, "kind" | "policy">): ResourceConfig | null {
  const activated = definition.profiles.find((profile) => profile.name === definition.currentProfile)?.resources;
  return kind === "inactive" && policy === "prof" && activated ? withAddresses(activated, definition.current) : definition.current;
}

/** Addresses that a profile leaves to the hypervisor stay what they were given. */
function withAddresses(resources: ResourceConfig, current: ResourceConfig | null): ResourceConfig {
  const given = (slot: number) => current?.fc.find((one) => one.slot === slot);
  return {
    ...resources,
    ethernet: resources.ethernet.map((adapter) => ({ ...adapter, mac: adapter.mac ?? current?.ethernet.find((one) => one.slot === adapter.slot)?.mac ?? null })),
    fc: resources.fc.map((adapter) => ({ ...adapter, wwpns: adapter.wwpns ?? given(adapter.slot)?.wwpns ?? null, active: given(adapter.slot)?.active ?? adapter.active })),
  };
}

/** The profile that is written anew. */
export const movingProfile = (definition: LparDefinition, { profileName }: Pick<Moving, "profileName">): string => profileName ?? definition.currentProfile ?? definition.defaultProfile;

/** @throws Error when there is no configuration, which validation has refused */
export function definitionToMove(definition: LparDefinition, moving: Moving): LparDefinition {
  const found = movingResources(definition, moving);
  if (!found) throw new Error("invariant broken: a partition without a configuration does not move");
  const resources = { ...found, ethernet: found.ethernet.map((adapter) => ({ ...adapter, vswitch: switchThere(moving.vswitches, adapter.vswitch, adapter.portVlanId) })) };
  const name = movingProfile(definition, moving);
  const moved = { name, resources };
  const known = definition.profiles.some((profile) => profile.name === name);
  return {
    ...definition,
    ...(moving.uuid === null ? {} : { uuid: moving.uuid }),
    current: resources,
    currentProfile: name,
    profiles: known ? definition.profiles.map((profile) => (profile.name === name ? moved : profile)) : [...definition.profiles, moved],
  };
}
