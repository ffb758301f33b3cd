import assert from "node:assert/strict";
import test from "node:test";
import { asLooseLines } from "../../testkit/lines.js";
import { factsConsole } from "../../testkit/facts-console.js";
import { addFc, FC_PAIR, looseFacts, type LooseFacts } from "../../testkit/mobility-facts.js";
import { runCommand } from "./index.js";

type Change = (f: LooseFacts) => void;
const nothing: Change = () => undefined;
const current = (f: LooseFacts) => f.lpar.definition.current!;
const off = (f: LooseFacts) => (f.lpar.state = "not-activated");
const noLun = (f: LooseFacts, lun: string) => f.luns!.forEach((one) => one.lun === lun && (one.visible = false));
const oneVios = (f: LooseFacts) => f.destination.lpars.splice(1, 1);

async function run(line: string, change: Change = nothing) {
  const facts = looseFacts();
  change(facts);
  const console = factsConsole(facts);
  const status = await runCommand(asLooseLines(line), console.context);
  return { status, ...console.take(), console };
}

const SECOND = { sourceMspLparId: 2, sourceMspName: "vios2", sourceMspAddress: "10.0.0.12", destMspLparId: 2, destMspName: "vios2", destMspAddress: "10.0.0.12" };

/** lpm-process 4.16, as far as the rows exist here: number, what is given, options, expected: exit status and the codes in the order of lines (W: a warning, exit 0). */
const CASES: readonly [number: number, what: string, change: Change, options: string, status: number, codes: readonly string[]][] = [
  [1, "everything in order", nothing, "", 0, []],
  [2, "never activated", (f) => (off(f), (f.lpar.definition.currentProfile = null)), "", 1, ["OLPM-VP07"]],
  [3, "LMB 256 MB and 128 MB", (f) => (f.destination.view.memory.lmbBytes = 128 << 20), "", 1, ["OLPM-VS09"]],
  [4, "current mode POWER9, destination up to POWER8", (f) => ((current(f).compatMode = "POWER9"), (f.destination.view.compatModes = ["default", "POWER8"])), "", 1, ["OLPM-VS05"]],
  [5, "preferred POWER9, current POWER8, destination POWER8", (f) => ((f.source.view.compatModes = ["default", "POWER8"]), (f.destination.view.compatModes = ["default", "POWER8"]), (f.lpar.definition.profiles = [{ name: "normal", resources: { ...structuredClone(current(f)), compatMode: "POWER9" } }])), "", 1, ["OLPM-VS06", "HSCLA295"]],
  [6, "default mode, current POWER8", (f) => ((f.source.view.compatModes = ["default", "POWER8"]), (f.destination.view.compatModes = ["default", "POWER8"])), "", 0, []],
  [7, "RMC of the partition down", (f) => (f.guest = { answered: false, agreed: false, detail: "no answer" }), "", 1, ["HSCLA246"]],
  [7, "the same, inactive", (f) => (off(f), (f.guest = null)), "", 0, []],
  [8, "the only destination VIOS down", (f) => (off(f), oneVios(f), (f.destination.lpars[0]!.state = "error")), "", 1, ["HSCLA246"]],
  [9, "two servers before, one after", oneVios, "", 1, ["HSCLA340"]],
  [9, "the same with --mpio 2", oneVios, "--mpio 2", 0, ["HSCLA340"]],
  [10, "LUN not seen by any server", (f) => noLun(f, "naa.600a"), "", 1, ["HSCLA24E"]],
  [11, "LUN seen and reserved", (f) => f.luns!.forEach((one) => one.lun === "naa.600a" && (one.reservedBy = "another initiator")), "", 1, ["HSCLA24E", "HSCLA29A", "HSCLA29A"]],
  [14, "only the first WWPN is zoned", (f) => addFc(f).fc!.forEach((one) => one.wwpn === FC_PAIR[1] && (one.luns = [])), "", 1, ["HSCLA319"]],
  [15, "VLAN 20 not bridged at the destination", (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [1, 10, 30]), "", 1, ["OLPM-VN02"]],
  [15, "the same with --vlanbridge 2", (f) => (f.destination.view.sharedEthernet[0]!.vlanIds = [1, 10, 30]), "--vlanbridge 2", 0, ["OLPM-VN02"]],
  [16, "VLAN 20 bridged nowhere, with a neighbour", (f) => ([f.source, f.destination].forEach(({ view }) => (view.sharedEthernet[0]!.vlanIds = [1, 10, 30])), f.source.lpars.push({ ...structuredClone(f.lpar), lparId: 8, migrationId: null }), (f.source.lpars.at(-1)!.definition.name = "near")), "", 0, ["OLPM-VN03"]],
  [17, "name in use on the destination", (f) => (f.destination.lpars.at(-1)!.definition.name = "db01"), "", 1, ["OLPM-VP09"]],
  [18, "ID in use", (f) => (f.destination.lpars.at(-1)!.lparId = f.lpar.lparId), "", 0, []],
  [19, "dest_lpar_id given and in use", nothing, "-i dest_lpar_id=5", 1, ["OLPM-VP10"]],
  [20, "8 of 8 active migrations", (f) => (f.destination.view.migration.activeNow = 8), "", 1, ["OLPM-VG12"]],
  [20, "the same, inactive", (f) => (off(f), (f.destination.view.migration.activeNow = 8)), "", 0, []],
  [21, "no mover on the destination", (f) => f.destination.lpars.forEach((lpar) => lpar.runtime.vios && (lpar.runtime.vios.mspAddress = null)), "", 1, ["OLPM-VX02"]],
  [21, "the same, inactive", (f) => (off(f), f.destination.lpars.forEach((lpar) => lpar.runtime.vios && (lpar.runtime.vios.mspAddress = null))), "", 0, []],
  [22, "--redundantmsps 1", nothing, "--redundantmsps 1", 1, ["OLPM-VX06"]],
  [22, "--redundantmsps 1 and two pairs", (f) => (f.movers!.second = SECOND), "--redundantmsps 1", 0, []],
  [22, "--redundantmsps 2", nothing, "--redundantmsps 2", 0, []],
  [36, "duplicate MAC on the destination", (f) => (f.destination.lpars.at(-1)!.definition.current!.ethernet[0]!.mac = "02AABB000104"), "", 1, ["OLPM-VP12"]],
  [37, "migration state Failed", (f) => ((f.lpar.migrationId = "m1"), (f.record = { status: "failed", endedAt: null, destination: { system: "ms02" }, error: null } as never)), "", 1, ["OLPM-VG11"]],
  [40, "three independent faults at once", (f) => ((f.destination.view.memory.lmbBytes = 128 << 20), (f.lpar.definition.settings.migrationDisabled = true), (f.destination.lpars.at(-1)!.definition.name = "db01")), "", 1, ["OLPM-VS09", "OLPM-VP06", "OLPM-VP09"]],
];

test("the acceptance cases of the rule book, by the command line, for -o v and -o m", async () => {
  for (const [number, what, change, options, status, codes] of CASES)
    for (const operation of ["v", "m"]) {
      const result = await run(`migrlpar -o ${operation} -m ms01 -t ms02 -p db01 ${options}`, change);
      const at = `case ${number}, ${what}, -o ${operation}: ${result.err}`;
      assert.equal(result.status, status, at);
      assert.deepEqual(result.err.split("\n").flatMap((line) => /^(HSC[A-Z0-9]{5}|OLPM-[A-Z]+\d+) /.exec(line)?.[1] ?? []), codes, at);
      assert.equal(result.out, options === "--redundantmsps 2" ? "no second pair of movers: on each system it takes two running mover service partitions that are below their limit\n" : "", at);
      assert.equal(result.console.moves.length, operation === "m" && status === 0 ? 1 : 0, `${at}: an error moves nothing`);
    }
  const remote = await run("migrlpar -o m -m ms02 -t ms01 -p app07 --ip 10.9.9.9 -u hscroot");
  assert.deepEqual([remote.status, remote.out, remote.err], [1, "", "HSCL3653 The Secure Shell (SSH) communication configuration between the source and destination management consoles has not been set up properly for the remote user hscroot. Run the mkauthkeys command to set up the SSH communication authentication keys\n"], "case 39");
});

test("what a Virtual I/O Server said stands below its message, not with --nodetails; -d says what was chosen", async () => {
  const with_ = await run("migrlpar -o v -m ms01 -t ms02 -p db01", (f) => noLun(f, "naa.600a"));
  const lines = with_.err.trimEnd().split("\n");
  assert.match(lines[0]!, /^HSCLA24E .* Reason: vios1 does not see LUN naa\.600a; vios2 does not see LUN naa\.600a\.$/);
  assert.deepEqual([lines[1], lines.at(-1), lines.length], ["VIOS_DETAILED_ERROR", "End Detailed Message.", 5]);
  const without = await run("migrlpar -o v -m ms01 -t ms02 -p db01 --nodetails", (f) => noLun(f, "naa.600a"));
  assert.equal(without.err, `${lines[0]!.replace(/ Reason: .*$/, "")}\n`);
  assert.equal((await run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 0")).out, "");
  const chosen = (await run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 1")).out;
  assert.match(chosen, /^active migration of partition db01 \(3\) from ms01 to ms02\n/);
  assert.match(chosen, /virtual SCSI adapter 2 will be served by vios1 \(1\): it has the same name as on the source\n/);
  assert.match(chosen, /movers: vios1 \(1, 10\.0\.0\.11\) to vios1 \(1, 10\.0\.0\.11\)\n/);
  assert.match(chosen, /partition ID there: 3\n/);
  assert.match((await run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 1", (f) => (f.destination.lpars.at(-1)!.lparId = 3))).out, /partition ID there: 4\n/);
  const [three, five] = [(await run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 3")).out, (await run("migrlpar -o v -m ms01 -t ms02 -p db01 -d 5")).out];
  assert.ok(three.startsWith(chosen.split("\n")[0]!) && three.length > chosen.length && five.length > three.length, "more with each level");
  assert.match(five, /LUN naa\.600b on vios2: /);
});

test("options and attributes reach the rules: mappings, movers, pools, switches, profile, ID", async () => {
  const cases: readonly [string, RegExp | null, Change?][] = [
    ["-i virtual_scsi_mappings=2/vios9/", /^OLPM-VV12 .*slot 2 .*vios9/],
    ['-i "virtual_scsi_mappings=2/vios2/2,5//1"', null],
    ['-i "virtual_scsi_mappings=2/vios1/1/44,5/vios2/2"', null],
    ["-i virtual_scsi_mappings=2/vios1/1/10", /^OLPM-VV12 .*slot 10 of vios1 is in use/],
    ["-i source_msp_name=vios9", /^OLPM-VX01 vios9/],
    ["-i dest_msp_id=2,dest_msp_name=vios2,dest_msp_ipaddr=10.0.0.12", null],
    ["-i dest_msp_id=2,dest_msp_ipaddr=10.0.0.99", /^OLPM-VX04 vios2 on ms02 has not the address 10\.0\.0\.99/],
    ["-i source_msps=vios2/2/10.0.0.12,dest_msps=vios1/1/10.0.0.11,dest_msp_id=11", null],
    ["-i source_msp_ipaddr=10.0.0.12", null],
    ['-i "redundant_msps=1/vios1///vios1/1/,1//2//vios2//10.0.0.12"', null, (f) => (f.movers!.second = SECOND)],
    ['-i "redundant_msps=1/vios1///vios1/1/,1//2//vios2//10.0.0.12"', /^OLPM-VX06 /],
    ['-i "redundant_msps=1/vios9///vios1//,1/vios2///vios2//"', /^OLPM-VX01 vios9/],
    ["-i source_msp_ipaddr=10.0.0.77", /^OLPM-VX01 The address 10\.0\.0\.77/],
    ["-i shared_proc_pool_id=0", null],
    ["-i shared_proc_pool_name=Pool3", /^OLPM-VC04 .*Pool3/],
    ['-i "vswitch_mappings=1/ETHERNET0/BLUE,10/ETHERNET0/BLUE"', null, (f) => (f.destination.view.vswitches.push({ name: "BLUE", mode: "VEB", vlanIds: [] }), f.destination.view.sharedEthernet.push({ ...f.destination.view.sharedEthernet[0]!, vswitch: "BLUE" }))],
    ["-i vswitch_mappings=10/ETHERNET0/BLUE --vlanbridge 2", /^OLPM-VN01 ms02 has no virtual switch BLUE/],
    ["-i dest_lpar_id=44", null],
    ["-i concurr_migration_perf_level=1", null],
    ["-n morning", null],
    ["-w 0 --usecurrdata --vsi 2 --npivval portdisk --requirerr 2 --protectstorage 1 --affinity --migsriov 1 -redundantpgvios 0", null],
  ];
  for (const [options, expected, change] of cases) {
    const { status, err, out } = await run(`migrlpar -o v -m ms01 -t ms02 -p db01 ${options}`, change);
    if (expected === null) assert.deepEqual([status, err, out], [0, "", ""], options);
    else assert.match(err, expected, options);
  }
});

test("bad input gets the HMC's kind of answer, and nothing is moved", async () => {
  const again = "Please check your entry and retry the command.";
  const cases: readonly [string, string][] = [
    ["migrlpar", `The command entered is either missing a required parameter or a parameter value is invalid. The missing or invalid parameter is -o. ${again}`],
    ["migrlpar -o x -m ms01 -t ms02 -p db01", "is -o."],
    ["migrlpar -o m -t ms02 -p db01", "is -m."],
    ["migrlpar -o m -m ms01 -p db01", "is -t."],
    ["migrlpar -o m -m ms01 -t ms02", "is -p."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 --id 3", `The parameters -p and --id exclude each other. ${again}`],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 --all", "-p and --all exclude"],
    ["migrlpar -o m -m ms01 -t ms02 --id x3", "is --id."],
    ["migrlpar -o m -m ms01 -t ms02 -p ,", "is -p."],
    ["migrlpar -o m -m ms01 -t ms02 -p nosuch", "HSCL8012 The partition named nosuch was not found."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01,nosuch", "HSCL8012 The partition named nosuch was not found."],
    ["migrlpar -o m -m ms01 -t ms09 -p db01", "HSCL8018 The managed system ms09 was not found."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 --mpio 0", "is --mpio."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 --redundantvios 3", "is --redundantvios."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 --npivval disk", "is --npivval."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -d 6", "is -d."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -w -1", "is -w."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -r sys", `An invalid parameter was entered. The invalid parameter is -r. ${again}`],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -n a,b", "OLPM-VP08 a,b can not be the name of a profile."],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i UUID=1", `An invalid attribute was entered. The invalid attribute is UUID. ${again}`],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i dest_lpar_id=0", "The value 0 of attribute dest_lpar_id is not valid"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i dest_lpar_id+=7", "+= is for lists"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i virtual_scsi_mappings=2", "The form is client-slot/VIOS-name/VIOS-ID"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i vswitch_mappings=4095/A/B", "The form is VLAN-ID/virtual-switch"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i concurr_migration_perf_level=6", "0 to 5"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i redundant_msps=1/a/1//b/1/", "each group has two entries"],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "redundant_msps=1/a/1//b/1,1/a/1//b/1/"', "each entry is group/source-name"],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "redundant_msps=1/a/1//b/1/,1/a/1////"', "names a mover on both systems"],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "redundant_msps=1/a/1//b/1/,1/c/2//d/2/,2/a/1//b/1/,2/c/2//d/2/"', "there are 2 groups for 1 partitions"],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 --redundantmsps 0 -i "redundant_msps=1/a/1//b/1/,1/c/2//d/2/"', "with --redundantmsps 0 there is no second pair"],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "redundant_msps=1/a/1//b/1/,1/c/2//d/2/,source_msp_id=1"', "source_msp_id has no place beside it"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -i vnic_mappings=3/ded/v/1/1/0/2/1/0", "vnic_mappings"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -f data.txt", "This console keeps no files"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01 -f - -i dest_lpar_id=7", "-i and -f exclude each other"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01,batch02 -i dest_lpar_id=7", "multiple_dest_lpar_ids"],
    ["migrlpar -o m -m ms01 -t ms02 -p db01,batch02 -i multiple_dest_lpar_ids=other/7/7", "no partition of this command is meant"],
    ["migrlpar -o s -m ms01 -t ms02 -p db01", "is -t."],
    ["migrlpar -o s -m ms01 -p db01,batch02", "This operation takes one partition."],
    ["migrlpar -o set -m ms01 -i inactive_prof_policy=prof", "is -r."],
    ["migrlpar -o set -r sys -m ms01", "is -i."],
    ["migrlpar -o set -r sys -m ms01 -i inactive_prof_policy=both", "prof or config"],
    ["migrlpar -o set -r lpar -m ms01 -i num_active_migrations_configured=2", "is -p."],
    ["migrlpar -o set -r lpar -m ms01 -p vios1 -i num_active_migrations_configured=x", "num_active_migrations_configured"],
  ];
  for (const [line, expected] of cases) {
    const { status, out, err, console } = await run(line, many);
    assert.deepEqual([status, out, console.moves], [1, "", []], line);
    assert.ok(err.includes(expected) && err.endsWith("\n"), `${line}: ${err}`);
  }
});

test("migrlpar -o set reaches the managed systems", async () => {
  const all = await run("migrlpar -o set -r sys -i inactive_prof_policy=prof");
  assert.deepEqual([all.status, all.out + all.err, all.console.changes()], [0, "", ["ms01 migration.set {\"inactiveProfPolicy\":\"prof\"}", "ms02 migration.set {\"inactiveProfPolicy\":\"prof\"}"]]);
  const mover = await run("migrlpar -o set -r lpar -m ms01 -p vios1 -i num_active_migrations_configured=2,concurr_migration_perf_level=3");
  assert.deepEqual([mover.status, mover.console.changes()], [0, ["ms01 migration.set {\"mover\":{\"lparId\":1,\"configured\":2}}"]]);
});

/** db01 runs, batch02 is off and can move, fresh was never activated, locked may not move. */
function many(f: LooseFacts): void {
  const make = (lparId: number, name: string, change: (lpar: LooseFacts["lpar"]) => void) => {
    const lpar = structuredClone(f.lpar);
    Object.assign(lpar, { lparId, storage: [] });
    Object.assign(lpar.definition, { name, uuid: `00000000-0000-4000-8000-0000000001${lparId}` });
    lpar.definition.current!.scsi = [];
    lpar.definition.current!.ethernet = [];
    lpar.definition.profiles = [{ name: "normal", resources: lpar.definition.current! }];
    change(lpar);
    f.source.lpars.push(lpar);
  };
  make(14, "batch02", (lpar) => (lpar.state = "not-activated"));
  make(15, "fresh", (lpar) => Object.assign(lpar, { state: "not-activated" }, (lpar.definition.currentProfile = null)));
  make(16, "locked", (lpar) => (lpar.definition.settings.migrationDisabled = true));
  make(17, "web01", () => undefined);
}

test("several partitions: by names, by IDs, --all; one report; exit status by what failed", async () => {
  const moved = (result: { console: { moves: string[] } }) => result.console.moves.map((one) => one.replace("migrate ", "")).join(" ");
  const named = await run("migrlpar -o m -m ms01 -t ms02 -p db01,web01", many);
  assert.deepEqual([named.status, named.out, named.err, moved(named)], [0, "", "", "3 17"]);
  assert.equal(moved(await run("migrlpar -o m -m ms01 -t ms02 --id 17,3,17", many)), "17 3", "each once, in the order given");
  const all = await run("migrlpar -o m -m ms01 -t ms02 --all -v", many);
  assert.deepEqual([all.status, moved(all)], [0, "3 14 17"]);
  assert.equal(all.err, "fresh stays on ms01: it was never activated.\nlocked stays on ms01: migration is disabled for it.\n");
  assert.deepEqual(all.out.trim().split("\n").filter((line) => !line.includes("copying")).sort(), ["batch02: migrated", "db01: migrated", "web01: migrated"]);

  const some = await run("migrlpar -o m -m ms01 -t ms02 -p db01,locked,web01", many);
  assert.deepEqual([some.status, moved(some)], [65, "3 17"]);
  assert.match(some.err, /^OLPM-VP06 Migration is disabled for partition locked\./);
  assert.match(some.err, /\ndb01: migrated\nlocked: not migrated: OLPM-VP06\nweb01: migrated\n$/);
  const none = await run("migrlpar -o m -m ms01 -t ms02 -p db01,web01", (f) => (many(f), (f.destination.view.memory.lmbBytes = 128 << 20)));
  assert.deepEqual([none.status, moved(none)], [66, ""]);
  assert.match(none.err, /OLPM-VS09 .*\(partition db01\)/, "a message that does not name its partition gets its name");
  assert.deepEqual([(await run("migrlpar -o v -m ms01 -t ms02 -p db01,locked", many)).status, (await run("migrlpar -o v -m ms01 -t ms02 -p locked,fresh", many)).status, (await run("migrlpar -o v -m ms01 -t ms02 --all", many)).status], [65, 66, 0]);
  const ids = await run('migrlpar -o v -m ms01 -t ms02 -p db01,web01 -i "multiple_dest_lpar_ids=db01//5,/17/9"', many);
  assert.equal(ids.status, 65);
  assert.match(ids.err, /^OLPM-VP10 Partition ID 5 is in use on ms02\..*/);

  const failing = await run("migrlpar -o m -m ms01 -t ms02 -p db01,web01", (f) => (many(f), (f.lpar.definition.settings.description = "fail")));
  assert.equal(failing.status, 67);
  assert.match(failing.err, /db01: migration failed: HSCLA2CF\nweb01: migrated\n$/);
});

test("as many move at once as systems and movers allow; the rest wait for a place", async () => {
  const crowd = (f: LooseFacts) => {
    for (let n = 0; n < 6; n++) {
      const lpar = structuredClone(f.lpar);
      Object.assign(lpar, { lparId: 20 + n, storage: [] });
      Object.assign(lpar.definition, { name: `web${n}`, uuid: `00000000-0000-4000-8000-00000000012${n}` });
      lpar.definition.current!.scsi = [];
      lpar.definition.current!.ethernet = [];
      f.source.lpars.push(lpar);
    }
    [f.source, f.destination].forEach(({ view }) => (view.migration.activeMax = 8));
  };
  const seven = await run("migrlpar -o m -m ms01 -t ms02 --all", crowd);
  assert.deepEqual([seven.status, seven.console.moves.length, seven.console.mostAtOnce()], [0, 7, 7]);
  const three = await run("migrlpar -o m -m ms01 -t ms02 --all", (f) => (crowd(f), (f.destination.view.migration.activeMax = 3)));
  assert.deepEqual([three.status, three.console.moves.length, three.console.mostAtOnce()], [0, 7, 3]);
});

/** hmc-cli section 10: 2, 6, 21, 26, 47, 49 and 50, as these clients send them. */
test("lines of real clients", async () => {
  const lines: readonly [line: string, status: number, expected: RegExp, moved: number][] = [
    ["migrlpar -o v -m ms01 -t ms02 -p db01 ", 0, /^$/, 0],
    ["migrlpar -o m -m 9009-42A*7800A01 -t 9009-42A*7800A02 -p db01", 0, /^$/, 1],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "vnic_mappings=3/ded/v/1/1/0/2/1/0,4/ded/v/1/1/0/2/1/0"', 1, /vnic_mappings is not supported.*SR-IOV/, 0],
    ["migrlpar -o m -m ms01 -t ms02 -p db01,web01 -w 5", 0, /^$/, 2],
    ["migrlpar -o v -m ms01 -t ms02 --id 3,17", 0, /^$/, 0],
    ["migrlpar -o m -m ms01 -t ms02 --all", 0, /^fresh stays on ms01/, 3],
    ['migrlpar -o v -m ms01 -t ms02 -p db01 --vlanbridge 1 --uuid 1 -i "dest_lpar_id=3,source_msps=vios1/1/10.0.0.11,dest_msps=vios1/1/10.0.0.11,dest_msp_id=11,source_msp_id=1"', 0, /^$/, 0],
    ['migrlpar --ip 10.9.9.9 -o v -m ms01 -t ms02 -p db01 --vlanbridge 1 -i "dest_lpar_id=3"', 1, /^HSCL3653 .* for the remote user hscroot\./, 0],
    ["migrlpar -o v -t ms02 --ip 10.9.9.9 -u padmin --id 3", 1, /^HSCL3653 .* for the remote user padmin\./, 0],
    ["migrlpar -o m -m ms01 -t ms02 --id 3", 0, /^$/, 1],
  ];
  for (const [line, status, expected, moved] of lines) {
    const got = await run(line, many);
    assert.deepEqual([got.status, got.out, got.console.moves.length], [status, "", moved], `${line}: ${got.err}`);
    assert.match(got.err, expected, line);
  }
  assert.match((await run("lslparmigr -r lpar -m ms01 -t ms02 -p db01")).out, /^name=db01,lpar_id=3,migration_state=Not Migrating\n$/);
});

/** hmc-cli 2.11, but for the job in the background, which is the shell's. */
test("a session as clients have it, byte for byte", async () => {
  const facts = looseFacts();
  facts.source.lpars = facts.source.lpars.filter((lpar) => lpar.definition.name !== "vios2");
  facts.destination.lpars = [{ ...facts.destination.lpars[1]!, lparId: 1 }];
  Object.assign(facts.lpar, { lparId: 4, storage: [{ ...facts.lpar.storage[0]!, clientSlot: 10 }] });
  facts.lpar.definition.current!.scsi = [{ slot: 10, role: "client", remoteLparId: 1, remoteSlot: 10, required: true }];
  facts.source.lpars[0]!.runtime.vios!.mspAddress = "10.0.0.5";
  facts.destination.lpars[0]!.runtime.vios!.mspAddress = "10.0.0.6";
  facts.luns = facts.luns!.filter((one) => one.viosLparId === 1 && one.lun === "naa.600a");
  facts.sourceLuns = null;
  const console = factsConsole(facts);
  const session: readonly [line: string, status: number, out: string, err?: string][] = [
    ["lssyscfg -r sys -F name,state,active_lpar_mobility_capable", 0, "ms01,Operating,1\nms02,Operating,1\n"],
    ["lssyscfg -r lpar -m ms01 -F name,lpar_id,lpar_env,state,rmc_state", 0, "vios1,1,vioserver,Running,active\ndb01,4,aixlinux,Running,active\n"],
    ["lssyscfg -m ms01 -r lpar --filter lpar_names=vios1 -F msp", 0, "1\n"],
    ['lslparmigr -r msp -m ms01 -t ms02 --filter "lpar_names=db01"', 0, "source_msp_name=vios1,source_msp_id=1,dest_msp_names=vios2,dest_msp_ids=1,ipaddr_mappings=10.0.0.5//1/vios2/10.0.0.6\n"],
    ['lslparmigr -r virtualio -m ms01 -t ms02 --filter "lpar_names=db01"', 0, "possible_virtual_scsi_mappings=10/vios2/1,suggested_virtual_scsi_mappings=10/vios2/1,possible_virtual_fc_mappings=none,suggested_virtual_fc_mappings=none\n"],
    ["migrlpar -o v -m ms01 -t ms02 -p db01", 0, ""],
    ['migrlpar -o m -m ms01 -t ms02 -p db01 -i "source_msp_id=1,dest_msp_id=1"', 0, ""],
    ["lssyscfg -m ms02 -r lpar --filter lpar_names=db01 -F state", 0, "Running\n"],
    ["lssyscfg -r lpar -m ms01 -F name", 0, "vios1\n"],
    ["lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state", 1, "", "HSCL8012 The partition named db01 was not found.\n"],
    ["migrlpar -o m -m ms02 -t ms01 -p db01 --ip 10.9.9.9 -u hscroot", 1, "", "HSCL3653 The Secure Shell (SSH) communication configuration between the source and destination management consoles has not been set up properly for the remote user hscroot. Run the mkauthkeys command to set up the SSH communication authentication keys\n"],
  ];
  for (const [line, status, out, err = ""] of session) {
    const got = await runCommand(asLooseLines(line), console.context);
    assert.deepEqual([got, console.take()], [status, { out, err }], line);
  }
});
