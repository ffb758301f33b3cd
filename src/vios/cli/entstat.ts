/** `entstat`: counters and state of an Ethernet device (hmc-cli 7.4). What the kernel does not count is not printed. Pure; links.ts reads the counters. */
import type { Link } from "./links.js";
import { unknownDevice } from "./lsdev.js";
import { CommandFailure, lines, parseWords } from "./words.js";

export const ENTSTAT_USAGE = "entstat [-all] EthernetDevice";

export interface EthernetDevice {
  readonly name: string;
  readonly kind: "Ethernet Adapter" | "Virtual I/O Ethernet Adapter (l-lan)" | "Shared Ethernet Adapter";
  /** the interfaces behind it, one for each VLAN or one for all; the first has its address */
  readonly interfaces: readonly string[];
}
export interface SharedDevice {
  readonly sea: EthernetDevice;
  readonly uplink: EthernetDevice;
  readonly trunk: EthernetDevice;
  readonly vlanIds: readonly number[];
  readonly priority: number;
}

const RULE = "-".repeat(62);

/** @throws CommandFailure */
export function entstatText(words: readonly string[], shared: readonly SharedDevice[], links: readonly Link[]): string {
  const parsed = parseWords(words, { flags: ["-all"], operandsMax: 1, usage: ENTSTAT_USAGE });
  const [name] = parsed.operands;
  if (name === undefined) throw new CommandFailure(`Required parameter is missing.\n\nUsage: ${ENTSTAT_USAGE}`);
  const owner = shared.find((one) => [one.sea, one.uplink, one.trunk].some((device) => device.name === name)) ?? unknownDevice("entstat", name);
  const device = [owner.sea, owner.uplink, owner.trunk].find((one) => one.name === name)!;
  if (device !== owner.sea) return lines([...statistics(device, links), ...(device === owner.trunk ? trunkLines(owner, links) : [])]);
  const head = [...statistics(owner.sea, links), RULE, `Statistics for adapters in the Shared Ethernet Adapter ${owner.sea.name}`, RULE, "Number of adapters: 2", "VLAN IDs :", `    ${owner.trunk.name}: ${owner.vlanIds.join(" ")}`, ...sides(owner, links), `State: ${isActive(owner, links) ? "PRIMARY" : "BACKUP"}`, ""];
  if (!parsed.has("-all")) return lines(head);
  return lines([...head, `Real Adapter: ${owner.uplink.name}`, "", ...statistics(owner.uplink, links), `Virtual Adapter: ${owner.trunk.name}`, "", ...statistics(owner.trunk, links), ...trunkLines(owner, links)]);
}

/** The first interface, with the counters of all. */
function linkOf(device: EthernetDevice, links: readonly Link[]): Link | undefined {
  const behind = device.interfaces.flatMap((name) => links.find((link) => link.ifname === name) ?? []);
  const sum = <T extends Record<string, number>>(counters: readonly T[]): T => Object.fromEntries(Object.keys(counters[0]!).map((name) => [name, counters.reduce((total, one) => total + (one[name] ?? 0), 0)])) as T;
  return behind[0] && { ...behind[0], stats64: { rx: sum(behind.map((link) => link.stats64.rx)), tx: sum(behind.map((link) => link.stats64.tx)) } };
}
/** The near end of a trunk is up while it carries the traffic of its VLAN, and its far end has a carrier then. */
const isActive = ({ trunk }: SharedDevice, links: readonly Link[]): boolean => linkOf(trunk, links)?.flags.includes("LOWER_UP") ?? false;

function statistics(device: EthernetDevice, links: readonly Link[]): string[] {
  const link = linkOf(device, links);
  const head = [RULE, `ETHERNET STATISTICS (${device.name}) :`, `Device Type: ${device.kind}`];
  if (!link) return [...head, "Hardware Address: none", "Driver Flags: Down", ""];
  const { rx, tx } = link.stats64;
  const both = (left: string, right: string) => `${left.padEnd(46)}${right}`;
  return [
    ...head,
    `Hardware Address: ${link.address}`,
    "",
    both("Transmit Statistics:", "Receive Statistics:"),
    both("--------------------", "-------------------"),
    both(`Packets: ${tx.packets}`, `Packets: ${rx.packets}`),
    both(`Bytes: ${tx.bytes}`, `Bytes: ${rx.bytes}`),
    both(`Transmit Errors: ${tx.errors}`, `Receive Errors: ${rx.errors}`),
    both(`Packets Dropped: ${tx.dropped}`, `Packets Dropped: ${rx.dropped}`),
    both(`Collisions: ${tx.collisions}`, `Multicast Packets: ${rx.multicast}`),
    "",
    "General Statistics:",
    "-------------------",
    `Driver Flags: ${link.flags.includes("UP") ? "Up" : "Down"}${link.flags.includes("LOWER_UP") ? " Running" : ""}`,
    "",
  ];
}
const trunkLines = (owner: SharedDevice, links: readonly Link[]): string[] => ["Trunk Adapter: True", `  Priority: ${owner.priority}  Active: ${isActive(owner, links) ? "True" : "False"}`, `Port VLAN ID: ${String(owner.vlanIds[0] ?? "")}`, `VLAN Tag IDs: ${owner.vlanIds.slice(1).join(" ") || "None"}`, ""];
function sides({ uplink, trunk }: SharedDevice, links: readonly Link[]): string[] {
  return ([["Real", uplink], ["Virtual", trunk]] as const).flatMap(([side, device]) => {
    const counts = linkOf(device, links)?.stats64;
    return counts ? [`${side} Side Statistics:`, `    Packets received: ${counts.rx.packets}`, `    Packets transmitted: ${counts.tx.packets}`] : [];
  });
}
