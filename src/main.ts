/**
 * Entry of every OpenLPM process: `node dist/src/main.js VERB ARGUMENT...`. The launcher `openlpm` calls it for people, a system calls it for its
 * Virtual I/O Servers, the laboratory for its parts. It loads the verb's own room and nothing else, so that one process has no other's code.
 *
 * Exit status: the verb's own, 1 for an error, 2 for an unknown verb, a wrong command line or a wrong configuration. A verb that gives no status is a service and runs on.
 */
import { HELP, SERVICE_HELP } from "./help.js";
import { operatorLine, toOlpmError } from "./kit/errors.js";

/** A verb that has given its status ends within this, whatever it left open. */
const LINGER_MS_MAX = 3_000;

type Verb = (argv: readonly string[]) => Promise<number | void>;

const VERBS: Readonly<Record<string, Verb>> = {
  add: async (argv) => (await import("./site/add.js")).runAdd(argv),
  backup: async (argv) => (await import("./site/backup.js")).runBackup(argv),
  bench: async (argv) => (await import("./lab/bench/main.js")).runBench(argv),
  check: async (argv) => (await import("./site/check.js")).runCheck(argv),
  console: async (argv) => (await import("./console/main.js")).runConsole(argv),
  demo: async (argv) => (await import("./lab/demo.js")).runDemo(argv),
  disk: async (argv) => (await import("./site/disk.js")).runDisk(argv),
  docs: async () => (await import("./manual/main.js")).runDocs(),
  hmc: async (argv) => (await import("./lab/hmc.js")).runHmcVerb(argv),
  init: async (argv) => (await import("./site/init.js")).runInit(argv),
  invite: async (argv) => (await import("./site/invite.js")).runInvite(argv),
  join: async (argv) => (await import("./site/join.js")).runJoin(argv),
  lab: async (argv) => (await import("./lab/main.js")).runLab(argv),
  release: async (argv) => (await import("./site/release.js")).runRelease(argv),
  renew: async (argv) => (await import("./site/renew.js")).runRenew(argv),
  restore: async (argv) => (await import("./site/backup.js")).runRestore(argv),
  simulate: async (argv) => (await import("./simulation/main.js")).runSimulate(argv),
  system: async (argv) => (await import("./system/main.js")).runSystem(argv),
  torture: async (argv) => (await import("./lab/torture.js")).runTorture(argv),
  vios: async (argv) => (await import("./vios/main.js")).runVios(argv),
};

async function main([name, ...argv]: readonly string[]): Promise<number | void> {
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  const service = name === undefined ? undefined : SERVICE_HELP[name];
  if (service !== undefined && argv.includes("--help")) {
    process.stdout.write(service);
    return 0;
  }
  const verb = name !== undefined && Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
  if (!verb) {
    const known = [...Object.keys(VERBS), "test"].sort().join(", ");
    process.stderr.write(`openlpm: ${name === undefined ? "no verb" : `unknown verb "${name}"`}; one of: ${known} (openlpm --help)\n`);
    return 2;
  }
  try {
    return await verb(argv);
  } catch (thrown) {
    const error = toOlpmError(thrown, `openlpm ${name}`);
    process.stderr.write(`${operatorLine(error)}\n`);
    if (process.env["OPENLPM_LOG"] === "debug") console.error(thrown);
    return error.code === "invalid-argument" ? 2 : 1;
  }
}

// The reader of our output may leave before us (`openlpm lab status | head -1`).
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const status = await main(process.argv.slice(2));
if (typeof status === "number") {
  process.exitCode = status;
  setTimeout(() => process.exit(), LINGER_MS_MAX).unref();
}
