/**
 * The lines that real clients send (hmc-cli section 10), each with what its client does with the answer: parsers are those of the clients, in few words. Where the line has a
 * pipe or a substitution, the part that reaches a command is here and the shell's part in test/ssh-door.test.ts. S is ms01, T is ms02, L is db01, V is vios1.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { MigrationRecord, NO_PROGRESS } from "../../model/migration.js";
import { fakeConsole, fakeSystems, type FakeSystem } from "../../testkit/fake-console.js";
import { plainWords } from "../doors/plain-line.js";
import { runCommand } from "./index.js";

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
  readonly lines: readonly string[];
  readonly changes: readonly { readonly method: string; readonly params: unknown }[];
  readonly moves: readonly string[];
}
async function run(line: string, change: (systems: [FakeSystem, FakeSystem]) => void = () => undefined): Promise<Answer> {
  const systems = fakeSystems();
  change(systems);
  const console = fakeConsole(systems);
  const words = plainWords(line);
  assert.ok(words, `${line}: a shell's line`);
  const status = await runCommand(words, console.context);
  const { out, err } = console.take();
  return { status, out, err, lines: out.split("\n").slice(0, -1), changes: systems.flatMap((system) => system.changes), moves: console.moves };
}
const last = ({ lines }: Answer): string => lines.at(-1) ?? "(no line)";
/** ansible's parseCSV: pairs at commas that no quote protects, into lower-case keys. */
function parseCsv(text: string): Record<string, string>[] {
  return text.trim().split("\n").map((line) => Object.fromEntries([...line.matchAll(/"([^=",]+)=((?:[^"]|"")*)"|([^=",]+)=([^,"]*)/g)].map(([, quotedName, quoted, name, value]) => [(quotedName ?? name)!.toLowerCase(), (quoted ?? value)!])));
}
/** hmcScanner's DataParser: `name=value` and `"name=v,v"` with one comma between; anything else stops the line. */
function strictRecord(line: string): Record<string, string> {
  const found: Record<string, string> = {};
  let rest = line;
  while (rest !== "") {
    const match = /^(?:"([a-zA-Z0-9_]+)=((?:[^"]|"")*)"|([a-zA-Z0-9_]+)=([^",]*))(,|$)/.exec(rest);
    assert.ok(match, `hmcScanner stops at: ${rest.slice(0, 60)}`);
    found[(match[1] ?? match[3])!] = (match[2] ?? match[4])!;
    rest = rest.slice(match[0].length);
  }
  return found;
}
const silent = (answer: Answer) => assert.deepEqual({ status: answer.status, out: answer.out, err: answer.err }, { status: 0, out: "", err: "" });

/** [row of the table, client, line, what the client does] */
const ROWS: readonly [row: number, client: string, line: string, check: (answer: Answer) => void][] = [
  [1, "op-test", "lssyscfg -r lpar -m ms01 -F name", ({ lines }) => assert.ok(lines.includes("db01"))],
  [2, "op-test", "migrlpar -o v -m ms01 -t ms02 -p db01 ", silent],
  [2, "op-test", "migrlpar -o m -m ms01 -t ms02 -p db01 ", (answer) => (silent(answer), assert.deepEqual(answer.moves, ["migrate 3"]))],
  [3, "op-test", "lssyscfg -m ms01 -r lpar --filter lpar_names=db01 -F state", ({ lines }) => assert.ok(!["Migrating - Running", "Migrating - Not Activated"].includes(lines[0]!))],
  [4, "op-test", "migrlpar -o s -m ms01 -p db01", (answer) => (silent(answer), assert.deepEqual(answer.moves, ["stop 3"]))],
  [5, "op-test", "mkauthkeys -u hscroot --ip 10.9.9.9 --test", ({ status, err }) => assert.ok(status === 1 && err.includes("HSCL3653"))],
  [7, "op-test", "lssyscfg -m ms01 -r lpar --filter lpar_names=vios1 -F msp", ({ lines }) => assert.equal(Number(lines[0]), 1)],
  [8, "op-test, avocado", "diagrmc -m ms01 --ip 10.0.0.21 -p db01 --autocorrect", ({ lines }) => assert.ok(lines.some((line) => line.includes("10.0.0.21 has RMC connection.")))],
  [9, "op-test", "lssyscfg -m ms01 -r lpar --filter lpar_names=db01 -F state", (answer) => assert.equal(last(answer), "Running")],
  [9, "op-test", "lsrefcode -m ms01 -r lpar --filter lpar_names=db01 -F refcode", (answer) => assert.match(last(answer), /Linux/)],
  [9, "op-test", "lsrefcode -m ms01 -r lpar --filter lpar_names=batch02 -F refcode", (answer) => assert.equal(last(answer), "")],
  [10, "op-test", "chsysstate -m ms01 -r lpar -n db01 -o on -f normal", silent],
  [10, "op-test", "chsysstate -m ms01 -r lpar -n db01 -o shutdown --immed --restart", silent],
  [11, "op-test", "lssyscfg -r prof -m ms01 --filter 'lpar_names=db01'", (answer) => {
    // shlex with `,` as white space: quotes protect and have to be balanced; then split at the first `=`.
    const line = last(answer);
    assert.equal((line.match(/"/g) ?? []).length % 2, 0);
    const pairs = new Map([...line.matchAll(/(?:"[^"]*"|[^,"])+/g)].map(([word]) => word.replaceAll('"', "").split("=") as [string, string]));
    assert.equal(pairs.get("desired_mem"), "512");
  }],
  [12, "op-test", `chsyscfg -r prof -m ms01 -i 'lpar_name=db01,name=normal,desired_mem=768' --force`, silent],
  [13, "op-test", "lssyscfg -r lpar -m ms01 -F name state", ({ lines }) => assert.deepEqual(lines.filter((line) => line.split(" ")[1] === '"Not').map((line) => line.split(" ")[0]), ["batch02"])],
  [14, "op-test, avocado", "lshwres -m ms01 -r sriov --rsubtype adapter -F    phys_loc:adapter_id", ({ status, lines }) => assert.ok(status === 0 && lines.every((line) => !line.includes("U78C")))],
  [15, "op-test", "lssyscfg -m ms01 -r sys -F state", (answer) => assert.equal(last(answer), "Operating")],
  ...["lssyscfg -r sys -F name,state,type_model,serial_num", "lssyscfg -r lpar -m ms01 -F name,lpar_env,state,os_version", "lshwres -r proc -m ms01 --level sys", "lshwres -r mem -m ms01 --level sys", ...["eth", "scsi", "fc"].map((kind) => `lshwres -r virtualio --rsubtype ${kind} -m ms01 --level lpar`), "lssyscfg -r lpar -m ms01 -F name,kvm_capable"].map((line): (typeof ROWS)[number] => [16, "op-test", line, ({ status, out }) => assert.ok(status === 0 && out !== "")]),
  [17, "op-test", "rmvterm -m ms01 -p db01", silent],
  [18, "avocado", "lssyscfg -r sys -F name", ({ lines }) => assert.deepEqual(lines, ["ms01", "ms02"])],
  [19, "avocado", "lssyscfg -r lpar -m ms01 -F name,state", ({ out }) => assert.ok(out.includes("db01,"))],
  [20, "avocado", "chsyscfg -m ms01 -r lpar -i lpar_id=1,msp=1", silent],
  [21, "avocado", "migrlpar -o m -m ms01 -t ms02 -p db01", (answer) => assert.equal(answer.status, 0)],
  [22, "avocado", "lssyscfg -m ms01 -r lpar --filter lpar_names=vios1                    -F lpar_id", ({ out }) => assert.equal(out, "1\n")],
  [23, "avocado", 'lshwres -r virtualio --rsubtype fc --level lpar -m ms01 --filter "lpar_names=db01"', ({ status }) => assert.equal(status, 0)],
  [24, "avocado", "lshwres -r virtualio --rsubtype fc --level lpar -m ms01 -F lpar_name,slot_num,wwpns", ({ status, lines }) => {
    assert.equal(status, 0);
    for (const line of lines.filter((one) => one.includes(",client"))) assert.match(line.split('"')[1]!, /^[0-9a-f]{16},[0-9a-f]{16}$/);
  }],
  [25, "avocado", 'viosvrcmd -m ms01 -p vios1 -c "lsmap -all -npiv -field  Name                ClntName -fmt :"', (answer) => assert.equal(answer.status, 0)],
  [26, "ansible", "migrlpar -o v -m ms01 -t ms02 -p db01 -w 5", silent],
  [26, "ansible", "migrlpar -o m -m ms01 -t ms02 --id 3", (answer) => assert.deepEqual([answer.status, answer.moves], [0, ["migrate 3"]])],
  [27, "ansible", "mkauthkeys --ip 10.9.9.9 --test", ({ status, out, err }) => assert.ok(status !== 0 && (out + err).includes("HSCL3653"))],
  [27, "ansible", "mkauthkeys --ip 10.9.9.9 -g -u hscroot --passwd abc123", ({ status, err }) => assert.ok(status !== 0 && err !== "" && !err.includes("abc123"))],
  [28, "ansible", "lssyscfg -r sys -m ms01", ({ out }) => {
    const [system] = parseCsv(out);
    assert.ok(["Power Off", "Operating", "Standby"].includes(system!["state"]!));
    assert.deepEqual([system!["name"], system!["power_off_policy"], system!["power_on_lpar_start_policy"]], ["ms01", "0", "autostart"]);
  }],
  [29, "ansible", "lshwres -r mem -m ms01 --level sys", ({ out }) => assert.equal(parseCsv(out)[0]!["mem_region_size"], "256")],
  [29, "ansible", "chsysstate -r sys -m ms01 -o on", ({ status, err }) => assert.ok(status !== 0 && err !== "")],
  [30, "ansible", 'lssyscfg -r lpar -m ms01 --filter "lpar_names=vios1"', ({ out }) => assert.equal(parseCsv(out)[0]!["lpar_env"], "vioserver")],
  [30, "ansible", 'lssyscfg -r lpar -m ms01 --filter "lpar_names=x"', ({ status, err }) => assert.ok(status !== 0 && err.includes("HSCL8012"))],
  [30, "ansible", 'lssyscfg -r prof -m ms01 --filter "lpar_names=vios1,profile_names=default"', ({ out }) => assert.equal(parseCsv(out)[0]!["name"], "default")],
  [31, "ansible", "lssyscfg -r lpar -m ms01 -F lpar_id", ({ lines }) => assert.equal(1 + Math.max(...lines.map(Number)), 5)],
  [32, "ansible", "rmsyscfg -r lpar -m ms01 -n db01 --vioscfg --vdisk", silent],
  [32, "ansible", "rmsyscfg -r lpar -m ms01 -n gone --vioscfg", ({ status, err }) => assert.ok(status !== 0 && err.includes("HSCL8012"))],
  [32, "ansible", "chsyscfg -r lpar -m ms01 -n normal -p db01 -o apply", silent],
  [33, "ansible", "lssyscfg -r lpar -m ms01 -F name", ({ out }) => assert.deepEqual(out.split(/\s+/).filter(Boolean), ["vios1", "db01", "batch02"])],
  [35, "ansible", 'lshmcusr --filter "names=operator1"', ({ out }) => {
    const [user] = parseCsv(out.replace(/,resources=<[^,]*>/, ""));
    assert.deepEqual([user!["name"], user!["taskrole"], user!["description"]], ["operator1", "hmcoperator", "first, and second shift"]);
  }],
  [35, "ansible", 'lshmcusr --filter "names=nobody"', ({ status, out }) => assert.ok(status === 0 && out.includes("No results were found"))],
  [35, "ansible", 'mkhmcusr -i "name=u1,taskrole=hmcviewer,passwd=abc-123-def,authentication_type=local,pwage=99999"', silent],
  [35, "ansible", "rmhmcusr -u operator1", silent],
  [36, "ansible", "lshmc -V", ({ lines }) => {
    const after = (word: string) => lines.find((line) => line.includes(word))?.split(word)[1]?.trim();
    assert.deepEqual([after("Release:"), after("Service Pack:"), lines.find((line) => line.includes("base_version"))?.split("=")[1]], ["3", "1060", "V10R3"]);
    assert.equal(lines.some((line) => !/Version|Release:|Service Pack:|HMC Build level|base_version/.test(line) && line.includes("-")), false, "no fixes");
  }],
  [37, "fence_lpar", "lssyscfg -r lpar -m ms01 --filter 'lpar_names=db01'", ({ out }) => assert.equal(/,state=(.*?),/.exec(out)?.[1], "Running")],
  [38, "fence_lpar", "lssyscfg -r lpar -m ms01 -F name:state", ({ lines }) => assert.ok(lines.every((line) => line.split(":").length === 2))],
  [39, "fence_lpar", 'lssyscfg -r lpar -F curr_profile  -m ms01 --filter "lpar_names=db01"', ({ out }) => assert.equal(out, "normal\n")],
  [39, "fence_lpar", "chsysstate -o on -r lpar -m ms01 -n db01 -f normal", silent],
  [39, "fence_lpar", "chsysstate -o on -r lpar -m ms01 -n batch02 -f", ({ status, err }) => assert.ok(status === 1 && err !== "")],
  [39, "fence_lpar", "chsysstate -o shutdown -r lpar --immed -m ms01 -n db01", silent],
  [40, "xCAT", "lssyscfg -r sys -F name,type_model,serial_num", ({ lines }) => assert.deepEqual(lines[0]!.split(","), ["ms01", "9009-42A", "7800A01"])],
  [40, "xCAT", "lssyscfg -r lpar -m '9009-42A*7800A01' -F name,lpar_id,state", ({ lines }) => assert.ok(lines.some((line) => /^db01,3,Running$/.test(line)))],
  [41, "xCAT", "chsysstate -r lpar -m '9009-42A*7800A01' -o on -b norm --id 3 -f normal", silent],
  [41, "xCAT", "chsysstate -r lpar -m '9009-42A*7800A01' -o shutdown --id 3 --immed --restart", silent],
  [42, "xCAT", "rmvterm --id 3 -m '9009-42A*7800A01'", silent],
  [43, "xCAT", "lsrefcode -r lpar -m '9009-42A*7800A01' --filter lpar_ids=3", ({ lines }) => assert.equal(/refcode=(\w*)/.exec(lines[0]!)?.[1], "Linux")],
  [43, "xCAT", "lsrefcode -r sys -m '9009-42A*7800A01' -s p", ({ lines }) => assert.equal(/refcode=(\w*)/.exec(lines[0]!)?.[1], "")],
  [44, "openQA", 'lssyscfg -m ms01 -r lpar --filter ""lpar_ids=4"" -F state', ({ out }) => assert.match(out, /Not Activated/)],
  [44, "openQA", "chsysstate -r lpar -m ms01 -o on -b sms --id 3 ", silent],
  [45, "lpar2rrd", 'lssyscfg -m "ms01" -r lpar -F name,state,logical_serial_num', ({ lines }) => assert.ok(lines.every((line) => line.split(",").length === 3))],
  [45, "lpar2rrd", 'lshwres -m "ms01" -r proc --level lpar -F lpar_name,curr_proc_mode,curr_min_proc_units,curr_proc_units,curr_max_proc_units,curr_min_procs,curr_procs,curr_max_procs,curr_sharing_mode,curr_uncap_weight,curr_shared_proc_pool_name', ({ lines }) =>
    assert.deepEqual(lines.find((line) => line.startsWith("db01,"))!.split(","), ["db01", "shared", "0.05", "0.5", "2.0", "1", "2", "4", "uncap", "128", "DefaultPool"])],
  ...["lshwres -m ms01 -r mempool", "lshwres -m ms01 -r mempool --rsubtype pgdev", "lshwres -m ms01 -r hea --rsubtype logical --level port", "lshwres -m ms01 -r virtualio --rsubtype vasi --level lpar"].map((line): (typeof ROWS)[number] => [45, "lpar2rrd", line, ({ out }) => assert.match(out, /^No results were found\.$/m)]),
  [45, "lpar2rrd", "lshmc -v", ({ lines }) => assert.ok(Number(/\d+/.exec(lines.find((line) => line.includes("RM"))!)?.[0]) > 5)],
  ...["lssyscfg -r sys", "lssyscfg -r lpar -m 'ms01'", "lssyscfg -r prof -m 'ms01'", "lshwres -r virtualio --rsubtype eth --level lpar -m 'ms01'", "lshwres -r virtualio --rsubtype scsi --level lpar -m 'ms01'", "lshwres -r virtualio --rsubtype slot --level slot -m ms01", "lshwres -r virtualio --rsubtype vswitch -m 'ms01'", "lshwres -r proc --level lpar -m ms01", "lshwres -r mem --level lpar -m ms01", "lshwres -r procpool -m ms01"].map((line): (typeof ROWS)[number] => [46, "hmcScanner", line, ({ lines }) => lines.forEach((one) => void strictRecord(one))]),
  [47, "a migration script", 'lssyscfg -m ms01 -r lpar --filter "lpar_names=db01" -F lpar_id', ({ out }) => assert.equal(Number(out), 3)],
  [47, "a migration script", "lssyscfg -m ms01 -r prof -F virtual_fc_adapters --filter profile_names=normal", ({ status }) => assert.equal(status, 0)],
  [48, "libvirt", "lssyscfg -r lpar -m ms01 --filter lpar_ids=3 -F name", ({ out }) => assert.equal(out, "db01\n")],
  [48, "libvirt", "lshwres -m ms01 -r mem --level lpar -F curr_mem --filter lpar_ids=3", ({ out }) => assert.equal(Number.parseInt(out), 512)],
  [48, "libvirt", "lshwres -m ms01 -r virtualio --rsubtype scsi -F remote_slot_num --filter lpar_names=db01", ({ out }) => assert.equal(Number.parseInt(out), 10)],
  [48, "libvirt", "viosvrcmd -m ms01 --id 1 -c 'lsmap -all -field svsa backing -fmt , '", ({ status }) => assert.equal(status, 0)],
  [48, "libvirt", 'chhwres -r virtualio --rsubtype scsi -m ms01 -p vios1 -o a -s 12 -d 0 -a "adapter_type=server,remote_lpar_name=db01"', silent],
  [49, "cloud scripts", "migrlpar -o m -m ms01 -t ms02 --id 3", (answer) => assert.equal(answer.status, 0)],
  [50, "hmc-mcp", "lssyscfg -r sys -F uuid,name", ({ lines }) => assert.ok(lines.every((line) => /^[0-9a-f-]{36},ms0\d$/.test(line)))],
  [50, "hmc-mcp", "lssyscfg -r lpar -m ms01 -F name,lpar_id,state,rmc_state --header", ({ lines }) => assert.equal(lines[0], "name,lpar_id,state,rmc_state")],
  [50, "hmc-mcp", "lssyscfg -r sys -m ms01 -F lpar_proc_compat_modes", ({ out }) => assert.deepEqual(out.trim().replaceAll('"', "").split(",").slice(0, 2), ["default", "POWER8"])],
  [50, "hmc-mcp", 'chsyscfg -r lpar -m ms01 -i "name=vios1,msp=1"', silent],
  [50, "hmc-mcp", "lslparmigr -r lpar -m ms01 -t ms02 -p db01", ({ out }) => assert.match(out, /^name=db01,/)],
];
for (const [row, client, line, check] of ROWS) test(`${row} ${client}: ${line}`, async () => check(await run(line)));

test("the constructed session (hmc-cli 2.11), where it is not about migrlpar", async () => {
  const moving = ([ms01]: [FakeSystem, FakeSystem]) => {
    ms01.records.push(
      MigrationRecord.parse({ id: "00000000-0000-4000-8000-000000000001", role: "source", type: "active", lparName: "db01", lparUuid: "u", source: { system: "ms01", lparId: 3, mspLparId: 1, mspName: "vios1", mspAddress: "10.0.0.11" }, destination: { system: "ms02", lparId: 3, mspLparId: 1, mspName: "vios2", mspAddress: "10.0.0.12" }, generation: 2, console: "hmc1", phase: "prepare", status: "running", stopRequested: false, progress: NO_PROGRESS, phaseStartedAt: {}, startedAt: "2026-11-24T12:00:00.000Z", endedAt: null, stoppedMs: null, error: null, revision: 1 }),
    );
    ms01.lpars[1] = { ...ms01.lpars[1]!, state: "migrating-running" };
  };
  const session: [string, string, typeof moving?][] = [
    ["lssyscfg -r sys -F name,state,active_lpar_mobility_capable", "ms01,Operating,1\nms02,Operating,1\n"],
    ["lssyscfg -r lpar -m ms01 -F name,lpar_id,lpar_env,state,rmc_state", "vios1,1,vioserver,Running,active\ndb01,3,aixlinux,Running,active\nbatch02,4,aixlinux,Not Activated,inactive\n"],
    ["lssyscfg -m ms01 -r lpar --filter lpar_names=vios1 -F msp", "1\n"],
    ['lslparmigr -r lpar -m ms01 --filter "lpar_names=db01"', "name=db01,lpar_id=3,migration_state=Migration Starting,migration_type=active,dest_sys_name=ms02,dest_lpar_id=3,source_msp_name=vios1,source_msp_id=1,dest_msp_name=vios2,dest_msp_id=1\n", moving],
    ["lssyscfg -m ms01 -r lpar --filter lpar_names=db01 -F state", "Migrating - Running\n", moving],
  ];
  for (const [line, expected, change] of session) assert.equal((await run(line, change)).out, expected, line);
  const gone = await run("lssyscfg -r lpar -m ms02 --filter lpar_names=db01 -F state");
  assert.deepEqual([gone.status, gone.out, gone.err], [1, "", "HSCL8012 The partition named db01 was not found.\n"]);
});
