/**
 * Choice of the mover service partitions (lpm-process 6.2): those that run with the role and are below their limit, the asked ones if any. Best: fewest migrations
 * in progress, then the lowest IDs. Pure.
 */
import type { LparView } from "../model/lpar.js";
import type { MobilityFacts, MoverFact, MspPair, SystemFacts, WantedMsp } from "./facts.js";

const isMover = (lpar: LparView): boolean => lpar.state === "running" && lpar.runtime.vios?.mspAddress != null;
/** A partition that an option names, by ID, name and address, as far as given; null names any. An address alone names its mover. */
export const isWanted = (lpar: LparView, wanted: WantedMsp | null): boolean => {
  if (wanted === null) return true;
  const byName = wanted.id !== undefined || wanted.name !== undefined;
  return (wanted.id === undefined || lpar.lparId === wanted.id) && (wanted.name === undefined || lpar.definition.name === wanted.name) && (byName || wanted.address === undefined || lpar.runtime.vios?.mspAddress === wanted.address);
};

export const moversOf = (lpars: readonly LparView[]): LparView[] => lpars.filter(isMover);
export const limitOf = (system: SystemFacts, lparId: number): MoverFact | undefined => system.movers?.find((one) => one.lparId === lparId);

/** All pairs that could be used, best first. */
export function moverPairs(facts: Pick<MobilityFacts, "source" | "destination" | "wanted">): MspPair[] {
  const free = (system: SystemFacts, wanted: WantedMsp | null) =>
    moversOf(system.lpars).filter((lpar) => {
      const limit = limitOf(system, lpar.lparId);
      return isWanted(lpar, wanted) && !(limit && limit.inProgress >= limit.max);
    });
  const load = (system: SystemFacts, lpar: LparView) => limitOf(system, lpar.lparId)?.inProgress ?? 0;
  const pairs = free(facts.source, facts.wanted.sourceMsp).flatMap((source) =>
    free(facts.destination, facts.wanted.destMsp).map((destination) => ({
      cost: [load(facts.source, source) + load(facts.destination, destination), source.lparId, destination.lparId],
      pair: {
        sourceMspLparId: source.lparId,
        sourceMspName: source.definition.name,
        sourceMspAddress: source.runtime.vios!.mspAddress!,
        destMspLparId: destination.lparId,
        destMspName: destination.definition.name,
        destMspAddress: destination.runtime.vios!.mspAddress!,
      },
    })),
  );
  const compare = (a: readonly number[], b: readonly number[]): number => a.map((value, at) => value - b[at]!).find((difference) => difference !== 0) ?? 0;
  return pairs.sort((a, b) => compare(a.cost, b.cost)).map(({ pair }) => pair);
}
