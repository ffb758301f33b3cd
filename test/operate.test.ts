/**
 * The operator's guide (docs/operate.md), tried from its first line: its shell blocks, in their order, on the hosts that they name. The hosts are bare before: namespaces with
 * their own files and their own systemd, cables to a LAN and a SAN, and an array; nothing else of the laboratory is used. From the first partition on a client writes
 * over one TCP connection, through migrations, upgrades and restores.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { killAndWait, type ProcessIdentity } from "../src/kit/proc.js";
import { missingWrites } from "../src/lab/lun-check.js";
import { LUN_MB } from "../src/lab/plan.js";
import { forgetSan, startSan } from "../src/lab/san.js";
import { databaseAnswers, Writer } from "../src/lab/witness.js";
import { BareHost, Fabric } from "./support/bare-host.js";

const ROOT = path.resolve(import.meta.dirname, "../..");
const HOSTS = ["hmc1", "ms01", "ms02"] as const;
type HostName = (typeof HOSTS)[number];
const PARTITION = "192.0.2.100";
const KEY = "writes-db01";
const CONTROL = 29_471;
const LUN = "naa.600507680cfffe0000000000000000a1";

interface Section {
  readonly title: string;
  readonly blocks: readonly { readonly hosts: readonly HostName[]; readonly script: string }[];
}
/** Shell blocks of the guide by section. Each begins with a comment that names its hosts. */
function sections(page: string): Section[] {
  return page.split(/^## /m).slice(1).map((text) => ({
    title: text.split("\n")[0]!,
    blocks: [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, script]) => {
      const hosts = /^# on ([a-z0-9, ]+)/.exec(script!)?.[1]?.split(/, | and /) ?? [];
      assert.ok(hosts.length > 0 && hosts.every((name) => (HOSTS as readonly string[]).includes(name)), `a block without a host: ${script}`);
      return { hosts: hosts as HostName[], script: script! };
    }),
  }));
}

const guide = sections(fs.readFileSync(path.join(ROOT, "docs/operate.md"), "utf8")).filter((section) => section.blocks.length > 0);
const hosts = new Map<HostName, BareHost>();
const on = (name: HostName): BareHost => hosts.get(name)!;
const fabric = new Fabric("olpm-guide");
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-guide-"));
const lunFile = path.join(dir, "lun0.img");
let array: ProcessIdentity | undefined;
let writer: Writer | undefined;
let code = "";
let broken: string | undefined;

before(async () => {
  await fabric.up({ lan: "192.0.2.1/24", san: "198.51.100.1/24" });
  for (const [name, host] of await Promise.all(HOSTS.map(async (name) => [name, await BareHost.boot(name)] as const))) hosts.set(name, host);
  for (const [name, address] of [["hmc1", "192.0.2.5"], ["ms01", "192.0.2.11"], ["ms02", "192.0.2.12"]] as const) {
    await fabric.plug("lan", on(name), "eno1");
    await on(name).run(`ip address add ${address}/24 dev eno1; ip link set eno1 up`);
  }
  await fabric.plug("lan", on("ms01"), "eno2");
  for (const name of ["ms01", "ms02"] as const) await fabric.plug("san", on(name), "eno3");
  array = await startSan({ san: { namespace: fabric.namespace, target: "iqn.2026-01.org.example:array", control: CONTROL, luns: [{ number: 1, id: LUN, file: lunFile }] } }, "198.51.100.1:3260");
  assert.equal(fs.statSync(lunFile).size, LUN_MB << 20);
});

after(async () => {
  writer?.kill();
  for (const host of hosts.values()) await host.destroy();
  if (array) await killAndWait(array);
  forgetSan(CONTROL);
  await fabric.down();
  fs.rmSync(dir, { recursive: true, force: true });
  assert.deepEqual(fs.readdirSync("/run/netns").filter((name) => name.startsWith(fabric.namespace)), [], "the fabric is left behind");
});

/** What has to be so before and after the blocks of a section, by its title. */
const CHECKS: Readonly<Record<string, { readonly before?: () => Promise<void>; readonly afterBlock?: (script: string) => Promise<void>; readonly after?: () => Promise<void> }>> = {
  "1. Install": {
    after: async () => {
      assert.equal((await on("ms01").try("systemd-analyze verify /usr/lib/systemd/system/openlpm-* 2>&1 | grep openlpm || true")).stdout, "");
      for (const verb of ["console", "system", "vios", "init", "invite", "join", "renew", "disk", "backup", "restore", "release", "hmc"]) assert.match(await on("ms01").run(`openlpm ${verb} --help`), /^Usage: openlpm [\s\S]*^Exit status: /m, verb);
      // Nothing is configured: one line that says what to do, and the status that goes with it.
      for (const [line, status, words] of [
        ["openlpm system", 1, /There is no configuration of a managed system in .*openlpm join makes one/],
        ["openlpm console", 1, /openlpm init console makes one/],
        ["openlpm invite system ms01", 1, /openlpm init console makes one/],
        ["openlpm renew", 1, /neither a console nor a managed system/],
        ["openlpm join --console 192.0.2.5 --code x --address 192.0.2.11", 2, /no invitation's code/],
        ["openlpm init --nmae x", 2, /has no option --nmae/],
        ["openlpm nothing", 2, /unknown verb "nothing"/],
      ] as const) {
        const { code: got, stderr } = await on("ms01").try(line);
        assert.equal(got, status, line);
        assert.match(stderr, words);
        assert.equal(stderr.trim().split("\n").length, 1, stderr);
      }
    },
  },
  "3. Bring the hosts in": {
    after: async () => {
      assert.match(await on("hmc1").run("cat /etc/openlpm/console.yaml"), /name: ms01\n[\s\S]*name: ms02\n/, "the console's file names both systems");
      for (const name of HOSTS) {
        const open = await on(name).run("find /etc/openlpm /var/lib/openlpm -type f -perm /077 ! -path '/var/lib/openlpm/image/*'");
        assert.equal(open, "", `${name} has files that others may read`);
      }
      assert.equal(await on("ms01").run("find /etc/openlpm /var/lib/openlpm -name ca.key"), "", "the authority's key is on its host only");
    },
  },
  "4. The first partition": {
    after: async () => {
      await databaseAnswers(fabric.namespace, PARTITION, 60_000);
      writer = new Writer({ namespace: fabric.namespace, address: PARTITION, key: KEY, pauseMs: 3 });
      await writer.progressed();
      // A LUN in use is not written to.
      assert.match((await on("ms01").try("openlpm disk --vios vios1 --disk hdisk0 --name x --address 192.0.2.101/24")).stderr, /is mapped to a partition/);
    },
  },
  "5. The first migration": { after: () => runsOn("ms02") },
  "Upgrade without stopping partitions": {
    before: async () => {
      // A new version: this copy of the directory differs from the installed one.
      for (const name of HOSTS) await on(name).run("echo '# the next version' >> packaging/openlpm");
      for (const name of HOSTS) releases.set(name, await on(name).run("readlink -f /usr/lib/openlpm/current"));
      processes = await qemuAndVios("ms02");
      assert.equal(processes.trim().split("\n").length, 2, "a partition and a Virtual I/O Server");
      systemPid = await mainPid("ms02");
    },
    afterBlock: async (script) => {
      if (!script.includes("restart openlpm-system")) return;
      await on("ms02").run("until [ -e /run/openlpm/system/ready ]; do sleep 0.1; done");
      assert.equal(await qemuAndVios("ms02"), processes, "partitions and Virtual I/O Servers outlive the restart");
      assert.notEqual(await mainPid("ms02"), systemPid, "the system's process is a new one");
      for (const name of ["ms01", "ms02"] as const) assert.notEqual(await on(name).run("readlink -f /usr/lib/openlpm/current"), releases.get(name));
      assert.match(await on("ms02").run("tr '\\0' ' ' < /proc/$(systemctl show -P MainPID openlpm-system)/cmdline; echo; readlink -f /usr/lib/openlpm/current; ls -d /usr/lib/openlpm/releases/* | wc -l"), /^2$/m, "the release that a Virtual I/O Server runs from stays");
    },
    after: () => runsOn("ms01"),
  },
  "Backup and restore": {
    after: async () => {
      await runsOn("ms01");
      assert.match(await on("ms02").run("tar -tzf /root/openlpm-backup.tar.gz"), /var\/lib\/openlpm\/system\/system\.lmdb/);
      assert.match(await on("hmc1").run("stat -c %a /root/openlpm-backup.tar.gz"), /^600$/m);
    },
  },
  "Take a host out": {
    after: async () => {
      const { stdout } = await on("ms02").try("ip -br link; ls -d /etc/openlpm /var/lib/openlpm /usr/lib/openlpm /usr/bin/openlpm /run/openlpm /run/netns/*; ls /usr/lib/systemd/system/openlpm-*; getent passwd openlpm-lpar");
      assert.match(stdout, /^eno3/m);
      assert.doesNotMatch(stdout, /openlpm/);
      await runsOn("ms01");
    },
  },
};
const releases = new Map<HostName, string>();
let processes = "";
let systemPid = "";
const mainPid = (name: HostName): Promise<string> => on(name).run("systemctl show -P MainPID openlpm-system");
const qemuAndVios = (name: HostName): Promise<string> => on(name).run("pgrep -f '[q]emu-system-ppc64|[m]ain.js vios' | sort");

async function runsOn(name: HostName): Promise<void> {
  assert.ok(writer);
  await writer.progressed();
  assert.equal(writer.last.connectionsLost, 0);
  for (const [other, host] of hosts) assert.equal((await host.try("pgrep -c qemu-system-ppc")).stdout.trim(), other === name ? "1" : "0", `partitions on ${other}`);
}

for (const section of guide) {
  test(section.title, async () => {
    assert.equal(broken, undefined, `not tried, since "${broken}" failed`);
    broken = section.title;
    await CHECKS[section.title]?.before?.();
    for (const { hosts: names, script } of section.blocks) {
      const outputs = await Promise.all(names.map((name) => on(name).run(script.replaceAll("CODE", code))));
      if (script.includes("openlpm invite")) code = outputs[0]!.trim();
      await writer?.progressed();
      await CHECKS[section.title]?.afterBlock?.(script);
    }
    await CHECKS[section.title]?.after?.();
    broken = undefined;
  });
}

test("no acknowledged write is lost, and the client kept its connection", async () => {
  assert.ok(writer);
  const last = await writer.finish();
  writer = undefined;
  assert.equal(last.error, null);
  assert.equal(last.connectionsLost, 0);
  await on("hmc1").run("openlpm hmc 'chsysstate -m ms01 -r lpar -o shutdown --immed -n db01'");
  assert.deepEqual(await missingWrites(lunFile, KEY, last.acknowledged), []);
  // The managed system was brought back from a backup: a person has to say that the partition runs nowhere else.
  const activate = "openlpm hmc 'chsysstate -m ms01 -r lpar -o on -n db01'";
  assert.match((await on("hmc1").try(activate)).stderr, /brought back from a backup/);
  assert.match(await on("ms01").run("openlpm restore --confirm db01"), /db01 may be activated on ms01/);
  await on("hmc1").run(activate);
  await on("hmc1").run("openlpm hmc 'chsysstate -m ms01 -r lpar -o shutdown --immed -n db01'");
});

test("every section of the guide with checks is there", () => {
  assert.deepEqual(Object.keys(CHECKS).filter((title) => !guide.some((section) => section.title === title)), []);
});
