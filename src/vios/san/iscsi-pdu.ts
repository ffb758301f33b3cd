/**
 * Bytes of the iSCSI PDUs that asking a SAN for its LUNs needs (RFC 7143 section 11); no sockets here. Digests are never negotiated, so a PDU is its
 * basic header segment (48 bytes), additional headers (skipped) and the data segment, padded to four bytes. Data paths of partitions do not
 * pass here: the storage daemon has an initiator of its own.
 */
import { OlpmError } from "../../kit/errors.js";

export const OPCODE = { scsiCommand: 0x01, loginRequest: 0x03, textRequest: 0x04, logoutRequest: 0x06, nopIn: 0x20, scsiResponse: 0x21, loginResponse: 0x23, textResponse: 0x24, dataIn: 0x25, logoutResponse: 0x26, asyncMessage: 0x32, reject: 0x3f } as const;

/** Stages of a login (RFC 7143 11.12.3). */
export const STAGE = { security: 0, operational: 1, fullFeature: 3 } as const;

const HEADER_BYTES = 48;
/** Largest data segment that we announce and take; answers to our questions are a few kilobytes. */
export const DATA_BYTES_MAX = 256 << 10;

/** Sequence numbers and the task that a request belongs to. */
export interface Sequence {
  readonly task: number;
  readonly command: number;
  readonly expectStatus: number;
}

export interface Pdu {
  readonly opcode: number;
  readonly header: Buffer;
  readonly data: Buffer;
}

function pdu(opcode: number, flags: number, sequence: Sequence, data: Buffer, fill: (header: Buffer) => void): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = opcode;
  header[1] = flags;
  header.writeUIntBE(data.length, 5, 3);
  header.writeUInt32BE(sequence.task, 16);
  header.writeUInt32BE(sequence.command, 24);
  header.writeUInt32BE(sequence.expectStatus, 28);
  fill(header);
  return Buffer.concat([header, data, Buffer.alloc((4 - (data.length % 4)) % 4)]);
}

const IMMEDIATE = 0x40;
const FINAL = 0x80;

/** `isid` is six bytes; `from` and `to` are stages; always asks to go on (T bit). */
export function loginRequest(options: { readonly isid: Buffer; readonly from: number; readonly to: number; readonly sequence: Sequence; readonly keys: Readonly<Record<string, string>> }): Buffer {
  return pdu(OPCODE.loginRequest | IMMEDIATE, FINAL | (options.from << 2) | options.to, options.sequence, encodeKeys(options.keys), (header) => options.isid.copy(header, 8));
}

/** `transfer` 0xffffffff begins an exchange; a target's own tag goes on with one. */
export function textRequest(sequence: Sequence, transfer: number, keys: Readonly<Record<string, string>>): Buffer {
  return pdu(OPCODE.textRequest, FINAL, sequence, encodeKeys(keys), (header) => header.writeUInt32BE(transfer, 20));
}

/** A SCSI command that reads up to `expectBytes`. `lun` is the eight bytes that REPORT LUNS gave. */
export function scsiReadCommand(sequence: Sequence, lun: Buffer, cdb: Buffer, expectBytes: number): Buffer {
  const read = 0x40;
  const simple = 0x01;
  return pdu(OPCODE.scsiCommand, FINAL | read | simple, sequence, Buffer.alloc(0), (header) => {
    lun.copy(header, 8);
    header.writeUInt32BE(expectBytes, 20);
    cdb.copy(header, 32);
  });
}

/** Ends the whole session. */
export function logoutRequest(sequence: Sequence): Buffer {
  return pdu(OPCODE.logoutRequest | IMMEDIATE, FINAL, sequence, Buffer.alloc(0), () => undefined);
}

export function encodeKeys(keys: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(Object.entries(keys).map(([key, value]) => `${key}=${value}\0`).join(""), "utf8");
}

/** Pairs in their order; a key may come more than once (SendTargets). */
export function decodeKeys(data: Buffer): [string, string][] {
  const pairs: [string, string][] = [];
  for (const text of data.toString("utf8").split("\0")) {
    const at = text.indexOf("=");
    if (at > 0) pairs.push([text.slice(0, at), text.slice(at + 1)]);
  }
  return pairs;
}

/** Takes chunks of any size and gives the PDUs that are complete. */
export class PduDecoder {
  #held: Buffer = Buffer.alloc(0);

  /** @throws OlpmError invalid-argument when a data segment is over DATA_BYTES_MAX */
  push(chunk: Buffer): Pdu[] {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const pdus: Pdu[] = [];
    while (this.#held.length >= HEADER_BYTES) {
      const dataBytes = this.#held.readUIntBE(5, 3);
      if (dataBytes > DATA_BYTES_MAX) throw new OlpmError("invalid-argument", `the SAN announced ${dataBytes} bytes, the limit is ${DATA_BYTES_MAX}`);
      const dataAt = HEADER_BYTES + this.#held.readUInt8(4) * 4;
      const end = dataAt + dataBytes + ((4 - (dataBytes % 4)) % 4);
      if (this.#held.length < end) break;
      pdus.push({ opcode: this.#held.readUInt8(0) & 0x3f, header: this.#held.subarray(0, HEADER_BYTES), data: this.#held.subarray(dataAt, dataAt + dataBytes) });
      this.#held = this.#held.subarray(end);
    }
    return pdus;
  }
}
