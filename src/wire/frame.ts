/**
 * Frames of the RPC between our processes: u32 length (big endian), then that many bytes of UTF-8 JSON. No sockets here.
 * The decoder takes chunks of any size, keeps its place, and checks a length before it allocates for it.
 */
import { OlpmError } from "../kit/errors.js";

/** Largest frame: a console log tail of 1 MiB in base64 with room to spare. */
export const FRAME_BYTES_MAX = 8 << 20;

export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message), "utf8");
  if (body.length > FRAME_BYTES_MAX) throw new OlpmError("invalid-argument", `a message of ${body.length} bytes is over the limit of ${FRAME_BYTES_MAX}`);
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

export class FrameDecoder {
  #chunks: Buffer[] = [];
  #size = 0;

  /**
   * Takes the next bytes and gives every message that is complete now.
   * @throws OlpmError invalid-argument when a frame is over the limit or is not JSON; the connection is of no use after that
   */
  push(chunk: Buffer): unknown[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages: unknown[] = [];
    for (;;) {
      if (this.#size < 4) return messages;
      const length = this.#peek(4).readUInt32BE(0);
      if (length > FRAME_BYTES_MAX) throw new OlpmError("invalid-argument", `the peer announced a message of ${length} bytes, the limit is ${FRAME_BYTES_MAX}`);
      if (this.#size < 4 + length) return messages;
      const whole = this.#peek(4 + length);
      this.#chunks = whole.length === 4 + length ? [] : [whole.subarray(4 + length)];
      this.#size = whole.length - 4 - length;
      try {
        messages.push(JSON.parse(whole.toString("utf8", 4, 4 + length)));
      } catch (cause) {
        throw new OlpmError("invalid-argument", "the peer sent a message that is not JSON", { cause });
      }
    }
  }

  /** At least `size` bytes in one buffer: joins chunks only as far as needed. */
  #peek(size: number): Buffer {
    const first = this.#chunks[0]!;
    if (first.length >= size) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
