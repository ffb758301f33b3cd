/**
 * A partition's process whose pid file was never written: the system's process ended between starting it and that. It is found by its run directory, which it has in its words
 * from the beginning, also as the program that becomes QEMU a moment later.
 */
import fs from "node:fs";
import type { Logger } from "../../kit/log.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../../kit/proc.js";
import { until } from "../../kit/wait.js";
import { QmpClient } from "../../qmp/client.js";
import { qmpDoor, sockets } from "./arguments.js";
import { writeOurs } from "./run-dir.js";

/** The live process of a run directory, whoever started it. */
export function processOf(dir: string): ProcessIdentity | undefined {
  const door = qmpDoor(dir);
  for (const pid of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      if (!fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(door)) continue;
      const identity = identify(Number(pid));
      if (identity) return identity;
    } catch {
      // ended while we looked
    }
  }
  return undefined;
}

/**
 * Ends the process of a run directory without a pid file if it never ran, since nobody knows what of its start is missing; any other gets its pid file, since ending it would
 * lose a partition. `answerMsMax`: how long it may take to its first answer.
 */
export async function settleOrphan(dir: string, answerMsMax: number, log: Logger): Promise<void> {
  const identity = fs.existsSync(dir) ? processOf(dir) : undefined;
  if (!identity) return;
  const status = await firstStatus(dir, identity, answerMsMax);
  log.warn({ dir, pid: identity.pid, status }, "a partition's process without a pid file was found");
  if (["prelaunch", "inmigrate", "ended"].includes(status)) return killAndWait(identity);
  writeOurs(`${dir}/pid.json`, JSON.stringify(identity));
}

/** What QEMU says first; `unknown` when it does not answer. */
async function firstStatus(dir: string, identity: ProcessIdentity, deadlineMs: number): Promise<string> {
  try {
    return await until(
      async () => {
        if (!isAlive(identity)) return "ended";
        const qmp = await QmpClient.connect(sockets(dir).qmp).catch(() => undefined);
        return qmp && qmp.execute("query-status").then(({ status }: { status: string }) => status).finally(() => qmp.close());
      },
      { what: `the answer of process ${identity.pid}`, deadlineMs, everyMs: 20 },
    );
  } catch {
    return "unknown";
  }
}
