/**
 * Virtual Fibre Channel with real parts: a partition whose root is on virtual SCSI and whose second disk is reached by its own WWPNs moves there and back while it writes to
 * both. Who is logged in is asked of the SAN, and what was written is read from the LUN's own file.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { run } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { attempt, moveLine, type FaultCase, type Stage } from "../src/lab/faults.js";
import { wwpnsOf } from "../src/lab/partition.js";
import { LUN_MB } from "../src/lab/plan.js";
import { loggedIn, unmaskLun } from "../src/lab/san.js";
import { labStatus } from "../src/lab/status.js";
import { Fixture } from "./support/fixture.js";

const RECORD_BYTES = 512;
/** In the partition, from its first `check` on: writes one record after the other to the disk that is not the root, and counts those that are on it in the database. */
const WRITER = {
  path: "/etc/openlpm/mobility.d/20-fc",
  mode: 0o755,
  content: `#!/bin/sh
[ "$1" = check ] && [ ! -e /run/fc-writer ] || exit 0
touch /run/fc-writer
root=$(sed -n 's# / .*##p' /proc/mounts | grep ^/dev/sd)
for disk in /dev/sd[a-z]; do [ "$disk" = "$root" ] || break; done
(
  n=0
  while :; do
    n=$((n + 1))
    printf '%-${RECORD_BYTES}s' "record $n of $(hostname)" | dd of=$disk bs=${RECORD_BYTES} seek=$n conv=notrunc,fsync 2>/dev/null || exit
    redis-cli set fc-written $n
  done
) < /dev/null > /dev/null 2>&1 &
`,
};

let lab: Fixture;
let pair: string[];
/** where the partition is, and which of its pair is in turn there */
let home = "ms01";
let active = 0;
const names = (...wwpns: string[]) => wwpns.map((wwpn) => `naa.${wwpn}`).sort();
const loggedInNow = () => loggedIn(lab.lab, 0);
const npiv = (system: string, vios = "vios1") => lab.operator.run(`viosvrcmd -m ${system} -p ${vios} -c "lsmap -all -npiv -field physloc clntname status fc ports -fmt :"`);
const written = async () => Number(await lab.redis("db01", "get", "fc-written"));
async function progressed(): Promise<void> {
  const before = await written();
  await until(async () => ((await written()) > before + 1 ? true : undefined), { what: "records on the disk by virtual Fibre Channel", deadlineMs: 20_000, everyMs: 100 });
}
/** Records that were counted as written and are not in the LUN's file. */
function missingRecords(upTo: number): number[] {
  const content = fs.readFileSync(lab.lab.san.fcLuns[0]!.file).subarray(0, (upTo + 1) * RECORD_BYTES);
  return Array.from({ length: upTo }, (_, at) => at + 1).filter((n) => content.toString("latin1", n * RECORD_BYTES, (n + 1) * RECORD_BYTES).trimEnd() !== `record ${n} of db01`);
}

before(async () => {
  lab = await Fixture.up("npv", { fcLuns: 1, luns: 2, faults: true });
  await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512, fc: 0, files: [WRITER] });
  pair = await wwpnsOf(lab.operator, "ms01", "db01");
});
after(() => lab.down());

test("the server logs in as the partition, with a WWPN that the managed system made; no server sees the LUN itself", async () => {
  assert.match(pair.join(), /^(?<prefix>c05076[0-9a-f]{6})0000,\k<prefix>0001$/);
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  assert.equal((await npiv("ms01")).stdout, "U9009.42A.7800A01-V1-C30:db01:LOGGED_IN:fcs0:1\n");
  assert.equal((await npiv("ms02")).code, 10);
  for (const system of ["ms01", "ms02"]) for (const vios of ["vios1", "vios2"]) assert.equal((await lab.operator.quiet(`viosvrcmd -m ${system} -p ${vios} -c "lspv -fmt :"`)).trim().split("\n").length, 2, `${vios} of ${system} sees its own LUNs only`);
  assert.equal(await lab.operator.quiet("lslparmigr -r virtualio -m ms01 -t ms02 -p db01 -F possible_virtual_fc_mappings:suggested_virtual_fc_mappings"), "4/vios1/1,4/vios2/2:4/vios1/1\n");
  assert.deepEqual(await lab.operator.run("migrlpar -o v -m ms01 -t ms02 -p db01"), { code: 0, stdout: "", stderr: "" });
  assert.deepEqual(await loggedInNow(), names(pair[0]!), "a validation leaves no login behind");
  await until(async () => ((await written()) > 2 ? true : undefined), { what: "the first records", deadlineMs: 30_000, everyMs: 200 });
});

test("a migration that is stopped logs the second WWPN out again", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02");
  assert.deepEqual(await loggedInNow(), names(...pair));
  await lab.operator.quiet("migrlpar -o s -m ms01 -p db01");
  assert.equal((await copy.ended).code, 1);
  await lab.fast("ms01", "vios1");
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  assert.equal((await npiv("ms02")).code, 10, "no server adapter is left on the destination");
  await progressed();
  await lab.check("db01", "ms01");
});

/** The Virtual I/O Server that serves both disks is killed; which of the pair is logged in when the migration has ended, with and without the partition's move. */
const KILLED: readonly FaultCase[] = [
  { fault: "destinationVios", at: "copy", ending: "stays" },
  { fault: "destinationVios", at: "handOver", ending: "stays" },
  { fault: "sourceVios", at: "copy", ending: "stays" },
  { fault: "sourceVios", at: "handOver", ending: "moves" },
];
for (const row of KILLED) {
  test(`${row.fault} at ${row.at}: the partition ${row.ending}; one WWPN is logged in where it runs, and none is left elsewhere; a second try moves it`, async () => {
    const [here, there] = [home, home === "ms01" ? "ms02" : "ms01"];
    const stage: Stage = { lab: lab.lab, operator: lab.operator, partition: lab.client("db01").partition, from: lab.system(here), to: lab.system(there) };
    const { code, stderr } = await attempt(stage, row);
    if (row.ending === "stays") {
      assert.equal(code, 1, stderr);
      assert.deepEqual(await loggedInNow(), names(pair[active]!));
      await progressed();
      await lab.check("db01", here);
      const again = await lab.operator.run(moveLine(stage));
      assert.equal(again.code, 0, again.stderr);
    } else assert.deepEqual([code, stderr], [0, ""]);
    [home, active] = [there, 1 - active];
    assert.deepEqual(await loggedInNow(), names(pair[active]!));
    assert.equal((await npiv(here)).code, 10, "no server adapter is left");
    await progressed();
    await lab.check("db01", there);
    assert.deepEqual(missingRecords(await written()), []);
  });
}

test("lab status shows the LUN with both its names, who is logged in, and whose it is", async () => {
  const { san } = await labStatus(lab.lab);
  assert.deepEqual(san.fcLuns.map(({ bytes, maskedTo, loggedIn: now, usedBy }) => ({ bytes, maskedTo, now, usedBy })), [{ bytes: LUN_MB << 20, maskedTo: names(...pair), now: names(pair[active]!), usedBy: "db01" }]);
});

test("the second WWPN logs in before the first logs out, at the next move the other way round; mappings as asked; no write is lost", async () => {
  await lab.slow("ms01", "vios1");
  const copy = await lab.beginCopy("db01", "ms01", "ms02");
  assert.deepEqual(await loggedInNow(), names(...pair));
  await lab.fast("ms01", "vios1");
  const there = await copy.ended;
  assert.equal(there.code, 0, there.stderr);
  assert.deepEqual(await loggedInNow(), names(pair[1]!));
  assert.equal((await npiv("ms01")).code, 10);
  assert.match((await npiv("ms02")).stdout, /^U9009\.42A\.7800A02-V1-C\d+:db01:LOGGED_IN:fcs0:1\n$/);
  assert.deepEqual(await wwpnsOf(lab.operator, "ms02", "db01"), pair, "the pair moved with the partition");
  await progressed();
  await lab.check("db01", "ms02");

  const back = await lab.operator.run('migrlpar -o m -m ms02 -t ms01 -p db01 -i "virtual_fc_mappings=4/vios2/2/40/fcs0"');
  assert.equal(back.code, 0, back.stderr);
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  assert.equal((await npiv("ms01", "vios2")).stdout, "U9009.42A.7800A01-V2-C40:db01:LOGGED_IN:fcs0:1\n");
  assert.equal(await lab.operator.quiet("lshwres -r virtualio -m ms01 --rsubtype fc --level lpar --filter lpar_names=db01 -F slot_num,remote_lpar_name,remote_slot_num,state"), "4,vios2,40,1\n");
  await progressed();
  await lab.check("db01", "ms01");
  const upTo = await written();
  assert.deepEqual(missingRecords(upTo), []);
  assert.ok(upTo > 10, `${upTo} records`);
});

test("with one of its WWPNs not masked the partition can not move, and the validation says which", async () => {
  await unmaskLun(lab.lab, 0, pair[1]!);
  const { code, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01");
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^HSCLA319 .*client adapter 4 cannot be hosted .*WWPN ${pair[1]} is not zoned`));
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  await run(["tgtadm", "-C", String(lab.lab.san.control), "--lld", "iscsi", "--mode", "target", "--op", "bind", "--tid", "2", "--initiator-name", `naa.${pair[1]}`]);
  await lab.check("db01", "ms01");
});

test("a killed Virtual I/O Server logs in as the partition again, under the waiting partition", async () => {
  process.kill(lab.pid("ms01", "v2"), "SIGKILL");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=vios2 -F state", "Error", 15_000);
  await lab.operator.quiet("chsysstate -m ms01 -r lpar -o on -n vios2");
  await progressed();
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  assert.deepEqual(missingRecords(await written()), []);
});

test("a partition that is off is logged out, moves with its adapter, and logs in on the destination when it is activated", async () => {
  await lab.finish("db01");
  await lab.operator.quiet("chsysstate -m ms01 -r lpar -o shutdown -n db01 --immed");
  await lab.operator.until("lssyscfg -r lpar -m ms01 --filter lpar_names=db01 -F state", "Not Activated", 10_000);
  assert.deepEqual(await loggedInNow(), []);
  const { code, stderr } = await lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01");
  assert.equal(code, 0, stderr);
  assert.deepEqual(await loggedInNow(), []);
  assert.equal((await npiv("ms01", "vios2")).code, 10);
  assert.match((await npiv("ms02", "vios2")).stdout, /^U9009\.42A\.7800A02-V2-C\d+: :NOT_LOGGED_IN:fcs0:0\n$/);
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o on -n db01");
  assert.deepEqual(await loggedInNow(), names(pair[0]!));
  await lab.operator.quiet("chsysstate -m ms02 -r lpar -o shutdown -n db01 --immed");
  await until(async () => ((await loggedInNow()).length === 0 ? true : undefined), { what: "the logout", deadlineMs: 10_000, everyMs: 100 });
});
