/** Waiting: every wait has a deadline and an abort, and clears its timers on every path. */
import { realClock, type Clock } from "./clock.js";
import { OlpmError } from "./errors.js";

/** Resolves after `ms`; rejects with `aborted` when the signal fires first. */
export function delay(ms: number, signal?: AbortSignal, clock: Clock = realClock): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(abortError(signal));
    const onAbort = () => {
      cancel();
      reject(abortError(signal!));
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

export function abortError(signal: AbortSignal): OlpmError {
  const reason: unknown = signal.reason;
  if (reason instanceof OlpmError) return reason;
  if (reason instanceof Error && reason.name === "TimeoutError") return new OlpmError("timeout", "the deadline passed", { cause: reason });
  return new OlpmError("aborted", reason instanceof Error ? reason.message : "stopped", { cause: reason });
}

/**
 * Awaits `promise` no longer than `ms`. The work itself is not ended; pass its signal where it must be.
 * @throws OlpmError timeout | aborted
 */
export async function within<T>(promise: Promise<T>, ms: number, what: string, signal?: AbortSignal, clock: Clock = realClock): Promise<T> {
  let cancel: (() => void) | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        cancel = clock.after(ms, () => reject(new OlpmError("timeout", `${what}: no answer within ${ms} ms`, { retryable: true })));
        if (signal) {
          onAbort = () => reject(abortError(signal));
          if (signal.aborted) onAbort();
          else signal.addEventListener("abort", onAbort, { once: true });
        }
      }),
    ]);
  } finally {
    cancel?.();
    if (onAbort) signal?.removeEventListener("abort", onAbort);
  }
}

export interface UntilOptions {
  readonly what: string;
  readonly deadlineMs: number;
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
}

/**
 * Asks `probe` again and again until it gives something other than undefined.
 * @throws OlpmError timeout | aborted; what `probe` throws passes through
 */
export async function until<T>(probe: () => Promise<T | undefined> | T | undefined, options: UntilOptions): Promise<T> {
  const clock = options.clock ?? realClock;
  const end = clock.now() + options.deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (clock.now() >= end) throw new OlpmError("timeout", `${options.what}: not within ${options.deadlineMs} ms`, { retryable: true });
    await delay(options.everyMs ?? 50, options.signal, clock);
  }
}
