/**
 * A short iSCSI session that asks a SAN which targets and LUNs it shows to this VIOS's initiator name, and what they are. One request at a
 * time. `discover.ts` calls it. Written because libiscsi's command line tools print a binary identity as text and cut it at the first zero byte.
 *
 *   connecting -> security -> operational -> full feature -> logged out
 */
import { randomBytes } from "node:crypto";
import net from "node:net";
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import { abortError } from "../../kit/wait.js";
import { DATA_BYTES_MAX, decodeKeys, loginRequest, logoutRequest, OPCODE, PduDecoder, scsiReadCommand, STAGE, textRequest, type Pdu, type Sequence } from "./iscsi-pdu.js";

export interface SessionOptions {
  /** host:port; an IPv6 host in brackets */
  readonly portal: string;
  readonly initiatorName: string;
  /** null: a discovery session */
  readonly targetName: string | null;
  /** ends the session with its reason; carries the deadline */
  readonly signal: AbortSignal;
}

export interface FoundTarget {
  readonly name: string;
  /** host:port of each portal it can be reached at */
  readonly portals: readonly string[];
}

const ISCSI_PORT = 3260;
const NO_TAG = 0xffffffff;
/** A LUN tells once per initiator that it was reset or changed (unit attention); asking again gives the answer. */
const ATTENTIONS_MAX = 4;
/** Rounds of a login or of a text exchange; more is a target that does not know where to go. */
const ROUNDS_MAX = 32;

/** Status classes and details of a login response (RFC 7143 11.13.5) in an operator's words. */
const LOGIN_STATUS: Readonly<Record<number, string>> = {
  0x0101: "the target has moved for a while (redirect)",
  0x0102: "the target has moved (redirect)",
  0x0201: "the target asks for a password (CHAP), which is not set up",
  0x0202: "this initiator name may not use the target",
  0x0203: "the target does not exist for this initiator name",
  0x0301: "the SAN is not ready",
  0x0302: "the SAN is out of resources",
};

export function splitPortal(portal: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(portal);
  if (!match) throw new OlpmError("invalid-argument", `${portal} is no portal of a SAN (host:port)`);
  return { host: match[1] ?? match[2]!, port: match[3] === undefined ? ISCSI_PORT : Number(match[3]) };
}

export class IscsiSession {
  readonly #socket: net.Socket;
  readonly #options: SessionOptions;
  readonly #pdus: Pdu[] = [];
  #waiting: { resolve: (pdu: Pdu) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;
  #task = 1;
  #command = 1;
  #expectStatus = 0;
  readonly #onAbort = () => this.#socket.destroy(abortError(this.#options.signal));

  private constructor(options: SessionOptions) {
    this.#options = options;
    const decoder = new PduDecoder();
    this.#socket = net.connect(splitPortal(options.portal));
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => {
      try {
        for (const pdu of decoder.push(chunk)) this.#take(pdu);
      } catch (error) {
        this.#socket.destroy(error as Error);
      }
    });
    this.#socket.on("error", (error) => this.#fail(error));
    this.#socket.on("close", () => this.#fail(new OlpmError("peer-lost", `the SAN closed the connection at ${options.portal}`)));
    if (options.signal.aborted) this.#onAbort();
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @throws OlpmError peer-lost (no connection) | not-authorised (the SAN refuses this initiator name) | not-found | timeout */
  static async open(options: SessionOptions): Promise<IscsiSession> {
    const session = new IscsiSession(options);
    try {
      await session.#login();
      return session;
    } catch (error) {
      session.destroy();
      throw toOlpmError(error, `logging in to the SAN at ${options.portal}`);
    }
  }

  /** Targets that the SAN shows to this initiator name; a discovery session only. */
  async sendTargets(): Promise<FoundTarget[]> {
    const pairs: [string, string][] = [];
    let keys: Record<string, string> = { SendTargets: "All" };
    let transfer = NO_TAG;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const answer = await this.#ask((sequence) => textRequest(sequence, transfer, keys), OPCODE.textResponse);
      pairs.push(...decodeKeys(answer.data));
      if ((answer.header.readUInt8(1) & 0x80) !== 0) return groupTargets(pairs);
      transfer = answer.header.readUInt32BE(20);
      keys = {};
    }
    throw new OlpmError("refused", `the SAN at ${this.#options.portal} does not end its list of targets`);
  }

  /**
   * Runs a SCSI command that reads and gives what the LUN answered.
   * @throws OlpmError storage-failed with status and sense when the LUN refuses
   */
  async read(lun: Buffer, cdb: readonly number[], bytes: number): Promise<Buffer> {
    const block = Buffer.alloc(16);
    Buffer.from(cdb).copy(block);
    for (let attempt = 0; ; attempt++) {
      const { status, data, senseKey } = await this.#scsi(lun, block, bytes);
      if (status === 0) return data;
      const unitAttention = senseKey === 0x6;
      if (!unitAttention || attempt >= ATTENTIONS_MAX) throw new OlpmError("storage-failed", `the SAN answered SCSI command 0x${block.readUInt8(0).toString(16)} with status 0x${status.toString(16)}, sense key ${senseKey}`);
    }
  }

  /** Logs out and closes; errors no longer matter. */
  async close(): Promise<void> {
    if (!this.#failure) await this.#ask((sequence) => logoutRequest(sequence), OPCODE.logoutResponse, true).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#socket.destroy();
  }

  async #login(): Promise<void> {
    const isid = Buffer.concat([Buffer.from([0x80]), randomBytes(5)]); // "random" format of RFC 7143 11.12.5
    const { initiatorName, targetName } = this.#options;
    const who = { InitiatorName: initiatorName, ...(targetName === null ? { SessionType: "Discovery" } : { SessionType: "Normal", TargetName: targetName }) };
    const operational = { HeaderDigest: "None", DataDigest: "None", ErrorRecoveryLevel: "0", MaxRecvDataSegmentLength: String(DATA_BYTES_MAX), ...(targetName === null ? {} : { InitialR2T: "Yes", ImmediateData: "No", MaxConnections: "1" }) };
    let stage: number = STAGE.security;
    let keys: Record<string, string> = { ...who, AuthMethod: "None" };
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const from = stage;
      const answer = await this.#ask((sequence) => loginRequest({ isid, from, to: from === STAGE.security ? STAGE.operational : STAGE.fullFeature, sequence, keys }), OPCODE.loginResponse, true);
      const status = answer.header.readUInt16BE(36);
      if (status !== 0) throw new OlpmError(status >> 8 === 2 ? "not-authorised" : "refused", `the SAN at ${this.#options.portal} refused ${initiatorName}: ${LOGIN_STATUS[status] ?? `login status 0x${status.toString(16)}`}`);
      const flags = answer.header.readUInt8(1);
      const moved = (flags & 0x80) !== 0;
      if (moved && (flags & 3) === STAGE.fullFeature) return;
      if (moved && (flags & 3) === STAGE.operational) {
        stage = STAGE.operational;
        keys = operational;
      } else keys = {};
    }
    throw new OlpmError("refused", `the SAN at ${this.#options.portal} does not end the login`);
  }

  async #scsi(lun: Buffer, cdb: Buffer, bytes: number): Promise<{ status: number; data: Buffer; senseKey: number }> {
    const parts: Buffer[] = [];
    let answer = await this.#ask((sequence) => scsiReadCommand(sequence, lun, cdb, bytes), OPCODE.dataIn);
    while (answer.opcode === OPCODE.dataIn) {
      parts.push(answer.data);
      const withStatus = (answer.header.readUInt8(1) & 0x01) !== 0;
      if (withStatus) return { status: answer.header.readUInt8(3), data: Buffer.concat(parts).subarray(0, bytes), senseKey: 0 };
      answer = await this.#next();
    }
    if (answer.opcode !== OPCODE.scsiResponse) throw this.#unexpected(answer);
    this.#noteStatus(answer);
    const failedAtTarget = answer.header.readUInt8(2) !== 0;
    // The sense data follows a length of two bytes; its third byte holds the key.
    return { status: failedAtTarget ? 0xff : answer.header.readUInt8(3), data: Buffer.concat(parts).subarray(0, bytes), senseKey: answer.data.length > 4 ? answer.data.readUInt8(4) & 0xf : 0 };
  }

  /** Sends one request and gives its first answer. Immediate requests do not use up a command number. */
  async #ask(build: (sequence: Sequence) => Buffer, expect: number, immediate = false): Promise<Pdu> {
    if (this.#failure) throw this.#failure;
    this.#socket.write(build({ task: this.#task, command: this.#command, expectStatus: this.#expectStatus }));
    if (expect !== OPCODE.loginResponse) this.#task++;
    if (!immediate) this.#command++;
    const answer = await this.#next();
    const mayBeResponse = expect === OPCODE.dataIn && answer.opcode === OPCODE.scsiResponse;
    if (answer.opcode !== expect && !mayBeResponse) throw this.#unexpected(answer);
    if (expect !== OPCODE.dataIn) this.#noteStatus(answer);
    return answer;
  }

  #noteStatus(answer: Pdu): void {
    this.#expectStatus = (answer.header.readUInt32BE(24) + 1) >>> 0;
  }

  #unexpected(answer: Pdu): OlpmError {
    return new OlpmError("refused", `the SAN at ${this.#options.portal} sent PDU 0x${answer.opcode.toString(16)} where it should have answered`);
  }

  #next(): Promise<Pdu> {
    const pdu = this.#pdus.shift();
    if (pdu) return Promise.resolve(pdu);
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #take(pdu: Pdu): void {
    // Pings and notices may come at any time; a session of a few milliseconds need not answer them.
    if (pdu.opcode === OPCODE.nopIn || pdu.opcode === OPCODE.asyncMessage) return;
    if (pdu.opcode === OPCODE.dataIn && (pdu.header.readUInt8(1) & 0x01) !== 0) this.#noteStatus(pdu);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting.resolve(pdu);
    else this.#pdus.push(pdu);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#failure);
  }
}

/** The list of SendTargets: every TargetName is followed by its addresses `host:port,group`. */
export function groupTargets(pairs: readonly (readonly [string, string])[]): FoundTarget[] {
  const targets: { name: string; portals: string[] }[] = [];
  for (const [key, value] of pairs) {
    if (key === "TargetName") targets.push({ name: value, portals: [] });
    else if (key === "TargetAddress") targets.at(-1)?.portals.push(value.replace(/,\d+$/, ""));
  }
  return targets;
}
