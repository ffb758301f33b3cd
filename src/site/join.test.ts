import assert from "node:assert/strict";
import test from "node:test";
import { hostAndPort } from "./places.js";
import { systemConfig } from "./join.js";
import { parseWords } from "./words.js";

const TABLE = { verb: "join", values: ["--address", "--memory", "--processors", "--type-model", "--serial"], many: ["--vios"] };
const config = (...words: string[]) => systemConfig("ms01", parseWords(["--address", "192.0.2.11", "--serial", "7800A01", ...words], TABLE));
const VIOS = "name=vios1,uplink=eno2,address=192.0.2.21/24,portal=198.51.100.1:3260";

test("a Virtual I/O Server from its pairs", () => {
  const { vioses } = config("--vios", `${VIOS},san=eno3,san-kind=macvlan,san-address=198.51.100.21/24`, "--vios", `${VIOS.replace("vios1", "vios2").replace("3260", "3260+198.51.100.2:3260")},kind=bridge,initiator=iqn.2020-01.x:y`);
  const [first, second] = vioses;
  assert.deepEqual(first!.interfaces.map(({ name, from, kind, address }) => [name, from, kind, address]), [["lan0", "eno2", "move", null], ["san0", "eno3", "macvlan", "198.51.100.21/24"]]);
  assert.deepEqual([first!.address, first!.prefix, first!.san.initiatorName, first!.namespace, first!.sea[0]!.trunkPriority], ["192.0.2.21", 24, "iqn.2026-01.org.openlpm:ms01.vios1", "openlpm-vios1", 1]);
  assert.deepEqual([second!.interfaces.length, second!.interfaces[0]!.kind, second!.san.portals, second!.san.initiatorName, second!.lparId], [1, "bridge", ["198.51.100.1:3260", "198.51.100.2:3260"], "iqn.2020-01.x:y", 2]);
  assert.ok(config().memoryBytes >= 2 ** 28 && config().processors >= 1);
});

test("what is wrong is refused before anything is made", () => {
  const refused: readonly [words: string[], why: RegExp][] = [
    [["--vios", "name=vios1"], /uplink=\.\.\., address=\.\.\., portal=\.\.\. is missing/],
    [["--vios", `${VIOS},colour=red`], /"colour=red" is not one of/],
    [["--vios", `${VIOS},name=x`], /name was given twice/],
    [["--vios", `${VIOS},kind=macvlan`], /the uplink can not be a macvlan/],
    [["--vios", VIOS.replace(":3260", "")], /a portal is ADDRESS:PORT/],
    [["--memory", "lots"], /memoryBytes/],
    [["--processors", "0"], /processors/],
    [["--type-model", "9009"], /typeModel/],
  ];
  for (const [words, why] of refused) assert.throws(() => config(...words), { code: "invalid-argument", message: why }, words.join(" "));
});

test("words: options once, known ones only, values there", () => {
  for (const bad of [["--memory"], ["--address", "a", "--address", "b"], ["--nothing"], ["operand"]]) assert.throws(() => parseWords(bad, TABLE), { code: "invalid-argument" });
  assert.equal(parseWords(["--memory=5"], TABLE).value("--memory"), "5");
  assert.throws(() => parseWords([], TABLE).needed("--address"), /needs --address/);
});

test("an address with and without a port", () => {
  assert.deepEqual(hostAndPort("192.0.2.5", 1), { host: "192.0.2.5", port: 1 });
  assert.deepEqual(hostAndPort("hmc1:2", 1), { host: "hmc1", port: 2 });
  assert.deepEqual(hostAndPort("[2001:db8::5]:2", 1), { host: "2001:db8::5", port: 2 });
  assert.deepEqual(hostAndPort("2001:db8::5", 1), { host: "2001:db8::5", port: 1 });
});
