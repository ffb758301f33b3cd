import assert from "node:assert/strict";
import test from "node:test";
import ssh2 from "ssh2";
import { newEd25519 } from "./host-keys.js";

test("every host key that is made can be read: a console that can not read its own does not start", () => {
  for (let made = 0; made < 1_000; made++) assert.ok(!(ssh2.utils.parseKey(newEd25519()) instanceof Error));
});
