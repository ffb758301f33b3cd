/**
 * Certificates of an installation, made by openssl: an authority, and one certificate for each process whose common name is its role and name (transport.ts).
 * A key is made where it is used and never leaves that host: what travels is the request and the certificate.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { run } from "../kit/run.js";
import { writePrivate } from "./config-file.js";
import type { TlsFiles } from "./transport.js";

/** The authority outlives the machines; certificates are renewed by a timer long before their end (`openlpm renew`). */
const AUTHORITY_DAYS = 7300;
const CERTIFICATE_DAYS = 730;
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const;
const EXTENSIONS = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n";

export const tlsFiles = (dir: string, certificate: string): TlsFiles => ({ ca: path.join(dir, "ca.crt"), cert: path.join(dir, `${certificate}.crt`), key: path.join(dir, `${certificate}.key`) });

/** Makes an authority (`ca.key`, `ca.crt`) in `dir` (0700). @throws OlpmError already-exists */
export async function makeAuthority(dir: string, name: string): Promise<void> {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [key, cert] = [path.join(dir, "ca.key"), path.join(dir, "ca.crt")];
  if (fs.existsSync(key)) throw new OlpmError("already-exists", `${dir} has an authority already.`);
  const made = await inScratch(async (scratch) => {
    const file = path.join(scratch, "ca.key");
    const text = await run(["openssl", "req", "-x509", ...KEY, "-days", String(AUTHORITY_DAYS), "-subj", subject(name), "-keyout", file]);
    return { key: fs.readFileSync(file), cert: text };
  });
  writePrivate(key, made.key);
  writePrivate(cert, made.cert);
}

/** Makes a new key beside the present one (`KEY.pending`) and gives the request for its certificate, in PEM. `installCertificate` puts both into place. */
export async function makeRequest(files: Pick<TlsFiles, "key">, commonName: string): Promise<string> {
  fs.mkdirSync(path.dirname(files.key), { recursive: true, mode: 0o700 });
  return inScratch(async (scratch) => {
    const file = path.join(scratch, "key");
    const request = await run(["openssl", "req", ...KEY, "-subj", subject(commonName), "-keyout", file]);
    writePrivate(pending(files.key), fs.readFileSync(file));
    return request;
  });
}
const pending = (key: string): string => `${key}.pending`;

/** Puts a certificate, its key and the authority's certificate into place. @throws OlpmError refused when the certificate is not for the key that waits */
export function installCertificate(files: TlsFiles, certificate: string, authority: string): void {
  const key = fs.readFileSync(pending(files.key));
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) throw new OlpmError("refused", `the certificate that came for ${files.cert} belongs to another key`);
  writePrivate(files.ca, authority);
  writePrivate(files.cert, certificate);
  fs.renameSync(pending(files.key), files.key);
}

/**
 * Signs a request for `commonName`, whatever name the request itself bears: the name is the authority's to give.
 * @throws OlpmError invalid-argument when it is no request or is not signed by its own key
 */
export async function signRequest(authorityDir: string, request: string, commonName: string): Promise<string> {
  return inScratch(async (scratch) => {
    const [csr, extensions] = [path.join(scratch, "csr"), path.join(scratch, "extensions")];
    fs.writeFileSync(csr, request, { mode: 0o600 });
    fs.writeFileSync(extensions, EXTENSIONS, { mode: 0o600 });
    const authority = { cert: path.join(authorityDir, "ca.crt"), key: path.join(authorityDir, "ca.key") };
    for (const file of Object.values(authority)) fs.accessSync(file, fs.constants.R_OK);
    const words = ["openssl", "x509", "-req", "-in", csr, "-CA", authority.cert, "-CAkey", authority.key, "-subj", subject(commonName), "-extfile", extensions, "-days", String(CERTIFICATE_DAYS)] as const;
    return run(words).catch((cause: unknown) => {
      throw new OlpmError("invalid-argument", `what came for ${commonName} is no certificate request, or not signed by its own key`, { cause });
    });
  });
}

/** Key and certificate in one step, where the authority and the process are on one host. */
export async function makeCertificate(authorityDir: string, files: TlsFiles, commonName: string): Promise<void> {
  const request = await makeRequest(files, commonName);
  installCertificate(files, await signRequest(authorityDir, request, commonName), fs.readFileSync(path.join(authorityDir, "ca.crt"), "utf8"));
}

/** SHA-256 of a certificate's DER. */
export const fingerprint = (certificate: string): Buffer => createHash("sha256").update(new X509Certificate(certificate).raw).digest();

/** Common name and the end of a certificate's time. */
export function certificateFacts(file: string): { readonly commonName: string; readonly validFrom: Date; readonly validTo: Date } {
  const certificate = new X509Certificate(fs.readFileSync(file));
  return { commonName: /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? "unknown", validFrom: new Date(certificate.validFrom), validTo: new Date(certificate.validTo) };
}

const subject = (name: string): string => `/CN=${name.replaceAll(/[\\/+]/g, "\\$&")}`;

async function inScratch<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-tls-"));
  try {
    return await work(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
