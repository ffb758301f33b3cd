/**
 * One log-in: who it is, and what a line of theirs does. One plain command runs straight in the console; anything else runs in the sandbox, whose commands come
 * back over the session's own socket.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import type { Logger } from "../../kit/log.js";
import { listenUnix } from "../../wire/transport.js";
import type { CommandContext, CommandIo, RunCommand } from "../contract.js";
import { frame, FrameReader, Request, WindowSize, type FrameType } from "./frames.js";
import { plainWords } from "./plain-line.js";
import type { Sandbox } from "./sandbox.js";

export interface DoorServices {
  readonly runCommand: RunCommand;
  readonly commandNames: readonly string[];
  readonly context: (user: string) => Omit<CommandContext, "io" | "signal" | "env">;
  readonly sandbox: Sandbox;
  readonly runDir: string;
  readonly log: Logger;
}

/** The user's end of a line: three streams, perhaps a terminal. */
export interface Terminal {
  readonly stdout: (chunk: Buffer | string) => void;
  readonly stderr: (chunk: Buffer | string) => void;
  /** begins to give input; null ends it */
  readonly onInput: (listener: (chunk: Buffer | null) => void) => void;
  readonly setRaw: (on: boolean) => void;
  readonly tty: WindowSize | null;
  readonly color: boolean;
  readonly term: string;
  /** a pty is wanted for what is not a plain command */
  readonly pty: boolean;
  readonly onResize: (listener: (size: WindowSize) => void) => void;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const INPUT_CHUNKS_MAX = 1024;
/** Environment that a client may set for the sandbox. */
const ENVIRONMENT = /^(LANG|LC_[A-Z]+|TZ)$/;

export class Session {
  readonly user: string;
  readonly #services: DoorServices;
  readonly #socket: string;
  #server: net.Server | undefined;

  constructor(user: string, services: DoorServices) {
    this.user = user;
    this.#services = services;
    this.#socket = path.join(services.runDir, `s${randomBytes(6).toString("hex")}.sock`);
  }

  /** Runs a line, or an interactive shell when it is null; gives the exit status. */
  async run(line: string | null, terminal: Terminal): Promise<number> {
    const words = line === null || terminal.pty ? undefined : plainWords(line);
    if (words && this.#services.commandNames.includes(words[0]!)) return this.runCommand(words, terminal);
    return this.#runShell(line, terminal);
  }

  runCommand(argv: readonly string[], terminal: Terminal): Promise<number> {
    const io: CommandIo = {
      stdout: terminal.stdout,
      stderr: terminal.stderr,
      tty: terminal.tty && { ...terminal.tty, color: terminal.color },
      input: () => inputOf(terminal),
      setRaw: terminal.setRaw,
    };
    return this.#services.runCommand(argv, { ...this.#services.context(this.user), io, signal: terminal.signal, env: terminal.env });
  }

  close(): void {
    this.#server?.close();
    fs.rmSync(this.#socket, { force: true });
  }

  async #runShell(line: string | null, terminal: Terminal): Promise<number> {
    this.#server ??= await listenUnix(this.#socket, ({ socket }) => serveSocket(socket, this, { argvOnly: true, log: this.#services.log }));
    const size = terminal.tty ?? { columns: 80, rows: 24 };
    const env = Object.fromEntries(Object.entries(terminal.env).filter(([name]) => ENVIRONMENT.test(name)));
    const child = this.#services.sandbox.start(this.user, this.#socket, { line, pty: terminal.pty ? { ...size, term: terminal.term } : null, env });
    const end = () => child.kill("SIGTERM");
    terminal.signal.addEventListener("abort", end, { once: true });
    child.stdout!.on("data", terminal.stdout);
    child.stderr!.on("data", terminal.stderr);
    child.stdin!.on("error", () => undefined);
    terminal.onInput((chunk) => (chunk === null ? child.stdin!.end() : void child.stdin!.write(chunk)));
    const sizes = child.stdio[3] as NodeJS.WritableStream | undefined;
    sizes?.on("error", () => undefined);
    terminal.onResize(({ rows, columns }) => sizes?.write(`${rows} ${columns}\n`));
    if (terminal.signal.aborted) end();
    return new Promise((resolve) => {
      child.on("error", (error) => {
        this.#services.log.error({ err: error }, "the restricted shell could not be started");
        terminal.stderr("The shell of this console could not be started.\n");
        resolve(126);
      });
      child.on("close", (code, signal) => {
        terminal.signal.removeEventListener("abort", end);
        resolve(code ?? (signal === null ? 1 : 143));
      });
    });
  }
}

async function* inputOf(terminal: Terminal): AsyncGenerator<Buffer> {
  const chunks: (Buffer | null)[] = [];
  let wake: (() => void) | undefined;
  const put = (chunk: Buffer | null) => {
    if (chunks.length < INPUT_CHUNKS_MAX || chunk === null) chunks.push(chunk);
    wake?.();
  };
  terminal.onInput(put);
  terminal.signal.addEventListener("abort", () => put(null), { once: true });
  for (;;) {
    while (chunks.length > 0) {
      const chunk = chunks.shift()!;
      if (chunk === null) return;
      yield chunk;
    }
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

/** Serves one client of the frame protocol: reads its request, runs it, sends the status, ends. */
export function serveSocket(socket: net.Socket, session: Session, options: { readonly argvOnly: boolean; readonly log: Logger; readonly onEnd?: () => void }): void {
  const reader = new FrameReader();
  const abort = new AbortController();
  let input: ((chunk: Buffer | null) => void) | undefined;
  let resize: ((size: WindowSize) => void) | undefined;
  let begun = false;
  const send = (type: FrameType, payload?: string | Buffer) => {
    if (!socket.destroyed) socket.write(frame(type, payload));
  };
  const begin = async (request: Request) => {
    begun = true;
    const terminal: Terminal = {
      stdout: (chunk) => send("O", Buffer.from(chunk)),
      stderr: (chunk) => send("X", Buffer.from(chunk)),
      onInput: (listener) => {
        input = listener;
        send("N");
      },
      setRaw: (on) => send("T", Buffer.from([on ? 1 : 0])),
      tty: request.tty,
      color: request.color,
      term: request.term,
      pty: request.kind === "shell",
      onResize: (listener) => (resize = listener),
      env: {},
      signal: abort.signal,
    };
    const status = request.kind === "argv" ? await session.runCommand(request.argv, terminal) : options.argvOnly ? 126 : await session.run(request.kind === "shell" ? null : request.line, terminal);
    send("S", Buffer.from([status & 0xff]));
    socket.end();
  };
  socket.on("data", (chunk: Buffer) => {
    try {
      for (const { type, payload } of reader.push(chunk)) {
        if (type === "R" && !begun) void begin(Request.parse(JSON.parse(payload.toString()))).catch((error: unknown) => options.log.error({ err: error }, "a command's client failed"));
        else if (type === "I") input?.(payload);
        else if (type === "E") input?.(null);
        else if (type === "W") resize?.(WindowSize.parse(JSON.parse(payload.toString())));
        else if (type === "K") abort.abort();
      }
    } catch (error) {
      options.log.warn({ err: error }, "a command's client spoke another language");
      socket.destroy();
    }
  });
  socket.on("error", () => undefined);
  socket.on("close", () => {
    abort.abort();
    options.onEnd?.();
  });
}
