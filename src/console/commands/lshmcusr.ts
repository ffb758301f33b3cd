import { USER_ATTRIBUTES, USER_DEFAULTS } from "../attributes/user.js";
import { printed } from "../grammar/attribute-table.js";
import { parseFilter } from "../grammar/filter.js";
import { list } from "../grammar/list-output.js";
import type { Command } from "./command.js";
import { listing } from "./lssyscfg.js";
import { LISTING_OPTIONS } from "./targets.js";

const FILTERS = ["names", "resources", "resourceroles", "taskroles", "password_encryptions"];

/** hmc-cli 8.4. */
export const lshmcusr: Command = {
  name: "lshmcusr",
  summary: "lists the users of this console",
  synopsis: ["lshmcusr [-t {default | user}] [--filter filter-data] [-F [attribute-names] [--header]]"],
  options: [{ name: "-t", argument: "type", help: "user: the users; default: what a new user gets", values: ["default", "user"] }, ...LISTING_OPTIONS],
  details: [`Filters: ${FILTERS.join(", ")}. A user that is not there is not an error: nothing is listed.`, "Examples:\nlshmcusr -F name,taskrole\nlshmcusr --filter names=hscroot"],
  attributes: [printed("lshmcusr", USER_ATTRIBUTES), printed("lshmcusr -t default", USER_DEFAULTS)],
  run: async (options, { users, io }) => {
    const how = listing(options);
    if (options.get("-t") === "default") {
      parseFilter(options.get("--filter"), []);
      io.stdout(list(USER_DEFAULTS, [{}], how));
      return 0;
    }
    const filters = parseFilter(options.get("--filter"), FILTERS);
    const has = (name: string, value: string) => filters.get(name)?.includes(value) ?? true;
    const found = users.list().filter((user) => has("names", user.name) && has("taskroles", user.taskRole) && has("resourceroles", "ALL:") && has("resources", "ALL:") && has("password_encryptions", "scrypt"));
    io.stdout(list(USER_ATTRIBUTES, found, how));
    return 0;
  },
};
