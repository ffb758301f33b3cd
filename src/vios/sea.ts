/**
 * Shared Ethernet Adapters: bridges in the Virtual I/O Server's network namespace between the uplink to the LAN and the trunk adapters of the
 * virtual switch, one for each VLAN. The first VLAN is without tags on the uplink; native/vlan puts the tags of the others in and takes them out. The namespace and the uplink are there before us and stay; the system moves the trunk interfaces in, perhaps later and
 * perhaps again, so they are watched for. `Vios` starts and stops it.
 */
import fs from "node:fs";
import { toOlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { run, runAny } from "../kit/run.js";
import { delay } from "../kit/wait.js";
import type { ViosConfig } from "../wire/system-vios.js";

export type SeaConfig = ViosConfig["sea"][number];

/** A trunk that appears is bridged within this. */
const LOOK_EVERY_MS = 200;
/** A trunk that was taken away and came back between two looks is found at the latest after so many of them. */
const LOOKS_PER_CHECK = 25;

interface Link {
  readonly ifname: string;
  readonly address: string;
  readonly master?: string;
  readonly linkinfo?: { readonly info_kind?: string };
}
interface Route {
  readonly dst: string;
  readonly gateway?: string;
}

/** Interfaces of this process's network namespace, from the text of /proc/net/dev: no process is started for a look. */
export function interfacesIn(procNetDev: string): Set<string> {
  return new Set(procNetDev.split("\n").flatMap((line) => /^\s*([^\s:]+):/.exec(line)?.[1] ?? []));
}
const interfaces = (): Set<string> => interfacesIn(fs.readFileSync("/proc/self/net/dev", "utf8"));

/** One VLAN: its bridge, its trunk to the virtual switch, and for those with tags the port between bridge and tags. */
interface Segment {
  readonly vlanId: number;
  readonly bridge: string;
  readonly trunk: string;
}
interface TaggedSegment extends Segment {
  readonly port: string;
  readonly farPort: string;
}

export class SharedEthernet {
  readonly #config: SeaConfig;
  readonly #vlanProgram: string;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  readonly #segments: readonly Segment[];
  readonly #tagged: readonly TaggedSegment[];
  /** trunks that are joined to their bridge */
  readonly #bridged = new Set<string>();
  #watching: Promise<void> = Promise.resolve();

  constructor(config: SeaConfig, vlanProgram: string, log: Logger) {
    this.#config = config;
    this.#vlanProgram = vlanProgram;
    this.#log = log.child({ sea: config.name });
    const [first, ...others] = config.segments;
    this.#tagged = others.map(({ vlanId, trunk }) => ({ vlanId, trunk, bridge: `${config.name}-${vlanId}`, port: `${config.name}v${vlanId}`, farPort: `${config.name}u${vlanId}` }));
    this.#segments = [{ ...first!, bridge: config.name }, ...this.#tagged];
  }

  /** True while both sides are bridged, with all VLANs. */
  get available(): boolean {
    return this.#segments.every((one) => this.#bridged.has(one.trunk));
  }
  /** Interfaces behind the shared adapter and behind its trunk adapter; of each the first is the VLAN without tags. */
  get interfaces(): { readonly bridges: readonly string[]; readonly trunks: readonly string[] } {
    return { bridges: this.#segments.map((one) => one.bridge), trunks: this.#segments.map((one) => one.trunk) };
  }

  /**
   * Bridges the uplink, moves the address to the bridge, and goes on watching for the trunks. Everything may be there already.
   * @throws OlpmError refused (no such uplink; this kernel can not do tags)
   */
  async start(): Promise<void> {
    await this.#bridge();
    this.#watching = this.#watch().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, "the trunk interface is not watched any more");
    });
  }

  /** Removes the bridges; the interfaces stay, the Virtual I/O Server is off the LAN. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#watching;
    for (const { port } of this.#tagged) await runAny(["ip", "link", "delete", "dev", port]);
    for (const { bridge } of this.#segments) await runAny(["ip", "link", "delete", "dev", bridge, "type", "bridge"]);
    this.#bridged.clear();
  }

  async #bridge(): Promise<void> {
    const { name, uplink, address, prefix, segments } = this.#config;
    const uplinkLink = await link(uplink);
    const routes = JSON.parse(await run(["ip", "-4", "-j", "route", "show", "dev", uplink, "proto", "boot"])) as Route[];
    await this.#makeBridge(name, uplinkLink.address);
    await this.#tags(uplinkLink.address);
    if (uplinkLink.master !== name) await run(["ip", "link", "set", "dev", uplink, "master", name]);
    await run(["ip", "address", "flush", "dev", uplink]);
    await run(["ip", "link", "set", "dev", uplink, "up"]);
    await run(["ip", "link", "set", "dev", name, "up"]);
    if (address !== null) await run(["ip", "address", "replace", `${address}/${prefix}`, "dev", name]);
    for (const route of routes) if (route.gateway !== undefined) await run(["ip", "route", "replace", route.dst, "via", route.gateway, "dev", name]);
    this.#log.info({ uplink, address, vlans: segments.map((one) => one.vlanId) }, "shared Ethernet adapter bridges the uplink");
  }

  /** Each VLAN after the first gets a bridge of its own, and a way to the uplink on which its frames have their tags. */
  async #tags(address: string): Promise<void> {
    const { uplink } = this.#config;
    if (this.#tagged.length === 0) return;
    for (const { bridge, port, farPort } of this.#tagged) {
      await this.#makeBridge(bridge, address);
      if (!interfaces().has(port)) await run(["ip", "link", "add", "name", port, "type", "veth", "peer", "name", farPort]);
    }
    await run([this.#vlanProgram, uplink, ...this.#tagged.map(({ vlanId, farPort }) => `${vlanId}=${farPort}`)]);
    for (const { bridge, port, farPort } of this.#tagged) {
      await run(["ip", "link", "set", "dev", farPort, "up"]);
      await run(["ip", "link", "set", "dev", port, "master", bridge, "up"]);
      await run(["ip", "link", "set", "dev", bridge, "up"]);
    }
  }

  async #makeBridge(name: string, address: string): Promise<void> {
    if (!interfaces().has(name)) await run(["ip", "link", "add", "name", name, "address", address, "type", "bridge", "stp_state", "0", "forward_delay", "0"]);
  }

  async #watch(): Promise<void> {
    for (let looks = 0; ; looks++) {
      const present = interfaces();
      for (const segment of this.#segments) {
        if (!present.has(segment.trunk)) this.#bridged.delete(segment.trunk);
        else if (!this.#bridged.has(segment.trunk) || looks % LOOKS_PER_CHECK === 0) await this.#joinTrunk(segment);
      }
      await delay(LOOK_EVERY_MS, this.#stopped.signal);
    }
  }

  /** The interface may vanish under our hands; the next look sees that. */
  async #joinTrunk({ bridge, trunk, vlanId }: Segment): Promise<void> {
    try {
      if ((await link(trunk)).master !== bridge) {
        await run(["ip", "link", "set", "dev", trunk, "master", bridge]);
        this.#log.info({ trunk, vlanId }, "shared Ethernet adapter bridges the trunk");
      }
      await run(["ip", "link", "set", "dev", trunk, "up"]);
      this.#bridged.add(trunk);
    } catch (error) {
      this.#log.warn({ err: toOlpmError(error, `bridging ${trunk}`) }, "the trunk interface could not be bridged");
    }
  }
}

async function link(name: string): Promise<Link> {
  const [found] = JSON.parse(await run(["ip", "-j", "-d", "link", "show", "dev", name])) as Link[];
  return found!;
}
