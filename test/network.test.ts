/** Virtual Ethernet with real bridges and taps in a namespace of its own. Needs root and iproute2. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { silentLogger } from "../src/kit/log.js";
import { run, runAny } from "../src/kit/run.js";
import { LparId } from "../src/model/ids.js";
import { Network } from "../src/system/network.js";

const namespace = `olpm-net-${process.pid}`;
interface Link {
  readonly ifname: string;
  readonly master?: string;
  readonly flags: readonly string[];
}
const taps = async () => (JSON.parse(await run(["ip", "-n", namespace, "-j", "link", "show"])) as Link[]).filter(({ ifname }) => ifname.startsWith("t")).map(({ ifname, master, flags }) => ({ ifname, master, up: flags.includes("UP") }));

before(() => run(["ip", "netns", "add", namespace]));
after(() => runAny(["ip", "netns", "delete", namespace]));

test("the tap of an adapter is in its VLAN, joins another one while it is there, and goes", async () => {
  const network = new Network(namespace, silentLogger);
  const lparId = LparId.parse(3);
  assert.equal(await network.plug(lparId, 2, 0, 1, 0), "t3s2");
  assert.deepEqual(await taps(), [{ ifname: "t3s2", master: "vsw0-1", up: true }]);
  await network.rejoin(lparId, 2, 1, 30);
  assert.deepEqual(await taps(), [{ ifname: "t3s2", master: "vsw1-30", up: true }]);
  await assert.rejects(network.rejoin(lparId, 9, 0, 1), { code: "refused" });
  await network.unplug(lparId, [2, 9]);
  assert.deepEqual(await taps(), []);
});
