/**
 * Reporter of `openlpm test`: node's `spec` view without its summary, and the run's counts appended to the file that OPENLPM_TEST_COUNTS names, as
 * one line `PASSED FAILED`. The launcher adds the lines of its runs up. Suites are not counted, tests and subtests are.
 */
import fs from "node:fs";
import { Readable } from "node:stream";
import { spec } from "node:test/reporters";
import type { TestEvent } from "node:test/reporters";

/** What node says about a whole run, in diagnostics of the outermost level. */
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

export interface Counts {
  passed: number;
  failed: number;
}

/** Passes events on without the summary and counts the results that count. Skipped tests and those still to do are neither. */
export async function* counting(source: AsyncIterable<TestEvent>, counts: Counts): AsyncGenerator<TestEvent> {
  for await (const event of source) {
    if (event.type === "test:diagnostic" && event.data.nesting === 0 && SUMMARY.test(event.data.message)) continue;
    if (event.type === "test:pass" || event.type === "test:fail") {
      const { skip, todo, details } = event.data;
      const counted = details.type !== "suite" && (skip === undefined || skip === false) && (todo === undefined || todo === false);
      if (counted && event.type === "test:pass") counts.passed++;
      if (counted && event.type === "test:fail") counts.failed++;
    }
    yield event;
  }
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts: Counts = { passed: 0, failed: 0 };
  yield* Readable.from(counting(source, counts)).pipe(new spec()) as AsyncIterable<string>;
  const file = process.env["OPENLPM_TEST_COUNTS"];
  if (file !== undefined) fs.appendFileSync(file, `${counts.passed} ${counts.failed}\n`);
}
