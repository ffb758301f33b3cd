/** Structured log: constant message, data in fields. Child loggers carry migration_id, role and lpar for a whole attempt. */
import { pino, destination, type Logger } from "pino";

export type { Logger };

/** Writes JSON lines to standard error, or to `file` (mode 0600). Level by OPENLPM_LOG (default info). */
export function makeLogger(role: string, name: string, file?: string): Logger {
  const level = process.env["OPENLPM_LOG"] ?? "info";
  const base = { role, name, pid: process.pid };
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, destination(file === undefined ? { fd: 2, sync: true } : { dest: file, mkdir: true, mode: 0o600, sync: true }));
}

/** A logger that keeps nothing, for unit tests. */
export const silentLogger: Logger = pino({ level: "silent" });
