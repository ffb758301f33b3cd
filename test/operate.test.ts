/**
 * The operator's guide (docs/operate.md), tried from its first line: its shell blocks, in their order, on the hosts that they name. The hosts are bare before: namespaces with
 * their own files and their own systemd, cables to a LAN and a SAN, and an array; nothing else of the laboratory is used. From the first partition on a client writes
 * over one TCP connection, through migrations, upgrades and restores.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
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
/** Runs of different checkouts stand side by side. */
const TAG = createHash("sha256").update(ROOT).digest("hex").slice(0, 6);
const fabric = new Fabric(`olpm-guide-${TAG}`);
const dir = path.join(os.tmpdir(), `olpm-guide-${TAG}`);
const ARRAY_FILE = `/run/olpm-guide-${TAG}.json`;
const CONTROL = 20_000 + (parseInt(TAG, 16) % 10_000);
const lunFile = path.join(dir, "lun0.img");
let writer: Writer | undefined;
let code = "";
let broken: string | undefined;

before(async () => {
  await endArray();
  await fabric.down();
  BareHost.sweep(TAG);
  fs.rmSync(dir, { recursive: true, force: true });
  await fabric.up({ lan: "192.0.2.1/24", san: "198.51.100.1/24" });
  for (const [name, host] of await Promise.all(HOSTS.map(async (name) => [name, await BareHost.boot(name, TAG)] as const))) hosts.set(name, host);
  for (const [name, address] of [["hmc1", "192.0.2.5"], ["ms01", "192.0.2.11"], ["ms02", "192.0.2.12"]] as const) {
    await fabric.plug("lan", on(name), "eno1");
    await on(name).run(`ip address add ${address}/24 dev eno1; ip link set eno1 up`);
  }
  await fabric.plug("lan", on("ms01"), "eno2");
  for (const name of ["ms01", "ms02"] as const) await fabric.plug("san", on(name), "eno3");
  const array = await startSan({ san: { namespace: fabric.namespace, target: "iqn.2026-01.org.example:array", control: CONTROL, luns: [{ number: 1, id: LUN, file: lunFile }], fcLuns: [], initiators: null } }, "198.51.100.1:3260");
  fs.writeFileSync(ARRAY_FILE, JSON.stringify(array), { mode: 0o600 });
  assert.equal(fs.statSync(lunFile).size, LUN_MB << 20);
});

after(async () => {
  writer?.kill();
  for (const host of hosts.values()) await host.destroy();
  await endArray();
  await fabric.down();
  fs.rmSync(dir, { recursive: true, force: true });
  assert.deepEqual(fs.readdirSync("/run/netns").filter((name) => name.startsWith(fabric.namespace)), [], "the fabric is left behind");
});

/** Also the one of a run that was killed. */
async function endArray(): Promise<void> {
  if (fs.existsSync(ARRAY_FILE)) await killAndWait(JSON.parse(fs.readFileSync(ARRAY_FILE, "utf8")) as ProcessIdentity);
  fs.rmSync(ARRAY_FILE, { force: true });
  forgetSan(CONTROL);
}

/** What has to be so before and after the blocks of a section, by its title. */
const CHECKS: Readonly<Record<string, { readonly before?: () => Promise<void>; readonly afterBlock?: (script: string, output: string) => Promise<void>; readonly after?: () => Promise<void> }>> = {
  "1. Install": {
    after: async () => {
      assert.equal((await on("ms01").try("systemd-analyze verify /usr/lib/systemd/system/openlpm-* 2>&1 | grep openlpm || true")).stdout, "");
      for (const verb of ["console", "system", "vios", "init", "invite", "join", "add", "renew", "check", "disk", "backup", "restore", "release", "hmc"]) assert.match(await on("ms01").run(`openlpm ${verb} --help`), /^Usage: openlpm [\s\S]*^Exit status: /m, verb);
      assert.match(await on("ms01").run("setpriv --reuid=65534 --regid=65534 --clear-groups -- openlpm join --help"), /^Usage: openlpm join/);
      assert.match((await on("ms01").try("setpriv --reuid=65534 --regid=65534 --clear-groups -- openlpm renew")).stderr, /^openlpm: needs root; run: sudo openlpm renew$/m);
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
      // The first password from a terminal, on a host that then forgets it: two that differ make nothing.
      const typed = (first: string, second: string) => on("ms02").try(`printf '%s\\r%s\\r' ${first} ${second} | script -qec 'openlpm init console --name x --address 192.0.2.12' /dev/null`);
      assert.match((await typed("abcdefgh", "abcdefgi")).stdout, /differ; nothing was made/);
      assert.match((await typed("abc", "abc")).stdout, /at least 7 characters/);
      assert.equal(await on("ms02").run("ls -A /etc/openlpm"), "");
      const made = await typed("abcdefgh", "abcdefgh");
      assert.match(made.stdout, /user {8}hscroot\r?\n/);
      // What is typed before the prompt is the terminal's own echo.
      assert.doesNotMatch(made.stdout.slice(made.stdout.indexOf("Password")), /abcdefgh/);
      assert.match((await on("ms02").try("openlpm init console --name x --address 192.0.2.12")).stderr, /This host has a console/);
      await on("ms02").run("rm -r /etc/openlpm/* /var/lib/openlpm/console");
    },
  },
  "2. Begin the installation": {
    afterBlock: async (_script, output) => {
      password = /password (\S+) \(shown this once\)/.exec(output)?.[1] ?? "";
      assert.notEqual(password, "");
    },
  },
  "3. Bring the hosts in": {
    after: async () => {
      assert.match(await on("hmc1").run("cat /etc/openlpm/console.yaml"), /name: ms01\n[\s\S]*name: ms02\n/, "the console's file names both systems");
      for (const name of HOSTS) {
        const open = await on(name).run("find /etc/openlpm /var/lib/openlpm -type f -perm /077 ! -path '/var/lib/openlpm/image/*'");
        assert.equal(open, "", `${name} has files that others may read`);
      }
      // The restricted shell builds its sandbox inside the service's.
      const ssh = `SSHPASS=${password} sshpass -e ssh -o StrictHostKeyChecking=no -p 2222 hscroot@192.0.2.5`;
      assert.equal(await on("ms01").run(`${ssh} 'lssyscfg -r sys -F name | sort | while read one; do echo "<$one>"; done' 2>/dev/null`), "<ms01>\n<ms02>\n");
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
      // A console that lost everything: the same users, host keys, authority and systems.
      const about = "cat /var/lib/openlpm/console/users.json /var/lib/openlpm/console/ssh_host* /etc/openlpm/authority/* /etc/openlpm/console.yaml | sha256sum";
      const had = await on("hmc1").run(about);
      assert.match((await on("hmc1").try("openlpm restore --replace /root/openlpm-backup.tar.gz")).stderr, /The console hmc1 runs/);
      await on("hmc1").run("systemctl stop openlpm-console; rm -r /etc/openlpm /var/lib/openlpm/console; openlpm restore /root/openlpm-backup.tar.gz; systemctl start openlpm-console");
      assert.equal(await on("hmc1").run(about), had);
      await on("hmc1").run("until [ \"$(openlpm hmc 'lssyscfg -r sys -F state' | sort -u)\" = Operating ]; do sleep 0.2; done");
    },
  },
  Certificates: {
    after: async () => {
      // New ones for all, signed over the network; a second console, which gets the systems that the first one knows, and sees them.
      for (const name of HOSTS) {
        const before = await on(name).run("sha256sum /etc/openlpm/tls/*");
        assert.match(await on(name).run("openlpm renew --all"), /until 20\d\d-\d\d-\d\d, 7\d\d days/);
        const later = await on(name).run("sha256sum /etc/openlpm/tls/*");
        assert.deepEqual(later.split("\n").filter((line) => before.includes(line) && line !== "").map((line) => line.split("/").at(-1)), ["ca.crt"]);
      }
      // A host whose certificates have run out joins again with what it has.
      const again = (await on("hmc1").run("openlpm invite system ms01")).trim();
      assert.match((await on("ms02").try(`openlpm join --console 192.0.2.5 --code ${again}`)).stderr, /the managed system ms02, and the code is for ms01/);
      assert.match((await on("ms01").try(`openlpm join --console 192.0.2.5 --code ${again} --memory 1024`)).stderr, /--memory would change it/);
      const [config, certificate] = [await on("ms01").run("sha256sum /etc/openlpm/system.yaml"), await on("ms01").run("sha256sum /etc/openlpm/tls/system.crt")];
      await on("ms01").run(`openlpm join --console 192.0.2.5 --code ${again}; openlpm check; systemctl restart openlpm-system`);
      assert.equal(await on("ms01").run("sha256sum /etc/openlpm/system.yaml"), config);
      assert.notEqual(await on("ms01").run("sha256sum /etc/openlpm/tls/system.crt"), certificate);
      const invitation = (await on("hmc1").run("openlpm invite console hmc2")).trim();
      assert.match(await on("ms02").run(`openlpm join --console 192.0.2.5 --code ${invitation} --address 192.0.2.12 && systemctl start openlpm-console`), /user hscroot, password \S+/);
      await on("ms02").run("until [ \"$(openlpm hmc 'lssyscfg -r sys -F state' | sort -u)\" = Operating ]; do sleep 0.2; done");
      assert.equal(await on("ms02").run("openlpm hmc 'lssyscfg -r sys -F name' | sort | tr '\\n' ' '"), "ms01 ms02 ");
      assert.match((await on("ms01").try(`openlpm join --console 192.0.2.5 --code ${invitation} --address 192.0.2.11`)).stderr, /takes no stranger now/);
    },
  },
  "A second Virtual I/O Server": {
    after: async () => {
      assert.match(await on("hmc1").run("openlpm hmc 'lssyscfg -r lpar -m ms02 -F name,state'"), /^vios1,Running\nvios2,Running$/m);
      assert.match(await on("hmc1").run("openlpm hmc 'viosvrcmd -m ms02 -p vios2 -c \"lspv -size\"'"), /^hdisk0 /m);
      assert.match((await on("ms02").try("openlpm add --vios name=vios2,uplink=br0,kind=bridge,address=192.0.2.32/24,portal=198.51.100.1:3260")).stderr, /ms02 has a Virtual I\/O Server vios2/);
      // The host loses its power: processes, namespaces and /run are gone, and the kernel has another boot id.
      await on("ms02").run("systemctl stop openlpm-system openlpm-console; pkill -KILL -f '[m]ain.js vios'; ip -all netns delete; rm -rf /run/openlpm; cat /proc/sys/kernel/random/uuid > /root/boot; mount --bind /root/boot /proc/sys/kernel/random/boot_id; systemctl start openlpm-system openlpm-console");
      assert.match(await on("ms02").run("openlpm check"), /^ok +process of vios1 [\s\S]*^ok +process of vios2 /m);
      await on("hmc1").run("until [ \"$(openlpm hmc 'lssyscfg -r lpar -m ms02 -F state' | sort -u)\" = Running ]; do sleep 0.2; done");
    },
  },
  "Take a host out": {
    before: async () => {
      const { code: status, stderr } = await on("ms02").try("packaging/uninstall");
      assert.equal(status, 1);
      assert.match(stderr, /The Virtual I\/O Server vios1 runs/);
      // It came out of the backup, and nobody has said yet that it runs nowhere else; nothing else speaks against a move.
      assert.match((await on("hmc1").try("openlpm hmc 'migrlpar -o v -m ms01 -t ms02 -p db01'")).stderr, /^OLPM-VP29 .* openlpm restore --confirm db01 on the host of ms01 lets it go\.\n$/);
    },
    after: async () => {
      const { stdout } = await on("ms02").try("ip -br link; ls -d /etc/openlpm /var/lib/openlpm /usr/lib/openlpm /usr/bin/openlpm /run/openlpm /run/netns/*; ls /usr/lib/systemd/system/openlpm-*; getent passwd openlpm-lpar");
      assert.match(stdout, /^eno3/m);
      assert.doesNotMatch(stdout, /openlpm/);
      await runsOn("ms01");
    },
  },
};
const releases = new Map<HostName, string>();
let password = "";
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
      await CHECKS[section.title]?.afterBlock?.(script, outputs.join(""));
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

test("a Virtual I/O Server's own adapters go back to the host, and a wrong one is refused in words", async () => {
  const vios = (operation: string) => on("hmc1").try(`openlpm hmc 'chsysstate -m ms01 -r lpar -o ${operation} -n vios1'`);
  assert.equal((await vios("shutdown")).code, 0);
  assert.doesNotMatch(await on("ms01").run("ip -br link"), /^eno[23]/m);
  await on("ms01").run("openlpm release; openlpm release");
  assert.equal((await on("ms01").run("ip -br link")).match(/^eno[123]/gm)?.length, 3);
  assert.equal(await on("ms01").run("ls /run/netns"), "");
  for (const [adapter, words] of [["eno9", /this host has no interface eno9/], ["eno1", /eno1 carries this host's own address 192\.0\.2\.11/]] as const) {
    await on("ms01").run(`sed -i 's/from: "eno[291]"/from: "${adapter}"/' /etc/openlpm/system.yaml; systemctl restart openlpm-system`);
    const answer = await vios("on");
    assert.notEqual(answer.code, 0);
    assert.match(answer.stderr, words);
    const { code: status, stdout } = await on("ms01").try("openlpm check");
    assert.equal(status, 1);
    assert.match(stdout, /^bad  process of vios1 +does not run: chsysstate -m ms01 -r lpar -o on -n vios1$/m);
    assert.equal(/^bad  adapters of vios1 /m.test(stdout), adapter === "eno9");
  }
  await on("ms01").run(`sed -i 's/from: "eno1"/from: "eno2"/' /etc/openlpm/system.yaml; systemctl restart openlpm-system`);
  assert.equal((await vios("on")).code, 0);
  assert.doesNotMatch(await on("ms01").run("ip -br link"), /^eno[23]/m);
  // At 3 a.m.: it was killed; the alarm says what to do, and that helps.
  await on("ms01").run("pkill -KILL -f '[m]ain.js vios'; until (openlpm check || true) | grep -q '^note .*ms01: a Virtual I/O Server was lost .*; `chsysstate -r lpar -o on -n VIOS`'; do sleep 0.2; done");
  assert.equal((await vios("on")).code, 0);
  await on("ms01").run("openlpm check");
  // An unknown key ends the service with status 2, one line, and no second try.
  await on("ms01").run("echo 'memry: 1' >> /etc/openlpm/system.yaml");
  assert.notEqual((await on("ms01").try("systemctl restart openlpm-system")).code, 0);
  assert.match(await on("ms01").run("systemctl show -P ExecMainStatus openlpm-system; systemctl show -P NRestarts openlpm-system; journalctl -u openlpm-system -n 20 --no-pager | grep memry"), /^2\n0\n.*memry: there is no such key; there are name, mtms/);
});

test("every section of the guide with checks is there", () => {
  assert.deepEqual(Object.keys(CHECKS).filter((title) => !guide.some((section) => section.title === title)), []);
});
