import assert from "node:assert/strict";
import { test } from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { LunId, SlotNumber } from "../../model/ids.js";
import type { ViosTargetDevice } from "../../wire/system-vios.js";
import { Exports, type BlockCommands } from "./exports.js";

const BYTES = 1 << 20;
const PATH = { portal: "san:3260", target: "iqn.t", lunNumber: 1 };
const device = (name: string): ViosTargetDevice => ({ name, slot: SlotNumber.parse(2), lun: LunId.parse("naa.6000000000000001"), lunBytes: BYTES, gate: "open" });
const nothing = async () => undefined;

/** Keeps nodes and exports as the daemon would; refuses what it was not taught, and the nth command when told to. */
class FakeDaemon implements BlockCommands {
  readonly nodes = new Map<string, string | undefined>();
  readonly exports = new Map<string, string>();
  calls = 0;
  failAt = Infinity;
  constructor(readonly lunBytes = BYTES) {}
  async call(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (++this.calls === this.failAt) throw new OlpmError("storage-failed", `told to fail at ${command}`);
    switch (command) {
      case "blockdev-add":
        this.nodes.set(String(args["node-name"]), args["file"] as string | undefined);
        return {};
      case "blockdev-del":
        assert.ok(this.nodes.delete(String(args["node-name"])));
        return {};
      case "blockdev-reopen":
        for (const one of args["options"] as Record<string, string>[]) this.nodes.set(one["node-name"]!, one["file"]);
        return {};
      case "query-named-block-nodes":
        return [...this.nodes.keys()].map((name) => ({ "node-name": name, image: { "virtual-size": this.lunBytes } }));
      case "block-export-add":
        this.exports.set(String(args["id"]), String(args["name"]));
        return {};
      case "block-export-del":
        this.exports.delete(String(args["id"]));
        return {};
      case "query-block-exports":
        return [...this.exports.keys()].map((id) => ({ id }));
      default:
        throw new Error(`not taught: ${command}`);
    }
  }
}

test("a device is served behind its gate and removed without a trace", async () => {
  const daemon = new FakeDaemon();
  const exports = new Exports(daemon, "iqn.i");
  await exports.add(device("a"), PATH, nothing, () => "closed");
  assert.deepEqual([...daemon.exports.values()], ["a"]);
  assert.match(daemon.nodes.get("gate0")!, /^closed/);
  await exports.setGates(["a", "a"], "open");
  assert.match(daemon.nodes.get("gate0")!, /^lun/);
  await exports.remove("a");
  await exports.remove("a");
  assert.deepEqual([daemon.nodes.size, daemon.exports.size, exports.has("a")], [0, 0, false]);
});

test("a failure at any command leaves nothing behind", async () => {
  const whole = new FakeDaemon();
  await new Exports(whole, "iqn.i").add(device("a"), PATH, nothing, () => "open");
  assert.ok(whole.calls > 5);
  for (let failAt = 1; failAt <= whole.calls; failAt++) {
    const daemon = new FakeDaemon();
    daemon.failAt = failAt;
    const exports = new Exports(daemon, "iqn.i");
    await assert.rejects(exports.add(device("a"), PATH, nothing, () => "open"), { code: "storage-failed" });
    assert.deepEqual([daemon.nodes.size, daemon.exports.size, exports.has("a")], [0, 0, false], `failed at command ${failAt}`);
  }
});

test("a wrong size and a refused confirmation leave nothing behind", async () => {
  for (const [daemon, confirm, code] of [
    [new FakeDaemon(BYTES * 2), nothing, "lun-mismatch"],
    [new FakeDaemon(), () => Promise.reject(new OlpmError("lun-mismatch", "another LUN")), "lun-mismatch"],
  ] as const) {
    await assert.rejects(new Exports(daemon, "iqn.i").add(device("a"), PATH, confirm, () => "open"), { code });
    assert.equal(daemon.nodes.size, 0);
  }
});

test("a gate that closes while its device is being made stays closed", async () => {
  for (let at = 1; at < 9; at++) {
    const daemon = new FakeDaemon();
    const exports = new Exports(daemon, "iqn.i");
    let wanted: "open" | "closed" = "open";
    const call = daemon.call.bind(daemon);
    let closing: Promise<void> | undefined;
    daemon.call = (command, args) => {
      const answer = call(command, args);
      if (daemon.calls === at && !closing) {
        wanted = "closed";
        closing = exports.has("a") ? exports.setGates(["a"], "closed") : Promise.resolve();
      }
      return answer;
    };
    await exports.add(device("a"), PATH, nothing, () => wanted);
    await closing;
    const opened = /^lun/.test(daemon.nodes.get("gate0")!);
    assert.equal(opened, closing === undefined, `closed during command ${at}`);
  }
});

test("gates of a device that is not served are refused, and no other is touched", async () => {
  const daemon = new FakeDaemon();
  const exports = new Exports(daemon, "iqn.i");
  await exports.add(device("a"), PATH, nothing, () => "closed");
  await assert.rejects(exports.setGates(["a", "b"], "open"), { code: "storage-failed" });
  assert.match(daemon.nodes.get("gate0")!, /^closed/);
});
