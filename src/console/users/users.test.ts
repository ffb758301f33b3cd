import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { Users } from "./users.js";

function inFolder(work: (dir: string) => void): void {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-users-"));
  try {
    work(dir);
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}
const KEY = `ssh-ed25519 ${"A".repeat(68)}`;
const NEW = { name: "night", taskRole: "hmcoperator", description: "night shift", pwageDays: 99_999, sshAccess: true, password: "abc-123-def" };

test("users are kept over a restart, with their rights; a refused change changes nothing", () =>
  inFolder((dir) => {
    const users = new Users(dir, "first-password");
    users.create(NEW);
    assert.throws(() => users.create(NEW), { code: "already-exists" });
    users.change("night", { description: "day shift", password: "def-456-ghi" });
    assert.throws(() => users.change("night", { name: "hscroot" }), { code: "already-exists" });
    assert.throws(() => users.change("nobody", {}), { code: "not-found" });
    assert.throws(() => users.change("hscroot", { taskRole: "hmcviewer" }), { code: "refused" });
    assert.throws(() => users.remove("hscroot"), { code: "refused" });
    const again = new Users(dir);
    assert.deepEqual(again.list().find((user) => user.name === "night"), { name: "night", taskRole: "hmcoperator", description: "day shift", pwageDays: 99_999, sshAccess: true });
    assert.deepEqual(["abc-123-def", "def-456-ghi"].map((password) => again.verifyPassword("night", password)), [false, true]);
    assert.equal(again.verifyPassword("hscroot", "first-password"), true);
    assert.equal(fs.statSync(path.join(dir, "users.json")).mode & 0o777, 0o600);
    again.remove("night");
    assert.deepEqual([again.taskRole("night"), again.verifyPassword("night", "def-456-ghi"), new Users(dir).list().length], ["", false, 1]);
  }));

test("without remote access neither password nor key lets in, and an old password does not", () =>
  inFolder((dir) => {
    const users = new Users(dir, "first-password");
    users.create({ ...NEW, pwageDays: 30 });
    users.addKey("night", KEY);
    const lets = (from: Users) => [from.verifyPassword("night", NEW.password), from.hasKey("night", KEY)];
    assert.deepEqual(lets(users), [true, true]);
    users.change("night", { sshAccess: false });
    assert.deepEqual(lets(users), [false, false]);
    users.change("night", { sshAccess: true });
    const file = path.join(dir, "users.json");
    const aged = (days: number) => {
      const rows = JSON.parse(fs.readFileSync(file, "utf8")) as { name: string; passwordSetAt: string }[];
      for (const row of rows) row.passwordSetAt = new Date(Date.now() - days * 86_400_000).toISOString();
      fs.writeFileSync(file, JSON.stringify(rows));
      return new Users(dir);
    };
    assert.deepEqual([lets(aged(29)), lets(aged(31))], [[true, true], [false, true]]);
    assert.equal(aged(100_000).verifyPassword("hscroot", "first-password"), true, "a password that does not expire");
  }));

test("keys keep their comments, which remove them too", () =>
  inFolder((dir) => {
    const users = new Users(dir, "first-password");
    assert.equal(users.addKey("hscroot", `  ${KEY}   me@host laptop `), true);
    assert.deepEqual(users.keys("hscroot"), [`${KEY} me@host laptop`]);
    assert.equal(users.hasKey("hscroot", KEY), true);
    assert.equal(users.addKey("hscroot", `${KEY} other`), true);
    assert.deepEqual(users.keys("hscroot"), [`${KEY} other`], "one key is there once");
    assert.deepEqual(["", " ", "me@host"].map((match) => users.removeKey("hscroot", match)), [0, 0, 0]);
    assert.equal(users.removeKey("hscroot", "other"), 1);
    assert.equal(users.hasKey("hscroot", KEY), false);
    for (const line of ["", "ssh-ed25519", "nothing AAAA", `ssh-rsa ${"!".repeat(50)}`]) assert.equal(users.addKey("hscroot", line), false, line);
  }));

test("a file of an earlier version is read", () =>
  inFolder((dir) => {
    fs.writeFileSync(path.join(dir, "users.json"), JSON.stringify([{ name: "hscroot", taskRole: "hmcsuperadmin", salt: "00", hash: "00", keys: [KEY] }]));
    const users = new Users(dir);
    assert.deepEqual(users.list(), [{ name: "hscroot", taskRole: "hmcsuperadmin", description: "HMC User", pwageDays: 99_999, sshAccess: true }]);
    assert.equal(users.hasKey("hscroot", KEY), true);
  }));
