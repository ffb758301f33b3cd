/**
 * The partition's console log goes with it. Most of it is sent while the partition runs, what was printed meanwhile is sent with the hand-over, so
 * that the destination's log has every line once and in order before the partition prints there.
 */
import fs from "node:fs";
import path from "node:path";
import type { Client } from "../../wire/rpc.js";
import type { SystemSystem } from "../../wire/system-system.js";

/** Of a longer log only the end moves. */
const LOG_BYTES_MAX = 4 << 20;
const CHUNK_BYTES = 512 << 10;
/** The hand-over is not made longer for a partition that floods its console. */
const TAIL_BYTES_MAX = 256 << 10;

/** Where console logs lie: files, unless a simulation keeps them elsewhere. */
export interface ConsoleLogs {
  size(file: string): number;
  read(file: string, from: number, length: number): Buffer;
  place(file: string, offset: number, bytes: Buffer): void;
}
export const fileLogs: ConsoleLogs = { size: (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0, read: readPart, place: placePart };

function readPart(file: string, from: number, length: number): Buffer {
  if (length <= 0) return Buffer.alloc(0);
  const handle = fs.openSync(file, "r");
  try {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, fs.readSync(handle, buffer, 0, length, from));
  } finally {
    fs.closeSync(handle);
  }
}

/** Where in the source's file the sent part begins and ends. */
export interface SentLog {
  readonly from: number;
  readonly upTo: number;
}

export async function sendConsoleLog(logs: ConsoleLogs, peer: Client<SystemSystem>, id: string, file: string, signal: AbortSignal): Promise<SentLog> {
  const size = logs.size(file);
  const from = Math.max(0, size - LOG_BYTES_MAX);
  let at = from;
  do {
    const part = logs.read(file, at, Math.min(CHUNK_BYTES, size - at));
    await peer.call("handover.consoleLog", { id: id as never, offset: at - from, data: part.toString("base64") }, { signal });
    at += part.length;
    if (part.length === 0) break;
  } while (at < size);
  return { from, upTo: at };
}

/** What was printed since, and its place in the destination's log. */
export function tailOf(logs: ConsoleLogs, file: string, sent: SentLog | undefined): { readonly offset: number; readonly data: string } {
  if (!sent) return { offset: 0, data: "" };
  return { offset: sent.upTo - sent.from, data: logs.read(file, sent.upTo, Math.min(TAIL_BYTES_MAX, logs.size(file) - sent.upTo)).toString("base64") };
}

/** Writes a part at its place; offset 0 begins the log anew, since what lies there is of an earlier stay. */
export const placeLogPart = (logs: ConsoleLogs, file: string, offset: number, data: string): void => logs.place(file, offset, Buffer.from(data, "base64"));

function placePart(file: string, offset: number, bytes: Buffer): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const handle = fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o600);
  try {
    if (offset === 0) fs.ftruncateSync(handle, 0);
    fs.writeSync(handle, bytes, 0, bytes.length, offset);
  } finally {
    fs.closeSync(handle);
  }
}
