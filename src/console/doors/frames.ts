/**
 * The protocol between a command's client (native/hmc.c, hmc-door.ts) and the console, over a unix socket: frames of one type byte, four bytes of length
 * (big endian) and the payload. Keep in step with native/hmc.c.
 *
 *   client -> console   R request (JSON)   I input   E end of input   W window size (JSON)   K interrupt
 *   console -> client   O output   X error output   N input is wanted   T raw mode (one byte, 0 or 1)   S exit status (one byte), the last frame
 */
import { z } from "zod";
import { OlpmError } from "../../kit/errors.js";

const Size = z.object({ columns: z.number().int().min(1).max(10_000), rows: z.number().int().min(1).max(10_000) });
export const Request = z.object({
  /** argv: one command, split; line: as an SSH exec request; shell: interactive */
  kind: z.enum(["argv", "line", "shell"]),
  argv: z.array(z.string()).max(4096).default([]),
  line: z.string().max(1 << 20).default(""),
  /** null: standard output is no terminal */
  tty: Size.nullable().default(null),
  color: z.boolean().default(false),
  term: z.string().max(64).default("dumb"),
});
export type Request = z.infer<typeof Request>;
export const WindowSize = Size;
export type WindowSize = z.infer<typeof Size>;

export type FrameType = "R" | "I" | "E" | "W" | "K" | "O" | "X" | "N" | "T" | "S";
const TYPES = "RIEWKOXNTS";
export const PAYLOAD_BYTES_MAX = 2 << 20;

export function frame(type: FrameType, payload: string | Buffer = ""): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload) : payload;
  const head = Buffer.alloc(5);
  head.write(type, 0, "latin1");
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Takes chunks of any size; gives the frames that are whole. @throws OlpmError invalid-argument for an unknown type or a length over the limit */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): { readonly type: FrameType; readonly payload: Buffer }[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: { type: FrameType; payload: Buffer }[] = [];
    while (this.#rest.length >= 5) {
      const type = String.fromCharCode(this.#rest[0]!);
      const length = this.#rest.readUInt32BE(1);
      if (!TYPES.includes(type) || length > PAYLOAD_BYTES_MAX) throw new OlpmError("invalid-argument", "a frame of unknown type or length");
      if (this.#rest.length < 5 + length) break;
      frames.push({ type: type as FrameType, payload: this.#rest.subarray(5, 5 + length) });
      this.#rest = this.#rest.subarray(5 + length);
    }
    return frames;
  }
}
