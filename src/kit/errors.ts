/**
 * Errors that the world can cause, as values with a stable code. A broken invariant is not one of these: it throws (see invariant.ts).
 * An operator reads `message` (with `hsc`) and `action`; `cause` carries what the layer below said and is printed once, in the log.
 */

/** The closed list of codes and what each means. Callers act on the code; docs/errors.md prints this table. */
export const ERRORS = {
  aborted: "the caller or an operator stopped it",
  "already-exists": "the name, ID or slot is taken",
  conflict: "another operation holds what this one needs",
  "guest-not-answering": "the operating system's agent (RMC) does not answer",
  "guest-refused": "the operating system or one of its scripts said no",
  "insufficient-memory": "the managed system has not enough free memory",
  "insufficient-processors": "the managed system has not enough free processing units",
  internal: "a defect of ours that was caught at a border; please report it with the logs",
  "invalid-argument": "the request itself is wrong; the message says where and what would be right",
  "limit-reached": "a stated limit (concurrent migrations, sessions, sizes) is in the way",
  "lun-mismatch": "a LUN answers with another SCSI identity than expected",
  "lun-not-visible": "a Virtual I/O Server does not see a LUN",
  "migration-failed": "the copy ended before the hand-over",
  "not-authorised": "certificate, ticket, password or key do not allow it",
  "not-found": "no such object",
  "peer-lost": "the other end went away",
  refused: "the other end is alive and said no for its own reason",
  "storage-failed": "a disk of a partition can not be served or read",
  timeout: "no answer within the stated time",
  undecided: "after the hand-over, and the destination has not said yet",
  unsupported: "OpenLPM does not do this",
  "wrong-state": "the object's state does not allow it",
} as const;
export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];

export interface OlpmErrorOptions {
  /** HSC code that HMC users know, for example HSCL8012. Ours are OLPM-XXnn (lpm-process Appendix B). */
  readonly hsc?: string | undefined;
  /** What the operator can do about it, one sentence. */
  readonly action?: string | undefined;
  /** The same request may succeed later without any change. */
  readonly retryable?: boolean | undefined;
  /** Role and name of the process that reported it, set when the error crossed the wire. */
  readonly reportedBy?: string | undefined;
  readonly cause?: unknown;
}

export class OlpmError extends Error {
  readonly code: ErrorCode;
  readonly hsc: string | undefined;
  readonly action: string | undefined;
  readonly retryable: boolean;
  readonly reportedBy: string | undefined;

  constructor(code: ErrorCode, message: string, options: OlpmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OlpmError";
    this.code = code;
    this.hsc = options.hsc;
    this.action = options.action;
    this.retryable = options.retryable ?? false;
    this.reportedBy = options.reportedBy;
  }
}

const NODE_CODES: Readonly<Record<string, ErrorCode>> = {
  ABORT_ERR: "aborted",
  ECONNABORTED: "peer-lost",
  ECONNREFUSED: "peer-lost",
  ECONNRESET: "peer-lost",
  EHOSTUNREACH: "peer-lost",
  ENETUNREACH: "peer-lost",
  ENOENT: "not-found",
  EPIPE: "peer-lost",
  ERR_STREAM_PREMATURE_CLOSE: "peer-lost",
  ETIMEDOUT: "timeout",
};

/** Turns anything thrown into one of ours; Node's own codes are found by walking the chain of causes. Ours pass through unchanged. */
export function toOlpmError(thrown: unknown, doing: string): OlpmError {
  for (let at: unknown = thrown, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof OlpmError) return at === thrown ? at : new OlpmError(at.code, `${doing}: ${at.message}`, { hsc: at.hsc, action: at.action, cause: thrown });
    const node = (at as { code?: unknown }).code;
    const code = typeof node === "string" ? NODE_CODES[node] : undefined;
    if (code !== undefined) return new OlpmError(code, `${doing}: ${at.message}`, { cause: thrown });
    if (at.name === "AbortError") return new OlpmError("aborted", doing, { cause: thrown });
    if (at.name === "TimeoutError") return new OlpmError("timeout", doing, { cause: thrown });
  }
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new OlpmError("internal", `${doing}: ${text}`, { cause: thrown });
}

/** One line for a person: `HSCL8012 The partition named x was not found.` */
export function operatorLine(error: OlpmError): string {
  const text = error.hsc === undefined || error.message.startsWith(error.hsc) ? error.message : `${error.hsc} ${error.message}`;
  // What a lower layer said ends as it likes; what to do begins a sentence.
  return error.action === undefined ? text : `${text}${/[.:!?)]$/.test(text) ? "" : "."} ${error.action}`;
}
