/**
 * One channel process (native/mover): carries the stream between a hypervisor and the peer's channel, seals it, counts it. It dies with us. Its lines on
 * standard output are its only words; silence means that it hangs.
 */
import { spawn, type ChildProcess } from "node:child_process";
import readline from "node:readline";
import { OlpmError } from "../kit/errors.js";

/** It prints its counters five times a second while it streams. */
const SILENCE_MS_MAX = 5_000;

export type ChannelNews =
  | { readonly kind: "port"; readonly port: number }
  | { readonly kind: "streaming" }
  | { readonly kind: "counters"; readonly in: number; readonly out: number; readonly link: number }
  | { readonly kind: "finished" }
  | { readonly kind: "failed"; readonly detail: string };

export class Channel {
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #tell: (news: ChannelNews) => void;
  #over = false;
  #streaming = false;
  #heardAt = performance.now();
  readonly #watch: NodeJS.Timeout;

  /** `words`: mode and addresses; `keys`: 32 bytes, given on standard input and kept nowhere. */
  constructor(program: string, words: readonly string[], keys: Buffer, tell: (news: ChannelNews) => void) {
    this.#tell = tell;
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", "--no-new-privs", "--", program, ...words], { stdio: ["pipe", "pipe", "ignore"] });
    this.#child.stdin!.on("error", () => undefined);
    this.#child.stdin!.end(keys);
    readline.createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#hear(line));
    this.#child.on("error", (error) => this.#end({ kind: "failed", detail: `the channel program could not be started: ${error.message}` }));
    this.ended = new Promise((resolve) => {
      this.#child.on("error", () => resolve());
      this.#child.on("close", (code, signal) => {
        this.#end({ kind: "failed", detail: `the channel ended unexpectedly (${signal ?? `status ${code}`})` });
        resolve();
      });
    });
    this.#watch = setInterval(() => {
      if (this.#streaming && performance.now() - this.#heardAt > SILENCE_MS_MAX) this.fail(`the channel said nothing for ${SILENCE_MS_MAX / 1000} s`);
    }, 500);
    this.#watch.unref();
  }

  /** Ends the process with `detail` as the reason, unless it has ended already. */
  fail(detail: string): void {
    this.#end({ kind: "failed", detail });
    this.kill();
  }
  kill(): void {
    this.#over = true;
    clearInterval(this.#watch);
    this.#child.kill("SIGKILL");
  }

  #hear(line: string): void {
    if (this.#over) return;
    this.#heardAt = performance.now();
    const news = parseLine(line);
    if (news.kind === "streaming") this.#streaming = true;
    if (news.kind === "finished" || news.kind === "failed") this.#end(news);
    else this.#tell(news);
  }
  #end(news: ChannelNews): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#watch);
    this.#tell(news);
  }
}

/** One line of the channel program. @throws OlpmError internal on anything else */
export function parseLine(line: string): ChannelNews {
  const words = JSON.parse(line) as Record<string, unknown>;
  if (typeof words["port"] === "number") return { kind: "port", port: words["port"] };
  if (words["state"] === "streaming" || words["state"] === "finished") return { kind: words["state"] };
  if (words["state"] === "failed") return { kind: "failed", detail: String(words["detail"]) };
  if (typeof words["in"] === "number") return { kind: "counters", in: words["in"], out: Number(words["out"]), link: Number(words["link"]) };
  throw new OlpmError("internal", `the channel program said ${line.slice(0, 200)}`);
}
