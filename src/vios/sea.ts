/**
 * Shared Ethernet Adapters: bridges in the Virtual I/O Server's network namespace between the uplink to the LAN and the trunk adapters of the
 * virtual switch. The namespace and the uplink are there before us and stay; the system moves the trunk interfaces in, perhaps later and
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

export class SharedEthernet {
  readonly #config: SeaConfig;
  readonly #log: Logger;
  readonly #stopped = new AbortController();
  #trunkBridged = false;
  #watching: Promise<void> = Promise.resolve();

  constructor(config: SeaConfig, log: Logger) {
    this.#config = config;
    this.#log = log.child({ sea: config.name });
  }

  /** True while both sides are bridged. */
  get available(): boolean {
    return this.#trunkBridged;
  }

  /**
   * Bridges the uplink, moves the address to the bridge, and goes on watching for the trunk. Everything may be there already.
   * @throws OlpmError refused (no such uplink)
   */
  async start(): Promise<void> {
    await this.#bridge();
    this.#watching = this.#watch().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted) this.#log.error({ err: error }, "the trunk interface is not watched any more");
    });
  }

  /** Removes the bridge; the interfaces stay, the Virtual I/O Server is off the LAN. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#watching;
    await runAny(["ip", "link", "delete", "dev", this.#config.name, "type", "bridge"]);
    this.#trunkBridged = false;
  }

  async #bridge(): Promise<void> {
    const { name, uplink, address, prefix } = this.#config;
    const uplinkLink = await link(uplink);
    const routes = JSON.parse(await run(["ip", "-4", "-j", "route", "show", "dev", uplink, "proto", "boot"])) as Route[];
    if (!interfaces().has(name)) await run(["ip", "link", "add", "name", name, "address", uplinkLink.address, "type", "bridge", "stp_state", "0", "forward_delay", "0"]);
    if (uplinkLink.master !== name) await run(["ip", "link", "set", "dev", uplink, "master", name]);
    await run(["ip", "address", "flush", "dev", uplink]);
    await run(["ip", "link", "set", "dev", uplink, "up"]);
    await run(["ip", "link", "set", "dev", name, "up"]);
    if (address !== null) await run(["ip", "address", "replace", `${address}/${prefix}`, "dev", name]);
    for (const route of routes) if (route.gateway !== undefined) await run(["ip", "route", "replace", route.dst, "via", route.gateway, "dev", name]);
    this.#log.info({ uplink, address }, "shared Ethernet adapter bridges the uplink");
  }

  async #watch(): Promise<void> {
    const { trunk } = this.#config;
    for (let looks = 0; ; looks++) {
      const present = interfaces().has(trunk);
      if (!present) this.#trunkBridged = false;
      else if (!this.#trunkBridged || looks % LOOKS_PER_CHECK === 0) await this.#joinTrunk();
      await delay(LOOK_EVERY_MS, this.#stopped.signal);
    }
  }

  /** The interface may vanish under our hands; the next look sees that. */
  async #joinTrunk(): Promise<void> {
    const { name, trunk } = this.#config;
    try {
      if ((await link(trunk)).master !== name) {
        await run(["ip", "link", "set", "dev", trunk, "master", name]);
        this.#log.info({ trunk }, "shared Ethernet adapter bridges the trunk");
      }
      await run(["ip", "link", "set", "dev", trunk, "up"]);
      this.#trunkBridged = true;
    } catch (error) {
      this.#log.warn({ err: toOlpmError(error, `bridging ${trunk}`) }, "the trunk interface could not be bridged");
    }
  }
}

async function link(name: string): Promise<Link> {
  const [found] = JSON.parse(await run(["ip", "-j", "-d", "link", "show", "dev", name])) as Link[];
  return found!;
}
