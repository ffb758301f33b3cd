/** Certificates of a laboratory: an authority of its own, and one certificate for each process whose common name is its role and name. Made by openssl. */
import fs from "node:fs";
import path from "node:path";
import { run } from "../kit/run.js";

const DAYS = "3650";

export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export const tlsFiles = (dir: string, certificate: string): TlsFiles => ({ ca: path.join(dir, "ca.crt"), cert: path.join(dir, `${certificate}.crt`), key: path.join(dir, `${certificate}.key`) });

/** Makes the authority in `dir` (0700). */
export async function makeAuthority(dir: string, name: string): Promise<void> {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { ca } = tlsFiles(dir, "ca");
  await run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", DAYS, "-subj", `/CN=${name}`, "-keyout", path.join(dir, "ca.key"), "-out", ca]);
  fs.chmodSync(path.join(dir, "ca.key"), 0o600);
}

/** Makes a key and a certificate with this common name, signed by the authority in `dir`. */
export async function makeCertificate(dir: string, certificate: string, commonName: string): Promise<void> {
  const { ca, cert, key } = tlsFiles(dir, certificate);
  const request = path.join(dir, `${certificate}.csr`);
  await run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${commonName.replaceAll("/", "\\/")}`, "-keyout", key, "-out", request]);
  await run(["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", path.join(dir, "ca.key"), "-days", DAYS, "-out", cert]);
  fs.chmodSync(key, 0o600);
  fs.rmSync(request);
}
