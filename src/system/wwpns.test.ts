import assert from "node:assert/strict";
import test from "node:test";
import type { z } from "zod";
import { pairOf, WwpnPool } from "./wwpns.js";

const memory = () => {
  const facts = new Map<string, unknown>();
  return { fact: <T>(name: string, schema: z.ZodType<T>): T | undefined => (facts.has(name) ? schema.parse(facts.get(name)) : undefined), putFact: (name: string, value: unknown) => void facts.set(name, value) };
};

test("pairs are two names in a row, and end with the counter's four digits", () => {
  assert.deepEqual(pairOf("c05076aabbcc", 0), ["c05076aabbcc0000", "c05076aabbcc0001"]);
  assert.deepEqual(pairOf("c05076aabbcc", 0x7fff), ["c05076aabbccfffe", "c05076aabbccffff"]);
  assert.throws(() => pairOf("c05076aabbcc", 0x8000), { code: "limit-reached" });
});

test("a system makes its prefix once and gives every pair once, over restarts of its process", () => {
  const store = memory();
  const pool = new WwpnPool(store);
  assert.match(pool.prefix, /^c05076[0-9a-f]{6}$/);
  const given = Array.from({ length: 50 }, () => pool.next()).flat();
  const later = new WwpnPool(store);
  given.push(...later.next());
  assert.equal(new Set(given).size, 102);
  assert.ok(given.every((name) => name.startsWith(pool.prefix)));
  assert.equal(later.remaining, 0x10000 - 102);
  assert.notEqual(new WwpnPool(memory()).prefix, pool.prefix, "another system has others");
});
