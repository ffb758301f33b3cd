/** Validation: facts in, findings and a plan out. The same function answers `migrlpar -o v`, decides `-o m`, and lists mappings. Pure. */
import type { FcChoice, MobilityFacts, Finding, MspPair, ScsiChoice } from "./facts.js";
import { planFc, plannedFc, type PlannedFcAdapter } from "./fibre-channel.js";
import { moverPairs } from "./movers.js";
import { findings, type MigrationKind } from "./rules.js";
import { planStorage } from "./storage.js";

export interface PlannedLun {
  readonly clientSlot: number;
  readonly lun: string;
  readonly lunBytes: number;
  readonly viosLparId: number;
  readonly vtd: string;
}
export interface Validation {
  readonly kind: MigrationKind;
  readonly findings: readonly Finding[];
  readonly pairs: readonly MspPair[];
  readonly possibleScsi: readonly ScsiChoice[];
  readonly suggestedScsi: readonly ScsiChoice[];
  readonly possibleFc: readonly FcChoice[];
  readonly suggestedFc: readonly FcChoice[];
  /** null when a finding is an error */
  readonly plan: { readonly movers: MspPair | null; readonly storage: readonly PlannedLun[]; readonly fc: readonly PlannedFcAdapter[] } | null;
}

/** The partition's state decides the kind (hmc-cli 2.2). */
export const kindOf = (facts: Pick<MobilityFacts, "lpar">): MigrationKind => (facts.lpar.state === "not-activated" || facts.lpar.state === "migrating-not-activated" ? "inactive" : "active");

export function validate(facts: MobilityFacts): Validation {
  const kind = kindOf(facts);
  const storage = planStorage(facts);
  const fc = planFc(facts);
  const found = findings({ ...facts, kind, storage });
  const pairs = kind === "active" ? moverPairs(facts) : [];
  const good = !found.some((finding) => finding.severity === "error");
  const planned = facts.lpar.storage.flatMap((mapping): PlannedLun[] => {
    const choice = storage.suggested.find((one) => one.clientSlot === mapping.clientSlot);
    return choice ? [{ clientSlot: mapping.clientSlot, lun: mapping.lun, lunBytes: mapping.lunBytes, viosLparId: choice.viosLparId, vtd: mapping.vtd }] : [];
  });
  return { kind, findings: found, pairs, possibleScsi: storage.possible, suggestedScsi: storage.suggested, possibleFc: fc.possible, suggestedFc: fc.suggested, plan: good ? { movers: pairs[0] ?? null, storage: planned, fc: plannedFc(facts, fc.suggested) } : null };
}
