/**
 * What the SAN shows to this VIOS: every LUN by its SCSI identity, with the way to it and its size. `Vios` keeps the result as hdisks; nothing
 * here is kept. A portal that does not answer does not hide the LUNs of the others: the reasons come beside the LUNs.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { LunId } from "../../model/ids.js";
import { lunIdOf } from "./designators.js";
import { IscsiSession, type FoundTarget } from "./iscsi-session.js";

export interface SanConfig {
  readonly portals: readonly string[];
  readonly initiatorName: string;
}
/** The way to a LUN: not its name, since it may change. */
export interface LunPath {
  readonly portal: string;
  readonly target: string;
  readonly lunNumber: number;
}
export interface FoundLun extends LunPath {
  readonly lun: LunId;
  /** 0 when a reservation keeps it from being read */
  readonly bytes: number;
  readonly blockBytes: number;
  /** who holds a SCSI reservation; null: nobody, or the LUN knows no reservations */
  readonly reservedBy: string | null;
}
export interface Discovery {
  readonly luns: readonly FoundLun[];
  /** names of the targets that the SAN shows, whether they have LUNs or not */
  readonly targets: readonly string[];
  /** one for each portal or target that could not be asked */
  readonly failures: readonly OlpmError[];
}

/** A SAN that has not answered one question within this is not reachable for our purposes. */
const ASK_MS_MAX = 4_000;
/** LUNs of one target that are looked at; an array gives a host a few dozen. */
const LUNS_MAX = 1024;
const LUN_BYTES = 8;

/** Asks all portals. Never throws for an unreachable one. */
export async function discover(san: SanConfig, signal?: AbortSignal): Promise<Discovery> {
  const luns = new Map<string, FoundLun>();
  const targets = new Set<string>();
  const failures: OlpmError[] = [];
  const answers = await Promise.all(san.portals.map((portal) => askPortal(san, portal, signal)));
  for (const answer of answers) {
    failures.push(...answer.failures);
    for (const target of answer.targets) targets.add(target);
    for (const lun of answer.luns) if (!luns.has(lun.lun)) luns.set(lun.lun, lun);
  }
  return { luns: [...luns.values()], targets: [...targets], failures };
}

/**
 * Looks at one LUN where it was last seen.
 * @throws OlpmError peer-lost | timeout (no SAN) | not-authorised | lun-not-visible (nothing there)
 */
export async function inspect(san: SanConfig, path: LunPath, signal?: AbortSignal): Promise<FoundLun> {
  const found = await withSession({ ...san, portal: path.portal, target: path.target, signal }, async (session) => lookAt(session, path, encodeLun(path.lunNumber)));
  if (!found) throw new OlpmError("lun-not-visible", `${path.target} at ${path.portal} has no disk as LUN ${path.lunNumber}`);
  return found;
}

async function askPortal(san: SanConfig, portal: string, signal: AbortSignal | undefined): Promise<Discovery> {
  const luns: FoundLun[] = [];
  const failures: OlpmError[] = [];
  let targets: readonly FoundTarget[] = [];
  try {
    targets = await withSession({ ...san, portal, target: null, signal }, (session) => session.sendTargets());
    for (const target of targets) {
      try {
        luns.push(...(await askTarget(san, portalOf(target, portal), target.name, signal)));
      } catch (error) {
        failures.push(toOlpmError(error, `asking ${target.name} for its LUNs`));
      }
    }
  } catch (error) {
    failures.push(toOlpmError(error, `asking the SAN at ${portal} for its targets`));
  }
  return { luns, targets: targets.map((target) => target.name), failures };
}

/** The portal that was asked when the target is there too: it is known to be reachable. */
const portalOf = (target: FoundTarget, asked: string): string => (target.portals.length === 0 || target.portals.includes(asked) ? asked : target.portals[0]!);

async function askTarget(san: SanConfig, portal: string, target: string, signal: AbortSignal | undefined): Promise<FoundLun[]> {
  return withSession({ ...san, portal, target, signal }, async (session) => {
    const bytes = 8 + LUNS_MAX * LUN_BYTES;
    const list = await session.read(Buffer.alloc(LUN_BYTES), [0xa0, 0, 0, 0, 0, 0, ...u32(bytes), 0, 0], bytes);
    const found: FoundLun[] = [];
    const end = Math.min(list.length, 8 + list.readUInt32BE(0));
    for (let at = 8; at + LUN_BYTES <= end; at += LUN_BYTES) {
      const raw = list.subarray(at, at + LUN_BYTES);
      const lun = await lookAt(session, { portal, target, lunNumber: decodeLun(raw) }, raw);
      if (lun) found.push(lun);
    }
    return found;
  });
}

/** Identity and size; undefined when it is no disk or names itself in no way that we know. */
async function lookAt(session: IscsiSession, path: LunPath, raw: Buffer): Promise<FoundLun | undefined> {
  const inquiry = await session.read(raw, [0x12, 0, 0, 0, 36, 0], 36);
  const connectedDisk = inquiry.length > 0 && inquiry.readUInt8(0) === 0;
  if (!connectedDisk) return undefined;
  const identity = lunIdOf(await session.read(raw, [0x12, 1, 0x83, 4, 0, 0], 1024));
  if (identity === undefined) return undefined;
  const reservedBy = await reservation(session, raw);
  const capacity = await session.read(raw, [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, ...u32(32), 0, 0], 32).catch((error: unknown) => {
    if (isConflict(error)) return null;
    throw error;
  });
  if (capacity === null) return { ...path, lun: identity, blockBytes: 0, bytes: 0, reservedBy: reservedBy ?? "another initiator" };
  const blockBytes = capacity.readUInt32BE(8);
  return { ...path, lun: identity, blockBytes, bytes: Number(capacity.readBigUInt64BE(0) + 1n) * blockBytes, reservedBy };
}

/**
 * TEST UNIT READY, which an older reservation (RESERVE) answers with a conflict, then PERSISTENT RESERVE IN, READ RESERVATION (SPC-4 6.15.3). A LUN that does not
 * know the command has no reservation.
 */
async function reservation(session: IscsiSession, raw: Buffer): Promise<string | null> {
  try {
    await session.read(raw, [0, 0, 0, 0, 0, 0], 0);
    const answer = await session.read(raw, [0x5e, 0x01, 0, 0, 0, 0, 0, 0, 64, 0], 64);
    const held = answer.length >= 24 && answer.readUInt32BE(4) >= 16;
    return held ? `the holder of the persistent reservation key 0x${answer.subarray(8, 16).toString("hex")}` : null;
  } catch (error) {
    if (isConflict(error)) return "another initiator";
    if (error instanceof OlpmError && error.code === "storage-failed") return null;
    throw error;
  }
}
/** SAM-5 5.3.1: status RESERVATION CONFLICT */
const isConflict = (error: unknown): boolean => error instanceof OlpmError && error.code === "storage-failed" && error.message.includes("status 0x18,");

async function withSession<T>(where: { initiatorName: string; portal: string; target: string | null; signal: AbortSignal | undefined }, work: (session: IscsiSession) => Promise<T>): Promise<T> {
  const deadline = AbortSignal.timeout(ASK_MS_MAX);
  const signal = where.signal ? AbortSignal.any([deadline, where.signal]) : deadline;
  const session = await IscsiSession.open({ portal: where.portal, initiatorName: where.initiatorName, targetName: where.target, signal });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Peripheral addressing below 256, flat above (SAM-5 4.7). */
export function encodeLun(lunNumber: number): Buffer {
  const raw = Buffer.alloc(LUN_BYTES);
  raw.writeUInt16BE(lunNumber < 256 ? lunNumber : 0x4000 | lunNumber, 0);
  return raw;
}
export const decodeLun = (raw: Buffer): number => raw.readUInt16BE(0) & 0x3fff;

const u32 = (value: number): number[] => [(value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
