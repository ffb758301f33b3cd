/** Host keys of the SSH door: made once, kept in the state directory (0600). */
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import ssh2 from "ssh2";
import { OlpmError } from "../../kit/errors.js";

const TRIES_MAX = 16;
/** About one of two hundred keys that ssh2 1.x makes can not be read by itself again (and by nobody else): such a one is thrown away. */
export function newEd25519(): string {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const text = ssh2.utils.generateKeyPairSync("ed25519").private;
    if (!(ssh2.utils.parseKey(text) instanceof Error)) return text;
  }
  throw new OlpmError("internal", `None of ${TRIES_MAX} host keys that were made can be read.`);
}

/** Texts of the keys. @throws OlpmError invalid-argument when a file holds no key */
export function hostKeys(stateDir: string): Buffer[] {
  const rsa = path.join(stateDir, "ssh_host_rsa_key");
  if (!fs.existsSync(rsa)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs1", format: "pem" } });
    fs.writeFileSync(rsa, privateKey, { mode: 0o600 });
  }
  const ed = path.join(stateDir, "ssh_host_ed25519_key");
  if (!fs.existsSync(ed)) fs.writeFileSync(ed, newEd25519(), { mode: 0o600 });
  return [ed, rsa].map((file) => {
    const text = fs.readFileSync(file);
    const key = ssh2.utils.parseKey(text);
    if (key instanceof Error) throw new OlpmError("invalid-argument", `${file} is no host key.`, { cause: key, action: "Remove it: a new one is made at the next start." });
    return text;
  });
}
