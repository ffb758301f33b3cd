import { missingParameter, notSupported } from "../grammar/options.js";
import type { Command } from "./command.js";

const HOST = "it is its host's, and is set there";
const REFUSED = Object.fromEntries(["network", "netroute", "xntp", "ntpserver", "syslog", "date", "locale", "kerberos", "altdiskboot", "keyboard", "display"].map((name) => [name, HOST]));

/** hmc-cli 8.2. What an HMC appliance sets is the host's of a console here. */
export const chhmc: Command = {
  name: "chhmc",
  summary: "changes the settings of this console",
  synopsis: ["chhmc -c ssh -s enable"],
  options: [
    { name: "-c", argument: "setting", help: "what is changed", required: true, values: ["ssh"], refusedValues: { ...REFUSED, remotewebui: "there is no web interface" } },
    { name: "-s", argument: "state", help: "enable tells whether the door is open; it is closed by ssh.listen in the console's configuration", required: true, values: ["enable", "disable", "modify", "add", "remove"] },
    ...["-h", "-i", "-a", "-nm", "-g", "-d", "-t"].map((name) => ({ name, argument: "value", help: "of the network and other settings", refused: HOST })),
  ],
  details: ["Network, time, logs and authentication of an HMC appliance are its host's here. lshmc -r shows whether the SSH door is open.", "Example:\nchhmc -c ssh -s enable"],
  run: async (options, { about }) => {
    const state = options.get("-s");
    if (state !== "enable" && state !== "disable") throw missingParameter("-s");
    const wanted = state === "enable";
    if (wanted !== about.sshEnabled) throw notSupported(`The value ${state} of the parameter -s`, "the SSH door is opened and closed by ssh.listen in the console's configuration");
    return 0;
  },
};
