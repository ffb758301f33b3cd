/**
 * What one rule of partition mobility is, and the words that several of them share. Codes and rows: lpm-process section 4; where IBM's code is not known ours is
 * `OLPM-V` and the row. Pure.
 */
import type { ResourceConfig } from "../../model/lpar.js";
import { movingResources, type MigrationKind } from "../definition.js";
import type { MobilityFacts } from "../facts.js";
import type { StoragePlan } from "../storage.js";

export interface Case extends MobilityFacts {
  readonly kind: MigrationKind;
  readonly storage: StoragePlan;
  /** the configuration that would move; null when there is none */
  readonly resources: ResourceConfig | null;
}
/** The message, what to do about it, and what somebody else said about it. */
export type Said = readonly [message: string, action: string, details?: readonly string[]] | undefined | false;
export interface Rule {
  readonly row: string;
  readonly hsc: string;
  /** what holds when it finds nothing, for docs/rules.md */
  readonly checks: string;
  readonly severity: "error" | "warning";
  readonly kinds: "both" | MigrationKind;
  /** its findings stand alone: what the other rules would find follows from them (the destination knows a partition that is on its way, uses its LUNs, ...) */
  readonly alone?: true;
  /** makes an error a warning (lpm-process 5.7): the option as an operator gives it, and whether it was given */
  readonly demoted?: { readonly by: string; readonly when: (facts: Case) => boolean };
  /** undefined when the rule holds. Several findings of one rule: one for each. */
  readonly find: (facts: Case) => Said | readonly Said[];
}

export const asCase = (facts: MobilityFacts, kind: MigrationKind, storage: StoragePlan): Case => ({ ...facts, kind, storage, resources: movingResources(facts.lpar.definition, { kind, policy: facts.source.view.migration.inactiveProfPolicy }) });

export const nameOf = (facts: Case): string => facts.lpar.definition.name;
export const named = (facts: Case): string => `Partition ${nameOf(facts)}`;
export const here = (facts: Case): string => facts.source.view.name;
export const there = (facts: Case): string => facts.destination.view.name;
export const bothSystems = (facts: Case): readonly [MobilityFacts["source"], MobilityFacts["source"]] => [facts.source, facts.destination];

/** HSCLA246, with the console's two blanks between the sentences. */
export const noConnection = (partition: string): string =>
  `The management console cannot communicate with partition ${partition}.  Either the network connection is not available or the partition does not have a level of software that is capable of supporting this operation.  Verify the correct network and setup of the partition, and try the operation again.`;
/** HSCLA257, and what the operating system said. */
export const guestRefusal = (partition: string, detail: string): readonly [message: string, action: string] => [
  "The migrating partition has returned a failure response to the HMC's request to perform a check for migration readiness. The migrating partition is not ready for migration at this time. Try the operation again later.",
  `The operating system of ${partition} says: ${detail || "one of its scripts said no"}. See the scripts in its /etc/openlpm/mobility.d.`,
];
