/** The SSH door: log-in by password or public key, one command line for each exec request, interactive shells with a pty. */
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import type net from "node:net";
import path from "node:path";
import ssh2, { type AuthContext, type Connection, type ServerChannel } from "ssh2";
import type { Logger } from "../../kit/log.js";
import { delay } from "../../kit/wait.js";
import type { Users } from "../users/users.js";
import type { WindowSize } from "./frames.js";
import { Session, type DoorServices, type Terminal } from "./session.js";

const PENDING_MAX = 32;
const LOGIN_MS_MAX = 60_000;
const ATTEMPTS_MAX = 6;
/** Each wrong password costs this. */
const WRONG_MS = 1_000;
const KEEPALIVE = { keepaliveInterval: 15_000, keepaliveCountMax: 4 };
const CHANNELS_MAX = 16;

export interface SshDoorOptions {
  readonly stateDir: string;
  readonly users: Users;
  readonly services: DoorServices;
  readonly sessionsMax: number;
  readonly log: Logger;
}

export class SshDoor {
  readonly #options: SshDoorOptions;
  readonly #server: ssh2.Server;
  readonly #open = new Set<Connection>();
  readonly #listeners: net.Server[] = [];
  #pending = 0;

  constructor(options: SshDoorOptions) {
    this.#options = options;
    this.#server = new ssh2.Server({ hostKeys: hostKeys(options.stateDir), ident: "OpenLPM", ...KEEPALIVE } as ssh2.ServerConfig, (client) => this.#accept(client));
    this.#server.on("error", (error: unknown) => options.log.warn({ err: error }, "ssh"));
  }

  /** Takes the connections of a listening socket. */
  serve(listener: net.Server): void {
    this.#listeners.push(listener);
    listener.on("connection", (socket) => this.#server.injectSocket(socket));
  }
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const client of this.#open) client.end();
  }

  #accept(client: Connection): void {
    const { log, services } = this.#options;
    if (this.#pending >= PENDING_MAX || this.#open.size >= this.#options.sessionsMax) {
      log.warn({ pending: this.#pending, open: this.#open.size }, "ssh connection refused: too many");
      client.end();
      return;
    }
    this.#pending++;
    this.#open.add(client);
    let attempts = 0;
    let session: Session | undefined;
    const timer = setTimeout(() => client.end(), LOGIN_MS_MAX);
    const settled = () => {
      if (session === undefined) this.#pending--;
      clearTimeout(timer);
    };
    client.on("authentication", (context) => {
      void this.#authenticate(context, ++attempts).then((ok) => {
        if (!ok) return attempts >= ATTEMPTS_MAX ? void client.end() : context.reject(["publickey", "password", "keyboard-interactive"]);
        settled();
        session = new Session(context.username, services);
        log.info({ user: context.username, method: context.method }, "ssh log-in");
        context.accept();
      });
    });
    client.on("ready", () => {
      let channels = 0;
      client.on("session", (accept, reject) => {
        if (!session || channels >= CHANNELS_MAX) return void reject?.();
        channels++;
        serveChannel(accept(), session, () => channels--, log);
      });
    });
    client.on("error", (error: unknown) => log.debug({ err: error }, "ssh connection"));
    client.on("close", () => {
      settled();
      session?.close();
      this.#open.delete(client);
    });
  }

  async #authenticate(context: AuthContext, attempt: number): Promise<boolean> {
    const { users, log } = this.#options;
    const wrong = async () => {
      log.warn({ user: context.username, method: context.method, attempt }, "ssh log-in refused");
      await delay(WRONG_MS);
      return false;
    };
    switch (context.method) {
      case "password":
        return users.verifyPassword(context.username, context.password) || wrong();
      case "keyboard-interactive": {
        const [answer = ""] = await new Promise<string[]>((resolve) => context.prompt([{ prompt: "Password: ", echo: false }], resolve));
        return users.verifyPassword(context.username, answer) || wrong();
      }
      case "publickey": {
        const key = `${keyType(context.key.data)} ${context.key.data.toString("base64")}`;
        if (!users.hasKey(context.username, key)) return false;
        if (!context.signature || !context.blob) return true; // the client asks whether the key would do
        const parsed = ssh2.utils.parseKey(key);
        return !(parsed instanceof Error) && parsed.verify(context.blob, context.signature, (context as { hashAlgo?: string }).hashAlgo) === true;
      }
      default:
        return false;
    }
  }
}

/** The type is the first string of the key's data. */
const keyType = (data: Buffer): string => data.subarray(4, 4 + data.readUInt32BE(0)).toString("latin1");

function serveChannel(channel: ssh2.Session, session: Session, ended: () => void, log: Logger): void {
  let pty: (WindowSize & { term: string }) | undefined;
  const env: Record<string, string> = {};
  let resize: ((size: WindowSize) => void) | undefined;
  const sizeOf = (info: { cols: number; rows: number }): WindowSize => ({ columns: Math.min(1_000, info.cols || 80), rows: Math.min(1_000, info.rows || 24) });
  channel.on("pty", (accept, _reject, info) => {
    pty = { ...sizeOf(info), term: String((info as { term?: string }).term ?? "xterm").replace(/[^\w.+-]/g, "").slice(0, 32) || "xterm" };
    accept?.();
  });
  channel.on("window-change", (accept, _reject, info) => {
    resize?.(sizeOf(info));
    accept?.();
  });
  channel.on("env", (accept, _reject, info) => {
    env[info.key] = info.val;
    accept?.();
  });
  const run = async (stream: ServerChannel, line: string | null) => {
    const abort = new AbortController();
    stream.on("close", () => abort.abort());
    channel.on("signal", (accept) => {
      abort.abort();
      accept?.();
    });
    const terminal: Terminal = {
      stdout: (chunk) => void stream.write(chunk),
      stderr: (chunk) => void stream.stderr.write(chunk),
      onInput: (listener) => {
        stream.on("data", (chunk: Buffer) => listener(chunk));
        stream.on("end", () => listener(null));
      },
      setRaw: () => undefined,
      tty: pty ?? null,
      color: false,
      term: pty?.term ?? "dumb",
      pty: pty !== undefined,
      onResize: (listener) => (resize = listener),
      env,
      signal: abort.signal,
    };
    const status = await session.run(line, terminal).catch((error: unknown) => {
      log.error({ err: error, line }, "a command line failed");
      return 1;
    });
    ended();
    stream.exit(status);
    stream.end();
  };
  channel.on("exec", (accept, _reject, info) => void run(accept(), info.command));
  channel.on("shell", (accept) => void run(accept(), null));
}

/** Host keys, made once. */
function hostKeys(stateDir: string): Buffer[] {
  const file = path.join(stateDir, "ssh_host_rsa_key");
  if (!fs.existsSync(file)) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 3072, publicKeyEncoding: { type: "spki", format: "pem" }, privateKeyEncoding: { type: "pkcs1", format: "pem" } });
    fs.writeFileSync(file, privateKey, { mode: 0o600 });
  }
  const ed = path.join(stateDir, "ssh_host_ed25519_key");
  if (!fs.existsSync(ed)) fs.writeFileSync(ed, ssh2.utils.generateKeyPairSync("ed25519").private, { mode: 0o600 });
  return [fs.readFileSync(ed), fs.readFileSync(file)];
}
