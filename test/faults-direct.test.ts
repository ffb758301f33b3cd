/**
 * What can break while a partition moves over a link that the operator trusts (docs/mover.md, direct): there the destination's QEMU has the link itself, and a connection that
 * breaks tells it something else than a mover does. The rows in which that matters, from the table of src/lab/faults.ts; see test/faults-killed.test.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES, held, hold, letGo, moveLine, type FaultName, type Moment } from "../src/lab/faults.js";
import { LAN_ADDRESS, PREFIX } from "../src/lab/plan.js";
import { faultSuite } from "./support/fault-suite.js";

const TRIED: Partial<Readonly<Record<FaultName, readonly Moment[]>>> = { sourceMover: ["copy", "handOver"], destinationMover: ["copy", "handOver"], moverLink: ["copy", "handOver"], destinationQemu: ["copy", "handOver"], sourceQemu: ["copy", "handOver"], sourceMoverHung: ["handOver"] };
const suite = faultSuite("direct", CASES.filter((row) => !row.second && TRIED[row.fault]?.includes(row.at)), { moverTrusted: [`${LAN_ADDRESS}/${PREFIX}`] });

test("the movers of this laboratory go the direct way", async () => {
  const stage = suite.trials().stage("db01");
  hold(stage.from, "suspend");
  const move = suite.lab().operator.run(moveLine(stage));
  await held(stage.from, "suspend");
  const way = await suite.lab().operator.quiet(`lslparmigr -r lpar -m ${stage.from.name} --filter lpar_names=db01 -F openlpm_way`).finally(() => letGo(stage.from, "suspend"));
  assert.equal(way, "direct\n");
  assert.deepEqual(await move, { code: 0, stdout: "", stderr: "" });
  suite.trials().arrived("db01", stage.to.name);
  await suite.lab().check("db01", stage.to.name);
});

suite.finish();
