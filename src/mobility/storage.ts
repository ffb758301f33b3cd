/**
 * Mapping of virtual SCSI adapters to Virtual I/O Servers of the destination (lpm-process 5.2, 5.3). A server is possible for an adapter when it sees every LUN
 * behind it, by identity, with the same size, free and not reserved. Adapters that one server of the source serves are a group: the group stays together, and
 * groups stay apart, so that two paths over two servers stay two paths over two. Among the ways to do that: the server of the same name, the same ID, the one with
 * the fewest adapters, the lowest ID. Where it can not be done, the way with the fewest broken groups. Pure.
 */
import type { LunFact, MobilityFacts, ScsiChoice, SuggestedScsi, WantedScsi } from "./facts.js";

export interface Unserved {
  readonly clientSlot: number;
  readonly why: string;
  /** what each server said, one line each */
  readonly details: readonly string[];
}
export interface StoragePlan {
  readonly possible: readonly ScsiChoice[];
  readonly suggested: readonly SuggestedScsi[];
  /** client slots that no VIOS of the destination can serve, with the reasons */
  readonly impossible: readonly Unserved[];
  /** asked mappings that can not be honoured */
  readonly refused: readonly { readonly clientSlot: number; readonly why: string }[];
  /** groups of the source that the suggestion puts on one server */
  readonly merged: readonly { readonly before: readonly string[]; readonly after: string }[];
  /** groups of the source that the suggestion takes apart */
  readonly split: readonly { readonly before: string; readonly after: readonly string[] }[];
}
interface Server {
  readonly id: number;
  readonly name: string;
  readonly adapters: number;
}
/** Adapters that go to one server together. */
interface Group {
  readonly slots: readonly number[];
  readonly before: number;
  readonly servers: readonly Server[];
}

/** Assignments that are looked at; real partitions have a few groups, and the first way found is nearly always the best. */
const LOOKS_MAX = 20_000;
const MERGE_COST = 1_000;
const PREFER = ["it has the same name as on the source", "it has the same ID as on the source", "it serves the fewest adapters"] as const;

export function planStorage(facts: MobilityFacts): StoragePlan {
  const servers = serversOf(facts);
  const nameBefore = (id: number) => facts.source.lpars.find((lpar) => lpar.lparId === id)?.definition.name ?? `ID ${id}`;
  const slots = [...new Set(facts.lpar.storage.map((mapping) => mapping.clientSlot as number))].sort((a, b) => a - b);
  const beforeOf = (slot: number): number => facts.lpar.storage.find((mapping) => mapping.clientSlot === slot)!.viosLparId;
  const possible: ScsiChoice[] = [];
  const fixed: SuggestedScsi[] = [];
  const impossible: Unserved[] = [];
  const refused: { clientSlot: number; why: string }[] = [];
  const open = new Map<number, readonly Server[]>();
  for (const clientSlot of slots) {
    const judged = servers.map((server) => ({ server, why: whyNot(facts, clientSlot, server) }));
    const good = judged.filter((one) => one.why === undefined).map(({ server }) => server);
    possible.push(...good.map((server) => choice(clientSlot, server)));
    const asked = facts.wanted.scsi.find((one) => one.clientSlot === clientSlot);
    if (asked) {
      const answer = honour(asked, judged);
      if (typeof answer === "string") refused.push({ clientSlot, why: answer });
      else fixed.push({ ...choice(clientSlot, answer), why: "it was asked for", viosSlot: asked.viosSlot ?? null });
    } else if (good.length === 0) impossible.push({ clientSlot, why: judged.length === 0 ? "no Virtual I/O Server runs there" : judged.map((one) => one.why).join("; "), details: detailsOf(facts, clientSlot, servers) });
    else open.set(clientSlot, good);
  }
  for (const { clientSlot } of facts.wanted.scsi.filter((one) => !slots.includes(one.clientSlot))) refused.push({ clientSlot, why: "the partition has no virtual SCSI adapter with storage in that slot" });
  const taken = new Map(fixed.map((one) => [beforeOf(one.clientSlot), one.viosLparId]));
  const chosen = spread(groupsOf(open, beforeOf), taken, nameBefore, facts.wanted.levels.redundantVios === 0);
  const suggested = [...fixed, ...chosen].sort((a, b) => a.clientSlot - b.clientSlot);
  return { possible, suggested, impossible, refused, ...broken(suggested, beforeOf, nameBefore) };
}

const choice = (clientSlot: number, server: Server): ScsiChoice => ({ clientSlot, viosLparId: server.id, viosName: server.name });

function serversOf(facts: MobilityFacts): Server[] {
  return facts.destination.lpars
    .filter((lpar) => lpar.definition.environment === "vioserver" && lpar.state === "running")
    .map((lpar) => ({ id: lpar.lparId, name: lpar.definition.name, adapters: (lpar.definition.current?.scsi ?? []).length }));
}

/** The server that an operator names, or why it can not be. */
function honour(asked: WantedScsi, judged: readonly { readonly server: Server; readonly why: string | undefined }[]): Server | string {
  const found = judged.find(({ server }) => (asked.viosLparId === undefined || server.id === asked.viosLparId) && (asked.viosName === undefined || asked.viosName === "" || server.name === asked.viosName));
  if (!found) return `the destination has no running Virtual I/O Server ${asked.viosName || `with ID ${asked.viosLparId}`}`;
  return found.why ?? found.server;
}

function whyNot(facts: MobilityFacts, clientSlot: number, server: Server): string | undefined {
  for (const mapping of facts.lpar.storage.filter((one) => one.clientSlot === clientSlot)) {
    const why = whyNotLun(facts.luns?.find((one) => one.viosLparId === server.id && one.lun === mapping.lun), mapping.lun, mapping.lunBytes, server.name);
    if (why !== undefined) return why;
  }
  return undefined;
}
function whyNotLun(seen: LunFact | undefined, lun: string, bytes: number, vios: string): string | undefined {
  if (!seen || !seen.visible) return `${vios} does not see LUN ${lun}${seen?.detail ? ` (${seen.detail})` : ""}`;
  if (seen.reservedBy != null) return `LUN ${lun} is reserved on ${vios} (by ${seen.reservedBy})`;
  if (seen.bytes !== null && seen.bytes !== bytes) return `${vios} sees LUN ${lun} with ${seen.bytes} bytes, the source with ${bytes}`;
  if (seen.inUse) return `LUN ${lun} is in use on ${vios}${seen.detail ? ` (${seen.detail})` : ""}`;
  return undefined;
}
/** The answers of the servers, for people who look closer. */
function detailsOf(facts: MobilityFacts, clientSlot: number, servers: readonly Server[]): string[] {
  return servers.flatMap((server) =>
    facts.lpar.storage
      .filter((mapping) => mapping.clientSlot === clientSlot)
      .map(({ lun }) => {
        const seen = facts.luns?.find((one) => one.viosLparId === server.id && one.lun === lun);
        return `${server.name}: ${lun}: ${seen ? `visible=${seen.visible ? 1 : 0} bytes=${seen.bytes ?? "?"} in_use=${seen.inUse ? 1 : 0}${seen.reservedBy == null ? "" : " reserved=1"} ${seen.detail}`.trimEnd() : "not asked"}`;
      }),
  );
}

/** Adapters of one server of the source; one that has no server for all of them is taken apart. */
function groupsOf(open: ReadonlyMap<number, readonly Server[]>, beforeOf: (slot: number) => number): Group[] {
  const slots = [...open.keys()];
  return [...new Set(slots.map(beforeOf))].flatMap((before): Group[] => {
    const mine = slots.filter((slot) => beforeOf(slot) === before);
    const common = open.get(mine[0]!)!.filter((server) => mine.every((slot) => open.get(slot)!.some((one) => one.id === server.id)));
    return common.length > 0 ? [{ slots: mine, before, servers: common }] : mine.map((slot) => ({ slots: [slot], before, servers: open.get(slot)! }));
  });
}

/** One server for each group: as few groups of different servers on one as there can be, then as each group prefers. `taken`: where asked adapters of a group are. */
function spread(groups: readonly Group[], taken: ReadonlyMap<number, number>, nameBefore: (id: number) => string, mergingIsFine: boolean): SuggestedScsi[] {
  let looks = 0;
  let best: { readonly cost: number; readonly servers: readonly Server[] } | undefined;
  const costOf = (group: Group, server: Server, used: ReadonlyMap<number, number>): number => {
    const strangers = [...used].some(([before, id]) => before !== group.before && id === server.id);
    const together = used.get(group.before);
    return (strangers && !mergingIsFine ? MERGE_COST : 0) + (together !== undefined && together !== server.id ? MERGE_COST / 10 : 0) + preference(group, server, nameBefore);
  };
  const place = (at: number, cost: number, used: ReadonlyMap<number, number>, servers: readonly Server[]): void => {
    if (looks++ > LOOKS_MAX || (best && cost >= best.cost)) return;
    const group = groups[at];
    if (!group) {
      best = { cost, servers };
      return;
    }
    const priced = group.servers.map((server) => ({ server, price: costOf(group, server, used) })).sort((a, b) => a.price - b.price || a.server.adapters - b.server.adapters || a.server.id - b.server.id);
    for (const { server, price } of priced) place(at + 1, cost + price, new Map([...used, [group.before, server.id]]), [...servers, server]);
  };
  place(0, 0, taken, []);
  return groups.flatMap((group, at) => {
    const server = best!.servers[at]!;
    return group.slots.map((clientSlot) => ({ ...choice(clientSlot, server), why: PREFER[preference(group, server, nameBefore)]!, viosSlot: null }));
  });
}
/** 0 the best; position in PREFER */
function preference(group: Group, server: Server, nameBefore: (id: number) => string): number {
  if (server.name === nameBefore(group.before)) return 0;
  return server.id === group.before ? 1 : 2;
}

/** The two cases of HSCLA340. */
function broken(suggested: readonly SuggestedScsi[], beforeOf: (slot: number) => number, nameBefore: (id: number) => string): Pick<StoragePlan, "merged" | "split"> {
  const unique = <T>(list: readonly T[]): T[] => [...new Set(list)];
  const merged = unique(suggested.map((one) => one.viosLparId)).flatMap((id) => {
    const here = suggested.filter((one) => one.viosLparId === id);
    const before = unique(here.map((one) => beforeOf(one.clientSlot)));
    return before.length > 1 ? [{ before: before.map(nameBefore), after: here[0]!.viosName }] : [];
  });
  const split = unique(suggested.map((one) => beforeOf(one.clientSlot))).flatMap((before) => {
    const after = unique(suggested.filter((one) => beforeOf(one.clientSlot) === before).map((one) => one.viosName));
    return after.length > 1 ? [{ before: nameBefore(before), after }] : [];
  });
  return { merged, split };
}
