/**
 * Target devices in the storage daemon. One device is a chain of block nodes:
 *
 *   export NAME -> gate (raw) -> lun (iscsi, logged in)          open
 *                             -> closed (blkdebug) -> void       closed: every read and write is an I/O error, no way to the LUN exists
 *
 * The gate changes its child while clients are connected; the daemon drains and flushes the old one before. A closed gate answers errors rather
 * than swallowing writes: a client that runs by mistake is stopped at once and nothing of its data is lost unseen.
 */
import { OlpmError } from "../../kit/errors.js";
import { until } from "../../kit/wait.js";
import type { ViosTargetDevice } from "../../wire/system-vios.js";
import type { LunPath } from "../san/discover.js";

/** What is needed of the daemon. */
export interface BlockCommands {
  call(command: string, args?: Readonly<Record<string, unknown>>, deadlineMs?: number): Promise<unknown>;
}

type Gate = ViosTargetDevice["gate"];

/** The whole chain of a device is made or taken down well within this while the SAN answers. */
const EXPORT_END_MS_MAX = 5_000;
const EIO = 5;
/**
 * The NBD server asks for holes before it reads and passes that error on; a read that fails by itself makes it drop the client (QEMU 7.2,
 * nbd_co_send_sparse_read), which would then try again for ever. Flushing is no error: a gate changes its child only when the old one is flushed.
 */
const DENIED = ["block-status", "read", "write", "write-zeroes", "discard"];

/** Node names have at most 31 bytes in QEMU, device names 64: nodes are numbered. */
interface Chain {
  readonly number: number;
}

const nodes = (chain: Chain) => ({ lun: `lun${chain.number}`, closed: `closed${chain.number}`, void: `void${chain.number}`, gate: `gate${chain.number}`, export: `export${chain.number}` });
const childOf = (chain: Chain, gate: Gate): string => (gate === "open" ? nodes(chain).lun : nodes(chain).closed);

export class Exports {
  readonly #daemon: BlockCommands;
  readonly #initiatorName: string;
  readonly #chains = new Map<string, Chain>();
  #nextNumber = 0;

  constructor(daemon: BlockCommands, initiatorName: string) {
    this.#daemon = daemon;
    this.#initiatorName = initiatorName;
  }

  has(name: string): boolean {
    return this.#chains.has(name);
  }

  /**
   * Logs in as `initiatorName` and makes the chain; `confirm` runs after the log-in and before anything is served. `gate` is asked in the moment from which on
   * `setGates` reaches the device, so that a gate which closes meanwhile stays closed. Leaves nothing behind when it fails.
   * @throws OlpmError storage-failed | lun-mismatch (size) | what `confirm` throws
   */
  async add(device: ViosTargetDevice, path: LunPath, confirm: () => Promise<void>, gate: () => Gate, initiatorName = this.#initiatorName): Promise<void> {
    const chain: Chain = { number: this.#nextNumber++ };
    const name = nodes(chain);
    const undo: (() => Promise<unknown>)[] = [];
    const addNode = async (node: string, options: Record<string, unknown>) => {
      await this.#daemon.call("blockdev-add", { "node-name": node, ...options });
      undo.push(() => this.#daemon.call("blockdev-del", { "node-name": node }));
    };
    try {
      await addNode(name.lun, { driver: "iscsi", transport: "tcp", portal: path.portal, target: path.target, lun: path.lunNumber, "initiator-name": initiatorName, cache: { direct: true } });
      const bytes = await this.#sizeOf(name.lun);
      if (bytes !== device.lunBytes) throw new OlpmError("lun-mismatch", `${device.lun} has ${bytes} bytes, ${device.lunBytes} were expected`);
      await confirm();
      await addNode(name.void, { driver: "null-co", size: bytes });
      await addNode(name.closed, { driver: "blkdebug", image: name.void, "inject-error": DENIED.map((iotype) => ({ event: "none", iotype, errno: EIO })) });
      await addNode(name.gate, { driver: "raw", file: name.closed });
      this.#chains.set(device.name, chain);
      await this.setGates([device.name], gate()); // no wait between these two lines
      await this.#daemon.call("block-export-add", { type: "nbd", id: name.export, name: device.name, writable: true, "node-name": name.gate });
    } catch (error) {
      this.#chains.delete(device.name);
      for (const step of undo.reverse()) await step().catch(() => undefined);
      throw error;
    }
  }

  /** Cuts clients off, takes the chain down, logs out. Absent counts as removed. */
  async remove(name: string): Promise<void> {
    const chain = this.#chains.get(name);
    if (!chain) return;
    const node = nodes(chain);
    await this.#daemon.call("block-export-del", { id: node.export, mode: "hard" }).catch((error: unknown) => {
      if (!/not found/i.test(String(error))) throw error;
    });
    const gone = async () => {
      const all = (await this.#daemon.call("query-block-exports")) as readonly { id: string }[];
      return all.some((one) => one.id === node.export) ? undefined : true;
    };
    await until(gone, { what: `end of the export of ${name}`, deadlineMs: EXPORT_END_MS_MAX, everyMs: 10 });
    this.#chains.delete(name);
    for (const one of [node.gate, node.closed, node.void, node.lun]) await this.#daemon.call("blockdev-del", { "node-name": one });
  }

  /**
   * Opens or closes gates in one transaction of the daemon: all or none. Written data is flushed to the LUN before a gate closes; while the
   * flush fails the gates stay open.
   * @throws OlpmError storage-failed (a device has no way to its LUN now) | timeout
   */
  async setGates(names: readonly string[], gate: Gate): Promise<void> {
    // Gates that should be as asked already are set again: after a deadline nobody knows which way the daemon went.
    const chains = [...new Set(names)].map((name) => this.#chains.get(name) ?? missing(name));
    if (chains.length === 0) return;
    await this.#daemon.call("blockdev-reopen", { options: chains.map((chain) => ({ driver: "raw", "node-name": nodes(chain).gate, file: childOf(chain, gate) })) });
  }

  async #sizeOf(node: string): Promise<number> {
    const all = (await this.#daemon.call("query-named-block-nodes", { flat: true })) as readonly { "node-name": string; image: { "virtual-size": number } }[];
    const found = all.find((one) => one["node-name"] === node);
    if (!found) throw new OlpmError("storage-failed", `the storage daemon does not know the node ${node} that it has just made`);
    return found.image["virtual-size"];
  }
}

export function missing(name: string): never {
  throw new OlpmError("storage-failed", `the target device ${name} has no way to its LUN now`, { action: "Look at the SAN and run cfgdev.", retryable: true });
}
