/**
 * What the rest of the managed system needs of one partition process (QEMU). Implemented beside this file. A process is known by its
 * run directory: spec.json, pid (with start time), qmp.sock, console.sock, agent.sock; so a restarted system process adopts it again.
 */
import type { Duplex } from "node:stream";
import type { MemoryDevice } from "../../model/lpar.js";
import type { Account } from "./confine.js";
import type { ConvergencePolicy, MigrationProgress } from "../../model/migration.js";

/** What the host lets a partition have. `units`: hundredths of a processor, null as much as others leave; `memoryBytes`: its memory, beside what QEMU itself needs */
export interface Limits {
  readonly units: number | null;
  readonly weight: number;
  readonly memoryBytes: number;
}
export interface PartitionDisk {
  /** virtual slot of the client adapter; decides the device address */
  readonly slot: number;
  /** position behind the adapter, 0.. : the SCSI LUN the guest sees */
  readonly unit: number;
  readonly nbdSocket: string;
  /** SCSI identity of what is behind it, the same on all paths to it; absent: started by an earlier version */
  readonly lun?: string;
  readonly exportName: string;
}
export interface PartitionNic {
  readonly slot: number;
  /** 12 hex digits */
  readonly mac: string;
  readonly tap: string;
}
export interface PartitionSpec {
  readonly lparId: number;
  readonly name: string;
  readonly uuid: string;
  /** run directory of this process; short (unix socket paths) */
  readonly dir: string;
  /** network namespace of the hypervisor, null: ours */
  readonly namespace: string | null;
  readonly accelerator: "kvm" | "tcg";
  /** memory in one piece; more comes in devices */
  readonly memoryBytes: number;
  /** What the operating system begins with, of a machine that has more in its one piece, and can give back through a balloon; null: everything, and no balloon. */
  readonly osMemoryBytes: number | null;
  readonly memoryDevices: readonly MemoryDevice[];
  readonly maxMemoryBytes: number;
  /** processor cores, 0 to procs - 1 */
  readonly procs: number;
  readonly maxProcs: number;
  readonly limits: Limits;
  readonly compatMode: "default" | "POWER8" | "POWER9_base" | "POWER9";
  readonly kernel: string;
  readonly initrd: string;
  /** added to the kernel's command line */
  readonly bootMode: string;
  /** it runs as; absent: as openlpm-lpar, started by an earlier version */
  readonly account?: Account;
  readonly disks: readonly PartitionDisk[];
  readonly nics: readonly PartitionNic[];
  /** every byte that the partition's terminal prints is appended here by QEMU itself */
  readonly consoleLog: string;
  /** start waiting for the state of a migration, processors stopped */
  readonly incoming: boolean;
}

/** QEMU's run states that matter here. `waiting`: for state; `loaded`: complete state, stopped; `started`: its processors never ran; `paused`: stopped otherwise. */
export type ProcessState = "started" | "waiting" | "loaded" | "running" | "paused" | "io-error" | "ended";

export interface GuestAgent {
  /** true when the agent answered within `ms` */
  ping(ms: number): Promise<boolean>;
  /** @throws OlpmError guest-not-answering */
  shutdown(how: "powerdown" | "reboot"): Promise<void>;
  /** runs a program in the guest to its end. @throws OlpmError guest-not-answering | timeout */
  exec(path: string, argv: readonly string[], options: { deadlineMs: number }): Promise<{ code: number; stdout: string; stderr: string }>;
  osVersion(): Promise<string | null>;
  /** first IPv4 address that is not loopback */
  address(): Promise<string | null>;
}

/**
 * One outgoing migration. QEMU writes to a socket pair whose other end a small holder process (native/channel) keeps and hands to the mover by
 * SCM_RIGHTS over `channelSocket`; QEMU itself holds that end too. So the loss of a mover never reaches QEMU as an error, on which QEMU
 * would let the partition run on by itself: when the source runs again is our decision alone.
 */
export interface OutgoingMigration {
  /** unix socket from which exactly one mover fetches the channel */
  readonly channelSocket: string;
  sample(): Promise<MigrationProgress & { readonly status: string }>;
  /** From now on QEMU stops the partition when the rest fits into so many ms. */
  allowStop(ms: number): Promise<void>;
  /** Starts QEMU's copy. */
  begin(): Promise<void>;
  /** Resolves when the partition is stopped and flushed and nothing is decided (QEMU: pre-switchover). @throws migration-failed | aborted */
  reachSwitchover(signal: AbortSignal): Promise<{ readonly stoppedAt: number }>;
  /** Lets the rest of the state go. Resolves when QEMU has written its last byte. Never lets the partition run. @throws migration-failed | timeout */
  sendRest(signal: AbortSignal): Promise<void>;
  /**
   * Ends the migration so that the partition runs on here; the caller owns it. Works in every status, also when QEMU is blocked in a write that
   * nobody reads, and when it had written everything. Idempotent. Ends the holder.
   */
  resumeHere(): Promise<void>;
  /** Ends the holder process; QEMU itself is ended by its owner. Idempotent. */
  close(): Promise<void>;
}

export interface PartitionProcess {
  readonly spec: PartitionSpec;
  readonly pid: number;
  readonly guest: GuestAgent;
  /** @throws OlpmError timeout: it lives and does not answer, for it is blocked in a write; everything else that asks it does the same */
  state(): Promise<ProcessState>;
  /** Lets the processors run. The caller holds an `owner` record. Gives how many ms ago they began, by QEMU's own word. */
  run(): Promise<number>;
  pause(): Promise<void>;
  /** What of its memory the host backs, and how fast the guest changes it, by a short sample; the rate is null when this QEMU can not tell. */
  measure(): Promise<{ readonly residentBytes: number; readonly dirtyBytesPerSecond: number | null }>;
  /** power button */
  powerdown(): Promise<void>;
  reset(): Promise<void>;
  /** SIGKILL by pid (checked against its start time), waits until it is gone, removes the cgroup and the run directory. Idempotent. */
  end(): Promise<void>;
  /** capability set-up, limits and socket for an outgoing migration; QEMU itself stops and slows the partition within the limits of the policy */
  prepareOutgoing(options: { readonly policy: ConvergencePolicy; readonly bytesPerSecondMax: number }): Promise<OutgoingMigration>;
  /**
   * After a restart of the system process: the outgoing migration that this process is in, if any. QEMU remembers the one before as well, so before the copy has begun only one
   * whose channel is held counts.
   */
  adoptOutgoing(begun: boolean): Promise<OutgoingMigration | undefined>;
  /** destination: a mover gives QEMU the channel of the state at this unix socket, once, as a descriptor (native/channel) */
  listenIncoming(socket: string): Promise<void>;
  /** Resolves when the complete state is in and the processors are still stopped. @throws migration-failed when the process ends or refuses the state | aborted */
  loaded(signal: AbortSignal): Promise<void>;
  /** memory devices and cores as the machine has them now */
  machine(): Promise<{ readonly memory: readonly MemoryDevice[]; readonly cores: number }>;
  /** Devices that the operating system was asked to give back and has not answered for: they may go at any time. */
  readonly removalsOpen: number;
  /** False where QEMU loses its footing after a core was taken: then it stays, and the operating system keeps it offline. */
  readonly takesCores: boolean;
  /** False where QEMU does not carry over that processors other than the first run: migration/processors.ts. */
  readonly movesProcessors: boolean;
  /** @throws OlpmError refused */
  addMemory(device: MemoryDevice): Promise<void>;
  addCore(core: number): Promise<void>;
  /** Resolves when the operating system has given it back. @throws OlpmError guest-refused | aborted | timeout: then it may still go later, see removalsOpen and `machine` */
  removeMemory(slot: number, signal: AbortSignal): Promise<void>;
  removeCore(core: number, signal: AbortSignal): Promise<void>;
  /** Bytes that the operating system keeps aside now and the host has instead; undefined without a balloon. */
  ballooned(): Promise<number | undefined>;
  /** Asks the operating system to keep aside this much; it does so as fast as it can, or a part, or not at all. */
  balloon(bytes: number): Promise<void>;
  /** Changes the limits that it was started with. False when this host has none. */
  cap(limits: Limits): boolean;
  /** repeats the announcement of the adapters' addresses on the LAN */
  announce(): Promise<void>;
  /** a connection to the partition's terminal; one at a time */
  openTerminal(): Promise<Duplex>;
  /** `exit`: the process ended, with what it printed last; `guest`: reset, shutdown, stop, resume, panic as QEMU tells it; `machine`: memory went late */
  on(event: "exit", listener: (info: { readonly stderr: string }) => void): () => void;
  on(event: "guest", listener: (what: "reset" | "shutdown" | "stop" | "resume" | "panicked") => void): () => void;
  on(event: "machine", listener: () => void): () => void;
}

export interface ProcessFactory {
  /** Starts QEMU confined and waits until its QMP answers. @throws OlpmError refused with QEMU's own words */
  start(spec: PartitionSpec): Promise<PartitionProcess>;
  /** Finds the process that an earlier system process started in this run directory; undefined when it is gone (and cleans what it left). Does not wait for its answer: one that is blocked is found too. */
  adopt(dir: string): Promise<PartitionProcess | undefined>;
}
