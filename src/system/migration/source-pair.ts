/**
 * The pair of movers that carries the state. The second pair takes over from one that is lost before the release. QEMU can not go on with a stream that broke, so
 * the copy begins anew, from a partition that ran all the time to a new process on the destination; the migration with all else that it has goes on
 * (docs/mover.md). After the release nothing of this happens: what is lost then is the destination's to decide on.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { invariant } from "../../kit/invariant.js";
import { abortError, delay } from "../../kit/wait.js";
import { tookOver, type MigrationRecord } from "../../model/migration.js";
import type { Result } from "../../wire/rpc.js";
import type { SystemSystem } from "../../wire/system-system.js";
import type { Peer, PeerEndpoint } from "./peer.js";
import type { AfterRelease } from "./source-released.js";
import { endedHere, mspOf, watchNeeds, type SourceContext } from "./source-watch.js";

/** No limit of our own: the link decides (bytes a second). */
const RATE_MAX = 2 ** 39;
/** A destination that does not answer in this time is lost too: a process of it that restarts is back by then. */
const ASK_MS_MAX = 60_000;
const ASK_AGAIN_MS = 500;

/** Pairs the source's mover of the record with the peer and gives it QEMU's stream; what is lost from now on is watched for. */
export async function openPair(context: SourceContext, record: MigrationRecord, ticket: string, peer: PeerEndpoint): Promise<void> {
  const { hypervisor, records, running } = context;
  const mine = running.of(record.id);
  const process = hypervisor.process(record.source.lparId);
  if (!process) throw endedHere(hypervisor);
  const outgoing = (mine.outgoing ??= await process.prepareOutgoing({ policy: hypervisor.config.migration, bytesPerSecondMax: RATE_MAX }));
  const msp = hypervisor.vios(mspOf(record));
  mine.unwatch ??= watchNeeds(context, record);
  if (mine.abort.signal.aborted) throw abortError(mine.abort.signal);
  const { way } = await msp.client.call("mover.send", { id: record.id, ticket, channelSocket: outgoing.channelSocket, peer }, { signal: mine.abort.signal });
  records.change(record.id, (now) => ({ ...now, way }));
}

/**
 * Lets the partition run on, and opens the second pair for a copy from the beginning. Everything of it may be interrupted: the partition is this side's.
 * @throws OlpmError `cause`, with why the second pair can not take over; what stopped the migration meanwhile
 */
export async function changePairs(context: SourceContext, released: AfterRelease, id: string, peer: Peer, cause: OlpmError): Promise<void> {
  const { hypervisor, records, running } = context;
  const mine = running.of(id);
  const { signal } = mine.abort;
  const { record } = records.get(id);
  const { lparId, mspLparId } = record.source;
  invariant(hypervisor.row(lparId).ownership.kind === "owner", "a pair takes over only before the release");
  const log = hypervisor.log.child({ migration_id: id, role: "source", lpar: record.lparName });
  log.warn({ err: cause }, "the pair of movers was lost; the second pair takes over");
  // First the old copy has its end: from then on no byte of it can complete what the destination has.
  await released.runHere(record, mine.outgoing);
  mine.outgoing = undefined;
  records.change(id, (now) => ({ ...now, phase: "copy" }));
  void hypervisor.closeMover(mspLparId, record.id, cause.message).catch((error: unknown) => log.warn({ err: error }, "the lost pair's mover could not be closed; it is tried again at the end"));
  try {
    const { ticket, peer: endpoint } = await askForSecondPair(context, record, peer, cause);
    if (signal.aborted) throw abortError(signal);
    mine.unwatch?.();
    mine.unwatch = undefined;
    mine.pairLost = new AbortController();
    const row = records.change(id, (now) => tookOver(now, { at: records.now(), reason: cause.message }));
    await openPair(context, row.record, ticket, endpoint);
  } catch (thrown) {
    if (signal.aborted) throw abortError(signal);
    throw new OlpmError("migration-failed", `${cause.message} The second pair of movers could not take over: ${toOlpmError(thrown, "opening it").message}`, { hsc: cause.hsc, action: cause.action, retryable: true });
  }
}

/** Repeated while the destination is away: the answer to the same question is the same. */
async function askForSecondPair({ hypervisor, running }: SourceContext, record: MigrationRecord, peer: Peer, cause: OlpmError): Promise<Result<SystemSystem, "handover.secondPair">> {
  const { signal } = running.of(record.id).abort;
  const end = hypervisor.clock.now() + ASK_MS_MAX;
  for (;;) {
    try {
      return await peer.client.call("handover.secondPair", { id: record.id, generation: record.generation, reason: cause.message }, { signal });
    } catch (thrown) {
      const error = toOlpmError(thrown, "asking for the second pair of movers");
      if (signal.aborted || error.reportedBy !== undefined || !["peer-lost", "timeout"].includes(error.code) || hypervisor.clock.now() > end) throw thrown;
      await delay(ASK_AGAIN_MS, signal, hypervisor.clock);
    }
  }
}
