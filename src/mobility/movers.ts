/** Choice of the mover service partitions (lpm-process 6.2): those that run with the role, the asked ones if any, else the lowest IDs. Pure. */
import type { LparView } from "../model/lpar.js";
import type { MobilityFacts, MspPair } from "./facts.js";

const isMover = (lpar: LparView): boolean => lpar.state === "running" && lpar.runtime.vios?.mspAddress != null;
/** A partition that an option names, by ID or name or both; null names any. */
export const isWanted = (lpar: LparView, wanted: { readonly id?: number | undefined; readonly name?: string | undefined } | null): boolean => wanted === null || ((wanted.id === undefined || lpar.lparId === wanted.id) && (wanted.name === undefined || lpar.definition.name === wanted.name));

export const moversOf = (lpars: readonly LparView[]): LparView[] => lpars.filter(isMover);

/** All pairs that could be used, best first. */
export function moverPairs(facts: Pick<MobilityFacts, "source" | "destination" | "wanted">): MspPair[] {
  const sources = moversOf(facts.source.lpars).filter((lpar) => isWanted(lpar, facts.wanted.sourceMsp));
  const destinations = moversOf(facts.destination.lpars).filter((lpar) => isWanted(lpar, facts.wanted.destMsp));
  return sources.flatMap((source) =>
    destinations.map((destination) => ({
      sourceMspLparId: source.lparId,
      sourceMspName: source.definition.name,
      sourceMspAddress: source.runtime.vios!.mspAddress!,
      destMspLparId: destination.lparId,
      destMspName: destination.definition.name,
      destMspAddress: destination.runtime.vios!.mspAddress!,
    })),
  );
}
