import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestEvent } from "node:test/reporters";
import { counting } from "./reporter.js";

const result = (type: "test:pass" | "test:fail", data: Readonly<Record<string, unknown>> = {}) => ({ type, data: { name: "x", nesting: 0, testNumber: 1, details: { duration_ms: 1 }, ...data } }) as unknown as TestEvent;
const said = (message: string, nesting = 0) => ({ type: "test:diagnostic", data: { message, nesting } }) as unknown as TestEvent;

async function countsOf(events: readonly TestEvent[]) {
  const counts = { passed: 0, failed: 0 };
  const passedOn: TestEvent[] = [];
  async function* source() {
    yield* events;
  }
  for await (const event of counting(source(), counts)) passedOn.push(event);
  return { counts, passedOn };
}

test("counts tests, and neither suites nor what was skipped or is still to do", async () => {
  const { counts } = await countsOf([
    result("test:pass"),
    result("test:pass", { nesting: 1 }),
    result("test:pass", { details: { duration_ms: 1, type: "suite" } }),
    result("test:pass", { skip: true }),
    result("test:pass", { skip: "no such kernel" }),
    result("test:fail"),
    result("test:fail", { todo: "later" }),
    result("test:fail", { details: { duration_ms: 1, type: "suite" } }),
  ]);
  assert.deepEqual(counts, { passed: 2, failed: 1 });
});

test("leaves the summary out and everything else in", async () => {
  const { passedOn } = await countsOf([said("tests 12"), said("duration_ms 3.25"), said("pass 12"), said("tests 12", 1), said("pass the salt"), result("test:pass")]);
  assert.deepEqual(passedOn.map((event) => (event.type === "test:diagnostic" ? event.data.message : event.type)), ["tests 12", "pass the salt", "test:pass"]);
});
