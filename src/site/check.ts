/** `openlpm check`: looks at everything that this host's console and managed system need, changes nothing, and says what is wrong, a line each. */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import { operatorLine, toOlpmError } from "../kit/errors.js";
import { isAlive, type ProcessIdentity } from "../kit/proc.js";
import { run, runAny } from "../kit/run.js";
import { ALARMS } from "../model/alarms.js";
import { takenIn } from "../system/accounts.js";
import { readConfigFile } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { SYSTEM_CONFIG_FILE, SystemConfig, type ViosHardware } from "../wire/system-config.js";
import { connectTls, type TlsFiles } from "../wire/transport.js";
import { certificatesOf, stateOf } from "./renew.js";
import { parseWords } from "./words.js";

/** Before it, emulated partitions lose writes when they move (docs/dependencies.md). */
const QEMU_MAJOR_MIN = 9;

/** Of pino. */
const ERROR_LEVEL = 50;
const ALARMS_MS_BACK = 86_400_000;
const LOG_BYTES_BACK = 4 << 20;

const HELP = `Usage: openlpm check

Looks at this host: its configuration files, certificates, programs, the adapters of its Virtual I/O Servers, and what runs; a console also at the
connection to each of its managed systems. Changes nothing. One line each: "ok", or "bad" with what is wrong and what to do; and a "note" for each error in the
logs of the last day, with what to do.

Exit status: 0 when all is well, 1 when a line is bad, 2 for a wrong command line.
`;

/** What is looked at, and the look: it gives what was found, or throws what is wrong. */
type Look = readonly [what: string, look: () => Promise<string> | string];
class Bad extends Error {}

/** Gives the exit status. */
export async function runCheck(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "check", flags: ["--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  let bad = 0;
  const say = (word: "ok" | "bad", what: string, text: string) => {
    if (word === "bad") bad++;
    process.stdout.write(`${word.padEnd(4)} ${what.padEnd(34)} ${text}\n`);
  };
  const looked = async ([what, look]: Look): Promise<void> => {
    try {
      say("ok", what, await look());
    } catch (thrown) {
      say("bad", what, thrown instanceof Bad ? thrown.message : operatorLine(toOlpmError(thrown, what)));
    }
  };
  let consoleConfig: ConsoleConfig | undefined;
  let systemConfig: SystemConfig | undefined;
  if (!fs.existsSync(CONSOLE_CONFIG_FILE) && !fs.existsSync(SYSTEM_CONFIG_FILE)) say("bad", "configuration", "this host has neither a console nor a managed system: openlpm init, openlpm join");
  if (fs.existsSync(CONSOLE_CONFIG_FILE)) await looked([CONSOLE_CONFIG_FILE, () => `console ${(consoleConfig = readConfigFile(CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" })).name}`]);
  if (fs.existsSync(SYSTEM_CONFIG_FILE)) await looked([SYSTEM_CONFIG_FILE, () => `managed system ${(systemConfig = readConfigFile(SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" })).name}`]);
  for (const one of certificatesOf(consoleConfig, systemConfig)) {
    await looked([`certificate ${one.commonName}`, () => {
      const { due, useless, text } = stateOf(one);
      if (useless) throw new Bad(`${text}: openlpm renew`);
      assertSigned(one.files);
      return due ? `${text}, is about to be renewed` : text;
    }]);
  }
  if (consoleConfig) for (const look of consoleLooks(consoleConfig)) await looked(look);
  if (systemConfig) for (const look of systemLooks(systemConfig)) await looked(look);
  const logs = [...(consoleConfig ? [path.join(consoleConfig.stateDir, "console.log")] : []), ...(systemConfig ? logFiles(path.join(systemConfig.stateDir, "logs")) : [])];
  for (const { time, name, msg, err } of logs.flatMap((file) => alarms(file, Date.now() - ALARMS_MS_BACK))) process.stdout.write(`note ${time} ${name}: ${msg}${err === undefined ? "" : ` (${err.message})`}${ALARMS[msg] ? `; ${ALARMS[msg].act}` : ""}\n`);
  return bad === 0 ? 0 : 1;
}

const Line = z.object({ level: z.number(), time: z.string(), name: z.string(), msg: z.string(), err: z.object({ message: z.string() }).optional() });
const logFiles = (dir: string): string[] => (fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => name.endsWith(".log")).map((name) => path.join(dir, name)) : []);
/** Errors since `from` in the last part of a log. */
function alarms(file: string, from: number): z.infer<typeof Line>[] {
  if (!fs.existsSync(file)) return [];
  const { size } = fs.statSync(file);
  const tail = Buffer.alloc(Math.min(size, LOG_BYTES_BACK));
  const descriptor = fs.openSync(file, "r");
  fs.readSync(descriptor, tail, 0, tail.length, size - tail.length);
  fs.closeSync(descriptor);
  return tail.toString().split("\n").filter((line) => line.includes(`"level":${ERROR_LEVEL}`)).flatMap((line) => {
    try {
      const parsed = Line.safeParse(JSON.parse(line));
      return parsed.success && Date.parse(parsed.data.time) >= from ? [parsed.data] : [];
    } catch {
      return []; // cut off by the beginning of the part that was read
    }
  });
}

function assertSigned({ ca, cert, key }: TlsFiles): void {
  const authority = new X509Certificate(fs.readFileSync(ca));
  if (!new X509Certificate(fs.readFileSync(cert)).verify(authority.publicKey)) throw new Bad(`${cert} is not signed by ${ca}: join again (openlpm invite, openlpm join)`);
  if ((fs.statSync(key).mode & 0o077) !== 0) throw new Bad(`${key} can be read by others: chmod 600 ${key}`);
}

function consoleLooks(config: ConsoleConfig): Look[] {
  return [
    ["process of the console", () => serves(config.runDir, "openlpm-console")],
    ...config.systems.map(({ name, host, port }): Look => [
      `connection to ${name}`,
      async () => {
        (await connectTls({ host, port }, config.tls, `system:${name}`)).destroy();
        return `${host}:${port}`;
      },
    ]),
  ];
}

function systemLooks(config: SystemConfig): Look[] {
  return [
    ["process of the managed system", () => serves(config.runDir, "openlpm-system")],
    [
      "QEMU",
      async () => {
        const version = /version (\d+)\S*/.exec(await run(["qemu-system-ppc64", "--version"]));
        if (!version || Number(version[1]) < QEMU_MAJOR_MIN) throw new Bad(`${version?.[0] ?? "unknown version"}, and ${QEMU_MAJOR_MIN} or later is needed: packaging/install`);
        return version[0];
      },
    ],
    ["accounts of partitions", () => accounts(config)],
    ["partition image", () => there(config.image.kernel, config.image.initrd)],
    ["native programs", () => there(...["mover", "channel", "vlan"].map((name) => path.join(config.nativeDir, name)))],
    ...config.vioses.flatMap((vios): Look[] => [
      [`adapters of ${vios.name}`, () => adapters(vios)],
      [`process of ${vios.name}`, () => viosRuns(config, vios)],
    ]),
  ];
}

async function accounts({ partitionUids: range }: SystemConfig): Promise<string> {
  const taken = await takenIn(range);
  const text = `uids ${range.first} to ${range.first + range.count - 1}${taken === 0 ? "" : `, ${taken} of them somebody else's and passed over`}`;
  if (taken === range.count) throw new Bad(`${text}: choose another range (partitionUids in ${SYSTEM_CONFIG_FILE})`);
  return text;
}

/** The `ready` file names the process and is there while it serves. */
function serves(runDir: string, unit: string): string {
  const file = path.join(runDir, "ready");
  const pid = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : "";
  if (pid === "" || !fs.existsSync(`/proc/${pid}`)) throw new Bad(`does not serve: systemctl start ${unit}; journalctl -u ${unit}`);
  return `process ${pid}`;
}
function there(...files: readonly string[]): string {
  const missing = files.filter((file) => !fs.existsSync(file));
  if (missing.length > 0) throw new Bad(`${missing.join(" and ")} is missing: packaging/install`);
  return path.dirname(files[0]!);
}
function viosRuns(config: SystemConfig, vios: ViosHardware): string {
  const file = path.join(config.runDir, `v${vios.lparId}`, "pid.json");
  const identity = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as ProcessIdentity) : undefined;
  if (!identity || !isAlive(identity)) throw new Bad(`does not run: chsysstate -m ${config.name} -r lpar -o on -n ${vios.name}`);
  return `process ${identity.pid}`;
}
async function adapters(vios: ViosHardware): Promise<string> {
  for (const one of vios.interfaces) {
    const given = (await runAny(["ip", "-n", vios.namespace, "link", "show", "dev", one.name])).code === 0;
    if (!given && (await runAny(["ip", "link", "show", "dev", one.from])).code !== 0) throw new Bad(`neither this host has ${one.from} nor the Virtual I/O Server ${one.name}: ip link; vioses[].interfaces[].from in ${SYSTEM_CONFIG_FILE}`);
  }
  return vios.interfaces.map((one) => `${one.name} (${one.kind} ${one.from})`).join(", ") || vios.namespace;
}
