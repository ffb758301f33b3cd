/**
 * Processor compatibility modes with real parts: a partition in each mode that its kernel knows moves under load, there and back twice, and goes on each time. The installed QEMU
 * may not carry over the interrupt controller of POWER8 mode (docs/dependencies.md): then its state shows that, and the partition is refused with this cause.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { until } from "../src/kit/wait.js";
import { QmpClient } from "../src/qmp/client.js";
import { guestAgent } from "../src/system/qemu/agent.js";
import { Fixture } from "./support/fixture.js";

/** POWER9_base is POWER9 here, and so is the default mode, in which all other tests run. */
const MODES = [
  { name: "p8", mode: "POWER8", mmu: "Hash", lun: 0, vios: "vios1" },
  { name: "p9", mode: "POWER9", mmu: "Radix", lun: 1, vios: "vios2" },
] as const;
let lab: Fixture;

before(async () => {
  lab = await Fixture.up("cpm", { systems: [{ name: "ms01", serial: "7800A01" }, { name: "ms02", serial: "7800A02" }] });
  await Promise.all(MODES.map(({ name, mode, lun, vios }) => lab.partition({ name, system: "ms01", lun, memoryMb: 512, vios, compatMode: mode })));
});
after(() => lab.down());

/** A command in the partition, by its agent. */
async function inside(name: string, system: string, line: string): Promise<string> {
  const socket = path.join(lab.system(system).runDir, `p${await lab.lparId(name, system)}`, "ga.sock");
  const { code, stdout, stderr } = await guestAgent(socket).exec("/bin/sh", ["-c", line], { deadlineMs: 60_000 });
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

async function moves(name: string, from: string, to: string): Promise<void> {
  const { code, stderr } = await lab.operator.run(`migrlpar -o m -m ${from} -t ${to} -p ${name}`);
  assert.equal(code, 0, stderr);
  await lab.check(name, to);
}

/** The state of a machine in POWER8 mode, as QEMU describes it at the state's end. No operating system is needed: a section is there or it is not. */
async function stateOfXics(): Promise<string> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-icp-"));
  const child = spawn("qemu-system-ppc64", ["-M", "pseries,max-cpu-compat=power8,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "-accel", "tcg", "-cpu", "power9", "-m", "256M", "-nodefaults", "-nographic", "-S", "-qmp", `unix:${dir}/q,server=on,wait=off`], { stdio: "ignore" });
  try {
    const qmp = await until(() => QmpClient.connect(`${dir}/q`).catch(() => undefined), { what: "QEMU's answer", deadlineMs: 30_000, everyMs: 50 });
    await qmp.execute("migrate", { uri: `file:${dir}/state` });
    await until(async () => (((await qmp.execute("query-migrate")) as { status: string }).status === "completed" ? true : undefined), { what: "the state", deadlineMs: 60_000, everyMs: 50 });
    qmp.close();
    const state = fs.readFileSync(`${dir}/state`);
    const at = state.lastIndexOf('{"configuration"');
    assert.ok(at >= 0, "the state ends with its description");
    return state.subarray(at).toString("latin1");
  } finally {
    child.kill("SIGKILL");
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

for (const { name, mode, mmu } of MODES)
  test(`${mode}: the operating system runs in it, and goes on where it is moved to`, async () => {
    const seen = async (system: string) => {
      assert.equal(await inside(name, system, "awk -F': ' '/^(cpu|MMU)/ {print $2}' /proc/cpuinfo"), `${mode} (architected), altivec supported\n${mmu}`);
      assert.equal(await lab.operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F desired_lpar_proc_compat_mode,curr_lpar_proc_compat_mode`), `${mode},${mode}\n`);
    };
    await seen("ms01");
    await inside(name, "ms01", "dirty 48 10 >/run/dirty.log 2>&1 </dev/null & until grep -q filled /run/dirty.log; do sleep 0.2; done");
    if (mode === "POWER8") {
      const { code, stderr } = await lab.operator.run(`migrlpar -o v -m ms01 -t ms02 -p ${name}`);
      const carried = (await stateOfXics()).includes('"icp/server"');
      assert.equal(code, carried ? 0 : 1, stderr);
      if (!carried) return assert.match(stderr, /OLPM-VS04 .*POWER8.* does not carry over the state of its interrupt controller/);
    }
    for (const [from, to] of [["ms01", "ms02"], ["ms02", "ms01"], ["ms01", "ms02"], ["ms02", "ms01"]] as const) {
      await moves(name, from, to);
      await seen(to);
    }
    assert.equal(await inside(name, "ms01", "dmesg | grep -iE 'oops|hung|stall|soft lockup' || true"), "");
    await lab.finish(name);
  });
