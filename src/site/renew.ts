/** `openlpm renew`: new certificates before the old ones run out, and first ones for Virtual I/O Servers that were added to the configuration. A timer runs it. */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { silentLogger } from "../kit/log.js";
import { certificateFacts, installCertificate, makeCertificate, makeRequest } from "../wire/certificates.js";
import { readConfigFile } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { enrolment } from "../wire/enrolment.js";
import { RpcPeer } from "../wire/rpc.js";
import { SYSTEM_CONFIG_FILE, SystemConfig } from "../wire/system-config.js";
import { connectTls, type TlsFiles } from "../wire/transport.js";
import { readInstallation } from "./places.js";
import { parseWords } from "./words.js";

const DAY_MS = 86_400_000;
/** Renewed when less than this part of its time is left. */
const LEFT_MIN = 1 / 3;

const HELP = `Usage: openlpm renew [--check] [--all]

Renews the certificates of this host that have less than a third of their time left, and makes those that the configuration names and that are missing (a
Virtual I/O Server that was added). openlpm-renew.timer runs it once a day. New keys are made here; the console that keeps the authority signs. Running
processes take a new certificate within a minute; partitions and migrations do not notice.

  --check   only shows each certificate and its end; status 1 when one has run out or is missing
  --all     renews all of them now

Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;

export interface Wanted {
  readonly commonName: string;
  readonly files: TlsFiles;
  /** who asks for it */
  readonly bearer: TlsFiles;
}

/** Gives the exit status. */
export async function runRenew(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "renew", flags: ["--check", "--all", "--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const consoleConfig = fs.existsSync(CONSOLE_CONFIG_FILE) ? readConfigFile(CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" }) : undefined;
  const systemConfig = fs.existsSync(SYSTEM_CONFIG_FILE) ? readConfigFile(SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" }) : undefined;
  if (!consoleConfig && !systemConfig) throw new OlpmError("not-found", "This host has neither a console nor a managed system.", { action: "openlpm init and openlpm join make one." });
  const wanted = certificatesOf(consoleConfig, systemConfig);
  let bad = false;
  for (const one of wanted) {
    const state = stateOf(one);
    if (words.has("--check")) bad ||= state.useless;
    else if (state.due || words.has("--all")) await renewOne(one, consoleConfig);
    process.stdout.write(`${one.commonName.padEnd(28)} ${words.has("--check") ? state.text : stateOf(one).text}\n`);
  }
  return bad ? 1 : 0;
}

/** All that this host needs. */
export function certificatesOf(consoleConfig: ConsoleConfig | undefined, systemConfig: SystemConfig | undefined): Wanted[] {
  const wanted: Wanted[] = [];
  if (consoleConfig) wanted.push({ commonName: `console:${consoleConfig.name}`, files: consoleConfig.tls, bearer: consoleConfig.tls });
  if (systemConfig) {
    wanted.push({ commonName: `system:${systemConfig.name}`, files: systemConfig.tls, bearer: systemConfig.tls });
    for (const vios of systemConfig.vioses) wanted.push({ commonName: `vios:${systemConfig.name}/${vios.name}`, files: vios.tls, bearer: systemConfig.tls });
  }
  return wanted;
}

/** `due`: it should be renewed; `useless`: nobody takes it. */
export function stateOf({ files, commonName }: Wanted): { readonly due: boolean; readonly useless: boolean; readonly text: string } {
  if (!fs.existsSync(files.cert) || !fs.existsSync(files.key)) return { due: true, useless: true, text: `${files.cert} is missing` };
  const facts = certificateFacts(files.cert);
  const left = facts.validTo.getTime() - Date.now();
  const other = facts.commonName !== commonName;
  return { due: other || left < (facts.validTo.getTime() - facts.validFrom.getTime()) * LEFT_MIN, useless: other || left <= 0, text: other ? `${files.cert} is for ${facts.commonName}` : `until ${facts.validTo.toISOString().slice(0, 10)}, ${Math.floor(left / DAY_MS)} days` };
}

/** Makes a key and gets its certificate, from the authority where it is on this host, else from the console that keeps it. @throws OlpmError peer-lost | timeout | not-authorised */
export async function renewOne({ commonName, files, bearer }: Wanted, consoleConfig?: ConsoleConfig): Promise<void> {
  if (consoleConfig?.enrolment && fs.existsSync(path.join(consoleConfig.enrolment.authority, "ca.key"))) return makeCertificate(consoleConfig.enrolment.authority, files, commonName);
  const installation = readInstallation();
  const socket = await connectTls(installation, bearer, `console:${installation.console}`);
  const peer = new RpcPeer(socket, { self: commonName, caller: `console:${installation.console}`, log: silentLogger });
  try {
    const { certificates } = await peer.client(enrolment).call("renew", { requests: [{ commonName, request: await makeRequest(files, commonName) }] });
    installCertificate(files, certificates[0]!, fs.readFileSync(bearer.ca, "utf8"));
  } finally {
    peer.destroy();
  }
}
