/**
 * Mapping of virtual Fibre Channel adapters to Virtual I/O Servers and ports of the destination (lpm-process 5.4). A port is possible when the WWPN that would log in there
 * sees every LUN that the partition has through the adapter, with its size, and has room. Suggested as for virtual SCSI: the VIOS of the same name, else one that
 * no other adapter uses, else the lowest ID. Pure.
 */
import type { FcChoice, FcFact, MobilityFacts, ScsiChoice } from "./facts.js";

export interface FcPlan {
  /** one for each VIOS, with its best port */
  readonly possible: readonly FcChoice[];
  readonly suggested: readonly FcChoice[];
  readonly impossible: readonly { readonly clientSlot: number; readonly why: string }[];
  readonly refused: readonly { readonly clientSlot: number; readonly why: string }[];
}
export interface PlannedFcAdapter {
  readonly clientSlot: number;
  readonly viosLparId: number;
  readonly viosSlot: number | null;
  readonly port: string;
  readonly wwpn: string;
  readonly luns: readonly { readonly lun: string; readonly lunBytes: number }[];
}

/** One client adapter that has a server adapter on the source. */
export interface FcAdapter {
  readonly clientSlot: number;
  readonly viosLparId: number;
  readonly port: string | null;
  /** logs in, or would, on the source */
  readonly sourceWwpn: string;
  /** logs in on the destination: the other one of the pair for a partition that runs, the same for one that is off */
  readonly destinationWwpn: string;
  /** has to be seen on the destination; for a partition that is off, what the source sees by a trial login */
  readonly luns: readonly { readonly lun: string; readonly lunBytes: number }[];
}

export const isOff = (facts: Pick<MobilityFacts, "lpar">): boolean => facts.lpar.state === "not-activated" || facts.lpar.state === "migrating-not-activated";

export function fcAdapters(facts: Pick<MobilityFacts, "lpar" | "fc">): FcAdapter[] {
  const { definition, fc } = facts.lpar;
  const resources = definition.current ?? definition.profiles.find((profile) => profile.name === definition.defaultProfile)?.resources;
  return (resources?.fc ?? []).flatMap((adapter): FcAdapter[] => {
    const mapping = fc.find((one) => one.clientSlot === adapter.slot);
    if (adapter.role !== "client" || adapter.wwpns === null || !mapping) return [];
    const [sourceWwpn, other] = [adapter.wwpns[adapter.active], adapter.wwpns[adapter.active === 0 ? 1 : 0]];
    const seen = facts.fc?.find((one) => one.side === "source" && one.viosLparId === mapping.viosLparId && one.wwpn === sourceWwpn && one.port === mapping.port);
    const luns = isOff(facts) ? (seen?.luns ?? []).map(({ lun, bytes }) => ({ lun, lunBytes: bytes })) : mapping.luns.map(({ lun, lunBytes }) => ({ lun, lunBytes }));
    return [{ clientSlot: adapter.slot, viosLparId: mapping.viosLparId, port: mapping.port, sourceWwpn, destinationWwpn: isOff(facts) ? sourceWwpn : other, luns }];
  });
}

export function planFc(facts: MobilityFacts): FcPlan {
  const vioses = facts.destination.lpars.filter((lpar) => lpar.definition.environment === "vioserver" && lpar.state === "running");
  const adapters = fcAdapters(facts);
  const possible: FcChoice[] = [];
  const suggested: FcChoice[] = [];
  const impossible: { clientSlot: number; why: string }[] = [];
  const refused: { clientSlot: number; why: string }[] = [];
  const open: (readonly FcChoice[])[] = [];
  for (const adapter of adapters) {
    const { clientSlot } = adapter;
    const asked = facts.wanted.fc.find((one) => one.clientSlot === clientSlot);
    const judged = vioses.map((vios) => ({ clientSlot, viosLparId: vios.lparId as number, viosName: vios.definition.name, ...judge(facts, adapter, vios.lparId, vios.definition.name, asked?.port) }));
    const good = judged.flatMap(({ port, why: _, ...one }): FcChoice[] => (port === undefined ? [] : [{ ...one, port }]));
    possible.push(...good);
    if (asked) {
      const named = judged.filter((one) => (asked.viosLparId === undefined || one.viosLparId === asked.viosLparId) && (asked.viosName === undefined || asked.viosName === "" || one.viosName === asked.viosName));
      const chosen = named.find((one) => one.port !== undefined);
      if (named.length === 0) refused.push({ clientSlot, why: `the destination has no running Virtual I/O Server ${asked.viosName || `with ID ${asked.viosLparId}`}` });
      else if (chosen?.port === undefined) refused.push({ clientSlot, why: named.map((one) => one.why).join("; ") });
      else suggested.push({ clientSlot, viosLparId: chosen.viosLparId, viosName: chosen.viosName, port: chosen.port });
      continue;
    }
    if (good.length === 0) {
      impossible.push({ clientSlot, why: judged.length === 0 ? "no Virtual I/O Server runs there" : judged.map((one) => one.why).join("; ") });
      continue;
    }
    const nameBefore = facts.source.lpars.find((lpar) => lpar.lparId === adapter.viosLparId)?.definition.name;
    const same = good.find((one) => one.viosName === nameBefore);
    if (same) suggested.push(same);
    else open.push(good);
  }
  for (const { clientSlot } of facts.wanted.fc.filter((one) => !adapters.some((adapter) => adapter.clientSlot === one.clientSlot))) refused.push({ clientSlot, why: "the partition has no virtual Fibre Channel adapter with a server adapter in that slot" });
  suggested.push(...spread(open, new Set(suggested.map((one) => one.viosLparId))));
  return { possible, suggested: suggested.sort((a, b) => a.clientSlot - b.clientSlot), impossible, refused };
}

/** The adapters as the destination takes them. */
export function plannedFc(facts: MobilityFacts, suggested: readonly FcChoice[]): PlannedFcAdapter[] {
  const adapters = fcAdapters(facts);
  return suggested.flatMap(({ clientSlot, viosLparId, port }): PlannedFcAdapter[] => {
    const adapter = adapters.find((one) => one.clientSlot === clientSlot);
    const viosSlot = facts.wanted.fc.find((one) => one.clientSlot === clientSlot)?.viosSlot ?? null;
    // A partition that is off logs in when it is activated there, and has then what the SAN shows.
    return adapter ? [{ clientSlot, viosLparId, viosSlot, port, wwpn: adapter.destinationWwpn, luns: isOff(facts) ? [] : adapter.luns }] : [];
  });
}

/** The port of a VIOS that serves the adapter, or why none does: the one that is asked for, else the one of the same name, else the first. */
function judge(facts: MobilityFacts, adapter: FcAdapter, viosLparId: number, vios: string, asked: string | undefined): { readonly port?: string; readonly why: string } {
  const ports = (facts.fc ?? []).filter((one) => one.side === "destination" && one.viosLparId === viosLparId && one.wwpn === adapter.destinationWwpn);
  const left = asked === undefined ? ports : ports.filter((one) => one.port === asked);
  if (left.length === 0) return { why: asked === undefined ? `${vios} has no Fibre Channel port` : `${vios} has no Fibre Channel port ${asked}` };
  const good = left.filter((one) => whyNot(adapter, one) === undefined);
  const port = (good.find((one) => one.port === adapter.port) ?? good[0])?.port;
  return port === undefined ? { why: left.map((one) => `${one.port} of ${vios}: ${whyNot(adapter, one)}`).join("; ") } : { port, why: "" };
}

function whyNot({ luns, destinationWwpn }: FcAdapter, fact: FcFact): string | undefined {
  if (fact.availablePorts <= 0) return "it has no room for another virtual adapter";
  const missing = luns.filter(({ lun }) => !fact.luns.some((one) => one.lun === lun)).map(({ lun }) => lun);
  if (missing.length > 0) return fact.targets.length === 0 ? `the WWPN ${destinationWwpn} is not zoned to the same target ports as the source for this client${fact.detail === "" ? "" : ` (${fact.detail})`}` : `the WWPN ${destinationWwpn} does not see ${missing.join(", ")}`;
  const reserved = luns.flatMap(({ lun }) => fact.luns.filter((one) => one.lun === lun && one.reservedBy !== null))[0];
  if (reserved) return `LUN ${reserved.lun} is reserved (by ${reserved.reservedBy})`;
  const other = luns.map((want) => ({ want, has: fact.luns.find((one) => one.lun === want.lun) })).find(({ want, has }) => has && has.bytes !== want.lunBytes);
  return other && `LUN ${other.want.lun} has ${other.has?.bytes} bytes, on the source ${other.want.lunBytes}`;
}

/** One choice for each slot, over as many VIOSes besides the `taken` ones as there can be (augmenting paths); the lowest ID where none is left. */
function spread<Choice extends ScsiChoice>(slots: readonly (readonly Choice[])[], taken: ReadonlySet<number>): Choice[] {
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
