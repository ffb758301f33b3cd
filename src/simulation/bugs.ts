/** Where a planted bug may change the code under test; empty for the real one. */
import type { Hypervisor } from "../system/contract.js";
import type { MigrationParts, Migrations } from "../system/migration/index.js";
import type { RunnerOptions } from "../console/mobility/runner.js";
import type { ownershipStep } from "../model/ownership.js";
import type { Host } from "./host.js";

export interface Bugs {
  readonly ownershipStep?: typeof ownershipStep;
  readonly loadedEarly?: boolean;
  readonly piecemeal?: boolean;
  /** the destination logs in to the SAN with the name that the source uses */
  readonly sameName?: boolean;
  readonly parts?: Partial<MigrationParts>;
  readonly console?: Partial<RunnerOptions>;
  readonly hypervisor?: (real: Hypervisor, host: Host) => Hypervisor;
  readonly handlers?: (hypervisor: Hypervisor, real: Migrations) => Record<string, unknown>;
  readonly onBoot?: (hypervisor: Hypervisor, host: Host) => Promise<void>;
  readonly onSystemCrash?: (host: Host) => void;
  readonly call?: (method: string, result: Promise<unknown>) => Promise<unknown>;
}
export const NO_BUGS: Bugs = {};
