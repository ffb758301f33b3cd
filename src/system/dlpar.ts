/**
 * Dynamic partitioning: memory, processors and sharing of a partition are changed while it runs (hmc-cli 6.9). What shall be is written down before anything is
 * added, so that nobody else is given the same memory; what is taken is free only when the operating system has given it back. At the end, and whenever this
 * process finds the partition again, the row says what the machine has.
 */
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { LparId } from "../model/ids.js";
import { lparCan } from "../model/lpar-can.js";
import { layoutBytes, type LparView, type MachineLayout, type MemoryDevice, type MemoryPiece, type ResourceConfig } from "../model/lpar.js";
import { bytesToMb } from "../model/units.js";
import type { Params, Result } from "../wire/rpc.js";
import type { ConsoleSystem } from "../wire/console-system.js";
import { layoutOf, memoryToAdd, memoryToRemove, wantedResources } from "./dlpar-plan.js";
import type { SystemHypervisor } from "./hypervisor.js";
import { limitsOf } from "./processes.js";
import { fitMemory, recallMemory } from "./memory-piece.js";
import type { PartitionProcess } from "./qemu/contract.js";
import { extendMemory, kernelReport, setMemory, setProcessors } from "./qemu/guest-resources.js";

type Request = Params<ConsoleSystem, "lpar.resize">;
type Answer = Result<ConsoleSystem, "lpar.resize">;

/** QEMU and the kernel need well below a second for a device that the operating system has put offline already. */
const RELEASE_MS_MAX = 15_000;
/** A block takes an emulated kernel some milliseconds. */
const TELL_MS_MAX = 60_000;
const RECALL_MS_MAX = 2_000;
/** To put what another change left offline online again. */
const UNDO_MS_MAX = 10_000;

export class Dlpar {
  readonly #hypervisor: SystemHypervisor;
  readonly #seen = new Map<LparId, Pick<LparView["runtime"], "rmc"> & Pick<LparView, "migrationId">>();
  /** operating systems to look after when the change that is under way has ended */
  readonly #owed = new Set<LparId>();

  constructor(hypervisor: SystemHypervisor) {
    this.#hypervisor = hypervisor;
    hypervisor.onMachineChanged((lparId) => void this.#settleQuietly(lparId));
    hypervisor.onGuestRestarted((lparId) => void this.#restarted(lparId));
    hypervisor.on("lpar.changed", (view) => this.#followGuest(view));
    hypervisor.on("lpar.removed", ({ lparId }) => void this.#seen.delete(lparId));
  }

  /**
   * Changes memory, processors and sharing; of a partition that is off, its current configuration. When the operating system gives only a part, that part stays
   * changed and `refusal` says so in the HMC's words.
   * @throws OlpmError invalid-argument OLPM-L01 to L03 | limit-reached OLPM-L04 | insufficient-memory, insufficient-processors HSCL03EC | guest-not-answering
   * HSCL2957 | wrong-state HSCL3680 | conflict. Nothing is changed then.
   */
  async resize(request: Request): Promise<Answer> {
    try {
      return await this.#resize(request);
    } finally {
      if (this.#owed.delete(request.lparId)) this.#follow(request.lparId);
    }
  }
  async #resize(request: Request): Promise<Answer> {
    const view = this.#changeable(request.lparId);
    return this.#hypervisor.operations.run(view, "dynamic partitioning", async () => {
      const current = view.definition.current;
      if (!current) throw new OlpmError("wrong-state", `The partition ${view.definition.name} has no current configuration.`, { hsc: "HSCL3680", action: "Activate it with a profile once, or change its profile with chsyscfg -r prof." });
      const wanted = wantedResources(current, request, this.#hypervisor.config.lmbBytes);
      const process = this.#hypervisor.process(request.lparId);
      if (!process) {
        this.#hypervisor.update(request.lparId, (row) => ({ ...row, definition: { ...row.definition, current: wanted } }));
        return answerOf(wanted, null);
      }
      const [moreMemory, moreProcs] = [wanted.memory.desiredBytes - current.memory.desiredBytes, wanted.proc.desiredProcs - current.proc.desiredProcs];
      if ((moreMemory !== 0 || moreProcs !== 0) && view.runtime.rmc !== "active" && !request.force)
        throw new OlpmError("guest-not-answering", `Either there is currently no RMC connection between the management console and the partition ${view.definition.name} or the partition does not support dynamic partitioning operations.`, { hsc: "HSCL2957", action: "Check the agent of its operating system with diagrmc, or use --force." });
      this.#hypervisor.assertFits(wanted, request.lparId);
      assertRoom(layoutOf(current, view.definition.layout), wanted);
      const until = new AbortController();
      const timer = Number.isFinite(waitMs(request)) ? setTimeout(() => until.abort(new OlpmError("timeout", "the time of the operation has passed")), waitMs(request)) : undefined;
      try {
        const refusals = await this.#change({ lparId: request.lparId, process, asked: view.runtime.rmc === "active", signal: until.signal, ms: waitMs(request) }, current, wanted);
        await this.#settle(request.lparId, wanted);
        return answerOf(this.#hypervisor.row(request.lparId).definition.current ?? wanted, refusals.length === 0 ? null : refusals.join("\n"));
      } catch (error) {
        // What was reached stays; nothing is asked for any more.
        await this.#settle(request.lparId, current).catch(() => undefined);
        throw error;
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** The operating system of this partition starts anew: it knows of its boot memory only, and must not be asked for more than that. */
  async #restarted(lparId: LparId): Promise<void> {
    const row = this.#hypervisor.store.lpar(lparId);
    const process = this.#hypervisor.process(lparId);
    const piece = row?.definition.layout?.piece;
    if (!process || !piece || row.ownership.kind !== "owner") return;
    const { bootBytes } = this.#layout(lparId);
    this.#note(lparId, { piece: { ...piece, knownBytes: bootBytes } });
    await process.balloon(Math.max(0, bootBytes - piece.givenBytes)).catch((error: unknown) => this.#hypervisor.log.warn({ err: error, lparId }, "the partition's machine could not be looked at"));
  }

  /** Takes up, after a restart of this process, what the machines of partitions say: a change may have been under way. */
  async adopt(): Promise<void> {
    for (const row of this.#hypervisor.store.lpars()) if (row.ownership.kind === "owner" && row.migrationId === null && this.#hypervisor.process(row.lparId)) {
      await this.#recall(row.lparId).catch((error: unknown) => this.#hypervisor.log.warn({ err: error, lparId: row.lparId }, "the partition's machine could not be looked at"));
      await this.#settleQuietly(row.lparId);
    }
  }
  async #recall(lparId: LparId): Promise<void> {
    const { layout } = this.#hypervisor.row(lparId).definition;
    const { piece } = layout ?? {};
    if (piece && layout && !(piece.knownBytes === layout.bootBytes && layoutBytes(layout) === layout.bootBytes && this.#atRest(lparId))) this.#note(lparId, { piece: await recallMemory(this.#hypervisor.process(lparId)!, piece, layout.bootBytes, RECALL_MS_MAX) });
  }
  /** No change of memory was under way. */
  #atRest(lparId: LparId): boolean {
    const { current, layout } = this.#hypervisor.row(lparId).definition;
    return current?.memory.desiredBytes === layoutBytes(layoutOf(current!, layout));
  }

  /** Gives what the operating system refused, in the HMC's words. */
  async #change(at: Change, current: ResourceConfig, wanted: ResourceConfig): Promise<string[]> {
    const memory = wanted.memory.desiredBytes - current.memory.desiredBytes;
    const procs = wanted.proc.desiredProcs - current.proc.desiredProcs;
    // What is added is claimed first; what is taken counts until it is gone.
    const most = claimed(current, wanted);
    this.#hypervisor.update(at.lparId, (row) => ({ ...row, definition: { ...row.definition, current: most } }));
    at.process.cap({ ...limitsOf(current), memoryBytes: most.memory.desiredBytes });
    return [
      ...(memory > 0 ? await this.#addMemory(at, memory) : []),
      ...(procs > 0 ? await this.#addProcessors(at, wanted.proc.desiredProcs) : []),
      ...(procs < 0 ? await this.#removeProcessors(at, wanted.proc.desiredProcs) : []),
      ...(memory < 0 ? await this.#removeMemory(at, -memory) : []),
    ];
  }

  async #addMemory(at: Change, bytes: number): Promise<string[]> {
    const row = this.#hypervisor.row(at.lparId);
    const layout = this.#layout(at.lparId);
    if (layout.piece) {
      const why = await this.#fit(at, layout.piece, layout.piece.givenBytes + bytes);
      return why === null ? [] : [`OLPM-L05 The partition was given ${bytesToMb(bytes)} MB, and its operating system does not use all of them: ${why}.`];
    }
    const devices = memoryToAdd(layout, row.definition.current!.memory.maxBytes, bytes, this.#hypervisor.config.lmbBytes);
    let used = 0;
    let why = "";
    for (const device of devices) {
      await at.process.addMemory(device);
      this.#note(at.lparId, { memory: [...this.#layout(at.lparId).memory, device].sort((a, b) => a.slot - b.slot) });
      if (!at.asked) used += device.bytes;
      else
        await setMemory(at.process.guest, device, "online", at.ms).then(
          () => (used += device.bytes),
          (error: unknown) => (why = toOlpmError(error, "using the memory").message),
        );
    }
    return used === bytes ? [] : [`OLPM-L05 The partition was given ${bytesToMb(bytes)} MB, and its operating system uses ${bytesToMb(used)} MB of them: ${why}.`];
  }

  async #removeMemory(at: Change, bytes: number): Promise<string[]> {
    const { piece } = this.#layout(at.lparId);
    if (piece) {
      const why = await this.#fit(at, piece, piece.givenBytes - bytes);
      return why === null ? [] : [refusedRemoval(bytes, piece.givenBytes - layoutBytes(this.#layout(at.lparId)), why, at.asked ? await kernelReport(at.process.guest) : "")];
    }
    let left = bytes;
    let why = "the rest is memory that the partition was started with, or in pieces that are larger";
    const refused = new Set<number>();
    while (left > 0) {
      const device = memoryToRemove(this.#layout(at.lparId).memory.filter((one) => !refused.has(one.slot)), left)[0];
      if (!device) break;
      try {
        await this.#releaseMemory(at, device);
        left -= device.bytes;
      } catch (error) {
        refused.add(device.slot);
        why = toOlpmError(error, "taking memory").message;
        if (at.signal.aborted) break;
      }
    }
    if (left === 0) return [];
    return [refusedRemoval(bytes, bytes - left, why, at.asked ? await kernelReport(at.process.guest) : "")];
  }

  /** Of memory in one piece. Gives why the operating system has not what was wanted. */
  async #fit(at: Change, before: MemoryPiece, wanted: number): Promise<string | null> {
    const { piece, why } = await fitMemory({ ...at, lmbBytes: this.#hypervisor.config.lmbBytes }, before, wanted);
    this.#note(at.lparId, { piece });
    return why;
  }

  /** Offline first, then gone. What stays is put online again. */
  async #releaseMemory(at: Change, device: MemoryDevice): Promise<void> {
    try {
      if (at.asked) await setMemory(at.process.guest, device, "offline", at.ms);
      await at.process.removeMemory(device.slot, at.asked ? AbortSignal.any([at.signal, AbortSignal.timeout(RELEASE_MS_MAX)]) : at.signal);
    } catch (error) {
      if (at.asked) await setMemory(at.process.guest, device, "online", UNDO_MS_MAX).catch(() => undefined);
      throw error;
    }
    this.#note(at.lparId, { memory: this.#layout(at.lparId).memory.filter((one) => one.slot !== device.slot) });
  }

  /** Cores that are there and offline come first. */
  async #addProcessors(at: Change, wanted: number): Promise<string[]> {
    const { cores, procs } = this.#layout(at.lparId);
    for (let core = cores; core < wanted; core++) {
      await at.process.addCore(core);
      this.#note(at.lparId, { cores: core + 1 });
    }
    const added = range(procs, wanted);
    if (at.asked) {
      try {
        await setProcessors(at.process.guest, { online: added }, at.ms);
      } catch (error) {
        this.#note(at.lparId, { procs: wanted });
        return [`OLPM-L05 The partition was given ${added.length} processors, and its operating system does not use all of them: ${toOlpmError(error, "using the processors").message}.`];
      }
    }
    this.#note(at.lparId, { procs: wanted });
    return [];
  }

  async #removeProcessors(at: Change, wanted: number): Promise<string[]> {
    const { procs } = this.#layout(at.lparId);
    const failed = (core: number, error: unknown) => [`OLPM-L06 The operating system prevented all of the requested processors from being removed. Number of processors removed: ${procs - 1 - core} of ${procs - wanted}. ${toOlpmError(error, "taking a processor").message}.`];
    for (let core = procs - 1; core >= wanted; core--) {
      try {
        if (at.asked) await setProcessors(at.process.guest, { offline: [core] }, at.ms);
        else if (!at.process.takesCores) throw new OlpmError("guest-not-answering", "on this platform a processor goes offline by the operating system's agent only");
        if (at.process.takesCores) {
          await at.process.removeCore(core, AbortSignal.any([at.signal, AbortSignal.timeout(RELEASE_MS_MAX)]));
          this.#note(at.lparId, { cores: core, procs: core });
        } else this.#note(at.lparId, { procs: core });
      } catch (error) {
        if (at.asked) await setProcessors(at.process.guest, { online: [core] }, UNDO_MS_MAX).catch(() => undefined);
        return failed(core, error);
      }
    }
    return [];
  }

  #layout(lparId: LparId): MachineLayout {
    const { current, layout } = this.#hypervisor.row(lparId).definition;
    return layoutOf(current!, layout);
  }
  #note(lparId: LparId, change: Partial<MachineLayout>): void {
    const layout = { ...this.#layout(lparId), ...change };
    this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, layout } }));
  }

  /** The row says what the machine has; `wanted` is what no machine knows: sharing and units. */
  async #settle(lparId: LparId, wanted?: ResourceConfig): Promise<void> {
    const process = this.#hypervisor.process(lparId);
    const before = this.#hypervisor.row(lparId).definition;
    if (!process || !before.current) return;
    const known = layoutOf(before.current, before.layout);
    const machine = await process.machine();
    const layout = { ...known, memory: [...machine.memory], cores: machine.cores, procs: Math.min(known.procs, machine.cores) };
    const resources = wanted ?? before.current;
    const proc = { ...resources.proc, desiredProcs: layout.procs };
    const fitting = proc.mode === "ded" ? { ...proc, desiredUnits: layout.procs * 100 } : { ...proc, desiredUnits: Math.min(Math.max(proc.desiredUnits, layout.procs * 5), layout.procs * 100) };
    const current = { ...resources, memory: { ...resources.memory, desiredBytes: layoutBytes(layout) }, proc: fitting };
    if (JSON.stringify([before.current, before.layout]) !== JSON.stringify([current, layout])) this.#hypervisor.update(lparId, (row) => ({ ...row, definition: { ...row.definition, current, layout } }));
    process.cap(limitsOf(current));
  }
  async #settleQuietly(lparId: LparId): Promise<void> {
    await this.#settle(lparId).catch((error: unknown) => this.#hypervisor.log.warn({ err: error, lparId }, "the partition's machine could not be looked at"));
  }

  /**
   * The processors online are those that the partition has: an operating system that starts uses every core that is there, also those that QEMU keeps, and an
   * emulated partition has moved with one (migration/processors.ts).
   */
  #followGuest(view: LparView): void {
    const { lparId, runtime, migrationId } = view;
    const before = this.#seen.get(lparId);
    this.#seen.set(lparId, { rmc: runtime.rmc, migrationId });
    const due = runtime.rmc === "active" && migrationId === null && (before?.rmc !== "active" || before.migrationId !== null);
    if (!due || view.ownership.kind !== "owner") return;
    // A change that is under way has its turn first, and what the partition has then counts.
    if (this.#hypervisor.operations.of(lparId) !== undefined) this.#owed.add(lparId);
    else this.#follow(lparId);
  }
  #follow(lparId: LparId): void {
    const { operations, log } = this.#hypervisor;
    const process = this.#hypervisor.process(lparId);
    const { layout, name } = this.#hypervisor.row(lparId).definition;
    if (!process || !layout || operations.of(lparId) !== undefined) return;
    // The agent takes one request after the other: a change or a move that begins now has its turn after this.
    if (layout.cores > 1) void setProcessors(process.guest, { online: range(1, layout.procs), offline: range(layout.procs, layout.cores) }, TELL_MS_MAX).catch((error: unknown) => log.warn({ err: error, lpar: name }, "the processors online are not those that the partition has"));
    if (layout.piece) void this.#tellOfMemory(this.#hypervisor.view(lparId), process, layout.piece);
  }

  /** An operating system that has started anew, here or while it moved, or has an agent at last, hears of what it was given beyond its boot memory. */
  async #tellOfMemory(view: LparView, process: PartitionProcess, piece: MemoryPiece): Promise<void> {
    const { lparId, definition } = view;
    try {
      const atBoot = piece.givenBytes === definition.layout?.bootBytes;
      const knows = async () => (atBoot || (await extendMemory(process.guest, 0, TELL_MS_MAX)) === piece.knownBytes) && (await process.ballooned()) === piece.knownBytes - piece.givenBytes;
      if (piece.knownBytes >= piece.givenBytes && (await knows())) return;
      const why = await this.#hypervisor.operations.run(view, "memory of its operating system", () => {
        const now = this.#layout(lparId).piece ?? piece;
        return this.#fit({ lparId, process, asked: true, signal: AbortSignal.timeout(TELL_MS_MAX), ms: TELL_MS_MAX }, now, now.givenBytes);
      });
      if (why !== null) throw new OlpmError("guest-refused", why);
    } catch (error) {
      this.#hypervisor.log.warn({ err: error, lpar: definition.name }, "the operating system does not use all memory of the partition");
    } finally {
      if (this.#owed.delete(lparId)) this.#follow(lparId);
    }
  }

  #changeable(lparId: LparId): LparView {
    const view = this.#hypervisor.view(lparId);
    const { name, environment } = view.definition;
    if (environment === "vioserver") throw new OlpmError("unsupported", `The memory and processors of the Virtual I/O Server ${name} can not be changed, since it is a process of its host.`);
    if (view.migrationId !== null) throw new OlpmError("conflict", `The partition ${name} is taking part in a migration.`, { hsc: "OLPM-P02", action: "Wait until it ends, or stop it with migrlpar -o s." });
    if (!lparCan("dlpar", view.state)) throw new OlpmError("wrong-state", `The partition ${name} is ${view.state}; this is not possible in that state.`);
    return view;
  }
}

interface Change {
  readonly lparId: LparId;
  readonly process: PartitionProcess;
  /** the operating system has an agent that answers */
  readonly asked: boolean;
  readonly signal: AbortSignal;
  readonly ms: number;
}

/** @throws OlpmError limit-reached OLPM-L04: memory in one piece is no larger than its first system's */
function assertRoom({ piece }: MachineLayout, { memory }: ResourceConfig): void {
  if (piece && memory.desiredBytes > piece.bytes)
    throw new OlpmError("limit-reached", `The partition was activated on a system with ${bytesToMb(piece.bytes)} MB and can not be given more while it runs.`, { hsc: "OLPM-L04", action: "Activate it again." });
}
const refusedRemoval = (bytes: number, removed: number, why: string, report: string): string =>
  `HSCL2932 The dynamic removal of memory resources failed: The operating system prevented all of the requested memory from being removed. Amount of memory removed: ${bytesToMb(removed)} MB of ${bytesToMb(bytes)} MB. The detailed output of the OS operation follows:\n${[why, ...report.split("\n")].filter((line) => line !== "").join("\n")}`;

/** A wait time of 0 is no limit (hmc-cli 6.9); the guest's own clock still wants a number. */
const NO_LIMIT_MS = 86_400_000;
const waitMs = ({ waitMinutes }: Request): number => (waitMinutes === 0 ? NO_LIMIT_MS : waitMinutes * 60_000);
const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);

/** The larger of both in everything that is counted. */
const claimed = (current: ResourceConfig, wanted: ResourceConfig): ResourceConfig => ({
  ...wanted,
  memory: { ...wanted.memory, desiredBytes: Math.max(current.memory.desiredBytes, wanted.memory.desiredBytes) },
  proc: { ...wanted.proc, desiredProcs: Math.max(current.proc.desiredProcs, wanted.proc.desiredProcs), desiredUnits: Math.max(current.proc.desiredUnits, wanted.proc.desiredUnits) },
});

const answerOf = ({ memory, proc }: ResourceConfig, refusal: string | null): Answer => ({ memoryBytes: memory.desiredBytes, procs: proc.desiredProcs, units: proc.desiredUnits, refusal });
