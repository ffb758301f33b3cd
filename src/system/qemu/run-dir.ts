/**
 * The run directory of a partition's process. QEMU makes its sockets there, so its account may write to it; our own files are beside them. The directory is ours and
 * sticky, so that the account can neither remove nor replace them, and what stands under their names but is not ours is not believed: a spec or a pid that a
 * partition wrote itself would give it another's disks, or have another process ended.
 */
import fs from "node:fs";
import type { Account } from "./confine.js";

const { O_RDONLY, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** Lets the account make files in it. */
export function giveDir(dir: string, account: Account): void {
  fs.chownSync(dir, process.getuid!(), account.gid);
  fs.chmodSync(dir, 0o1770);
}

/** Our file's text; undefined when there is none, or it is not ours. */
export function readOurs(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fs.fstatSync(descriptor);
    return found.isFile() && found.uid === process.getuid!() ? fs.readFileSync(descriptor, "utf8") : undefined;
  } finally {
    fs.closeSync(descriptor);
  }
}
/** Puts a file of ours in the place of whatever is there, 0600. */
export function writeOurs(file: string, text: string): void {
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, text, { mode: 0o600, flag: "wx" });
}
/** A log of ours, to be added to; gives the descriptor. */
export const openOurs = (file: string): number => fs.openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
