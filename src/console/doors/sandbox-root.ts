/**
 * The root directory of the restricted shell, made when the console starts: copies of bash, a few tools and the libraries they need, nothing else of this machine.
 * There is no /bin/sh and no other interpreter in it, so `system()` of awk and its like have nothing to start; bash is there as `rbash` only, which is
 * restricted however it is started.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

export const INSIDE = { socket: "/run/hmc.sock", bin: "/usr/hmcrbin", shell: "/bin/rbash", dropRights: "/bin/setpriv", passwd: "/etc/passwd", rc: "/etc/hmcrc", env: "/etc/hmcenv" } as const;

/** Bound from this machine where it has them: they hold nothing that runs. */
export const DATA = ["/usr/share/zoneinfo", "/usr/share/terminfo", "/usr/lib/terminfo", "/usr/lib/locale/C.utf8"] as const;
/** What clients of the HMC use beside its commands (hmc-cli 1.1). None starts another program: so no env, xargs, find or editor. */
const TOOLS = ["awk", "basename", "cat", "clear", "cut", "date", "dirname", "expr", "false", "grep", "head", "id", "ls", "printf", "sed", "seq", "sleep", "sort", "stty", "tail", "tee", "test", "tput", "tr", "true", "tty", "uniq", "wc", "whoami"];
/** Scripts on many machines, and there is no shell for scripts. */
const FUNCTIONS = ['egrep() { grep -E "$@"; }', 'fgrep() { grep -F "$@"; }', 'which() { local name status=0; for name; do type -P -- "$name" || status=1; done; return $status; }', 'quit() { exit "$@"; }', "readonly -f quit"];
/** Against a line that forks, hoards memory or runs for ever; of one process, apart from their number, which is of the session. */
const LIMITS = { processes: 128, memoryKib: 1 << 20, cpuSeconds: 3_600, files: 256 };

export interface RootOptions {
  /** replaced */
  readonly dir: string;
  /** program that the commands are links to */
  readonly client: string;
  readonly commandNames: readonly string[];
  readonly hostname: string;
  /** the shell's processes have a user id of their own, so that they can be counted */
  readonly ownUser: boolean;
}

export function makeRoot(options: RootOptions): void {
  const inRoot = (name: string) => path.join(options.dir, name);
  const copy = (from: string, to: string) => {
    fs.mkdirSync(path.dirname(inRoot(to)), { recursive: true });
    fs.copyFileSync(from, inRoot(to));
    fs.chmodSync(inRoot(to), 0o755);
  };
  const write = (name: string, text: string) => fs.writeFileSync(inRoot(name), text, { mode: 0o644 });
  const mask = process.umask(0o022);
  try {
    fs.rmSync(options.dir, { recursive: true, force: true });
    for (const dir of ["bin", "dev", "etc", "home", "proc", "run", "tmp", "usr/lib", "usr/lib64", path.join(".", INSIDE.bin)]) fs.mkdirSync(inRoot(dir), { recursive: true });
    for (const lib of ["lib", "lib64"]) fs.symlinkSync(`usr/${lib}`, inRoot(lib));

    const programs = new Map([[INSIDE.shell, real("bash")], [INSIDE.dropRights, real("setpriv")], ...TOOLS.map((tool) => [`${INSIDE.bin}/${tool}`, real(tool)] as const)].filter((entry): entry is [string, string] => entry[1] !== undefined && !isScript(entry[1])));
    for (const [to, from] of programs) copy(from, to);
    for (const library of librariesOf([...programs.values()])) copy(library, library);
    copy(options.client, `${INSIDE.bin}/hmc`);
    for (const name of options.commandNames) fs.symlinkSync("hmc", inRoot(`${INSIDE.bin}/${name}`));

    for (const dir of DATA) fs.mkdirSync(inRoot(dir), { recursive: true });
    // Clients ask for en_US; the texts are English anyway, and a locale that is missing makes bash complain on standard error.
    for (const name of ["en_US", "en_US.utf8"]) fs.symlinkSync("C.utf8", inRoot(`/usr/lib/locale/${name}`));
    if (fs.existsSync("/etc/localtime")) fs.copyFileSync("/etc/localtime", inRoot("/etc/localtime"));

    write(INSIDE.env, common(options));
    write(INSIDE.rc, `${common(options)}${interactive(options)}`);
    // Places for the session's own.
    write(INSIDE.passwd, "");
    write(INSIDE.socket, "");
  } finally {
    process.umask(mask);
  }
}

/** The file itself: a link by way of /etc/alternatives leads nowhere inside. */
function real(program: string): string | undefined {
  const file = ["/usr/bin", "/bin", "/usr/sbin"].map((dir) => path.join(dir, program)).find((one) => fs.existsSync(one));
  return file && fs.realpathSync(file);
}
const isScript = (file: string): boolean => fs.readFileSync(file).subarray(0, 2).toString("latin1") === "#!";

/** Absolute paths of the shared libraries and their loader. */
function librariesOf(programs: readonly string[]): Set<string> {
  const said = execFileSync("ldd", [...programs], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return new Set([...said.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, file]) => file!));
}
/** Read before the shell restricts itself. Its own help would hide the console's. */
function common({ ownUser }: RootOptions): string {
  return ["enable -n help", ...FUNCTIONS, `ulimit -c 0 -n ${LIMITS.files} -t ${LIMITS.cpuSeconds} -v ${LIMITS.memoryKib}${ownUser ? ` -u ${LIMITS.processes}` : ""}`, ""].join("\n");
}
/** Prompt, completion of the commands, `quit`; clients wait for the prompt's end `~> `. */
function interactive({ hostname, commandNames }: RootOptions): string {
  return ["bind 'set enable-bracketed-paste off'", `PS1='\\u@${hostname}:~> '`, "PS2='> '", "HISTSIZE=1000", "unset HISTFILE", "shopt -s checkwinsize", `complete -W '-m -r -p --id -o -F --filter --header --help --level --rsubtype' ${commandNames.join(" ")}`, ""].join("\n");
}
