/**
 * Users of this console: names, task roles, password hashes (scrypt) and public keys, in one file (0600). No user has a built-in password. The first one can be neither
 * removed nor given another role, so that somebody can always administer the console.
 */
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import { OlpmError } from "../../kit/errors.js";
import type { NewUser, UserChange, UserDirectory, UserInfo } from "../contract.js";

/** hmc-cli 8.4: at most 32 characters, the first a letter; lower case, since shells show it so. */
export const USER_NAME = /^[a-z][a-z0-9_-]{0,31}$/;
/** The HMC's word for a password that does not expire. */
export const PWAGE_NEVER = 99_999;
const User = z.object({
  name: z.string().regex(USER_NAME),
  taskRole: z.string(),
  description: z.string().default("HMC User"),
  /** days after which the password is refused */
  pwageDays: z.number().int().default(PWAGE_NEVER),
  passwordSetAt: z.string().default("1970-01-01T00:00:00.000Z"),
  sshAccess: z.boolean().default(true),
  salt: z.string(),
  hash: z.string(),
  /** type, base64 data and perhaps a comment, as in authorized_keys */
  keys: z.array(z.string()),
});
type User = z.infer<typeof User>;

const SCRYPT = { N: 16_384, r: 8, p: 1 };
const HASH_BYTES = 32;
const DAY_MS = 86_400_000;
const USERS_MAX = 256;
const KEYS_MAX = 64;
export const FIRST_USER = "hscroot";

export class Users implements UserDirectory {
  readonly #file: string;
  #users: User[];

  /** Reads the users, or makes the first one with `password`; without it one is made and written to `initial-password` beside them. */
  constructor(stateDir: string, password?: string) {
    this.#file = path.join(stateDir, "users.json");
    if (fs.existsSync(this.#file)) {
      this.#users = z.array(User).parse(JSON.parse(fs.readFileSync(this.#file, "utf8")));
      return;
    }
    const first = password ?? randomBytes(12).toString("base64url");
    this.#users = [User.parse({ name: FIRST_USER, taskRole: "hmcsuperadmin", description: "HMC Super User", keys: [], ...hashed(first) })];
    if (password === undefined) fs.writeFileSync(path.join(stateDir, "initial-password"), `${first}\n`, { mode: 0o600 });
    this.#save();
  }

  list(): readonly UserInfo[] {
    return this.#users.map(({ name, taskRole, description, pwageDays, sshAccess }) => ({ name, taskRole, description, pwageDays, sshAccess }));
  }
  /** @throws OlpmError already-exists | limit-reached */
  create({ password, ...user }: NewUser): void {
    if (this.#find(user.name)) throw new OlpmError("already-exists", `The user ${user.name} already exists.`);
    if (this.#users.length >= USERS_MAX) throw new OlpmError("limit-reached", `A console has at most ${USERS_MAX} users.`);
    this.#users = [...this.#users, User.parse({ ...user, keys: [], ...hashed(password) })];
    this.#save();
  }
  /** @throws OlpmError not-found | already-exists | refused (the first user) */
  change(name: string, { password, ...change }: UserChange): void {
    const user = this.#get(name);
    if (name === FIRST_USER && ((change.name ?? name) !== name || (change.taskRole ?? user.taskRole) !== user.taskRole)) throw new OlpmError("refused", `The user ${FIRST_USER} keeps its name and its task role.`);
    if (change.name !== undefined && change.name !== name && this.#find(change.name)) throw new OlpmError("already-exists", `The user ${change.name} already exists.`);
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    this.#replace(user, User.parse({ ...user, ...given, ...(password === undefined ? {} : hashed(password)) }));
  }
  /** Its open sessions may do nothing more. @throws OlpmError not-found | refused (the first user) */
  remove(name: string): void {
    const user = this.#get(name);
    if (name === FIRST_USER) throw new OlpmError("refused", `The user ${FIRST_USER} can not be removed.`);
    this.#users = this.#users.filter((one) => one !== user);
    this.#save();
  }

  taskRole(name: string): string {
    return this.#find(name)?.taskRole ?? "";
  }
  /** The same work whether the user exists or not. A password that is too old, or a user without remote access, is refused. */
  verifyPassword(name: string, password: string): boolean {
    const user = this.#find(name);
    const { salt, hash } = user ?? { salt: "00", hash: "0".repeat(HASH_BYTES * 2) };
    const given = scryptSync(password.slice(0, 1024), Buffer.from(salt, "hex"), HASH_BYTES, SCRYPT);
    const right = timingSafeEqual(given, Buffer.from(hash, "hex"));
    return right && user !== undefined && user.sshAccess && !expired(user);
  }
  /** `key`: type and base64 data of an OpenSSH public key, without comment. */
  hasKey(name: string, key: string): boolean {
    const user = this.#find(name);
    return user !== undefined && user.sshAccess && user.keys.some((one) => withoutComment(one) === key);
  }
  keys(name: string): readonly string[] {
    return this.#find(name)?.keys ?? [];
  }
  addKey(name: string, line: string): boolean {
    const [type = "", data = "", ...comment] = line.trim().split(/\s+/);
    const user = this.#find(name);
    if (!user || user.keys.length >= KEYS_MAX || line.length > 16_384 || !/^(ssh-|ecdsa-)/.test(type) || !/^[A-Za-z0-9+/=]{40,}$/.test(data)) return false;
    const key = `${type} ${data}`;
    const kept = user.keys.filter((one) => withoutComment(one) !== key);
    this.#replace(user, { ...user, keys: [...kept, [key, ...comment].join(" ").replace(/[^\x20-\x7e]/g, "?")] });
    return true;
  }
  /** `match`: a part of a key or of its comment. Gives how many were removed. */
  removeKey(name: string, match: string): number {
    const user = this.#find(name);
    if (!user || match.trim() === "") return 0;
    const kept = user.keys.filter((key) => !key.includes(match.trim()));
    const removed = user.keys.length - kept.length;
    if (removed > 0) this.#replace(user, { ...user, keys: kept });
    return removed;
  }

  #find(name: string): User | undefined {
    return this.#users.find((user) => user.name === name);
  }
  #get(name: string): User {
    const user = this.#find(name);
    if (!user) throw new OlpmError("not-found", `The user ${name} was not found.`);
    return user;
  }
  #replace(before: User, after: User): void {
    this.#users = this.#users.map((user) => (user === before ? after : user));
    this.#save();
  }
  #save(): void {
    const file = fs.openSync(`${this.#file}.new`, "w", 0o600);
    fs.writeFileSync(file, JSON.stringify(this.#users, null, 2));
    fs.fsyncSync(file);
    fs.closeSync(file);
    fs.renameSync(`${this.#file}.new`, this.#file);
  }
}

const withoutComment = (key: string): string => key.split(" ").slice(0, 2).join(" ");
const expired = ({ pwageDays, passwordSetAt }: User): boolean => pwageDays < PWAGE_NEVER && Date.now() - Date.parse(passwordSetAt) > pwageDays * DAY_MS;
function hashed(password: string): Pick<User, "salt" | "hash" | "passwordSetAt"> {
  const salt = randomBytes(16);
  return { salt: salt.toString("hex"), hash: scryptSync(password, salt, HASH_BYTES, SCRYPT).toString("hex"), passwordSetAt: new Date().toISOString() };
}
