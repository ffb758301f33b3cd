/**
 * The restricted shell behind a session: bash -r in a bubblewrap sandbox without network, files or privileges (design section 2). In it the HMC's commands are
 * links to a small static client (native/hmc.c) that talks to the console over the session's own socket, so with the session's own rights.
 */
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { WindowSize } from "./frames.js";

/** What clients of the HMC use beside its commands (hmc-cli 1.1); those that this machine has. No shell and no interpreter that starts one unasked. */
const TOOLS = ["awk", "basename", "cat", "clear", "cut", "date", "dirname", "egrep", "env", "expr", "false", "fgrep", "grep", "head", "id", "ls", "printf", "sed", "seq", "sleep", "sort", "stty", "tail", "tee", "test", "tput", "tr", "true", "tty", "uniq", "wc", "which", "whoami", "xargs"];
const INSIDE = { socket: "/run/hmc.sock", bin: "/hmcrbin", rc: "/etc/hmcrc", env: "/etc/hmcenv" };

export interface SandboxOptions {
  readonly runDir: string;
  readonly nativeDir: string;
  readonly commandNames: readonly string[];
  readonly hostname: string;
}

export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #bin: string;
  readonly #etc: string;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.#bin = path.join(options.runDir, "hmcrbin");
    this.#etc = path.join(options.runDir, "etc");
  }

  /** Makes the directory of commands. Repeated calls put it right. */
  prepare(): void {
    const client = path.join(this.#options.nativeDir, "hmc");
    fs.rmSync(this.#bin, { recursive: true, force: true });
    fs.mkdirSync(this.#bin, { recursive: true, mode: 0o755 });
    fs.mkdirSync(this.#etc, { recursive: true, mode: 0o755 });
    fs.copyFileSync(client, path.join(this.#bin, "hmc"));
    fs.chmodSync(path.join(this.#bin, "hmc"), 0o755);
    for (const name of this.#options.commandNames) fs.symlinkSync("hmc", path.join(this.#bin, name));
    for (const tool of TOOLS) {
      const at = ["/usr/bin", "/bin"].map((dir) => path.join(dir, tool)).find((file) => fs.existsSync(file));
      // The real file: a link by way of /etc/alternatives leads nowhere in the sandbox.
      if (at) fs.symlinkSync(fs.realpathSync(at), path.join(this.#bin, tool));
    }
    fs.writeFileSync(path.join(this.#etc, "hmcrc"), rcFile(this.#options), { mode: 0o644 });
    // Read before the shell restricts itself: its own help would hide the console's.
    fs.writeFileSync(path.join(this.#etc, "hmcenv"), "enable -n help\n", { mode: 0o644 });
    fs.writeFileSync(path.join(this.#etc, "passwd"), "root:x:0:0::/:/usr/sbin/nologin\n", { mode: 0o644 });
  }

  /** Runs one line, or an interactive shell, as `user`. `socket`: the session's. With `pty`: standard input and output are a terminal's, and sizes go to descriptor 3. */
  start(user: string, socket: string, what: { readonly line: string | null; readonly pty: (WindowSize & { readonly term: string }) | null; readonly env: Readonly<Record<string, string>> }): ChildProcess {
    const home = `/home/${user}`;
    const passwd = path.join(this.#etc, `passwd.${user}`);
    if (!fs.existsSync(passwd)) fs.writeFileSync(passwd, `${user}:x:1000:1000::${home}:/bin/rbash\n`, { mode: 0o644 });
    const env = { PATH: INSIDE.bin, HOME: home, USER: user, LOGNAME: user, SHELL: "/bin/rbash", LANG: "en_US.UTF-8", HMC_SOCKET: INSIDE.socket, BASH_ENV: INSIDE.env, TERM: what.pty?.term ?? "dumb", ...what.env };
    const words = [
      ...["--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000", "--die-with-parent", "--hostname", this.#options.hostname, "--clearenv", "--cap-drop", "ALL"],
      ...["--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", home, "--dir", "/run"],
      ...["--tmpfs", "/usr/local", "--tmpfs", "/usr/share/doc"],
      ...["--ro-bind", this.#bin, INSIDE.bin, "--ro-bind", passwd, "/etc/passwd", "--ro-bind", path.join(this.#etc, "hmcrc"), INSIDE.rc, "--ro-bind", path.join(this.#etc, "hmcenv"), INSIDE.env, "--ro-bind", socket, INSIDE.socket],
      ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
      ...["--chdir", home],
      ...(what.pty ? [] : ["--new-session"]),
      "--",
      ...(what.line === null ? ["/bin/bash", "--noprofile", "--rcfile", INSIDE.rc, "-r", "-i"] : ["/bin/bash", "--noprofile", "--norc", "-r", "-c", what.line]),
    ];
    if (!what.pty) return spawn("bwrap", words, { stdio: ["pipe", "pipe", "pipe"], env: {}, cwd: "/" });
    const pty = path.join(this.#options.nativeDir, "pty");
    return spawn(pty, [String(what.pty.rows), String(what.pty.columns), "bwrap", ...words], { stdio: ["pipe", "pipe", "pipe", "pipe"], env: { PATH: "/usr/bin:/bin" }, cwd: "/" });
  }
}

/** Prompt, completion of the commands, `quit`; clients wait for the prompt's end `~> `. */
function rcFile({ hostname, commandNames }: SandboxOptions): string {
  return ["enable -n help", "bind 'set enable-bracketed-paste off'", `PS1='\\u@${hostname}:~> '`, "PS2='> '", "HISTSIZE=1000", "shopt -s checkwinsize", "quit() { exit \"$@\"; }", `complete -W '-m -r -p --id -o -F --filter --header --help --level --rsubtype' ${commandNames.join(" ")}`, "readonly -f quit", ""].join("\n");
}
