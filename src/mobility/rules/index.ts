/** All rules in the order in which they are reported, and what they find. A new rule is one entry in the file of its topic and one case in its table of tests. Pure. */
import type { Finding } from "../facts.js";
import { GENERAL } from "./general.js";
import { MOVERS } from "./movers.js";
import { NETWORK } from "./network.js";
import { PARTITION } from "./partition.js";
import { RESOURCES } from "./resources.js";
import type { Case, Rule, Said } from "./rule.js";
import { STORAGE } from "./storage.js";

export const RULES: readonly Rule[] = [...GENERAL, ...PARTITION, ...RESOURCES, ...STORAGE, ...NETWORK, ...MOVERS];

/** All findings, errors before warnings, each once; those of a rule that stands alone, alone. */
export function findings(facts: Case): Finding[] {
  const rules = RULES.filter((rule) => rule.kinds === "both" || rule.kinds === facts.kind);
  const first = found(rules.filter((rule) => rule.alone), facts);
  return first.length > 0 ? first : found(rules.filter((rule) => !rule.alone), facts);
}

function found(rules: readonly Rule[], facts: Case): Finding[] {
  const all = rules.flatMap((rule): Finding[] => {
    const said = rule.find(facts);
    const list = Array.isArray(said) && (said.length === 0 || typeof said[0] !== "string") ? (said as readonly Said[]) : [said as Said];
    const severity = rule.severity === "error" && rule.demoted?.when(facts) ? "warning" : rule.severity;
    return list.flatMap((one) => (one ? [{ severity, hsc: rule.hsc, message: one[0], action: one[1], ...(one[2] && one[2].length > 0 ? { details: one[2] } : {}) }] : []));
  });
  // One system as source and destination would say everything of a system twice.
  const once = all.filter((one, at) => all.findIndex((other) => other.hsc === one.hsc && other.message === one.message) === at);
  return [...once.filter((one) => one.severity === "error"), ...once.filter((one) => one.severity === "warning")];
}
