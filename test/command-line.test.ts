/**
 * The command line from the outside: a real console by SSH, a real managed system and Virtual I/O Server, no partition that runs. What commands define is looked at with
 * other commands; lines that are none change nothing. Needs root. The seed of a failing line is in its message.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import ssh2 from "ssh2";
import { within } from "../src/kit/wait.js";
import { randomOf } from "../src/testkit/random.js";
import { Fixture } from "./support/fixture.js";

const LINE_MS_MAX = 20_000;
const SEED = Number(process.env["OPENLPM_SEED"] ?? 20261125);
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
let fixture: Fixture;
let port: number;
let root: ssh2.Client;
const clients: ssh2.Client[] = [];

async function login(user: string, password: string): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  clients.push(client);
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve).on("error", reject);
    client.connect({ host: "127.0.0.1", port, username: user, password });
  });
  return client;
}
/** One line as an exec request, whatever its bytes. `input` is its whole standard input. */
function send(client: ssh2.Client, line: string, input = ""): Promise<Ended> {
  const ended = new Promise<Ended>((resolve, reject) =>
    client.exec(line, (error, stream) => {
      if (error) return reject(error);
      let [stdout, stderr] = ["", ""];
      stream.on("data", (chunk: Buffer) => (stdout += chunk.toString("latin1")));
      stream.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("latin1")));
      stream.on("close", (code: number | null) => resolve({ code, stdout, stderr }));
      stream.end(input);
    }),
  );
  return within(ended, LINE_MS_MAX, JSON.stringify(line).slice(0, 300));
}
/** Gives standard output of a line that has to succeed and say nothing else. */
async function ok(line: string): Promise<string> {
  const { code, stdout, stderr } = await send(root, line);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, line);
  return stdout;
}
async function refused(line: string, expected: RegExp): Promise<void> {
  const { code, stdout, stderr } = await send(root, line);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, line);
  assert.match(stderr, expected, line);
}
/** Everything that lines could have changed. */
const everything = async () => Promise.all(["lssyscfg -r sys -F name,power_on_lpar_start_policy", "lssyscfg -r lpar -m ms01", "lssyscfg -r prof -m ms01", "lssyscfg -r sysprof -m ms01", "lshwres -r virtualio --rsubtype slot --level slot -m ms01", "lshwres -r virtualio --rsubtype vswitch -m ms01", "lshmcusr", "mkauthkeys -l"].map(ok));

before(async () => {
  fixture = await Fixture.up("line", { systems: [{ name: "ms01", serial: "7800A01", vioses: [{ name: "vios1" }] }] });
  const { stateDir } = fixture.lab.consoles[0]!;
  port = Number(fs.readFileSync(path.join(stateDir, "ssh-port"), "utf8"));
  root = await login("hscroot", fs.readFileSync(path.join(stateDir, "initial-password"), "utf8").trim());
});
after(async () => {
  for (const client of clients) client.destroy();
  await fixture?.down();
});

const PARTITION = "lpar_env=aixlinux,min_mem=256,desired_mem=256,max_mem=512,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=2,min_proc_units=0.1,desired_proc_units=0.2,max_proc_units=1.0,sharing_mode=uncap,uncap_weight=64,max_virtual_slots=20,virtual_eth_adapters=3/0/1//0/1";

test("a partition is defined, changed and removed; a printed profile makes the same profile", async () => {
  await ok(`mksyscfg -r lpar -m ms01 -i "name=l1,profile_name=p1,lpar_id=7,description=a test,${PARTITION}"`);
  assert.equal(await ok("lssyscfg -r lpar -m ms01 --filter lpar_names=l1 -F lpar_id,state,description,default_profile"), "7,Not Activated,a test,p1\n");
  const printed = (await ok("lssyscfg -r prof -m ms01 --filter lpar_names=l1")).trim();
  await ok(`mksyscfg -r prof -m ms01 -i '${printed.replace("name=p1,", "name=p2,")}'`);
  assert.equal(await ok("lssyscfg -r prof -m ms01 --filter lpar_names=l1,profile_names=p2"), `${printed.replace("name=p1,", "name=p2,")}\n`);
  await ok("chsyscfg -r prof -m ms01 -i name=p2,lpar_name=l1,new_name=p3,desired_mem=512");
  await ok("chsyscfg -r lpar -m ms01 -i name=l1,profile_name=p3,new_name=l2,auto_start=1");
  assert.equal(await ok("lssyscfg -r prof -m ms01 --filter lpar_names=l2 -F name,desired_mem"), "p1,256\np3,512\n");
  await refused("rmsyscfg -r prof -m ms01 -n p3 -p l2", /default profile/);
  await refused("chsyscfg -r prof -m ms01 -i name=p1,lpar_name=l2,desired_mem=300", /not a multiple/);
  await ok("rmsyscfg -r prof -m ms01 -n p1 -p l2");
  await ok("chsyscfg -r lpar -m ms01 -p l2 -n p3 -o apply");
  await ok("rmsyscfg -r lpar -m ms01 -n l2 --vioscfg");
  await refused("lssyscfg -r lpar -m ms01 --filter lpar_names=l2", /^HSCL8012 /);
});

test("adapters and switches: what carries no frames is refused by the managed system, not by the console alone", async () => {
  await ok(`mksyscfg -r lpar -m ms01 -i "name=l1,profile_name=p1,${PARTITION}"`);
  await ok("chhwres -r virtualio -m ms01 -o a --rsubtype vswitch --vswitch V2");
  await ok("chhwres -r virtualio -m ms01 -o a -p l1 --rsubtype eth -s 5 -a port_vlan_id=9,vswitch=V2");
  assert.equal(await ok("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=l1,slots=5 -F port_vlan_id,vswitch"), "9,V2\n");
  await ok("chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a port_vlan_id=10,vswitch=ETHERNET0");
  assert.equal(await ok("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=l1,vlans=10 -F slot_num,vswitch"), "5,ETHERNET0\n");
  await ok(`chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a 'ieee_virtual_eth=1,"addl_vlan_ids=20,30"'`);
  assert.equal(await ok("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=l1,vlans=30 -F slot_num,ieee_virtual_eth,addl_vlan_ids"), '5,1,"20,30"\n');
  assert.match(await ok("lshwres -r virtualio --rsubtype vnetwork -m ms01"), /vnetwork=VLAN20-ETHERNET0,vswitch=ETHERNET0,vlan_id=20,is_tagged=1\n/);
  await refused("chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a addl_vlan_ids=10", /VLAN 10 is there twice/);
  await refused(`chsyscfg -r prof -m ms01 -i 'name=p1,lpar_name=l1,"virtual_eth_adapters=""3/0/1/20,30/0/0"""'`, /additional VLANs/);
  await ok(`chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a ieee_virtual_eth=0,addl_vlan_ids=none`);
  await refused("chsyscfg -r prof -m ms01 -i name=p1,lpar_name=l1,virtual_eth_adapters=3/0/1//1/0", /trunk adapter/);
  await ok("chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a vswitch=V2");
  await ok("chhwres -r virtualio -m ms01 -o s --rsubtype vswitch --vswitch V2 -a new_name=V3");
  assert.equal(await ok("lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_names=l1,slots=5 -F vswitch"), "V3\n");
  await refused("chhwres -r virtualio -m ms01 -o s --rsubtype vswitch --vswitch ETHERNET0 -a new_name=V4", /is bridged by the Virtual I\/O Server/);
  await ok("chhwres -r virtualio -m ms01 -o s -p l1 --rsubtype eth -s 5 -a vswitch=ETHERNET0");
  await refused("chhwres -r virtualio -m ms01 -o r --rsubtype vswitch --vswitch ETHERNET0", /is used by partition/);
  await ok("chhwres -r virtualio -m ms01 -o r --rsubtype vswitch --vswitch V3");
  await ok("chhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype scsi -s 12 -a adapter_type=server,remote_lpar_name=l1,remote_slot_num=4");
  assert.match(await ok("viosvrcmd -m ms01 -p vios1 -c 'lsmap -all -fmt :'"), /^vhost\d+:U[^:]*-V1-C12:0x0000000\d\n$/m);
  await ok("chhwres -r virtualio -m ms01 -o r -p vios1 -s 12");
  await ok("rmsyscfg -r lpar -m ms01 -n l1");
});

test("system profiles and the start policy are kept by the managed system", async () => {
  for (const name of ["a1", "a2"]) await ok(`mksyscfg -r lpar -m ms01 -i "name=${name},profile_name=p1,${PARTITION}"`);
  await ok(`mksyscfg -r sysprof -m ms01 -i 'name=all,"lpar_names=a1,a2","profile_names=p1,p1"'`);
  await refused("mksyscfg -r sysprof -m ms01 -i name=all,lpar_names=a1,profile_names=p1", /exists/);
  await ok("chsyscfg -r sysprof -m ms01 -i name=all,new_name=both");
  await ok("rmsyscfg -r lpar -m ms01 -n a1");
  assert.equal(await ok("lssyscfg -r sysprof -m ms01"), "name=both,lpar_names=a2,profile_names=p1\n");
  await ok("rmsyscfg -r sysprof -m ms01 -n both");
  await ok("chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=userinit");
  assert.equal(await ok("lssyscfg -r sys -m ms01 -F power_on_lpar_start_policy"), "userinit\n");
  await ok("chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=autostart");
  await ok("rmsyscfg -r lpar -m ms01 -n a2");
});

test("commands of the Virtual I/O Server: several lines, status and words of a failure", async () => {
  const { lanAddress: address } = fixture.vios("ms01", "vios1");
  assert.match(await ok("viosvrcmd -m ms01 -p vios1 -c 'ioslevel\nlstcpip -num'"), new RegExp(`^[\\d.]+\\nName[\\s\\S]*\\nen2 .* ${address.replaceAll(".", "\\.")} `));
  assert.match(await ok("viosvrcmd -m ms01 --id 1 -c 'entstat -all ent2'"), /^State: PRIMARY$/m);
  assert.match(await ok("viosvrcmd -m ms01 --id 1 -c 'lsmap -all -net -fmt :'"), /^ent1:U9009[^:]*-V1-C\d+-T1:ent2:ent0:Available: $/m);
  const failed = await send(root, "viosvrcmd -m ms01 -p vios1 -c 'lsmap -ams -all\nioslevel'");
  assert.deepEqual([failed.code, failed.stdout], [69, ""]);
  assert.match(failed.stderr, /paging/);
  await refused("viosvrcmd -m ms01 -p vios1 -c 'lsmap \"'", /quotation mark/);
});

test("a user with a task role: what it allows, and nothing after the user is removed", async () => {
  assert.deepEqual(await send(root, "mkhmcusr -u view1 -a hmcviewer", "abc-123-def\n"), { code: 0, stdout: "", stderr: "" });
  const viewer = await login("view1", "abc-123-def");
  assert.equal((await send(viewer, "lssyscfg -r sys -F name")).stdout, "ms01\n");
  const denied = { code: 1, stdout: "", stderr: "HSCL350B The user does not have the appropriate authority.\n" };
  assert.deepEqual(await send(viewer, `mksyscfg -r lpar -m ms01 -i "name=x,profile_name=p,${PARTITION}"`), denied);
  assert.equal((await send(viewer, "lssyscfg -r sys -F name | cat; rmsyscfg -r lpar -m ms01 -n x 2>&1 | cut -c1-8")).stdout, "ms01\nHSCL350B\n", "the same behind the shell");
  assert.equal((await send(viewer, "chhmcusr -u view1 -t passwd -v new-456-ghi")).code, 0);
  await assert.rejects(login("view1", "abc-123-def"), /authentication/i);
  await ok("rmhmcusr -u view1");
  assert.deepEqual(await send(viewer, "lssyscfg -r sys -F name"), denied);
  await assert.rejects(login("view1", "new-456-ghi"), /authentication/i);
  const log = fs.readFileSync(path.join(fixture.lab.consoles[0]!.stateDir, "console.log"), "utf8");
  assert.doesNotMatch(log, /abc-123-def|new-456-ghi/);
});

test("of two lines at once that want the same, one gets it and the other is told", async () => {
  const named = async (name: string) => (await ok("lssyscfg -r lpar -m ms01 -F name")).split("\n").filter((line) => line === name).length;
  const make = `mksyscfg -r lpar -m ms01 -i "name=one,profile_name=p1,${PARTITION}"`;
  const made = await Promise.all([make, make, make].map((line) => send(root, line)));
  assert.deepEqual(made.map(({ code }) => code).sort(), [0, 1, 1]);
  for (const { stderr } of made.filter(({ code }) => code === 1)) assert.match(stderr, /^HSCL0616 .*already exists/);
  assert.equal(await named("one"), 1);
  const removed = await Promise.all([1, 2].map(() => send(root, "rmsyscfg -r lpar -m ms01 -n one")));
  assert.deepEqual(removed.map(({ code }) => code).sort(), [0, 1]);
  assert.equal(await named("one"), 0);
});

/** Bytes of every kind, also zero, around words that mean something. */
function noise(random: () => number): string {
  const words = ["lssyscfg", "chsyscfg", "-r", "lpar", "-m", "ms01", "-i", "--filter", "name=x", '"', "'", "|", ";", "\n", "$(", "`", ">", "&", "\0", "\x1b[2J", "\xff\xfe", "é", "/../", "%n", "-F"];
  return Array.from({ length: 1 + Math.floor(random() * 12) }, () => (random() < 0.7 ? words[Math.floor(random() * words.length)]! : String.fromCharCode(...Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256))))).join(random() < 0.8 ? " " : "");
}
test("lines that are none end with a status and a message, and change nothing", async () => {
  const { runDir } = fixture.lab.consoles[0]!;
  const pid = fs.readFileSync(path.join(runDir, "ready"), "utf8");
  const before = await everything();
  const random = randomOf(SEED);
  const lines = [
    ...Array.from({ length: 60 }, () => noise(random)),
    `lssyscfg -r lpar -m ms01 --filter lpar_names=${"x".repeat(30_000)}`,
    `chsyscfg -r lpar -m ms01 -i "${'name=x,'.repeat(4_000)}"`,
    `lssyscfg -r sys -F ${"name,".repeat(6_000)}nothing`,
    `mksyscfg -r lpar -m ms01 -i '${'"'.repeat(20_001)}'`,
    "lssyscfg -r sys\0 -F name",
    "\0",
    "",
  ];
  for (const [at, line] of lines.entries()) {
    const { code, stderr } = await send(root, line);
    const shown = `seed ${SEED}, line ${at}: ${JSON.stringify(line).slice(0, 300)}`;
    assert.ok(code !== null, `${shown}: no status`);
    assert.doesNotMatch(stderr, /\[object |\bundefined\b|\bNaN\b|\n\s+at .*\.[jt]s:|TypeError/, shown);
    if (line.length > 10_000) {
      assert.equal(code, 1, shown);
      assert.ok(stderr !== "" && stderr.length < 8_000, `${shown}: a message of ${stderr.length} characters`);
    }
  }
  assert.deepEqual(await everything(), before);
  assert.equal(fs.readFileSync(path.join(runDir, "ready"), "utf8"), pid, "it is the same console");
  execFileSync("kill", ["-0", pid.trim()]);
});
