/** What commands that change something ask of the managed system, and what they refuse before it is asked. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { fakeConsole, fakeSystems } from "../../testkit/fake-console.js";
import { plainWords } from "../doors/plain-line.js";
import { runCommand } from "./index.js";
import { withoutSecrets } from "./run.js";

async function run(line: string) {
  const systems = fakeSystems();
  const console = fakeConsole(systems);
  const words = plainWords(line);
  assert.ok(words, line);
  const status = await runCommand(words, console.context);
  return { status, ...console.take(), changes: systems.flatMap((system) => system.changes), moves: console.moves, systems, console };
}

/** Silent success, and what was asked. */
const CHANGES: readonly [line: string, method: string, params: object][] = [
  ["chsysstate -m ms01 -r lpar -o on -n db01", "lpar.activate", { lparId: 3, profile: null, bootMode: null, keylock: null }],
  ["chsysstate -r lpar -m '9009-42A*7800A01' -o on -b sms --id 3 -f normal -k manual", "lpar.activate", { lparId: 3, profile: "normal", bootMode: "sms", keylock: "manual" }],
  ["chsysstate -m ms01 -r lpar -n db01 -o shutdown --immed --restart", "lpar.shutdown", { lparId: 3, how: "immediate", restart: true }],
  ["chsysstate -m ms01 -r lpar -n db01 -o osshutdown", "lpar.shutdown", { lparId: 3, how: "os", restart: false }],
  ["chsysstate -m ms01 -r lpar -n db01 -o chkey -k manual", "lpar.modify", { lparId: 3, settings: { keylock: "manual" } }],
  ["chsyscfg -m ms01 -r lpar -i lpar_id=1,msp=1", "lpar.modify", { lparId: 1, settings: { msp: true } }],
  ['chsyscfg -m ms01 -r lpar -i "name=db01, allow_perf_collection=1,new_name=db 02,profile_name=normal"', "lpar.modify", { lparId: 3, newName: "db 02", defaultProfile: "normal", settings: { allowPerfCollection: true } }],
  ["chsyscfg -r lpar -m ms01 -n normal -p db01 -o apply", "profile.apply", { lparId: 3, name: "normal" }],
  ["chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=userinit,power_off_policy=0", "system.configure", { startPolicy: "userinit" }],
  ["mksyscfg -r prof -m ms01 -o save -p db01 -n db01_bck --force", "profile.save", { lparId: 3, name: "db01_bck", force: true }],
  [`mksyscfg -r sysprof -m ms01 -i 'name=all,"lpar_ids=3,4","profile_names=normal,big"'`, "sysprof.put", { name: "all", members: [{ lparId: 3, profile: "normal" }, { lparId: 4, profile: "big" }], mustExist: false }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names-=db01", "sysprof.put", { name: "night", members: [{ lparId: 4, profile: "big" }], mustExist: true }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names+=vios1,profile_names+=default", "sysprof.put", { name: "night", members: [{ lparId: 3, profile: "normal" }, { lparId: 4, profile: "big" }, { lparId: 1, profile: "default" }], mustExist: true }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,new_name=day", "sysprof.put", { name: "night", newName: "day", members: null, mustExist: true }],
  ["rmsyscfg -r lpar -m ms01 -n db01 --vioscfg", "lpar.remove", { lparId: 3, removeServerAdapters: true }],
  ["rmsyscfg -r prof -m ms01 -n normal --id 3", "profile.remove", { lparId: 3, name: "normal" }],
  ["rmsyscfg -r sysprof -m ms01 -n night", "sysprof.remove", { name: "night" }],
  ["chhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype scsi -s 12 -a adapter_type=server,remote_lpar_id=3,remote_slot_num=2 -w 1", "adapter.add", { lparId: 1, adapter: { kind: "scsi", value: { slot: 12, role: "server", remoteLparId: 3, remoteSlot: 2, required: false } } }],
  ['chhwres -r virtualio --rsubtype scsi -m ms01 -p vios1 -o a -s 12 -d 0 -a "adapter_type=server,remote_lpar_name=any"', "adapter.add", { lparId: 1, adapter: { kind: "scsi", value: { slot: 12, role: "server", remoteLparId: null, remoteSlot: null, required: false } } }],
  ['chhwres -r virtualio -m ms01 -o a --id 4 --rsubtype scsi -a "adapter_type=client,remote_lpar_name=vios1,                    remote_slot_num=10"', "adapter.add", { lparId: 4, adapter: { kind: "scsi", value: { slot: 2, role: "client", remoteLparId: 1, remoteSlot: 10, required: false } } }],
  ["chhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype fc -s 12 -a adapter_type=server,remote_lpar_name=db01,remote_slot_num=2", "adapter.add", { lparId: 1, adapter: { kind: "fc", value: { slot: 12, role: "server", remoteLparId: 3, remoteSlot: 2, required: false, wwpns: null, active: 0 } } }],
  ['chhwres -r virtualio -m ms01 -o a --id 4 --rsubtype fc -s 5 -a \'adapter_type=client,remote_lpar_name=vios1,                    remote_slot_num=30,"wwpns=c05076aabbcc0000,c05076aabbcc0001"\'', "adapter.add", { lparId: 4, adapter: { kind: "fc", value: { slot: 5, role: "client", remoteLparId: 1, remoteSlot: 30, required: false, wwpns: ["c05076aabbcc0000", "c05076aabbcc0001"], active: 0 } } }],
  ["chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -a ieee_virtual_eth=0,port_vlan_id=10,vswitch=ETHERNET0,is_trunk=0", "adapter.add", { lparId: 3, adapter: { kind: "ethernet", value: { slot: 5, ieee: false, portVlanId: 10, additionalVlanIds: [], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac: null } } }],
  [`chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 4 -a '"addl_vlan_ids=20,40"'`, "adapter.set", { lparId: 3, value: { slot: 4, ieee: true, portVlanId: 10, additionalVlanIds: [20, 40], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac: "02AABB000104" } }],
  ["chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 4 -a port_vlan_id=30,addl_vlan_ids=none", "adapter.set", { lparId: 3, value: { slot: 4, ieee: true, portVlanId: 30, additionalVlanIds: [], trunkPriority: 0, required: false, vswitch: "ETHERNET0", mac: "02AABB000104" } }],
  ["chhwres -r virtualio -m ms01 -o r -p vios1 -s 12", "adapter.remove", { lparId: 1, slot: 12, force: false }],
  ["chhwres -r virtualio -m ms01 -o s --rsubtype vswitch --vswitch ETHERNET0 -a new_name=E0,switch_mode=VEB", "vswitch.put", { name: "ETHERNET0", newName: "E0", mustExist: true }],
  ["chhwres -r virtualio -m ms01 -o r --rsubtype vswitch --vswitch E1", "vswitch.remove", { name: "E1" }],
  ["rmvterm --id 3 -m ms01", "vterm.closeAny", { lparId: 3 }],
];
for (const [line, method, params] of CHANGES)
  test(line, async () => {
    const { status, out, err, changes } = await run(line);
    assert.deepEqual({ status, out, err, changes }, { status: 0, out: "", err: "", changes: [{ method, params }] });
  });

test("what can not be changed is refused on standard error with status 1, and nothing is asked", async () => {
  const cases: [string, RegExp][] = [
    ["chsysstate -m ms01 -r lpar -o on -n db01 --immed", /invalid parameter is --immed\./],
    ["chsysstate -m ms01 -r lpar -o rebuild -n db01", /parameter is -o\./],
    ["chsysstate -m ms01 -r lpar -o dumprestart -n db01", /dumprestart of the parameter -o is not supported/],
    ["chsysstate -m ms01 -r lpar -o on -n db01 -f", /either missing .* parameter is -f\./],
    ["chsysstate -m ms01 -r lpar -o on", /either missing .* parameter is -n\./],
    ["chsysstate -m ms01 -r sys -o off --immed", /power of a managed system is its host's/],
    ["chsysstate -r sys -o rebuild", /parameter is -m\./],
    ["chsysstate -m ms01 -r sysprof -o on -n x", /^HSCL8016 /],
    ["chsysstate -m ms01 -r lpar -o on -n db01 -i a", /IBM i/],
    ["chsyscfg -r lpar -m ms01 -i name=x,description=y", /^HSCL8012 The partition named x was not found\./],
    ["chsyscfg -r lpar -m ms01 -i name=db01,lpar_id=4,description=y", /^HSCL8012 /],
    ["chsyscfg -r lpar -m ms01 -i name=db01,desired_mem=1024", /invalid attribute is desired_mem\./],
    ["chsyscfg -r lpar -m ms01 -i name=db01,remote_restart_capable=1", /remote_restart_capable is not supported/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,auto_start=2", /auto_start is not valid: 0 or 1/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,auto_start+=1", /auto_start is not valid/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,description=ü", /^HSCLC63B /],
    ["chsyscfg -r lpar -m ms01 -f file", /keeps no files/],
    ["chsyscfg -r prof -m ms01 -i name=normal,lpar_name=db01,auto_start=1", /auto_start is not valid: it is 0 for partition db01/],
    ["chsyscfg -r prof -m ms01 -i name=x,lpar_name=db01", /^HSCL8016 /],
    ["chsyscfg -r prof -m ms01 -i name=normal,lpar_name=db01,mem_mode=shared", /mem_mode is not supported .* no shared memory pool/],
    ["chsyscfg -r sys -m ms01 -i new_name=x", /certificate/],
    ["chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=autorecovery", /auto_start=1/],
    ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names=db01", /profile_names is not valid: one profile for each/],
    ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names=db01,profile_names=big", /^HSCL8016 The profile big of partition db01/],
    ["mksyscfg -r lpar -m ms01 -i name=x,lpar_env=aixlinux,all_resources=1,profile_name=p", /all_resources is not supported/],
    ["mksyscfg -r lpar -m ms01 -i name=x,lpar_env=os400,profile_name=p", /lpar_env is not valid/],
    ["mksyscfg -r lpar -m ms01 -i name=x", /^HSCL0622 /],
    ["chhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype vnic -s 12 -a port_vlan_id=1", /vnic of the parameter --rsubtype is not supported/],
    ['chhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype fc -s 12 -a \'adapter_type=server,remote_lpar_name=db01,remote_slot_num=2,"wwpns=c05076aabbcc0000,c05076aabbcc0001"\'', /wwpns is not valid: a server adapter has none/],
    ["chhwres -r virtualio -m ms01 -o a --id 4 --rsubtype fc -a adapter_type=client,remote_lpar_name=vios1,remote_slot_num=30,wwpns=c05076aabbcc0000", /wwpns is not valid: WWPNs are two different names/],
    ["chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -a port_vlan_id=1,is_trunk=1", /is_trunk is not supported/],
    ["chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -a ieee_virtual_eth=1", /port_vlan_id is not valid/],
    [`chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -a 'port_vlan_id=1,"addl_vlan_ids=2,3"'`, /addl_vlan_ids is not valid: additional VLANs need an IEEE 802\.1Q adapter/],
    ["chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype eth -s 5 -a port_vlan_id=4095", /port_vlan_id is not valid/],
    ["chhwres -r virtualio -m ms01 -o a -p db01 --rsubtype scsi -a adapter_type=client,remote_lpar_id=any,remote_slot_num=any", /remote_slot_num is not valid/],
    ["chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 9 -a port_vlan_id=1", /no virtual Ethernet adapter in slot 9/],
    ["chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 3 -a mac_addr=02AABB000109", /mac_addr is not supported/],
    ["chhwres -r virtualio -m ms01 -o s -p db01 --rsubtype scsi -s 2 -a remote_slot_num=3", /keeps its partner/],
    ["chhwres -r virtualio -m ms01 -o d -p db01 --rsubtype eth -s 3", /-o is not supported/],
    ["chhwres -r virtualio -m ms01 -o r -p db01", /parameter is -s\./],
    ["chhwres -r virtualio -m ms01 -o a -p db01 -s 9 -a port_vlan_id=1", /parameter is --rsubtype\./],
    ["chhwres -r virtualio -m ms01 -o a --rsubtype vswitch --vswitch E1 -a switch_mode=VEPA", /switch_mode is not supported/],
    ["chhwres -r virtualio -m ms01 -o a --rsubtype vswitch --vswitch E/1", /no name of a virtual switch/],
    ["chhwres -r mempool -m ms01 -o r", /no shared memory pool/],
    ["chhwres -r io -m ms01 -o a -p db01 -l 21010002", /-r is not supported .* Virtual I.O Servers/],
    ["rmsyscfg -r lpar -m ms01 -n db01 -p db01", /invalid parameter is -p\./],
  ];
  for (const [line, expected] of cases) {
    const { status, out, err, changes } = await run(line);
    assert.deepEqual({ status, out, changes }, { status: 1, out: "", changes: [] }, line);
    assert.match(err, expected, line);
  }
});

test("a system profile activates Virtual I/O Servers first, and goes on when one can not be activated", async () => {
  const systems = fakeSystems();
  systems[0].systemProfiles = [{ name: "all", members: [{ lparId: 3 as never, lparName: "db01", profile: "normal" }, { lparId: 1 as never, lparName: "vios1", profile: "default" }] }];
  const console = fakeConsole(systems);
  const line = ["chsysstate", "-m", "ms01", "-r", "sysprof", "-o", "on", "-n", "all"];
  assert.equal(await runCommand(line, console.context), 0);
  assert.deepEqual(systems[0].changes.map(({ params }) => params), [1, 3].map((lparId) => ({ lparId, profile: lparId === 1 ? "default" : "normal", bootMode: null, keylock: null })));
  systems[0].refusal = new OlpmError("wrong-state", "The partition is running and can not be activated.", { hsc: "HSCL3681" });
  assert.equal(await runCommand(line, console.context), 1);
  assert.equal(console.take().err, "HSCL3681 The partition is running and can not be activated.\n".repeat(2));
});

test("users: made, changed and removed by records or by single options", async () => {
  const viewer = { name: "view1", taskRole: "hmcviewer", description: "HMC User", pwageDays: 99_999, sshAccess: true, password: "abc-123-def" };
  const cases: [string, unknown][] = [
    ["mkhmcusr -u view1 -a hmcviewer --passwd abc-123-def", viewer],
    ['mkhmcusr -i "name=view1,taskrole=hmcviewer,passwd=abc-123-def,pwage=30,remote_ssh_access=0,description=x y,resourcerole=ALL:"', { ...viewer, pwageDays: 30, sshAccess: false, description: "x y" }],
    ["chhmcusr -u operator1 -t taskrole -v hmcviewer", { name: "operator1", change: { name: undefined, taskRole: "hmcviewer", description: undefined, pwageDays: undefined, sshAccess: undefined, password: undefined } }],
    ["rmhmcusr -u operator1", { remove: "operator1" }],
    ["rmhmcusr -t all", { remove: "operator1" }],
  ];
  for (const [line, expected] of cases) {
    const { status, out, err, console } = await run(line);
    assert.deepEqual({ status, out, err, changes: console.userChanges }, { status: 0, out: "", err: "", changes: [expected] }, line);
  }
  const refused: [string, RegExp][] = [
    ["mkhmcusr -u view1 -a hmcviewer", /parameter is --passwd\./],
    ["mkhmcusr -u view1 -a hmcviewer --passwd short", /password is not valid: it has 8 to 32/],
    ["mkhmcusr -u View -a hmcviewer --passwd abc-123-def", /name is not valid/],
    ["mkhmcusr -u view1 -a hmcpe --passwd abc-123-def", /hmcpe is not supported/],
    ["mkhmcusr -u view1 -a admin --passwd abc-123-def", /taskrole is not valid: one of hmcviewer/],
    ["mkhmcusr -u view1 -a hmcviewer --auth ldap", /ldap of the parameter --auth is not supported/],
    ["mkhmcusr -i name=view1,taskrole=hmcviewer -u view1", /invalid parameter is -u\./],
    ["mkhmcusr -i name=view1,taskrole=hmcviewer,idle_timeout=5", /idle_timeout is not supported/],
    ["chhmcusr -u nobody -t desc -v x", /The user nobody was not found\./],
    ["chhmcusr -u operator1 -t assign -o a -r x", /-o is not supported|assign of the parameter -t/],
    ["rmhmcusr -u nobody", /The user nobody was not found\./],
    ["rmhmcusr", /parameter is -u\./],
  ];
  for (const [line, expected] of refused) {
    const { status, out, err, console } = await run(line);
    assert.deepEqual({ status, out, changes: console.userChanges }, { status: 1, out: "", changes: [] }, line);
    assert.match(err, expected, line);
    assert.doesNotMatch(err, /abc-123-def|short\b/, line);
  }
});

test("a task role allows what it says, and everyone their own password", async () => {
  const tries = async (taskRole: string, user: string, line: string) => {
    const console = fakeConsole(fakeSystems());
    const status = await runCommand(plainWords(line)!, { ...console.context, taskRole, user });
    return status === 0 ? "done" : console.take().err;
  };
  const denied = "HSCL350B The user does not have the appropriate authority.\n";
  const [list, state, define, own, other] = ["lssyscfg -r sys -F name", "chsysstate -m ms01 -r lpar -o on -n db01", "rmsyscfg -r lpar -m ms01 -n db01", "chhmcusr -u operator1 -t passwd -v abc-123-def", "chhmcusr -u hscroot -t passwd -v abc-123-def"];
  const all = async (role: string) => Promise.all([list, state, define, own, other].map((line) => tries(role, "operator1", line)));
  assert.deepEqual(await all("hmcviewer"), ["done", denied, denied, "done", denied]);
  assert.deepEqual(await all("hmcoperator"), ["done", "done", denied, "done", denied]);
  assert.deepEqual(await all("hmcsuperadmin"), ["done", "done", "done", "done", "done"]);
  assert.deepEqual(await all(""), [denied, denied, denied, denied, denied]);
  assert.equal(await tries("hmcviewer", "operator1", "chhmcusr -i name=operator1,passwd=abc-123-def,taskrole=hmcsuperadmin"), denied);
});

test("no password is in the log", () => {
  for (const line of ["mkhmcusr -u a -a hmcviewer --passwd se-cret-1", 'mkhmcusr -i "name=a,passwd=se-cret-1,taskrole=x"', `mkhmcusr -i '"passwd=se-cret-1,se-cret-1",name=a'`, "chhmcusr -u a -t passwd -v se-cret-1", "chhmcusr -u a -t passwd -vse-cret-1", "mkauthkeys --ip h -g --passwd se-cret-1"])
    assert.doesNotMatch(withoutSecrets(plainWords(line)!).join(" "), /se-cret/, line);
  assert.deepEqual(withoutSecrets(["-u", "a", "-t", "desc", "-v", "x"]), ["-u", "a", "-t", "desc", "-v", "x"]);
});
