/**
 * Memory devices and processor cores of a pseries machine, by QMP (QEMU docs/specs/ppc-spapr-hotplug). QEMU asks the operating system to give a device back and
 * says DEVICE_DELETED when it did; it does not always say that it did not, and then the request stays open until the partition restarts.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { abortError } from "../../kit/wait.js";
import type { MemoryDevice } from "../../model/lpar.js";
import type { QmpClient, QmpEvent } from "../../qmp/client.js";

const deviceId = (slot: number): string => `dimm${slot}`;
const backendId = (slot: number): string => `mem${slot}`;

/** Words of QEMU's command line for memory devices that are there from the start: the same as those that come later. */
export const memoryWords = (devices: readonly MemoryDevice[]): string[] =>
  devices.flatMap(({ slot, address, bytes }) => ["-object", `memory-backend-ram,id=${backendId(slot)},size=${bytes}`, "-device", `pc-dimm,id=${deviceId(slot)},memdev=${backendId(slot)},slot=${slot},addr=${address}`]);

interface MemoryInfo {
  readonly type: string;
  readonly data: { readonly id?: string; readonly addr: number; readonly slot: number; readonly size: number };
}
interface CpuInfo {
  readonly type: string;
  readonly props: { readonly "core-id": number };
  readonly "qom-path"?: string;
}

export class Hotplug {
  readonly #qmp: QmpClient;
  readonly #changed: () => void;
  /** devices that the operating system was asked to give back and has not answered for */
  readonly #asked = new Set<string>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();

  /** `changed`: a device went after nobody waited for it any more */
  constructor(qmp: QmpClient, changed: () => void) {
    this.#qmp = qmp;
    this.#changed = changed;
    qmp.onEvent((event) => this.#hear(event));
  }

  get removalsOpen(): number {
    return this.#asked.size;
  }

  /** What the machine has, in the order of slots; the cores are 0 to `cores` - 1. */
  async machine(): Promise<{ memory: MemoryDevice[]; cores: number }> {
    const devices = (await this.#qmp.execute("query-memory-devices")) as MemoryInfo[];
    const cores = (await this.#cpus()).filter((cpu) => cpu["qom-path"] !== undefined).length;
    const memory = devices.filter((one) => one.type === "dimm").map(({ data }) => ({ slot: data.slot, address: data.addr, bytes: data.size }));
    return { memory: memory.sort((a, b) => a.slot - b.slot), cores };
  }

  /** @throws OlpmError refused with QEMU's words */
  async addMemory({ slot, address, bytes }: MemoryDevice): Promise<void> {
    const [id, memdev] = [deviceId(slot), backendId(slot)];
    // Left behind where this process ended between the two steps, or when a device went by itself.
    const backends = (await this.#qmp.execute("query-memdev")) as { id?: string }[];
    if (backends.some((one) => one.id === memdev)) await this.#qmp.execute("object-del", { id: memdev });
    await this.#qmp.execute("object-add", { "qom-type": "memory-backend-ram", id: memdev, size: bytes });
    try {
      await this.#qmp.execute("device_add", { driver: "pc-dimm", id, memdev, slot, addr: address });
    } catch (error) {
      await this.#qmp.execute("object-del", { id: memdev }).catch(() => undefined);
      throw error;
    }
  }

  /** Undefined where the machine has no balloon, or its operating system no driver yet. `machineBytes`: all that the machine has */
  async ballooned(machineBytes: number): Promise<number | undefined> {
    const found = (await this.#qmp.execute("query-balloon").catch((error: unknown) => (toOlpmError(error, "").code === "refused" ? undefined : Promise.reject(error)))) as { actual: number } | undefined;
    return found && machineBytes - found.actual;
  }
  /** `leftBytes`: what the operating system shall leave of all that the machine has */
  async balloon(leftBytes: number): Promise<void> {
    await this.#qmp.execute("balloon", { value: leftBytes });
  }

  async addCore(core: number): Promise<void> {
    const cpu = (await this.#cpus()).find((one) => one.props["core-id"] === core);
    if (!cpu) throw new OlpmError("refused", `the machine has no place for processor core ${core}`);
    await this.#qmp.execute("device_add", { driver: cpu.type, id: `core${core}`, "core-id": core });
  }

  /** Resolves when the device is gone. @throws OlpmError guest-refused | aborted | timeout, and the request may stay open */
  async removeMemory(slot: number, signal: AbortSignal): Promise<void> {
    await this.#remove(deviceId(slot), signal);
  }
  async removeCore(core: number, signal: AbortSignal): Promise<void> {
    const path = (await this.#cpus()).find((one) => one.props["core-id"] === core)?.["qom-path"];
    // A thread's path below its core's: a core that was there from the start has no id.
    if (path !== undefined) await this.#remove(path.replace(/\/thread\[\d+\]$/, ""), signal);
  }

  async #remove(device: string, signal: AbortSignal): Promise<void> {
    const gone = this.#waitFor(device, signal);
    gone.catch(() => undefined); // awaited below, unless the request itself is refused
    await this.#qmp.execute("device_del", { id: device });
    this.#asked.add(device);
    await gone;
  }

  #waitFor(device: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#listeners.delete(listen);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        end();
        reject(abortError(signal));
      };
      const listen = ({ event, data }: QmpEvent) => {
        if (!names(data, device)) return;
        if (event === "DEVICE_DELETED") {
          end();
          resolve();
        } else if (event === "DEVICE_UNPLUG_GUEST_ERROR" || event === "MEM_UNPLUG_ERROR") {
          end();
          reject(new OlpmError("guest-refused", typeof data["msg"] === "string" ? data["msg"] : "the operating system did not give it back"));
        }
      };
      if (signal.aborted) return onAbort();
      this.#listeners.add(listen);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #hear(event: QmpEvent): void {
    const { event: name, data } = event;
    if (name !== "DEVICE_DELETED" && name !== "DEVICE_UNPLUG_GUEST_ERROR" && name !== "MEM_UNPLUG_ERROR") return;
    for (const device of [...this.#asked].filter((one) => names(data, one))) this.#asked.delete(device);
    const slot = name === "DEVICE_DELETED" ? /^dimm(\d+)$/.exec(String(data["device"] ?? ""))?.[1] : undefined;
    // The memory itself; QEMU keeps it until it is told.
    if (slot !== undefined) void this.#qmp.execute("object-del", { id: backendId(Number(slot)) }).catch(() => undefined);
    const awaited = this.#listeners.size > 0;
    for (const listener of [...this.#listeners]) listener(event);
    if (name === "DEVICE_DELETED" && slot !== undefined && !awaited) this.#changed();
  }

  async #cpus(): Promise<CpuInfo[]> {
    return (await this.#qmp.execute("query-hotpluggable-cpus")) as CpuInfo[];
  }
}

/** An event names a device by its id, or by its path when it has none. */
const names = (data: Readonly<Record<string, unknown>>, device: string): boolean => data["device"] === device || data["path"] === device;
