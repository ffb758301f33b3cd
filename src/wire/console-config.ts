/** Configuration file of a console process (YAML). The descriptions are the manual: docs/operate.md prints them. */
import { z } from "zod";
import { SystemName } from "../model/system.js";
import { NativeDir, Port, TlsKeys } from "./system-config.js";

export const CONSOLE_CONFIG_FILE = "/etc/openlpm/console.yaml";

export const ConsoleConfig = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, "a console's name has 1 to 31 small letters, digits and -").describe("name of the console, as in its certificate; its migrations bear it"),
  stateDir: z.string().default("/var/lib/openlpm/console").describe("users, keys, the SSH door's host keys, log; 0700"),
  runDir: z.string().default("/run/openlpm/console").describe("sockets; a short path, since a socket's path has at most 107 bytes"),
  ssh: z.strictObject({
    // The first sockets given by socket activation (LISTEN_FDS, descriptors 3..) replace the first entries, so that a supervisor may open them in another network namespace.
    listen: z.array(z.strictObject({ host: z.string(), port: Port })).describe("addresses of the SSH door, each `host` and `port`"),
    sessionsMax: z.number().int().min(1).default(64).describe("sessions open at the same time"),
  }),
  enrolment: z
    .strictObject({
      host: z.string().describe("address at which hosts join and renew their certificates"),
      port: Port.default(4411).describe("its port"),
      authority: z.string().default("/etc/openlpm/authority").describe("directory with the authority's key and certificate (`ca.key`, `ca.crt`)"),
    })
    .nullable()
    .default(null)
    .describe("only on the console that keeps the installation's authority"),
  tls: TlsKeys("console").describe("the authority's certificate, and this console's certificate (`console:NAME`) and key"),
  systems: z.array(z.strictObject({ name: SystemName, host: z.string(), port: Port.default(4410) })).describe("the managed systems, each `name`, `host`, `port`; `openlpm join` on a host adds it here"),
  nativeDir: NativeDir,
});
export type ConsoleConfig = z.infer<typeof ConsoleConfig>;
