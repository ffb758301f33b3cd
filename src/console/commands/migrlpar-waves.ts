/**
 * Several partitions in one `migrlpar -o m`: as many at once as systems and movers allow, the rest wait for a place. They begin one after another, so that each is
 * checked beside what the ones before it have taken; then their copies go on beside each other. One report at the end.
 */
import type { LparView } from "../../model/lpar.js";
import { toOlpmError } from "../../kit/errors.js";
import type { Finding, ManagedSystem, MigrationResult } from "../contract.js";

export interface Moved {
  readonly lpar: LparView;
  readonly result: MigrationResult;
}
export interface WaveOptions {
  readonly source: ManagedSystem;
  readonly destination: ManagedSystem;
  /** calls `begun` when validation is over and the migration has begun */
  readonly migrate: (lpar: LparView, begun: () => void) => Promise<MigrationResult>;
  readonly onEnded: (moved: Moved) => void;
  readonly signal: AbortSignal;
}

/**
 * Findings that are over when another migration ends: then the partition is tried again. The validation may miss a place that one of ours is just about to take;
 * then the system or its mover says so, and the move has been undone.
 */
const FULL = ["OLPM-VG12", "OLPM-VG13", "OLPM-VM05"];
const isFull = ({ ok, findings }: MigrationResult): boolean => !ok && findings.some((one) => one.severity === "error") && findings.every((one) => one.severity !== "error" || FULL.includes(one.hsc));
const isActive = (lpar: LparView): boolean => lpar.state !== "not-activated";

/** In the order of `lpars`. */
export async function moveAll(lpars: readonly LparView[], options: WaveOptions): Promise<Moved[]> {
  const places = await placesOf(options);
  const ended: Moved[] = [];
  const running = new Map<Promise<unknown>, LparView>();
  const waiting = [...lpars];
  const busy = (active: boolean) => [...running.values()].filter((one) => isActive(one) === active).length;
  while (waiting.length > 0 || running.size > 0) {
    const at = options.signal.aborted ? (waiting.length > 0 ? 0 : -1) : waiting.findIndex((lpar) => busy(isActive(lpar)) < (isActive(lpar) ? places.active : places.inactive));
    if (at < 0) {
      await Promise.race(running.keys());
      continue;
    }
    const [lpar] = waiting.splice(at, 1);
    let begun!: () => void;
    const began = new Promise<void>((resolve) => (begun = resolve));
    const work: Promise<void> = one(lpar!, options, begun).then((result) => {
      running.delete(work);
      // Somebody else's migration took the place; ours that ends makes one, and so may theirs.
      if (isFull(result) && running.size > 0 && !options.signal.aborted) return void waiting.push(lpar!);
      ended.push({ lpar: lpar!, result });
      options.onEnded({ lpar: lpar!, result });
    });
    running.set(work, lpar!);
    await Promise.race([began, work]);
    // A place that somebody else took: wait for one of ours before the next try.
    if (waiting.at(-1) === lpar && running.size > 0) await Promise.race(running.keys());
  }
  return lpars.map((lpar) => ended.find((one) => one.lpar === lpar)!);
}

async function one(lpar: LparView, options: WaveOptions, begun: () => void): Promise<MigrationResult> {
  try {
    return await options.migrate(lpar, begun);
  } catch (thrown) {
    const error = toOlpmError(thrown, `migrating ${lpar.definition.name}`);
    const finding: Finding = { severity: "error", hsc: error.hsc ?? "HSCLA2CF", message: error.message, action: error.action ?? "" };
    return { ok: false, findings: [finding], record: null };
  }
}

/** How many may go on at once now; at least one, which then says what is in its way. */
async function placesOf({ source, destination, signal }: WaveOptions): Promise<{ readonly active: number; readonly inactive: number }> {
  const systems = [source, destination];
  const movers = await Promise.all(systems.map(async (system) => (await system.client.call("migration.movers", {}, { signal })).movers.reduce((sum, { configured, inProgress }) => sum + Math.max(0, configured - inProgress), 0)));
  const left = (which: (system: NonNullable<ManagedSystem["view"]>["migration"]) => number) => systems.map((system) => (system.view ? which(system.view.migration) : 1));
  return { active: Math.max(1, Math.min(...movers, ...left((one) => one.activeMax - one.activeNow))), inactive: Math.max(1, Math.min(...left((one) => one.inactiveMax - one.inactiveNow))) };
}
