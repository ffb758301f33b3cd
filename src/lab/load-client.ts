/**
 * A client of the partition's database: one TCP connection, one write after the other, each counted when it is acknowledged. Run in the LAN's
 * namespace: `node load-client.js HOST PORT KEY PAUSE_MS`. Writes four JSON lines a second, and the last one when its standard input ends. A
 * broken connection is an error that it reports and does not repair: keeping the connection is what is being shown.
 */
import net from "node:net";
import { pathToFileURL } from "node:url";

export interface LoadReport {
  readonly acknowledged: number;
  /** wait in ms for an answer, the longest of all */
  readonly longestWaitMs: number;
  /** of the last 1,000 writes */
  readonly medianWaitMs: number;
  /** how often the connection was lost; 0 is what one wants */
  readonly connectionsLost: number;
  readonly error: string | null;
}

/** Longest wait for one answer before the client calls the connection lost. */
const ANSWER_MS_MAX = 60_000;
const REPORT_MS = 250;
const MEDIAN_OF = 1_000;

async function main(host: string, port: number, key: string, pauseMs: number): Promise<number> {
  let acknowledged = 0;
  let error: string | null = null;
  let longest = 0;
  const waits: number[] = [];
  let over = false;
  const report = () => {
    const sorted = [...waits].sort((a, b) => a - b);
    const line: LoadReport = { acknowledged, longestWaitMs: Math.round(longest), medianWaitMs: Math.round((sorted[sorted.length >> 1] ?? 0) * 10) / 10, connectionsLost: error === null ? 0 : 1, error };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  process.on("SIGTERM", () => socket.destroy(new Error("told to end")));
  process.stdin.on("end", () => (over = true)).resume();
  const ticker = setInterval(report, REPORT_MS);
  const socket = net.connect({ host, port, noDelay: true });
  const answers = replies(socket);
  try {
    while (!over) {
      const number = String(acknowledged + 1);
      const sentAt = performance.now();
      socket.write(`*3\r\n$5\r\nRPUSH\r\n$${key.length}\r\n${key}\r\n$${number.length}\r\n${number}\r\n`);
      socket.setTimeout(ANSWER_MS_MAX);
      const { value } = await answers.next();
      if (value !== `:${number}`) throw new Error(`answer to write ${number}: ${value ?? "the connection was closed"}`);
      const wait = performance.now() - sentAt;
      longest = Math.max(longest, wait);
      waits[acknowledged % MEDIAN_OF] = wait;
      acknowledged++;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
  }
  clearInterval(ticker);
  socket.destroy();
  report();
  return error === null ? 0 : 1;
}

async function* replies(socket: net.Socket): AsyncGenerator<string> {
  let text = "";
  socket.on("timeout", () => socket.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`)));
  for await (const chunk of socket) {
    text += String(chunk);
    for (let end; (end = text.indexOf("\r\n")) >= 0; text = text.slice(end + 2)) yield text.slice(0, end);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [host = "", port = "", key = "writes", pause = "2"] = process.argv.slice(2);
  process.exit(await main(host, Number(port), key, Number(pause)));
}
