/**
 * The SSH door of a console with the clients that people have: openssh, sshpass, scp, sftp. A laboratory without partitions; what the shell must not do is looked at
 * from the outside. Needs root, openssh-client, sshpass and bubblewrap.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import ssh2 from "ssh2";
import { Sandbox } from "../src/console/doors/sandbox.js";
import { SshDoor } from "../src/console/doors/ssh.js";
import { Users } from "../src/console/users/users.js";
import { silentLogger } from "../src/kit/log.js";
import { run } from "../src/kit/run.js";
import { until, within } from "../src/kit/wait.js";
import { Fixture } from "./support/fixture.js";

const USER = "hscroot";
const PROMPT = "hscroot@hmc1:~> ";
const LINE_MS_MAX = 20_000;
/** An operator waits no longer for a place that such a client holds. */
const HOSTILE_MS_MAX = 15_000;
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-door-"));
const key = path.join(dir, "key");
const master = path.join(dir, "master");
const children = new Set<ChildProcess>();
/** holds the connection of many lines */
let common: ChildProcess | undefined;
const cleanups: (() => unknown)[] = [];
let fixture: Fixture;
let port: number;
let password: string;
let consolePid: number;
let hostile: Promise<{ name: string; ms: number }>[];

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}
function start(argv: readonly string[], options: { readonly env?: Record<string, string>; readonly descriptor3?: boolean } = {}): ChildProcess {
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ["pipe", "pipe", "pipe", options.descriptor3 ? "pipe" : "ignore"], env: { PATH: process.env["PATH"], HOME: dir, LANG: "C", ...options.env } });
  children.add(child);
  child.on("close", () => children.delete(child));
  child.stdin!.on("error", () => undefined);
  return child;
}
/** Runs a program to its end; the deadline ends it. */
function ended(argv: readonly string[], options: { readonly input?: string | Buffer; readonly env?: Record<string, string> } = {}): Promise<Ended> {
  const child = start(argv, options);
  const texts = [child.stdout!, child.stderr!].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  child.stdin!.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${argv.slice(-2).join(" ")}: not within ${LINE_MS_MAX} ms`));
    }, LINE_MS_MAX);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const [stdout = "", stderr = ""] = texts.map((chunks) => Buffer.concat(chunks).toString());
      resolve({ code, stdout, stderr });
    });
  });
}
const COMMON = () => ["-F", "none", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=accept-new", "-o", `UserKnownHostsFile=${path.join(dir, "known")}`, "-o", "NumberOfPasswordPrompts=1"];
const byKey = () => [...COMMON(), "-o", "IdentitiesOnly=yes", "-i", key, "-o", "PasswordAuthentication=no", "-o", "KbdInteractiveAuthentication=no"];
const at = () => ["-p", String(port), `${USER}@127.0.0.1`];
/** A connection of its own. */
const ssh = (line: string, input?: string | Buffer) => ended(["ssh", ...byKey(), ...at(), line], input === undefined ? {} : { input });
/** A channel of the common connection. */
const line = (text: string, input?: string | Buffer) => ended(["ssh", ...byKey(), "-S", master, ...at(), text], input === undefined ? {} : { input });
const withPassword = (given: string, ...options: string[]) => ended(["sshpass", "-e", "ssh", ...COMMON(), "-o", "PubkeyAuthentication=no", ...options, ...at(), "lshmc -n -F hostname"], { env: { SSHPASS: given } });

/** Processes of this console's shells, from the outside: by what their root is, and bubblewrap's own by its words. */
function shellProcesses(): string[] {
  const { runDir } = fixture.lab.consoles[0]!;
  const read = (pid: string, name: string) => {
    try {
      return fs.readFileSync(`/proc/${pid}/${name}`, "latin1");
    } catch {
      return "";
    }
  };
  return fs.readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && (read(pid, "mountinfo").includes(`${runDir}/root / `) || (read(pid, "cmdline").includes(`${runDir}/root\0`) && read(pid, "comm") !== "")));
}
const noShell = () => until(() => (shellProcesses().length === 0 ? true : undefined), { what: "the end of all shells", deadlineMs: 5_000 });

before(async () => {
  fixture = await Fixture.up("door", { systems: [{ name: "ms01", serial: "7800A01", vioses: [{ name: "vios1" }] }] });
  const { stateDir, runDir } = fixture.lab.consoles[0]!;
  port = Number(fs.readFileSync(path.join(stateDir, "ssh-port"), "utf8"));
  password = fs.readFileSync(path.join(stateDir, "initial-password"), "utf8").trim();
  consolePid = Number(fs.readFileSync(path.join(runDir, "ready"), "utf8"));
  hostile = [
    ["silent", ""],
    ["another protocol", "GET / HTTP/1.0\r\n\r\n"],
    ["only its name", "SSH-2.0-nothing\r\n"],
    ["garbage", Buffer.concat([Buffer.from("SSH-2.0-garbage\r\n"), Buffer.alloc(4096, 0xa5)])],
    ["a name without end", Buffer.alloc(100_000, 0x41)],
  ].map(([name, text]) => keepOpen(name as string, text as string | Buffer));
  await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
});
afterEach(() => {
  for (const child of children) if (child !== common) child.kill("SIGKILL");
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const cleanup of cleanups.reverse()) cleanup();
  try {
    await fixture?.down();
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

/** A client that says this, then nothing, and never closes its end; resolves when the console has destroyed the connection. */
function keepOpen(name: string, text: string | Buffer): Promise<{ name: string; ms: number }> {
  const began = performance.now();
  const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => socket.write(text));
  cleanups.push(() => socket.destroy());
  // Writes find out that the other end is gone altogether; its FIN alone does not count.
  const knock = setInterval(() => socket.write("\n"), 200);
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.on("close", () => {
      clearInterval(knock);
      resolve({ name, ms: performance.now() - began });
    });
  });
}

test("a password logs in, in both of SSH's ways, a wrong one does not", async () => {
  for (const method of ["password", "keyboard-interactive"]) assert.deepEqual(await withPassword(password, "-o", `PreferredAuthentications=${method}`), { code: 0, stdout: "hmc1\n", stderr: "" }, method);
  const wrong = await Promise.all([withPassword(`${password}x`), withPassword(""), ended(["sshpass", "-e", "ssh", ...COMMON(), "-o", "PubkeyAuthentication=no", "-p", String(port), "root@127.0.0.1", "lshmc -V"], { env: { SSHPASS: password } })]);
  for (const { code, stdout } of wrong) assert.deepEqual([code, stdout], [5, ""], "sshpass: wrong password");
});

test("a public key logs in once it is added, and not after it is removed", async () => {
  const text = fs.readFileSync(`${key}.pub`, "utf8").trim();
  assert.match((await ssh("lshmc -V")).stderr, /Permission denied/);
  const asPassword = (words: string) => ended(["sshpass", "-e", "ssh", ...COMMON(), "-o", "PubkeyAuthentication=no", ...at(), words], { env: { SSHPASS: password } });
  assert.deepEqual(await asPassword(`mkauthkeys -a "${text}"`), { code: 0, stdout: "", stderr: "" });
  assert.equal((await ssh("lshmc -n -F hostname")).stdout, "hmc1\n");
  assert.equal((await asPassword(`mkauthkeys -r ${text.split(" ")[1]!}`)).code, 0);
  assert.equal((await ssh("lshmc -V")).code, 255);
  assert.equal((await asPassword(`mkauthkeys -a "${text}"`)).code, 0);
  common = start(["ssh", ...byKey(), "-M", "-S", master, "-N", ...at()]);
  await until(() => (fs.existsSync(master) ? true : undefined), { what: "the common connection", deadlineMs: 5_000 });
});

/** What real clients type (hmc-cli 1.1): line, standard output, status. */
const LINES: readonly [string, string | RegExp, number?][] = [
  ["lssyscfg -r sys -F name,state", "ms01,Operating\n"],
  ['lssyscfg -r lpar -m "ms01" -F name:state --filter ""lpar_ids=1"" | grep -q -e Running -e Open && echo yes', "yes\n"],
  ["lssyscfg -r sys -F name,state | egrep 'ms0|Oper' | cut -d, -f 1", "ms01\n"],
  ["lssyscfg -r sys -F name | grep -E '^(ms|xx)01$' | fgrep ms", "ms01\n"],
  ["lssyscfg -r sys -m ms01 -F name && echo and || echo or; echo Rc=$?", "ms01\nand\nRc=0\n"],
  ["lssyscfg -r sys -m nothing -F name 2>&1; echo Rc=$?", /^HSCL8018 .*nothing.*\nRc=1\n$/],
  ["lssyscfg -r sys -m nothing 2>&1 || echo or; echo $?", /^HSCL8018 .*\nor\n0\n$/],
  ["for i in {0..24}; do lssyscfg -r sys -F name; test $i -ge 1 && break; done", "ms01\nms01\n"],
  ["for ((i=0; i<12; i++)); do echo $i; sleep 0; if [ $i = 2 ]; then break; fi; done", "0\n1\n2\n"],
  ["i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n"],
  ['lssyscfg -r sys -m `lssyscfg -r sys -F name` -F "state"', "Operating\n"],
  ['lssyscfg -r sys -m "$(lssyscfg -r sys -F name | head -1)" -F state', "Operating\n"],
  ["lssyscfg -r lpar -m ms01 -F lpar_id,name | sed 's/,/ /' | while read i j ; do echo \"#$i\"; viosvrcmd -m ms01 --id $i -c \"ioscli lsdev -virtual\" >&1 | head -1 | cut -c1-4; done", "#1\nname\n"],
  ["lssyscfg -r sys -F name,state | sed s/,/\\\\n/g | grep \"ms01\\|Operating\"", "ms01\nOperating\n"],
  ["echo 'a b' | sed 's/ /%20/g'; printf 'b\\nA\\n' | sort -f; echo 1/2/3/4/5/6/7/8/9/10/11/12 | cut -f 6,12 -d /", "a%20b\nA\nb\n6/12\n"],
  ["seq 5 | head -1; seq 5 | tail -1; seq 3 | awk '{ s += $1 } END { print s }'; seq 3 | tr '\\n' ' ' | wc -w | sed 's/ *//'; printf 'a\\na\\n' | uniq", "1\n5\n6\n3\na\n"],
  ["LC_ALL=en_US LANG=en_US LC_NUMERIC=en_US lssyscfg -r sys -F name", "ms01\n"],
  ["export LANG=en_US; export LC_ALL=en_US; lssyscfg -r sys -F name", "ms01\n"],
  ["lshmc -n -F hostname # a comment", "hmc1\n"],
  ["echo \"it's\" 'a \"word\"' a\\ b $'t\\tb' \"$((6*7))\" ${x:-none}", "it's a \"word\" a b t\tb 42 none\n"],
  ["cat << EOF\na $((1+1))\nEOF", "a 2\n"],
  ["cat <(echo process) - <<< string", "process\nstring\n"],
  ["which whoami && whoami; which stty; which bash nothing || echo no", "/usr/hmcrbin/whoami\nhscroot\n/usr/hmcrbin/stty\nno\n"],
  ["f() { return 7; }; f; echo Rc=$?; x=(a b); echo ${x[1]} ${#x[@]}", "Rc=7\nb 2\n"],
  ["date +%s | grep -c '^[0-9]*$'; ls /etc/passwd; cat /etc/passwd | cut -d: -f 1; pwd", "1\n/etc/passwd\nhscroot\n/home/hscroot\n"],
  ["help | grep -c '^lssyscfg '; help lssyscfg | head -2 | tail -1; lssyscfg --help | grep -c -- --filter; man lssyscfg | grep -c SYNOPSIS", /^1\n {4}lssyscfg - .*\n[1-9]\n1\n$/],
  ["lssyscfg --help", /^NAME\n {4}lssyscfg - /],
  ["help", /^lssyscfg {2,}lists/m],
  ["exit 3", "", 3],
  ["quit 4; echo never", "", 4],
  ["nothing -x", "", 127],
  ["lssyscfg -r sys -m nothing | cat", "", 0],
  ["set -o pipefail; lssyscfg -r sys -m nothing | cat", "", 1],
  ["kill -TERM $$", "", 143],
];
test("every form of line that clients send works", async () => {
  for (const [text, stdout, code = 0] of LINES) {
    const got = await line(text);
    if (typeof stdout === "string") assert.equal(got.stdout, stdout, text);
    else assert.match(got.stdout, stdout, text);
    assert.equal(got.code, code, `${text}: ${got.stderr}`);
    if (code === 0 && !text.includes("nothing")) assert.equal(got.stderr, "", text);
  }
});

test("output, error output and status are separate, whole and in order", async () => {
  const timed = await line("time lshmc -n -F hostname");
  assert.equal(timed.stdout, "hmc1\n");
  assert.match(timed.stderr, /^\nreal\t0m/);
  assert.match((await line("lssyscfg -r sys -m nothing")).stderr, /^HSCL8018 [^\n]*\n$/);
  assert.match((await line("nothing; true")).stderr, /nothing: command not found\n$/);
  const numbers = Array.from({ length: 200_000 }, (_, at) => `${at + 1}\n`).join("");
  const both = await line("seq 200000; seq 200000 >&2; exit 9");
  assert.equal(both.code, 9);
  assert.ok(both.stdout === numbers, "standard output is whole");
  assert.ok(both.stderr === numbers, "error output is whole");
  assert.equal((await line("cat | wc -c", Buffer.alloc(5_000_000, 0x61))).stdout.trim(), "5000000");
  assert.deepEqual(await line("cat", "last line without end"), { code: 0, stdout: "last line without end", stderr: "" });
  assert.equal((await line(`echo ${"x".repeat(30 << 10)} | wc -c`)).stdout, "30721\n");
  const long = await fixture.operator.run(`echo ${"x".repeat(110 << 10)} | wc -c`);
  assert.equal(long.code, 126);
  assert.match(long.stderr, /longer than/);
});

test("several commands as input, without a terminal", async () => {
  const input = "lssyscfg -r sys -F name\nexport LANG=en_US\nlssyscfg -r sys -F name,state | egrep Oper\nfor i in 1 2; do\necho $i\ndone\necho Rc=$?\nquit 6\necho never\n";
  assert.deepEqual(await ended(["ssh", ...byKey(), "-T", ...at()], { input }), { code: 6, stdout: "ms01\nms01,Operating\n1\n2\nRc=0\n", stderr: "" });
});

/** Ways out of restricted shells. None may succeed, and none may print the word. */
const ESCAPES: readonly string[] = [
  "cat /etc/shadow", "cat < /etc/shadow", "cd /", "pushd /", "cd ..", "CDPATH=/ cd tmp",
  "/bin/ls /", "/usr/hmcrbin/ls /", "./x", "../../bin/rbash -c 'echo escaped'", "/bin/rbash -c 'echo escaped'", "exec /bin/rbash", "exec bash", "command -p ls",
  "PATH=/bin rbash", "PATH=/bin", "export PATH=/bin", "unset PATH", "declare PATH=/bin", "SHELL=/bin/sh", "BASH_ENV=/tmp/x", "ENV=/tmp/x",
  "set +r; cd /", "set +o restricted", "shopt -u restricted_shell; cd /", "hash -p /bin/rbash r", "enable -f /tmp/x.so x", ". /etc/hmcenv", "source /etc/hmcenv", "builtin cd /",
  "echo x > f", "echo x >> f", "echo x >| f", "echo x &> f", "echo x > /dev/null", "echo x | tee f", "echo x | tee /tmp/f", "echo x | tee /home/hscroot/f", "echo x | tee /usr/hmcrbin/x", "echo x | tee /dev/shm/f", "echo x | tee /etc/passwd",
  "sed 'w /tmp/f' /etc/passwd", "sed -i s/x/y/ /etc/passwd", "sort -o /tmp/f /etc/passwd", "history -w /tmp/f",
  "awk 'BEGIN { print \"x\" > \"/tmp/f\" }'", "awk 'BEGIN { exit system(\"echo escaped\") }'", "awk 'BEGIN { if ((\"echo escaped\" | getline x) > 0) print x; else exit 1 }'", "sed '1e echo escaped' /etc/passwd | grep escaped", "sed -n '1s/.*/echo escaped/e;1p' /etc/passwd | grep '^escaped'",
  "vi", "vim -c ':!echo escaped'", "ed", "less /etc/passwd", "more /etc/passwd", "find / -exec echo escaped \\;", "bash -i", "bash -c 'echo escaped'", "sh -c 'echo escaped'", "dash", "busybox sh", "env", "env bash", "env sh -c 'echo escaped'", "xargs echo escaped < /etc/passwd", "nohup ls", "timeout 1 ls", "script", "python3 -c 'print(\"escaped\")'", "perl -e 'print \"escaped\"'", "node", "git", "tar", "cp /bin/rbash /tmp", "chmod 777 /tmp", "ln -s / /tmp/x", "mkdir /tmp/x", "rm -r /etc", "mount", "unshare", "nsenter", "su", "sudo ls", "setpriv ls", "bwrap ls", "gdb", "strace ls",
  "ssh 127.0.0.1", "scp x y", "sftp 127.0.0.1", "nc 127.0.0.1 22", "ncat", "telnet", "curl http://127.0.0.1", "wget http://127.0.0.1", "socat", "ip addr", "ping -c 1 127.0.0.1", "cat < /dev/tcp/127.0.0.1/22", "cat < /dev/udp/127.0.0.1/53",
  "kill -9 1", "cat /proc/1/environ", "ls /proc/1/root/", "cat /dev/mem", "cat /proc/kcore", "echo x | tee /proc/sysrq-trigger", "echo 1 | tee /proc/sys/kernel/panic", "ps aux",
  "ulimit -u 100000", "ulimit -n 100000", "ulimit -v unlimited",
];
test("nothing leads out of the shell", async () => {
  const { stateDir, runDir } = fixture.lab.consoles[0]!;
  const hidden = [process.env["OPENLPM_ROOT"] ?? process.cwd(), stateDir, runDir, path.join(fixture.lab.stateDir, "tls"), path.join(runDir, "hmc.sock"), "/root", "/var", "/sys", "/usr/bin", "/usr/sbin", "/bin/sh", "/etc/ssh", "/etc/ssl", "/etc/hosts"];
  for (const text of [...ESCAPES, ...hidden.map((place) => `ls ${place}`)]) {
    // As clients of real consoles do, with a status for the pipe's worst.
    const { code, stdout } = await line(`set -o pipefail; ${text}`);
    assert.notEqual(code, 0, `${text} succeeded: ${stdout}`);
    assert.doesNotMatch(stdout, /escaped|root:/, text);
  }
  assert.deepEqual(fs.readdirSync(path.join(runDir, "root/tmp")), [], "nothing was written");
});

test("the shell sees itself and nothing else", async () => {
  const [, first = ""] = /^(\S+)/.exec((await line("id -u")).stdout) ?? [];
  assert.ok(Number(first) >= 2_000_000_000, `user id ${first}`);
  assert.notEqual((await ssh("id -u | cat")).stdout.trim(), first, "each session has its own");
  assert.equal((await line("cat /proc/self/status | grep -E '^(Cap(Prm|Eff|Bnd)|NoNewPrivs)' | tr -d ':\\t\\n'")).stdout, `CapPrm${"0".repeat(16)}CapEff${"0".repeat(16)}CapBnd${"0".repeat(16)}NoNewPrivs1`);
  assert.match((await line("cat /proc/net/dev | sed 1,2d")).stdout, /^ *lo:[^\n]*\n$/, "no network");
  const seen = (await line("for p in /proc/[0-9]*; do cat $p/cmdline | tr '\\0' ' '; echo; done")).stdout;
  assert.doesNotMatch(seen, /node|openlpm (console|system|vios)|qemu|sshd/, "no process of the product");
  assert.equal((await line("echo \"$HMC_SOCKET\" $SHELL; export -p | grep -c -i -e secret -e OPENLPM")).stdout, "/run/hmc.sock /bin/rbash\n0\n");
  const bomb = await line(":() { : | : & }; : ; wait 2>&1 | grep -c x; echo still");
  assert.ok(bomb.code !== null, "a fork bomb ends in its limit");
  assert.equal((await line("lshmc -n -F hostname | cat")).stdout, "hmc1\n");
});

test("files, ports, agents and displays are not forwarded", async () => {
  const agent = await ended(["ssh-agent", "-s"]);
  const socket = /SSH_AUTH_SOCK=([^;]+)/.exec(agent.stdout)![1]!;
  cleanups.push(() => process.kill(Number(/SSH_AGENT_PID=(\d+)/.exec(agent.stdout)![1]), "SIGTERM"));
  const target = ["-P", String(port)];
  fs.writeFileSync(path.join(dir, "file"), "text");
  const refused: [string, Promise<Ended>][] = [
    ["sftp", ended(["sftp", ...byKey(), "-b", "-", ...target, `${USER}@127.0.0.1`], { input: "ls /\n" })],
    ["scp", ended(["scp", ...byKey(), ...target, path.join(dir, "file"), `${USER}@127.0.0.1:file`])],
    ["scp from there", ended(["scp", ...byKey(), ...target, `${USER}@127.0.0.1:/etc/passwd`, path.join(dir, "got")])],
    ["scp of old", ended(["scp", "-O", ...byKey(), ...target, path.join(dir, "file"), `${USER}@127.0.0.1:file`])],
    ["port there", ended(["ssh", ...byKey(), "-W", `127.0.0.1:${port}`, ...at()])],
    ["port here", ended(["ssh", ...byKey(), "-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:1", ...at(), "true"])],
    ["tunnel device", ended(["ssh", ...byKey(), "-o", "ExitOnForwardFailure=yes", "-w", "any:any", ...at(), "true"])],
    ["subsystem", ended(["ssh", ...byKey(), "-s", ...at(), "netconf"])],
  ];
  for (const [name, promise] of refused) assert.notEqual((await promise).code, 0, name);
  assert.equal(fs.existsSync(path.join(dir, "got")), false);
  const granted = await ended(["ssh", ...byKey(), "-A", "-X", "-o", "SendEnv=SECRET LANG LD_PRELOAD BASH_ENV PATH", ...at(), 'echo "[$SSH_AUTH_SOCK][$DISPLAY][$SECRET][$LD_PRELOAD][$PATH][$BASH_ENV]"'], { env: { SSH_AUTH_SOCK: socket, DISPLAY: ":77", SECRET: "x", LD_PRELOAD: "", BASH_ENV: "/x" } });
  assert.equal(granted.stdout, "[][][][][/usr/hmcrbin][/etc/hmcenv]\n");
});

/** A person at a terminal. */
class Person {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  all = "";
  #seen = 0;
  constructor(size: string, ...words: string[]) {
    const [rows = "", columns = ""] = size.split(" ");
    this.child = start([path.join(process.env["OPENLPM_NATIVE"]!, "pty"), rows, columns, "ssh", ...byKey(), ...words, ...at()], { env: { TERM: "xterm-256color" }, descriptor3: true });
    this.child.stdout!.on("data", (chunk: Buffer) => (this.all += chunk.toString()));
    this.ended = new Promise((resolve) => this.child.on("close", resolve));
  }
  /** Types this and waits for what follows. Gives the text in between. */
  async type(keys: string, wanted: string | RegExp): Promise<string> {
    this.child.stdin!.write(keys);
    return until(() => {
      const fresh = this.all.slice(this.#seen);
      const match = typeof wanted === "string" ? fresh.indexOf(wanted) : fresh.search(wanted);
      if (match < 0) return undefined;
      this.#seen += match + (typeof wanted === "string" ? wanted.length : wanted.exec(fresh)![0].length);
      return fresh.slice(0, match);
    }, { what: `${JSON.stringify(wanted)} after ${JSON.stringify(keys)} (there is ${JSON.stringify(this.all.slice(this.#seen))})`, deadlineMs: 10_000, everyMs: 10 });
  }
  resize(size: string): void {
    (this.child.stdio[3] as NodeJS.WritableStream).write(`${size}\n`);
  }
}

test("a person at a terminal has a prompt, completion, history, help, their window's size and no escape codes of pasting", async () => {
  const person = new Person("33 111");
  await person.type("", PROMPT);
  assert.match(await person.type("lssyscf\t -r sys -F na\x7fame\r", PROMPT), /^lssyscfg +-r sys .*\r\nms01\r\n$/s);
  assert.match(await person.type("\x1b[A\r", PROMPT), /^lssyscfg +-r sys -F name\r\nms01\r\n$/);
  assert.match(await person.type("stty size\r", PROMPT), /\r\n33 111\r\n$/);
  person.resize("50 140");
  await until(async () => (/50 140$/.test(await person.type("stty size\r", /(?<=\d)\r\n/)) ? true : undefined), { what: "the new size", deadlineMs: 5_000 });
  // The shell draws its prompt again when the size changes.
  await person.type("echo sy''nc\r", `sync\r\n${PROMPT}`);
  assert.match(await person.type("help\r", PROMPT), /\r\nlssyscfg +lists/);
  assert.match(await person.type("help lssyscfg\r", PROMPT), /\r\nNAME\r\n {4}lssyscfg - .*SYNOPSIS/s);
  assert.match(await person.type("lssyscfg --help\r", PROMPT), /\r\nNAME\r\n/);
  assert.match(await person.type("nothing\r", PROMPT), /nothing: command not found\r\n/);
  assert.match(await person.type("cd /\r", PROMPT), /restricted/);
  await person.type("sleep 1000\r", "sleep 1000\r\n");
  await until(() => (shellProcesses().some((pid) => fs.readFileSync(`/proc/${pid}/comm`, "latin1") === "sleep\n") ? true : undefined), { what: "the sleep", deadlineMs: 5_000 });
  assert.match(await person.type("\x03", PROMPT), /\^C/);
  assert.match(await person.type("echo Rc=$?\r", PROMPT), /\r\nRc=130\r\n$/);
  await person.type("stty -echo\r", PROMPT);
  assert.equal(await person.type("lssyscfg -r sys -F name; echo Rc=$?\r", PROMPT), "ms01\r\nRc=0\r\n");
  await person.type("PS1='[PEXPECT]#'\r", "[PEXPECT]#");
  await person.type("exit 3\r", "exit\r\n");
  assert.equal(await person.ended, 3);
  assert.doesNotMatch(person.all, /\x1b\[\?2004/);
  const other = new Person("24 80");
  await other.type("", PROMPT);
  other.child.stdin!.write("quit\r");
  assert.equal(await other.ended, 0);
  const lines = await ended(["ssh", ...byKey(), "-tt", ...at(), "lssyscfg -r sys -F name; echo Rc=$?"]);
  assert.deepEqual([lines.code, lines.stdout], [0, "ms01\r\nRc=0\r\n"]);
  const { code, stdout } = await ended(["ssh", ...byKey(), "-tt", ...at()], { input: "lshmc -n -F hostname\nexit 5\n" });
  assert.deepEqual([code, /hmc1\r\n/.test(stdout)], [5, true]);
  await noShell();
});

test("a client that goes away in the middle of a line leaves no process and no socket behind", async () => {
  const busy = () => until(() => (shellProcesses().some((pid) => fs.readFileSync(`/proc/${pid}/comm`, "latin1") === "sleep\n") ? true : undefined), { what: "the line to run", deadlineMs: 10_000 });
  const endless = "sleep 1000 & trap '' HUP TERM INT PIPE; while :; do sleep 1000; done";
  for (const words of ["-T", "-tt"]) {
    const child = start(["ssh", ...byKey(), words, ...at(), endless]);
    await busy();
    child.kill("SIGKILL");
    await noShell();
  }
  // A channel that is closed while its connection stays.
  const client = new ssh2.Client();
  cleanups.push(() => client.destroy());
  await new Promise<void>((resolve, reject) => client.on("ready", resolve).on("error", reject).connect({ host: "127.0.0.1", port, username: USER, privateKey: fs.readFileSync(key) }));
  for (const pty of [false, true]) {
    const stream = await new Promise<ssh2.ClientChannel>((resolve, reject) => client.exec(endless, { pty }, (error, opened) => (error ? reject(error) : resolve(opened))));
    await busy();
    stream.close();
    await noShell();
  }
  client.end();
  const person = new Person("24 80");
  await person.type("", PROMPT);
  person.child.stdin!.write("sleep 1000 & sleep 1000\r");
  await busy();
  person.child.kill("SIGKILL");
  await noShell();
  // Only the common connection is left: it has at most one socket and its user's file.
  const { runDir } = fixture.lab.consoles[0]!;
  await until(() => (fs.readdirSync(runDir).filter((name) => /^s[0-9a-f]{12}\.sock/.test(name)).length <= 2 ? true : undefined), { what: "the end of the sessions' sockets", deadlineMs: 5_000 });
});

test("a client that does not read stops the line's output, not the console", async () => {
  const child = start(["ssh", ...byKey(), ...at(), "seq 1000000000"]);
  child.stdout!.pause();
  const writer = await until(() => shellProcesses().find((pid) => fs.readFileSync(`/proc/${pid}/comm`, "latin1") === "seq\n"), { what: "the line", deadlineMs: 10_000 });
  const written = () => /wchar: (\d+)/.exec(fs.readFileSync(`/proc/${writer}/io`, "latin1"))![1]!;
  let [last, same] = ["", 0];
  await until(() => {
    const now = written();
    same = now === last && now !== "0" ? same + 1 : 0;
    last = now;
    return same >= 5 ? true : undefined;
  }, { what: "the writer to wait", deadlineMs: 15_000, everyMs: 100 });
  assert.ok(Number(last) < 64 << 20, `${last} bytes are on their way`);
  child.kill("SIGKILL");
  await noShell();
});

test("twenty clients at once are served", async () => {
  const all = await Promise.all(Array.from({ length: 20 }, (_, at) => ssh(`lssyscfg -r sys -F name | sed s/$/${at}/`)));
  assert.deepEqual(all.map(({ code, stdout }) => [code, stdout]), all.map((_, at) => [0, `ms01${at}\n`]));
  await noShell();
});

/** A door in this process with a command that lasts until it is told to end, and short deadlines. */
async function shortDoor(): Promise<{ readonly port: number; readonly users: Users; readonly lasting: { begun: number; aborted: number } }> {
  const stateDir = fs.mkdtempSync(path.join(dir, "state"));
  const users = new Users(stateDir);
  const lasting = { begun: 0, aborted: 0 };
  const door = new SshDoor({
    stateDir,
    users,
    sessionsMax: 8,
    deadlines: { helloMs: 500, loginMs: 1_500 },
    log: silentLogger,
    services: {
      runCommand: (_argv, { signal }) => {
        lasting.begun++;
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve(++lasting.aborted)));
      },
      commandNames: ["last"],
      context: () => ({}) as never,
      sandbox: new Sandbox({ runDir: stateDir, nativeDir: stateDir, commandNames: [], hostname: "h" }),
      runDir: stateDir,
      log: silentLogger,
    },
  });
  const listener = net.createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  door.serve(listener);
  cleanups.push(() => door.close());
  return { port: (listener.address() as net.AddressInfo).port, users, lasting };
}

test("a command in the console ends with its client", async () => {
  const door = await shortDoor();
  assert.ok(door.users.addKey(USER, fs.readFileSync(`${key}.pub`, "utf8")));
  const child = start(["ssh", ...byKey(), "-p", String(door.port), `${USER}@127.0.0.1`, "last"]);
  await until(() => (door.lasting.begun === 1 ? true : undefined), { what: "the command", deadlineMs: 5_000 });
  child.kill("SIGKILL");
  await until(() => (door.lasting.aborted === 1 ? true : undefined), { what: "its end", deadlineMs: 5_000 });
});

test("a key that is shown but not proved is no log-in, and one that is no key is refused", async () => {
  const door = await shortDoor();
  assert.ok(door.users.addKey(USER, fs.readFileSync(`${key}.pub`, "utf8")));
  const dropped = (data: Buffer | undefined) => {
    const client = new ssh2.Client();
    cleanups.push(() => client.destroy());
    const parsed = ssh2.utils.parseKey(fs.readFileSync(`${key}.pub`));
    assert.ok(!(parsed instanceof Error));
    if (data) parsed.getPublicSSH = () => data;
    class Agent extends ssh2.BaseAgent<ssh2.ParsedKey> {
      getIdentities(done: (error: undefined, keys: ssh2.ParsedKey[]) => void): void {
        done(undefined, [parsed as ssh2.ParsedKey]);
      }
      // It was asked, so the door took the key for a known one; it never signs.
      sign(): void {
        asked = true;
      }
    }
    let asked = false;
    return new Promise<{ ready: boolean; asked: boolean }>((resolve) => {
      let ready = false;
      client.on("ready", () => (ready = true)).on("error", () => undefined).on("close", () => resolve({ ready, asked }));
      client.connect({ host: "127.0.0.1", port: door.port, username: USER, agent: new Agent(), authHandler: ["agent"] });
    });
  };
  assert.deepEqual(await dropped(undefined), { ready: false, asked: true });
  for (const data of [Buffer.alloc(0), Buffer.from([0, 0]), Buffer.from([0xff, 0xff, 0xff, 0xff, 1]), Buffer.from([0, 0, 0, 0])]) assert.deepEqual(await dropped(data), { ready: false, asked: false });
  await until(() => (door.users.verifyPassword(USER, "x") ? undefined : true), { what: "the door still answers", deadlineMs: 1_000 });
});

test("a client that says nothing, or nonsense, is dropped, and the console goes on", async () => {
  const dropped = await within(Promise.all(hostile), HOSTILE_MS_MAX, "the end of the hostile connections");
  for (const { name, ms } of dropped) assert.ok(ms < HOSTILE_MS_MAX, `${name}: dropped after ${ms} ms`);
  assert.equal((await ssh("lshmc -n -F hostname")).stdout, "hmc1\n");
  assert.equal(Number(fs.readFileSync(path.join(fixture.lab.consoles[0]!.runDir, "ready"), "utf8")), consolePid, "it is still the first process");
});
