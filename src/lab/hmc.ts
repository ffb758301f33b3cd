/** `openlpm hmc 'COMMAND'`: the short way to this host's console or to that of a laboratory; without a command an interactive session. */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { runHmc } from "../console/hmc-door.js";
import { readConfigFile } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { openLab } from "./lab.js";

const HELP = `Usage: openlpm hmc [--name LAB] [--console NAME] ['COMMAND LINE']

Runs one line as hscroot at this host's console (${CONSOLE_CONFIG_FILE}), or at the console of a laboratory, as ssh would; an interactive session without a line.
Without --name it is this host's console where there is one, else the laboratory "lab".

Examples:
  ./openlpm hmc 'lssyscfg -r lpar -m ms01 -F name,state'
  ./openlpm hmc 'migrlpar -o m -m ms01 -t ms02 -p db01'

Exit status: that of the line.
`;

export async function runHmcVerb(argv: readonly string[]): Promise<number> {
  let name: string | undefined;
  let wanted: string | undefined;
  const words = [...argv];
  while (words[0]?.startsWith("--")) {
    const option = words.shift()!;
    if (option === "--help") {
      process.stdout.write(HELP);
      return 0;
    }
    const value = words.shift();
    if (value === undefined || (option !== "--name" && option !== "--console")) throw new OlpmError("invalid-argument", `hmc has no option ${option} like this.`, { action: "openlpm hmc --help shows what there is." });
    if (option === "--name") name = value;
    else wanted = value;
  }
  const line = words.length === 0 ? null : words.join(" ");
  if (name === undefined && wanted === undefined && fs.existsSync(CONSOLE_CONFIG_FILE)) {
    const config = readConfigFile(CONSOLE_CONFIG_FILE, ConsoleConfig, { of: "a console", verb: "init console" });
    const socket = path.join(config.runDir, "hmc.sock");
    if (!fs.existsSync(socket)) throw new OlpmError("not-found", `The console ${config.name} does not run.`, { action: "systemctl start openlpm-console; journalctl -u openlpm-console says why when it does not." });
    return runHmc(socket, line);
  }
  name ??= "lab";
  const { consoles } = openLab(name);
  const found = wanted === undefined ? consoles[0] : consoles.find((one) => one.name === wanted);
  if (!found) throw new OlpmError("not-found", `The laboratory ${name} has no console ${wanted}.`);
  return runHmc(found.hmcSocket, line);
}
