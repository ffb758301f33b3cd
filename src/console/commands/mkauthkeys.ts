import { OlpmError } from "../../kit/errors.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import type { Command } from "./command.js";

const REMOTE = "partitions are not moved between systems of different consoles";
const OPERATIONS = ["-a", "--add", "-r", "--remove", "-l", "--test"] as const;

/** hmc-cli 8.3: the user's own keys. Trust with another console can be asked for, and is not there. */
export const mkauthkeys: Command = {
  name: "mkauthkeys",
  audience: "everyone",
  summary: "adds, removes and lists public keys for logging in by SSH",
  synopsis: ['mkauthkeys {-a | --add} "public key"', 'mkauthkeys {-r | --remove} "key or comment, or part of it"', "mkauthkeys -l", "mkauthkeys --ip host [-u user] --test"],
  options: [
    { name: "-a", argument: "key", help: "adds an OpenSSH public key (type, data, comment) for the user who types it" },
    { name: "--add", argument: "key", help: "the same" },
    { name: "-r", argument: "key", help: "removes the keys that contain this text, or whose comment does" },
    { name: "--remove", argument: "key", help: "the same" },
    { name: "-l", argument: null, help: "lists the keys (ours)" },
    { name: "--ip", argument: "host", help: "another console" },
    { name: "-u", argument: "user", help: "the user on that console; the same name without it" },
    { name: "--test", argument: null, help: "tells whether the other console may be reached: it may not, and the answer is HSCL3653" },
    { name: "-g", argument: null, help: "makes keys for other consoles", refused: REMOTE },
    { name: "--passwd", argument: "password", help: "of the user on the other console", refused: REMOTE },
  ],
  details: ['Examples:\nmkauthkeys -a "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0x1MZk0Q1wYF6rTtq0C1M9R1nqQ1xkq2pX0aYv8L3c me@host"\nmkauthkeys --remove me@host\nmkauthkeys -l'],
  run: async (options, { keys, io, user }) => {
    const [operation, another] = OPERATIONS.filter((name) => options.has(name));
    if (another !== undefined) throw invalidParameter(another);
    const stray = operation === "--test" ? undefined : ["--ip", "-u"].find((name) => options.has(name));
    if (operation !== undefined && stray !== undefined) throw invalidParameter(stray);
    switch (operation) {
      case "-a":
      case "--add":
        if (!keys.add(options.get(operation)!)) throw new OlpmError("invalid-argument", "This is no OpenSSH public key. It has the form: type, base64 data, comment. Please check your entry and retry the command.");
        return 0;
      case "-r":
      case "--remove":
        if (keys.remove(options.get(operation)!) === 0) throw new OlpmError("not-found", "No key contains this text.");
        return 0;
      case "-l":
        io.stdout(keys.list().map((key) => `${key}\n`).join(""));
        return 0;
      case "--test":
        if (!options.has("--ip")) throw missingParameter("--ip");
        throw new OlpmError("not-authorised", `The Secure Shell (SSH) communication configuration between the source and destination management consoles has not been set up properly for the remote user ${options.get("-u") ?? user}. Run the mkauthkeys command to set up the SSH communication authentication keys`, { hsc: "HSCL3653" });
      default:
        if (options.has("--ip")) throw new OlpmError("unsupported", `The parameter --ip is not supported on this platform: ${REMOTE}.`, { action: "Let one console manage both systems." });
        throw missingParameter("-a");
    }
  },
};
