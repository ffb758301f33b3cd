/**
 * A console whose two systems are those of given facts and whose validation is the real one over them: a command line is judged by the rules, without a process.
 * A migration takes the partition from one system to the other; one whose description is `fail` fails after it has begun. Tests only.
 */
import type { MigrationRecord } from "../model/migration.js";
import type { MobilityFacts } from "../mobility/facts.js";
import { kindOf, validate } from "../mobility/plan.js";
import type { MigrationResult, MobilityRequest } from "../console/contract.js";
import { wantedOf } from "../console/mobility/facts.js";
import { fakeConsole, fakeSystems, type FakeConsole, type FakeSystem } from "./fake-console.js";
import { migrationRecord } from "./migration-record.js";
import { parsedFacts, type LooseFacts } from "./mobility-facts.js";

export interface FactsConsole extends FakeConsole {
  /** most migrations that went on at once */
  mostAtOnce(): number;
  /** `SYSTEM METHOD PARAMS` of each change */
  changes(): string[];
}

export function factsConsole(loose: LooseFacts): FactsConsole {
  const facts = parsedFacts(loose);
  const systems = fakeSystems();
  for (const [system, side] of [[systems[0], facts.source], [systems[1], facts.destination]] as const) Object.assign(system, { name: side.view.name, view: side.view, lpars: [...side.lpars], connected: side.connected });
  const console = fakeConsole(systems);
  let [now, most] = [0, 0];
  const judge = (request: MobilityRequest): ReturnType<typeof validate> => {
    const lpar = request.source.lpars().find((one) => one.lparId === request.lparId)!;
    const mine = lpar.lparId === facts.lpar.lparId;
    const all: MobilityFacts = { ...facts, lpar: mine ? { ...facts.lpar, ...lpar } : lpar, wanted: wantedOf(request), record: mine ? (facts.record ?? null) : null };
    return validate({ ...all, guest: kindOf(all) === "active" ? facts.guest : null });
  };
  const migrate = async (request: MobilityRequest, begun: (record: MigrationRecord) => void): Promise<MigrationResult> => {
    const found = judge(request);
    if (found.plan === null) return { ok: false, findings: found.findings, record: null, notes: found.notes };
    const [source, destination] = [find(systems, request.source.name), find(systems, request.destination.name)];
    const lpar = source.lpars.find((one) => one.lparId === request.lparId)!;
    console.moves.push(`migrate ${request.lparId}`);
    const record = recordOf(lpar.definition.name, source.name, destination.name, request.lparId);
    most = Math.max(most, ++now);
    begun(record);
    // The others begin before this one ends.
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    now--;
    if (lpar.definition.settings.description === "fail") return { ok: false, findings: [{ severity: "error", hsc: "HSCLA2CF", message: "The partition migration has been stopped unexpectedly.", action: "Try again." }], record };
    source.lpars = source.lpars.filter((one) => one !== lpar);
    destination.lpars.push(lpar);
    return { ok: true, findings: found.findings, record: null, notes: found.notes };
  };
  Object.assign(console.context.mobility, {
    validate: async (request: MobilityRequest) => {
      const found = judge(request);
      return { findings: found.findings, type: found.kind, possibleScsi: found.possibleScsi, suggestedScsi: found.suggestedScsi, possibleFc: found.possibleFc, suggestedFc: found.suggestedFc, possibleMsps: found.pairs, notes: found.notes };
    },
    migrate: (request: MobilityRequest, watch: { readonly onProgress: (record: MigrationRecord) => void }) => migrate(request, watch.onProgress),
  });
  return { ...console, mostAtOnce: () => most, changes: () => systems.flatMap((system) => system.changes.map(({ method, params }) => `${system.name} ${method} ${JSON.stringify(params)}`)) };
}

const find = (systems: readonly FakeSystem[], name: string): FakeSystem => systems.find((one) => one.name === name)!;

function recordOf(lparName: string, source: string, destination: string, lparId: number): MigrationRecord {
  const end = (system: string) => ({ system, lparId, mspLparId: null, mspName: null, mspAddress: null });
  return migrationRecord({ id: `00000000-0000-4000-8000-${String(lparId).padStart(12, "0")}`, lparName, source: end(source), destination: end(destination), phase: "copy" });
}
