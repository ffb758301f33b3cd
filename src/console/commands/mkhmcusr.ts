import { descriptionOf, passwordOf, pwageOf, sshAccessOf, taskRoleOf, USER_CREATE, userName } from "../attributes/user.js";
import { checkRecord, taken } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, valueOf } from "../grammar/record.js";
import { PWAGE_NEVER } from "../users/users.js";
import type { Command, Options } from "./command.js";
import { askPassword } from "./password.js";

const SINGLE = ["-u", "-a", "-d", "--passwd", "-M", "--auth"] as const;

/** hmc-cli 8.4. */
export const mkhmcusr: Command = {
  name: "mkhmcusr",
  summary: "creates a user of this console",
  synopsis: ["mkhmcusr -u user -a task-role [-d description] [--passwd password] [-M days]", 'mkhmcusr -i "attributes"'],
  options: [
    { name: "-u", argument: "user", help: "the user: 1 to 32 characters a-z, 0-9, _ and -, the first a letter" },
    { name: "-a", argument: "task-role", help: "what the user may do: hmcviewer lists; hmcoperator also changes the state of partitions and opens terminals; hmcsuperadmin does everything" },
    { name: "-d", argument: "description", help: "a text; HMC User without it" },
    { name: "--passwd", argument: "password", help: "8 to 32 characters; asked for without it, or read from standard input" },
    { name: "-M", argument: "days", help: "days after which the password is refused", number: { min: 1, max: PWAGE_NEVER } },
    { name: "--auth", argument: "type", help: "who verifies the user", values: ["local"], refusedValues: { kerberos: "users are this console's own", ldap: "users are this console's own" } },
    { name: "--remoteuser", argument: "user", help: "name of a Kerberos user", refused: "users are this console's own" },
    { name: "-i", argument: "attributes", help: "the same as a record; see ATTRIBUTES" },
  ],
  details: ["The user can add keys for SSH with mkauthkeys. A password on the command line is seen by who sees the line; without --passwd it is asked for.", 'Examples:\nmkhmcusr -u night -a hmcoperator --passwd abc-123-def -d "night shift"\nmkhmcusr -i "name=viewer,taskrole=hmcviewer,passwd=abc-123-def,pwage=90"'],
  attributes: [taken("mkhmcusr", USER_CREATE)],
  run: async (options, context) => {
    const values = valuesOf(options);
    const [name, role] = [values("name"), values("taskrole")];
    if (name === undefined) throw missingParameter("-u");
    if (role === undefined) throw missingParameter("-a");
    const pwage = values("pwage");
    const user = { name: userName(name), taskRole: taskRoleOf(role), description: descriptionOf(values("description") ?? "HMC User"), pwageDays: pwage === undefined ? PWAGE_NEVER : pwageOf(pwage), sshAccess: sshAccessOf(values("remote_ssh_access") ?? "1") };
    const password = passwordOf(values("passwd") ?? (await askPassword(`Enter the new password for user ${name}: `, context)));
    context.users.create({ ...user, password });
    return 0;
  },
};

/** Values by the record's names, from the record or from single options. */
function valuesOf(options: Options): (name: string) => string | undefined {
  if (options.has("-i")) {
    const stray = SINGLE.find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    const items = parseRecord(options.get("-i")!);
    checkRecord(items, USER_CREATE);
    return (name) => valueOf(items, name);
  }
  const names: Readonly<Record<string, string>> = { name: "-u", taskrole: "-a", description: "-d", passwd: "--passwd", pwage: "-M" };
  return (name) => (names[name] === undefined ? undefined : options.get(names[name]));
}
