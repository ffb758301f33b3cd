import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeLun, encodeLun } from "./discover.js";
import { lunIdOf } from "./designators.js";
import { DATA_BYTES_MAX, decodeKeys, encodeKeys, loginRequest, OPCODE, PduDecoder, scsiReadCommand, textRequest } from "./iscsi-pdu.js";
import { groupTargets, splitPortal } from "./iscsi-session.js";

const SEQUENCE = { task: 7, command: 9, expectStatus: 11 };

function page(...designators: { code: number; type: number; association?: number; value: Buffer }[]): Buffer {
  const body = Buffer.concat(designators.map((d) => Buffer.concat([Buffer.from([d.code, ((d.association ?? 0) << 4) | d.type, 0, d.value.length]), d.value])));
  const head = Buffer.from([0, 0x83, 0, 0]);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}
const hex = (text: string) => Buffer.from(text, "hex");

test("the identity of a LUN is its registered NAA name, zero bytes included", () => {
  const t10 = { code: 2, type: 1, value: Buffer.from("IET     00010001") };
  const local = { code: 1, type: 3, value: hex("3000000100000001") };
  const naa6 = { code: 1, type: 3, value: hex("600507680140123400000000000000a1") };
  assert.equal(lunIdOf(page(t10, local, naa6)), "naa.600507680140123400000000000000a1");
  assert.equal(lunIdOf(page(local, { code: 1, type: 2, value: hex("0011223344556677") })), "eui.0011223344556677");
  assert.equal(lunIdOf(page(t10, local)), "naa.3000000100000001");
  assert.equal(lunIdOf(page(t10)), "t10.IET_____00010001");
});

test("names of ports and targets are not the LUN's, and a page without names gives none", () => {
  assert.equal(lunIdOf(page({ code: 1, type: 3, association: 1, value: hex("5005076801401234") })), undefined);
  assert.equal(lunIdOf(page()), undefined);
  assert.equal(lunIdOf(Buffer.alloc(0)), undefined);
  assert.equal(lunIdOf(hex("00800004aabbccdd")), undefined);
});

test("a page cut anywhere gives a whole identity or none", () => {
  const whole = page({ code: 1, type: 3, value: hex("600507680140123400000000000000a1") });
  for (let end = 0; end < whole.length; end++) assert.equal(lunIdOf(whole.subarray(0, end)), undefined, `cut at ${end}`);
});

test("PDUs have the bytes of RFC 7143", () => {
  const login = loginRequest({ isid: hex("800102030405"), from: 0, to: 1, sequence: SEQUENCE, keys: { A: "b" } });
  assert.equal(login.toString("hex"), "4381000000000004" + "8001020304050000" + "00000007" + "00000000" + "00000009" + "0000000b" + "00".repeat(16) + "413d6200");
  const command = scsiReadCommand(SEQUENCE, encodeLun(2), Buffer.from([0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 36);
  assert.equal(command.toString("hex"), "01c1000000000000" + "0002000000000000" + "00000007" + "00000024" + "00000009" + "0000000b" + "12000000240000000000000000000000");
  assert.equal(textRequest(SEQUENCE, 0xffffffff, {}).subarray(20, 24).toString("hex"), "ffffffff");
});

test("the decoder takes a stream split at every place", () => {
  const one = textRequest(SEQUENCE, 1, { SendTargets: "All" });
  const two = loginRequest({ isid: Buffer.alloc(6), from: 1, to: 3, sequence: SEQUENCE, keys: { X: "yz" } });
  const stream = Buffer.concat([one, two]);
  for (let at = 0; at <= stream.length; at++) {
    const decoder = new PduDecoder();
    const got = [...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at))];
    assert.deepEqual(got.map((pdu) => [pdu.opcode, pdu.data.toString()]), [[OPCODE.textRequest, "SendTargets=All\0"], [OPCODE.loginRequest, "X=yz\0"]]);
  }
});

test("the decoder refuses a data segment over the limit before it arrives", () => {
  const header = Buffer.alloc(48);
  header.writeUIntBE(DATA_BYTES_MAX + 1, 5, 3);
  assert.throws(() => new PduDecoder().push(header), { code: "invalid-argument" });
});

test("keys, target lists, portals and LUN numbers", () => {
  assert.deepEqual(decodeKeys(encodeKeys({ A: "1", B: "x=y" })), [["A", "1"], ["B", "x=y"]]);
  assert.deepEqual(groupTargets([["TargetName", "iqn.a"], ["TargetAddress", "10.0.0.1:3260,1"], ["TargetAddress", "[fd00::1]:3260,2"], ["TargetName", "iqn.b"]]), [
    { name: "iqn.a", portals: ["10.0.0.1:3260", "[fd00::1]:3260"] },
    { name: "iqn.b", portals: [] },
  ]);
  assert.deepEqual(splitPortal("san1"), { host: "san1", port: 3260 });
  assert.deepEqual(splitPortal("[fd00::1]:99"), { host: "fd00::1", port: 99 });
  assert.throws(() => splitPortal("a:b:c"), { code: "invalid-argument" });
  for (const lun of [0, 1, 255, 256, 4000]) assert.equal(decodeLun(encodeLun(lun)), lun);
});
