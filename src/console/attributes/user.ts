/** Users: what `lshmcusr` prints, and the records of mkhmcusr and chhmcusr (hmc-cli 8.4). What is not acted on is printed as the HMC's word for "off". */
import { OlpmError } from "../../kit/errors.js";
import type { UserInfo } from "../contract.js";
import { invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import type { Attribute } from "../grammar/list-output.js";
import { TASK_ROLE_NAMES } from "../users/roles.js";
import { PWAGE_NEVER, USER_NAME } from "../users/users.js";

const FIXED_TAIL: readonly Attribute<unknown>[] = [
  { name: "min_pwage", read: () => "0" },
  { name: "session_timeout", read: () => "0" },
  { name: "verify_timeout", read: () => "0" },
  { name: "idle_timeout", read: () => "0" },
  { name: "inactivity_expiration", read: () => "0" },
];

export const USER_ATTRIBUTES: readonly Attribute<UserInfo>[] = [
  { name: "name", read: ({ name }) => name },
  { name: "taskrole", read: ({ taskRole }) => taskRole },
  { name: "description", read: ({ description }) => description },
  { name: "pwage", read: ({ pwageDays }) => String(pwageDays) },
  { name: "resourcerole", read: () => "ALL:" },
  { name: "authentication_type", read: () => "local" },
  { name: "remote_webui_access", read: () => "0" },
  { name: "remote_ssh_access", read: ({ sshAccess }) => (sshAccess ? "1" : "0") },
  ...FIXED_TAIL,
  { name: "resources", read: () => "<ResourceID = ALL:><UserDefinedName = AllSystemResources>" },
  { name: "password_encryption", read: () => "scrypt" },
  { name: "disabled", read: () => "0" },
];
/** `lshmcusr -t default`: what a new user gets. */
export const USER_DEFAULTS: readonly Attribute<object>[] = [{ name: "pwage", read: () => String(PWAGE_NEVER) }, { name: "remote_webui_access", read: () => "0" }, { name: "remote_ssh_access", read: () => "1" }, ...FIXED_TAIL];

const only = (reason: string, values: readonly string[], ...names: readonly string[]): RecordAttribute[] => names.map((name) => ({ name, help: "", only: { values, reason } }));
const COMMON: readonly RecordAttribute[] = [
  { name: "taskrole", help: TASK_ROLE_NAMES.join(", ") },
  { name: "description", help: "printable ASCII, at most 256 characters" },
  { name: "passwd", help: "the password, 8 to 32 characters" },
  { name: "pwage", help: `days after which the password is refused, 1 to ${PWAGE_NEVER} (never)` },
  { name: "remote_ssh_access", help: "0 or 1: whether the user may log in by SSH" },
  ...only("there is no web interface", ["0"], "remote_webui_access"),
  ...only("a session lasts as long as its connection", ["0"], "session_timeout", "verify_timeout", "idle_timeout"),
  ...only("users who stay away are not disabled", ["0"], "inactivity_expiration"),
  ...only("a password can be changed at any time", ["0"], "min_pwage"),
  ...only("a user reaches all managed systems of the console", ["ALL:", "AllSystemResources"], "resourcerole", "resources"),
  ...only("users are this console's own", ["local"], "authentication_type"),
  { name: "remote_user_name", help: "", refused: "users are this console's own" },
];
export const USER_CREATE: readonly RecordAttribute[] = [{ name: "name", help: "the user: 1 to 32 characters a-z, 0-9, _ and -, the first a letter" }, ...COMMON];
export const USER_CHANGE: readonly RecordAttribute[] = [{ name: "name", help: "which user" }, { name: "new_name", help: "renames the user" }, ...COMMON];

/** @throws OlpmError invalid-argument */
export function userName(text: string, attribute = "name"): string {
  if (!USER_NAME.test(text)) throw invalidValue(attribute, text, "1 to 32 characters a-z, 0-9, _ and -, the first a letter");
  return text;
}
export function taskRoleOf(text: string): string {
  if (["hmcpe", "hmcservicerep", "hmcclientliveupdate"].includes(text)) throw new OlpmError("unsupported", `The task role ${text} is not supported on this platform: there is no service by a manufacturer.`);
  if (!TASK_ROLE_NAMES.includes(text)) throw invalidValue("taskrole", text, `one of ${TASK_ROLE_NAMES.join(", ")}`);
  return text;
}
export function descriptionOf(text: string): string {
  if (!/^[\x20-\x7e]{0,256}$/.test(text)) throw invalidValue("description", text, "printable ASCII, at most 256 characters");
  return text;
}
export function pwageOf(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1) throw invalidValue("pwage", text, `days from 1 to ${PWAGE_NEVER}`);
  return Number(text);
}
/** It is not repeated in the message. */
export function passwordOf(text: string): string {
  if (!/^[\x20-\x7e]{8,32}$/.test(text)) throw new OlpmError("invalid-argument", "The password is not valid: it has 8 to 32 printable ASCII characters. Please check your entry and retry the command.");
  return text;
}
export function sshAccessOf(text: string): boolean {
  if (text !== "0" && text !== "1") throw invalidValue("remote_ssh_access", text, "0 or 1");
  return text === "1";
}
