/**
 * Choice of the mover service partitions (lpm-process 6.2): those that run with the role and are below their limit, the asked ones if any. Best: fewest migrations
 * in progress, then the lowest IDs. A second pair, of two other movers, takes over when the first is lost. Pure.
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

/** True when the two pairs have no mover in common. */
export const areDisjoint = (a: MspPair, b: MspPair): boolean => a.sourceMspLparId !== b.sourceMspLparId && a.destMspLparId !== b.destMspLparId;

/**
 * Whether a second pair is looked for (lpm-process 6.4): if it can be had, or must; not for a pair that the operator has named, since that is the way it should go,
 * unless it is said.
 */
export function wantsSecond({ levels, sourceMsp, destMsp, secondMsps }: MobilityFacts["wanted"]): boolean {
  return levels.redundantMsps === undefined ? secondMsps !== null || (sourceMsp === null && destMsp === null) : levels.redundantMsps !== 0;
}
/** Whether a migration without a second pair is refused: it was asked for, or its movers were named. */
export const requiresSecond = ({ levels, secondMsps }: MobilityFacts["wanted"]): boolean => levels.redundantMsps === 1 || (secondMsps !== null && levels.redundantMsps === undefined);

/** The pairs that can be the second, of any first one, best first. */
export const secondPairs = (facts: Pick<MobilityFacts, "source" | "destination" | "wanted">): MspPair[] => moverPairs({ ...facts, wanted: { ...facts.wanted, sourceMsp: facts.wanted.secondMsps?.source ?? null, destMsp: facts.wanted.secondMsps?.destination ?? null } });

/** Of pairs that connect, best first: the best one that leaves another to be the second, with that one; else the best. */
export function choosePairs(firsts: readonly MspPair[], seconds: readonly MspPair[]): { readonly pair: MspPair; readonly second: MspPair | undefined } | undefined {
  for (const pair of firsts) {
    const second = seconds.find((one) => areDisjoint(pair, one));
    if (second) return { pair, second };
  }
  return firsts[0] && { pair: firsts[0], second: undefined };
}

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
