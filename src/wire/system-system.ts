/** What two managed systems say to each other about one migration. The hand-over is between them alone: a console is told, not asked. */
import { z } from "zod";
import { Generation, MigrationId } from "../model/ids.js";
import { SideFacts } from "../model/migration.js";

/** `undecided`: the destination neither owns nor has declined yet. */
export const HandoverOutcome = z.enum(["owned", "declined", "undecided"]);
export type HandoverOutcome = z.infer<typeof HandoverOutcome>;

export const systemSystem = {
  name: "system-system",
  methods: {
    /** a part of the partition's console log, before the hand-over; `offset` counts from the log's beginning so that a repeat does no harm */
    "handover.consoleLog": { params: z.object({ id: MigrationId, offset: z.number().int(), data: z.string() }), result: z.object({}) },
    /**
     * The source has given the partition away, durably. Answered when the destination has decided, also when asked again.
     * `reason`: why it was declined. `stoppedForMs`: how long the partition had been stopped when this was sent.
     */
    "handover.released": {
      params: z.object({ id: MigrationId, generation: Generation, stoppedForMs: z.number(), consoleLogOffset: z.number().int(), consoleLogTail: z.string() }),
      result: z.object({ outcome: HandoverOutcome, stoppedMs: z.number().nullable(), reason: z.string() }),
    },
    /**
     * Before the release: the source lost the pair of movers, has ended the copy through it, and wants the second one. The destination ends the process that saw the
     * broken stream, starts another that waits for the state from its beginning, and opens the second pair's mover. Asked again it gives the same answer.
     * @throws wrong-state when it is undone here, or decided
     */
    "handover.secondPair": {
      params: z.object({ id: MigrationId, generation: Generation, reason: z.string() }),
      result: z.object({ ticket: z.string(), peer: z.object({ host: z.string(), port: z.number().int(), name: z.string() }) }),
    },
    /** asks without telling: what the other side finds about a migration; for recovery */
    "handover.facts": { params: z.object({ id: MigrationId, role: z.enum(["source", "destination"]) }), result: SideFacts },
  },
  events: {},
} as const;
export type SystemSystem = typeof systemSystem;
