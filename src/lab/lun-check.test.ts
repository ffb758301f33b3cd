import assert from "node:assert/strict";
import test from "node:test";
import { pushedNumbers } from "./lun-check.js";

const push = (key: string, number: number) => `*3\r\n$5\r\nRPUSH\r\n$${key.length}\r\n${key}\r\n$${String(number).length}\r\n${number}\r\n`;

test("numbers of the key are read in order, other keys and commands are not", () => {
  const aof = `*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n${push("writes", 1)}${push("other", 7)}${push("writes", 2)}${push("writes", 10)}`;
  assert.deepEqual(pushedNumbers(Buffer.from(aof), "writes"), [1, 2, 10]);
});

test("a command cut short anywhere does not count", () => {
  const whole = push("writes", 12);
  for (let length = 0; length < whole.length; length++) {
    const numbers = pushedNumbers(Buffer.from(push("writes", 11) + whole.slice(0, length)), "writes");
    assert.deepEqual(numbers, [11], `cut after ${length} bytes`);
  }
});
