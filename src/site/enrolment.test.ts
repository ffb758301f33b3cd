import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { silentLogger } from "../kit/log.js";
import { EnrolmentDoor, invite } from "../console/enrolment.js";
import { fingerprint, installCertificate, makeAuthority, makeCertificate, makeRequest, signRequest, tlsFiles } from "../wire/certificates.js";
import { configText } from "../wire/config-file.js";
import { ConsoleConfig } from "../wire/console-config.js";
import { enrolment, mayBear, parseCode } from "../wire/enrolment.js";
import { RpcPeer } from "../wire/rpc.js";
import { connectTls } from "../wire/transport.js";
import { connectPinned } from "./join.js";

interface Site {
  readonly dir: string;
  readonly file: string;
  readonly authority: string;
  readonly config: ConsoleConfig;
  readonly added: string[];
}
/** A console's enrolment door on a port of its own, with an authority of its own. */
async function withSite(work: (site: Site, where: { host: string; port: number }) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-site-"));
  const authority = path.join(dir, "authority");
  const tls = tlsFiles(path.join(dir, "tls"), "console");
  await makeAuthority(authority, "test");
  await makeCertificate(authority, tls, "console:hmc1");
  const port = await freePort();
  const config = ConsoleConfig.parse({ name: "hmc1", stateDir: path.join(dir, "state"), runDir: path.join(dir, "run"), ssh: { listen: [] }, enrolment: { host: "127.0.0.1", port, authority }, tls, systems: [] });
  const file = path.join(dir, "console.yaml");
  fs.writeFileSync(file, configText(ConsoleConfig, { ...config, nativeDir: null }, "test"));
  const added: string[] = [];
  const inventory = { systems: () => [], add: (system: { name: string }) => void added.push(system.name) } as never;
  const door = new EnrolmentDoor({ config, configFile: file, inventory, log: silentLogger });
  await door.serve();
  try {
    await work({ dir, file, authority, config, added }, { host: "127.0.0.1", port });
  } finally {
    door.close();
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
const ADDRESS = { host: "192.0.2.11", port: 4410 };

test("a host joins with a code once: certificates for its own names, and the console knows it", async () => {
  await withSite(async (site, where) => {
    const { secret, fingerprint: expected } = parseCode(invite(site.config, "system", "ms01"));
    const files = tlsFiles(path.join(site.dir, "host"), "system");
    const joiner = await connectPinned(where, expected);
    assert.equal(joiner.name, "hmc1");
    assert.deepEqual(await joiner.client.call("invitation.get", { secret }), { role: "system", name: "ms01" });
    const request = await makeRequest(files, "system:ms01");
    // Names of others are refused, and the code stays good.
    for (const commonName of ["system:ms02", "console:hmc1", "vios:ms02/vios1", "vios:ms01/a/b", "vios:ms01/"]) await assert.rejects(joiner.client.call("join", { secret, requests: [{ commonName, request }], address: ADDRESS }), { code: "not-authorised" });
    const { certificates } = await joiner.client.call("join", { secret, requests: [{ commonName: "system:ms01", request }, { commonName: "vios:ms01/vios1", request }], address: ADDRESS });
    assert.deepEqual(certificates.map((one) => new X509Certificate(one).subject), ["CN=system:ms01", "CN=vios:ms01/vios1"]);
    assert.equal(new X509Certificate(certificates[0]!).ca, false);
    installCertificate(files, certificates[0]!, joiner.authority);
    for (const one of [files.key, files.cert, files.ca]) assert.equal(fs.statSync(one).mode & 0o777, 0o600);
    assert.deepEqual(site.added, ["ms01"]);
    assert.deepEqual((parse(fs.readFileSync(site.file, "utf8")) as ConsoleConfig).systems, [{ name: "ms01", ...ADDRESS }]);
    assert.match(fs.readFileSync(site.file, "utf8"), /# the managed systems/, "comments stay");
    await assert.rejects(joiner.client.call("join", { secret, requests: [{ commonName: "system:ms01", request }], address: ADDRESS }), { code: "not-authorised" });
    joiner.close();
    await assert.rejects(connectPinned(where, expected), /takes no stranger/);
    // With the new certificate it renews its own and its Virtual I/O Servers', and nobody else's.
    const peer = new RpcPeer(await connectTls(where, files, "console:hmc1"), { self: "system:ms01", caller: "console:hmc1", log: silentLogger });
    const renewed = await peer.client(enrolment).call("renew", { requests: [{ commonName: "vios:ms01/vios2", request }] });
    assert.equal(new X509Certificate(renewed.certificates[0]!).subject, "CN=vios:ms01/vios2");
    await assert.rejects(peer.client(enrolment).call("renew", { requests: [{ commonName: "system:ms02", request }] }), { code: "not-authorised" });
    peer.destroy();
  });
});

test("nothing is told to a console of another installation, and nothing is given for a code that was replaced or has run out", async () => {
  await withSite(async (site, where) => {
    const first = parseCode(invite(site.config, "system", "ms01"));
    const second = parseCode(invite(site.config, "system", "ms01"));
    await assert.rejects(connectPinned(where, Buffer.alloc(16)), { code: "not-authorised" });
    const joiner = await connectPinned(where, second.fingerprint);
    await assert.rejects(joiner.client.call("invitation.get", { secret: first.secret }), { code: "not-authorised" });
    await assert.rejects(joiner.client.call("renew", { requests: [{ commonName: "stranger", request: "x" }] }), { code: "not-authorised" });
    const [file] = fs.readdirSync(path.join(site.config.stateDir, "invitations"));
    const at = path.join(site.config.stateDir, "invitations", file!);
    fs.writeFileSync(at, fs.readFileSync(at, "utf8").replace(/"until":"[^"]+"/, '"until":"2000-01-01T00:00:00.000Z"'));
    await assert.rejects(joiner.client.call("invitation.get", { secret: second.secret }), { code: "not-authorised" });
    assert.equal(fs.existsSync(at), false);
    joiner.close();
  });
});

test("a certificate is made for the name that the authority says, and only for a request with its own key", async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-site-"));
  try {
    await makeAuthority(dir, "test");
    await assert.rejects(makeAuthority(dir, "test"), { code: "already-exists" });
    const files = tlsFiles(path.join(dir, "host"), "x");
    const request = await makeRequest(files, "console:wanted");
    const certificate = await signRequest(dir, request, "vios:a/b");
    assert.equal(new X509Certificate(certificate).subject, "CN=vios:a/b");
    assert.ok(fingerprint(certificate).length === 32);
    const der = Buffer.from(request.replace(/-----[^-]+-----/g, ""), "base64");
    der[der.length - 1]! ^= 1;
    for (const bad of [`-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`, "", certificate]) await assert.rejects(signRequest(dir, bad, "system:x"), { code: "invalid-argument" });
    await makeRequest(files, "console:wanted");
    assert.throws(() => installCertificate(files, certificate, certificate), /another key/);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
});

test("who may bear which name", () => {
  assert.ok(mayBear("system:ms01", "system:ms01") && mayBear("system:ms01", "vios:ms01/vios1") && mayBear("console:hmc1", "console:hmc1"));
  for (const [caller, name] of [["system:ms01", "vios:ms01x/vios1"], ["console:hmc1", "system:hmc1"], ["vios:ms01/vios1", "vios:ms01/vios2"], ["system:ms01", "system:ms011"]] as const) assert.equal(mayBear(caller, name), false, `${caller} ${name}`);
});

test("a code is refused as a whole when a character of it is missing", () => {
  for (const code of ["", "abc", "A".repeat(44), "!".repeat(43)]) assert.throws(() => parseCode(code), { code: "invalid-argument" });
});
