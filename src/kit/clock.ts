/**
 * Time as it is asked for: what waits takes a clock, so that a simulation can put a virtual one in its place. Production code has `realClock`, also
 * where nothing else is said.
 */
export interface Clock {
  /** ms since some moment, never going back */
  now(): number;
  /** the date of records that people read */
  date(): Date;
  /** Calls `fire` once after `ms`, unless the answer was called before. */
  after(ms: number, fire: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms);
    return () => clearTimeout(timer);
  },
};
