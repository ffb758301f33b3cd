/**
 * Virtual Ethernet of a managed system, in the hypervisor's network namespace: one bridge for each virtual switch and VLAN (`vsw0-1`), one tap for each
 * client adapter (`t3s2`: partition 3, slot 2), one veth pair for each trunk adapter whose other end lies in the VIOS's namespace. Of the trunks of one
 * VLAN only one is up, else the LAN would have a loop. Everything here may be there already and is then left or put right.
 */
import type { Logger } from "../kit/log.js";
import { run, runAny } from "../kit/run.js";
import type { LparId } from "../model/ids.js";

export interface Trunk {
  readonly lparId: LparId;
  readonly vswitchId: number;
  readonly vlanId: number;
  readonly priority: number;
  /** network namespace of the VIOS, and the interface's name there */
  readonly namespace: string;
  readonly remoteName: string;
}

const bridgeName = (vswitchId: number, vlanId: number): string => `vsw${vswitchId}-${vlanId}`;
const tapName = (lparId: number, slot: number): string => `t${lparId}s${slot}`;
const trunkName = (lparId: number, vlanId: number): string => `tr${lparId}-${vlanId}`;

export class Network {
  readonly #namespace: string | null;
  readonly #log: Logger;
  /** Changes of links follow each other: two at a time would find each other's half-made ones. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(namespace: string | null, log: Logger) {
    this.#namespace = namespace;
    this.#log = log;
  }

  /** Makes the tap of an adapter, which `user` may open, and joins it to its VLAN; gives its name. */
  plug(lparId: LparId, slot: number, vswitchId: number, vlanId: number, user: number): Promise<string> {
    const tap = tapName(lparId, slot);
    return this.#next(async () => {
      await this.#tryIp("link", "delete", "dev", tap);
      await this.#ip("tuntap", "add", "dev", tap, "mode", "tap", "user", String(user));
      await this.#join(tap, vswitchId, vlanId);
      return tap;
    });
  }

  /** Joins the tap of a running partition to another VLAN. */
  rejoin(lparId: LparId, slot: number, vswitchId: number, vlanId: number): Promise<void> {
    return this.#next(() => this.#join(tapName(lparId, slot), vswitchId, vlanId));
  }

  /** Removes the taps of a partition. Absent counts as removed. */
  unplug(lparId: LparId, slots: readonly number[]): Promise<void> {
    return this.#next(async () => {
      for (const slot of slots) await this.#tryIp("link", "delete", "dev", tapName(lparId, slot));
    });
  }

  /** Makes the trunk's pair of interfaces, the near one down. */
  addTrunk(trunk: Trunk): Promise<void> {
    return this.#next(async () => {
      await this.#bridge(trunk.vswitchId, trunk.vlanId);
      const near = trunkName(trunk.lparId, trunk.vlanId);
      await this.#tryIp("link", "delete", "dev", near);
      await run(["nsenter", `--net=/run/netns/${trunk.namespace}`, "--", "ip", "link", "delete", "dev", trunk.remoteName]).catch(() => undefined);
      await this.#ip("link", "add", "name", near, "type", "veth", "peer", "name", trunk.remoteName);
      await this.#ip("link", "set", "dev", trunk.remoteName, "netns", trunk.namespace);
      await this.#ip("link", "set", "dev", near, "master", bridgeName(trunk.vswitchId, trunk.vlanId));
    });
  }

  /** Removes the trunk; its peer in the VIOS's namespace goes with it. */
  removeTrunk(lparId: LparId, vlanId: number): Promise<void> {
    return this.#next(() => this.#tryIp("link", "delete", "dev", trunkName(lparId, vlanId)));
  }

  /** One trunk of `trunks` (all of one switch and VLAN) carries the traffic, the others are taken down first. */
  activate(trunks: readonly Trunk[], active: LparId | undefined): Promise<void> {
    return this.#next(async () => {
      for (const trunk of trunks.filter((one) => one.lparId !== active)) await this.#tryIp("link", "set", "dev", trunkName(trunk.lparId, trunk.vlanId), "down");
      for (const trunk of trunks.filter((one) => one.lparId === active)) await this.#ip("link", "set", "dev", trunkName(trunk.lparId, trunk.vlanId), "up");
    });
  }

  async #join(tap: string, vswitchId: number, vlanId: number): Promise<void> {
    await this.#bridge(vswitchId, vlanId);
    await this.#ip("link", "set", "dev", tap, "master", bridgeName(vswitchId, vlanId));
    await this.#ip("link", "set", "dev", tap, "up");
  }

  async #bridge(vswitchId: number, vlanId: number): Promise<void> {
    const name = bridgeName(vswitchId, vlanId);
    const { code } = await runAny(this.#argv("link", "show", "dev", name));
    if (code !== 0) await this.#ip("link", "add", "name", name, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await this.#ip("link", "set", "dev", name, "up");
  }

  #argv(...words: string[]): [string, ...string[]] {
    return this.#namespace === null ? ["ip", ...words] : ["nsenter", `--net=/run/netns/${this.#namespace}`, "--", "ip", ...words];
  }
  async #ip(...words: string[]): Promise<void> {
    await run(this.#argv(...words));
  }
  /** For what may be gone already. */
  async #tryIp(...words: string[]): Promise<void> {
    const { code, stderr } = await runAny(this.#argv(...words));
    if (code !== 0 && !/Cannot find device/.test(stderr)) this.#log.warn({ words, stderr: stderr.trim() }, "a network interface could not be changed");
  }
  #next<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
