import { invalidParameter, missingParameter } from "../grammar/options.js";
import { FIRST_USER } from "../users/users.js";
import type { Command } from "./command.js";

/** hmc-cli 8.4. */
export const rmhmcusr: Command = {
  name: "rmhmcusr",
  summary: "removes users of this console",
  synopsis: ["rmhmcusr -u user", "rmhmcusr -t {all | local}"],
  options: [
    { name: "-u", argument: "user", help: "the user" },
    { name: "-t", argument: "type", help: `all users except ${FIRST_USER}; users are all local here`, values: ["all", "local"], refusedValues: { kerberos: "users are this console's own", ldap: "users are this console's own", automanage: "users are this console's own" } },
  ],
  details: ["Sessions of a removed user may do nothing more; ask the user to close them, or restart the console. The user hscroot can not be removed.", "Examples:\nrmhmcusr -u operator1"],
  run: async (options, { users }) => {
    const name = options.get("-u");
    if (name !== undefined && options.has("-t")) throw invalidParameter("-t");
    if (name === undefined && !options.has("-t")) throw missingParameter("-u");
    const names = name !== undefined ? [name] : users.list().map((user) => user.name).filter((one) => one !== FIRST_USER);
    for (const one of names) users.remove(one);
    return 0;
  },
};
