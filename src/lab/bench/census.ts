/** Processor time and memory of the processes that take part in a move, from /proc, also of those that end during it. */
import fs from "node:fs";

const LOOK_EVERY_MS = 20;
/** A new process may be a launcher that becomes another program; it is looked at again until this old. */
const YOUNG_MS = 2_000;
/** USER_HZ of every Linux that runs Node.js */
const TICKS_PER_S = 100;

export type Part = "qemu" | "mover" | "vios" | "service" | "other";
interface Watched {
  part: Part;
  readonly seenAt: number;
  readonly samples: { readonly at: number; readonly cpuS: number }[];
  peakBytes: number;
}

export class Census {
  readonly #classify: (words: readonly string[]) => Part;
  readonly #watched = new Map<number, Watched>();
  readonly #timer: NodeJS.Timeout;
  #first: { readonly part: Part; readonly tell: () => void } | undefined;

  /** Begins to look. `classify` gets a process's command line. */
  constructor(classify: (words: readonly string[]) => Part) {
    this.#classify = classify;
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }
  /** Calls `tell` once, when a process of this part is seen that was not there before. */
  onFirst(part: Part, tell: () => void): void {
    this.#first = { part, tell };
  }
  stop(): void {
    this.#look();
    clearInterval(this.#timer);
  }

  /** Seconds of processor time that these parts took between two instants (ms since the epoch). */
  cpuS(parts: readonly Part[], from: number, to: number): number {
    let sum = 0;
    for (const { part, samples } of this.#watched.values()) if (parts.includes(part)) sum += valueAt(samples, to) - valueAt(samples, from);
    return sum;
  }
  /** Largest resident set of one process of this part. */
  peakBytes(part: Part): number {
    return Math.max(0, ...[...this.#watched.values()].filter((one) => one.part === part).map((one) => one.peakBytes));
  }

  #look(): void {
    const at = Date.now();
    for (const entry of fs.readdirSync("/proc")) {
      const pid = Number(entry);
      if (!(pid > 0)) continue;
      let one = this.#watched.get(pid);
      try {
        if (!one || (one.part === "other" && at - one.seenAt < YOUNG_MS)) {
          const part = this.#classify(fs.readFileSync(`/proc/${pid}/cmdline`, "latin1").split("\0"));
          if (!one) this.#watched.set(pid, (one = { part, seenAt: at, samples: [], peakBytes: 0 }));
          one.part = part;
          if (this.#first?.part === part) {
            this.#first.tell();
            this.#first = undefined;
          }
        }
        if (one.part === "other") continue;
        const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        one.samples.push({ at, cpuS: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S });
        if (one.part !== "qemu") one.peakBytes = Number(/\nVmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024 || one.peakBytes;
      } catch {
        // ended while we looked; what it had used is in its last sample
      }
    }
  }
}

/** Between two samples the time is taken to have passed evenly; before the first one a process had used what it shows, unless it was born later. */
function valueAt(samples: readonly { readonly at: number; readonly cpuS: number }[], at: number): number {
  const after = samples.findIndex((sample) => sample.at >= at);
  if (after < 0) return samples.at(-1)?.cpuS ?? 0;
  if (after === 0) return samples[0]!.cpuS;
  const [a, b] = [samples[after - 1]!, samples[after]!];
  return a.cpuS + ((b.cpuS - a.cpuS) * (at - a.at)) / (b.at - a.at);
}
