/** A migration's progress for people: one line redrawn on a terminal, plain lines where there is none. */
import { MIGRATION_PHASES, type MigrationPhase, type MigrationRecord } from "../../model/migration.js";
import type { CommandIo } from "../contract.js";

const DRAW_EVERY_MS = 200;
const LINE_EVERY_MS = 1_000;
const PHASE_TEXT: Readonly<Record<MigrationPhase, string>> = {
  validate: "validating",
  prepare: "preparing",
  copy: "copying memory",
  suspend: "suspending",
  handOver: "handing over",
  resume: "resuming on the destination",
  confirm: "running on the destination, cleaning up",
  done: "done",
};
const size = (bytes: number): string => (bytes >= 1 << 30 ? `${(bytes / (1 << 30)).toFixed(2)} GiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`);

/** One record as text: partition, phase, percent of memory sent or found empty, round, bytes, rate, time remaining. Pure. */
export function progressText(record: MigrationRecord): string {
  const { progress, phase, status, lparName } = record;
  const words = [status === "undoing" ? "failed, undoing" : status === "undecided" ? "waiting for the destination's decision" : PHASE_TEXT[phase]];
  if (phase === "copy" && progress.bytesTotal > 0) {
    const percent = Math.min(100, Math.max(0, Math.round(100 * (1 - progress.bytesRemaining / progress.bytesTotal))));
    words.push(`${percent}%`, `round ${Math.max(1, progress.rounds)}`, `${size(progress.bytesSent)} sent, ${size(progress.bytesRemaining)} of ${size(progress.bytesTotal)} left`);
    if (progress.throttlePercent > 0) words.push(`slowed down by ${progress.throttlePercent}%`);
    if (progress.rate > 0) words.push(`${size(progress.rate)}/s`);
    if (progress.msRemainingEstimate !== null) words.push(`about ${(progress.msRemainingEstimate / 1000).toFixed(1)} s left`);
  }
  return `${lparName}: ${words.join(", ")}`;
}

/** What was carried, when the destination runs the partition: a short copy is over before its first numbers are due. Pure. */
export function carriedText({ progress, phaseStartedAt, lparName, stoppedMs }: MigrationRecord): string {
  const [from, to] = [phaseStartedAt.copy, phaseStartedAt.suspend];
  const seconds = from !== undefined && to !== undefined ? (Date.parse(to) - Date.parse(from)) / 1000 : 0;
  const rate = seconds > 0 ? ` at ${size(progress.bytesSent / seconds)}/s` : "";
  return `${lparName}: carried ${size(progress.bytesSent)} in ${progress.rounds} ${progress.rounds === 1 ? "round" : "rounds"}${rate}${stoppedMs === null ? "" : `, stopped for ${stoppedMs} ms`}`;
}

/** The second pair of movers took over. Pure. */
export const takeOverText = ({ lparName, source, destination, takeOver }: MigrationRecord): string => `${lparName}: the second pair of movers (${source.mspName} to ${destination.mspName}) takes over, the copy begins anew: ${takeOver?.reason ?? ""}`;

export class ProgressPrinter {
  readonly #io: CommandIo;
  /** of each migration what was shown last, and when */
  readonly #shown = new Map<string, { readonly at: number; readonly phase: string }>();
  readonly #told = new Set<string>();
  #open = false;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  show(record: MigrationRecord): void {
    const now = performance.now();
    const phase = `${record.phase}/${record.status}`;
    const last = this.#shown.get(record.id);
    const changed = phase !== last?.phase;
    if (changed && record.phase === "confirm" && record.progress.bytesSent > 0) this.#carried(record);
    if (!changed && now - last!.at < (this.#io.tty ? DRAW_EVERY_MS : LINE_EVERY_MS)) return;
    this.#shown.set(record.id, { at: now, phase });
    const text = progressText(record);
    if (!this.#io.tty) return void this.#io.stdout(`${text}\n`);
    const fitted = text.slice(0, Math.max(20, this.#io.tty.columns - 1));
    this.#io.stdout(`\r\x1b[K${this.#io.tty.color ? `\x1b[36m${fitted}\x1b[0m` : fitted}`);
    this.#open = true;
  }

  /** What everybody hears once, whatever was asked for. */
  tell(record: MigrationRecord): void {
    if (record.takeOver === null || this.#told.has(record.id)) return;
    this.#told.add(record.id);
    this.#line(takeOverText(record));
  }

  #carried(record: MigrationRecord): void {
    this.#line(carriedText(record));
  }
  #line(text: string): void {
    this.#io.stdout(this.#io.tty ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  /** Ends the redrawn line. */
  close(): void {
    if (this.#open) this.#io.stdout("\n");
    this.#open = false;
  }
}

/** `--steps`: a line when a phase begins, and with level 2 how long each took. */
export class StepPrinter {
  readonly #io: CommandIo;
  readonly #level: number;
  readonly #phases = new Map<string, MigrationPhase>();

  constructor(io: CommandIo, level: number) {
    this.#io = io;
    this.#level = level;
  }

  show(record: MigrationRecord): void {
    if (this.#level === 0 || this.#phases.get(record.id) === record.phase) return;
    this.#phases.set(record.id, record.phase);
    this.#io.stdout(`${record.lparName}: ${PHASE_TEXT[record.phase]}\n`);
  }

  end(record: MigrationRecord | null): void {
    if (this.#level < 2 || record === null) return;
    const begun = MIGRATION_PHASES.flatMap((phase) => (record.phaseStartedAt[phase] === undefined ? [] : [{ phase, at: Date.parse(record.phaseStartedAt[phase]) }]));
    for (const [index, { phase, at }] of begun.entries()) {
      const until = begun[index + 1]?.at ?? (record.endedAt === null ? at : Date.parse(record.endedAt));
      if (phase !== "done") this.#io.stdout(`${record.lparName}: ${PHASE_TEXT[phase]}: ${until - at} ms\n`);
    }
  }
}
