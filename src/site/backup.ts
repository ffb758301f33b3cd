/**
 * `openlpm backup` and `openlpm restore`: what this host's console and managed system are, in one file. A restored database may be older than the last move of a
 * partition, and the partition may run elsewhere: so a restored managed system activates none of its partitions until a person has said, for each, that it
 * runs nowhere else (`openlpm restore --confirm`). Partitions whose processes still run here are adopted as ever.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { isAlive } from "../kit/proc.js";
import { run } from "../kit/run.js";
import { mayRun } from "../model/ownership.js";
import { readConfigFile, writePrivate } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { SYSTEM_CONFIG_FILE, SystemConfig } from "../wire/system-config.js";
import { Store } from "../system/store.js";
import { ETC } from "./places.js";
import { parseWords } from "./words.js";

const TAR_MS_MAX = 600_000;
const MANIFEST = "openlpm-backup.json";
const Manifest = z.object({ time: z.string(), console: z.object({ name: z.string(), stateDir: z.string() }).nullable(), system: z.object({ name: z.string(), stateDir: z.string(), partitions: z.array(z.string()) }).nullable() });
type Manifest = z.infer<typeof Manifest>;

const BACKUP_HELP = `Usage: openlpm backup FILE

Writes what this host's console and managed system are into FILE (tar, compressed, 0600), while they run: configuration, certificates and keys, the
authority where this host keeps it, users and host keys of the console, the managed system's database (one moment of it) and its partitions' console
logs. Not in it: the partitions' disks, which are on the array, and logs. FILE holds keys: keep it as you keep those.

A database is only as good as it is new: a move after the backup is not in it. Back up daily, and after moves.

Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;
const RESTORE_HELP = `Usage: openlpm restore FILE [--replace]
       openlpm restore --confirm PARTITION

Brings back what openlpm backup wrote, on this host or on a new one in its place. The services must be stopped. With --replace what is there is
replaced. Refused while a partition runs on this host that the backup does not know.
A restored managed system activates and moves none of its partitions at first, since a partition may have moved away after the backup: look on the other
systems (lssyscfg -r lpar -F name,state), then let each that runs nowhere else go with --confirm.

Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runBackup(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "backup", flags: ["--help"], operandsMax: 1 });
  if (words.has("--help")) {
    process.stdout.write(BACKUP_HELP);
    return 0;
  }
  const file = words.operands[0];
  if (file === undefined) throw new OlpmError("invalid-argument", "openlpm backup takes the file to write.", { action: "openlpm backup --help explains it." });
  const { console: consoleConfig, system } = configs();
  if (!consoleConfig && !system) throw new OlpmError("not-found", "This host has neither a console nor a managed system.", { action: "openlpm init and openlpm join make one." });
  const stage = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-backup-"));
  try {
    await copyInto(stage, ETC);
    if (consoleConfig) for (const name of fs.readdirSync(consoleConfig.stateDir).filter((one) => !/\.log(\.\d+)?$|^invitations$/.test(one))) await copyInto(stage, path.join(consoleConfig.stateDir, name));
    let partitions: string[] = [];
    if (system) {
      const store = new Store(system.stateDir);
      try {
        partitions = store.lpars().filter((row) => row.definition.environment !== "vioserver").map((row) => row.definition.name);
        const at = path.join(stage, system.stateDir);
        fs.mkdirSync(at, { recursive: true, mode: 0o700 });
        await store.backup(at);
      } finally {
        await store.close();
      }
      await copyInto(stage, path.join(system.stateDir, "console"));
    }
    const manifest: Manifest = { time: new Date().toISOString(), console: consoleConfig ? { name: consoleConfig.name, stateDir: consoleConfig.stateDir } : null, system: system ? { name: system.name, stateDir: system.stateDir, partitions } : null };
    writePrivate(path.join(stage, MANIFEST), JSON.stringify(manifest, null, 2));
    fs.closeSync(fs.openSync(`${file}.new`, "w", 0o600));
    await run(["tar", "-C", stage, "-czf", `${file}.new`, "."], { deadlineMs: TAR_MS_MAX });
    fs.renameSync(`${file}.new`, file);
    process.stdout.write(`${file}: ${summary(manifest)}\n`);
    return 0;
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

/** Gives the exit status. */
export async function runRestore(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "restore", values: ["--confirm"], flags: ["--replace", "--help"], operandsMax: 1 });
  if (words.has("--help")) {
    process.stdout.write(RESTORE_HELP);
    return 0;
  }
  const confirmed = words.value("--confirm");
  if (confirmed !== undefined) return confirm(confirmed);
  const file = words.operands[0];
  if (file === undefined) throw new OlpmError("invalid-argument", "openlpm restore takes the file that openlpm backup wrote.", { action: "openlpm restore --help explains it." });
  const stage = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-restore-"));
  try {
    await run(["tar", "-C", stage, "-xzf", path.resolve(file)], { deadlineMs: TAR_MS_MAX });
    if (!fs.existsSync(path.join(stage, MANIFEST))) throw new OlpmError("invalid-argument", `${file} was not written by openlpm backup.`);
    const manifest = Manifest.parse(JSON.parse(fs.readFileSync(path.join(stage, MANIFEST), "utf8")));
    const here = configs();
    for (const [what, config] of Object.entries(here)) if (config && runs(config.runDir)) throw new OlpmError("wrong-state", `The ${what === "console" ? "console" : "managed system"} ${config.name} runs.`, { action: `Stop it first: systemctl stop openlpm-${what}.` });
    if ((here.console || here.system) && !words.has("--replace")) throw new OlpmError("already-exists", `This host has a configuration in ${ETC}.`, { action: "--replace puts the one of the backup in its place." });
    if (manifest.system) {
      // Before anything is put in its place: what is there instead, half of it included, holds back what it should.
      const kept = await holdBack(path.join(stage, manifest.system.stateDir));
      const restored = readConfigFile(path.join(stage, SYSTEM_CONFIG_FILE), SystemConfig, { of: "a managed system", verb: "join" });
      const strangers = strangersIn([...new Set([restored.runDir, ...(here.system ? [here.system.runDir] : [])])], kept);
      if (strangers.length > 0) throw new OlpmError("wrong-state", `Partitions run on this host that the backup does not know: ${strangers.join(", ")}.`, { action: "Bring the managed system back without a restore and move them away or shut them down; or take a backup that knows them." });
    }
    const places = [ETC, ...(manifest.console ? [manifest.console.stateDir] : []), ...(manifest.system ? [manifest.system.stateDir] : [])];
    for (const place of places) await bringBack(stage, place);
    process.stdout.write(`restored: ${summary(manifest)}\n`);
    if (manifest.system && manifest.system.partitions.length > 0) process.stdout.write(`Not activated until confirmed: ${manifest.system.partitions.join(", ")}. For each that runs on no other system: openlpm restore --confirm NAME\n`);
    return 0;
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

/** In the database below `stateDir`, partitions that its system owns or is about to take are held back. Gives all of its partitions. */
async function holdBack(stateDir: string): Promise<Known[]> {
  const store = new Store(stateDir);
  try {
    const clients = store.lpars().filter((row) => row.definition.environment !== "vioserver");
    store.holdBack(clients.filter((row) => mayRun(row.ownership) || row.ownership.kind === "reserved").map((row) => row.definition.uuid));
    return clients.map((row) => ({ lparId: row.lparId, uuid: row.definition.uuid }));
  } finally {
    await store.close();
    fs.rmSync(path.join(stateDir, "system.lmdb-lock"), { force: true });
  }
}

interface Known {
  readonly lparId: number;
  readonly uuid: string;
}
/** Names of partitions whose processes live in a run directory and that are not among the known ones under their ID: a restored system would not adopt them, and start over them. */
export function strangersIn(runDirs: readonly string[], known: readonly Known[]): string[] {
  const dirs = runDirs.filter((dir) => fs.existsSync(dir)).flatMap((dir) => fs.readdirSync(dir).filter((name) => /^p\d+$/.test(name)).map((name) => path.join(dir, name)));
  return dirs.flatMap((dir) => {
    const read = (name: string): unknown => (fs.existsSync(path.join(dir, name)) ? JSON.parse(fs.readFileSync(path.join(dir, name), "utf8")) : undefined);
    const identity = Identity.safeParse(read("pid.json"));
    if (!identity.success || !isAlive(identity.data)) return [];
    const spec = Spec.safeParse(read("spec.json"));
    if (!spec.success) return [dir];
    return known.some(({ lparId, uuid }) => uuid === spec.data.uuid && path.basename(dir) === `p${lparId}`) ? [] : [`${spec.data.name} (${dir})`];
  });
}
const Identity = z.object({ pid: z.number(), startTime: z.string() });
const Spec = z.object({ name: z.string(), uuid: z.string() });

async function confirm(name: string): Promise<number> {
  const { system } = configs();
  if (!system) throw new OlpmError("not-found", "This host has no managed system.");
  const store = new Store(system.stateDir);
  try {
    const row = store.lpars().find((one) => one.definition.name === name);
    if (!row) throw new OlpmError("not-found", `The partition named ${name} was not found.`, { hsc: "HSCL8012" });
    if (!store.heldBack().includes(row.definition.uuid)) throw new OlpmError("wrong-state", `The partition ${name} is not held back.`);
    store.holdBack(store.heldBack().filter((uuid) => uuid !== row.definition.uuid));
    process.stdout.write(`${name} may be activated on ${system.name}\n`);
    return 0;
  } finally {
    await store.close();
  }
}

const configs = () => ({
  console: fs.existsSync(CONSOLE_CONFIG_FILE) ? readConfigFile(CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" }) : undefined,
  system: fs.existsSync(SYSTEM_CONFIG_FILE) ? readConfigFile(SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" }) : undefined,
});
const summary = (manifest: Manifest): string => [manifest.console && `console ${manifest.console.name}`, manifest.system && `managed system ${manifest.system.name} with ${manifest.system.partitions.length} partitions`].filter((one) => one !== null).join(", ") + `, of ${manifest.time}`;

/** The `ready` file names the process. */
function runs(runDir: string): boolean {
  const file = path.join(runDir, "ready");
  return fs.existsSync(file) && fs.existsSync(`/proc/${fs.readFileSync(file, "utf8").trim()}`);
}

async function copyInto(stage: string, place: string): Promise<void> {
  if (!fs.existsSync(place)) return;
  const parent = path.join(stage, path.dirname(place));
  fs.mkdirSync(parent, { recursive: true, mode: 0o700 });
  await run(["cp", "-a", place, parent], { deadlineMs: TAR_MS_MAX });
}

/** Puts a directory of the backup into its place; files that the backup has not are left, a database is replaced as a whole. */
async function bringBack(stage: string, place: string): Promise<void> {
  const from = path.join(stage, place);
  if (!fs.existsSync(from)) return;
  fs.mkdirSync(path.dirname(place), { recursive: true, mode: 0o711 });
  fs.mkdirSync(place, { recursive: true, mode: 0o700 });
  for (const name of fs.readdirSync(from).filter((one) => one.startsWith("system.lmdb"))) fs.rmSync(path.join(place, name), { recursive: true, force: true });
  fs.rmSync(path.join(place, "system.lmdb-lock"), { force: true });
  await run(["cp", "-a", `${from}/.`, place], { deadlineMs: TAR_MS_MAX });
}
