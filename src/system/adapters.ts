/**
 * The physical adapters of a Virtual I/O Server: its network namespace and what the configuration puts into it, made before it starts and given back by
 * `openlpm release`. Everything may be there already and is then left. A namespace whose adapters somebody else makes has none in the configuration.
 */
import fs from "node:fs";
import { OlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { run, runAny } from "../kit/run.js";
import type { SystemConfig, ViosHardware, ViosInterface } from "../wire/system-config.js";

/** Makes what is missing. @throws OlpmError wrong-state with what the host lacks */
export async function provideAdapters(config: SystemConfig, hardware: ViosHardware, log: Logger): Promise<void> {
  if (hardware.interfaces.length === 0) return;
  const { namespace } = hardware;
  if (!(await namespaceWorks(namespace))) {
    // A file without its mount is left behind when a host's /run outlived the namespace.
    fs.rmSync(`/run/netns/${namespace}`, { force: true });
    await run(["ip", "netns", "add", namespace]);
    log.info({ vios: hardware.name, namespace }, "network namespace made");
  }
  await run(["ip", "-n", namespace, "link", "set", "dev", "lo", "up"]);
  for (const one of hardware.interfaces) {
    if (!(await isThere(["-n", namespace], one.name))) {
      await provide(config, hardware, one);
      log.info({ vios: hardware.name, interface: one.name, from: one.from, kind: one.kind }, "adapter given to a Virtual I/O Server");
    }
    if (one.mtu !== null) await run(["ip", "-n", namespace, "link", "set", "dev", one.name, "mtu", String(one.mtu)]);
    if (one.address !== null) await run(["ip", "-n", namespace, "address", "replace", one.address, "dev", one.name]);
    await run(["ip", "-n", namespace, "link", "set", "dev", one.name, "up"]);
  }
}

async function provide(config: SystemConfig, hardware: ViosHardware, one: ViosInterface): Promise<void> {
  const { namespace } = hardware;
  const where = `vioses: ${hardware.name}: ${one.name}`;
  if (!(await isThere([], one.from))) throw new OlpmError("wrong-state", `${where}: this host has no interface ${one.from}.`, { action: "ip link shows what there is; the configuration says which one the Virtual I/O Server gets." });
  switch (one.kind) {
    case "move":
      if (await carries(one.from, config.listen.host)) throw new OlpmError("wrong-state", `${where}: ${one.from} carries this host's own address ${config.listen.host}, and would be taken from it.`, { action: "Give the Virtual I/O Server another adapter, or make a bridge of this one and use kind: bridge." });
      await run(["ip", "link", "set", "dev", one.from, "down"]);
      await run(["ip", "link", "set", "dev", one.from, "netns", namespace, "name", one.name]);
      return;
    case "bridge": {
      if (!(await isBridge(one.from))) throw new OlpmError("wrong-state", `${where}: ${one.from} is no bridge.`, { action: "Make one with the host's adapter in it, or use kind: move." });
      const near = `v${hardware.lparId}-${one.name}`.slice(0, 15);
      if (await isThere([], near)) await run(["ip", "link", "delete", "dev", near]);
      await run(["ip", "link", "add", "name", near, "type", "veth", "peer", "name", one.name, "netns", namespace]);
      await run(["ip", "link", "set", "dev", near, "master", one.from, "up"]);
      return;
    }
    case "macvlan":
      await run(["ip", "link", "set", "dev", one.from, "up"]);
      await run(["ip", "link", "add", "link", one.from, "name", one.name, "netns", namespace, "type", "macvlan", "mode", "bridge"]);
  }
}

/**
 * Gives the adapters back to the host and removes the namespace. Nothing there counts as done.
 * @throws OlpmError conflict while processes are in the namespace
 */
export async function releaseAdapters(hardware: ViosHardware): Promise<void> {
  const { namespace } = hardware;
  if (hardware.interfaces.length === 0 || !(await namespaceWorks(namespace))) return;
  const pids = (await run(["ip", "netns", "pids", namespace])).trim();
  if (pids !== "") throw new OlpmError("conflict", `The Virtual I/O Server ${hardware.name} runs (process ${pids.replaceAll("\n", ", ")}).`, { action: "Move its partitions away or shut them down, then shut it down with chsysstate." });
  for (const one of hardware.interfaces.filter((other) => other.kind === "move")) {
    if (!(await isThere(["-n", namespace], one.name))) continue;
    await run(["ip", "-n", namespace, "link", "set", "dev", one.name, "down"]);
    await run(["ip", "-n", namespace, "link", "set", "dev", one.name, "netns", String(process.pid), "name", one.from]);
  }
  await run(["ip", "netns", "delete", namespace]);
}

const namespaceWorks = async (namespace: string): Promise<boolean> => fs.existsSync(`/run/netns/${namespace}`) && (await runAny(["ip", "-n", namespace, "link"])).code === 0;
const isThere = async (where: readonly string[], name: string): Promise<boolean> => (await runAny(["ip", ...where, "link", "show", "dev", name])).code === 0;
const isBridge = async (name: string): Promise<boolean> => /"info_kind":"bridge"/.test((await runAny(["ip", "-d", "-j", "link", "show", "dev", name])).stdout);
async function carries(name: string, address: string): Promise<boolean> {
  const links = JSON.parse(await run(["ip", "-j", "address", "show", "dev", name])) as { addr_info: { local?: string }[] }[];
  return links.some((link) => link.addr_info.some((one) => one.local === address));
}
