/**
 * Sockets under the RPC: mutual TLS between hosts, unix sockets (0600) on one. A certificate's common name is its holder's role and name,
 * for example `system:ms01`; the receiver gets it as `caller`. Both sides trust the site's authority only.
 */
import type { X509Certificate } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import { within } from "../kit/wait.js";

export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}
export interface Accepted {
  readonly socket: net.Socket;
  readonly caller: string;
}

const loadTls = (files: TlsFiles) => ({ ca: fs.readFileSync(files.ca), cert: fs.readFileSync(files.cert), key: fs.readFileSync(files.key), minVersion: "TLSv1.3" as const });

function peerName(socket: tls.TLSSocket): string {
  const name = socket.getPeerCertificate().subject?.CN;
  return typeof name === "string" ? name : "unknown";
}

/** A pending log-in (TCP accepted, TLS not finished) is dropped after this long. */
const HANDSHAKE_MS_MAX = 10_000;

/** A renewed certificate is used for new connections within this. */
const RENEWAL_LOOK_MS = 60_000;
/** `caller` of who shows no certificate of this site, where such are taken at all. */
export const STRANGER = "stranger";

/**
 * Listens for mutually authenticated TLS. Resolves when it listens; `address().port` tells the port when 0 was asked. With `strangers` callers without a
 * certificate of this site are taken as well, as `STRANGER`: for enrolment only.
 */
export function listenTls(where: { host: string; port: number }, files: TlsFiles, onPeer: (accepted: Accepted) => void, options: { readonly strangers?: boolean } = {}): Promise<tls.Server> {
  const server = tls.createServer({ ...loadTls(files), requestCert: true, rejectUnauthorized: options.strangers !== true, handshakeTimeout: HANDSHAKE_MS_MAX }, (socket) => {
    socket.setNoDelay(true);
    onPeer({ socket, caller: socket.authorized ? peerName(socket) : STRANGER });
  });
  const read = (): number => fs.statSync(files.cert).mtimeMs;
  let since = read();
  const renewal = setInterval(() => {
    try {
      const now = read();
      if (now !== since) server.setSecureContext(loadTls(files));
      since = now;
    } catch {
      // the files are being replaced: the next look finds them
    }
  }, RENEWAL_LOOK_MS);
  renewal.unref();
  server.on("close", () => clearInterval(renewal));
  server.on("tlsClientError", () => undefined); // a peer without a certificate of this site; its own side learns why
  return listening(server, () => server.listen(where.port, where.host));
}

/**
 * Connects with mutual TLS and checks that the other end is who it should be.
 * @throws OlpmError peer-lost | timeout | not-authorised (another name than `expect`)
 */
export async function connectTls(where: { host: string; port: number }, files: TlsFiles, expect: string, options: { deadlineMs?: number; signal?: AbortSignal } = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({ ...loadTls(files), host: where.host, port: where.port, checkServerIdentity: () => undefined });
  socket.setNoDelay(true);
  try {
    await within(ready(socket, "secureConnect"), options.deadlineMs ?? 5_000, `connecting to ${expect} at ${where.host}:${where.port}`, options.signal);
    const name = peerName(socket);
    if (name !== expect) throw new OlpmError("not-authorised", `${where.host}:${where.port} is ${name}, not ${expect}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw toOlpmError(error, `connecting to ${expect} at ${where.host}:${where.port}`);
  }
}

/**
 * Connects to who is not known yet, without a certificate. The caller has to compare `certificate` with what it trusts before it says anything.
 * @throws OlpmError peer-lost | timeout
 */
export async function connectUnverified(where: { host: string; port: number }, deadlineMs = 5_000): Promise<{ readonly socket: tls.TLSSocket; readonly certificate: X509Certificate }> {
  const socket = tls.connect({ host: where.host, port: where.port, minVersion: "TLSv1.3", rejectUnauthorized: false, checkServerIdentity: () => undefined });
  try {
    await within(ready(socket, "secureConnect"), deadlineMs, `connecting to ${where.host}:${where.port}`);
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw new OlpmError("not-authorised", `${where.host}:${where.port} shows no certificate`);
    return { socket, certificate };
  } catch (error) {
    socket.destroy();
    throw toOlpmError(error, `connecting to ${where.host}:${where.port}`);
  }
}

/** Listens on a unix socket that only its owner may open; a stale file of an earlier process is replaced. */
export async function listenUnix(path: string, onPeer: (accepted: Accepted) => void): Promise<net.Server> {
  fs.rmSync(path, { force: true });
  const server = net.createServer((socket) => onPeer({ socket, caller: "local" }));
  const mask = process.umask(0o177);
  try {
    return await listening(server, () => server.listen(path));
  } finally {
    process.umask(mask);
  }
}

/** @throws OlpmError not-found | peer-lost | timeout */
export async function connectUnix(path: string, deadlineMs = 2_000): Promise<net.Socket> {
  const socket = net.connect(path);
  try {
    await within(ready(socket, "connect"), deadlineMs, `connecting to ${path}`);
    return socket;
  } catch (error) {
    socket.destroy();
    throw toOlpmError(error, `connecting to ${path}`);
  }
}

function ready(socket: net.Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => {
      socket.removeListener("error", reject);
      resolve();
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new OlpmError("peer-lost", "the connection was closed while it was being set up")));
  });
}

function listening<S extends net.Server>(server: S, begin: () => void): Promise<S> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.removeListener("error", reject);
      resolve(server);
    });
    begin();
  });
}
