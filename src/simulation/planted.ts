/** Bugs that such a protocol could have, to be planted one by one: the simulation has to find each, or it proves nothing. Each is planted anew for each seed. */
import { Turns } from "../kit/turns.js";
import type { LparId } from "../model/ids.js";
import { ownershipStep } from "../model/ownership.js";
import { decideRecovery, RECOVERY_TABLE, type RecoveryRow, type RecoveryRowName } from "../mobility/recovery.js";
import type { Hypervisor } from "../system/contract.js";
import type { LparRow, MigrationRow } from "../system/store.js";
import type { CallContext, Params } from "../wire/rpc.js";
import type { SystemSystem } from "../wire/system-system.js";
import type { Bugs } from "./bugs.js";

/** The table with one row changed. */
const table = (name: RecoveryRowName, change: Partial<RecoveryRow>): typeof decideRecovery => {
  const row = { ...RECOVERY_TABLE.find((one) => one.name === name)!, ...change };
  return (facts) => (decideRecovery(facts).name === name ? row : decideRecovery(facts));
};
const NO_TURNS = { take: async (_key: string, work: () => unknown) => work() } as unknown as Turns;

/** A release that is acknowledged, and lost by a crash soon after. */
function forgottenRelease(): Bugs {
  const before = new Map<string, { readonly at: number; readonly lpar: LparRow; readonly migration: MigrationRow }>();
  return {
    hypervisor: (real, host) => ({
      ...real,
      own: (lparId, event, change) => {
        if (event.type === "release") before.set(host.name, { at: host.world.now, lpar: real.row(lparId), migration: real.store.migration(event.migrationId)! });
        return real.own(lparId, event, change);
      },
    }),
    onSystemCrash: (host) => {
      const lost = before.get(host.name);
      if (!lost || host.world.now - lost.at > 3_000 || host.row(lost.lpar.lparId)?.ownership.kind !== "released") return;
      host.disk.lpars.set(lost.lpar.lparId, lost.lpar);
      host.disk.migrations.set(lost.migration.record.id, lost.migration);
    },
  };
}

/** An undo on the destination that looks at nothing. */
async function abandonAll(hypervisor: Hypervisor, id: string): Promise<object> {
  const row = hypervisor.store.migration(id);
  if (!row || row.record.endedAt !== null) return {};
  const { lparId } = row.record.destination;
  await hypervisor.endProcess(lparId);
  await hypervisor.closeMover(row.record.destination.mspLparId, row.record.id);
  for (const mapping of hypervisor.store.lpar(lparId)?.storage ?? []) await hypervisor.unmap(mapping);
  hypervisor.store.transaction(() => {
    if (hypervisor.store.lpar(lparId)?.migrationId === id) hypervisor.dropRow(lparId);
    if (hypervisor.store.migration(id)?.record.endedAt !== null) return;
    hypervisor.store.putMigration({ ...row, outcome: "declined", record: { ...row.record, status: "failed", endedAt: hypervisor.clock.date().toISOString() } });
  });
  return {};
}

export const BUGS = {
  "release is not durable": { plant: forgottenRelease },
  "the destination owns before the state is complete": { plant: (): Bugs => ({ loadedEarly: true }) },
  "abandon does not look whether this side is the owner": { plant: (): Bugs => ({ handlers: (hypervisor) => ({ "migration.abandon": ({ id }: { id: string }) => abandonAll(hypervisor, id) }) }) },
  "a restarted source runs a partition that it has released": {
    plant: (): Bugs => ({
      onBoot: async (hypervisor) => {
        for (const row of hypervisor.store.lpars()) if (row.ownership.kind === "released") await (await hypervisor.process(row.lparId as LparId)?.adoptOutgoing(true))?.resumeHere();
      },
    }),
  },
  "a lost reply to the hand-over counts as declined": { plant: (): Bugs => ({ call: (method, result) => (method === "handover.released" ? result.catch(() => ({ outcome: "declined", stoppedMs: null })) : result) }) },
  "the source does not close the gates": { plant: (): Bugs => ({ hypervisor: (real) => ({ ...real, setGates: async (lparId, gate) => (gate === "open" ? real.setGates(lparId, gate) : undefined) }) }) },
  "a declined partition goes on with its old generation": {
    plant: (): Bugs => ({
      ownershipStep: (now, event) => {
        const step = ownershipStep(now, event);
        return event.type === "learn-declined" && step.ok && step.changed && step.next.kind === "owner" ? { ...step, next: { ...step.next, generation: (step.next.generation - 2) as never } } : step;
      },
    }),
  },
  "a source whose destination is silent takes the partition back by itself": { plant: (): Bugs => ({ console: { decide: table("destination-lost", { kind: "act", steps: ["source.takeBack", "source.endFailed"] }) } }) },
  "a reservation is given back only when the console asks": { plant: (): Bugs => ({ parts: { decide: table("give-back", { kind: "wait", steps: [] }) }, console: { decide: table("give-back", { kind: "wait", steps: [] }) } }) },
  "calls of one migration do not take turns": { plant: (): Bugs => ({ parts: { turns: NO_TURNS } }) },
  "a repeated request for the second pair is carried out again": {
    plant: (): Bugs => ({
      handlers: (hypervisor, real) => ({
        "handover.secondPair": async (params: Params<SystemSystem, "handover.secondPair">, context: CallContext) => {
          const record = hypervisor.store.migration(params.id)?.record;
          if (record?.takeOver) await hypervisor.endProcess(record.destination.lparId);
          return real.systemHandlers["handover.secondPair"](params, context);
        },
      }),
    }),
  },
  "the destination logs in to the SAN with the WWPN that the source uses": { plant: (): Bugs => ({ sameName: true }) },
  "what belongs together is not written together": { plant: (): Bugs => ({ piecemeal: true }) },
} as const satisfies Readonly<Record<string, { readonly plant: () => Bugs }>>;
export type BugName = keyof typeof BUGS;
