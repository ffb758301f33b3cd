/** `openlpm join`: a host comes into an installation. Its keys are made here and stay here; what it asks for and gets are certificates and addresses. */
import { createHash, X509Certificate } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import { OlpmError } from "../kit/errors.js";
import { silentLogger } from "../kit/log.js";
import { fingerprint, installCertificate, makeRequest, tlsFiles } from "../wire/certificates.js";
import { configText, readConfigFile, writePrivate } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { enrolment, parseCode, type Enrolment, type Invitation } from "../wire/enrolment.js";
import { RpcPeer, type Client } from "../wire/rpc.js";
import { SYSTEM_CONFIG_FILE, SystemConfig, TLS_DIR } from "../wire/system-config.js";
import { connectUnverified } from "../wire/transport.js";
import { FIRST_USER } from "../console/users/users.js";
import { consoleConfig, firstPassword, SSH_PORT, writeConsole } from "./init.js";
import { ENROLMENT_PORT, ETC, hostAndPort, writeInstallation } from "./places.js";
import { certificatesOf } from "./renew.js";
import { parsePairs, parseWords, type Words } from "./words.js";

const SYSTEM_PORT = 4410;
const MOVER_PORT = 4420;
const TRUNK_SLOT = 2;
const VLAN = 1;
/** Of the host's memory, for partitions, unless the operator says otherwise. */
const MEMORY_SHARE = 0.75;
const MEMORY_STEP_MB = 256;

export const VIOS_HELP = `  --vios KEY=VALUE,...      a Virtual I/O Server; give it twice for two, the first carries the LAN while it runs. Keys:
      name=vios1            its name
      uplink=eno2           the host's adapter to the LAN, which it takes over; with kind=bridge a bridge of the host, where it gets a port
      address=A/PREFIX      its own address on the LAN, where its mover listens
      portal=A:3260         iSCSI portal of the array; several with "+" between them
      san=eno3              the host's adapter to the array, when that is not reached over the LAN; taken over, or san-kind=macvlan, san-kind=bridge
      san-address=A/PREFIX  the address there
      initiator=IQN         the name by which the array knows it (default iqn.2026-01.org.openlpm:SYSTEM.VIOS)
`;

const HELP = `Usage: openlpm join --console ADDRESS[:PORT] --code CODE --address ADDRESS [OPTION...]

Brings this host into an installation, as the managed system or the console that was invited (openlpm invite): makes keys, lets the console sign their
certificates, and writes ${SYSTEM_CONFIG_FILE} or ${CONSOLE_CONFIG_FILE}. The console adds a managed system to its configuration by itself.
A host that has its configuration joins again with --console and --code alone: it gets new certificates, also when its old ones have run out.

  --console ADDRESS[:PORT]  the console that keeps the authority (default port ${ENROLMENT_PORT})
  --code CODE               what openlpm invite printed
  --address ADDRESS         at which consoles and other systems reach this host

A managed system:
${VIOS_HELP}  --memory MB               memory for partitions (default: three quarters of the host's)
  --processors N            processors for partitions (default: the host's)
  --type-model TTTT-MMM     default 9009-42A
  --serial SSSSSSS          default: made from the host's machine id

A console:
  --ssh-port PORT, --password-file FILE   as openlpm init has them

Exit status: 0, 1 when it failed (the code is used up only when certificates were given), 2 for a wrong command line.
`;

const OPTIONS = { values: ["--console", "--code", "--address", "--memory", "--processors", "--type-model", "--serial", "--ssh-port", "--password-file"], many: ["--vios"] } as const;

/** Gives the exit status. */
export async function runJoin(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "join", ...OPTIONS, flags: ["--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const where = hostAndPort(words.needed("--console"), ENROLMENT_PORT);
  const { secret, fingerprint: expected } = parseCode(words.needed("--code"));
  const { client, authority, name: consoleName, close } = await connectPinned(where, expected);
  try {
    const invitation = await client.call("invitation.get", { secret });
    fs.mkdirSync(ETC, { recursive: true, mode: 0o755 });
    const join = { client, secret, authority };
    if (fs.existsSync(invitation.role === "system" ? SYSTEM_CONFIG_FILE : CONSOLE_CONFIG_FILE)) await joinAgain(join, invitation, words);
    else if (invitation.role === "system") await joinSystem(join, systemConfig(invitation.name, words));
    else await joinConsole(join, invitation.name, words);
    writeInstallation({ console: consoleName, ...where });
    return 0;
  } finally {
    close();
  }
}

interface Join {
  readonly client: Client<Enrolment>;
  readonly secret: string;
  readonly authority: string;
}

/** A host that has its configuration gets new certificates and keeps everything else. @throws OlpmError already-exists when it bears another name */
async function joinAgain({ client, secret, authority }: Join, { role, name }: Pick<Invitation, "role" | "name">, words: Words): Promise<void> {
  const system = role === "system" ? readConfigFile(SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" }) : undefined;
  const console = role === "console" ? readConfigFile(CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" }) : undefined;
  const here = (system ?? console)!.name;
  if (here !== name) throw new OlpmError("already-exists", `This host is ${role === "system" ? "the managed system" : "the console"} ${here}, and the code is for ${name}.`);
  const given = [...OPTIONS.values, ...OPTIONS.many].filter((option) => !["--console", "--code"].includes(option) && (words.value(option) !== undefined || words.all(option).length > 0));
  if (given.length > 0) throw new OlpmError("already-exists", `This host has its configuration, and ${given.join(", ")} would change it.`, { action: `Join with --console and --code alone to get new certificates; change ${role === "system" ? SYSTEM_CONFIG_FILE : CONSOLE_CONFIG_FILE} itself.` });
  const wanted = certificatesOf(console, system);
  const requests = await Promise.all(wanted.map(async ({ commonName, files }) => ({ commonName, request: await makeRequest(files, commonName) })));
  const { certificates } = await client.call("join", { secret, requests, address: system?.listen ?? null });
  for (const [at, { files }] of wanted.entries()) installCertificate(files, certificates[at]!, authority);
  process.stdout.write(`${role === "system" ? "managed system" : "console"} ${name}: new certificates; its configuration is as it was\n\nNext: systemctl restart openlpm-${role}\n`);
}

async function joinSystem({ client, secret, authority }: Join, config: SystemConfig): Promise<void> {
  const wanted = [{ commonName: `system:${config.name}`, files: config.tls }, ...config.vioses.map((vios) => ({ commonName: `vios:${config.name}/${vios.name}`, files: vios.tls }))];
  const requests = await Promise.all(wanted.map(async ({ commonName, files }) => ({ commonName, request: await makeRequest(files, commonName) })));
  const { certificates } = await client.call("join", { secret, requests, address: config.listen });
  for (const [at, { files }] of wanted.entries()) installCertificate(files, certificates[at]!, authority);
  writePrivate(SYSTEM_CONFIG_FILE, configText(SystemConfig, { ...config, nativeDir: null }, `Configuration of the managed system ${config.name}. After a change: systemctl restart openlpm-system (partitions and Virtual I/O Servers go on; a changed Virtual I/O Server is restarted with chsysstate).`));
  process.stdout.write(`managed system ${config.name}, ${config.mtms.typeModel}*${config.mtms.serial}: ${SYSTEM_CONFIG_FILE}\n\nNext: systemctl enable --now openlpm-system\n`);
}

async function joinConsole({ client, secret, authority }: Join, name: string, words: Words): Promise<void> {
  consoleConfig({ name, address: words.needed("--address"), sshPort: words.value("--ssh-port"), enrolment: false, systems: [] });
  const password = await firstPassword(words.value("--password-file"));
  const files = tlsFiles(TLS_DIR, "console");
  const commonName = `console:${name}`;
  const { certificates, systems } = await client.call("join", { secret, requests: [{ commonName, request: await makeRequest(files, commonName) }], address: null });
  installCertificate(files, certificates[0]!, authority);
  writeConsole(consoleConfig({ name, address: words.needed("--address"), sshPort: words.value("--ssh-port"), enrolment: false, systems: systems as never }), password.text);
  process.stdout.write(`console ${name}: ${CONSOLE_CONFIG_FILE}, SSH port ${words.value("--ssh-port") ?? SSH_PORT}\nuser ${FIRST_USER}${password.made ? `, password ${password.text} (shown this once)` : ""}\n\nNext: systemctl enable --now openlpm-console\n`);
}

/**
 * Connects to an enrolment door and makes sure that it belongs to the installation whose authority has this fingerprint, before anything is told.
 * @throws OlpmError peer-lost | timeout | not-authorised
 */
export async function connectPinned(where: { readonly host: string; readonly port: number }, expected: Buffer): Promise<{ readonly client: Client<Enrolment>; readonly authority: string; readonly name: string; readonly close: () => void }> {
  const { socket, certificate } = await connectUnverified(where);
  const peer = new RpcPeer(socket, { self: "joiner", caller: `${where.host}:${where.port}`, log: silentLogger });
  try {
    const client = peer.client(enrolment);
    const { certificate: authority } = await client.call("authority.get", {}).catch((cause: unknown) => {
      throw new OlpmError("refused", `${where.host}:${where.port} takes no stranger now.`, { cause, action: "The code was used, or has run out: ask for a new one (openlpm invite)." });
    });
    const root = new X509Certificate(authority);
    if (!fingerprint(authority).subarray(0, expected.length).equals(expected) || !certificate.checkIssued(root) || !certificate.verify(root.publicKey)) throw new OlpmError("not-authorised", `${where.host}:${where.port} is not the console that the code is from; nothing was told to it.`);
    const name = /^CN=console:(.+)$/m.exec(certificate.subject)?.[1];
    if (name === undefined) throw new OlpmError("not-authorised", `${where.host}:${where.port} is no console of this installation.`);
    return { client, authority, name, close: () => peer.destroy() };
  } catch (error) {
    peer.destroy();
    throw error;
  }
}

const VIOS_KEYS = { needed: ["name", "uplink", "address", "portal"], others: ["kind", "san", "san-kind", "san-address", "initiator"] };

/** What the words say, checked as the system's process will check it. @throws OlpmError invalid-argument */
export function systemConfig(name: string, words: Words): SystemConfig {
  const vioses = words.all("--vios").map((text, at) => viosHardware(name, text, { lparId: 1 + at, trunkPriority: 1 + at }));
  const memoryMb = Number(words.value("--memory") ?? Math.floor((os.totalmem() / 1_048_576) * MEMORY_SHARE / MEMORY_STEP_MB) * MEMORY_STEP_MB);
  const parsed = SystemConfig.safeParse({
    name,
    mtms: { typeModel: words.value("--type-model") ?? "9009-42A", serial: words.value("--serial") ?? hostSerial() },
    listen: { host: words.needed("--address"), port: SYSTEM_PORT },
    memoryBytes: memoryMb * 1_048_576,
    processors: Number(words.value("--processors") ?? os.cpus().length),
    vioses,
  });
  if (!parsed.success) throw new OlpmError("invalid-argument", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "), { action: "openlpm join --help explains the options." });
  return parsed.data;
}

/** One Virtual I/O Server from its pairs, to be checked by the schema. @throws OlpmError invalid-argument */
export function viosHardware(system: string, text: string, place: { readonly lparId: number; readonly trunkPriority: number }) {
  const pairs = parsePairs(text, "--vios", VIOS_KEYS);
  const vios = pairs.get("name")!;
  const [address = "", prefix = "24"] = pairs.get("address")!.split("/");
  const san = pairs.get("san");
  return {
    lparId: place.lparId,
    name: vios,
    namespace: `openlpm-${vios}`,
    interfaces: [
      { name: "lan0", from: pairs.get("uplink")!, kind: pairs.get("kind") ?? "move" },
      ...(san === undefined ? [] : [{ name: "san0", from: san, kind: pairs.get("san-kind") ?? "move", address: pairs.get("san-address") ?? null }]),
    ],
    san: { portals: pairs.get("portal")!.split("+"), initiatorName: pairs.get("initiator") ?? `iqn.2026-01.org.openlpm:${system}.${vios}`.toLowerCase() },
    uplink: "lan0",
    address,
    prefix: Number(prefix),
    sea: { vswitch: "ETHERNET0", vlanIds: [VLAN], trunkSlot: TRUNK_SLOT, trunkPriority: place.trunkPriority },
    msp: true,
    moverPort: MOVER_PORT,
    moverConcurrentMax: 4,
    moverTrusted: [],
    tls: tlsFiles(TLS_DIR, `vios-${vios}`),
  };
}

/** Seven characters that stay the same for this host and differ from others'. */
function hostSerial(): string {
  const file = "/etc/machine-id";
  const seed = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : os.hostname();
  return createHash("sha256").update(`openlpm ${seed}`).digest("hex").toUpperCase().slice(0, 7);
}

