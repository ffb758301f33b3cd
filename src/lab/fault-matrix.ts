/**
 * Every row of the fault table: those of faults.ts, which each run of the tests tries, and for each fault the other moments at which it can strike. `openlpm torture --matrix` goes
 * through all, the tests through SELECTED of them.
 */
import { invariant } from "../kit/invariant.js";
import { CASES, MOMENTS, type Ending, type FaultCase, type FaultName, type Moment } from "./faults.js";

const STEPS = Object.keys(MOMENTS) as Moment[];
/** From one moment to another, both included. */
const span = (ending: Ending, first: Moment, last: Moment = first): Partial<Record<Moment, Ending>> => Object.fromEntries(STEPS.slice(STEPS.indexOf(first), STEPS.indexOf(last) + 1).map((at) => [at, ending]));
const rows = (fault: FaultName, ...endings: readonly Partial<Record<Moment, Ending>>[]): FaultCase[] => (Object.entries(Object.assign({}, ...endings) as Record<Moment, Ending>) as [Moment, Ending][]).map(([at, ending]) => ({ fault, at, ending }));

const OTHERS: readonly FaultCase[] = [
  ...rows("sourceQemu", span("lostOnSource", "reserve", "openSourceMover"), span("moves", "owned")),
  ...rows("destinationQemu", span("stays", "openDestinationMover", "openSourceMover"), span("lostOnDestination", "confirm", "finish")),
  ...rows("sourceVios", span("stays", "reserve", "openSourceMover"), span("moves", "owned")),
  ...rows("destinationVios", span("stays", "reserve", "openSourceMover"), span("moves", "confirm", "finish")),
  ...rows("sourceMoverVios", span("stays", "reserve", "openSourceMover"), span("moves", "loaded", "finish")),
  ...rows("destinationMoverVios", span("stays", "reserve", "openSourceMover"), span("moves", "loaded", "finish")),
  ...rows("moverLink", span("stays", "reserve", "openSourceMover"), span("moves", "loaded", "finish")),
  ...rows("console", span("moves", "reserve", "finish")),
  // A system that is asked for a step before the copy is asked again when it is back; its operating system is asked once.
  ...rows("sourceSystem", span("moves", "reserve", "openSourceMover"), span("stays", "prepare"), span("moves", "loaded", "finish")),
  ...rows("destinationSystem", span("moves", "reserve", "finish")),
  ...rows("systemLink", span("stays", "reserve", "prepare"), span("moves", "copy", "finish")),
  ...rows("link", span("stays", "reserve", "handOver"), span("moves", "loaded", "finish")),
  ...rows("san", span("stays", "reserve", "reserved"), span("moves", "startShell", "finish")),
  ...rows("sourceHost", span("lostOnSource", "reserve", "handOver"), span("moves", "loaded", "finish")),
  // Back within the time that a console waits for a system, and before a process of it is needed.
  ...rows("destinationHost", span("moves", "reserve", "startShell"), span("stays", "openDestinationMover", "loaded"), span("lostOnDestination", "owned", "finish")),
  ...rows("sourceHostGone", span("moves", "confirm", "cleanSource")),
  ...rows("destinationHostGone", span("backOnSource", "handOver", "owned")),
];

const same = (a: FaultCase, b: FaultCase): boolean => a.fault === b.fault && a.at === b.at && a.second === b.second;
export const MATRIX: readonly FaultCase[] = [...CASES, ...OTHERS.filter((row) => !CASES.some((one) => same(one, row)))];

const named = (fault: FaultName, at: Moment): FaultCase => {
  const found = MATRIX.find((row) => row.fault === fault && row.at === at && row.second === undefined);
  invariant(found, `the matrix has a row ${fault} at ${at}`);
  return found;
};
/** What the tests try beside CASES: with those each fault, and each moment, once at least (test/faults-outages.test.ts holds it to that). */
export const SELECTED: readonly FaultCase[] = [
  named("console", "reserve"),
  named("destinationSystem", "reserved"),
  named("systemLink", "startShell"),
  named("sourceMoverVios", "openDestinationMover"),
  named("sourceSystem", "openSourceMover"),
  named("san", "suspend"),
  named("link", "handOver"),
  named("destinationHost", "handOver"),
  named("sourceHostGone", "cleanSource"),
  named("destinationSystem", "finish"),
  named("destinationHostGone", "owned"),
  named("sourceHost", "copy"),
];
