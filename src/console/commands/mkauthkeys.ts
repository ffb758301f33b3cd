import { OlpmError } from "../../kit/errors.js";
import { missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";

/** hmc-cli section 8, the part for the user's own keys. */
export const mkauthkeys: Command = {
  name: "mkauthkeys",
  summary: "adds, removes and lists public keys for logging in by SSH",
  synopsis: ['mkauthkeys -a "public key"', 'mkauthkeys -r "key or part of it"', "mkauthkeys -l"],
  options: [
    { name: "-a", argument: "key", help: "adds an OpenSSH public key (type, data, comment)" },
    { name: "-r", argument: "key", help: "removes the keys that contain this text" },
    { name: "-l", argument: null, help: "lists the keys" },
  ],
  details: ['Example:\nmkauthkeys -a "ssh-ed25519 AAAAC3... me@host"'],
  run: async (options, { keys, io }) => {
    const [add, remove] = [options.get("-a"), options.get("-r")];
    if (add !== undefined) {
      if (!keys.add(add)) throw new OlpmError("invalid-argument", "This is no OpenSSH public key. It has the form: type, base64 data, comment. Please check your entry and retry the command.");
    } else if (remove !== undefined) {
      if (keys.remove(remove) === 0) throw new OlpmError("not-found", "No key contains this text.");
    } else if (options.has("-l")) io.stdout(keys.list().map((key) => `${key}\n`).join(""));
    else throw missingParameter("-a");
    return 0;
  },
};
