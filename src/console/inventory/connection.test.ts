/** What the console knows of a managed system whose process goes and comes back. */
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { silentLogger } from "../../kit/log.js";
import { until } from "../../kit/wait.js";
import { db01, fakeSystems } from "../../testkit/fake-console.js";
import { makeAuthority, makeCertificate, tlsFiles } from "../../wire/certificates.js";
import { consoleSystem } from "../../wire/console-system.js";
import { RpcPeer } from "../../wire/rpc.js";
import { listenTls } from "../../wire/transport.js";
import { SystemConnection } from "./connection.js";

/** A managed system at one address, whose process may be another each time. */
async function system(t: TestContext) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-connection-"));
  const [authority, mine, theirs] = [path.join(dir, "authority"), tlsFiles(dir, "console"), tlsFiles(dir, "system")];
  await makeAuthority(authority, "test");
  await makeCertificate(authority, mine, "console:hmc1");
  await makeCertificate(authority, theirs, "system:ms01");
  const free = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => free.once("listening", resolve));
  const { port } = free.address() as net.AddressInfo;
  await new Promise((resolve) => free.close(resolve));
  /** Starts a process that says this; gives what ends it. */
  const start = async (pid: number, revision: number, name: string): Promise<() => Promise<void>> => {
    const view = { ...fakeSystems()[0].view!, pid, revision };
    const lpar = { ...db01(), revision };
    const peers = new Set<RpcPeer>();
    const handlers = { "system.get": async () => view, "lpar.list": async () => ({ lpars: [{ ...lpar, definition: { ...lpar.definition, name } }] }) };
    const server = await listenTls({ host: "127.0.0.1", port }, theirs, ({ socket, caller }) => void peers.add(new RpcPeer(socket, { self: "system:ms01", caller, log: silentLogger, serves: { contract: consoleSystem, handlers: handlers as never } })));
    return async () => {
      for (const peer of peers) peer.destroy();
      await new Promise((resolve) => server.close(resolve));
    };
  };
  const connection = new SystemConnection({ endpoint: { host: "127.0.0.1", port, name: "system:ms01" }, systemName: "ms01", tls: mine, self: "console:hmc1", log: silentLogger, onMigration: () => undefined, onConnected: () => undefined });
  t.after(async () => {
    await connection.close();
    fs.rmSync(dir, { recursive: true });
  });
  const known = () => connection.lpars().map((lpar) => lpar.definition.name).join();
  const gone = () => until(() => (connection.connected ? undefined : true), { what: "the loss to be noticed", deadlineMs: 5_000, everyMs: 5 });
  return { connection, start, known, gone, port };
}

test("a process whose clock was put back is believed all the same", async (t) => {
  const { connection, start, known, gone } = await system(t);
  const end = await start(100, 2_000_000, "before");
  await connection.refresh();
  assert.equal(known(), "before");
  await end();
  await gone();
  const endAgain = await start(200, 1_000_000, "after");
  t.after(endAgain);
  await connection.refresh();
  assert.deepEqual([known(), connection.view?.pid], ["after", 200]);
});

test("who asks after a long absence does not wait for the pause between two tries", async (t) => {
  const { connection, start, known, gone, port } = await system(t);
  const end = await start(100, 1, "before");
  await connection.refresh();
  await end();
  await gone();
  let last = Infinity;
  const nobody = net.createServer((socket) => ((last = performance.now()), socket.destroy())).listen(port, "127.0.0.1");
  await until(() => (performance.now() - last > 3_000 ? true : undefined), { what: "a pause that is longer than a command waits", deadlineMs: 30_000, everyMs: 50 });
  await new Promise((resolve) => nobody.close(resolve));
  const endAgain = await start(200, 2, "after");
  t.after(endAgain);
  const began = performance.now();
  await connection.refresh();
  assert.equal(known(), "after");
  assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
});
