/** `lshmc`: this console's version, vital product data and settings (hmc-cli 8.1). What the console does not know is absent. */
import { readFile } from "node:fs/promises";
import os from "node:os";
import type { CommandContext } from "../contract.js";
import { printed } from "../grammar/attribute-table.js";
import { absent, list, type Attribute } from "../grammar/list-output.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { listing } from "./lssyscfg.js";
import { LISTING_OPTIONS } from "./targets.js";

/** The level whose command line this console has; clients refuse older ones. */
const LEVEL = { version: 10, release: 3, servicePack: 1060 } as const;
const BIOS_FILE = "/sys/class/dmi/id/bios_version";

const SELECTORS = ["-V", "-v", "-n", "-r", "-b", "-l"] as const;

const NETWORK: readonly Attribute<CommandContext>[] = [
  { name: "hostname", read: ({ consoleName }) => consoleName },
  { name: "ipaddr", read: ({ about }) => about.addresses },
  ...absent("the network of a console is its host's", "domain", "gateway", "nameserver", "domainsuffix", "slipipaddr", ...["ipv4addr", "ipv4netmask", "ipv4dhcp", "ipv6addr", "speed", "duplex", "lparcomm", "jumboframe", "tso"].map((name) => `${name}_eth0`)),
];
const REMOTE: readonly Attribute<CommandContext>[] = [
  { name: "ssh", read: ({ about }) => (about.sshEnabled ? "enable" : "disable") },
  { name: "sshprotocol", read: ({ about }) => (about.sshEnabled ? "2" : undefined) },
  ...absent("there is no web interface", "remotewebui"),
  ...absent("time and logs of a console are its host's", "xntp", "xntpserver", "syslogserver"),
];
const BIOS: readonly Attribute<string>[] = [{ name: "bios", read: (bios) => bios }];
const LOCALE: readonly Attribute<object>[] = [{ name: "locale", read: () => "en_US" }];

export const lshmc: Command = {
  name: "lshmc",
  summary: "lists facts about this console",
  synopsis: ["lshmc {-V | -v}", "lshmc {-b | -l | -n | -r} [-F [attribute-names] [--header]]"],
  options: [
    { name: "-V", argument: null, help: "the version" },
    { name: "-v", argument: null, help: "vital product data" },
    { name: "-n", argument: null, help: "network settings: hostname, ipaddr" },
    { name: "-r", argument: null, help: "remote access settings: ssh, sshprotocol" },
    { name: "-b", argument: null, help: "the level of the host's firmware" },
    { name: "-l", argument: null, help: "the locale of its messages" },
    ...["-D", "-e", "-h", "-i", "-L", "--bmc", "--firewall", "--netroute", "--ntpserver", "--syslog"].map((name) => ({ name, argument: null, help: "settings of an HMC appliance", refused: "they are the host's of this console, and are listed there" })),
    ...LISTING_OPTIONS.filter((option) => option.name !== "--filter"),
  ],
  details: [`The version is the level of the HMC whose command line this console follows, V${LEVEL.version}R${LEVEL.release}M${LEVEL.servicePack}; the build level is this console's own version.`, "Example:\nlshmc -n -F hostname:ipaddr"],
  attributes: [printed("lshmc -n", NETWORK), printed("lshmc -r", REMOTE), printed("lshmc -b", BIOS), printed("lshmc -l", LOCALE)],
  run: async (options, context) => {
    context.io.stdout(await text(options, context));
    return 0;
  },
};

async function text(options: Options, context: CommandContext): Promise<string> {
  const [selector, another] = SELECTORS.filter((name) => options.has(name));
  if (selector === undefined) throw missingParameter("-V");
  if (another !== undefined) throw invalidParameter(another);
  const how = listing(options);
  if ((selector === "-V" || selector === "-v") && how.hasFields) throw invalidParameter("-F");
  switch (selector) {
    case "-V":
      return versionText(context);
    case "-v":
      return vitalData(context);
    case "-n":
      return list(NETWORK, [context], how);
    case "-r":
      return list(REMOTE, [context], how);
    case "-b":
      return list(BIOS, await readFile(BIOS_FILE, "utf8").then((bios) => [bios.trim()], () => []), how);
    case "-l":
      return list(LOCALE, [{}], how);
  }
}

/** The layout, blanks and quotes are the HMC's: clients read it line by line. */
function versionText({ about }: CommandContext): string {
  // A hyphen in a line makes it a fix to clients.
  const build = about.version.replaceAll("-", ".");
  return `"version= Version: ${LEVEL.version}\n Release: ${LEVEL.release}\n Service Pack: ${LEVEL.servicePack}\nHMC Build level ${build}\n","base_version=V${LEVEL.version}R${LEVEL.release}\n"\n`;
}

function vitalData({ about }: CommandContext): string {
  const lines = [
    '"vpd=*FC ????????',
    "*VC 20.0",
    "*FC ????????",
    "*DS Hardware Management Console",
    `*SZ ${os.totalmem()}`,
    `*OS ${os.type()} ${os.release()}`,
    ...about.addresses.slice(0, 1).map((address) => `*NA ${address}`),
    "*FC ????????",
    "*DS Platform Firmware",
    `*RM V${LEVEL.version}R${LEVEL.release}.${LEVEL.servicePack}.0`,
    '"',
  ];
  return `${lines.join("\n")}\n`;
}
