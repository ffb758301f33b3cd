/**
 * Virtual switches and VLANs with real parts: two switches on each system, each with a shared Ethernet adapter to the LAN, VLANs with 802.1Q tags from the partition's
 * own operating system to the LAN's switch. Clients on three VLANs keep their connections over moves and the loss of a Virtual I/O Server; what is not allowed is not heard.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runAny } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { held, hold, letGo } from "../src/lab/faults.js";
import { startSystem, stopService } from "../src/lab/services.js";
import { Writer } from "../src/lab/witness.js";
import { inNamespace } from "../src/lab/wiring.js";
import { Fixture } from "./support/fixture.js";

/** The second switch has another name on the second system, and VLAN 40 is not bridged there. */
const MS01 = [{ vswitch: "ETHERNET0", vlanIds: [1, 20] }, { vswitch: "PROD", vlanIds: [30, 40] }];
const MS02 = [{ vswitch: "ETHERNET0", vlanIds: [1, 20] }, { vswitch: "PRODUCTION", vlanIds: [30] }];
/** VLAN 20 by tags on the first adapter; the second one is on VLAN 30, where the partition has an address of VLAN 40's network, and tries VLAN 40 by tags. */
const NETWORKS = "eth0.20=10.9.20.100/24 eth1=10.9.30.100/24 eth1=10.9.40.101/32 eth1.40=10.9.40.100/24";

let lab: Fixture;
const writers: Writer[] = [];
const quiet = (line: string) => lab.operator.quiet(line);
const run = (line: string) => lab.operator.run(line);
const pinged = async (address: string) => (await runAny(inNamespace(lab.lab.lan.namespace, "ping", "-c", "1", "-W", "1", address))).code === 0;
const reached = (address: string, what: string) => until(async () => ((await pinged(address)) ? true : undefined), { what, deadlineMs: 10_000, everyMs: 100 });
const everyClient = () => Promise.all([lab.client("db01").writer, ...writers].map((writer) => writer.progressed()));

before(async () => {
  lab = await Fixture.up("vln", { luns: 1, faults: true, systems: [{ name: "ms01", serial: "7800A01", networks: MS01 }, { name: "ms02", serial: "7800A02", networks: MS02 }] });
  await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512, ethernet: ["3/1/1/20/0/1", "4/0/30//0/1/PROD"], networks: NETWORKS });
  for (const [key, address] of [["tagged", "10.9.20.100"], ["second", "10.9.30.100"]] as const) writers.push(new Writer({ namespace: lab.lab.lan.namespace, address, key, pauseMs: 20 }));
});
after(async () => {
  for (const writer of writers) writer.kill();
  await lab.down();
});

test("what is listed agrees: adapters, switches, networks, and the shared Ethernet adapters of a Virtual I/O Server", async () => {
  assert.equal(await quiet("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=db01 -F slot_num,vswitch,ieee_virtual_eth,port_vlan_id,addl_vlan_ids,is_trunk"), "3,ETHERNET0,1,1,20,0\n4,PROD,0,30,,0\n");
  assert.equal(await quiet("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=vios2 -F slot_num,vswitch,port_vlan_id,addl_vlan_ids,is_trunk,trunk_priority"), "2,ETHERNET0,1,20,1,2\n3,PROD,30,40,1,2\n");
  assert.equal(await quiet("lshwres -r virtualio --rsubtype vswitch -m ms01 -F vswitch,vlan_ids"), 'ETHERNET0,"1,20"\nPROD,"30,40"\n');
  assert.equal(await quiet("lshwres -r virtualio --rsubtype vnetwork -m ms02 -F vnetwork,is_tagged"), "VLAN1-ETHERNET0,0\nVLAN20-ETHERNET0,1\nVLAN30-PRODUCTION,0\n");
  const vios = (name: string, words: string) => quiet(`viosvrcmd -m ms01 -p ${name} -c "${words}"`);
  assert.match(await vios("vios1", "lsmap -all -net -fmt :"), /^ent2:U[^:]*-V1-C2-T1:ent4:ent0:Available: \nent3:U[^:]*-V1-C3-T1:ent5:ent1:Available: \n$/);
  const stat = await vios("vios1", "entstat -all ent5");
  for (const piece of [/^    ent3: 30 40$/m, /^State: PRIMARY$/m, /^Real Adapter: ent1$/m, /^VLAN Tag IDs: 40$/m]) assert.match(stat, piece);
  assert.match(await vios("vios2", "entstat -all ent4"), /^State: BACKUP$/m);
  await everyClient();
});

test("frames reach the VLANs of the adapter and no others; an additional VLAN that is added while the partition runs is reached at once", async () => {
  assert.deepEqual(await Promise.all(["10.9.0.100", "10.9.20.100", "10.9.30.100"].map(pinged)), [true, true, true]);
  assert.deepEqual(await Promise.all(["10.9.40.100", "10.9.40.101"].map(pinged)), [false, false], "a tag that the adapter has not, and the adapter of VLAN 30 asked on VLAN 40");
  await quiet("chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 4 -a ieee_virtual_eth=1,addl_vlan_ids=40");
  await reached("10.9.40.100", "VLAN 40");
  await everyClient();
});

test("a VLAN that no shared Ethernet adapter bridges there, and a switch that is not there, are found; a mapping and --vlanbridge 2 say what to do instead", async () => {
  const line = "migrlpar -o v -m ms01 -t ms02 -p db01";
  const mapped = `${line} -i vswitch_mappings=/PROD/PRODUCTION`;
  assert.match((await run(line)).stderr, /^OLPM-VN01 .*ms02 has no virtual switch PROD, which the adapter in slot 4 uses\./m);
  const refused = await run(mapped);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^OLPM-VN02 .*VLAN 40 of the adapter in slot 4 is bridged on ms01, and no shared Ethernet adapter .* bridges it on ms02\./);
  assert.doesNotMatch(refused.stderr, /VN01|VLAN 20|VLAN 30/);
  const warned = await run(`${mapped} --vlanbridge 2`);
  assert.deepEqual([warned.code, /OLPM-VN02 .*The partition will have no network on it/.test(warned.stderr)], [0, true], warned.stderr);
  await quiet("chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 4 -a ieee_virtual_eth=0,addl_vlan_ids=none");
  assert.deepEqual(await run(mapped), { code: 0, stdout: "", stderr: "" });
});

test("a partition that moves keeps its clients on all its VLANs, there and back; the switch has the name of its system", async () => {
  for (const [from, to, mapping, there] of [["ms01", "ms02", "30/PROD/PRODUCTION", "PRODUCTION"], ["ms02", "ms01", "/PRODUCTION/PROD", "PROD"]] as const) {
    const { code, stderr } = await run(`migrlpar -o m -m ${from} -t ${to} -p db01 -i vswitch_mappings=${mapping}`);
    assert.equal(code, 0, stderr);
    await everyClient();
    await lab.check("db01", to);
    assert.equal(await quiet(`lshwres -r virtualio --rsubtype eth --level lpar -m ${to} --filter lpar_names=db01 -F slot_num,vswitch,port_vlan_id,addl_vlan_ids`), `3,ETHERNET0,1,20\n4,${there},30,\n`);
    assert.deepEqual(await Promise.all(["10.9.40.100", "10.9.40.101"].map(pinged)), [false, false], "the same VLANs and no others");
  }
});

test("a VLAN that the destination bridges no more after the validation ends the move before the hand-over with that, and the clients keep their connections", async () => {
  const ms02 = lab.system("ms02");
  const restarted = async (networks: typeof ms02.networks) => {
    await stopService(ms02.runDir);
    await startSystem(lab.lab, { ...ms02, networks }, lab.lab.environment);
  };
  await lab.slow("ms01", "vios1");
  hold(lab.system("ms01"), "prepare");
  const ended = run("migrlpar -o m -m ms01 -t ms02 -p db01 -i vswitch_mappings=/PROD/PRODUCTION,source_msp_name=vios1,dest_msp_name=vios1");
  await held(lab.system("ms01"), "prepare");
  await restarted(ms02.networks.map((one) => ({ ...one, vlanIds: one.vlanIds.filter((vlanId) => vlanId !== 20) })));
  await lab.operator.until("lssyscfg -r sys -m ms02 -F state", "Operating", 20_000);
  letGo(lab.system("ms01"), "prepare");
  const { code, stderr } = await ended;
  await lab.fast("ms01", "vios1");
  await restarted(ms02.networks);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^OLPM-VN02 .*VLAN 20 of the adapter in slot 3 is bridged on ms01, and no shared Ethernet adapter .* bridges it on ms02\..*\nOLPM-R00 Partition db01 is running on ms01; nothing is reserved on ms02\.\n$/);
  await everyClient();
  await lab.check("db01", "ms01");
});

test("when the Virtual I/O Server that carries the traffic is killed, the other one takes all VLANs of both switches", async () => {
  await quiet("migrlpar -o m -m ms01 -t ms02 -p db01 -i vswitch_mappings=/PROD/PRODUCTION,virtual_scsi_mappings=2/vios2/");
  process.kill(lab.pid("ms02", "v1"), "SIGKILL");
  await lab.operator.until("lssyscfg -r lpar -m ms02 --filter lpar_names=vios1 -F state", "Error", 15_000);
  await everyClient();
  await quiet("chsysstate -m ms02 -r lpar -o on -n vios1");
  await everyClient();
  await lab.check("db01", "ms02");
});

test("no client lost its connection, and no acknowledged write is missing", async () => {
  for (const writer of writers.splice(0)) {
    const { error, connectionsLost, acknowledged } = await writer.finish();
    assert.deepEqual([error, connectionsLost], [null, 0]);
    assert.ok(acknowledged > 20, `${acknowledged} writes`);
  }
  await lab.finish("db01");
});
