/**
 * What dynamic partitioning decides, without doing it. Pure.
 *
 * The machine of an emulated partition has all its memory in one piece (model/lpar.ts, MemoryPiece). Any other pseries machine has boot memory, which holds firmware and kernel and stays while the partition runs, and behind it memory devices that come and go, each a
 * multiple of a logical memory block (QEMU docs/specs/ppc-spapr-hotplug, hw/ppc/spapr.c). Processor cores are numbered from 0, and the highest goes first.
 */
import { OlpmError } from "../kit/errors.js";
import type { MachineLayout, MemoryDevice, ResourceConfig } from "../model/lpar.js";
import { bytesToMb, unitsToText } from "../model/units.js";

/** SPAPR_MEMORY_BLOCK_SIZE: boot memory, its maximum and every memory device are multiples of it. */
export const BLOCK_BYTES = 256 << 20;
/** SPAPR_MAX_RAM_SLOTS */
export const MEMORY_SLOTS = 32;
/** A partition is started with this much in one piece, if it gets as much: firmware, kernel and initial file system lie there, and 256 MB are tight. */
const BOOT_BYTES = 512 << 20;
/** SPAPR_DEVICE_MEM_ALIGN: where the addresses of memory devices begin. */
const REGION_ALIGN = 2 ** 30;
/** At the start half of the slots are left for what comes later. */
const SLOTS_AT_START = MEMORY_SLOTS / 2;

export type Operation = "add" | "remove" | "set";
export interface ResizeRequest {
  readonly memory: { readonly operation: Operation; readonly bytes: number } | null;
  /** units in hundredths of a processor; null leaves a value as it is */
  readonly proc: { readonly operation: Operation; readonly procs: number | null; readonly units: number | null } | null;
  readonly sharing: { readonly mode: ResourceConfig["proc"]["sharingMode"] | null; readonly weight: number | null } | null;
}

/**
 * The configuration that is asked for.
 * @throws OlpmError invalid-argument OLPM-L01 (no whole blocks), OLPM-L02 (above the maximum), OLPM-L03 (below the minimum), and for what does not go together
 */
export function wantedResources(current: ResourceConfig, request: ResizeRequest, lmbBytes: number): ResourceConfig {
  const memory = request.memory === null ? current.memory : { ...current.memory, desiredBytes: wantedMemory(current.memory, request.memory, lmbBytes) };
  return { ...current, memory, proc: wantedSharing(wantedProcessors(current.proc, request.proc), request.sharing) };
}

function wantedMemory(memory: ResourceConfig["memory"], { operation, bytes }: NonNullable<ResizeRequest["memory"]>, lmbBytes: number): number {
  if (bytes <= 0 || bytes % lmbBytes !== 0)
    throw new OlpmError("invalid-argument", `The quantity of ${bytesToMb(bytes)} MB is not a multiple of the logical memory block size of ${bytesToMb(lmbBytes)} MB.`, { hsc: "OLPM-L01", action: "lshwres -r mem --level sys -F mem_region_size shows the size of a block." });
  const wanted = changed(memory.desiredBytes, operation, bytes);
  within("memory", wanted, memory.minBytes, memory.maxBytes, (value) => `${bytesToMb(value)} MB`);
  return wanted;
}

function wantedProcessors(proc: ResourceConfig["proc"], request: ResizeRequest["proc"]): ResourceConfig["proc"] {
  if (request === null) return proc;
  if (proc.mode === "ded" && request.units !== null) throw new OlpmError("invalid-argument", "A partition with dedicated processors has no processing units of its own; give --procs.");
  if ((request.procs ?? 1) <= 0 || (request.units ?? 1) <= 0) throw new OlpmError("invalid-argument", "The number of processors or processing units must be above 0.");
  const procs = request.procs === null ? proc.desiredProcs : changed(proc.desiredProcs, request.operation, request.procs);
  within("number of processors", procs, proc.minProcs, proc.maxProcs, String);
  if (proc.mode === "ded") return { ...proc, desiredProcs: procs, desiredUnits: procs * 100 };
  const units = request.units === null ? proc.desiredUnits : changed(proc.desiredUnits, request.operation, request.units);
  within("processing units", units, proc.minUnits, proc.maxUnits, unitsToText);
  if (units < procs * 5) throw new OlpmError("invalid-argument", `${unitsToText(units)} processing units are too few for ${procs} virtual processors: each needs at least 0.05.`);
  if (units > procs * 100) throw new OlpmError("invalid-argument", `${unitsToText(units)} processing units are more than ${procs} virtual processors can use.`);
  return { ...proc, desiredProcs: procs, desiredUnits: units };
}

const SHARED_MODES = ["cap", "uncap"] as const;
function wantedSharing(proc: ResourceConfig["proc"], request: ResizeRequest["sharing"]): ResourceConfig["proc"] {
  if (request === null) return proc;
  const mode = request.mode ?? proc.sharingMode;
  const ofShared = (SHARED_MODES as readonly string[]).includes(mode);
  if (ofShared !== (proc.mode === "shared")) throw new OlpmError("invalid-argument", `The sharing mode ${mode} is not for a partition with ${proc.mode === "shared" ? "shared" : "dedicated"} processors.`);
  if (request.weight !== null && mode !== "uncap") throw new OlpmError("invalid-argument", `The attribute uncap_weight is only for the sharing mode uncap.`);
  return { ...proc, sharingMode: mode, uncapWeight: request.weight ?? proc.uncapWeight };
}

const changed = (now: number, operation: Operation, by: number): number => (operation === "add" ? now + by : operation === "remove" ? now - by : by);
function within(what: string, wanted: number, min: number, max: number, text: (value: number) => string): void {
  if (wanted > max) throw new OlpmError("invalid-argument", `The ${what} would be ${text(wanted)}, above the partition's maximum of ${text(max)}.`, { hsc: "OLPM-L02", action: "The maximum is the profile's; it takes effect when the partition is activated with it." });
  if (wanted < min) throw new OlpmError("invalid-argument", `The ${what} would be ${text(Math.max(0, wanted))}, below the partition's minimum of ${text(min)}.`, { hsc: "OLPM-L03", action: "The minimum is the profile's; it takes effect when the partition is activated with it." });
}

/**
 * How a partition is put together when it is activated. `emulated`: its machine has the maximum in one piece, else it could not move (docs/dependencies.md, rule
 * OLPM-VS04), but no more than the system has, `systemBytes`: QEMU looks at every page of it when it copies, also at those that nobody ever used.
 */
export function layoutAtStart({ memory, proc }: ResourceConfig, lmbBytes: number, emulated?: { readonly systemBytes: number }): MachineLayout {
  if (emulated) {
    const { desiredBytes } = memory;
    const bytes = Math.max(desiredBytes, Math.min(memory.maxBytes, Math.floor(emulated.systemBytes / lmbBytes) * lmbBytes));
    return { bootBytes: desiredBytes, piece: { bytes, knownBytes: desiredBytes, givenBytes: desiredBytes }, memory: [], cores: proc.desiredProcs, procs: proc.desiredProcs };
  }
  const bootBytes = Math.max(memory.minBytes, Math.min(memory.desiredBytes, BOOT_BYTES));
  const empty: MachineLayout = { bootBytes, memory: [], cores: proc.desiredProcs, procs: proc.desiredProcs };
  return { ...empty, memory: placed(empty, memory.maxBytes, sizes((memory.desiredBytes - bootBytes) / lmbBytes, SLOTS_AT_START).map((blocks) => blocks * lmbBytes), lmbBytes) };
}
/** What an earlier version of this product started: everything in one piece. */
export const layoutOf = (current: ResourceConfig, layout: MachineLayout | undefined): MachineLayout => layout ?? { bootBytes: current.memory.desiredBytes, memory: [], cores: current.proc.desiredProcs, procs: current.proc.desiredProcs };

/**
 * The memory devices that give `bytes` more, at most half of the free slots, so that there is always one for the next time.
 * @throws OlpmError limit-reached OLPM-L04 when no slot is free
 */
export function memoryToAdd(layout: MachineLayout, maxBytes: number, bytes: number, lmbBytes: number): MemoryDevice[] {
  const slots = MEMORY_SLOTS - layout.memory.length;
  if (slots === 0) throw new OlpmError("limit-reached", `The partition has ${MEMORY_SLOTS} memory devices, the limit of this platform.`, { hsc: "OLPM-L04", action: "Activate it again, which joins them, and add memory in larger steps." });
  return placed(layout, maxBytes, sizes(bytes / lmbBytes, Math.max(1, Math.floor(slots / 2))).map((blocks) => blocks * lmbBytes), lmbBytes);
}

/**
 * The memory devices to take for `bytes` less, the highest addresses first: there the operating system has had the least time to put what it can not move.
 * Their sum is the largest that is not above `bytes`; empty when each is larger.
 */
export function memoryToRemove(devices: readonly MemoryDevice[], bytes: number): MemoryDevice[] {
  const order = [...devices].sort((a, b) => b.address - a.address);
  // reachable[i]: sums that the devices from i on can make, none above `bytes`
  const reachable: Set<number>[] = [new Set([0])];
  for (const device of [...order].reverse()) {
    const before = reachable[0]!;
    reachable.unshift(new Set([...before, ...[...before].map((sum) => sum + device.bytes).filter((sum) => sum <= bytes)]));
  }
  let left = Math.max(...reachable[0]!);
  return order.filter((device, at) => {
    const take = left >= device.bytes && reachable[at + 1]!.has(left - device.bytes);
    if (take) left -= device.bytes;
    return take;
  });
}

/**
 * Sizes, in blocks, of at most `count` devices with the sum `blocks`. None is larger than all before it together and one, so that any smaller number of blocks can
 * be taken away again; as equal as that allows, since a small device is easier to free.
 */
export function sizes(blocks: number, count: number): number[] {
  const list: number[] = [];
  let sum = 0;
  while (sum < blocks) {
    const even = Math.ceil((blocks - sum) / Math.max(1, count - list.length));
    const size = count - list.length <= 1 ? blocks - sum : Math.min(1 + sum, even);
    list.push(size);
    sum += size;
  }
  return list;
}

/** Slots and addresses for devices of these sizes: the lowest that are free; one that fits into no hole is divided. */
function placed(layout: MachineLayout, maxBytes: number, wanted: readonly number[], lmbBytes: number): MemoryDevice[] {
  const begin = Math.ceil(layout.bootBytes / REGION_ALIGN) * REGION_ALIGN;
  const end = begin + maxBytes - layout.bootBytes;
  const taken = [...layout.memory];
  const added: MemoryDevice[] = [];
  const queue = [...wanted];
  while (queue.length > 0) {
    const size = queue.shift()!;
    const hole = holes(taken, begin, end).find((one) => one.bytes >= size);
    if (!hole) {
      // No hole is that large although there is room: the halves find theirs.
      const half = Math.floor(size / lmbBytes / 2) * lmbBytes;
      if (half === 0) throw new OlpmError("limit-reached", "There is no room for more memory below the partition's maximum.", { hsc: "OLPM-L02" });
      queue.unshift(size - half, half);
      continue;
    }
    const slots = new Set(taken.map((device) => device.slot));
    let slot = 0;
    while (slots.has(slot)) slot++;
    if (slot >= MEMORY_SLOTS) throw new OlpmError("limit-reached", `The partition has ${MEMORY_SLOTS} memory devices, the limit of this platform.`, { hsc: "OLPM-L04", action: "Activate it again, which joins them, and add memory in larger steps." });
    const device = { slot, address: hole.address, bytes: size };
    taken.push(device);
    added.push(device);
  }
  return added;
}

function holes(devices: readonly MemoryDevice[], begin: number, end: number): { readonly address: number; readonly bytes: number }[] {
  const found: { address: number; bytes: number }[] = [];
  let at = begin;
  for (const device of [...devices].sort((a, b) => a.address - b.address)) {
    if (device.address > at) found.push({ address: at, bytes: device.address - at });
    at = Math.max(at, device.address + device.bytes);
  }
  if (end > at) found.push({ address: at, bytes: end - at });
  return found;
}
