/**
 * Partition processes: QEMU, started confined and on its own, found again by its run directory. What callers may rely on is in contract.ts.
 * The processors never run by QEMU's own decision at start (-S); run() is the only way, and its caller holds the ownership record.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { Duplex } from "node:stream";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import type { Logger } from "../../kit/log.js";
import type { MemoryDevice } from "../../model/lpar.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../../kit/proc.js";
import { abortError, until } from "../../kit/wait.js";
import type { ConvergencePolicy } from "../../model/migration.js";
import { stopAllowedMs } from "../../mobility/convergence.js";
import { QmpClient, type QmpEvent } from "../../qmp/client.js";
import { MigrationNews } from "../../qmp/migration-news.js";
import { connectUnix } from "../../wire/transport.js";
import { guestAgent } from "./agent.js";
import { qemuArguments, sockets } from "./arguments.js";
import { capMemory, capProcess, dropCap } from "./cgroup.js";
import { confinement, sharedAccount } from "./confine.js";
import type { GuestAgent, Limits, OutgoingMigration, PartitionProcess, PartitionSpec, ProcessFactory, ProcessState } from "./contract.js";
import { Hotplug } from "./hotplug.js";
import { processOf, settleOrphan } from "./orphan.js";
import { QemuOutgoing } from "./outgoing.js";
import { giveDir, openOurs, readOurs, writeOurs } from "./run-dir.js";

const PROGRAM = "qemu-system-ppc64";
/** From start to an answer on QMP; QEMU maps the partition's memory before that. */
const START_MS_MAX = 30_000;
const WATCH_MS = 500;
/** Events tell first; the poll is for one that came while this process was restarted. */
const LOADED_POLL_MS = 500;

type GuestNews = "reset" | "shutdown" | "stop" | "resume" | "panicked";
const GUEST_NEWS: Readonly<Record<string, GuestNews>> = { RESET: "reset", SHUTDOWN: "shutdown", STOP: "stop", RESUME: "resume", GUEST_PANICKED: "panicked" };

/** All capabilities that matter are set both ways each time: one set on a waiting destination stays when that partition later is a source. */
const CAPABILITIES = { source: ["events", "pause-before-switchover"], destination: ["events", "late-block-activate"] } as const;
const capabilities = (side: "source" | "destination", throttle = false) => ({
  capabilities: ["events", "pause-before-switchover", "auto-converge", "late-block-activate", "multifd", "postcopy-ram", "xbzrle", "return-path"].map((capability) => ({ capability, state: (CAPABILITIES[side] as readonly string[]).includes(capability) || (throttle && capability === "auto-converge") })),
});

export function createProcessFactory(options: { readonly nativeDir: string; readonly log: Logger }): ProcessFactory {
  return {
    start: async (spec) => {
      const there = processOf(spec.dir);
      if (there) throw new OlpmError("conflict", `process ${there.pid} has the run directory of partition ${spec.name} and lives`, { action: "Restart the managed system's process, which adopts or ends it." });
      fs.rmSync(spec.dir, { recursive: true, force: true });
      fs.mkdirSync(spec.dir, { recursive: true, mode: 0o700 });
      fs.mkdirSync(path.dirname(spec.consoleLog), { recursive: true, mode: 0o700 });
      fs.writeFileSync(`${spec.dir}/spec.json`, JSON.stringify(spec), { mode: 0o600 });
      const identity = await launch(spec);
      try {
        const qmp = await firstAnswer(spec, identity);
        const process = new QemuProcess(spec, identity, qmp, options);
        if (!capped(spec, identity.pid, spec.limits)) options.log.warn({ lpar: spec.name }, "no cpu controller on this host: the partition's processor units are not enforced");
        return process;
      } catch (error) {
        await killAndWait(identity);
        fs.rmSync(spec.dir, { recursive: true, force: true });
        throw error;
      }
    },
    adopt: async (dir) => {
      if (!readIdentity(dir)) await settleOrphan(dir, START_MS_MAX, options.log);
      const found = readIdentity(dir);
      forgetHolder(dir);
      if (found && isAlive(found.identity)) return new QemuProcess(found.spec, found.identity, QmpClient.attach(sockets(dir).qmp), options);
      if (found) dropCap(capName(found.spec));
      await endHolder(dir);
      fs.rmSync(dir, { recursive: true, force: true });
      return undefined;
    },
  };
}

/** Memory only where the machine has more than the partition: an operating system that takes what it was not given ends, instead of others'. */
function capped(spec: PartitionSpec, pid: number, limits: Limits): boolean {
  if (spec.osMemoryBytes != null) capMemory(capName(spec), pid, limits.memoryBytes);
  return capProcess(capName(spec), pid, limits);
}

/** Name of the partition's group below the controllers; the run directory is unique on the host. */
const capName = (spec: PartitionSpec) => spec.dir.replace(/^\/(var\/)?run\/(openlpm\/)?/, "").replace(/^\/+/, "");

async function launch(spec: PartitionSpec): Promise<ProcessIdentity> {
  const log = fs.openSync(`${spec.dir}/qemu.log`, "a", 0o600);
  const terminal = fs.openSync(spec.consoleLog, "a", 0o600);
  try {
    const enter = spec.namespace === null ? [] : ["nsenter", `--net=/run/netns/${spec.namespace}`, "--"];
    const account = spec.account ?? sharedAccount();
    fs.closeSync(openOurs(`${spec.dir}/channel.log`)); // there before QEMU can make one
    if (account) giveDir(spec.dir, account);
    const [file, ...argv] = [...enter, ...confinement(account, spec.accelerator), PROGRAM, ...qemuArguments(spec)];
    // Its own session: the partition outlives this process. The last descriptor is LOG_FD.
    const child = spawn(file!, argv, { detached: true, stdio: ["ignore", log, log, terminal], cwd: spec.dir });
    const pid = await new Promise<number>((resolve, reject) => {
      child.on("error", (cause) => reject(new OlpmError("not-found", `${file} could not be started`, { cause })));
      child.on("spawn", () => resolve(child.pid!));
    });
    child.on("error", () => undefined);
    child.unref();
    const identity = identify(pid);
    if (!identity) throw lastWords(spec);
    writeOurs(`${spec.dir}/pid.json`, JSON.stringify(identity));
    return identity;
  } finally {
    fs.closeSync(log);
    fs.closeSync(terminal);
  }
}

const logTail = (spec: PartitionSpec): string => {
  try {
    return fs.readFileSync(`${spec.dir}/qemu.log`, "utf8").trim().split("\n").slice(-3).join(" | ");
  } catch {
    return "";
  }
};
const lastWords = (spec: PartitionSpec) => new OlpmError("refused", `the hypervisor could not start partition ${spec.name}: ${logTail(spec) || "QEMU ended without a word"}`);

async function firstAnswer(spec: PartitionSpec, identity: ProcessIdentity): Promise<QmpClient> {
  return until(
    async () => {
      if (!isAlive(identity)) throw lastWords(spec);
      return QmpClient.connect(sockets(spec.dir).qmp).catch((error: unknown) => {
        if (["not-found", "peer-lost"].includes(toOlpmError(error, "").code)) return undefined;
        throw error;
      });
    },
    { what: `the hypervisor's answer for partition ${spec.name}`, deadlineMs: START_MS_MAX, everyMs: 10 },
  );
}

function readIdentity(dir: string): { readonly spec: PartitionSpec; readonly identity: ProcessIdentity } | undefined {
  try {
    const read = (name: string): unknown => JSON.parse(readOurs(`${dir}/${name}`) ?? "");
    return { spec: read("spec.json") as PartitionSpec, identity: read("pid.json") as ProcessIdentity };
  } catch {
    return undefined;
  }
}

/** Its pid file goes with a holder that has ended. */
function forgetHolder(dir: string): void {
  const file = `${dir}/channel.json`;
  const text = readOurs(file);
  if (text !== undefined && !isAlive(JSON.parse(text) as ProcessIdentity)) fs.rmSync(file, { force: true });
}

/** Ends the channel holder of an outgoing migration, if one is left. */
async function endHolder(dir: string): Promise<void> {
  const text = readOurs(`${dir}/channel.json`);
  if (text !== undefined) await killAndWait(JSON.parse(text) as ProcessIdentity);
}

/** Samples pages twice and compares them (QEMU's calc-dirty-rate, milliseconds from 8.2 on). @throws refused | timeout */
async function dirtyRate(qmp: QmpClient): Promise<number> {
  await qmp.execute("calc-dirty-rate", { "calc-time": DIRTY_SAMPLE_MS, "calc-time-unit": "millisecond", "sample-pages": DIRTY_SAMPLE_PAGES });
  return until(
    async () => {
      const { status, "dirty-rate": rate } = (await qmp.execute("query-dirty-rate")) as { status: string; "dirty-rate"?: number };
      return status === "measured" ? (rate ?? 0) * (1 << 20) : undefined;
    },
    { what: "the dirty rate", deadlineMs: DIRTY_SAMPLE_MS + 2_000, everyMs: 20 },
  );
}
/** The partition's own memory in what the kernel says of its process: the large mappings that can not be executed; QEMU's and its translated code are smaller or can. */
export function residentMemory(smaps: string): number {
  let [bytes, counted] = [0, false];
  for (const line of smaps.split("\n")) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) rw-/.exec(line);
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) counted = mapping !== null && parseInt(mapping[2]!, 16) - parseInt(mapping[1]!, 16) >= MEMORY_BLOCK_BYTES;
    const resident = counted && /^Rss:\s+(\d+) kB/.exec(line);
    if (resident) bytes += Number(resident[1]) * 1024;
  }
  return bytes;
}
/** The smallest piece of memory that a partition has (`lmbBytes` is a multiple of it). */
const MEMORY_BLOCK_BYTES = 256 << 20;
/** Between the two looks at the sampled pages. */
const DIRTY_SAMPLE_MS = 100;
/** For each GiB. One changed page of these stands for 1.25 MiB a second; QEMU's own 512 would make it 20. */
const DIRTY_SAMPLE_PAGES = 8_192;

class QemuProcess implements PartitionProcess {
  readonly spec: PartitionSpec;
  readonly pid: number;
  readonly guest: GuestAgent;
  readonly #identity: ProcessIdentity;
  readonly #qmp: QmpClient;
  readonly #options: { readonly nativeDir: string; readonly log: Logger };
  readonly #onExit = new Set<(info: { stderr: string }) => void>();
  readonly #onGuest = new Set<(what: GuestNews) => void>();
  readonly #onMachine = new Set<() => void>();
  readonly #hotplug: Hotplug;
  readonly #watch: NodeJS.Timeout;
  #ended = false;

  constructor(spec: PartitionSpec, identity: ProcessIdentity, qmp: QmpClient, options: { readonly nativeDir: string; readonly log: Logger }) {
    this.spec = spec;
    this.pid = identity.pid;
    this.guest = guestAgent(sockets(spec.dir).agent);
    this.#identity = identity;
    this.#qmp = qmp;
    this.#options = options;
    this.#hotplug = new Hotplug(qmp, () => [...this.#onMachine].forEach((listener) => listener()));
    qmp.onEvent((event) => this.#hear(event));
    const look = () => {
      if (!isAlive(identity)) this.#exited();
      else forgetHolder(spec.dir); // one that an earlier system process started is no child of this one
    };
    void qmp.closed.then(() => until(() => (isAlive(identity) ? undefined : true), { what: "QEMU's end", deadlineMs: 5_000, everyMs: 10 }).then(look, () => undefined));
    this.#watch = setInterval(look, WATCH_MS);
    this.#watch.unref();
  }

  async state(): Promise<ProcessState> {
    if (!isAlive(this.#identity)) return "ended";
    const asked = [this.#qmp.execute("query-status"), this.spec.incoming ? this.#qmp.execute("query-migrate") : Promise.resolve({})] as const;
    const [{ status }, { status: migration }] = (await Promise.all(asked)) as [{ status: string }, { status?: string }];
    if (status === "inmigrate") return "waiting";
    if (status === "running") return "running";
    if (status === "io-error") return "io-error";
    if (status === "prelaunch") return "started";
    return migration === "completed" && status === "paused" ? "loaded" : "paused";
  }
  async run(): Promise<number> {
    let begunAt = Infinity;
    const forget = this.#qmp.onEvent(({ event, at }) => event === "RESUME" && (begunAt = at));
    await this.#qmp.execute("cont").finally(forget);
    return Math.max(0, Date.now() - begunAt);
  }
  async pause(): Promise<void> {
    await this.#qmp.execute("stop");
  }
  async measure(): Promise<{ readonly residentBytes: number; readonly dirtyBytesPerSecond: number | null }> {
    const dirtyBytesPerSecond = await dirtyRate(this.#qmp).catch((error: unknown) => {
      this.#options.log.debug({ err: error }, "the dirty rate can not be measured");
      return null;
    });
    return { residentBytes: residentMemory(fs.readFileSync(`/proc/${this.pid}/smaps`, "utf8")), dirtyBytesPerSecond };
  }
  async powerdown(): Promise<void> {
    await this.#qmp.execute("system_powerdown");
  }
  async reset(): Promise<void> {
    await this.#qmp.execute("system_reset");
  }
  async end(): Promise<void> {
    this.#ended = true;
    clearInterval(this.#watch);
    await killAndWait(this.#identity);
    await endHolder(this.spec.dir);
    this.#qmp.close();
    dropCap(capName(this.spec));
    fs.rmSync(this.spec.dir, { recursive: true, force: true });
  }

  async prepareOutgoing({ policy, bytesPerSecondMax }: { readonly policy: ConvergencePolicy; readonly bytesPerSecondMax: number }): Promise<OutgoingMigration> {
    const { throttle } = policy;
    await this.#qmp.execute("migrate-set-capabilities", capabilities("source", throttle !== null));
    await this.#qmp.execute("migrate-set-parameters", {
      ...{ "max-bandwidth": bytesPerSecondMax, "downtime-limit": stopAllowedMs(1, policy) },
      ...(throttle === null ? {} : { "cpu-throttle-initial": throttle.initialPercent, "cpu-throttle-increment": throttle.stepPercent, "max-cpu-throttle": throttle.maxPercent }),
    });
    const at = sockets(this.spec.dir);
    await this.#startHolder(["outgoing", at.channelQmp, at.hand, at.control], [at.hand, at.control]);
    return new QemuOutgoing(this.#qmp, this.spec.dir, this.#options.log.child({ lpar: this.spec.name }));
  }
  async adoptOutgoing(begun: boolean): Promise<OutgoingMigration | undefined> {
    const { status } = (await this.#qmp.execute("query-migrate", {}, 3_000).catch(() => ({ status: "blocked" }))) as { status?: string };
    const held = fs.existsSync(sockets(this.spec.dir).control);
    return !held && (!begun || status === undefined || status === "none") ? undefined : new QemuOutgoing(this.#qmp, this.spec.dir, this.#options.log.child({ lpar: this.spec.name }));
  }
  async listenIncoming(socket: string): Promise<void> {
    await this.#qmp.execute("migrate-set-capabilities", capabilities("destination"));
    await this.#startHolder(["incoming", sockets(this.spec.dir).channelQmp, socket], [socket]);
  }
  async loaded(signal: AbortSignal): Promise<void> {
    const news = new MigrationNews(this.#qmp);
    try {
      for (;;) {
        if (signal.aborted) throw abortError(signal);
        if (await this.#isLoaded()) return;
        // QEMU says it when the processors' state is in and they stand still.
        if ((await news.take(LOADED_POLL_MS, signal)) === "completed") return;
      }
    } finally {
      news.close();
    }
  }
  machine(): ReturnType<Hotplug["machine"]> {
    return this.#hotplug.machine();
  }
  get removalsOpen(): number {
    return this.#hotplug.removalsOpen;
  }
  /**
   * QEMU without KVM (seen with 10.0) keeps the memory listener of a core that was taken: the next change of the machine's memory, which a copy makes too, ends
   * it with an assertion in qemu_mutex_lock_impl. The sandbox has no part in it.
   */
  get takesCores(): boolean {
    return this.spec.accelerator !== "tcg";
  }
  get movesProcessors(): boolean {
    return this.spec.accelerator !== "tcg";
  }
  addMemory(device: MemoryDevice): Promise<void> {
    return this.#hotplug.addMemory(device);
  }
  addCore(core: number): Promise<void> {
    return this.#hotplug.addCore(core);
  }
  removeMemory(slot: number, signal: AbortSignal): Promise<void> {
    return this.#hotplug.removeMemory(slot, signal);
  }
  async removeCore(core: number, signal: AbortSignal): Promise<void> {
    invariant(this.takesCores, "a core is taken only where QEMU survives it");
    await this.#hotplug.removeCore(core, signal);
  }
  ballooned(): Promise<number | undefined> {
    return this.#hotplug.ballooned(this.spec.memoryBytes);
  }
  balloon(bytes: number): Promise<void> {
    return this.#hotplug.balloon(this.spec.memoryBytes - bytes);
  }
  cap(limits: Limits): boolean {
    return capped(this.spec, this.pid, limits);
  }
  async announce(): Promise<void> {
    await this.#qmp.execute("announce-self", { initial: 20, max: 250, rounds: 5, step: 50 });
  }
  openTerminal(): Promise<Duplex> {
    return connectUnix(sockets(this.spec.dir).console);
  }

  on(event: "exit", listener: (info: { stderr: string }) => void): () => void;
  on(event: "guest", listener: (what: GuestNews) => void): () => void;
  on(event: "machine", listener: () => void): () => void;
  on(event: "exit" | "guest" | "machine", listener: ((info: { stderr: string }) => void) | ((what: GuestNews) => void) | (() => void)): () => void {
    const set = { exit: this.#onExit, guest: this.#onGuest, machine: this.#onMachine }[event] as Set<unknown>;
    set.add(listener);
    return () => set.delete(listener);
  }

  #hear({ event }: QmpEvent): void {
    const news = GUEST_NEWS[event];
    if (news) for (const listener of [...this.#onGuest]) listener(news);
  }
  #exited(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watch);
    const stderr = logTail(this.spec);
    for (const listener of [...this.#onExit]) listener({ stderr });
  }

  /** @throws migration-failed when it ended without the state */
  async #isLoaded(): Promise<boolean> {
    const ended = () => new OlpmError("migration-failed", `the hypervisor on the destination did not take the partition's state: ${logTail(this.spec) || "it ended without a word"}`, { hsc: "HSCLA2CF" });
    const state = await this.state().catch((error: unknown) => {
      const ours = toOlpmError(error, "waiting for the partition's state");
      if (ours.code === "peer-lost") throw ended();
      if (ours.code === "timeout") return "waiting"; // QEMU answers nothing while it loads the last of the state
      throw ours;
    });
    if (state === "ended") throw ended();
    return state === "loaded";
  }

  /** Starts the channel program and waits until its sockets are there. */
  async #startHolder(words: readonly string[], doors: readonly string[]): Promise<void> {
    for (const stale of doors) fs.rmSync(stale, { force: true });
    const log = openOurs(`${this.spec.dir}/channel.log`);
    const child = spawn(path.join(this.#options.nativeDir, "channel"), words, { detached: true, stdio: ["ignore", "ignore", log] });
    fs.closeSync(log);
    let failed: string | undefined;
    child.on("error", (error) => (failed = error.message));
    child.on("exit", (code) => {
      failed ??= `status ${code}`;
      forgetHolder(this.spec.dir);
    });
    child.unref();
    const holder = child.pid === undefined ? undefined : identify(child.pid);
    if (holder) writeOurs(`${this.spec.dir}/channel.json`, JSON.stringify(holder));
    await until(
      () => {
        if (failed !== undefined) throw new OlpmError("internal", `the channel holder ended: ${failed}: ${fs.readFileSync(`${this.spec.dir}/channel.log`, "utf8").trim()}`);
        return doors.every((door) => fs.existsSync(door)) ? true : undefined;
      },
      { what: "the channel holder", deadlineMs: 10_000, everyMs: 5 },
    );
  }
}
