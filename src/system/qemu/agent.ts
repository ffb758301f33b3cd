/**
 * The QEMU guest agent of a partition, which stands for RMC: JSON lines over the partition's second terminal, one connection at a time. Every use
 * begins with `guest-sync-delimited`, since the line may hold the rest of an answer that nobody waited for. Source: QEMU docs/interop/qemu-ga-ref.
 */
import net from "node:net";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { delay, within } from "../../kit/wait.js";
import type { GuestAgent } from "./contract.js";

/** Sent before an answer to sync, so that whatever lies before it is thrown away. */
const DELIMITER = 0xff;
const ANSWER_MS_MAX = 5_000;
const EXEC_POLL_MS = 50;
const ANSWER_BYTES_MAX = 8 << 20;

type Ask = (command: string, args?: Readonly<Record<string, unknown>>, ms?: number) => Promise<any>;

export function guestAgent(socketPath: string): GuestAgent {
  let last: Promise<unknown> = Promise.resolve();
  /** Uses follow each other: the terminal takes one client. */
  const use = <T>(ms: number, work: (ask: Ask) => Promise<T>): Promise<T> => {
    const mine = last.then(
      () => session(socketPath, ms, work),
      () => session(socketPath, ms, work),
    );
    last = mine.catch(() => undefined);
    return mine;
  };
  return {
    ping: (ms) =>
      use(ms, async (ask) => {
        await ask("guest-ping");
        return true;
      }).catch(() => false),
    shutdown: (how) => use(ANSWER_MS_MAX, (ask) => ask("guest-shutdown", { mode: how }, 1_000).then(() => undefined, tolerateSilence)),
    exec: (path, argv, { deadlineMs }) =>
      use(ANSWER_MS_MAX, async (ask) => {
        const { pid } = (await ask("guest-exec", { path, arg: argv, "capture-output": true }).catch(explainExec(path))) as { pid: number };
        const end = performance.now() + deadlineMs;
        for (;;) {
          const status = (await ask("guest-exec-status", { pid })) as { exited: boolean; exitcode?: number; signal?: number; "out-data"?: string; "err-data"?: string };
          const text = (data: string | undefined) => Buffer.from(data ?? "", "base64").toString();
          if (status.exited) return { code: status.exitcode ?? 128 + (status.signal ?? 0), stdout: text(status["out-data"]), stderr: text(status["err-data"]) };
          if (performance.now() > end) throw new OlpmError("timeout", `${path} in the partition did not end within ${deadlineMs} ms`);
          await delay(EXEC_POLL_MS);
        }
      }),
    osVersion: () =>
      use(ANSWER_MS_MAX, async (ask) => {
        const info = (await ask("guest-get-osinfo")) as Record<string, string>;
        const name = info["name"] ?? info["id"] ?? "Linux";
        return `Linux/${name} ${info["version-id"] ?? ""} ${info["kernel-release"] ?? ""}`.replace(/\s+/g, " ").trim();
      }).catch(() => null),
    address: () =>
      use(ANSWER_MS_MAX, async (ask) => {
        const interfaces = (await ask("guest-network-get-interfaces")) as { "ip-addresses"?: { "ip-address": string; "ip-address-type": string }[] }[];
        const all = interfaces.flatMap((one) => one["ip-addresses"] ?? []);
        return all.find((one) => one["ip-address-type"] === "ipv4" && !one["ip-address"].startsWith("127."))?.["ip-address"] ?? null;
      }).catch(() => null),
  };
}

/** A guest that powers off does not answer any more. */
function tolerateSilence(error: unknown): void {
  const ours = toOlpmError(error, "guest-shutdown");
  if (ours.code === "refused") throw ours;
}

const explainExec = (path: string) => (error: unknown) => {
  const ours = toOlpmError(error, "guest-exec");
  throw ours.code === "refused" && /No such file|Failed to execute/.test(ours.message) ? new OlpmError("not-found", `${path} is not in the partition`, { cause: error }) : ours;
};

async function session<T>(path: string, ms: number, work: (ask: Ask) => Promise<T>): Promise<T> {
  const socket = net.connect(path);
  let bytes: Buffer = Buffer.alloc(0);
  let wake: (() => void) | undefined;
  let broken: Error | undefined;
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    if (bytes.length > ANSWER_BYTES_MAX) socket.destroy(new Error("an answer over the limit"));
    wake?.();
  });
  const fail = (error?: Error) => {
    broken ??= error ?? new Error("the terminal was closed");
    wake?.();
  };
  socket.on("error", fail);
  socket.on("close", () => fail());
  const answer = async (): Promise<Record<string, any>> => {
    for (;;) {
      const end = bytes.indexOf(0x0a);
      if (end >= 0) {
        const line = bytes.subarray(0, end);
        bytes = bytes.subarray(end + 1);
        if (line.length > 1) return JSON.parse(line.subarray(line.lastIndexOf(DELIMITER) + 1).toString()) as Record<string, any>;
        continue;
      }
      if (broken) throw new OlpmError("guest-not-answering", `the operating system's agent: ${broken.message}`, { hsc: "HSCLA246" });
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const ask: Ask = async (command, args = {}, deadline = ANSWER_MS_MAX) => {
    socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    const message = await silence(within(answer(), deadline, command));
    if ("error" in message) throw new OlpmError("refused", `${command}: ${String(message["error"]?.desc)}`);
    return message["return"];
  };
  try {
    await silence(within(synchronise(socket, answer), ms, "the agent's answer"));
    return await work(ask);
  } finally {
    socket.destroy();
  }
}

async function synchronise(socket: net.Socket, answer: () => Promise<Record<string, any>>): Promise<void> {
  const id = Math.floor(Math.random() * 2 ** 31);
  socket.write(Buffer.concat([Buffer.from([DELIMITER]), Buffer.from(`${JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } })}\n`)]));
  for (;;) {
    const message = await answer().catch((error: unknown) => {
      if (error instanceof SyntaxError) return {} as Record<string, any>; // the rest of an old answer
      throw error;
    });
    if (message["return"] === id) return;
  }
}

/** A deadline of the terminal means that the agent does not answer, which callers tell from other timeouts. */
async function silence<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OlpmError && error.code === "timeout") throw new OlpmError("guest-not-answering", error.message, { hsc: "HSCLA246", cause: error });
    throw error;
  }
}
