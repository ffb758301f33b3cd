/** The client side of the console's own socket, for `./openlpm hmc` and for programs on the same machine. What it runs is what an SSH session would. */
import fs from "node:fs";
import type net from "node:net";
import { OlpmError } from "../kit/errors.js";
import { connectUnix } from "../wire/transport.js";
import { frame, FrameReader, type Request } from "./doors/frames.js";

export interface HmcLineOptions {
  readonly signal?: AbortSignal;
  readonly onStdout?: (text: string) => void;
}
export interface HmcResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one line. @throws OlpmError not-found (no console there) | peer-lost */
export async function hmcLine(socketPath: string, line: string, options: HmcLineOptions = {}): Promise<HmcResult> {
  const socket = await connect(socketPath);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const stop = () => socket.write(frame("K"));
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    const code = await exchange(socket, { kind: "line", argv: [], line, tty: null, color: false, term: "dumb" }, {
      O: (payload) => {
        out.push(payload);
        options.onStdout?.(payload.toString());
      },
      X: (payload) => void err.push(payload),
      N: () => void socket.write(frame("E")),
    });
    return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
  } finally {
    options.signal?.removeEventListener("abort", stop);
    socket.destroy();
  }
}

/** Runs a line, or an interactive shell when it is null, on this process's terminal; gives the exit status. */
export async function runHmc(socketPath: string, line: string | null): Promise<number> {
  const socket = await connect(socketPath);
  const { stdin, stdout, stderr } = process;
  const size = () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 });
  const color = stdout.isTTY === true && process.env["NO_COLOR"] === undefined && process.env["TERM"] !== "dumb";
  const raw = (on: boolean) => {
    if (stdin.isTTY) stdin.setRawMode(on);
  };
  const onResize = () => void socket.write(frame("W", JSON.stringify(size())));
  const onInterrupt = () => void socket.write(frame("K"));
  stdout.on("resize", onResize);
  process.on("SIGINT", onInterrupt);
  try {
    if (line === null) raw(true);
    return await exchange(socket, { kind: line === null ? "shell" : "line", argv: [], line: line ?? "", tty: stdout.isTTY ? size() : null, color, term: process.env["TERM"] ?? "dumb" }, {
      O: (payload) => void stdout.write(payload),
      X: (payload) => void stderr.write(payload),
      N: () => {
        stdin.on("data", (chunk) => socket.write(frame("I", chunk)));
        stdin.on("end", () => socket.write(frame("E")));
        stdin.resume();
      },
      T: (payload) => raw(payload[0] === 1),
    });
  } finally {
    raw(false);
    stdin.pause();
    stdout.off("resize", onResize);
    process.off("SIGINT", onInterrupt);
    socket.destroy();
  }
}

async function connect(socketPath: string): Promise<net.Socket> {
  if (!fs.existsSync(socketPath)) throw new OlpmError("not-found", `No console answers at ${socketPath}.`, { action: "Is its process running?" });
  return connectUnix(socketPath);
}

type Handlers = Partial<Record<"O" | "X" | "N" | "T", (payload: Buffer) => void>>;

function exchange(socket: net.Socket, request: Request, handlers: Handlers): Promise<number> {
  const reader = new FrameReader();
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const { type, payload } of reader.push(chunk)) {
          if (type === "S") resolve(payload[0] ?? 1);
          else handlers[type as keyof Handlers]?.(payload);
        }
      } catch (error) {
        reject(error);
      }
    });
    socket.on("error", (error) => reject(new OlpmError("peer-lost", `the console's socket broke: ${error.message}`)));
    socket.on("close", () => reject(new OlpmError("peer-lost", "the console ended the connection before the command ended")));
    socket.write(frame("R", JSON.stringify(request)));
  });
}
