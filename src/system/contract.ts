/**
 * The rooms inside the managed system and how they meet. `Hypervisor` (hypervisor.ts, with processes.ts and gates.ts) holds the partitions, their processes,
 * networks and Virtual I/O Servers; `migration/` moves partitions with it; `server.ts` puts both behind the wire.
 */
import type { Clock } from "../kit/clock.js";
import type { Logger } from "../kit/log.js";
import type { OlpmError } from "../kit/errors.js";
import type { LparId, MigrationId, SlotNumber } from "../model/ids.js";
import type { LparView, ResourceConfig } from "../model/lpar.js";
import type { MigrationRecord } from "../model/migration.js";
import type { OwnershipEvent } from "../model/ownership.js";
import type { Client } from "../wire/rpc.js";
import type { SystemConfig, ViosHardware } from "../wire/system-config.js";
import type { SystemVios } from "../wire/system-vios.js";
import type { HoldPoint } from "./hold.js";
import type { LparRow, Store } from "./store.js";
import type { PartitionProcess } from "./qemu/contract.js";

/** A Virtual I/O Server of this system while its process runs. */
export interface ViosHandle {
  readonly lparId: LparId;
  readonly name: string;
  readonly hardware: ViosHardware;
  /** where the devices behind a server adapter are served */
  readonly nbdSocket: (slot: SlotNumber) => string;
  /** false: of an earlier version, which has one socket for all partitions, of the account openlpm-lpar */
  readonly doors: boolean;
  readonly client: Client<SystemVios>;
}

export interface SystemEvents {
  "lpar.changed": LparView;
  "lpar.removed": { readonly lparId: LparId; readonly revision: number };
  "migration.changed": MigrationRecord;
  "system.changed": Record<string, never>;
}

export interface Hypervisor {
  readonly config: SystemConfig;
  readonly store: Store;
  readonly log: Logger;
  readonly clock: Clock;
  /** Waits at a point of a migration while fault injection asks for it (hold.ts). */
  hold(point: HoldPoint): Promise<void>;

  /** @throws OlpmError not-found (HSCL8012) */
  row(lparId: LparId): LparRow;
  view(lparId: LparId): LparView;
  /** Applies one ownership event durably, together with `change` to the row. @throws OlpmError wrong-state when the event is illegal */
  own(lparId: LparId, event: OwnershipEvent, change?: (row: LparRow) => LparRow): LparRow;
  /** Changes a row durably and tells the consoles. */
  update(lparId: LparId, change: (row: LparRow) => LparRow): LparRow;
  /** A row that came with a migration: written with the ownership that `reserve` gives. */
  adoptRow(row: LparRow): void;
  /** Deletes the row and tells the consoles; the partition's process must be gone. */
  dropRow(lparId: LparId): void;
  emit<E extends keyof SystemEvents>(event: E, payload: SystemEvents[E]): void;

  /** @throws insufficient-memory | insufficient-processors: this configuration beside what is given out now (running and reserved partitions count) */
  assertFits(resources: ResourceConfig, except?: LparId): void;
  lowestFreeLparId(): LparId;
  freeSlot(viosLparId: LparId): SlotNumber;

  /** What is under way with the partition, so that it must not be moved: for people. */
  operation(lparId: LparId): string | undefined;
  process(lparId: LparId): PartitionProcess | undefined;
  /** Makes taps, cgroup and process of the row's current configuration. `incoming`: waits for state. Storage must be attached before. */
  startProcess(lparId: LparId, options: { readonly incoming: boolean; readonly bootMode?: string }): Promise<PartitionProcess>;
  /** Ends process, taps and cgroup, whatever is there of them. The row stays. Idempotent. */
  endProcess(lparId: LparId): Promise<void>;
  /** Takes a server adapter of either kind away, with its target devices. A VIOS that does not run starts without them. */
  unmap(adapter: { readonly viosLparId: LparId; readonly viosSlot: SlotNumber }): Promise<void>;
  /** Ends the mover of a migration. One that does not run or does not answer counts as ended: its VIOS is being given up. `reason`: for the peer mover. */
  closeMover(viosLparId: LparId | null, id: MigrationId, reason?: string): Promise<void>;
  /** Opens or closes the gates of all LUNs of a partition on its VIOSes of this system. */
  setGates(lparId: LparId, gate: "open" | "closed"): Promise<void>;

  vioses(): ViosHandle[];
  /** @throws OlpmError wrong-state when that VIOS does not run */
  vios(lparId: LparId): ViosHandle;
  /** a VIOS process died, stopped, or was out of reach for a while; the reason is for operators */
  onViosLost(listener: (lparId: LparId, reason: OlpmError) => void): () => void;
  /** a partition process ended without being asked to */
  onProcessLost(listener: (lparId: LparId) => void): () => void;
}
