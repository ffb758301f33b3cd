import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { plainWords } from "./plain-line.js";

const PLAIN = [
  "lssyscfg -r sys",
  "  lssyscfg   -r\tsys ",
  'mksyscfg -i "name=x,\\"virtual_scsi_adapters=20/client//v1/23/1,21/client//v2/23/1\\""',
  "mksyscfg -i 'name=l,\"io_slots=a/none/1,b/none/1\"'",
  'lssyscfg --filter ""lpar_ids=3""',
  "viosvrcmd -c \\'lsmap -all\\'",
  "a 'b c'\"d e\"f",
  "a '' \"\"",
];
test("plain lines are split as bash splits them", () => {
  for (const line of PLAIN) {
    const bash = execFileSync("bash", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" }).split("\0").slice(0, -1);
    assert.deepEqual(plainWords(line), bash, line);
  }
});
test("lines that need a shell are left to one", () => {
  for (const line of ["a | b", "a; b", "a && b", "a `b`", "a $(b)", "a $x", "for i in 1; do a; done", "a > b", "a 2>&1", "LANG=C a", "a *", "a [b]", "a {0..2}", "a 'b", 'a "b', 'a "$x"', "a\nb", "a # b", "~/a", "", "   "]) assert.equal(plainWords(line), undefined, line);
});
