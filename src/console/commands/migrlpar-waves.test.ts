/** Several partitions in one command: a place that is taken at the last moment is waited for. */
import assert from "node:assert/strict";
import test from "node:test";
import type { LparView } from "../../model/lpar.js";
import type { Finding, ManagedSystem, MigrationResult } from "../contract.js";
import { moveAll } from "./migrlpar-waves.js";

const lpar = (name: string) => ({ state: "running", definition: { name } }) as unknown as LparView;
const system = (places: number) => ({ view: { migration: { activeMax: 8, activeNow: 0, inactiveMax: 8, inactiveNow: 0 } }, client: { call: async () => ({ movers: [{ configured: places, inProgress: 0 }] }) } }) as unknown as ManagedSystem;
const error = (hsc: string): Finding => ({ severity: "error", hsc, message: "", action: "" });
const RECORD = {} as NonNullable<MigrationResult["record"]>;
const MOVED: MigrationResult = { ok: true, findings: [], record: RECORD };

/** Moves a and b; b's tries end as told, and a ends after b's first. */
async function moveTwo(tries: readonly MigrationResult[]): Promise<{ readonly began: string[]; readonly results: MigrationResult[] }> {
  const began: string[] = [];
  const left = [...tries];
  let endFirst!: () => void;
  const firstEnds = new Promise<void>((resolve) => (endFirst = resolve));
  const migrate = async ({ definition: { name } }: LparView, begun: () => void): Promise<MigrationResult> => {
    began.push(name);
    begun();
    if (name === "a") return firstEnds.then(() => MOVED);
    setImmediate(endFirst);
    return left.shift()!;
  };
  const moved = await moveAll([lpar("a"), lpar("b")], { source: system(2), destination: system(2), migrate, onEnded: () => undefined, signal: new AbortController().signal });
  return { began, results: moved.map((one) => one.result) };
}

test("a move that found no place, before it began or after, is made when another one has ended", async () => {
  for (const [hsc, record] of [["OLPM-VG12", null], ["OLPM-VG13", null], ["OLPM-VG13", RECORD], ["OLPM-VM05", RECORD]] as const) {
    const where: Finding = { severity: "warning", hsc: "OLPM-R00", message: "", action: "" };
    assert.deepEqual(await moveTwo([{ ok: false, findings: [error(hsc), where], record }, MOVED]), { began: ["a", "b", "b"], results: [MOVED, MOVED] }, hsc);
  }
});

test("any other failure stands", async () => {
  for (const findings of [[error("HSCLA2CF")], [error("OLPM-VG13"), error("HSCLA2CF")]]) {
    const failed: MigrationResult = { ok: false, findings, record: RECORD };
    assert.deepEqual(await moveTwo([failed]), { began: ["a", "b"], results: [MOVED, failed] });
  }
});
