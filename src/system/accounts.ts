/**
 * The account (uid and gid alike) under which the process of each partition runs: its own, from a range of numbers that nobody on the host has. So a QEMU that
 * its guest has broken out of reaches neither sockets nor memory of another partition. The account has no entry in /etc/passwd: nobody logs in as it.
 */
import fs from "node:fs";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { runAny } from "../kit/run.js";
import type { LparId } from "../model/ids.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { LparRow, Store } from "./store.js";
import type { Account } from "./qemu/confine.js";

/** What is needed of the hypervisor. */
interface Holder {
  readonly config: Pick<SystemConfig, "name" | "partitionUids">;
  readonly store: Store;
  update(lparId: LparId, change: (row: LparRow) => LparRow): LparRow;
}
type Range = SystemConfig["partitionUids"];

/** The number that was given last: one that became free is not given again at once, for files of it may be about. */
const LAST_FACT = "partition_uid_last";

/**
 * The account of a partition, chosen at its first start and kept in its row; another one when somebody else on the host has got the number meanwhile.
 * `running`: numbers of processes of other partitions, whatever their rows say. @throws OlpmError limit-reached: the range has none that is free
 */
export async function accountOf(holder: Holder, lparId: LparId, running: ReadonlySet<number>, isForeign: (uid: number) => Promise<boolean> = onThisHost): Promise<Account> {
  const { partitionUids: range, name } = holder.config;
  const taken = () => new Set([...running, ...holder.store.lpars().flatMap((row) => (row.lparId === lparId || row.uid === undefined ? [] : [row.uid]))]);
  const mine = holder.store.lpar(lparId)?.uid;
  if (mine !== undefined && !taken().has(mine) && !(await isForeign(mine))) return { uid: mine, gid: mine };
  for (const uid of inTurn(range, holder.store.fact(LAST_FACT, z.number()))) {
    if (taken().has(uid) || (await isForeign(uid)) || taken().has(uid)) continue;
    holder.store.transaction(() => {
      holder.update(lparId, (row) => ({ ...row, uid }));
      holder.store.putFact(LAST_FACT, uid);
    });
    return { uid, gid: uid };
  }
  throw new OlpmError("limit-reached", `${name} has no account left for another partition: each uid from ${range.first} to ${range.first + range.count - 1} is in use, has an entry on this host, or is not mapped into this container.`, { action: "Choose another range (partitionUids in /etc/openlpm/system.yaml) and restart the managed system." });
}

/** The whole range, beginning after `last`. */
export function* inTurn({ first, count }: Range, last: number | undefined): Generator<number> {
  const start = last === undefined || last < first || last >= first + count ? 0 : last + 1 - first;
  for (let step = 0; step < count; step++) yield first + ((start + step) % count);
}

/** True when the number is somebody's: an account or group by any source that the host asks, a range given to containers, or not a number of this container. */
async function onThisHost(uid: number): Promise<boolean> {
  if (unusable()(uid)) return true;
  const found = await Promise.all(DATABASES.map((database) => runAny(["getent", database, String(uid)])));
  return found.some(({ code }) => code === 0);
}
/** How many numbers of the range are somebody's, as far as the host lists them. */
export async function takenIn(range: Range): Promise<number> {
  const listed = await Promise.all(DATABASES.map((database) => runAny(["getent", database])));
  const theirs = new Set(listed.flatMap(({ stdout }) => stdout.split("\n").map((line) => Number(line.split(":")[2]))));
  const refused = unusable();
  return [...inTurn(range, undefined)].filter((uid) => theirs.has(uid) || refused(uid)).length;
}
const DATABASES = ["passwd", "group"] as const;
function unusable(): (uid: number) => boolean {
  const read = (file: string) => (fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "");
  const [lent, mapped] = [["/etc/subuid", "/etc/subgid"].map(read), ["/proc/self/uid_map", "/proc/self/gid_map"].map(read)];
  return (uid) => lent.some((lines) => isLent(lines, uid)) || !mapped.every((lines) => isMapped(lines, uid));
}
/** Lines `name:first:count` (subuid(5)). */
export const isLent = (lines: string, uid: number): boolean => lines.split("\n").map((line) => line.split(":").slice(1).map(Number)).some(([first = NaN, count = NaN]) => uid >= first && uid < first + count);
/** Lines `inside outside count` (user_namespaces(7)). */
export const isMapped = (lines: string, uid: number): boolean => lines.trim().split("\n").map((line) => line.trim().split(/\s+/).map(Number)).some(([first = NaN, , count = NaN]) => uid >= first && uid < first + count);
