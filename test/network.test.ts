/** Virtual Ethernet with real bridges, taps and 802.1Q tags in namespaces of its own. Needs root and iproute2. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { silentLogger } from "../src/kit/log.js";
import { run, runAny } from "../src/kit/run.js";
import { LparId } from "../src/model/ids.js";
import { Network, type Plug } from "../src/system/network.js";
import { inNamespace } from "../src/lab/wiring.js";

const namespace = `olpm-net-${process.pid}`;
interface Link {
  readonly ifname: string;
  readonly master?: string;
  readonly flags: readonly string[];
}
const vlanProgram = path.resolve(process.env["OPENLPM_NATIVE"] ?? "native/build", "vlan");
const taps = async () => (JSON.parse(await run(["ip", "-n", namespace, "-j", "link", "show"])) as Link[]).filter(({ ifname }) => /^[tu]\d/.test(ifname)).map(({ ifname, master, flags }) => ({ ifname, master, up: flags.includes("UP") }));

before(() => run(["ip", "netns", "add", namespace]));
after(() => runAny(["ip", "netns", "delete", namespace]));

test("the tap of an adapter is in its VLAN, joins another one while it is there, and goes", async () => {
  const network = new Network({ namespace, vlanProgram }, silentLogger);
  const lparId = LparId.parse(3);
  const where: Plug = { lparId, slot: 2, vswitchId: 0, vlanId: 1, additionalVlanIds: [] };
  assert.equal(await network.plug(where, 0), "t3s2");
  assert.deepEqual(await taps(), [{ ifname: "t3s2", master: "vsw0-1", up: true }]);
  await network.rejoin({ ...where, vswitchId: 1, vlanId: 30 });
  assert.deepEqual(await taps(), [{ ifname: "t3s2", master: "vsw1-30", up: true }]);
  await assert.rejects(network.rejoin({ ...where, slot: 9 }), { code: "refused" });
  await network.unplug(lparId, [2, 9]);
  assert.deepEqual(await taps(), []);
});

test("each additional VLAN of an adapter has a port on its bridge; they come, change and go with the tap, and another slot's stay", async () => {
  const network = new Network({ namespace, vlanProgram }, silentLogger);
  const where: Plug = { lparId: LparId.parse(3), slot: 2, vswitchId: 0, vlanId: 1, additionalVlanIds: [20, 4094] };
  const ports = async () => (await taps()).flatMap(({ ifname, master, up }) => (up && !ifname.startsWith("u") ? [`${ifname} ${master}`] : [])).sort();
  await network.plug(where, 0);
  await network.plug({ ...where, slot: 21, additionalVlanIds: [20] }, 0);
  assert.deepEqual(await ports(), ["t3s2 vsw0-1", "t3s21 vsw0-1", "t3s21v20 vsw0-20", "t3s2v20 vsw0-20", "t3s2v4094 vsw0-4094"]);
  await network.rejoin({ ...where, vswitchId: 1, vlanId: 5, additionalVlanIds: [30] });
  await network.plug({ ...where, slot: 21, additionalVlanIds: [] }, 0);
  assert.deepEqual(await ports(), ["t3s2 vsw1-5", "t3s21 vsw0-1", "t3s2v30 vsw1-30"]);
  await network.unplug(where.lparId, [2, 21]);
  assert.deepEqual(await taps(), []);
  const unable = new Network({ namespace, vlanProgram: "false" }, silentLogger);
  await assert.rejects(unable.plug(where, 0), { code: "unsupported", message: /802\.1Q tags/ });
  assert.equal(await unable.plug({ ...where, additionalVlanIds: [] }, 0), "t3s2");
  await unable.unplug(where.lparId, [2]);
  assert.deepEqual(await taps(), []);
});

test("frames take the tag of their port and reach that VLAN only; other tags, and tags inside tags, go nowhere", async () => {
  const [near, far] = [`${namespace}-a`, `${namespace}-b`];
  const reaches = async (address: string) => (await runAny(inNamespace(near, "ping", "-c", "1", "-W", "1", address))).code === 0;
  const receivedBy = async (name: string) => (JSON.parse(await run(["ip", "-n", far, "-j", "-s", "link", "show", "dev", name])) as { stats64: { rx: { packets: number } } }[])[0]!.stats64.rx.packets;
  const tags = (where: string, ...words: string[]) => run(inNamespace(where, vlanProgram, ...words));
  try {
    for (const where of [near, far]) {
      await run(["ip", "netns", "add", where]);
      // Nothing is to be heard but what is sent here.
      await run(inNamespace(where, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"));
    }
    await run(["ip", "-n", near, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", far]);
    // VLANs 20 and 30 on both ends; 40 on the near one only; 50 inside 20.
    for (const [where, vlans, host] of [[near, [20, 30, 40, 50], 1], [far, [20, 30], 2]] as const) {
      await run(["ip", "-n", where, "address", "add", `10.78.0.${host}/24`, "dev", "wire"]);
      for (const vlan of vlans) {
        await run(["ip", "-n", where, "link", "add", `v${vlan}`, "type", "veth", "peer", "name", `u${vlan}`]);
        await run(["ip", "-n", where, "address", "add", `10.78.${vlan}.${host}/24`, "dev", `v${vlan}`]);
      }
      for (const name of ["wire", ...vlans.flatMap((vlan) => [`v${vlan}`, `u${vlan}`])]) await run(["ip", "-n", where, "link", "set", "dev", name, "up"]);
    }
    await tags(near, "wire", "20=u20", "30=u30", "40=u40");
    await tags(far, "wire", "20=u20", "30=u30");
    assert.deepEqual([await reaches("10.78.0.2"), await reaches("10.78.20.2"), await reaches("10.78.30.2")], [true, true, true], "without a tag, and with two");
    for (const where of [near, far]) for (const name of ["v20", "v30"]) await run(["ip", "-n", where, "link", "set", "dev", name, "arp", "off"]);
    const before = await Promise.all(["v20", "v30"].map(receivedBy));
    await run(["ip", "-n", near, "neighbour", "add", "10.78.40.2", "lladdr", "02:00:00:00:00:40", "dev", "v40"]);
    assert.equal(await reaches("10.78.40.2"), false);
    await tags(near, "v20", "50=u50");
    await run(["ip", "-n", near, "neighbour", "add", "10.78.50.2", "lladdr", "02:00:00:00:00:50", "dev", "v50"]);
    const wire = await receivedBy("wire");
    assert.equal(await reaches("10.78.50.2"), false);
    assert.ok((await receivedBy("wire")) > wire, "the frame came as far as the far end's interface");
    assert.deepEqual(await Promise.all(["v20", "v30"].map(receivedBy)), before, "and no VLAN saw it, nor the other one");
    for (const where of [near, far]) for (const name of ["v20", "v30"]) await run(["ip", "-n", where, "link", "set", "dev", name, "arp", "on"]);
    await tags(near, "wire", "20=u20", "30=u30");
    assert.equal(await reaches("10.78.20.2"), true);
    await tags(far, "wire", "30=u30");
    assert.deepEqual([await reaches("10.78.0.2"), await reaches("10.78.20.2"), await reaches("10.78.30.2")], [true, false, true], "what was set before is replaced");
  } finally {
    for (const where of [near, far]) await runAny(["ip", "netns", "delete", where]);
  }
});
