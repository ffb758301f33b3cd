/** What a validation says (plan.ts makes it). Pure. */
import type { Prediction } from "../model/migration.js";
import type { MigrationKind } from "./definition.js";
import type { FcChoice, Finding, MspPair, ScsiChoice, SuggestedScsi } from "./facts.js";
import type { PlannedFcAdapter } from "./fibre-channel.js";

export interface Note {
  readonly level: number;
  readonly text: string;
}
export interface PlannedLun {
  readonly clientSlot: number;
  readonly lun: string;
  readonly lunBytes: number;
  readonly viosLparId: number;
  readonly vtd: string;
  /** slot of the server adapter; taken when free, another one otherwise. `slotAsked`: the operator named it */
  readonly viosSlot: number;
  readonly slotAsked: boolean;
}
export interface Validation {
  readonly kind: MigrationKind;
  readonly findings: readonly Finding[];
  readonly pairs: readonly MspPair[];
  readonly possibleScsi: readonly ScsiChoice[];
  readonly suggestedScsi: readonly SuggestedScsi[];
  readonly possibleFc: readonly FcChoice[];
  readonly suggestedFc: readonly FcChoice[];
  /** what was seen and chosen, for -d */
  readonly notes: readonly Note[];
  /** of a live move that may begin; null: nothing was measured */
  readonly prediction: Prediction | null;
  /** null when a finding is an error. `newUuid`: the partition's own is taken there, and it may have another */
  readonly plan: { readonly movers: MspPair | null; /** the pair that takes over when the first is lost */ readonly redundant: MspPair | null; readonly storage: readonly PlannedLun[]; readonly fc: readonly PlannedFcAdapter[]; readonly newUuid: boolean } | null;
}
