/**
 * A partition that changes its memory faster than the link carries it: within the limits of its system's policy it is slowed down until the copy comes to its end; where the policy
 * does not allow that, the migration is given up in words, and the partition runs on untouched.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../src/kit/wait.js";
import { runDirOf } from "../src/lab/bench/ours.js";
import { guestAgent } from "../src/system/qemu/agent.js";
import { sockets } from "../src/system/qemu/arguments.js";
import { Fixture } from "./support/fixture.js";

/** The link carries 50 MB/s; the load rewrites its memory in much less than the second or two that this takes. */
const RATE = "400mbit";
const LOAD_MB = 64;
const LOAD_MB_PER_SECOND = 200;

let lab: Fixture;
let uuid: string;

before(async () => {
  const stall = { stallRounds: 4, stallSeconds: 4 };
  lab = await Fixture.up("conv", {
    systems: [
      { name: "ms01", serial: "7800A01", migration: { ...stall, throttle: { initialPercent: 50, stepPercent: 25, maxPercent: 99 } } },
      { name: "ms02", serial: "7800A02", migration: { ...stall, throttle: null } },
    ],
  });
  ({ uuid } = await lab.partition({ name: "db01", system: "ms01", lun: 0, memoryMb: 512 }));
});
after(() => lab.down());

const guest = () => guestAgent(sockets(runDirOf(lab.lab, uuid).dir).agent);
async function load(): Promise<void> {
  await guest().exec("/bin/sh", ["-c", `dirty ${LOAD_MB} ${LOAD_MB_PER_SECOND} >/run/dirty.log 2>&1 </dev/null &`], { deadlineMs: 30_000 });
  await until(async () => ((await guest().exec("/bin/cat", ["/run/dirty.log"], { deadlineMs: 10_000 })).stdout.includes("MB/s") ? true : undefined), { what: "the load to run", deadlineMs: 60_000, everyMs: 500 });
}

test("a partition that is too fast for the link is slowed down within the limits, visibly, and moves", async () => {
  await load();
  await lab.slow("ms01", "vios1", RATE);
  const moving = lab.operator.run("migrlpar -o m -m ms01 -t ms02 -p db01 -v");
  const slowed = await until(
    async () => {
      const percent = Number((await lab.operator.run("lslparmigr -r lpar -m ms01 --filter lpar_names=db01 -F openlpm_throttle")).stdout.trim());
      return percent > 0 ? percent : undefined;
    },
    { what: "the partition to be slowed down", deadlineMs: 60_000, everyMs: 100 },
  );
  assert.ok(slowed >= 50 && slowed <= 99, `slowed down by ${slowed} %`);
  const { code, stdout, stderr } = await moving;
  assert.equal(code, 0, stderr);
  assert.match(stdout, /db01: copying memory, .*slowed down by (50|75|99)%/);
  await lab.check("db01", "ms02");
});

test("where the policy does not allow it the migration is given up, and the partition runs on", async () => {
  await lab.slow("ms02", "vios1", RATE);
  const { code, stderr } = await lab.operator.run("migrlpar -o m -m ms02 -t ms01 -p db01");
  assert.notEqual(code, 0);
  assert.match(stderr, /^OLPM-M01 Partition db01 changes its memory faster than the link carries it: each of the last of \d+ rounds left \d+ MiB to send, at \d+ MiB a second, with the partition not slowed down\. It runs on the source\./m);
  assert.match(stderr, /throttle\.maxPercent/);
  await lab.check("db01", "ms02");
  await lab.fast("ms02", "vios1");
  await guest().exec("/bin/sh", ["-c", "kill $(pidof dirty)"], { deadlineMs: 30_000 });
  const again = await lab.operator.run("migrlpar -o m -m ms02 -t ms01 -p db01");
  assert.equal(again.code, 0, again.stderr);
  await lab.check("db01", "ms01");
  await lab.finish("db01");
});
