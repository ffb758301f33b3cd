/**
 * Caps of partitions: one group of the cpu and memory controllers for each partition process, version 1 (cpu.cfs_quota_us) or 2 (cpu.max), whichever
 * the host has. A host without a writable cpu controller runs partitions uncapped, which is logged once for each.
 */
import fs from "node:fs";
import path from "node:path";

const PERIOD_US = 100_000;
/** Version 1 wants at least this much. */
const QUOTA_US_MIN = 1_000;
const V1 = "/sys/fs/cgroup/cpu";
const V1_MEMORY = "/sys/fs/cgroup/memory";
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
      passOn(name, "+cpu");
      write("cpu.max", `${quota ?? "max"} ${PERIOD_US}`);
      write("cpu.weight", String(Math.min(10_000, Math.max(1, cap.weight))));
    }
    write("cgroup.procs", String(pid));
    return true;
  } catch {
    return false;
  }
}

/**
 * What QEMU takes beside a partition's memory: translated code (1 GiB at most, `-accel tcg,tb-size`), tables and buffers. A limit that is too low would end a partition
 * that does nothing wrong.
 */
const QEMU_BYTES_MAX = 1536 << 20;
/** Host pages beyond the memory that a partition was given are refused to it. Without a memory controller they are not. */
export function capMemory(name: string, pid: number, bytes: number): void {
  const v1 = fs.existsSync(path.join(V1_MEMORY, "memory.limit_in_bytes"));
  const dir = path.join(v1 ? V1_MEMORY : V2, "openlpm", name);
  try {
    fs.mkdirSync(dir, { recursive: true });
    if (!v1) passOn(name, "+memory");
    fs.writeFileSync(path.join(dir, v1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes + QEMU_BYTES_MAX));
    fs.writeFileSync(path.join(dir, "cgroup.procs"), String(pid));
  } catch {
    // No controller, or more is in use than shall be: what the host counts as given out is right all the same.
  }
}

/** A group has the controller's files when every group above it passes the controller on (Linux Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling"). */
function passOn(name: string, controller: string): void {
  for (let above = V2, rest = ["openlpm", ...name.split("/")]; rest.length > 0; above = path.join(above, rest.shift()!)) fs.writeFileSync(path.join(above, "cgroup.subtree_control"), controller);
}

/** Removes the groups; their process must be gone. Absent counts as removed. */
export function dropCap(name: string): void {
  for (const top of [V1, V1_MEMORY, V2].map((one) => path.join(one, "openlpm"))) drop(path.join(top, name), top);
}
function drop(dir: string, top: string): void {
  for (; dir.startsWith(top); dir = path.dirname(dir)) {
    try {
      fs.rmdirSync(dir);
    } catch {
      return; // absent, or not empty: other partitions are below it
    }
  }
}
