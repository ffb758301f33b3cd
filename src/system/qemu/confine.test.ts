/** The account of partitions and the words that confine QEMU to it. */
import assert from "node:assert/strict";
import test from "node:test";
import { confinement, sharedAccount } from "./confine.js";

const PASSWD = "root:x:0:0:root:/root:/bin/bash\nopenlpm-lpar:x:997:996::/nonexistent:/usr/sbin/nologin\nopenlpm-lparx:x:5:5::/:/bin/sh\n";

test("the account is found by its whole name, and root's number is never taken", () => {
  assert.deepEqual(sharedAccount(PASSWD), { uid: 997, gid: 996 });
  assert.equal(sharedAccount(PASSWD.replace("openlpm-lpar:x:997", "openlpm-lpar:x:0")), undefined);
  assert.equal(sharedAccount(PASSWD.replace("openlpm-lpar:", "other:")), undefined);
  assert.equal(sharedAccount("openlpm-lpar\n"), undefined);
});

test("with an account nothing of root is left; without one only new privileges are denied", () => {
  assert.deepEqual(confinement({ uid: 997, gid: 996 }, "tcg"), ["setpriv", "--reuid=997", "--regid=996", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]);
  assert.deepEqual(confinement(undefined, "tcg"), ["setpriv", "--no-new-privs", "--"]);
});
