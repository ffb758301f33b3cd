/** One session channel of an SSH connection: an exec request or an interactive shell, with or without a pty. Everything else that SSH knows is refused. */
import type ssh2 from "ssh2";
import type { ServerChannel } from "ssh2";
import type { Logger } from "../../kit/log.js";
import type { WindowSize } from "./frames.js";
import type { Session, Terminal } from "./session.js";

/** What a client may set; more has no use in the shell. */
const ENVIRONMENT = /^(LANG|LC_[A-Z]+|TZ)$/;
const VALUE_MAX = 128;
const CELLS_MAX = 1_000;

const sizeOf = (info: { cols: number; rows: number }): WindowSize => ({ columns: Math.min(CELLS_MAX, info.cols || 80), rows: Math.min(CELLS_MAX, info.rows || 24) });

/** `signal`: the connection's end. `ended` is called once. */
export function serveChannel(channel: ssh2.Session, options: { readonly session: Session; readonly signal: AbortSignal; readonly ended: () => void; readonly log: Logger }): void {
  const { session, log } = options;
  const abort = new AbortController();
  const env: Record<string, string> = {};
  let pty: (WindowSize & { term: string }) | undefined;
  let resize: ((size: WindowSize) => void) | undefined;
  let running = false;
  let open = true;
  const stop = () => abort.abort();
  const ended = () => {
    if (open) options.ended();
    open = false;
    options.signal.removeEventListener("abort", stop);
  };
  options.signal.addEventListener("abort", stop, { once: true });
  // A stream that nobody reads does not tell that its client is gone; the channel and the connection do.
  channel.on("close", () => {
    stop();
    if (!running) ended();
  });
  channel.on("pty", (accept, _reject, info) => {
    pty = { ...sizeOf(info), term: String((info as { term?: string }).term ?? "xterm").replace(/[^\w.+-]/g, "").slice(0, 32) || "xterm" };
    accept?.();
  });
  channel.on("window-change", (accept, _reject, info) => {
    resize?.(sizeOf(info));
    accept?.();
  });
  channel.on("env", (accept, reject, { key, val }) => {
    if (!ENVIRONMENT.test(key) || val.length > VALUE_MAX) return reject?.();
    env[key] = val;
    accept?.();
  });
  channel.on("signal", (accept) => {
    stop();
    accept?.();
  });
  const run = async (stream: ServerChannel | undefined, line: string | null) => {
    if (!stream) return; // the channel is taken or gone
    running = true;
    const status = await session.run(line, terminalOf(stream, { pty, env, signal: abort.signal, onResize: (listener) => (resize = listener) })).catch((error: unknown) => {
      // The line may have a password in it.
      log.error({ err: error, command: line?.trim().split(/\s/, 1)[0] }, "a command line failed");
      return 1;
    });
    ended();
    stream.exit(status);
    // Its last lines first: the end of the stream closes the channel for both.
    stream.stderr.end(() => stream.end());
  };
  channel.on("exec", (accept, _reject, info) => void run(accept(), info.command));
  channel.on("shell", (accept) => void run(accept(), null));
}

function terminalOf(stream: ServerChannel, options: { readonly pty: (WindowSize & { term: string }) | undefined; readonly env: Record<string, string>; readonly signal: AbortSignal; readonly onResize: Terminal["onResize"] }): Terminal {
  const { pty, env, signal, onResize } = options;
  for (const one of [stream, stream.stderr]) one.on("error", () => undefined);
  return {
    stdout: (chunk) => signal.aborted || stream.write(chunk),
    stderr: (chunk) => signal.aborted || stream.stderr.write(chunk),
    onDrain: (listener) => void [stream, stream.stderr].map((one) => one.on("drain", listener)),
    onInput: (listener) => {
      stream.on("data", (chunk: Buffer) => listener(chunk));
      stream.on("end", () => listener(null));
      return { pause: () => void stream.pause(), resume: () => void stream.resume() };
    },
    setRaw: () => undefined,
    tty: pty ?? null,
    color: false,
    term: pty?.term ?? "dumb",
    pty: pty !== undefined,
    onResize,
    env,
    signal,
  };
}
