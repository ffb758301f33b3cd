/** `openlpm invite`: a one-time code with which a host or another console joins the installation. */
import { OlpmError } from "../kit/errors.js";
import { readConfigFile } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { INVITATION_MINUTES } from "../wire/enrolment.js";
import { invite } from "../console/enrolment.js";
import { parseWords } from "./words.js";

const HELP = `Usage: openlpm invite system|console NAME [--config FILE]

Prints a code with which one host joins this installation as the managed system NAME, or one more console as NAME. The code is good
for one join within ${INVITATION_MINUTES} minutes; it holds a secret, and the fingerprint by which the host knows this installation. Carry it over a channel
that you trust. Inviting a name again makes its earlier code worthless; a host that joins again gets new certificates.

Run it on the console's host, while openlpm-console runs.

  --config FILE   the console's configuration (default ${CONSOLE_CONFIG_FILE})

Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runInvite(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "invite", values: ["--config"], flags: ["--help"], operandsMax: 2 });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const [role, name] = words.operands;
  if ((role !== "system" && role !== "console") || name === undefined) throw new OlpmError("invalid-argument", "openlpm invite takes system or console, and a name.", { action: "openlpm invite --help explains it." });
  const config = readConfigFile(words.value("--config") ?? CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" });
  process.stdout.write(`${invite(config, role, name)}\n`);
  process.stderr.write(`For ${name}, once, within ${INVITATION_MINUTES} minutes: openlpm join --console ${config.enrolment!.host} --code CODE ...\n`);
  return 0;
}
