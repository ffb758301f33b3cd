/** `openlpm hmc 'COMMAND'`: the short way to the console of a laboratory; without a command an interactive session. */
import { OlpmError } from "../kit/errors.js";
import { runHmc } from "../console/hmc-door.js";
import { openLab } from "./lab.js";

const HELP = `Usage: openlpm hmc [--name LAB] [--console NAME] ['COMMAND LINE']

Runs one line at the console of a laboratory, as ssh would; an interactive session without one.
Examples:
  ./openlpm hmc 'lssyscfg -r lpar -m ms01 -F name,state'
  ./openlpm hmc 'migrlpar -o m -m ms01 -t ms02 -p db01'

Exit status: that of the line.
`;

export async function runHmcVerb(argv: readonly string[]): Promise<number> {
  let name = "lab";
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
  const { consoles } = openLab(name);
  const found = wanted === undefined ? consoles[0] : consoles.find((one) => one.name === wanted);
  if (!found) throw new OlpmError("not-found", `The laboratory ${name} has no console ${wanted}.`);
  return runHmc(found.hmcSocket, words.length === 0 ? null : words.join(" "));
}
