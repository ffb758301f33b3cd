/** Validation: facts in, findings and a plan out. The same function answers `migrlpar -o v`, decides `-o m`, and lists mappings. Pure. */
import type { MigrationKind } from "./definition.js";
import { explain } from "./explain.js";
import type { MobilityFacts } from "./facts.js";
import { planFc, plannedFc } from "./fibre-channel.js";
import { predict } from "./predict.js";
import { moverPairs } from "./movers.js";
import { findings } from "./rules/index.js";
import { uuidTaken } from "./rules/partition.js";
import { asCase } from "./rules/rule.js";
import { planStorage } from "./storage.js";
import type { PlannedLun, Validation } from "./validation.js";

/** The partition's state decides the kind (hmc-cli 2.2). */
export const kindOf = (facts: Pick<MobilityFacts, "lpar">): MigrationKind => (facts.lpar.state === "not-activated" || facts.lpar.state === "migrating-not-activated" ? "inactive" : "active");

export function validate(facts: MobilityFacts): Validation {
  const kind = kindOf(facts);
  const storage = planStorage(facts);
  const fc = planFc(facts);
  const found = findings(asCase(facts, kind, storage));
  const pairs = kind === "active" ? moverPairs(facts) : [];
  const good = !found.some((finding) => finding.severity === "error");
  const planned = facts.lpar.storage.flatMap((mapping): PlannedLun[] => {
    const choice = storage.suggested.find((one) => one.clientSlot === mapping.clientSlot);
    return choice ? [{ clientSlot: mapping.clientSlot, lun: mapping.lun, lunBytes: mapping.lunBytes, viosLparId: choice.viosLparId, vtd: mapping.vtd, viosSlot: choice.viosSlot ?? mapping.viosSlot, slotAsked: choice.viosSlot !== null }] : [];
  });
  const movers = facts.movers?.pair ?? pairs[0] ?? null;
  const redundant = facts.movers?.second ?? null;
  const said = { kind, findings: found, pairs, possibleScsi: storage.possible, suggestedScsi: storage.suggested, possibleFc: fc.possible, suggestedFc: fc.suggested, plan: good ? { movers: kind === "active" ? movers : null, redundant: kind === "active" ? redundant : null, storage: planned, fc: plannedFc(facts, fc.suggested), newUuid: uuidTaken(facts) } : null };
  const prediction = good && kind === "active" && facts.measured ? predict(facts.measured) : null;
  return { ...said, prediction, notes: explain(facts, { ...said, prediction }) };
}
