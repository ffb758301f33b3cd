/**
 * How hosts and further consoles come into an installation, and renew their certificates: asked of the console that keeps the authority, over TLS.
 * An invitation's code holds a secret and the authority's fingerprint. The joiner first asks for the authority's certificate, compares it with the fingerprint, and
 * compares the connection's certificate with the authority; only then does it show the secret, which is good once. For a renewal the caller's certificate speaks instead.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";

export const INVITATION_MINUTES = 15;
export const SECRET_BYTES = 16;
/** Of SHA-256: nobody finds another certificate with the same half. */
const FINGERPRINT_BYTES = 16;

const Pem = z.string().max(16_384);
const Requests = z.array(z.object({ commonName: z.string().max(200), request: Pem })).min(1).max(64);
const Address = z.object({ host: z.string().min(1).max(253), port: z.number().int().min(1).max(65535) });
export const Invitation = z.object({
  role: z.enum(["system", "console"]),
  /** of the managed system or console */
  name: z.string(),
  /** SHA-256 of the secret, hex */
  secretHash: z.string(),
  /** ISO 8601 */
  until: z.string(),
});
export type Invitation = z.infer<typeof Invitation>;

export const enrolment = {
  name: "enrolment",
  methods: {
    "authority.get": { params: z.object({}), result: z.object({ certificate: Pem }) },
    /** whom the code is for */
    "invitation.get": { params: z.object({ secret: z.string().max(100) }), result: Invitation.pick({ role: true, name: true }) },
    /** Uses the code up. `address`: where a managed system will listen. Certificates come in the order of the requests, with the managed systems that the console knows. */
    join: { params: z.object({ secret: z.string().max(100), requests: Requests, address: Address.nullable() }), result: z.object({ certificates: z.array(Pem), systems: z.array(Address.extend({ name: z.string() })) }) },
    /** for a caller with a certificate of this installation: its own name, and its Virtual I/O Servers' */
    renew: { params: z.object({ requests: Requests }), result: z.object({ certificates: z.array(Pem) }) },
  },
  events: {},
} as const;
export type Enrolment = typeof enrolment;

/** Names that a caller may have certificates for: its own, and a managed system for its Virtual I/O Servers. */
export function mayBear(caller: string, commonName: string): boolean {
  const servers = caller.startsWith("system:") ? `vios:${caller.slice("system:".length)}/` : null;
  return commonName === caller || (servers !== null && commonName.startsWith(servers) && /^[^/]+$/.test(commonName.slice(servers.length)));
}

/** `SECRET` and the authority's fingerprint as one word to be carried by a person. */
export const codeOf = (secret: Buffer, authorityFingerprint: Buffer): string => Buffer.concat([secret, authorityFingerprint.subarray(0, FINGERPRINT_BYTES)]).toString("base64url");
/** @throws OlpmError invalid-argument */
export function parseCode(code: string): { readonly secret: string; readonly fingerprint: Buffer } {
  const bytes = Buffer.from(code, "base64url");
  if (bytes.length !== SECRET_BYTES + FINGERPRINT_BYTES || bytes.toString("base64url") !== code) throw new OlpmError("invalid-argument", "This is no invitation's code.", { action: "openlpm invite on the console prints one." });
  return { secret: bytes.subarray(0, SECRET_BYTES).toString("base64url"), fingerprint: bytes.subarray(SECRET_BYTES) };
}
export const secretHash = (secret: string): string => createHash("sha256").update(secret).digest("hex");
