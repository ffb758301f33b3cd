/** Users of this console: names, task roles, password hashes (scrypt) and public keys, in one file (0600). No user has a built-in password. */
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";

const User = z.object({ name: z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/), taskRole: z.string(), salt: z.string(), hash: z.string(), keys: z.array(z.string()) });
type User = z.infer<typeof User>;

const SCRYPT = { N: 16_384, r: 8, p: 1 };
const HASH_BYTES = 32;
export const FIRST_USER = "hscroot";

export class Users {
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
    this.#users = [{ name: FIRST_USER, taskRole: "hmcsuperadmin", keys: [], ...hashed(first) }];
    if (password === undefined) fs.writeFileSync(path.join(stateDir, "initial-password"), `${first}\n`, { mode: 0o600 });
    this.#save();
  }

  taskRole(name: string): string {
    return this.#users.find((user) => user.name === name)?.taskRole ?? "";
  }
  /** The same work whether the user exists or not. */
  verifyPassword(name: string, password: string): boolean {
    const user = this.#users.find((one) => one.name === name);
    const { salt, hash } = user ?? { salt: "00", hash: "0".repeat(HASH_BYTES * 2) };
    const given = scryptSync(password.slice(0, 1024), Buffer.from(salt, "hex"), HASH_BYTES, SCRYPT);
    return timingSafeEqual(given, Buffer.from(hash, "hex")) && user !== undefined;
  }
  /** `key`: type and base64 data of an OpenSSH public key, without comment. */
  hasKey(name: string, key: string): boolean {
    return this.#users.find((user) => user.name === name)?.keys.includes(key) ?? false;
  }
  keys(name: string): readonly string[] {
    return this.#users.find((user) => user.name === name)?.keys ?? [];
  }
  addKey(name: string, line: string): boolean {
    const [type = "", data = ""] = line.trim().split(/\s+/);
    const user = this.#users.find((one) => one.name === name);
    if (!user || !/^(ssh-|ecdsa-)/.test(type) || !/^[A-Za-z0-9+/=]{40,}$/.test(data)) return false;
    if (!user.keys.includes(`${type} ${data}`)) user.keys.push(`${type} ${data}`);
    this.#save();
    return true;
  }
  removeKey(name: string, match: string): number {
    const user = this.#users.find((one) => one.name === name);
    if (!user) return 0;
    const kept = user.keys.filter((key) => !key.includes(match));
    const removed = user.keys.length - kept.length;
    user.keys.splice(0, user.keys.length, ...kept);
    this.#save();
    return removed;
  }

  #save(): void {
    fs.writeFileSync(`${this.#file}.new`, JSON.stringify(this.#users, null, 2), { mode: 0o600 });
    fs.renameSync(`${this.#file}.new`, this.#file);
  }
}

function hashed(password: string): { salt: string; hash: string } {
  const salt = randomBytes(16);
  return { salt: salt.toString("hex"), hash: scryptSync(password, salt, HASH_BYTES, SCRYPT).toString("hex") };
}
