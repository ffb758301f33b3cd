/** `openlpm add`: one more Virtual I/O Server for the managed system of this host: its entry in the configuration, and its certificate. */
import { OlpmError } from "../kit/errors.js";
import { changeConfigFile, readConfigFile } from "../wire/config-file.js";
import { SYSTEM_CONFIG_FILE, SystemConfig } from "../wire/system-config.js";
import { Store } from "../system/store.js";
import { VIOS_HELP, viosHardware } from "./join.js";
import { renewOne } from "./renew.js";
import { parseWords } from "./words.js";

const HELP = `Usage: openlpm add --vios KEY=VALUE,...

Adds a Virtual I/O Server to this host's managed system: writes its entry into ${SYSTEM_CONFIG_FILE} and gets its certificate from the console that keeps the
authority. It is known after systemctl restart openlpm-system, and starts with chsysstate -r lpar -o on -n NAME. Of several that carry one VLAN, the one that was
configured first has the traffic while it runs.

${VIOS_HELP}
Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runAdd(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "add", values: ["--vios"], flags: ["--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const text = words.needed("--vios");
  const config = readConfigFile(SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" });
  const hardware = viosHardware(config.name, text, { lparId: await freeId(config), trunkPriority: 1 + Math.max(0, ...config.vioses.flatMap((one) => one.sea.map((sea) => sea.trunkPriority))) });
  const parsed = SystemConfig.safeParse({ ...config, vioses: [...config.vioses, hardware] });
  if (!parsed.success) throw new OlpmError("invalid-argument", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "), { action: "openlpm add --help explains the keys." });
  const added = parsed.data.vioses.at(-1)!;
  if (config.vioses.some((one) => one.name === added.name)) throw new OlpmError("already-exists", `${config.name} has a Virtual I/O Server ${added.name}.`);
  // The certificate first: an entry without one would keep the mover of that Virtual I/O Server from starting.
  await renewOne({ commonName: `vios:${config.name}/${added.name}`, files: added.tls, bearer: config.tls });
  changeConfigFile(SYSTEM_CONFIG_FILE, (document) => document.addIn(["vioses"], document.createNode(hardware)));
  process.stdout.write(`Virtual I/O Server ${added.name} of ${config.name}, partition ID ${added.lparId}\n\nNext: systemctl restart openlpm-system, then on the console chsysstate -m ${config.name} -r lpar -o on -n ${added.name}\n`);
  return 0;
}

/** The lowest that neither the configuration nor a partition has. */
async function freeId(config: SystemConfig): Promise<number> {
  const store = new Store(config.stateDir);
  try {
    const taken = new Set<number>([...store.lpars().map((row) => row.lparId), ...config.vioses.map((one) => one.lparId)]);
    let id = 1;
    while (taken.has(id)) id++;
    return id;
  } finally {
    await store.close();
  }
}
