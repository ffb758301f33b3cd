/** What two mover service partitions say to each other about one migration, over mutual TLS; the state itself goes over a channel of its own (docs/mover.md). */
import { z } from "zod";
import { MigrationId } from "../model/ids.js";
import { MoverWay } from "../model/migration.js";

/** A peer with another version is refused in words; there is one version so far. */
export const MOVER_VERSION = 1;
/** Label of the TLS exporter that gives the channel's keys; the migration's id is the context (RFC 8446 section 7.5). */
export const EXPORTER_LABEL = "EXPORTER-openlpm-mover";
export const KEY_BYTES = 32;

/** Largest burst of a measurement. */
export const SINK_BYTES_MAX = 4 << 20;

export const moverMover = {
  name: "mover-mover",
  methods: {
    /** source -> destination: shows the ticket, learns where the channel's listener is, and which of the offered ways it is. The ticket is used up by the answer. */
    "mover.offer": { params: z.object({ version: z.number().int(), id: MigrationId, ticket: z.string().min(16).max(128), ways: z.array(MoverWay).default(["sealed"]) }), result: z.object({ port: z.number().int(), way: MoverWay.default("sealed") }) },
    /** takes a burst and does nothing with it: the sender measures the link */
    "mover.sink": { params: z.object({ data: z.string().max(SINK_BYTES_MAX) }), result: z.object({}) },
    /** who is there */
    "mover.hello": { params: z.object({ version: z.number().int() }), result: z.object({ version: z.number().int() }) },
  },
  events: {
    /** how the other end's channel ended, so that both sides say the same */
    "mover.ended": z.object({ id: MigrationId, state: z.enum(["finished", "failed"]), detail: z.string() }),
  },
} as const;
export type MoverMover = typeof moverMover;
