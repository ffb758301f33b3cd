/**
 * Reads the database's own file out of a LUN, past the partition, the VIOS and the SAN protocol: the proof that an acknowledged write is on
 * the disk. The LUN may be in use: a copy is taken, its journal replayed as a mount would, and the file read from that.
 */
import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { run, runAny } from "../kit/run.js";

/** Directory of Redis' append-only file in the partition. */
const AOF_DIR = "/var/lib/redis/appendonlydir";

/** Numbers that RPUSH commands of `key` in the append-only file have written, in order. */
export function pushedNumbers(aof: Buffer, key: string): number[] {
  const found: number[] = [];
  const marker = `$5\r\nRPUSH\r\n$${key.length}\r\n${key}\r\n$`;
  const text = aof.toString("latin1");
  for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + 1)) {
    const begin = text.indexOf("\r\n", at + marker.length) + 2;
    const end = text.indexOf("\r\n", begin);
    if (begin < 2 || end < 0) break; // a command cut short by the end of the file was never acknowledged
    found.push(Number(text.slice(begin, end)));
  }
  return found;
}

/**
 * The numbers among 1..acknowledged that are missing from the database's file on the LUN. Empty: nothing was lost.
 * @throws OlpmError storage-failed when the file system on the LUN can not be read
 */
export async function missingWrites(lunFile: string, key: string, acknowledged: number): Promise<number[]> {
  const present = new Set(pushedNumbers(await readAof(lunFile), key));
  const missing: number[] = [];
  for (let number = 1; number <= acknowledged; number++) if (!present.has(number)) missing.push(number);
  return missing;
}

async function readAof(lunFile: string): Promise<Buffer> {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), "olpm-lun-"));
  try {
    const copy = path.join(dir, "lun.img");
    await run(["cp", "--sparse=always", lunFile, copy], { deadlineMs: 120_000 });
    const check = await runAny(["e2fsck", "-E", "journal_only", "-y", copy], { deadlineMs: 120_000 });
    // 1: errors corrected (the journal was replayed); 4 and above: not a file system that a partition could mount
    if (check.code > 2) throw new OlpmError("storage-failed", `the file system on ${lunFile} can not be read: ${check.stderr.trim() || check.stdout.trim()}`);
    const listing = await run(["debugfs", "-R", `ls -p ${AOF_DIR}`, copy]);
    const names = [...listing.matchAll(/^\/\d+\/\d+\/\d+\/\d+\/(appendonly\.aof\.\d+\.(?:base\.\w+|incr\.aof))\//gm)].map((match) => match[1]!);
    const parts: Buffer[] = [];
    for (const name of names.sort((a, b) => Number(/incr/.test(a)) - Number(/incr/.test(b)) || a.localeCompare(b))) {
      const out = path.join(dir, name);
      await run(["debugfs", "-R", `dump ${AOF_DIR}/${name} ${out}`, copy]);
      parts.push(await fs.readFile(out));
    }
    if (parts.length === 0) throw new OlpmError("storage-failed", `no append-only file of the database on ${lunFile}`);
    return Buffer.concat(parts);
  } finally {
    await fs.rm(dir, { recursive: true, force: true });
  }
}
