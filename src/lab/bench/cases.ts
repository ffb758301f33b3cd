/** What `bench migrate` measures side by side, and what it has to reach (issue: speed). Pure. */

export type Way = "sealed" | "direct" | "qemu-tls" | "qemu-plain";
export type Link = "open" | "shaped";

/** One comparison: our way and QEMU's on the same link. */
export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly link: Link;
  readonly ours: Extract<Way, "sealed" | "direct">;
  readonly qemu: Extract<Way, "qemu-tls" | "qemu-plain">;
}

export const CASES: readonly BenchCase[] = [
  { name: "encrypted", title: "encrypted, open link", link: "open", ours: "sealed", qemu: "qemu-tls" },
  { name: "plain", title: "plain, open link", link: "open", ours: "direct", qemu: "qemu-plain" },
  { name: "encrypted-1g", title: "encrypted, 1 Gbit/s", link: "shaped", ours: "sealed", qemu: "qemu-tls" },
  { name: "plain-1g", title: "plain, 1 Gbit/s", link: "shaped", ours: "direct", qemu: "qemu-plain" },
];

/** One move, measured. Times in ms, processor time in seconds. */
export interface Sample {
  readonly way: Way;
  readonly link: Link;
  /** from the beginning of the copy until the destination runs */
  readonly runsMs: number;
  readonly stoppedMs: number;
  /** both QEMUs and both movers, in that time */
  readonly cpuS: number;
  readonly rounds: number;
  readonly bytes: number;
  /** ours only: the rest of the command around the copy */
  readonly around: Around | null;
}
export interface Around {
  readonly validateMs: number;
  readonly prepareMs: number;
  /** from the destination's running to the end of the command */
  readonly confirmMs: number;
  /** processor time of the movers alone, part of the sample's; and of all our other processes, which is not */
  readonly moverCpuS: number;
  readonly servicesCpuS: number;
  /** phases as the records have them, in order */
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  /** largest resident set of a mover: its channel program alone, and with its whole Virtual I/O Server */
  readonly moverBytes: number;
  readonly viosBytes: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}
/** undefined for no values. An even number of values has the mean of the middle two as its median. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return { median: sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2, min: sorted[0]!, max: sorted.at(-1)!, count: sorted.length };
}

export interface Goal {
  readonly what: string;
  readonly measured: string;
  readonly reached: boolean;
}
const ENCRYPTED_RATIO_MAX = 0.6;
const PLAIN_RATIO_MAX = 1.1;
const SHAPED_RATIO_MAX = 1.05;
const STOPPED_MORE_MS_MAX = 50;
const VALIDATE_MS_MAX = 300;
const AROUND_MS_MAX = 1_000;
const MOVER_BYTES_MAX = 150 << 20;

/** The goals that the samples say something about. */
export function goalsOf(samples: readonly Sample[]): Goal[] {
  const goals: Goal[] = [];
  const median = (way: Way, link: Link, of: (sample: Sample) => number) => spreadOf(samples.filter((one) => one.way === way && one.link === link).map(of))?.median;
  const ratio = (what: string, [ours, qemu]: readonly [Way, Way], link: Link, max: number) => {
    const [a, b] = [median(ours, link, (one) => one.runsMs), median(qemu, link, (one) => one.runsMs)];
    if (a !== undefined && b !== undefined) goals.push({ what: `${what} at most ${max}`, measured: (a / b).toFixed(2), reached: a / b <= max });
  };
  ratio("sealed / QEMU's TLS, open link:", ["sealed", "qemu-tls"], "open", ENCRYPTED_RATIO_MAX);
  ratio("direct / QEMU plain, open link:", ["direct", "qemu-plain"], "open", PLAIN_RATIO_MAX);
  ratio("sealed / QEMU plain, 1 Gbit/s:", ["sealed", "qemu-plain"], "shaped", SHAPED_RATIO_MAX);
  for (const { title, ours, qemu, link } of CASES) {
    const [a, b] = [median(ours, link, (one) => one.stoppedMs), median(qemu, link, (one) => one.stoppedMs)];
    if (a !== undefined && b !== undefined) goals.push({ what: `time stopped, ${title}: at most ${STOPPED_MORE_MS_MAX} ms more than QEMU`, measured: `${Math.round(a - b)} ms more`, reached: a - b <= STOPPED_MORE_MS_MAX });
  }
  const around = samples.flatMap((sample) => sample.around ?? []);
  const validate = spreadOf(around.map((one) => one.validateMs));
  if (validate) goals.push({ what: `validation below ${VALIDATE_MS_MAX} ms`, measured: `${Math.round(validate.median)} ms`, reached: validate.median < VALIDATE_MS_MAX });
  const rest = spreadOf(around.map((one) => one.validateMs + one.prepareMs + one.confirmMs));
  if (rest) goals.push({ what: `before the copy (with validation) and after it, together below ${AROUND_MS_MAX} ms`, measured: `${Math.round(rest.median)} ms`, reached: rest.median < AROUND_MS_MAX });
  const mover = Math.max(0, ...around.map((one) => one.moverBytes + one.viosBytes));
  if (mover > 0) goals.push({ what: `a mover with its Virtual I/O Server's process below ${MOVER_BYTES_MAX >> 20} MiB`, measured: `${Math.round(mover / (1 << 20))} MiB`, reached: mover < MOVER_BYTES_MAX });
  return goals;
}
