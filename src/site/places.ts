/** Where an installation lies on its hosts. */
import fs from "node:fs";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { writePrivate } from "../wire/config-file.js";

export const ETC = "/etc/openlpm";
export const AUTHORITY_DIR = `${ETC}/authority`;
export const ENROLMENT_PORT = 4411;
const INSTALLATION_FILE = `${ETC}/installation.yaml`;

/** The console that keeps the authority, as the joined hosts know it. */
export const Installation = z.strictObject({ console: z.string(), host: z.string(), port: z.number().int() });
export type Installation = z.infer<typeof Installation>;

export function writeInstallation(installation: Installation): void {
  writePrivate(INSTALLATION_FILE, `# The console that keeps this installation's authority: openlpm renew asks it.\n${stringify(installation)}`);
}
/** @throws OlpmError not-found */
export function readInstallation(): Installation {
  if (!fs.existsSync(INSTALLATION_FILE)) throw new OlpmError("not-found", "This host has joined no installation.", { action: "openlpm join lets it." });
  return Installation.parse(parse(fs.readFileSync(INSTALLATION_FILE, "utf8")));
}

/** `HOST` or `HOST:PORT`; an IPv6 address with a port is `[HOST]:PORT`. */
export function hostAndPort(text: string, port: number): { readonly host: string; readonly port: number } {
  const found = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  return found ? { host: found[1]!, port: found[2] === undefined ? port : Number(found[2]) } : { host: text, port };
}
