/** Who may stand for the peer mover before the native program: nobody from another address, nobody without the key, and nobody for long. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { test } from "node:test";

const PROGRAM = path.resolve(import.meta.dirname, "../../../native/build/mover");
const HELLO_MS = 5_000;

/** The first record of a stream under `key` (native/mover.c). */
function greeting(key: Buffer): Buffer {
  const text = Buffer.from("openlpm mover 1 sealed");
  const header = Buffer.alloc(8);
  header.writeUInt32BE(text.length);
  const cipher = createCipheriv("aes-128-gcm", key, Buffer.alloc(12));
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
}

test("strangers are turned away in time, and the peer is taken after them", { timeout: 30_000 }, async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-greeting-"));
  const take = net.createServer((socket) => void socket.on("error", () => undefined).end("ok")).listen(path.join(dir, "take"));
  const keys = randomBytes(32);
  const program = spawn(PROGRAM, ["receive", "127.0.0.1", "127.0.0.1", path.join(dir, "take"), "sealed"], { stdio: ["pipe", "pipe", "ignore"] });
  const sockets: net.Socket[] = [];
  try {
    program.stdin.end(keys);
    const lines = readline.createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    const { port } = JSON.parse((await lines.next()).value as string) as { port: number };
    const comes = async (localAddress: string, bytes: Buffer): Promise<net.Socket> => {
      const socket = net.connect({ host: "127.0.0.1", port, localAddress }).on("error", () => undefined).resume();
      sockets.push(socket);
      await once(socket, "connect");
      socket.write(bytes);
      return socket;
    };
    const good = greeting(keys.subarray(0, 16));
    const turnedAway = async (socket: net.Socket) => socket.closed || (await new Promise((resolve) => socket.once("close", resolve)));
    await turnedAway(await comes("127.0.0.2", good));
    await turnedAway(await comes("127.0.0.1", greeting(randomBytes(16))));
    // A byte now and then: each comes in time, the greeting does not.
    const began = performance.now();
    const slow = await comes("127.0.0.1", good.subarray(0, 1));
    const drip = setInterval(() => slow.writable && slow.write("x"), 500);
    await turnedAway(slow).finally(() => clearInterval(drip));
    assert.ok(performance.now() - began < HELLO_MS + 2_000, `${performance.now() - began} ms`);
    await comes("127.0.0.1", good);
    assert.equal((await lines.next()).value, '{"state":"streaming"}');
  } finally {
    for (const socket of sockets) socket.destroy();
    program.kill("SIGKILL");
    take.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
});
