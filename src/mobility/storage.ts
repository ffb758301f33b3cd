/**
 * Mapping of virtual SCSI adapters to Virtual I/O Servers of the destination (lpm-process 5.2, 5.3). A VIOS is possible for an adapter when it sees every
 * LUN behind it, by identity, with the same size and free. Suggested: the VIOS of the same name, else one that no other adapter uses, else the lowest ID; so
 * two paths over two VIOSes stay two paths over two. Those that are asked for or have the name are given first, whatever the order of slots. Pure.
 */
import type { LunFact, MobilityFacts, ScsiChoice } from "./facts.js";

export interface StoragePlan {
  readonly possible: readonly ScsiChoice[];
  readonly suggested: readonly ScsiChoice[];
  /** client slots that no VIOS of the destination can serve, with the reasons */
  readonly impossible: readonly { readonly clientSlot: number; readonly why: string }[];
  /** asked mappings that can not be honoured */
  readonly refused: readonly { readonly clientSlot: number; readonly why: string }[];
}

export function planStorage(facts: MobilityFacts): StoragePlan {
  const vioses = facts.destination.lpars.filter((lpar) => lpar.definition.environment === "vioserver" && lpar.state === "running");
  const nameOf = (id: number) => facts.destination.lpars.find((lpar) => lpar.lparId === id)?.definition.name ?? `ID ${id}`;
  const slots = [...new Set(facts.lpar.storage.map((mapping) => mapping.clientSlot))].sort((a, b) => a - b);
  const possible: ScsiChoice[] = [];
  const suggested: ScsiChoice[] = [];
  const impossible: { clientSlot: number; why: string }[] = [];
  const refused: { clientSlot: number; why: string }[] = [];
  const open: (readonly ScsiChoice[])[] = [];
  for (const clientSlot of slots) {
    const judged = vioses.map((vios) => ({ viosLparId: vios.lparId as number, viosName: vios.definition.name, why: whyNot(facts, clientSlot, vios.lparId) }));
    const good = judged.filter((one) => one.why === undefined).map(({ viosLparId, viosName }) => ({ clientSlot, viosLparId, viosName }));
    possible.push(...good);
    const asked = facts.wanted.scsi.find((one) => one.clientSlot === clientSlot);
    if (asked) {
      const named = judged.filter((one) => (asked.viosLparId === undefined || one.viosLparId === asked.viosLparId) && (asked.viosName === undefined || asked.viosName === "" || one.viosName === asked.viosName))[0];
      if (!named) refused.push({ clientSlot, why: `the destination has no running Virtual I/O Server ${asked.viosName ?? `with ID ${asked.viosLparId}`}` });
      else if (named.why !== undefined) refused.push({ clientSlot, why: named.why });
      else suggested.push({ clientSlot, viosLparId: named.viosLparId, viosName: named.viosName });
      continue;
    }
    if (good.length === 0) {
      impossible.push({ clientSlot, why: judged.length === 0 ? "no Virtual I/O Server runs there" : judged.map((one) => one.why).join("; ") });
      continue;
    }
    const before = facts.lpar.storage.find((mapping) => mapping.clientSlot === clientSlot)!.viosLparId;
    const nameBefore = facts.source.lpars.find((lpar) => lpar.lparId === before)?.definition.name;
    const same = good.find((one) => one.viosName === nameBefore);
    if (same) suggested.push(same);
    else open.push(good);
  }
  for (const { clientSlot } of facts.wanted.scsi.filter((one) => !slots.includes(one.clientSlot as never))) refused.push({ clientSlot, why: "the partition has no virtual SCSI adapter with storage in that slot" });
  suggested.push(...spread(open, new Set(suggested.map((one) => one.viosLparId))));
  return { possible, suggested: suggested.sort((a, b) => a.clientSlot - b.clientSlot), impossible, refused };

  function whyNot(all: MobilityFacts, clientSlot: number, viosLparId: number): string | undefined {
    for (const mapping of all.lpar.storage.filter((one) => one.clientSlot === clientSlot)) {
      const seen: LunFact | undefined = all.luns?.find((one) => one.viosLparId === viosLparId && one.lun === mapping.lun);
      const vios = nameOf(viosLparId);
      if (!seen || !seen.visible) return `${vios} does not see LUN ${mapping.lun}${seen?.detail ? ` (${seen.detail})` : ""}`;
      if (seen.bytes !== null && seen.bytes !== mapping.lunBytes) return `${vios} sees LUN ${mapping.lun} with ${seen.bytes} bytes, the source with ${mapping.lunBytes}`;
      if (seen.inUse) return `LUN ${mapping.lun} is in use on ${vios}${seen.detail ? ` (${seen.detail})` : ""}`;
    }
    return undefined;
  }
}

/** One choice for each slot, over as many VIOSes besides the `taken` ones as there can be (augmenting paths); the lowest ID where none is left. */
export function spread<Choice extends ScsiChoice>(slots: readonly (readonly Choice[])[], taken: ReadonlySet<number>): Choice[] {
  const holders = new Map<number, readonly Choice[]>();
  const place = (choices: readonly Choice[], tried: Set<number>): boolean => {
    const left = choices.filter(({ viosLparId }) => !taken.has(viosLparId) && !tried.has(viosLparId));
    const free = left.find(({ viosLparId }) => !holders.has(viosLparId));
    const given = free ?? left.find(({ viosLparId }) => !tried.has(viosLparId) && place(holders.get(viosLparId)!, tried.add(viosLparId)));
    if (given) holders.set(given.viosLparId, choices);
    return given !== undefined;
  };
  for (const choices of slots) place(choices, new Set());
  return slots.map((choices) => choices.find(({ viosLparId }) => holders.get(viosLparId) === choices) ?? choices[0]!);
}
