/**
 * What a validation promised and can still be broken while a partition is copied. Most of it the systems hold themselves from the reservation on: name, ID, memory,
 * processors, slots, LUNs behind closed gates, the servers that serve them. A network is held by nobody: the VLANs' bridges on the destination are looked at until the
 * partition is suspended, and a move whose partition would lose its network ends before the point of no return with the check that changed. Pure.
 */
import type { Finding, MobilityFacts } from "./facts.js";
import { kindOf } from "./plan.js";
import { findings } from "./rules/index.js";
import { asCase } from "./rules/rule.js";
import { planStorage } from "./storage.js";

const WATCHED = ["OLPM-VN01", "OLPM-VN02"];

/** The first broken promise; undefined while all hold. */
export function brokenPromise(now: Pick<MobilityFacts, "source" | "destination" | "lpar" | "wanted">): Finding | undefined {
  // That it moves is no finding here; left in, it would be the only one (rules/index.ts).
  const facts: MobilityFacts = { ...now, lpar: { ...now.lpar, migrationId: null }, record: null, luns: null, fc: null, fits: null, guest: null, movers: null };
  return findings(asCase(facts, kindOf(facts), planStorage(facts))).find((finding) => finding.severity === "error" && WATCHED.includes(finding.hsc));
}
