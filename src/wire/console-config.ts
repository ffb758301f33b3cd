/** Configuration file of a console process (YAML; docs/operate.md explains each key). */
import { z } from "zod";

export const ConsoleConfig = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  /** users, keys, host key, settings, history */
  stateDir: z.string(),
  runDir: z.string(),
  /**
   * Where the SSH door listens. The first sockets given by socket activation (LISTEN_FDS, descriptors 3..) replace the
   * first entries, so that a supervisor may open them in another network namespace.
   */
  ssh: z.object({ listen: z.array(z.object({ host: z.string(), port: z.number().int() })), sessionsMax: z.number().int().default(64) }),
  tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
  systems: z.array(z.object({ name: z.string(), host: z.string(), port: z.number().int() })),
  nativeDir: z.string(),
});
export type ConsoleConfig = z.infer<typeof ConsoleConfig>;
