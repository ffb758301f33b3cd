/**
 * The process of one Virtual I/O Server: `openlpm vios --config FILE`. Its system starts it in the VIOS's own network namespace and talks to it over
 * a unix socket; it goes on when the system process goes away and serves the next one. SIGTERM and `vios.shutdown` end it cleanly; when it is
 * killed, its children die with it.
 *
 *   starting -> ready (file `ready` in the run directory) -> stopping -> ended
 */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { makeLogger, type Logger } from "../kit/log.js";
import { until } from "../kit/wait.js";
import { RpcPeer } from "../wire/rpc.js";
import { systemVios, ViosConfig } from "../wire/system-vios.js";
import { listenUnix } from "../wire/transport.js";
import { Vios } from "./vios.js";

/** One system process at a time, an old one that is just ending, and a person looking. */
const CLIENTS_MAX = 16;
/** Events wait for a client up to this; one that does not read is let go and can come back. */
const BACKLOG_BYTES_MAX = 16 << 20;
/** For the answer to `vios.shutdown` to leave before the process ends. */
const FAREWELL_MS_MAX = 1_000;
/** All parts have deadlines of their own; this is for what none of them foresaw. */
const STOP_MS_MAX = 20_000;

/**
 * Runs until the Virtual I/O Server is shut down, then ends the process.
 * @throws OlpmError invalid-argument (no or bad configuration) | storage-failed (no storage daemon)
 */
export async function runVios(argv: readonly string[]): Promise<void> {
  process.umask(0o077);
  const config = readConfig(argv);
  const log = makeLogger("vios", `${config.systemName}/${config.name}`, config.logFile);
  const ready = path.join(config.runDir, "ready");
  fs.mkdirSync(config.runDir, { recursive: true, mode: 0o700 });
  fs.rmSync(ready, { force: true });

  const peers = new Set<RpcPeer>();
  let stopping: Promise<void> | undefined;
  const shutdown = () => (stopping ??= stop());
  const vios = new Vios({
    config,
    log,
    shutdown,
    emit: (event, payload) => {
      for (const peer of peers) {
        if (peer.backlogBytes > BACKLOG_BYTES_MAX) peer.destroy(new OlpmError("limit-reached", "this client does not read its events"));
        else peer.emit(event, payload);
      }
    },
  });
  async function stop(): Promise<void> {
    log.info("shutting down");
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    fs.rmSync(ready, { force: true });
    await vios.stop();
    void farewell(peers, config.socket, log);
  }
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void shutdown());

  await vios.start();
  if (stopping) return;
  await listenUnix(config.socket, ({ socket, caller }) => {
    if (peers.size >= CLIENTS_MAX) return void socket.destroy();
    const peer = new RpcPeer(socket, { self: `vios:${config.systemName}/${config.name}`, caller, log, silenceMsMax: config.silenceMs, serves: { contract: systemVios, handlers: vios.handlers() } });
    peers.add(peer);
    void peer.closed.then(() => peers.delete(peer));
  });
  fs.writeFileSync(ready, `${process.pid}\n`, { mode: 0o600 });
  log.info({ socket: config.socket }, "ready");
}

/** Lets answers leave, then ends the process. */
async function farewell(peers: ReadonlySet<RpcPeer>, socket: string, log: Logger): Promise<void> {
  const sent = () => ([...peers].every((peer) => peer.backlogBytes === 0) ? true : undefined);
  await new Promise((resolve) => setImmediate(resolve));
  await until(sent, { what: "sending the last answers", deadlineMs: FAREWELL_MS_MAX, everyMs: 10 }).catch(() => undefined);
  fs.rmSync(socket, { force: true });
  log.info("ended");
  process.exit(0);
}

function readConfig(argv: readonly string[]): ViosConfig {
  const at = argv.indexOf("--config");
  const file = at < 0 ? undefined : argv[at + 1];
  if (file === undefined) throw new OlpmError("invalid-argument", "usage: openlpm vios --config FILE");
  const parsed = ViosConfig.safeParse(JSON.parse(fs.readFileSync(file, "utf8")));
  if (!parsed.success) throw new OlpmError("invalid-argument", `${file} is no configuration of a Virtual I/O Server: ${parsed.error.message}`);
  return parsed.data;
}
