import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import test from "node:test";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { silentLogger as log } from "../kit/log.js";
import { RpcPeer, type Handlers } from "./rpc.js";

const contract = {
  name: "test",
  methods: {
    double: { params: z.object({ n: z.number() }), result: z.object({ n: z.number() }) },
    fail: { params: z.object({}), result: z.object({}) },
    wait: { params: z.object({}), result: z.object({}) },
    lie: { params: z.object({}), result: z.object({ n: z.number() }) },
  },
  events: { tick: z.object({ n: z.number() }) },
} as const;

/** Two ends of one connection in memory. */
function pair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk);
        done();
      },
      destroy(_error, done) {
        if (!other().destroyed) other().destroy();
        done(null);
      },
    });
  const a: Duplex = make(() => b);
  const b: Duplex = make(() => a);
  return [a, b];
}

function connected(overrides: Partial<Handlers<typeof contract>> = {}) {
  const [left, right] = pair();
  const handlers: Handlers<typeof contract> = {
    double: async ({ n }) => ({ n: 2 * n }),
    fail: async () => {
      throw new OlpmError("not-found", "The partition named x was not found.", { hsc: "HSCL8012", action: "Look." });
    },
    wait: (_params, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
    lie: async () => ({ n: "text" }) as never,
    ...overrides,
  };
  const server = new RpcPeer(right, { self: "system:s", caller: "console:c", log, serves: { contract, handlers }, silenceMsMax: 0 });
  const peer = new RpcPeer(left, { self: "console:c", caller: "system:s", log, silenceMsMax: 0 });
  return { server, peer, client: peer.client(contract) };
}

test("a call is answered, several in flight find their own answers", async () => {
  const { client } = connected();
  assert.deepEqual(await Promise.all([1, 2, 3].map((n) => client.call("double", { n }))), [{ n: 2 }, { n: 4 }, { n: 6 }]);
});

test("an error keeps code, HSC code and action, and says who reported it", async () => {
  const { client } = connected();
  await assert.rejects(client.call("fail", {}), (error: OlpmError) => error.code === "not-found" && error.hsc === "HSCL8012" && error.action === "Look." && error.reportedBy === "system:s");
});

test("parameters of a wrong form never reach the handler", async () => {
  let reached = false;
  const { client } = connected({ double: async ({ n }) => ((reached = true), { n }) });
  await assert.rejects(client.call("double", { n: "1" as never }), { code: "invalid-argument" });
  assert.equal(reached, false);
});

test("an answer of a wrong form is an error, not a value", async () => {
  await assert.rejects(connected().client.call("lie", {}), { code: "internal" });
});

test("an unknown method, also one of Object's, is refused", async () => {
  const { peer } = connected();
  const other = { name: "o", methods: { toString: { params: z.object({}), result: z.object({}) } }, events: {} } as const;
  await assert.rejects(peer.client(other).call("toString", {}), { code: "unsupported" });
});

test("an abort reaches the handler and rejects the call with the caller's reason", async () => {
  let aborted!: () => void;
  const heard = new Promise<void>((resolve) => (aborted = resolve));
  const { client } = connected({ wait: (_p, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => (aborted(), reject(signal.reason as Error)))) });
  const controller = new AbortController();
  const call = client.call("wait", {}, { signal: controller.signal });
  controller.abort(new OlpmError("aborted", "enough"));
  await assert.rejects(call, /enough/);
  await heard;
});

test("a deadline is a timeout and stops the handler", async () => {
  await assert.rejects(connected().client.call("wait", {}, { deadlineMs: 20 }), { code: "timeout" });
});

test("the end of the connection rejects what is in flight and what comes later", async () => {
  const { client, server, peer } = connected();
  const call = client.call("wait", {}, { deadlineMs: Infinity });
  server.destroy();
  await assert.rejects(call, { code: "peer-lost" });
  assert.equal((await peer.closed).code, "peer-lost");
  await assert.rejects(client.call("double", { n: 1 }), { code: "peer-lost" });
});

test("events arrive checked; one of a wrong form is dropped", async () => {
  const { client, server } = connected();
  const got: number[] = [];
  const second = new Promise<void>((resolve) => client.on("tick", ({ n }) => (got.push(n), got.length === 2 && resolve())));
  server.emit("tick", { n: 1 });
  server.emit("tick", { n: "no" });
  server.emit("tick", { n: 2 });
  await second;
  assert.deepEqual(got, [1, 2]);
});
