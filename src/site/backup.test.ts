import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { identify } from "../kit/proc.js";
import { strangersIn } from "./backup.js";

test("a process that lives and that the backup does not know, or knows under another ID, is named", () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-restore-"));
  const alive = identify(process.pid)!;
  const put = (place: string, uuid: string, identity: unknown) => {
    fs.mkdirSync(path.join(dir, place));
    fs.writeFileSync(path.join(dir, place, "spec.json"), JSON.stringify({ name: `of-${place}`, uuid, lparId: 0 }));
    fs.writeFileSync(path.join(dir, place, "pid.json"), JSON.stringify(identity));
  };
  try {
    put("p3", "known", alive);
    put("p4", "moved-here-later", alive);
    put("p5", "known-as-6", alive);
    put("p7", "ended", { ...alive, startTime: "1" });
    put("v1", "a VIOS", alive);
    fs.mkdirSync(path.join(dir, "p8"));
    const known = [{ lparId: 3, uuid: "known" }, { lparId: 6, uuid: "known-as-6" }];
    assert.deepEqual(strangersIn([dir, path.join(dir, "none")], known), [`of-p4 (${dir}/p4)`, `of-p5 (${dir}/p5)`]);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});
