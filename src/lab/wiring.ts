/**
 * LAN and SAN of a laboratory: network namespaces, joined by veth pairs to one bridge each. The LAN has a bridge for each VLAN; a cable from a Virtual I/O Server
 * carries the first VLAN of its shared Ethernet adapter without tags and the others with 802.1Q tags, as a switch's trunk port does.
 */
import fs from "node:fs";
import path from "node:path";
import { run, runAny } from "../kit/run.js";
import { lanSegment, PREFIX, SAN_ADDRESS, vlansOf, type LabPlan } from "./plan.js";

export const inNamespace = (namespace: string, ...argv: string[]): [string, ...string[]] => ["nsenter", `--net=/run/netns/${namespace}`, "--", ...argv];

const namespacesOf = (plan: LabPlan): string[] => [plan.lan.namespace, plan.san.namespace, ...plan.consoles.map((one) => one.namespace), ...plan.systems.flatMap((system) => [system.namespace, ...system.vioses.map((vios) => vios.namespace)])];

export async function wire(plan: LabPlan, nativeDir: string): Promise<void> {
  for (const namespace of namespacesOf(plan)) {
    await run(["ip", "netns", "add", namespace]);
    await run(["ip", "-n", namespace, "link", "set", "dev", "lo", "up"]);
  }
  for (const segment of vlansOf(plan).map(lanSegment)) await bridge(plan.lan.namespace, segment.bridge, segment.address);
  await bridge(plan.san.namespace, "san0", SAN_ADDRESS);
  let port = 0;
  const join = async (network: { readonly namespace: string; readonly bridge: string }, namespace: string, name: string, address: string | null) => {
    const near = `p${++port}`;
    await run(["ip", "-n", network.namespace, "link", "add", "name", near, "type", "veth", "peer", "name", name, "netns", namespace]);
    await run(["ip", "-n", network.namespace, "link", "set", "dev", near, "master", network.bridge, "up"]);
    if (address !== null) await run(["ip", "-n", namespace, "address", "add", `${address}/${PREFIX}`, "dev", name]);
    await run(["ip", "-n", namespace, "link", "set", "dev", name, "up"]);
    return near;
  };
  const lan = { namespace: plan.lan.namespace, bridge: "lan0" };
  const san = { namespace: plan.san.namespace, bridge: "san0" };
  for (const one of plan.consoles) await join(lan, one.namespace, "lan0", one.lanAddress);
  for (const system of plan.systems) {
    await join(lan, system.namespace, "mgmt0", system.lanAddress);
    for (const vios of system.vioses) {
      // The LAN side has no address of its own: the shared Ethernet adapter's bridge gets it.
      for (const [at, { vlanIds: [untagged, ...tagged] }] of system.networks.entries()) {
        const near = await join({ ...lan, bridge: lanSegment(untagged!).bridge }, vios.namespace, `lan${at}`, null);
        if (tagged.length > 0) await trunkPort(plan, near, tagged, nativeDir);
      }
      await join(san, vios.namespace, "san0", vios.sanAddress);
    }
  }
}

async function trunkPort(plan: LabPlan, port: string, vlanIds: readonly number[], nativeDir: string): Promise<void> {
  const { namespace } = plan.lan;
  for (const vlanId of vlanIds) {
    await run(["ip", "-n", namespace, "link", "add", "name", `${port}v${vlanId}`, "type", "veth", "peer", "name", `${port}u${vlanId}`]);
    await run(["ip", "-n", namespace, "link", "set", "dev", `${port}u${vlanId}`, "up"]);
    await run(["ip", "-n", namespace, "link", "set", "dev", `${port}v${vlanId}`, "master", lanSegment(vlanId).bridge, "up"]);
  }
  await run(inNamespace(namespace, path.join(nativeDir, "vlan"), port, ...vlanIds.map((vlanId) => `${vlanId}=${port}u${vlanId}`)));
}

async function bridge(namespace: string, name: string, address: string): Promise<void> {
  await run(["ip", "-n", namespace, "link", "add", "name", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"]);
  await run(["ip", "-n", namespace, "address", "add", `${address}/${PREFIX}`, "dev", name]);
  await run(["ip", "-n", namespace, "link", "set", "dev", name, "up"]);
}

/** Namespaces of a laboratory that are there, also of one whose plan was lost. */
export function foundNamespaces(name: string): string[] {
  const dir = "/run/netns";
  return fs.existsSync(dir) ? fs.readdirSync(dir).filter((entry) => entry.startsWith(`olpm-${name}-`)) : [];
}

/** Ends whatever still runs in the laboratory's namespaces, then removes them. */
export async function unwire(name: string): Promise<void> {
  for (const namespace of foundNamespaces(name)) {
    const { stdout } = await runAny(["ip", "netns", "pids", namespace]);
    for (const pid of stdout.split("\n").map(Number).filter((one) => one > 1)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // ended meanwhile
      }
    }
  }
  for (const namespace of foundNamespaces(name)) await run(["ip", "netns", "delete", namespace]);
}
