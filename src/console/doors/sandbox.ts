/**
 * The restricted shell behind a session: rbash in a bubblewrap sandbox without network, files or privileges (design section 2). In it the HMC's commands are
 * links to a small static client (native/hmc.c) that talks to the console over the session's own socket, so with the session's own rights. Nothing in it can be
 * written, so nothing can be brought in to run.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { WindowSize } from "./frames.js";
import { DATA, INSIDE, makeRoot } from "./sandbox-root.js";

/** User ids of the shells, one for each session: nobody else's on this machine, and no privileges come with them. */
const UIDS = { first: 2_000_000_000, count: 1_000_000 };
/** To become such a user, the console must be root; otherwise its shells run with the console's own id, in a user namespace. */
const ROOT = process.getuid?.() === 0;
const CAPABILITIES = ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"];
const SHELL = [INSIDE.shell, "--noprofile"];

export interface SandboxOptions {
  readonly runDir: string;
  readonly nativeDir: string;
  readonly commandNames: readonly string[];
  readonly hostname: string;
}
/** A session's own. */
export interface Tenant {
  readonly user: string;
  readonly uid: number;
  /** the console's, for the commands */
  readonly socket: string;
}
export interface ShellStart {
  /** null: an interactive shell with a pty, without one what comes as input */
  readonly line: string | null;
  readonly pty: (WindowSize & { readonly term: string }) | null;
  readonly env: Readonly<Record<string, string>>;
}

export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #root: string;
  #lastUid = randomInt(UIDS.count);

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#root = path.join(options.runDir, "root");
  }

  /** Makes the shell's root directory. Repeated calls put it right. */
  prepare(): void {
    makeRoot({ dir: this.#root, client: path.join(this.#options.nativeDir, "hmc"), commandNames: this.#options.commandNames, hostname: this.#options.hostname, ownUser: ROOT });
  }

  newUid(): number {
    this.#lastUid = (this.#lastUid + 1) % UIDS.count;
    return ROOT ? UIDS.first + this.#lastUid : process.getuid!();
  }

  /** Runs one line, or a shell. With `pty`: standard input and output are a terminal's, and sizes go to descriptor 3. SIGKILL ends all of it. */
  start(tenant: Tenant, what: ShellStart): ChildProcess {
    const { user, uid, socket } = tenant;
    const home = `/home/${user}`;
    const passwd = `${socket}.passwd`;
    if (!fs.existsSync(passwd)) fs.writeFileSync(passwd, `${user}:x:${uid}:${uid}::${home}:${INSIDE.shell}\n`);
    for (const file of [passwd, socket]) ROOT && fs.chownSync(file, uid, uid);
    const env = { PATH: INSIDE.bin, HOME: home, USER: user, LOGNAME: user, SHELL: INSIDE.shell, LANG: "en_US.UTF-8", HMC_SOCKET: INSIDE.socket, BASH_ENV: INSIDE.env, TERM: what.pty?.term ?? "dumb", ...what.env };
    const words = [
      ...["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try", ...(ROOT ? [] : ["--unshare-user"])],
      ...["--die-with-parent", "--hostname", this.#options.hostname, "--clearenv", "--cap-drop", "ALL", ...(ROOT ? CAPABILITIES.flatMap((name) => ["--cap-add", name]) : [])],
      ...["--ro-bind", this.#root, "/", ...DATA.flatMap((dir) => ["--ro-bind-try", dir, dir]), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/home", "--dir", home, "--remount-ro", "/home", "--remount-ro", "/dev"],
      ...["--ro-bind", passwd, INSIDE.passwd, "--ro-bind", socket, INSIDE.socket],
      ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
      ...["--chdir", home],
      ...(what.pty ? [] : ["--new-session"]),
      "--",
      ...(ROOT ? [INSIDE.dropRights, "--reuid", String(uid), "--regid", String(uid), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"] : []),
      ...(what.line !== null ? [...SHELL, "--norc", "-c", what.line] : what.pty ? [...SHELL, "--rcfile", INSIDE.rc, "-i"] : [...SHELL, "--norc", "-s"]),
    ];
    if (!what.pty) return spawn("bwrap", words, { stdio: ["pipe", "pipe", "pipe"], env: { PATH: "/usr/bin:/bin" }, cwd: "/" });
    const pty = path.join(this.#options.nativeDir, "pty");
    return spawn(pty, [String(what.pty.rows), String(what.pty.columns), "bwrap", ...words], { stdio: ["pipe", "pipe", "pipe", "pipe"], env: { PATH: "/usr/bin:/bin" }, cwd: "/" });
  }

  /** Removes what `start` made for a session. */
  forget({ socket }: Tenant): void {
    for (const file of [socket, `${socket}.passwd`]) fs.rmSync(file, { force: true });
  }
}
