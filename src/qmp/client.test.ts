/** The monitor of a QEMU that does not answer yet: nobody waits for it for long, nothing is sent late, and it is there as soon as it answers. */
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { toOlpmError } from "../kit/errors.js";
import { QmpClient } from "./client.js";

/** Answers every command with its own name; `greets` says which connections are greeted at once, `hangsUp` which are closed. */
async function monitor(t: TestContext, behave: { greets: (connection: number) => boolean; hangsUp?: (connection: number) => boolean }) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "qmp-"));
  const file = path.join(dir, "qmp.sock");
  const sockets: net.Socket[] = [];
  const said: string[] = [];
  const greet = (socket: net.Socket) => socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    let text = "";
    socket.on("data", (chunk) => {
      text += String(chunk);
      for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
        const { execute } = JSON.parse(text.slice(0, end)) as { execute: string };
        said.push(execute);
        socket.write(`${JSON.stringify({ return: execute })}\n`);
      }
    });
    if (behave.hangsUp?.(sockets.length)) socket.destroy();
    else if (behave.greets(sockets.length)) greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  return { file, said, sockets, greet };
}
const codeOf = (work: Promise<unknown>) => work.then(() => "done", (error: unknown) => toOlpmError(error, "").code);

test("a blocked monitor is attached to at once; a command that it did not take in time is never sent; later ones are", async (t) => {
  const { file, said, sockets, greet } = await monitor(t, { greets: () => false });
  const client = QmpClient.attach(file);
  t.after(() => client.close());
  assert.equal(await codeOf(client.execute("cont", {}, 50)), "timeout");
  greet(sockets[0]!);
  assert.equal(await client.execute("query-status"), "query-status");
  assert.deepEqual(said, ["qmp_capabilities", "query-status"]);
});

test("a monitor that hangs up before it greets is tried again, and its loss afterwards is final", async (t) => {
  const { file, sockets } = await monitor(t, { greets: () => true, hangsUp: (connection) => connection < 3 });
  const client = QmpClient.attach(file);
  t.after(() => client.close());
  assert.equal(await client.execute("query-status"), "query-status");
  assert.equal(sockets.length, 3);
  sockets[2]!.destroy();
  assert.equal((await client.closed).code, "peer-lost");
  assert.equal(await codeOf(client.execute("query-status")), "peer-lost");
});

test("closing ends the trying, and whoever waits hears of it", async (t) => {
  const { file } = await monitor(t, { greets: () => false });
  const client = QmpClient.attach(file);
  const waiting = codeOf(client.execute("query-status"));
  client.close();
  assert.equal(await waiting, "peer-lost");
});

test("connecting fails at once where nobody listens", async () => {
  assert.equal(await codeOf(QmpClient.connect("/nonexistent/qmp.sock")), "peer-lost");
});
