/** Who a client of the SSH door is: password, keyboard-interactive or public key. */
import ssh2, { type AuthContext, type PublicKeyAuthContext } from "ssh2";
import type { Logger } from "../../kit/log.js";
import { delay } from "../../kit/wait.js";
import type { Users } from "../users/users.js";

export const METHODS = ["publickey", "password", "keyboard-interactive"] as const;
/** Each wrong password costs this. */
const WRONG_MS = 1_000;

/** offered: the client asks whether a key would do and has proved nothing yet */
export type Verdict = "proved" | "offered" | "refused";

/** Never throws for what a client sends. */
export async function verdictOn(context: AuthContext, users: Users, log: Logger): Promise<Verdict> {
  const password = async (given: string): Promise<Verdict> => {
    if (users.verifyPassword(context.username, given)) return "proved";
    log.warn({ user: context.username, method: context.method }, "ssh log-in refused");
    await delay(WRONG_MS);
    return "refused";
  };
  try {
    switch (context.method) {
      case "password":
        return await password(context.password);
      case "keyboard-interactive": {
        const answers = await new Promise<string[]>((resolve) => context.prompt([{ prompt: "Password: ", echo: false }], resolve));
        return await password(answers?.[0] ?? "");
      }
      case "publickey":
        return publicKey(context, users);
      default:
        return "refused";
    }
  } catch (error) {
    log.warn({ err: error, user: context.username, method: context.method }, "ssh log-in not understood");
    return "refused";
  }
}

function publicKey(context: PublicKeyAuthContext, users: Users): Verdict {
  const { data } = context.key;
  // The type is the first string of the key's data, which is the client's and may be anything.
  if (data.length < 4 || data.readUInt32BE(0) > data.length - 4) return "refused";
  const key = `${data.subarray(4, 4 + data.readUInt32BE(0)).toString("latin1")} ${data.toString("base64")}`;
  if (!users.hasKey(context.username, key)) return "refused";
  if (!context.signature || !context.blob) return "offered";
  const parsed = ssh2.utils.parseKey(key);
  return !(parsed instanceof Error) && parsed.verify(context.blob, context.signature, context.hashAlgo) === true ? "proved" : "refused";
}
