/** Gathers what the rules of mobility look at: from the console's cache, brought up to date, and by asking the two systems where only they can know. */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { LparId, Wwpn } from "../../model/ids.js";
import type { MobilityFacts, MoverFact, MspPair, SystemFacts } from "../../mobility/facts.js";
import { fcAdapters } from "../../mobility/fibre-channel.js";
import { movingResources } from "../../mobility/definition.js";
import { areDisjoint, choosePairs, moverPairs, secondPairs, wantsSecond } from "../../mobility/movers.js";
import { kindOf, validate } from "../../mobility/plan.js";
import type { ManagedSystem, MobilityRequest } from "../contract.js";

const PROBE_MS_MAX = 20_000;
/** The operating system's scripts get the operator's wait time (hmc-cli 2.3, `-w`), 3 minutes when nothing was said. */
const WAIT_MINUTES_DEFAULT = 3;
/** Pairs of movers that are tried when the best one does not answer. */
const PAIRS_TRIED_MAX = 8;

export const waitMs = (request: MobilityRequest): number => (request.options.waitMinutes === 0 ? Infinity : (request.options.waitMinutes ?? WAIT_MINUTES_DEFAULT) * 60_000);

function systemFacts(system: ManagedSystem, movers: readonly MoverFact[]): SystemFacts {
  if (system.view === null) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237", action: "Check that its host and its openlpm system process run.", retryable: true });
  return { view: system.view, connected: system.connected, lpars: system.lpars(), movers };
}

/** What the request asks for, in the words of the rules. */
export function wantedOf({ options }: MobilityRequest): MobilityFacts["wanted"] {
  return {
    destLparId: options.destLparId ?? null,
    sourceMsp: options.sourceMsp ?? null,
    destMsp: options.destMsp ?? null,
    secondMsps: options.secondMsps ?? null,
    scsi: options.scsiMappings ?? [],
    fc: options.fcMappings ?? [],
    profileName: options.profileName ?? null,
    vswitches: options.vswitchMappings ?? [],
    procPool: options.procPool ?? null,
    levels: options.levels ?? {},
  };
}

export async function gatherFacts(request: MobilityRequest, known: LparView, signal: AbortSignal): Promise<MobilityFacts> {
  const { source, destination, options } = request;
  const both = [source, destination] as const;
  if (options.useCurrentData !== true) await Promise.all(both.map((system) => (system.connected ? system.refresh(signal) : undefined)));
  const lpar = source.lpars().find((one) => one.lparId === known.lparId) ?? known;
  const [[sourceMovers, destinationMovers], records, clockAheadMs] = await Promise.all([Promise.all(both.map((system) => moversOf(system, signal))), recordsOf(source, signal), clockDifference(source, destination, signal)]);
  const base = { source: systemFacts(source, sourceMovers!), destination: systemFacts(destination, destinationMovers!), lpar, wanted: wantedOf(request) };
  const kind = kindOf(base);
  const active = kind === "active" && lpar.state === "running";
  const luns = [...new Set(lpar.storage.map((mapping) => mapping.lun))];
  const moving = movingResources(lpar.definition, { kind, policy: base.source.view.migration.inactiveProfPolicy });
  const probe = (system: ManagedSystem) => system.client.call("migration.probeStorage", { luns }, { signal, deadlineMs: PROBE_MS_MAX }).then((answer) => answer.found);
  const [found, sourceLuns, fits, movers, fc, memory] = await Promise.all([
    luns.length === 0 ? [] : probe(destination),
    // A server of the source that does not answer is a finding of its own (V01); it does not hide the rest.
    luns.length === 0 || !source.connected ? null : probe(source).catch(() => null),
    moving === null ? null : destination.client.call("system.fits", { resources: moving }, { signal }),
    active ? probeMovers(base, source, destination, signal) : null,
    probeFc(lpar, source, destination, signal),
    active && options.listing !== true ? source.client.call("migration.measure", { lparId: lpar.lparId, destination: destination.name }, { signal }).catch(() => null) : null,
  ]);
  const record = records.find((one) => one.id === lpar.migrationId) ?? null;
  const facts: MobilityFacts = { ...base, luns: found, sourceLuns, fc, fits, guest: null, movers, record, clockAheadMs, measured: memory && moving && { ...memory, memoryBytes: moving.memory.desiredBytes, linkBytesPerSecond: movers?.bytesPerSecond ?? null } };
  // Scripts of the operating system may take minutes and touch applications: they are asked last, and only for a move that everything else allows.
  if (!active || options.listing === true || validate(facts).plan === null) return facts;
  return { ...facts, guest: await source.client.call("migration.checkGuest", { lparId: lpar.lparId }, { signal, deadlineMs: waitMs(request) }) };
}

/** Trial logins with both WWPNs of each adapter, each where it would be used. */
async function probeFc(lpar: LparView, source: ManagedSystem, destination: ManagedSystem, signal: AbortSignal): Promise<MobilityFacts["fc"]> {
  const adapters = fcAdapters({ lpar, fc: null });
  if (adapters.length === 0) return [];
  const asked = { signal, deadlineMs: PROBE_MS_MAX };
  const [here, there] = await Promise.all([
    source.client.call("migration.probeFc", { wwpns: adapters.map((one) => one.sourceWwpn as Wwpn), viosLparIds: adapters.map((one) => one.viosLparId as LparId) }, asked),
    destination.client.call("migration.probeFc", { wwpns: adapters.map((one) => one.destinationWwpn as Wwpn), viosLparIds: null }, asked),
  ]);
  return [...here.found.map((one) => ({ ...one, side: "source" as const })), ...there.found.map((one) => ({ ...one, side: "destination" as const }))];
}

async function moversOf(system: ManagedSystem, signal: AbortSignal): Promise<MoverFact[]> {
  if (!system.connected) return [];
  const { movers } = await system.client.call("migration.movers", {}, { signal });
  return movers.map(({ lparId, inProgress, configured }) => ({ lparId, inProgress, max: configured }));
}
const recordsOf = async (system: ManagedSystem, signal: AbortSignal) => (system.connected ? (await system.client.call("migration.list", { history: false }, { signal })).records : []);

/** How far the destination's clock is ahead, by asking both at once and halving the way; null when one can not be asked. */
async function clockDifference(source: ManagedSystem, destination: ManagedSystem, signal: AbortSignal): Promise<number | null> {
  if (!source.connected || !destination.connected) return null;
  const ask = async (system: ManagedSystem) => {
    const began = performance.now();
    const { time } = await system.client.call("system.get", {}, { signal });
    return Date.parse(time) - (began + performance.now()) / 2;
  };
  const [mine, theirs] = await Promise.all([ask(source), ask(destination)]);
  return Math.round(theirs - mine);
}

/**
 * A real connection between the movers that the plan would use: the best pair alone, so that what it carries is measured, then the others at once, when it does
 * not answer or a second pair is wanted.
 */
export async function probeMovers(base: Pick<MobilityFacts, "source" | "destination" | "wanted">, source: ManagedSystem, destination: ManagedSystem, signal: AbortSignal): Promise<MobilityFacts["movers"]> {
  const firsts = moverPairs(base).slice(0, PAIRS_TRIED_MAX);
  const [best] = firsts;
  if (!best) return null;
  const seconds = wantsSecond(base.wanted) ? secondPairs(base).filter((one) => firsts.some((first) => areDisjoint(first, one))).slice(0, PAIRS_TRIED_MAX) : [];
  const answers = new Map([[keyOf(best), await probePair(best, source, destination, signal)]]);
  const first = answers.get(keyOf(best))!;
  const others = first.reachable && seconds.length === 0 ? [] : [...new Map([...firsts, ...seconds].map((pair) => [keyOf(pair), pair])).values()].filter((pair) => !answers.has(keyOf(pair)));
  await Promise.all(others.map(async (pair) => answers.set(keyOf(pair), await probePair(pair, source, destination, signal))));
  // Where the best pair answered and no second one is possible, the others were not asked.
  const reached = (pair: MspPair) => answers.get(keyOf(pair))?.reachable ?? false;
  const chosen = choosePairs(firsts.filter(reached), seconds.filter(reached));
  if (!chosen) return first;
  const failed = seconds.find((one) => areDisjoint(chosen.pair, one));
  return { ...answers.get(keyOf(chosen.pair))!, ...chosen, ...(chosen.second || !failed ? {} : { secondDetail: `${failed.sourceMspName} to ${failed.destMspName}: ${answers.get(keyOf(failed))!.detail}` }) };
}
const keyOf = ({ sourceMspLparId, destMspLparId }: MspPair): string => `${sourceMspLparId}/${destMspLparId}`;
async function probePair(pair: MspPair, source: ManagedSystem, destination: ManagedSystem, signal: AbortSignal): Promise<NonNullable<MobilityFacts["movers"]>> {
  try {
    const peer = await destination.client.call("migration.moverAddress", { mspLparId: pair.destMspLparId as LparId }, { signal });
    return await source.client.call("migration.probeMover", { mspLparId: pair.sourceMspLparId as LparId, peer, measure: true }, { signal, deadlineMs: PROBE_MS_MAX });
  } catch (error) {
    return { reachable: false, detail: toOlpmError(error, "asking the movers").message };
  }
}
