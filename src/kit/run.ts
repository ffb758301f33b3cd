/** Runs a program to its end without a shell: argv in, bounded output out. */
import { spawn } from "node:child_process";
import { OlpmError } from "./errors.js";
import { abortError } from "./wait.js";

/** Output past this is dropped; every program that we run to its end prints less. */
const OUTPUT_BYTES_MAX = 4 << 20;

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
export interface RunOptions {
  readonly input?: string | Buffer;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/**
 * Runs `argv` and gives its exit status and output, whatever the status.
 * @throws OlpmError not-found (no such program) | timeout (default 30 s; the program is killed) | aborted
 */
export function runAny(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const [program, ...words] = argv;
    const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"], env: options.env, cwd: options.cwd });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let failure: OlpmError | undefined;
    const keep = (into: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size <= OUTPUT_BYTES_MAX) into.push(chunk);
    };
    const stop = (error: OlpmError) => {
      failure ??= error;
      child.kill("SIGKILL");
    };
    const deadlineMs = options.deadlineMs ?? 30_000;
    const timer = setTimeout(() => stop(new OlpmError("timeout", `${program} did not end within ${deadlineMs} ms`)), deadlineMs);
    const onAbort = () => stop(abortError(options.signal!));
    if (options.signal?.aborted) onAbort();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", keep(out));
    child.stderr.on("data", keep(err));
    child.stdin.on("error", () => undefined); // the program may end without reading its input
    child.stdin.end(options.input ?? "");
    const finish = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
    };
    child.on("error", (cause) => {
      finish();
      reject(new OlpmError("not-found", `${program} could not be started: ${cause.message}`, { cause }));
    });
    child.on("close", (code, signal) => {
      finish();
      if (failure) return reject(failure);
      resolve({ code: code ?? 128 + (signal === "SIGKILL" ? 9 : 15), stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
  });
}

/**
 * Like runAny, but a status other than 0 is an error that quotes the program's own words.
 * @throws OlpmError refused and what runAny throws
 */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<string> {
  const result = await runAny(argv, options);
  if (result.code === 0) return result.stdout;
  const words = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-3).join(" | ");
  throw new OlpmError("refused", `${argv.slice(0, 6).join(" ")}: status ${result.code}: ${words}`);
}
