/**
 * Processor caps of partitions: one group of the cpu controller for each partition process, version 1 (cpu.cfs_quota_us) or 2 (cpu.max), whichever
 * the host has. A host without a writable cpu controller runs partitions uncapped, which is logged once for each.
 */
import fs from "node:fs";
import path from "node:path";

const PERIOD_US = 100_000;
/** Version 1 wants at least this much. */
const QUOTA_US_MIN = 1_000;
const V1 = "/sys/fs/cgroup/cpu";
const V2 = "/sys/fs/cgroup";

const root = (): { readonly dir: string; readonly version: 1 | 2 } | undefined => {
  if (fs.existsSync(path.join(V1, "cpu.cfs_quota_us")) || fs.existsSync(path.join(V1, "cpu.shares"))) return { dir: V1, version: 1 };
  return fs.existsSync(path.join(V2, "cgroup.controllers")) ? { dir: V2, version: 2 } : undefined;
};

/** `name`: path below `openlpm/`, unique on this host. Gives false when the host offers no cpu controller. */
export function capProcess(name: string, pid: number, cap: { readonly units: number | null; readonly weight: number }): boolean {
  const at = root();
  if (!at) return false;
  try {
    const dir = path.join(at.dir, "openlpm", name);
    fs.mkdirSync(dir, { recursive: true });
    const quota = cap.units === null ? null : Math.max(QUOTA_US_MIN, (cap.units * PERIOD_US) / 100);
    const write = (file: string, text: string) => fs.writeFileSync(path.join(dir, file), text);
    if (at.version === 1) {
      write("cpu.cfs_period_us", String(PERIOD_US));
      write("cpu.cfs_quota_us", quota === null ? "-1" : String(quota));
      write("cpu.shares", String(Math.max(2, cap.weight * 8)));
    } else {
      // A group has the controller's files when every group above it passes the controller on (Linux Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling").
      for (let above = at.dir, rest = ["openlpm", ...name.split("/")]; rest.length > 0; above = path.join(above, rest.shift()!)) fs.writeFileSync(path.join(above, "cgroup.subtree_control"), "+cpu");
      write("cpu.max", `${quota ?? "max"} ${PERIOD_US}`);
      write("cpu.weight", String(Math.min(10_000, Math.max(1, cap.weight))));
    }
    write("cgroup.procs", String(pid));
    return true;
  } catch {
    return false;
  }
}

/** Removes the group; its process must be gone. Absent counts as removed. */
export function dropCap(name: string): void {
  const at = root();
  if (!at) return;
  for (let dir = path.join(at.dir, "openlpm", name); dir.startsWith(path.join(at.dir, "openlpm")); dir = path.dirname(dir)) {
    try {
      fs.rmdirSync(dir);
    } catch {
      return; // not empty: other partitions are below it
    }
  }
}
