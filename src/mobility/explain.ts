/** What a validation saw and chose, in words for people who ask with -d (lpm-process 4.13): 1 the plan, 3 what was asked of whom, 5 every answer. Pure. */
import { bytesToMb } from "../model/units.js";
import type { MobilityFacts, MspPair } from "./facts.js";
import { movingProfile } from "./definition.js";
import { wantsSecond } from "./movers.js";
import { predictionText } from "./predict.js";
import type { Note, Validation } from "./validation.js";

export function explain(facts: MobilityFacts, found: Pick<Validation, "kind" | "suggestedScsi" | "possibleScsi" | "pairs" | "plan" | "prediction">): Note[] {
  const { definition, storage } = facts.lpar;
  const notes: Note[] = [];
  const say = (level: number, text: string) => void notes.push({ level, text });
  say(1, `${found.kind} migration of partition ${definition.name} (${facts.lpar.lparId}) from ${facts.source.view.name} to ${facts.destination.view.name}`);
  say(1, `partition ID there: ${idThere(facts)}`);
  say(1, `profile written anew: ${movingProfile(definition, facts.wanted)}`);
  for (const one of found.suggestedScsi) say(1, `virtual SCSI adapter ${one.clientSlot} will be served by ${one.viosName} (${one.viosLparId}): ${one.why}`);
  if (found.plan?.movers) {
    const { movers } = found.plan;
    const pairText = (pair: MspPair) => `${pair.sourceMspName} (${pair.sourceMspLparId}, ${pair.sourceMspAddress}) to ${pair.destMspName} (${pair.destMspLparId}, ${pair.destMspAddress})`;
    say(1, `movers: ${pairText(movers)}`);
    if (found.plan.redundant) say(1, `second pair of movers, should that one be lost: ${pairText(found.plan.redundant)}`);
    // Who asks for it in so many words is told also without -d (lpm-process 4.16, case 22).
    else say(facts.wanted.levels.redundantMsps === 2 ? 0 : 1, `no second pair of movers: ${!wantsSecond(facts.wanted) ? "not asked for" : (facts.movers?.secondDetail ?? "on each system it takes two running mover service partitions that are below their limit")}`);
  }
  if (found.prediction) say(1, predictionText(found.prediction));
  for (const one of found.possibleScsi) say(3, `virtual SCSI adapter ${one.clientSlot} could be served by ${one.viosName} (${one.viosLparId})`);
  for (const pair of found.pairs) say(3, `movers that could be used: ${pair.sourceMspName} to ${pair.destMspName}`);
  if (facts.movers) say(3, `test connection between the movers: ${facts.movers.reachable ? "made" : facts.movers.detail}`);
  if (facts.fits) say(3, `memory fits: ${facts.fits.memory ? "yes" : "no"}; processors fit: ${facts.fits.processors ? "yes" : "no"}; ${bytesToMb(facts.destination.view.memory.availableBytes)} MB free`);
  if (facts.guest) say(3, `operating system: ${facts.guest.answered ? (facts.guest.agreed ? "ready" : "refuses") : "no answer"}${facts.guest.detail ? ` (${facts.guest.detail})` : ""}`);
  for (const one of facts.luns ?? []) say(5, `LUN ${one.lun} on ${viosName(facts.destination, one.viosLparId)}: ${one.visible ? `${one.bytes ?? "unknown"} bytes` : "not visible"}${one.inUse ? ", in use" : ""}${one.reservedBy == null ? "" : `, reserved by ${one.reservedBy}`} (${one.detail})`);
  for (const mapping of storage) say(5, `LUN ${mapping.lun} on ${viosName(facts.source, mapping.viosLparId)}: target device ${mapping.vtd}, server slot ${mapping.viosSlot}, ${mapping.lunBytes} bytes`);
  for (const [where, system] of [["source", facts.source], ["destination", facts.destination]] as const) for (const mover of system.movers ?? []) say(5, `mover ${viosName(system, mover.lparId)} of the ${where}: ${mover.inProgress} of ${mover.max} migrations`);
  if (facts.clockAheadMs != null) say(5, `the destination's clock is ${facts.clockAheadMs} ms ahead`);
  return notes;
}

/** The one that is asked for, the same when it is free, else the lowest free one; as the destination gives it (system/migration/placement.ts). */
function idThere({ wanted, destination, lpar }: MobilityFacts): number {
  const taken = new Set<number>(destination.lpars.map((one) => one.lparId));
  let id: number = wanted.destLparId ?? lpar.lparId;
  if (wanted.destLparId === null && taken.has(id)) for (id = 1; taken.has(id); ) id++;
  return id;
}

const viosName = (system: MobilityFacts["source"], id: number): string => system.lpars.find((lpar) => lpar.lparId === id)?.definition.name ?? `ID ${id}`;
