/** Gathers what the rules of mobility look at: from the console's cache where it is fresh by events, and by asking the two systems where only they can know. */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { LparId, Wwpn } from "../../model/ids.js";
import type { MobilityFacts, SystemFacts } from "../../mobility/facts.js";
import { fcAdapters } from "../../mobility/fibre-channel.js";
import { moverPairs } from "../../mobility/movers.js";
import { kindOf, validate } from "../../mobility/plan.js";
import type { ManagedSystem, MobilityRequest } from "../contract.js";

const PROBE_MS_MAX = 20_000;
/** The operating system's scripts get the operator's wait time (hmc-cli 2.3, `-w`), 3 minutes when nothing was said. */
const WAIT_MINUTES_DEFAULT = 3;

export const waitMs = (request: MobilityRequest): number => (request.options.waitMinutes === 0 ? Infinity : (request.options.waitMinutes ?? WAIT_MINUTES_DEFAULT) * 60_000);

function systemFacts(system: ManagedSystem): SystemFacts {
  if (system.view === null) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237", action: "Check that its host and its openlpm system process run.", retryable: true });
  return { view: system.view, connected: system.connected, lpars: system.lpars() };
}

export async function gatherFacts(request: MobilityRequest, lpar: LparView, signal: AbortSignal): Promise<MobilityFacts> {
  const { source, destination, options } = request;
  const luns = [...new Set(lpar.storage.map((mapping) => mapping.lun))];
  const current = lpar.definition.current ?? lpar.definition.profiles.find((profile) => profile.name === lpar.definition.defaultProfile)?.resources;
  const base = {
    source: systemFacts(source),
    destination: systemFacts(destination),
    lpar,
    wanted: { destLparId: options.destLparId ?? null, sourceMsp: options.sourceMsp ?? null, destMsp: options.destMsp ?? null, scsi: options.scsiMappings ?? [], fc: options.fcMappings ?? [] },
  };
  const active = kindOf(base) === "active" && lpar.state === "running";
  const [found, fits, movers, fc] = await Promise.all([
    luns.length === 0 ? [] : destination.client.call("migration.probeStorage", { luns }, { signal, deadlineMs: PROBE_MS_MAX }).then((answer) => answer.found),
    current === undefined ? null : destination.client.call("system.fits", { resources: current }, { signal }),
    active ? probeMovers(base, source, destination, signal) : null,
    probeFc(lpar, source, destination, signal),
  ]);
  const facts = { ...base, luns: found, fc, fits, guest: null, movers };
  // Scripts of the operating system may take minutes and touch applications: they are asked last, and only for a move that everything else allows.
  if (!active || validate(facts).plan === null) return facts;
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

/** A real connection between the movers that the plan would use. */
async function probeMovers(base: Pick<MobilityFacts, "source" | "destination" | "wanted">, source: ManagedSystem, destination: ManagedSystem, signal: AbortSignal): Promise<{ reachable: boolean; detail: string } | null> {
  const pair = moverPairs(base)[0];
  if (!pair) return null;
  try {
    const peer = await destination.client.call("migration.moverAddress", { mspLparId: pair.destMspLparId as LparId }, { signal });
    return await source.client.call("migration.probeMover", { mspLparId: pair.sourceMspLparId as LparId, peer }, { signal, deadlineMs: PROBE_MS_MAX });
  } catch (error) {
    return { reachable: false, detail: toOlpmError(error, "asking the movers").message };
  }
}
