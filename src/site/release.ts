/** `openlpm release`: gives the adapters of the Virtual I/O Servers back to the host. */
import { readConfigFile } from "../wire/config-file.js";
import { SYSTEM_CONFIG_FILE, SystemConfig } from "../wire/system-config.js";
import { releaseAdapters } from "../system/adapters.js";
import { parseWords } from "./words.js";

const HELP = `Usage: openlpm release [--config FILE]

Gives the network adapters of the Virtual I/O Servers back to this host and removes their network namespaces. Refuses while a Virtual I/O Server runs. The next
start of a Virtual I/O Server takes its adapters again.

  --config FILE   the managed system's configuration (default ${SYSTEM_CONFIG_FILE})

Exit status: 0, 1 when a Virtual I/O Server runs or something failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runRelease(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "release", values: ["--config"], flags: ["--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const config = readConfigFile(words.value("--config") ?? SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" });
  for (const vios of config.vioses) await releaseAdapters(vios);
  return 0;
}
