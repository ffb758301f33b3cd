/** What the account of a partition can do to our files beside its sockets. Needs root, as the managed system does. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { runAny } from "../../kit/run.js";
import { giveDir, openOurs, readOurs, writeOurs } from "./run-dir.js";

const UID = 2_099_999_003;
const as = (uid: number, ...argv: string[]) => runAny(["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs", "--", ...argv] as [string, ...string[]]);

test("it makes its sockets, and neither removes nor replaces ours; what it puts under our names is not believed", async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-rundir-"));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const [spec, pid] = [path.join(dir, "spec.json"), path.join(dir, "pid.json")];
  writeOurs(spec, "ours");
  giveDir(dir, { uid: UID, gid: UID });
  writeOurs(pid, "1");
  const own = path.join(dir, "qmp.sock");
  assert.equal((await as(UID, "touch", own)).code, 0);
  assert.equal((await as(UID, "rm", own)).code, 0);
  for (const words of [["rm", "-f", spec], ["mv", spec, own], ["cp", "/etc/hostname", spec], ["cat", spec], ["ln", "-sf", "/etc/hostname", pid]]) assert.notEqual((await as(UID, ...words)).code, 0, words.join(" "));
  assert.notEqual((await as(UID + 1, "touch", own)).code, 0, "another partition's account does not come in");
  assert.deepEqual([readOurs(spec), readOurs(pid)], ["ours", "1"]);

  const holder = path.join(dir, "channel.json");
  const victim = path.join(dir, "victim");
  fs.writeFileSync(victim, "whole", { mode: 0o600 });
  for (const words of [["sh", "-c", `echo 7 > ${holder}`], ["ln", "-s", victim, holder], ["mkfifo", holder]]) {
    assert.equal((await as(UID, ...words)).code, 0, words.join(" "));
    assert.equal(readOurs(holder), undefined, words.join(" "));
    if (words[0] !== "sh") assert.throws(() => openOurs(holder), words.join(" "));
    writeOurs(holder, "ours");
    assert.deepEqual([readOurs(holder), fs.readFileSync(victim, "utf8")], ["ours", "whole"], words.join(" "));
    fs.rmSync(holder);
  }
});
