/**
 * Virtual Ethernet of a managed system, in the hypervisor's network namespace: one bridge for each virtual switch and VLAN (`vsw0-1`), one tap for each
 * client adapter (`t3s2`: partition 3, slot 2) on the bridge of its own VLAN, and for each additional VLAN of it a veth pair (`t3s2v20` on that VLAN's bridge,
 * `u3s2v20`), between which and the tap native/vlan puts in and takes out the 802.1Q tags. For each VLAN of a trunk adapter a veth pair whose other end lies in the
 * VIOS's namespace. Of the trunks of one VLAN only one is up, else the LAN would have a loop. Everything here may be there already and is then left or put right.
 */
import { OlpmError } from "../kit/errors.js";
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

/** Where a client adapter is. */
export interface Plug {
  readonly lparId: LparId;
  readonly slot: number;
  readonly vswitchId: number;
  /** its frames without a tag */
  readonly vlanId: number;
  /** its frames with their tags */
  readonly additionalVlanIds: readonly number[];
}

const bridgeName = (vswitchId: number, vlanId: number): string => `vsw${vswitchId}-${vlanId}`;
const tapName = (lparId: number, slot: number): string => `t${lparId}s${slot}`;
/** The longest, `t256s65534v4094`, has as many characters as a name may have. */
const portName = (tap: string, vlanId: number): string => `${tap}v${vlanId}`;
const farPortName = (tap: string, vlanId: number): string => `u${portName(tap, vlanId).slice(1)}`;
const trunkName = ({ lparId, vswitchId, vlanId }: Pick<Trunk, "lparId" | "vswitchId" | "vlanId">): string => (vswitchId === 0 ? `tr${lparId}-${vlanId}` : `tr${lparId}.${vswitchId}-${vlanId}`);

export class Network {
  readonly #namespace: string | null;
  readonly #vlanProgram: string;
  readonly #log: Logger;
  /** Changes of links follow each other: two at a time would find each other's half-made ones. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ namespace, vlanProgram }: { readonly namespace: string | null; readonly vlanProgram: string }, log: Logger) {
    this.#namespace = namespace;
    this.#vlanProgram = vlanProgram;
    this.#log = log;
  }

  /** Makes the tap of an adapter, which `user` may open, and joins it to its VLANs; gives its name. @throws OlpmError unsupported: this kernel can not do tags */
  plug(where: Plug, user: number): Promise<string> {
    const tap = tapName(where.lparId, where.slot);
    return this.#next(async () => {
      await this.#remove(tap);
      await this.#ip("tuntap", "add", "dev", tap, "mode", "tap", "user", String(user));
      await this.#join(tap, where);
      return tap;
    });
  }

  /** Joins the tap of a running partition to other VLANs. @throws OlpmError as plug */
  rejoin(where: Plug): Promise<void> {
    return this.#next(() => this.#join(tapName(where.lparId, where.slot), where));
  }

  /** Removes the taps of a partition. Absent counts as removed. */
  unplug(lparId: LparId, slots: readonly number[]): Promise<void> {
    return this.#next(async () => {
      for (const slot of slots) await this.#remove(tapName(lparId, slot));
    });
  }

  /** Makes the trunk's pair of interfaces, the near one down. */
  addTrunk(trunk: Trunk): Promise<void> {
    return this.#next(async () => {
      await this.#bridge(trunk.vswitchId, trunk.vlanId);
      const near = trunkName(trunk);
      await this.#tryIp("link", "delete", "dev", near);
      await run(["nsenter", `--net=/run/netns/${trunk.namespace}`, "--", "ip", "link", "delete", "dev", trunk.remoteName]).catch(() => undefined);
      await this.#ip("link", "add", "name", near, "type", "veth", "peer", "name", trunk.remoteName);
      await this.#ip("link", "set", "dev", trunk.remoteName, "netns", trunk.namespace);
      await this.#ip("link", "set", "dev", near, "master", bridgeName(trunk.vswitchId, trunk.vlanId));
    });
  }

  /** Removes the trunk; its peer in the VIOS's namespace goes with it. */
  removeTrunk(trunk: Trunk): Promise<void> {
    return this.#next(() => this.#tryIp("link", "delete", "dev", trunkName(trunk)));
  }

  /** One trunk of `trunks` (all of one switch and VLAN) carries the traffic, the others are taken down first. One that its VIOS got in the configuration after its start is not there yet. */
  activate(trunks: readonly Trunk[], active: LparId | undefined): Promise<void> {
    return this.#next(async () => {
      for (const trunk of trunks.filter((one) => one.lparId !== active)) await this.#tryIp("link", "set", "dev", trunkName(trunk), "down");
      for (const trunk of trunks.filter((one) => one.lparId === active)) if (await this.#has(trunkName(trunk))) await this.#ip("link", "set", "dev", trunkName(trunk), "up");
    });
  }

  /** The tags come first: before them a frame with one would reach whoever else is on the adapter's own VLAN. */
  async #join(tap: string, { vswitchId, vlanId, additionalVlanIds }: Plug): Promise<void> {
    await this.#removePorts(tap);
    for (const additional of additionalVlanIds) {
      await this.#ip("link", "add", "name", portName(tap, additional), "type", "veth", "peer", "name", farPortName(tap, additional));
      await this.#ip("link", "set", "dev", farPortName(tap, additional), "up");
    }
    await this.#tags(tap, additionalVlanIds);
    for (const additional of additionalVlanIds) await this.#joinBridge(portName(tap, additional), vswitchId, additional);
    await this.#joinBridge(tap, vswitchId, vlanId);
  }
  async #joinBridge(port: string, vswitchId: number, vlanId: number): Promise<void> {
    await this.#bridge(vswitchId, vlanId);
    await this.#ip("link", "set", "dev", port, "master", bridgeName(vswitchId, vlanId));
    await this.#ip("link", "set", "dev", port, "up");
  }
  /** Frames with tags go to these VLANs and no others; without any they are dropped, as an adapter that is none of IEEE 802.1Q does. */
  async #tags(tap: string, vlanIds: readonly number[]): Promise<void> {
    const { code, stderr } = await runAny(this.#inside(this.#vlanProgram, tap, ...vlanIds.map((vlanId) => `${vlanId}=${farPortName(tap, vlanId)}`)));
    if (code === 0) return;
    if (vlanIds.length > 0) throw new OlpmError("unsupported", `802.1Q tags can not be set up on ${tap}: ${stderr.trim()}`, { action: "The host's kernel needs sch_ingress and cls_bpf for adapters with additional VLANs; or give each VLAN an adapter of its own." });
    this.#log.warn({ tap, stderr: stderr.trim() }, "frames with 802.1Q tags are not kept out of a virtual switch");
  }
  async #remove(tap: string): Promise<void> {
    await this.#removePorts(tap);
    await this.#tryIp("link", "delete", "dev", tap);
  }
  async #removePorts(tap: string): Promise<void> {
    const { stdout } = await runAny(this.#inside("ip", "-br", "link", "show", "type", "veth"));
    const ports = stdout.split("\n").flatMap((line) => line.split(/[@\s]/)[0] ?? []).filter((name) => name.startsWith(`${tap}v`));
    for (const port of ports) await this.#tryIp("link", "delete", "dev", port);
  }

  async #bridge(vswitchId: number, vlanId: number): Promise<void> {
    const name = bridgeName(vswitchId, vlanId);
    if (!(await this.#has(name))) await this.#ip("link", "add", "name", name, "type", "bridge", "stp_state", "0", "forward_delay", "0");
    await this.#ip("link", "set", "dev", name, "up");
  }

  async #has(name: string): Promise<boolean> {
    return (await runAny(this.#argv("link", "show", "dev", name))).code === 0;
  }
  #argv(...words: string[]): [string, ...string[]] {
    return this.#inside("ip", ...words);
  }
  #inside(program: string, ...words: string[]): [string, ...string[]] {
    return this.#namespace === null ? [program, ...words] : ["nsenter", `--net=/run/netns/${this.#namespace}`, "--", program, ...words];
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
