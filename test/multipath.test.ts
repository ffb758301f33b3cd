/**
 * Two paths to one LUN: two virtual Fibre Channel adapters over two Virtual I/O Servers, joined by the operating system's own multipath. A Virtual I/O Server that is killed under load costs
 * seconds and no write, and a move keeps both paths, each with the other WWPN of its pair.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { until } from "../src/kit/wait.js";
import { runDirOf } from "../src/lab/bench/ours.js";
import { wwpnsOf } from "../src/lab/partition.js";
import { loggedIn } from "../src/lab/san.js";
import { guestAgent } from "../src/system/qemu/agent.js";
import { sockets } from "../src/system/qemu/arguments.js";
import { Fixture } from "./support/fixture.js";

const RECORD_BYTES = 512;
/** Records beyond all that are checked. */
const ELSEWHERE = 500_000;
/** Makes one disk of the two that show the same identity; then writes one record after the other to it, and counts those that are on it in the database. */
const START = `
set -e
serial() { tail -c +5 /sys/block/$1/device/vpd_pg80; }
number() { cat /sys/block/$1/dev; }
first= second=
for a in sda sdb sdc; do for b in sda sdb sdc; do [ "$a" \\< "$b" ] && [ "$(serial $a)" = "$(serial $b)" ] && first=$a second=$b; done; done || true
[ -n "$second" ]
dmsetup create --noudevrules --noudevsync mp --table "0 $(cat /sys/block/$first/size) multipath 0 0 1 1 round-robin 0 2 1 $(number $first) 1 $(number $second) 1"
[ -b /dev/mapper/mp ] || mknod /dev/mapper/mp b $(dmsetup info -c --noheadings --separator ' ' -o major,minor mp)
(
  n=0
  while :; do
    n=$((n + 1))
    # Three requests for each record, two writes and a flush, so that each path has all kinds: a flush alone is nothing to a path that has written nothing.
    echo $n | dd of=/dev/mapper/mp bs=${RECORD_BYTES} seek=$((n + ${ELSEWHERE})) conv=notrunc 2>/dev/null || exit
    printf '%-${RECORD_BYTES}s' "record $n" | dd of=/dev/mapper/mp bs=${RECORD_BYTES} seek=$n conv=notrunc,fsync 2>/dev/null || exit
    redis-cli set mp-written $n
  done
) < /dev/null > /dev/null 2>&1 &
serial $first
`;
/** An error of a path comes after 5 s (qemu/arguments.ts); the rest is for a machine that is busy. */
const TAKEN_OVER_MS_MAX = 20_000;

let lab: Fixture;
let uuid: string;
/** of the adapters over vios1 and vios2: the name in turn first */
let pairs: [string, string][];
const shell = async (script: string): Promise<string> => {
  const { code, stdout, stderr } = await guestAgent(sockets(runDirOf(lab.lab, uuid).dir).agent).exec("/bin/sh", ["-c", script], { deadlineMs: 30_000 });
  assert.equal(code, 0, stderr);
  return stdout;
};
/** Active or failed, of each path. */
const paths = async (): Promise<string[]> => [...(await shell("dmsetup status mp")).matchAll(/\d+:\d+ ([AF]) /g)].map(([, state]) => state!);
/** As multipathd does, again and again: a path is good when it was taken back and carried what was written since. QEMU looks for its server at most every 16 s. */
async function reinstated(): Promise<void> {
  await until(
    async () => {
      await shell("for path in $(dmsetup deps mp -o devno | grep -o '([0-9]*, [0-9]*)' | tr -d '() ' | tr , :); do dmsetup message mp 0 reinstate_path $path; done");
      await progressed();
      return (await paths()).includes("F") ? undefined : true;
    },
    { what: "both paths to work again", deadlineMs: 60_000, everyMs: 1_000 },
  );
}
const written = async () => Number(await lab.redis("db01", "get", "mp-written"));
async function progressed(): Promise<void> {
  const before = await written();
  await until(async () => ((await written()) > before + 3 ? true : undefined), { what: "records on the disk with two paths", deadlineMs: TAKEN_OVER_MS_MAX, everyMs: 100 });
}
function assertRecords(upTo: number): void {
  const content = fs.readFileSync(lab.lab.san.fcLuns[0]!.file).toString("latin1", 0, (upTo + 1) * RECORD_BYTES);
  assert.deepEqual(Array.from({ length: upTo }, (_, at) => at + 1).filter((n) => content.slice(n * RECORD_BYTES, (n + 1) * RECORD_BYTES).trimEnd() !== `record ${n}`), [], "records that were counted as written and are not in the LUN's file");
}
const assertLoggedIn = async (...turns: readonly (0 | 1)[]) => assert.deepEqual(await loggedIn(lab.lab, 0), pairs.slice(0, turns.length).map((pair, at) => `naa.${pair[turns[at]!]}`).sort());
async function killVios2(system: string): Promise<void> {
  process.kill(lab.pid(system, "v2"), "SIGKILL");
  await lab.operator.until(`lssyscfg -r lpar -m ${system} --filter lpar_names=vios2 -F state`, "Error", 15_000);
}

before(async () => {
  lab = await Fixture.up("mpt", { fcLuns: 1, luns: 1 });
  ({ uuid } = await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512, fc: 0, fcVioses: ["vios1", "vios2"] }));
  const names = await wwpnsOf(lab.operator, "ms01", "db01");
  pairs = [[names[0]!, names[1]!], [names[2]!, names[3]!]];
});
after(() => lab.down());

test("the operating system sees one identity on both paths, that of the LUN, and uses both", async () => {
  assert.equal((await shell(START)).trim(), lab.lab.san.fcLuns[0]!.id.slice(4));
  await assertLoggedIn(0, 0);
  await progressed();
  assert.deepEqual(await paths(), ["A", "A"]);
});

test("the Virtual I/O Server of one path is killed under load: writing goes on over the other one; afterwards both are used again", async () => {
  await killVios2("ms01");
  await until(async () => ((await paths()).includes("F") ? true : undefined), { what: "the path to fail", deadlineMs: TAKEN_OVER_MS_MAX, everyMs: 200 });
  await progressed();
  assert.deepEqual((await paths()).sort(), ["A", "F"]);
  await assertLoggedIn(0);
  await lab.operator.quiet("chsysstate -m ms01 -r lpar -o on -n vios2");
  await assertLoggedIn(0, 0);
  await reinstated();
  assertRecords(await written());
});

test("a move keeps both paths, over two Virtual I/O Servers; one that is killed there costs no write either", async () => {
  const { code, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01");
  assert.equal(code, 0, stderr);
  await assertLoggedIn(1, 1);
  assert.match(await lab.operator.quiet("lshwres -r virtualio -m ms02 --rsubtype fc --level lpar --filter lpar_names=db01 -F slot_num,remote_lpar_name,state"), /^4,vios1,1\n5,vios2,1\n$/);
  await progressed();
  assert.deepEqual(await paths(), ["A", "A"]);
  await killVios2("ms02");
  await until(async () => ((await paths()).includes("F") ? true : undefined), { what: "the path to fail", deadlineMs: TAKEN_OVER_MS_MAX, everyMs: 200 });
  await progressed();
  assertRecords(await written());
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o on -n vios2");
  await lab.check("db01", "ms02");
  await lab.finish("db01");
});
