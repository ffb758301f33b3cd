/** `openlpm init console`: the beginning of an installation: its authority, the first console's certificate, configuration and user. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { makeAuthority, makeCertificate, tlsFiles } from "../wire/certificates.js";
import { configText, writePrivate } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { TLS_DIR } from "../wire/system-config.js";
import { FIRST_USER, Users } from "../console/users/users.js";
import { AUTHORITY_DIR, ENROLMENT_PORT, ETC, writeInstallation } from "./places.js";
import { parseWords } from "./words.js";

export const SSH_PORT = 2222;
const PASSWORD_CHARACTERS_MIN = 7;

const HELP = `Usage: openlpm init console --name NAME --address ADDRESS [--ssh-port PORT] [--password-file FILE]

Begins an installation on the host that will run its first console (HMC): makes the authority that signs all certificates, the
console's own certificate, ${CONSOLE_CONFIG_FILE}, and the user ${FIRST_USER}.

  --name NAME           of the console: 1 to 31 small letters, digits and "-"
  --address ADDRESS     at which administrators and hosts reach it
  --ssh-port PORT       of its SSH door (default ${SSH_PORT}, since most hosts have their own SSH server on 22)
  --password-file FILE  the first line is the password of ${FIRST_USER}; without it, it is asked for on the terminal, and without a
                        terminal one is made and shown once

Keep a copy of ${AUTHORITY_DIR} in a safe place: who has ca.key can make itself a console. An authority that is there
already is used.

Exit status: 0, 1 when something is there already or failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runInit(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "init", values: ["--name", "--address", "--ssh-port", "--password-file"], flags: ["--help"], operandsMax: 1 });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  if (words.operands[0] !== "console") throw new OlpmError("invalid-argument", "openlpm init console begins an installation; a managed system's host comes into it with openlpm join.", { action: "openlpm init --help explains it." });
  const [name, address] = [words.needed("--name"), words.needed("--address")];
  const config = consoleConfig({ name, address, sshPort: words.value("--ssh-port"), enrolment: true, systems: [] });
  const password = await firstPassword(words.value("--password-file"));
  fs.mkdirSync(ETC, { recursive: true, mode: 0o755 });
  // One that is there, of a begin that failed half way or brought from its safe copy, goes on.
  if (!fs.existsSync(path.join(AUTHORITY_DIR, "ca.key"))) await makeAuthority(AUTHORITY_DIR, `OpenLPM ${name}`);
  await makeCertificate(AUTHORITY_DIR, tlsFiles(TLS_DIR, "console"), `console:${name}`);
  writeConsole(config, password.text);
  writeInstallation({ console: name, host: address, port: ENROLMENT_PORT });
  process.stdout.write(`authority   ${AUTHORITY_DIR}\nconsole     ${CONSOLE_CONFIG_FILE}\nuser        ${FIRST_USER}${password.made ? `, password ${password.text} (shown this once)` : ""}\n\nNext: systemctl enable --now openlpm-console, then openlpm invite system NAME for each host.\n`);
  return 0;
}

/** A console's configuration with this product's places. @throws OlpmError already-exists | invalid-argument */
export function consoleConfig(what: { readonly name: string; readonly address: string; readonly sshPort: string | undefined; readonly enrolment: boolean; readonly systems: ConsoleConfig["systems"] }): ConsoleConfig {
  if (fs.existsSync(CONSOLE_CONFIG_FILE)) throw new OlpmError("already-exists", `This host has a console: ${CONSOLE_CONFIG_FILE} is there.`);
  const parsed = ConsoleConfig.safeParse({
    name: what.name,
    ssh: { listen: [{ host: what.address, port: Number(what.sshPort ?? SSH_PORT) }], sessionsMax: 64 },
    enrolment: what.enrolment ? { host: what.address, port: ENROLMENT_PORT, authority: AUTHORITY_DIR } : null,
    systems: what.systems,
  });
  if (!parsed.success) throw new OlpmError("invalid-argument", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  return parsed.data;
}

export function writeConsole(config: ConsoleConfig, password: string): void {
  for (const dir of [path.dirname(config.stateDir), config.stateDir]) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  new Users(config.stateDir, password);
  writePrivate(CONSOLE_CONFIG_FILE, configText(ConsoleConfig, { ...config, nativeDir: null }, `Configuration of the console ${config.name}. After a change: systemctl restart openlpm-console (nothing else notices).`));
}

/** Of the first user: from a file, from the terminal, or made. @throws OlpmError invalid-argument */
export async function firstPassword(file: string | undefined): Promise<{ readonly text: string; readonly made: boolean }> {
  if (file === undefined && !process.stdin.isTTY) return { text: randomBytes(12).toString("base64url"), made: true };
  let text: string;
  if (file !== undefined) text = fs.readFileSync(file, "utf8").split("\n")[0]!;
  else {
    text = await ask(`Password of ${FIRST_USER}: `);
    if (text !== (await ask("Once more: "))) throw new OlpmError("invalid-argument", "The two passwords differ; nothing was made.");
  }
  if (text.length < PASSWORD_CHARACTERS_MIN) throw new OlpmError("invalid-argument", `A password has at least ${PASSWORD_CHARACTERS_MIN} characters; nothing was made.`);
  return { text, made: false };
}

/** What was typed, or pasted, past the last line that was asked for. */
let ahead = "";

/** A line from the terminal that is not shown. @throws OlpmError aborted on Ctrl-C or the terminal's end */
function ask(prompt: string): Promise<string> {
  const { stdin } = process;
  process.stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.resume();
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      stdin.off("data", onData).off("end", onEnd);
      stdin.setRawMode(false);
      stdin.pause();
      process.stderr.write("\n");
      settle();
    };
    const onEnd = () => end(() => reject(new OlpmError("aborted", "stopped; nothing was made")));
    const onData = (chunk: Buffer | string) => {
      ahead += chunk.toString();
      const stop = /[\r\n\u0003\u0004]/.exec(ahead);
      if (!stop) return;
      const typed = ahead.slice(0, stop.index);
      ahead = ahead.slice(stop.index + 1);
      if (stop[0] === "\u0003" || stop[0] === "\u0004") return onEnd();
      end(() => resolve(erased(typed)));
    };
    stdin.on("data", onData).on("end", onEnd);
    onData("");
  });
}
/** Backspace takes the character before it away. */
const erased = (typed: string): string => [...typed].reduce((text, char) => (char === "\u007f" || char === "\b" ? text.slice(0, -1) : text + char), "");
