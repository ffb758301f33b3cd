import assert from "node:assert/strict";
import test from "node:test";
import { residentMemory } from "./process.js";

const mapping = (range: string, access: string, residentKb: number) => `${range} ${access} 00000000 00:00 0 \nSize:             524288 kB\nRss:              ${residentKb} kB\nPss:              ${residentKb} kB\n`;

test("the memory of a partition is what its large mappings have, not QEMU's own and not what it translated", () => {
  const block = (at: number) => `7f${at}000000000-7f${at}020000000`;
  assert.equal(residentMemory(mapping(block(1), "rw-p", 225_280) + mapping("7f2000000000-7f2000100000", "rw-p", 900) + mapping(block(3), "rwxp", 50_000) + mapping(block(4), "r--p", 70_000) + mapping(block(5), "rw-s", 1_024)), (225_280 + 1_024) * 1024);
  assert.equal(residentMemory(""), 0);
});
