/**
 * Virtual I/O Server processes with a real SAN (tgtd on the loopback), real storage daemons and qemu-io in the place of client partitions. Needs root, tgt,
 * qemu-utils, qemu-block-extra, util-linux and iproute2. Everything is made fresh and taken away.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { silentLogger } from "../src/kit/log.js";
import { run, runAny } from "../src/kit/run.js";
import { until } from "../src/kit/wait.js";
import { LparId, LunId, SlotNumber, Wwpn } from "../src/model/ids.js";
import { RpcPeer, type Client } from "../src/wire/rpc.js";
import { doorSocket, systemVios, ViosConfig, type SystemVios, type ViosDevices, type ViosTargetDevice } from "../src/wire/system-vios.js";
import { connectUnix } from "../src/wire/transport.js";
import { encodeLun } from "../src/vios/san/discover.js";
import { IscsiSession } from "../src/vios/san/iscsi-session.js";

const MIB = 1 << 20;
const TARGET = "naa.5005076801401234";
const LUN_A = LunId.parse("naa.600507680140123400000000000000a1");
const LUN_B = LunId.parse("naa.600507680140123400000000000000b2");
const SLOT = SlotNumber.parse(10);
const vlanProgram = path.resolve(process.env["OPENLPM_NATIVE"] ?? "native/build", "vlan");
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-vios-"));
const cleanups: (() => Promise<unknown> | unknown)[] = [];
let san: San;

class San {
  readonly #control: string;
  readonly portal: string;
  private constructor(control: string, portal: string) {
    this.#control = control;
    this.portal = portal;
  }
  static async start(): Promise<San> {
    const portal = `127.0.0.1:${await freePort()}`;
    const control = String(1000 + (process.pid % 30000));
    const child = spawn("tgtd", ["-f", "-C", control, "--iscsi", `portal=${portal}`], { stdio: "ignore" });
    const san = new San(control, portal);
    cleanups.push(() => child.kill("SIGKILL"), () => fs.rmSync(`/var/run/tgtd/socket.${control}`, { force: true }), () => fs.rmSync(`/var/run/tgtd/socket.${control}.lock`, { force: true }));
    await until(async () => ((await runAny(["tgtadm", "-C", control, "--lld", "iscsi", "--mode", "sys", "--op", "show"])).code === 0 ? true : undefined), { what: "tgtd", deadlineMs: 5_000 });
    await san.admin("target", "new", "--tid", "1", "--targetname", TARGET);
    return san;
  }
  /** Masking of the first target: only Virtual I/O Servers see it. */
  async admit(initiatorName: string): Promise<void> {
    await runAny(["tgtadm", "-C", this.#control, "--lld", "iscsi", "--mode", "target", "--op", "bind", "--tid", "1", "--initiator-name", initiatorName]); // the same name again is an error
  }
  admin(mode: string, op: string, ...words: string[]): Promise<string> {
    return run(["tgtadm", "-C", this.#control, "--lld", "iscsi", "--mode", mode, "--op", op, ...words]);
  }
  async addLun(number: number, id: LunId, bytes: number): Promise<string> {
    const file = path.join(dir, `${id}.img`);
    fs.closeSync(fs.openSync(file, "a"));
    fs.truncateSync(file, bytes);
    await this.admin("logicalunit", "new", "--tid", "1", "--lun", String(number), "--backing-store", file);
    await this.admin("logicalunit", "update", "--tid", "1", "--lun", String(number), "--params", `scsi_id=${id.slice(4)}`);
    return file;
  }
  /** A target of its own, which only these initiators see: LUN masking. */
  async addMasked(tid: number, id: LunId, bytes: number, initiators: readonly string[]): Promise<string> {
    const file = path.join(dir, `${id}.img`);
    fs.closeSync(fs.openSync(file, "a"));
    fs.truncateSync(file, bytes);
    await this.admin("target", "new", "--tid", String(tid), "--targetname", `${TARGET}${tid}`);
    await this.admin("logicalunit", "new", "--tid", String(tid), "--lun", "1", "--backing-store", file);
    await this.admin("logicalunit", "update", "--tid", String(tid), "--lun", "1", "--params", `scsi_id=${id.slice(4)}`);
    for (const name of initiators) await this.admin("target", "bind", "--tid", String(tid), "--initiator-name", name);
    return file;
  }
  /** Initiator names that are logged in to a target now. */
  async initiators(tid: number): Promise<string[]> {
    const text = await this.admin("target", "show");
    const own = text.split(/^Target /m).find((part) => part.startsWith(`${tid}:`)) ?? "";
    return [...own.matchAll(/Initiator: (\S+)/g)].map(([, name]) => name!).sort();
  }
  dropLun(number: number): Promise<string> {
    return this.admin("logicalunit", "delete", "--tid", "1", "--lun", String(number));
  }
}

class ViosProcess {
  readonly config: ViosConfig;
  readonly child: ChildProcess;
  readonly told: ViosDevices[] = [];
  #peer!: RpcPeer;
  private constructor(config: ViosConfig, child: ChildProcess) {
    this.config = config;
    this.child = child;
  }
  get client(): Client<SystemVios> {
    return this.#peer.client(systemVios);
  }
  /** As a system process does when it starts; the connection of an earlier one breaks off. */
  async connect(): Promise<void> {
    this.#peer?.destroy();
    this.#peer = new RpcPeer(await connectUnix(this.config.socket), { self: "system:ms01", caller: `vios:${this.config.name}`, log: silentLogger, silenceMsMax: 0 });
    cleanups.push(() => this.#peer.destroy());
    this.client.on("devices.changed", (devices) => this.told.push(devices));
  }
  /** `before`: words in front of the program, to enter a namespace */
  static async start(name: string, change: Partial<ViosConfig> = {}, before: readonly string[] = []): Promise<ViosProcess> {
    const runDir = path.join(dir, name);
    fs.mkdirSync(runDir, { recursive: true, mode: 0o700 });
    const config = ViosConfig.parse({
      systemName: "ms01",
      mtms: "9009-42A*7800A01",
      name,
      lparId: LparId.parse(1),
      runDir,
      logFile: path.join(runDir, "log"),
      socket: path.join(runDir, "vios.sock"),
      san: { portals: [san.portal], initiatorName: `iqn.2026-01.test:${name}` },
      sea: [],
      mover: null,
      moverProgram: "none",
      vlanProgram,
      silenceMs: 10_000,
      devices: { disks: [], adapters: [{ name: "vhost0", slot: SLOT, clientLparId: 3, clientSlot: 2 }], targets: [] },
      ...change,
    });
    await san.admit(config.san.initiatorName);
    const file = path.join(runDir, "config.json");
    fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    fs.rmSync(path.join(runDir, "ready"), { force: true });
    const program = `import(${JSON.stringify(new URL("../src/vios/main.js", import.meta.url).href)}).then((m) => m.runVios(["--config", ${JSON.stringify(file)}]))`;
    const words = [...before, process.execPath, "-e", program];
    const child = spawn(words[0]!, words.slice(1), { stdio: ["ignore", "ignore", "inherit"] });
    cleanups.push(() => child.kill("SIGKILL"));
    await until(() => fs.existsSync(path.join(runDir, "ready")) || undefined, { what: `${name} ready`, deadlineMs: 15_000, everyMs: 20 });
    const vios = new ViosProcess(config, child);
    await vios.connect();
    return vios;
  }
  attach(name: string, lun: LunId, gate: ViosTargetDevice["gate"], lunBytes = 32 * MIB): Promise<ViosTargetDevice> {
    return this.client.call("storage.attach", { name, slot: SLOT, lun, lunBytes, gate });
  }
  gate(names: string[], gate: ViosTargetDevice["gate"]): Promise<object> {
    return this.client.call("storage.gate", { names, gate });
  }
  command(...argv: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
    return this.client.call("vios.command", { argv, admin: false });
  }
  async devices(): Promise<ViosDevices> {
    return (await this.client.call("vios.status", {})).devices;
  }
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exited = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill(signal);
      await exited;
    }
    return this.child.exitCode;
  }
}

/** A client partition's disk: stays connected, and connects again when its server comes back. */
class Disk {
  readonly #child: ChildProcess;
  #text = "";
  constructor(vios: ViosProcess, device: string, slot = SLOT) {
    this.#child = spawn("qemu-io", ["--image-opts", `driver=nbd,server.type=unix,server.path=${doorSocket(vios.config.runDir, slot)},export=${device},reconnect-delay=30,open-timeout=5`], { stdio: ["pipe", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) stream.on("data", (chunk: Buffer) => (this.#text += chunk.toString()));
    cleanups.push(() => this.#child.kill("SIGKILL"));
  }
  /** True when it was done, false when the disk answered with an I/O error. */
  async command(words: string): Promise<boolean> {
    this.#text = "";
    this.#child.stdin!.write(`${words}\n`);
    const answer = await until(() => /(?:wrote|read|discard) (\d+)\/\1 bytes|failed: Input\/output error|failed: .*|can't open.*/.exec(this.#text)?.[0], { what: `qemu-io ${words}`, deadlineMs: 20_000, everyMs: 5 });
    if (answer.startsWith("failed: Input/output")) return false;
    assert.doesNotMatch(answer, /failed|can't/);
    return true;
  }
  write(byte: number): Promise<boolean> {
    return this.command(`write -f -P ${byte} 0 64k`);
  }
}

const firstByte = (file: string): number => {
  const fd = fs.openSync(file, "r");
  try {
    const one = Buffer.alloc(1);
    fs.readSync(fd, one);
    return one.readUInt8(0);
  } finally {
    fs.closeSync(fd);
  }
};

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Processes of this machine whose command line names this test's directory. */
function storageDaemonsOf(vios: ViosProcess): number[] {
  return fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return words.startsWith("qemu-storage-daemon") && words.includes(`${vios.config.runDir}/`);
    } catch {
      return false; // it has just ended
    }
  });
}

let fileA: string;
let fileB: string;

before(async () => {
  san = await San.start();
  fileA = await san.addLun(1, LUN_A, 32 * MIB);
  fileB = await san.addLun(2, LUN_B, 16 * MIB);
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await Promise.resolve(cleanup()).catch(() => undefined);
  fs.rmSync(dir, { recursive: true, force: true });
});

test("LUNs are found and attached by identity; wrong ones are refused in words", async () => {
  const vios = await ViosProcess.start("v1");
  assert.equal((await vios.command("lspv", "-size", "-fmt", ":")).stdout, "hdisk0:none:32\nhdisk1:none:16\n");
  const absent = LunId.parse("naa.60050768014012340000000000000fff");
  const { found } = await vios.client.call("storage.probe", { luns: [LUN_B, absent] });
  assert.deepEqual(found.map((one) => [one.visible, one.bytes, one.inUse]), [[true, 16 * MIB, false], [false, null, false]]);
  await assert.rejects(vios.attach("d1", absent, "closed"), { code: "lun-not-visible" });
  await assert.rejects(vios.attach("d1", LUN_A, "closed", 31 * MIB), { code: "lun-mismatch" });
  assert.deepEqual((await vios.devices()).targets, []);

  assert.deepEqual(await vios.command("mkvdev", "-vdev", "hdisk1", "-vadapter", "vhost0"), { stdout: "vtscsi0 Available\n", stderr: "", code: 0 });
  assert.deepEqual(vios.told.at(-1)?.targets.map((one) => [one.name, one.lun, one.gate]), [["vtscsi0", LUN_B, "closed"]]);
  await assert.rejects(vios.attach("other", LUN_B, "closed", 16 * MIB), { code: "conflict" });
  assert.equal((await vios.command("lsmap", "-all", "-field", "svsa", "clientid", "lun", "backing", "-fmt", ":")).stdout, "vhost0:0x00000003:0x8100000000000000:hdisk1\n");
  assert.equal((await vios.command("rmvdev", "-vtd", "vtscsi0")).stdout, "vtscsi0 deleted\n");
  // The same by places instead of names.
  const place = async (...words: string[]) => (await vios.command(...words, "-field", "physloc", "-fmt", ":")).stdout.trim();
  const [disk, adapter] = [await place("lsdev", "-dev", "hdisk1"), await place("lsmap", "-vadapter", "vhost0")];
  assert.equal((await vios.command("mkvdev", "-dplc", disk, "-aplc", adapter)).stdout, "vtscsi0 Available\n");
  assert.equal((await vios.command("mkvdev", "-dplc", "U1-P1", "-aplc", adapter)).code, 1);
  assert.equal((await vios.command("rmvdev", "-vdev", "hdisk1")).stdout, "vtscsi0 deleted\n");
  assert.equal((await vios.command("nonsense")).code, 127);
  await assert.rejects(vios.client.call("mover.stop", { id: "9b2cf8f2-4d1e-4a6e-9a2e-3a1f4f0c9b11" as never }), { code: "unsupported", message: /not a mover service partition/ });

  await vios.attach("d1", LUN_B, "closed", 16 * MIB);
  await vios.client.call("storage.detach", { name: "d1" });
  const another = LunId.parse("naa.600507680140123400000000000000c3");
  await san.dropLun(2);
  await san.addLun(2, another, 16 * MIB);
  await assert.rejects(vios.attach("d1", LUN_B, "open", 16 * MIB), { code: "lun-mismatch", message: new RegExp(another) });
  await san.dropLun(2);
  await san.addLun(2, LUN_B, 16 * MIB);
  assert.equal((await vios.command("cfgdev")).code, 0);
  assert.equal((await vios.command("lsdev", "-dev", "hdisk1", "-field", "name", "status", "-fmt", ":")).stdout, "hdisk1:Available\n");

  await vios.client.call("vios.shutdown", {});
  await until(() => vios.child.exitCode ?? undefined, { what: "end of the Virtual I/O Server", deadlineMs: 5_000 });
  assert.equal(vios.child.exitCode, 0);
  assert.deepEqual(storageDaemonsOf(vios), []);
  assert.deepEqual(fs.readdirSync(vios.config.runDir).filter((name) => /sock|ready/.test(name)), []);
});

test("a LUN that somebody holds by a SCSI reservation is seen, and said to be reserved; afterwards it is free again", async () => {
  const vios = await ViosProcess.start("v1");
  const initiatorName = "iqn.2026-11.test:holder";
  await san.admit(initiatorName);
  const ask = async () => (await vios.client.call("storage.probe", { luns: [LUN_B] })).found.map((one) => [one.visible, one.bytes, one.reservedBy]);
  assert.deepEqual(await ask(), [[true, 16 * MIB, null]]);
  const holder = await IscsiSession.open({ portal: san.portal, initiatorName, targetName: TARGET, signal: AbortSignal.timeout(20_000) });
  await holder.read(encodeLun(2), [0x16, 0, 0, 0, 0, 0], 0); // RESERVE(6): ends with the session
  assert.deepEqual(await ask(), [[true, 16 * MIB, "another initiator"]]);
  await holder.close();
  assert.deepEqual(await ask(), [[true, 16 * MIB, null]]);
  await vios.client.call("vios.shutdown", {});
  await until(() => vios.child.exitCode ?? undefined, { what: "end of the Virtual I/O Server", deadlineMs: 5_000 });
});

test("through a closed gate nothing reaches the LUN, from either of two Virtual I/O Servers", async () => {
  const [one, two] = await Promise.all([ViosProcess.start("v1"), ViosProcess.start("v2")]);
  await Promise.all([one.attach("d1", LUN_A, "open"), two.attach("d1", LUN_A, "closed"), two.attach("d2", LUN_B, "closed", 16 * MIB)]);
  const source = new Disk(one, "d1");
  const destination = new Disk(two, "d1");
  assert.equal(await source.write(0x11), true);
  assert.equal(await destination.write(0x22), false);
  assert.equal(await destination.command("read 0 4k"), false);
  assert.equal(await destination.command("write -z 0 64k"), false);
  assert.equal(firstByte(fileA), 0x11);

  await assert.rejects(two.gate(["d1", "nothing"], "open"), { code: "not-found" });
  assert.equal(await destination.write(0x22), false, "all or none");

  const begun = performance.now();
  await one.gate(["d1"], "closed");
  await two.gate(["d1", "d2"], "open");
  assert.ok(performance.now() - begun < 1_000, "switching gates is a matter of milliseconds");
  assert.equal(await source.write(0x33), false);
  assert.equal(firstByte(fileA), 0x11);
  assert.equal(await destination.write(0x44), true);
  assert.equal(firstByte(fileA), 0x44);
  assert.equal(await new Disk(two, "d2").write(0x55), true);
  assert.equal(firstByte(fileB), 0x55);

  assert.match((await two.command("rmvdev", "-vtd", "d1")).stderr, /device is busy/);
  await assert.rejects(one.client.call("adapter.remove", { slot: SLOT, force: false }), { code: "conflict" });
  await one.client.call("adapter.remove", { slot: SLOT, force: true });
  assert.deepEqual((await one.devices()).adapters, []);
  assert.deepEqual(await Promise.all([one.end("SIGTERM"), two.end("SIGTERM")]), [0, 0]);
  assert.doesNotMatch(await san.admin("target", "show"), /I_T nexus: \d/, "all sessions are logged out");
});

test("a killed Virtual I/O Server takes its children along, and a new one serves the connected client again", async () => {
  const first = await ViosProcess.start("v3");
  await first.attach("d1", LUN_A, "open");
  await first.attach("d2", LUN_B, "closed", 16 * MIB);
  const disk = new Disk(first, "d1");
  assert.equal(await disk.write(0x61), true);
  await first.connect();
  assert.equal(await disk.write(0x61), true, "the system process may come and go");
  const devices = await first.devices();
  await first.end("SIGKILL");
  await until(() => (storageDaemonsOf(first).length === 0 ? true : undefined), { what: "end of the storage daemon", deadlineMs: 5_000 });

  const writing = disk.write(0x62);
  const second = await ViosProcess.start("v3", { devices });
  assert.equal(await writing, true);
  assert.equal(firstByte(fileA), 0x62);
  assert.deepEqual((await second.devices()).targets, devices.targets);
  assert.equal(await new Disk(second, "d2").write(0x63), false);

  const [daemon] = storageDaemonsOf(second);
  process.kill(daemon!, "SIGKILL");
  assert.equal(await disk.write(0x64), true, "the server starts a new storage daemon by itself");
  assert.equal(firstByte(fileA), 0x64);
  assert.equal(await second.end("SIGTERM"), 0);
});

/** Accounts of two partitions, and what one of them sees at a socket: names of exports, or why not. */
const [A, B] = [2_099_999_001, 2_099_999_002];
async function seenBy(uid: number, socket: string): Promise<string> {
  const { code, stdout, stderr } = await runAny(["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs", "qemu-nbd", "--list", "-k", socket]);
  return code === 0 ? [...stdout.matchAll(/^ export: '(.*)'$/gm)].map(([, name]) => name).join() : (/Permission denied|No such file/.exec(stderr)?.[0] ?? stderr);
}

test("each server adapter has a door of its own, which only its client's account passes, also after a restart", async () => {
  const SECOND = SlotNumber.parse(11);
  const adapters = [SLOT, SECOND].map((slot, at) => ({ name: `vhost${at}`, slot, clientLparId: LparId.parse(3 + at), clientSlot: SlotNumber.parse(2) }));
  const first = await ViosProcess.start("v6", { devices: { disks: [], adapters, targets: [], fc: [] } });
  for (const place of [dir, first.config.runDir]) fs.chmodSync(place, 0o711);
  const [one, two] = [SLOT, SECOND].map((slot) => doorSocket(first.config.runDir, slot)) as [string, string];
  await first.attach("d1", LUN_A, "open");
  await first.client.call("storage.attach", { name: "d2", slot: SECOND, lun: LUN_B, lunBytes: 16 * MIB, gate: "open" });
  const matrix = () => Promise.all([seenBy(A, one), seenBy(A, two), seenBy(B, one), seenBy(B, two)]);
  const denied = "Permission denied";
  assert.deepEqual(await matrix(), [denied, denied, denied, denied], "root's until the system says whose");
  const door = (vios: ViosProcess, slot: SlotNumber, socket: string, uid: number) => vios.client.call("storage.door", { slot, socket, uid, gid: uid });
  await door(first, SLOT, one, A);
  await door(first, SECOND, two, B);
  assert.deepEqual(await matrix(), ["d1", denied, denied, "d2"]);
  assert.equal(await seenBy(B, first.config.socket), denied, "nor the server's own socket");

  const disk = new Disk(first, "d1");
  assert.equal(await disk.write(0x31), true);
  const devices = await first.devices();
  await first.end("SIGKILL");
  const doors = [{ slot: SLOT, socket: one, uid: A, gid: A }, { slot: SECOND, socket: two, uid: B, gid: B }];
  const second = await ViosProcess.start("v6", { devices, doors });
  assert.deepEqual(await matrix(), ["d1", denied, denied, "d2"]);
  assert.equal(await disk.write(0x32), true, "who was connected finds its door again");
  const [daemon] = storageDaemonsOf(second);
  process.kill(daemon!, "SIGKILL");
  await until(async () => ((await matrix()).join() === ["d1", denied, denied, "d2"].join() ? true : undefined), { what: "a new daemon behind the same door", deadlineMs: 10_000 });

  await door(second, SLOT, one, B);
  assert.deepEqual(await matrix(), [denied, denied, "d1", "d2"]);
  await second.client.call("adapter.remove", { slot: SLOT, force: true });
  assert.equal(fs.existsSync(one), false);
  assert.equal(storageDaemonsOf(second).length, 1, "what served the adapter ends with it");
  assert.equal(await second.end("SIGTERM"), 0);
});

test("clients of a version with one socket for all keep it until they start anew", async () => {
  const SECOND = SlotNumber.parse(11);
  const adapters = [SLOT, SECOND].map((slot, at) => ({ name: `vhost${at}`, slot, clientLparId: LparId.parse(3 + at), clientSlot: SlotNumber.parse(2) }));
  const targets = [{ name: "d1", slot: SLOT, lun: LUN_A, lunBytes: 32 * MIB, gate: "open" as const }, { name: "d2", slot: SECOND, lun: LUN_B, lunBytes: 16 * MIB, gate: "open" as const }];
  const shared = path.join(dir, "v7", "nbd.sock");
  const doors = [SLOT, SECOND].map((slot) => ({ slot, socket: shared, uid: A, gid: A }));
  const vios = await ViosProcess.start("v7", { devices: { disks: [], adapters, targets, fc: [] }, doors });
  fs.chmodSync(vios.config.runDir, 0o711);
  assert.equal(await seenBy(A, shared), "d1,d2");
  const own = doorSocket(vios.config.runDir, SECOND);
  await vios.client.call("storage.door", { slot: SECOND, socket: own, uid: B, gid: B });
  assert.deepEqual(await Promise.all([seenBy(A, shared), seenBy(A, own), seenBy(B, own)]), ["d1", "Permission denied", "d2"]);
  assert.equal(await new Disk(vios, "d2", SECOND).write(0x41), true);
  await vios.client.call("storage.door", { slot: SLOT, socket: doorSocket(vios.config.runDir, SLOT), uid: A, gid: A });
  assert.equal(fs.existsSync(shared), false, "nobody is left at it");
  assert.equal(await vios.end("SIGTERM"), 0);
});

test("a Virtual I/O Server without its SAN serves, says why, and goes on when the SAN is back", async () => {
  const nowhere = `127.0.0.1:${await freePort()}`;
  const devices = { disks: [], adapters: [{ name: "vhost0", slot: SLOT, clientLparId: null, clientSlot: null }], targets: [{ name: "d1", slot: SLOT, lun: LUN_A, lunBytes: 32 * MIB, gate: "open" as const }], fc: [] };
  const vios = await ViosProcess.start("v4", { devices, san: { portals: [nowhere], initiatorName: "iqn.2026-01.test:v4" } });
  const status = await vios.command("cfgdev");
  assert.equal(status.code, 1);
  assert.match(status.stderr, new RegExp(nowhere));
  await assert.rejects(vios.attach("d2", LUN_B, "closed", 16 * MIB), { code: "lun-not-visible", message: new RegExp(nowhere) });
  await assert.rejects(vios.gate(["d1"], "open"), { code: "storage-failed" });
  const [host, port] = nowhere.split(":");
  const relay = net.createServer((socket) => {
    const onward = net.connect(Number(san.portal.split(":")[1]), "127.0.0.1");
    for (const end of [socket, onward]) end.on("error", () => undefined);
    socket.pipe(onward).pipe(socket);
  });
  cleanups.push(() => relay.close());
  await new Promise<void>((resolve) => relay.listen(Number(port), host, resolve));
  const served = async () => ((await vios.command("lsdev", "-dev", "d1", "-field", "status", "-fmt", ":")).stdout === "Available\n" ? true : undefined);
  await until(served, { what: "the target device comes back", deadlineMs: 10_000 });
  assert.equal(await new Disk(vios, "d1").write(0x71), true);
  assert.equal(await vios.end("SIGTERM"), 0);
});

test("virtual Fibre Channel: the server logs in as the client; both WWPNs at the same time, and nobody else sees the LUN", async () => {
  const [first, second, stranger] = ["c05076aabbcc0000", "c05076aabbcc0001", "c05076aabbcc0002"].map((name) => Wwpn.parse(name));
  const lun = LunId.parse("naa.600507680140123400000000000000f1");
  const file = await san.addMasked(7, lun, 8 * MIB, [`naa.${first}`, `naa.${second}`]);
  const [one, two] = await Promise.all([ViosProcess.start("f1"), ViosProcess.start("f2")]);
  const slot = SlotNumber.parse(30);
  const client = { clientLparId: LparId.parse(3), clientSlot: SlotNumber.parse(4) };
  const login = (vios: ViosProcess, wwpn = first!, luns: { lun: LunId; lunBytes: number }[] | null = null) => vios.client.call("fc.login", { slot, wwpn, clientName: "db01", luns });
  await Promise.all([one, two].map((vios) => vios.client.call("fc.put", { slot, ...client })));
  assert.deepEqual((await one.command("lspv", "-fmt", ":")).stdout.match(/hdisk\d+/g), ["hdisk0", "hdisk1"], "its own name does not see the client's LUN");
  await assert.rejects(login(one), { code: "wrong-state", message: /not mapped/ });
  assert.match((await one.command("vfcmap", "-vadapter", "vfchost0", "-fcp", "fcs9")).stderr, /fcs9/);
  for (const vios of [one, two]) assert.deepEqual(await vios.command("vfcmap", "-vadapter", "vfchost0", "-fcp", "fcs0"), { stdout: "", stderr: "", code: 0 });

  const probed = (await one.client.call("fc.probe", { wwpns: [first!, second!, stranger!] })).found;
  assert.deepEqual(probed.map((seen) => [seen.port, seen.targets.length, seen.luns]), [["fcs0", 1, [{ lun, bytes: 8 * MIB, reservedBy: null }]], ["fcs0", 1, [{ lun, bytes: 8 * MIB, reservedBy: null }]], ["fcs0", 0, []]]);
  assert.deepEqual(await san.initiators(7), [], "a trial leaves no login behind");
  await assert.rejects(login(one, stranger, [{ lun, lunBytes: 8 * MIB }]), { code: "lun-not-visible" });
  await assert.rejects(login(one, first, [{ lun, lunBytes: 7 * MIB }]), { code: "lun-mismatch" });
  assert.deepEqual([(await one.devices()).targets, (await one.devices()).fc[0]?.wwpn], [[], null]);

  const bind = (op: string) => san.admin("target", op, "--tid", "7", "--initiator-name", one.config.san.initiatorName);
  await bind("bind");
  assert.equal((await one.command("cfgdev")).code, 0);
  await assert.rejects(login(one), { code: "conflict", message: /and to f1 itself/ });
  await bind("unbind");

  assert.equal((await login(one)).wwpn, first);
  assert.equal((await one.command("lsmap", "-all", "-npiv", "-field", "name", "clntid", "clntname", "status", "fc", "ports", "-fmt", ":")).stdout, "vfchost0:3:db01:LOGGED_IN:fcs0:1\n");
  assert.equal((await one.command("lsmap", "-all", "-field", "svsa", "vtd", "-fmt", ":")).stdout, "vhost0\n", "a LUN that is passed through is no target device of virtual SCSI");
  assert.deepEqual((await one.client.call("storage.probe", { luns: [lun] })).found.map((seen) => [seen.visible, seen.inUse]), [[false, true]]);
  await one.gate(["vfchost0.0"], "open");
  const source = new Disk(one, "vfchost0.0", slot);
  assert.equal(await source.write(0x21), true);
  assert.match((await one.command("vfcmap", "-vadapter", "vfchost0", "-fcp")).stderr, /logged in/);
  await assert.rejects(login(one, second), { code: "conflict" });

  await login(two, second, [{ lun, lunBytes: 8 * MIB }]);
  assert.deepEqual(await san.initiators(7), [`naa.${first}`, `naa.${second}`], "the second logs in before the first logs out");
  const destination = new Disk(two, "vfchost0.0", slot);
  assert.equal(await destination.write(0x22), false);
  await one.gate(["vfchost0.0"], "closed");
  await two.gate(["vfchost0.0"], "open");
  assert.equal(await source.write(0x23), false);
  assert.equal(firstByte(file), 0x21);
  assert.equal(await destination.write(0x24), true);
  assert.equal(firstByte(file), 0x24);
  await one.client.call("adapter.remove", { slot, force: true });
  assert.deepEqual(await san.initiators(7), [`naa.${second}`]);
  assert.equal((await one.command("lsmap", "-all", "-npiv")).code, 10);

  const devices = await two.devices();
  await two.end("SIGKILL");
  const again = await ViosProcess.start("f2", { devices });
  assert.equal(await destination.write(0x25), true, "a server that comes back logs in as the client again");
  assert.deepEqual(await san.initiators(7), [`naa.${second}`]);
  await again.client.call("fc.logout", { slot });
  assert.deepEqual([await san.initiators(7), (await again.devices()).fc.map((adapter) => [adapter.port, adapter.wwpn])], [[], [["fcs0", null]]]);
  assert.deepEqual(await Promise.all([one.end("SIGTERM"), again.end("SIGTERM")]), [0, 0]);
});

test("a shared Ethernet adapter bridges the uplink at once and the trunk whenever it comes", async () => {
  const ns = `olpm-t${process.pid}`;
  const inside = ["nsenter", `--net=/run/netns/${ns}`] as const;
  await run(["ip", "netns", "add", ns]);
  cleanups.push(() => runAny(["ip", "netns", "delete", ns]));
  await run([...inside, "ip", "link", "add", "up0", "type", "veth", "peer", "name", "lan0"]);
  await run([...inside, "ip", "address", "add", "10.77.0.2/24", "dev", "up0"]);
  const sea = [{ name: "sea0", uplink: "up0", segments: [{ vlanId: 1, trunk: "tr0" }, { vlanId: 20, trunk: "tr1" }], trunkSlot: SlotNumber.parse(5), trunkPriority: 1, address: "10.77.0.2", prefix: 24 }];
  const start = () => ViosProcess.start("v5", { sea, san: { portals: [], initiatorName: "iqn.2026-01.test:v5" } }, inside);
  const masterOf = async (name: string) => (JSON.parse(await run([...inside, "ip", "-j", "link", "show", "dev", name])) as { master?: string }[])[0]?.master;
  const addresses = async (name: string) => run([...inside, "ip", "-4", "-br", "address", "show", "dev", name]);

  const first = await start();
  assert.equal(await masterOf("up0"), "sea0");
  assert.match(await addresses("sea0"), /10\.77\.0\.2\/24/);
  assert.doesNotMatch(await addresses("up0"), /10\.77/);
  await run([...inside, "ip", "link", "add", "tr0", "type", "veth", "peer", "name", "sw0"]);
  await run([...inside, "ip", "link", "add", "tr1", "type", "veth", "peer", "name", "sw1"]);
  const bridged = async () => ((await masterOf("tr0")) === "sea0" && (await masterOf("tr1")) === "sea0-20" ? true : undefined);
  await until(bridged, { what: "the trunk is bridged", deadlineMs: 5_000 });
  // A frame of VLAN 20 from the virtual switch comes out of the uplink's other end with its tag, and without one there is another LAN.
  await run([...inside, "ip", "link", "set", "dev", "sw0", "up"]);
  await run([...inside, "ip", "link", "set", "dev", "sw1", "up"]);
  await run([...inside, "ip", "link", "add", "c20", "type", "veth", "peer", "name", "d20"]);
  for (const name of ["lan0", "c20", "d20"]) await run([...inside, "ip", "link", "set", "dev", name, "up"]);
  const heard = async (name: string) => (JSON.parse(await run([...inside, "ip", "-j", "-s", "link", "show", "dev", name])) as { stats64: { rx: { packets: number } } }[])[0]!.stats64.rx.packets;
  await run([...inside, vlanProgram, "lan0", "20=d20"]);
  await run([...inside, "ip", "address", "add", "10.77.20.1/24", "dev", "sw1"]);
  const quiet = await heard("c20");
  await runAny([...inside, "ping", "-c", "1", "-W", "1", "10.77.20.9"]);
  assert.ok((await heard("c20")) > quiet, "the request for the address is on the LAN's VLAN 20");
  await run([...inside, "ip", "link", "set", "dev", "sw0", "down"]);
  await first.end("SIGKILL");

  const second = await start();
  await run([...inside, "ip", "link", "delete", "dev", "tr0"]);
  await run([...inside, "ip", "link", "add", "tr0", "type", "veth", "peer", "name", "sw0"]);
  await until(bridged, { what: "the new trunk is bridged", deadlineMs: 8_000 });
  assert.match((await second.command("lsdev", "-virtual")).stdout, /^ent2 +Available +Shared Ethernet Adapter$/m);
  const state = async () => /^State: (.*)$/m.exec((await second.command("entstat", "-all", "ent2")).stdout)?.[1];
  await until(async () => ((await state()) === "BACKUP" ? true : undefined), { what: "a trunk whose other end is down carries nothing", deadlineMs: 5_000 });
  await run([...inside, "ip", "link", "set", "dev", "sw0", "up"]);
  await until(async () => ((await state()) === "PRIMARY" ? true : undefined), { what: "it carries the traffic when that end is up", deadlineMs: 5_000 });
  assert.match((await second.command("entstat", "ent1")).stdout, /ETHERNET STATISTICS \(ent1\)[\s\S]*Active: True[\s\S]*Port VLAN ID: 1\nVLAN Tag IDs: 20\n/);
  assert.match((await second.command("lstcpip", "-num")).stdout, /^en2 +1500 +10\.77\.0 +10\.77\.0\.2 /m);
  assert.match((await second.command("lsmap", "-all", "-net", "-fmt", ":")).stdout, /^ent1:U[^:]*-C5-T1:ent2:ent0:Available: $/m);
  assert.equal(await second.end("SIGTERM"), 0);
  for (const name of ["sea0", "sea0-20", "sea0v20"]) assert.notEqual((await runAny([...inside, "ip", "link", "show", "dev", name])).code, 0, name);
});
