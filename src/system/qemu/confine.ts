/**
 * How a partition's process is confined. Its account (accounts.ts) owns nothing: the run directory is given to it, the terminal's log reaches QEMU as an open
 * file, its taps and its doors of Virtual I/O Servers are opened to it by number.
 */
import fs from "node:fs";
import path from "node:path";

/** The account that all partitions of earlier versions share. */
const SHARED_ACCOUNT = "openlpm-lpar";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The one account of earlier versions, undefined where the host has none. Partitions that they started run on under it, and new ones get it while a Virtual I/O
 * Server of theirs is of such a version.
 */
export function sharedAccount(passwd = fs.readFileSync("/etc/passwd", "utf8")): Account | undefined {
  const words = passwd.split("\n").map((line) => line.split(":")).find(([name]) => name === SHARED_ACCOUNT);
  const [uid, gid] = [Number(words?.[2]), Number(words?.[3])];
  return words && Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 ? { uid, gid } : undefined;
}

/** Words before a program that make it the account's, without privileges now or later. KVM's device belongs to a group of its own. */
export function confinement(account: Account | undefined, accelerator: "kvm" | "tcg"): string[] {
  if (!account) return ["setpriv", "--no-new-privs", "--"];
  const groups = accelerator === "kvm" ? [`--groups=${fs.statSync("/dev/kvm").gid}`] : ["--clear-groups"];
  return ["setpriv", `--reuid=${account.uid}`, `--regid=${account.gid}`, ...groups, "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"];
}

/**
 * Lets partitions open their taps: most hosts have the device open to everybody already, which is harmless, since the kernel lets nobody else than the
 * owner of an interface attach to it (Linux Documentation/networking/tuntap.rst, "Set permissions").
 */
export function openTapDevice(): void {
  fs.chmodSync("/dev/net/tun", 0o666);
}

const OURS = "/run/openlpm";

/** Makes a run directory through which the account can pass to what is opened to it, without reading what is there; parents below /run/openlpm too. */
export function makePassable(dir: string): void {
  fs.mkdirSync(dir, { recursive: true, mode: 0o711 });
  for (let at = dir; at === dir || at === OURS || at.startsWith(`${OURS}/`); at = path.dirname(at)) fs.chmodSync(at, 0o711);
}
