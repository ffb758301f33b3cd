/** What a migration can not do without before the hand-over: the mover, the Virtual I/O Servers that serve the partition, and its process. */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { abortError } from "../../kit/wait.js";
import type { LparId } from "../../model/ids.js";
import { hasSecondPair, type MigrationRecord } from "../../model/migration.js";
import type { Hypervisor } from "../contract.js";
import type { Records } from "./records.js";
import type { Running, RunningMigrations } from "./source-running.js";

/** What the parts of the source's side share. */
export interface SourceContext {
  readonly hypervisor: Hypervisor;
  readonly records: Records;
  readonly running: RunningMigrations;
}

/** The movers tell of themselves twice a second while they stream. */
export const STALL_MS_MAX = 20_000;

const UNEXPECTED = (detail: string, action: string) => new OlpmError("migration-failed", `The partition migration has been stopped unexpectedly. ${detail}.`, { hsc: "HSCLA2CF", action, retryable: true });
const SEE_NETWORK = "Check the network between the mover service partitions and the destination's state, then try again.";
/** What ended the first word to the destination, as an operator wants to hear it: a move to a system that can not be reached from the source does not begin. */
export function firstWordFailed({ source, destination }: MigrationRecord, thrown: unknown): OlpmError {
  const error = toOlpmError(thrown, "sending the console log");
  if (error.reportedBy !== undefined || !["peer-lost", "timeout"].includes(error.code)) return error;
  return UNEXPECTED(`${source.system} does not reach ${destination.system}: ${error.message}`, "Check the network between the two managed systems, then try again.");
}
export const NOTHING_MOVED = () => UNEXPECTED(`No byte moved between the hypervisors for ${STALL_MS_MAX / 1_000} s`, SEE_NETWORK);

/** A mover that failed before it was watched, in an earlier life of this process, has told nobody, and QEMU would wait for it for ever. @throws OlpmError migration-failed */
export async function assertMover(hypervisor: Hypervisor, record: MigrationRecord, signal: AbortSignal): Promise<void> {
  const { movers } = await hypervisor.vios(mspOf(record)).client.call("vios.status", {}, { signal }).catch((cause: unknown) => {
    if (signal.aborted) throw abortError(signal);
    throw UNEXPECTED(`The mover service partition ${record.source.mspName ?? record.source.mspLparId} of ${hypervisor.config.name} does not answer: ${toOlpmError(cause, "asking it").message}`, "When it is in the state Error, activate it with chsysstate -r lpar -o on, then try again.");
  });
  const mover = movers.find((one) => one.id === record.id && one.side === "source");
  if (!mover || mover.state === "failed") throw new OlpmError("migration-failed", `The mover on ${record.source.mspName ?? "the source"} lost the stream before the copy began${mover ? `: ${mover.detail}` : ""}.`, { hsc: "HSCLA2CF", retryable: true });
}

/** The pair of movers is lost: that ends the copy through it if the second pair may take over, else the migration. */
export function losePair({ abort, pairLost }: Pick<Running, "abort" | "pairLost">, record: MigrationRecord, error: OlpmError): void {
  (hasSecondPair(record) ? pairLost : abort).abort(error);
}

/** Whatever the migration can not do without before the hand-over: its loss aborts the copy or the migration, with the reason. */
export function watchNeeds({ hypervisor, records, running }: SourceContext, record: MigrationRecord): () => void {
  const { abort, pairLost } = running.of(record.id);
  const { lparId, mspName } = record.source;
  const mspId = mspOf(record);
  const { storage, fc } = hypervisor.view(lparId);
  const serving = new Set<number>([...storage, ...fc].map((mapping) => mapping.viosLparId));
  const lose = (error: OlpmError) => losePair({ abort, pairLost }, record, error);
  const { name } = hypervisor.config;
  const now = () => hypervisor.clock.now();
  let copyingSince: number | undefined;
  const viosLost = (lost: number, why: string) => {
    const role = lost === mspId ? `The mover service partition ${mspName ?? mspId} of ${name} was lost` : serving.has(lost) ? `A Virtual I/O Server that serves the partition on ${name} was lost` : undefined;
    if (role === undefined) return;
    const error = UNEXPECTED(`${role}: ${why}`, "Activate it with chsysstate -r lpar -o on, then try again.");
    // A server of the partition takes its disks along: another mover does not help.
    if (serving.has(lost)) abort.abort(error);
    else lose(error);
  };
  const unwatches = [
    hypervisor.vios(mspId).client.on("mover.changed", (state) => {
      if (state.id !== record.id || state.side !== "source") return;
      running.of(record.id).bytesOnLink = state.bytesOnLink;
      if (state.state === "failed") lose(UNEXPECTED(`The mover on ${mspName ?? mspId} lost the stream: ${state.detail}`, SEE_NETWORK));
      // Before the copy nothing moves; in it something always does, or somebody who should read does not.
      if (records.get(record.id).record.phase !== "copy") copyingSince = undefined;
      else if (Math.min(state.idleMs, now() - (copyingSince ??= now())) > STALL_MS_MAX) lose(NOTHING_MOVED());
    }),
    hypervisor.onViosLost((lost, reason) => viosLost(lost, reason.message)),
    hypervisor.onProcessLost((lost) => {
      if (lost === lparId) abort.abort(endedHere(hypervisor));
    }),
  ];
  // What was lost before the watch began told nobody.
  for (const lost of [...serving].filter((one) => !hypervisor.vioses().some((vios) => vios.lparId === one))) viosLost(lost, "it does not run");
  return () => unwatches.splice(0).forEach((unwatch) => unwatch());
}

export function endedHere(hypervisor: Hypervisor): OlpmError {
  return UNEXPECTED(`The partition ended on ${hypervisor.config.name} during the migration`, "See why it ended, activate it with chsysstate -r lpar -o on, then try again.");
}

export function mspOf(record: MigrationRecord): LparId {
  if (record.source.mspLparId === null) throw new OlpmError("invalid-argument", "an active migration needs a mover service partition on the source");
  return record.source.mspLparId;
}
