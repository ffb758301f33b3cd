/** The identity of a LUN: VPD page 0x83 (SPC-5 7.8.6) to our name of it. Pure. */
import { LunId } from "../../model/ids.js";

interface Designator {
  readonly binary: boolean;
  readonly type: number;
  readonly value: Buffer;
}

const TYPE = { t10: 1, eui: 2, naa: 3 } as const;
/** NAA formats: 6 and 5 are IEEE registered, 2 IEEE extended, 3 is assigned by the array alone and so not unique in the world. */
const NAA_LOCAL = 3;

/** Designators of the logical unit itself, in the order of the page; those of the port or the target are left out. A cut page gives what is whole. */
export function parseDesignators(page: Buffer): Designator[] {
  const found: Designator[] = [];
  if (page.length < 4 || page.readUInt8(1) !== 0x83) return found;
  const end = Math.min(page.length, 4 + page.readUInt16BE(2));
  for (let at = 4; at + 4 <= end; ) {
    const next = at + 4 + page.readUInt8(at + 3);
    if (next > end) break;
    const association = (page.readUInt8(at + 1) >> 4) & 3;
    if (association === 0) found.push({ binary: (page.readUInt8(at) & 0xf) === 1, type: page.readUInt8(at + 1) & 0xf, value: page.subarray(at + 4, next) });
    at = next;
  }
  return found;
}

/**
 * The name of a LUN: `naa.` in hex before `eui.` before a locally assigned `naa.` before `t10.`; undefined when the page has none of them.
 * Any one of these identifies a LUN; the order makes every VIOS choose the same.
 */
export function lunIdOf(page: Buffer): LunId | undefined {
  const all = parseDesignators(page);
  const naa = all.filter((d) => d.type === TYPE.naa && d.binary && d.value.length >= 8).sort((a, b) => naaRank(b) - naaRank(a));
  const registered = naa.find((d) => naaRank(d) > 0);
  if (registered) return LunId.parse(`naa.${registered.value.toString("hex")}`);
  const eui = all.find((d) => d.type === TYPE.eui && d.binary && d.value.length >= 8);
  if (eui) return LunId.parse(`eui.${eui.value.toString("hex")}`);
  if (naa[0]) return LunId.parse(`naa.${naa[0].value.toString("hex")}`);
  const t10 = all.find((d) => d.type === TYPE.t10);
  const text = t10?.value.toString("latin1").replace(/[\0 ]+$/, "").replace(/[^0-9A-Za-z._:-]/g, "_").slice(0, 120) ?? "";
  return text === "" ? undefined : LunId.parse(`t10.${text}`);
}

function naaRank(designator: Designator): number {
  const format = designator.value.readUInt8(0) >> 4;
  return format === NAA_LOCAL ? 0 : format;
}
