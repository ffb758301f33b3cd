/** Which way the state goes is agreed by both movers, each by its own configuration; a channel program that only says what it should stands for the native one. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { makeLogger } from "../kit/log.js";
import { makeAuthority, makeCertificate, tlsFiles } from "../wire/certificates.js";
import type { MigrationId } from "../model/ids.js";
import { MoverService } from "./service.js";

/** Prints what a listener and a sender print, after its words, and stays. */
const PROGRAM = '#!/bin/sh\necho "$*" >> "$(dirname "$0")/words"\necho \'{"port":7}\'\necho \'{"state":"streaming"}\'\nexec sleep 60\n';
const TICKET = "a ticket of sixteen characters at least";

let dir: string;
before(async () => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-ways-"));
  fs.writeFileSync(path.join(dir, "program"), PROGRAM, { mode: 0o755 });
  await makeAuthority(dir, "test");
  await makeCertificate(dir, tlsFiles(dir, "a"), "vios:ms01/vios1");
  await makeCertificate(dir, tlsFiles(dir, "b"), "vios:ms02/vios1");
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const mover = (certificate: string, self: string, trusted: readonly string[]) =>
  new MoverService({ host: "127.0.0.1", port: 0, concurrentMax: 4, trusted, tls: tlsFiles(dir, certificate), program: path.join(dir, "program"), self, runDir: dir, log: makeLogger("test", self, path.join(dir, "log")) });

const LOOPBACK = "127.0.0.0/8";
const CASES: readonly [source: readonly string[], destination: readonly string[], way: "sealed" | "direct"][] = [
  [[], [], "sealed"],
  [[LOOPBACK], [], "sealed"],
  [[], [LOOPBACK], "sealed"],
  [["10.9.0.0/24", "fd00::/8"], [LOOPBACK], "sealed"],
  [[LOOPBACK], ["192.168.0.0/16", LOOPBACK], "direct"],
];

test("direct only where both ends trust the other's network", async () => {
  for (const [sourceTrusts, destinationTrusts, expected] of CASES) {
    const [source, destination] = [mover("a", "vios:ms01/vios1", sourceTrusts), mover("b", "vios:ms02/vios1", destinationTrusts)];
    fs.rmSync(path.join(dir, "words"), { force: true });
    try {
      await destination.start();
      const id = randomUUID() as MigrationId;
      const peer = await destination.receive({ id, ticket: TICKET, takeSocket: "/take" });
      await assert.rejects(source.send({ id: randomUUID() as MigrationId, ticket: TICKET, channelSocket: "/hand", peer }), { code: "not-authorised" });
      const { way } = await source.send({ id, ticket: TICKET, channelSocket: "/hand", peer });
      assert.equal(way, expected, `${sourceTrusts.join()} and ${destinationTrusts.join()}`);
      assert.deepEqual([source.states().find((one) => one.id === id)?.way, destination.states()[0]?.way], [expected, expected]);
      assert.deepEqual(fs.readFileSync(path.join(dir, "words"), "utf8").trim().split("\n"), [`receive 127.0.0.1 127.0.0.1 /take ${expected}`, `send /hand 127.0.0.1 7 ${expected}`]);
    } finally {
      await source.close();
      await destination.close();
    }
  }
});

test("a mover that is closed while it is being paired leaves nothing: no program, no connection, no place taken", async () => {
  const [source, destination] = [mover("a", "vios:ms01/vios1", []), mover("b", "vios:ms02/vios1", [])];
  fs.rmSync(path.join(dir, "words"), { force: true });
  try {
    await destination.start();
    const id = randomUUID() as MigrationId;
    const peer = await destination.receive({ id, ticket: TICKET, takeSocket: "/take" });
    const sending = source.send({ id, ticket: TICKET, channelSocket: "/hand", peer });
    await Promise.all([assert.rejects(sending, { code: "aborted" }), source.stop(id)]);
    assert.deepEqual(source.states(), []);
    assert.equal(fs.existsSync(path.join(dir, "words")), false);
    // The ticket was not shown, so the peer can still come.
    await source.send({ id, ticket: TICKET, channelSocket: "/hand", peer });
  } finally {
    await source.close();
    await destination.close();
  }
});
