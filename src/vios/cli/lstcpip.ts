/** `lstcpip`: the interfaces with their addresses and counters (hmc-cli 7.4: field 4 is the address). Pure; links.ts reads them. */
import type { Link } from "./links.js";
import { lines, parseWords } from "./words.js";

export const LSTCPIP_USAGE = "lstcpip [-num]";
const WIDTHS = [6, 6, 12, 18, 12, 6, 12, 6, 6] as const;

/** `names`: AIX's name of the interface on each Ethernet device; other interfaces are not the operator's. @throws CommandFailure */
export function lstcpipText(words: readonly string[], links: readonly Link[], names: ReadonlyMap<string, string>): string {
  // Names are never looked up, so both forms print numbers.
  parseWords(words, { flags: ["-num"], usage: LSTCPIP_USAGE });
  const row = (values: readonly string[]) => values.map((value, i) => value.padEnd(WIDTHS[i] ?? 0)).join("").trimEnd();
  const rows = links.flatMap((link) => {
    const name = link.ifname === "lo" ? "lo0" : names.get(link.ifname);
    if (name === undefined) return [];
    const { rx, tx } = link.stats64;
    const counts = [rx.packets, rx.errors, tx.packets, tx.errors, tx.collisions].map(String);
    const hardware = link.ifname === "lo" ? [] : [row([name, String(link.mtu), "link", link.address.replaceAll(":", "."), ...counts])];
    return [...hardware, ...link.addr_info.flatMap(({ family, local, prefixlen }) => (family === "inet" && local !== undefined ? [row([name, String(link.mtu), network(local, prefixlen), local, ...counts])] : []))];
  });
  return lines([row(["Name", "Mtu", "Network", "Address", "Ipkts", "Ierrs", "Opkts", "Oerrs", "Coll"]), ...rows]);
}

/** The bytes of the network, as netstat shows them: `10.0.0`. */
function network(address: string, prefix: number): string {
  return address.split(".").slice(0, Math.max(1, Math.ceil(prefix / 8))).join(".");
}
