/** Processes by pid and start time, so that a pid that was given to somebody else meanwhile is never taken for ours. Linux /proc. */
import fs from "node:fs";
import { until } from "./wait.js";

export interface ProcessIdentity {
  readonly pid: number;
  /** clock ticks after boot, field 22 of /proc/PID/stat */
  readonly startTime: string;
}

/** undefined when no such process lives; a zombie without other threads does not count. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // The first thread of a killed process is a zombie while others still end, and with them its sockets and files.
    const ended = fields[0] === "X" || (fields[0] === "Z" && Number(fields[17]) <= 1);
    return ended ? undefined : { pid, startTime: fields[19]! };
  } catch {
    return undefined;
  }
}

export const isAlive = (process: ProcessIdentity): boolean => identify(process.pid)?.startTime === process.startTime;

/** Sends SIGKILL and waits until the process is gone. Gone already counts. @throws timeout */
export async function killAndWait(target: ProcessIdentity, deadlineMs = 10_000): Promise<void> {
  if (!isAlive(target)) return;
  process.kill(target.pid, "SIGKILL");
  await until(() => (isAlive(target) ? undefined : true), { what: `process ${target.pid} to end`, deadlineMs, everyMs: 5 });
}
