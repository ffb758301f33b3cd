/** What the kernel says of the network interfaces in the Virtual I/O Server's namespace, for entstat and lstcpip. */
import { z } from "zod";
import { run } from "../../kit/run.js";

const Counters = z.object({ bytes: z.number(), packets: z.number(), errors: z.number(), dropped: z.number() });
const Link = z.object({
  ifname: z.string(),
  mtu: z.number(),
  address: z.string().default(""),
  flags: z.array(z.string()),
  stats64: z.object({ rx: Counters.extend({ multicast: z.number().default(0) }), tx: Counters.extend({ collisions: z.number().default(0) }) }),
  addr_info: z.array(z.object({ family: z.string(), local: z.string().optional(), prefixlen: z.number() })).default([]),
});
export type Link = z.infer<typeof Link>;

/** @throws OlpmError refused */
export const readLinks = async (): Promise<Link[]> => z.array(Link).parse(JSON.parse(await run(["ip", "-j", "-s", "-d", "address", "show"])));
