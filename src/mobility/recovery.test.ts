import assert from "node:assert/strict";
import test from "node:test";
import { DESTINATION_PROCESSES, SOURCE_PROCESSES, type RecoveryStep } from "../model/migration.js";
import { decideRecovery, DESTINATION_SEEN, matchingRows, RECOVERY_ROWS, RECOVERY_TABLE, SOURCE_SEEN, type RecoveryFacts } from "./recovery.js";

const EVERY: RecoveryFacts[] = SOURCE_SEEN.flatMap((source) =>
  SOURCE_PROCESSES.flatMap((sourceProcess) =>
    DESTINATION_SEEN.flatMap((destination) => DESTINATION_PROCESSES.flatMap((destinationProcess) => [true, false].flatMap((driven) => [true, false].map((alone) => ({ source, sourceProcess, driven, alone, destination, destinationProcess }))))),
  ),
);
const rowsWith = (step: RecoveryStep) => EVERY.filter((facts) => decideRecovery(facts).steps.includes(step));

test("every combination of states matches exactly one row", () => {
  const wrong = EVERY.map((facts) => ({ facts, rows: matchingRows(facts).map((row) => row.name) })).filter(({ rows }) => rows.length !== 1);
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${EVERY.length} combinations`);
});

test("every row is of use, and its name is listed once", () => {
  assert.deepEqual(RECOVERY_TABLE.map((row) => row.name), [...RECOVERY_ROWS]);
  assert.deepEqual(RECOVERY_TABLE.filter((row) => !EVERY.some((facts) => decideRecovery(facts) === row)).map((row) => row.name), []);
});

test("only rows that act have steps, and only a row that asks or waits has something for --force", () => {
  for (const row of RECOVERY_TABLE) {
    assert.equal(row.steps.length > 0, row.kind === "act", row.name);
    if (row.forced.length > 0) assert.ok(row.kind === "ask" || row.kind === "wait", row.name);
  }
});

test("without a person the source goes on only when the destination has declined, and never alone", () => {
  assert.deepEqual(rowsWith("source.takeBack"), []);
  for (const facts of rowsWith("source.endFailed")) {
    assert.ok(!["owner", "finished"].includes(facts.destination), JSON.stringify(facts));
    if (facts.source === "released") assert.ok(["declined", "closed"].includes(facts.destination) || decideRecovery(facts).steps[0] === "destination.decline", JSON.stringify(facts));
  }
});

test("the destination takes over only with the complete state, and gives way only to a source that went on by a person's word", () => {
  for (const facts of rowsWith("destination.takeOver")) assert.deepEqual([facts.destination, facts.destinationProcess], ["reserved", "loaded"]);
  for (const facts of rowsWith("destination.giveWay")) assert.ok(facts.alone && facts.destination === "owner");
});

test("the source is cleaned only when it knows that the destination owns the partition", () => {
  for (const facts of rowsWith("source.clean")) assert.ok(facts.source === "gone" || ["owner", "finished"].includes(facts.destination), JSON.stringify(facts));
});
