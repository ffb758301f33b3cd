/**
 * Fault injection: named points of a migration at which this process waits, so that something can be broken exactly there (docs/reliability.md). Off unless
 * the configuration names a directory (`holdDir`). A file there with the point's name asks for it; who reaches the point writes `POINT.held` beside it
 * and goes on when the first file is gone.
 */
import fs from "node:fs";
import path from "node:path";
import type { Logger } from "../kit/log.js";
import { delay } from "../kit/wait.js";

/** In the order of a migration; docs/reliability.md prints this table. */
export const HOLD_POINTS = {
  reserve: { side: "destination", where: "the partition is locked on the source; the destination has written nothing" },
  reserved: { side: "destination", where: "the destination has written the reservation; nothing is attached" },
  startShell: { side: "destination", where: "the disks are attached behind closed gates; no process waits for the state" },
  openDestinationMover: { side: "destination", where: "an empty process waits for the state; the movers do not know of it" },
  openSourceMover: { side: "source", where: "the destination's mover waits for its peer" },
  prepare: { side: "source", where: "everything on the destination is ready and the movers are paired; the operating system has not been asked to prepare" },
  suspend: { side: "source", where: "the partition is stopped and flushed and its gates are closed; it is not released" },
  handOver: { side: "source", where: "the source has written `released`; the rest of the state is not sent" },
  loaded: { side: "destination", where: "the destination has the complete state; it has written neither `owner` nor `declined`" },
  owned: { side: "destination", where: "the destination has written `owner`; the partition does not run yet" },
  confirm: { side: "destination", where: "the partition runs on the destination; its operating system has not been told" },
  cleanSource: { side: "source", where: "the operating system has been told; the source has removed nothing" },
  finish: { side: "destination", where: "the source has removed everything; the destination's record is open" },
} as const satisfies Readonly<Record<string, { readonly side: "source" | "destination"; readonly where: string }>>;
export type HoldPoint = keyof typeof HOLD_POINTS;

/** Whoever asked for a hold has forgotten it after this long. */
const HOLD_MS_MAX = 60_000;
const LOOK_MS = 5;

export class Holds {
  readonly #dir: string | null;
  readonly #log: Logger;

  constructor(dir: string | null, log: Logger) {
    this.#dir = dir;
    this.#log = log;
    if (dir !== null) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  /** Waits here while it is asked for; at once otherwise. Never throws. */
  async at(point: HoldPoint): Promise<void> {
    if (this.#dir === null) return;
    const request = path.join(this.#dir, point);
    if (!fs.existsSync(request)) return;
    this.#log.warn({ point }, "held here by fault injection");
    fs.writeFileSync(`${request}.held`, "", { mode: 0o600 });
    const end = performance.now() + HOLD_MS_MAX;
    while (fs.existsSync(request) && performance.now() < end) await delay(LOOK_MS);
    fs.rmSync(`${request}.held`, { force: true });
  }
}
