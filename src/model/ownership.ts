/**
 * Who may run a partition. One record per partition and system, written durably before the system acts on it.
 *
 *   source                                       destination
 *   owner(g)                                     reserved(g+1, m)
 *   released(g+1, m)   -- given away ----------> (complete state) -> owner(g+1)   or   declined(g+1, m)
 *   gone(g+1, m)       <- owned ---------------                                        |
 *   owner(g+2)         <- declined ----------------------------------------------------+
 *
 * Before `released` the source decides alone; after it the destination decides alone. The transitions are pure and total; an
 * illegal event is refused, never coerced. Rule: design section 2, lpm-process 8.3.
 */
import type { Generation } from "./ids.js";

export type Ownership =
  | { readonly kind: "absent" }
  | { readonly kind: "owner"; readonly generation: Generation; readonly migrationId: null }
  | { readonly kind: "reserved"; readonly generation: Generation; readonly migrationId: string }
  | { readonly kind: "released"; readonly generation: Generation; readonly migrationId: string }
  | { readonly kind: "declined"; readonly generation: Generation; readonly migrationId: string }
  | { readonly kind: "gone"; readonly generation: Generation; readonly migrationId: string };

export type OwnershipEvent =
  | { readonly type: "create" } // a new partition is defined here
  | { readonly type: "remove" } // the partition is deleted by an operator
  | { readonly type: "reserve"; readonly generation: Generation; readonly migrationId: string } // destination: prepared
  | { readonly type: "abandon"; readonly migrationId: string } // destination: prepared, never handed over, undone
  | { readonly type: "release"; readonly migrationId: string } // source: hand-over
  | { readonly type: "own"; readonly migrationId: string } // destination: complete state, runs from here on
  | { readonly type: "decline"; readonly migrationId: string } // destination: never will
  | { readonly type: "learn-owned"; readonly migrationId: string } // source heard that the destination owns it
  | { readonly type: "learn-declined"; readonly migrationId: string } // source heard that the destination never will
  | { readonly type: "forget"; readonly migrationId: string }; // record no longer needed: gone (source) or declined (destination)

export type OwnershipStep = { readonly ok: true; readonly next: Ownership; readonly changed: boolean } | { readonly ok: false; readonly why: string };

const to = (next: Ownership): OwnershipStep => ({ ok: true, next, changed: true });
const same = (now: Ownership): OwnershipStep => ({ ok: true, next: now, changed: false });
const ABSENT: Ownership = { kind: "absent" };
const after = (generation: number): Generation => (generation + 1) as Generation;

/** The only way an ownership record changes. The same event for the same migration twice is accepted and changes nothing. */
export function ownershipStep(now: Ownership, event: OwnershipEvent): OwnershipStep {
  const refuse = (): OwnershipStep => ({ ok: false, why: `${event.type} is not possible when the record says ${now.kind}${"generation" in now ? ` (generation ${now.generation})` : ""}` });
  const mine = "migrationId" in event && now.kind !== "absent" && now.migrationId === event.migrationId;
  switch (event.type) {
    case "create":
      return now.kind === "absent" ? to({ kind: "owner", generation: 1 as Generation, migrationId: null }) : refuse();
    case "remove":
      return now.kind === "owner" ? to(ABSENT) : now.kind === "absent" ? same(now) : refuse();
    case "reserve": {
      if (now.kind === "reserved" && mine && now.generation === event.generation) return same(now);
      // A partition that was here before left a `gone` or `declined` record; a newer generation may come in.
      if (now.kind === "absent" || ((now.kind === "gone" || now.kind === "declined") && now.generation < event.generation)) return to({ kind: "reserved", generation: event.generation, migrationId: event.migrationId });
      return refuse();
    }
    case "abandon":
      return now.kind === "reserved" && mine ? to(ABSENT) : now.kind === "absent" ? same(now) : refuse();
    case "release":
      if (now.kind === "released" && mine) return same(now);
      return now.kind === "owner" ? to({ kind: "released", generation: after(now.generation), migrationId: event.migrationId }) : refuse();
    case "own":
      return now.kind === "reserved" && mine ? to({ kind: "owner", generation: now.generation, migrationId: null }) : refuse();
    case "decline":
      if (now.kind === "declined" && mine) return same(now);
      return now.kind === "reserved" && mine ? to({ kind: "declined", generation: now.generation, migrationId: event.migrationId }) : refuse();
    case "learn-owned":
      if (now.kind === "gone" && mine) return same(now);
      return now.kind === "released" && mine ? to({ kind: "gone", generation: now.generation, migrationId: event.migrationId }) : refuse();
    case "learn-declined":
      return now.kind === "released" && mine ? to({ kind: "owner", generation: after(now.generation), migrationId: null }) : refuse();
    case "forget":
      return (now.kind === "gone" || now.kind === "declined") && mine ? to(ABSENT) : now.kind === "absent" ? same(now) : refuse();
  }
}

/** Only an owner may let a partition's processors run or its storage be written. */
export const mayRun = (ownership: Ownership): boolean => ownership.kind === "owner";
