/**
 * One log-in: who it is, and what a line of theirs does. One plain command runs straight in the console; anything else runs in the sandbox, whose commands come
 * back over the session's own socket.
 */
import { randomBytes } from "node:crypto";
import net from "node:net";
import path from "node:path";
import type { Logger } from "../../kit/log.js";
import { listenUnix } from "../../wire/transport.js";
import type { CommandContext, CommandIo, RunCommand } from "../contract.js";
import { frame, FrameReader, Request, WindowSize, type FrameType } from "./frames.js";
import { plainWords } from "./plain-line.js";
import type { Sandbox, Tenant } from "./sandbox.js";

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
  /** false: the user's end is slow; `onDrain` tells when it takes more */
  readonly stdout: (chunk: Buffer | string) => boolean;
  readonly stderr: (chunk: Buffer | string) => boolean;
  readonly onDrain: (listener: () => void) => void;
  /** begins to give input; null ends it */
  readonly onInput: (listener: (chunk: Buffer | null) => void) => { pause(): void; resume(): void };
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

/** Input that waits for a command; the user's end is paused then. */
const INPUT_CHUNKS_MAX = 64;

/** Linux takes no argument of a program that is longer than 128 KiB. */
const LINE_BYTES_MAX = 100 << 10;
/** Exit status of what could not be started, as shells have it. */
const NOT_STARTED = 126;
/** Exit status of a line that was ended: 128 and the signal's number. */
const ENDED = 137;

export class Session {
  readonly user: string;
  readonly #services: DoorServices;
  readonly #tenant: Tenant;
  /** one for all lines of the session, also when they begin at once */
  #server: Promise<net.Server> | undefined;

  constructor(user: string, services: DoorServices) {
    this.user = user;
    this.#services = services;
    this.#tenant = { user, uid: services.sandbox.newUid(), socket: path.join(services.runDir, `s${randomBytes(6).toString("hex")}.sock`) };
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
    void this.#server?.then((server) => server.close(), () => undefined).then(() => this.#services.sandbox.forget(this.#tenant));
  }

  async #runShell(line: string | null, terminal: Terminal): Promise<number> {
    if (line !== null && (Buffer.byteLength(line) > LINE_BYTES_MAX || line.includes("\0"))) {
      terminal.stderr(`The line is longer than ${LINE_BYTES_MAX} bytes or not a text.\n`);
      return NOT_STARTED;
    }
    this.#server ??= listenUnix(this.#tenant.socket, ({ socket }) => serveSocket(socket, this, { argvOnly: true, log: this.#services.log }));
    await this.#server;
    if (terminal.signal.aborted) return ENDED;
    const size = terminal.tty ?? { columns: 80, rows: 24 };
    const child = this.#services.sandbox.start(this.#tenant, { line, pty: terminal.pty ? { ...size, term: terminal.term } : null, env: terminal.env });
    const [stdin, stdout, stderr] = [child.stdin!, child.stdout!, child.stderr!];
    const goOn = () => void [stdout, stderr].map((one) => one.resume());
    const end = () => {
      child.kill("SIGKILL");
      goOn();
    };
    terminal.signal.addEventListener("abort", end, { once: true });
    stdout.on("data", (chunk: Buffer) => terminal.stdout(chunk) || stdout.pause());
    stderr.on("data", (chunk: Buffer) => terminal.stderr(chunk) || stderr.pause());
    terminal.onDrain(goOn);
    stdin.on("error", () => undefined);
    const input = terminal.onInput((chunk) => {
      if (chunk === null) stdin.end();
      else if (!stdin.write(chunk)) input.pause();
    });
    // Also when nothing reads it any more: what still comes is for nobody.
    for (const event of ["drain", "close"]) stdin.on(event, () => input.resume());
    const sizes = child.stdio[3] as NodeJS.WritableStream | undefined;
    sizes?.on("error", () => undefined);
    terminal.onResize(({ rows, columns }) => sizes?.write(`${rows} ${columns}\n`));
    return new Promise((resolve) => {
      child.on("error", (error) => {
        this.#services.log.error({ err: error }, "the restricted shell could not be started");
        terminal.stderr("The shell of this console could not be started.\n");
        resolve(NOT_STARTED);
      });
      child.on("close", (code) => {
        terminal.signal.removeEventListener("abort", end);
        resolve(code ?? ENDED);
      });
    });
  }
}

async function* inputOf(terminal: Terminal): AsyncGenerator<Buffer> {
  const chunks: (Buffer | null)[] = [];
  let wake: (() => void) | undefined;
  const put = (chunk: Buffer | null) => {
    chunks.push(chunk);
    if (chunks.length >= INPUT_CHUNKS_MAX) source.pause();
    wake?.();
  };
  const source = terminal.onInput(put);
  terminal.signal.addEventListener("abort", () => put(null), { once: true });
  for (;;) {
    while (chunks.length > 0) {
      const chunk = chunks.shift()!;
      if (chunk === null) return;
      yield chunk;
    }
    source.resume();
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
  const send = (type: FrameType, payload?: string | Buffer): boolean => socket.destroyed || socket.write(frame(type, payload));
  const begin = async (request: Request) => {
    begun = true;
    const terminal: Terminal = {
      stdout: (chunk) => send("O", Buffer.from(chunk)),
      stderr: (chunk) => send("X", Buffer.from(chunk)),
      onDrain: (listener) => void socket.on("drain", listener),
      onInput: (listener) => {
        input = listener;
        send("N");
        // The local door's client sends its interrupt on the same socket, and is root's.
        return { pause: () => void (options.argvOnly && socket.pause()), resume: () => void socket.resume() };
      },
      setRaw: (on) => void send("T", Buffer.from([on ? 1 : 0])),
      tty: request.tty,
      color: request.color,
      term: request.term,
      pty: request.kind === "shell",
      onResize: (listener) => (resize = listener),
      env: {},
      signal: abort.signal,
    };
    const status = request.kind === "argv" ? await session.runCommand(request.argv, terminal) : options.argvOnly ? NOT_STARTED : await session.run(request.kind === "shell" ? null : request.line, terminal);
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
