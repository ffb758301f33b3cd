import assert from "node:assert/strict";
import test from "node:test";
import { encodeFrame, FrameDecoder, FRAME_BYTES_MAX } from "./frame.js";

test("exact bytes: length in network order, then JSON", () => {
  assert.deepEqual([...encodeFrame({ a: 1 })], [0, 0, 0, 7, ...Buffer.from('{"a":1}')]);
});

test("a split at each offset gives the same messages", () => {
  const messages = [{ a: 1 }, "zwei", [3, null], { text: "ä€" }];
  const bytes = Buffer.concat(messages.map(encodeFrame));
  for (let cut = 0; cut <= bytes.length; cut++) {
    const decoder = new FrameDecoder();
    assert.deepEqual([...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))], messages, `cut at ${cut}`);
  }
  const decoder = new FrameDecoder();
  assert.deepEqual([...bytes].flatMap((byte) => decoder.push(Buffer.from([byte]))), messages, "byte by byte");
});

test("every truncation waits for more", () => {
  const bytes = encodeFrame({ whole: true });
  for (let length = 0; length < bytes.length; length++) assert.deepEqual(new FrameDecoder().push(bytes.subarray(0, length)), []);
});

test("a length over the limit is refused before anything is allocated for it", () => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(FRAME_BYTES_MAX + 1);
  assert.throws(() => new FrameDecoder().push(header), /limit/);
});

test("bytes that are not JSON are refused", () => {
  assert.throws(() => new FrameDecoder().push(Buffer.from([0, 0, 0, 2, 0x7b, 0x7b])), /not JSON/);
});
