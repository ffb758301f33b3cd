import { OlpmError } from "../../kit/errors.js";
import { descriptionOf, passwordOf, pwageOf, sshAccessOf, taskRoleOf, USER_CHANGE, userName } from "../attributes/user.js";
import type { CommandContext, UserChange } from "../contract.js";
import { checkRecord, taken } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, valueOf, type RecordItem } from "../grammar/record.js";
import { mayRun } from "../users/roles.js";
import type { Command, Options } from "./command.js";
import { askPassword } from "./password.js";
import { notAuthorised } from "./run.js";

/** What -t names, as the record has it. */
const TYPES: Readonly<Record<string, string>> = { desc: "description", name: "new_name", passwd: "passwd", pwage: "pwage", taskrole: "taskrole" };

/** hmc-cli 8.4. Everyone may run it for their own password. */
export const chhmcusr: Command = {
  name: "chhmcusr",
  audience: "everyone",
  summary: "changes a user of this console",
  synopsis: ["chhmcusr -u user -t {desc | name | passwd | pwage | taskrole} [-v value]", 'chhmcusr -i "attributes"'],
  options: [
    { name: "-u", argument: "user", help: "the user" },
    { name: "-t", argument: "type", help: "what is changed", values: Object.keys(TYPES), refusedValues: { assign: "a user reaches all managed systems of the console", auth: "users are this console's own", remoteuser: "users are this console's own", default: "a new user's attributes are given to mkhmcusr" } },
    { name: "-v", argument: "value", help: "the new value; a password is asked for without it, or read from standard input" },
    { name: "-o", argument: "operation", help: "e enables a user", refused: "no user is ever disabled, and resources are not assigned to users" },
    { name: "-r", argument: "resource", help: "resources of a user", refused: "a user reaches all managed systems of the console" },
    { name: "-i", argument: "attributes", help: "the same as a record; see ATTRIBUTES" },
  ],
  details: ["Everyone may change their own password; the rest is for hmcsuperadmin. The user hscroot keeps its name and its task role.", "Examples:\nchhmcusr -u operator1 -t taskrole -v hmcviewer\nchhmcusr -u hscroot -t passwd -v abc-123-def\nchhmcusr -i \"name=operator1,description=second shift,pwage=90\""],
  attributes: [taken("chhmcusr", USER_CHANGE)],
  run: async (options, context) => {
    const items = itemsOf(options);
    checkRecord(items, USER_CHANGE);
    const name = valueOf(items, "name");
    if (name === undefined) throw missingParameter("-u");
    const own = name === context.user && items.every((item) => item.name === "name" || item.name === "passwd");
    if (!own && !mayRun(context.taskRole, "administrator")) throw notAuthorised();
    if (!context.users.list().some((user) => user.name === name)) throw new OlpmError("not-found", `The user ${name} was not found.`);
    context.users.change(name, await changeOf(items, name, context));
    return 0;
  },
};

function itemsOf(options: Options): RecordItem[] {
  if (options.has("-i")) {
    const stray = ["-u", "-t", "-v"].find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    return parseRecord(options.get("-i")!);
  }
  if (!options.has("-u")) throw missingParameter("-u");
  if (!options.has("-t")) throw missingParameter("-t");
  const name = TYPES[options.get("-t")!]!;
  const value = options.get("-v");
  if (value === undefined && name !== "passwd") throw missingParameter("-v");
  return [{ name: "name", operator: "=", value: options.get("-u")! }, { name, operator: "=", value: value ?? "" }];
}

async function changeOf(items: readonly RecordItem[], name: string, context: CommandContext): Promise<UserChange> {
  const given = <T>(attribute: string, read: (text: string) => T): T | undefined => {
    const text = valueOf(items, attribute);
    return text === undefined ? undefined : read(text);
  };
  const change = { name: given("new_name", (text) => userName(text, "new_name")), taskRole: given("taskrole", taskRoleOf), description: given("description", descriptionOf), pwageDays: given("pwage", pwageOf), sshAccess: given("remote_ssh_access", sshAccessOf) };
  const typed = valueOf(items, "passwd");
  const password = typed === undefined ? undefined : passwordOf(typed === "" ? await askPassword(`Enter the new password for user ${name}: `, context) : typed);
  return { ...change, password };
}
