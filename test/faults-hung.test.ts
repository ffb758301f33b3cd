/**
 * What can break while a partition moves, with real parts, part 2: links that are cut, processes that hang, consoles and systems that are killed and started again, and what speaks
 * against a move before it or in it. See test/faults-killed.test.ts.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { run } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { findPartitions } from "../src/lab/checker.js";
import { CASES, FAULTS, fast, held, hold, KILLED, letGo, moveLine, slow, type Stage } from "../src/lab/faults.js";
import { connectUnix } from "../src/wire/transport.js";
import { faultSuite } from "./support/fault-suite.js";

const suite = faultSuite("hung", CASES.filter((row) => !KILLED.includes(row.fault)));

/** A move that is refused or undone: one line with this beginning, nothing left, db01 where it was. */
async function refused(expected: RegExp, where: RegExp | null, work: (stage: Stage) => Promise<{ readonly code: number; readonly stderr: string }>): Promise<void> {
  const stage = suite.trials().stage("db01");
  const { code, stderr } = await work(stage);
  assert.equal(code, 1, stderr);
  const lines = stderr.trim().split("\n").filter((line) => /^(HSC|OLPM-)/.test(line)); // details of a finding follow it in lines without a code
  assert.match(lines[0]!, expected);
  if (where) assert.match(lines.at(-1)!, where);
  assert.equal(lines.length, where ? 2 : 1, stderr);
  await suite.lab().check("db01", stage.from.name);
}
const STAYS = /^OLPM-R00 Partition db01 is running on \S+; nothing is reserved on \S+\.$/;

test("the operating system's agent does not answer, before the move and in it; a second try succeeds", async () => {
  const busy = async (stage: Stage) => {
    const { dir } = findPartitions(suite.lab().lab, [stage.partition])[0]!;
    return connectUnix(path.join(stage.from.runDir, dir, "ga.sock")); // the terminal takes one client, and that is us
  };
  await refused(/^HSCLA246 .*db01/, null, async (stage) => {
    const client = await busy(stage);
    return suite.lab().operator.run(moveLine(stage)).finally(() => client.destroy());
  });
  await refused(/^HSCLA246 .*db01/, STAYS, async (stage) => {
    hold(stage.from, "prepare");
    const answer = suite.lab().operator.run(moveLine(stage));
    await held(stage.from, "prepare");
    const client = await busy(stage);
    letGo(stage.from, "prepare");
    return answer.finally(() => client.destroy());
  });
  await suite.trials().move("db01");
});

test("the SAN does not show the LUN to the destination any more, or shows another one under the same path; a second try succeeds", async () => {
  const lun = suite.lab().lab.san.luns[0]!;
  const admin = (mode: string, op: string, ...words: string[]) => run(["tgtadm", "-C", String(suite.lab().lab.san.control), "--lld", "iscsi", "--mode", mode, "--op", op, "--tid", "1", ...words]);
  const mask = (op: "bind" | "unbind") => async (stage: Stage) => {
    for (const vios of stage.to.vioses) await admin("target", op, "--initiator-name", vios.initiatorName);
  };
  const identity = (id: string) => admin("logicalunit", "update", "--lun", String(lun.number), "--params", `scsi_id=${id}`);
  const other = lun.id.slice(4).replace(/.{4}$/, "0fff");
  const changes = [{ breaks: mask("unbind"), mends: mask("bind"), later: /^HSCLA2CF .*not visible to vios1/ }, { breaks: () => identity(other), mends: () => identity(lun.id.slice(4)), later: /^HSCLA2CF .*is naa\..*0fff, but \S+ expects naa\./ }];
  for (const { breaks, mends, later } of changes) {
    await refused(/^HSCLA24E /, null, async (stage) => {
      await breaks(stage);
      return suite.lab().operator.run(`migrlpar -o m -m ${stage.from.name} -t ${stage.to.name} -p db01`).finally(() => mends(stage));
    });
    // Between the validation and the log-in: found there, by identity.
    await refused(later, STAYS, async (stage) => {
      hold(stage.to, "reserved");
      const answer = suite.lab().operator.run(moveLine(stage));
      await held(stage.to, "reserved");
      await breaks(stage);
      letGo(stage.to, "reserved");
      return answer.finally(() => mends(stage));
    });
  }
  await suite.trials().move("db01");
});

test("no mover service partition on the destination", async () => {
  const role = async (stage: Stage, msp: 0 | 1) => {
    for (const vios of stage.to.vioses) await suite.lab().operator.quiet(`chsyscfg -r lpar -m ${stage.to.name} -i "name=${vios.name},msp=${msp}"`);
  };
  await refused(/^OLPM-VX02 .* has no running mover service partition\. Activate /, null, async (stage) => {
    await role(stage, 0);
    return suite.lab().operator.run(`migrlpar -o m -m ${stage.from.name} -t ${stage.to.name} -p db01`).finally(() => role(stage, 1));
  });
  await suite.trials().move("db01");
});

test("a partition that is moving is not moved a second time, and the first move completes", async () => {
  const stage = suite.trials().stage("db01");
  hold(stage.from, "suspend");
  const first = suite.lab().operator.run(moveLine(stage));
  await held(stage.from, "suspend");
  const second = await suite.lab().operator.run(moveLine(stage));
  letGo(stage.from, "suspend");
  assert.equal(second.code, 1);
  assert.deepEqual(await first, { code: 0, stdout: "", stderr: "" });
  suite.trials().arrived("db01", stage.to.name);
  assert.match(second.stderr, /^OLPM-VG10 Partition db01 is in another migration/);
  await suite.lab().check("db01", stage.to.name);
});

test("two partitions move to the last free memory at the same time: one does, the other stays, and moves later", async () => {
  await suite.lab().revived("db02");
  if (suite.trials().home("db02") !== suite.trials().home("db01")) await suite.trials().move("db02");
  const { from, to } = suite.trials().stage("db01");
  const free = Number((await suite.lab().operator.quiet(`lshwres -r mem -m ${to.name} --level sys -F curr_avail_sys_mem`)).trim());
  const filler = free - 512 - 256;
  await suite.lab().operator.quiet(`mksyscfg -r lpar -m ${to.name} -i "name=filler,profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=${filler},max_mem=${filler},proc_mode=shared,min_procs=1,desired_procs=1,max_procs=1,min_proc_units=0.1,desired_proc_units=0.1,max_proc_units=1.0,sharing_mode=cap,uncap_weight=0"`);
  await suite.lab().operator.quiet(`chsysstate -m ${to.name} -r lpar -o on -n filler`);
  hold(to, "reserved");
  const names = ["db01", "db02"];
  const answers = Promise.all(names.map((name) => suite.lab().operator.run(moveLine(suite.trials().stage(name)))));
  await held(to, "reserved");
  letGo(to, "reserved");
  const results = await answers;
  await suite.lab().operator.quiet(`chsysstate -m ${to.name} -r lpar -o shutdown -n filler --immed`);
  await suite.lab().operator.quiet(`rmsyscfg -r lpar -m ${to.name} -n filler`);
  const won = results.findIndex(({ code }) => code === 0);
  const lost = 1 - won;
  assert.deepEqual(results.map(({ code }) => code).sort(), [0, 1], results.map(({ stderr }) => stderr).join());
  assert.match(results[lost]!.stderr, /not enough free memory|has not enough memory|512 MB are needed/);
  assert.match(results[lost]!.stderr, /^(HSCL|OLPM-)\S+ /);
  suite.trials().arrived(names[won]!, to.name);
  await suite.lab().check(names[won]!, to.name);
  await suite.lab().check(names[lost]!, from.name);
  await suite.trials().move(names[lost]!);
});

test("after the console is killed during the copy, a new one shows the migration's progress and stops it", async () => {
  const stage = suite.trials().stage("db01");
  await slow(stage.from.vioses[1]!);
  const answer = suite.lab().operator.run(moveLine(stage)).catch(() => undefined);
  const bytes = async () => Number((await suite.lab().operator.run(`lslparmigr -r lpar -m ${stage.from.name} --filter lpar_names=db01 -F bytes_transmitted`).catch(() => ({ stdout: "0" }))).stdout.trim());
  const more = (than: number) => until(async () => ((await bytes()) > than ? bytes() : undefined), { what: "the copy's bytes", deadlineMs: 20_000 });
  await more(1 << 20);
  await FAULTS.console.strike(stage);
  await answer;
  const seen = await more(0);
  assert.match((await suite.lab().operator.run(`lslparmigr -r lpar -m ${stage.from.name} --filter lpar_names=db01 -F migration_state,dest_sys_name`)).stdout, new RegExp(`^Migration In Progress,${stage.to.name}$`, "m"));
  await more(seen);
  assert.deepEqual(await suite.lab().operator.run(`migrlpar -o s -m ${stage.from.name} -p db01`), { code: 0, stdout: "", stderr: "" });
  await fast(stage.from.vioses[1]!);
  await suite.lab().check("db01", stage.from.name, 45_000);
  await suite.trials().move("db01");
});

suite.finish();
