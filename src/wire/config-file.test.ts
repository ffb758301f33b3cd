import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { parse, stringify } from "yaml";
import type { OlpmError } from "../kit/errors.js";
import { configArgument, configText, keysOf, readConfigFile } from "./config-file.js";
import { ConsoleConfig } from "./console-config.js";
import { SystemConfig } from "./system-config.js";

const SYSTEM = {
  name: "ms01",
  mtms: { typeModel: "9009-42A", serial: "7800A01" },
  listen: { host: "192.0.2.11" },
  memoryBytes: 2 ** 33,
  processors: 8,
  vioses: [{ lparId: 1, name: "vios1", namespace: "openlpm-vios1", interfaces: [{ name: "lan0", from: "eno2", kind: "move" }], san: { portals: ["10.9.1.1:3260"], initiatorName: "iqn.2026-01.org.openlpm:ms01.vios1" }, uplink: "lan0", address: "192.0.2.21", prefix: 24, sea: { vswitch: "ETHERNET0", vlanIds: [1], trunkSlot: 2, trunkPriority: 1 }, tls: { ca: "a", cert: "b", key: "c" } }],
};
const CONSOLE = { name: "hmc1", ssh: { listen: [{ host: "192.0.2.5", port: 2222 }] }, systems: [{ name: "ms01", host: "192.0.2.11" }] };

function reading(text: string, schema: typeof SystemConfig | typeof ConsoleConfig): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-config-"));
  try {
    const file = path.join(dir, "x.yaml");
    fs.writeFileSync(file, text);
    readConfigFile(file, schema as typeof SystemConfig, { of: "a managed system", verb: "join" });
    return "";
  } catch (error) {
    return (error as OlpmError).message;
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
const changed = (change: (config: any) => void): string => {
  const config = structuredClone(SYSTEM);
  change(config);
  return reading(stringify(config), SystemConfig);
};

test("a short file is enough, and what is written with comments reads as the same", () => {
  for (const [schema, value] of [[SystemConfig, SYSTEM], [ConsoleConfig, CONSOLE]] as const) {
    const config = (schema as typeof SystemConfig).parse(value);
    const text = configText(schema, config, "Head.");
    assert.deepEqual((schema as typeof SystemConfig).parse(parse(text)), config);
    for (const line of text.split("\n")) assert.ok(line.length <= 200 || !line.trimStart().startsWith("#"), line);
    for (const { path: key } of keysOf(schema).filter((one) => !one.path.includes(".") && one.path !== "enrolment")) assert.match(text, new RegExp(`# [^\n]+\n${key.replace("[]", "")}:`), `${key} is explained`);
  }
});

test("every key is explained", () => {
  const top = (schema: typeof SystemConfig | typeof ConsoleConfig) => Object.keys(schema.shape);
  for (const schema of [SystemConfig, ConsoleConfig]) {
    const keys = keysOf(schema).map((key) => key.path);
    for (const name of top(schema)) assert.ok(keys.some((key) => key === name || key === `${name}[]` || key.startsWith(`${name}.`)), name);
  }
  const vios = keysOf(SystemConfig).map((key) => key.path).filter((key) => key.startsWith("vioses[]."));
  for (const name of ["lparId", "interfaces[]", "interfaces[].kind", "san.portals", "uplink", "moverPort", "tls"]) assert.ok(vios.includes(`vioses[].${name}`), name);
});

test("what is wrong is said with its path and what would be right", () => {
  assert.match(changed((c) => (c.vioses[0].uplnk = "x")), /vioses\[0\]\.uplnk: there is no such key; there are lparId, name, .*uplink/);
  assert.match(changed((c) => (c.memory = 1)), /memory: there is no such key; there are name, mtms, .*memoryBytes/);
  assert.match(changed((c) => delete c.processors), /processors: is missing \(number\)/);
  assert.match(changed((c) => (c.vioses[0].interfaces[0].kind = "veth")), /vioses\[0\]\.interfaces\[0\]\.kind: .*"move"\|"bridge"\|"macvlan"/);
  assert.match(changed((c) => (c.vioses[0].san.portals = ["10.9.1.1"])), /vioses\[0\]\.san\.portals\[0\]: a portal is ADDRESS:PORT/);
  assert.match(changed((c) => (c.processors = "many")), /processors: expected number, received string/);
  assert.match(changed((c) => (c.vioses[0].sea.vlanIds = [1, 20, 1])), /vioses\[0\]\.sea\[0\]\.vlanIds: a VLAN is there twice/);
  assert.match(changed((c) => (c.vioses[0].sea = [c.vioses[0].sea, { vswitch: "V2", vlanIds: [30], trunkSlot: 3, trunkPriority: 1 }])), /vioses\[0\]\.sea\[1\]: two shared Ethernet adapters have different uplinks/);
  assert.match(changed((c) => (c.vioses[0].sea = [c.vioses[0].sea, { vswitch: "V2", vlanIds: [30], trunkSlot: 3, trunkPriority: 1, uplink: "lan1" }])), /vioses\[0\]\.sea\[1\]\.uplink: lan1 is none of its interfaces/);
  // All of them at once.
  assert.match(changed((c) => ((c.processors = 0), (c.accelerator = "x"))), /processors: .*; accelerator: /);
  assert.match(reading("a: [", SystemConfig), /is no YAML: .*/);
  assert.match(reading("", SystemConfig), /the file: expected object/);
});

test("a missing file is said with the command that makes it", () => {
  assert.throws(() => readConfigFile("/nowhere/system.yaml", SystemConfig, { of: "a managed system", verb: "join" }), { code: "not-found", message: /There is no configuration of a managed system in \/nowhere\/system\.yaml/, action: /openlpm join makes one/ });
  assert.equal(configArgument([], "/etc/x", "system"), "/etc/x");
  assert.equal(configArgument(["--config", "y"], "/etc/x", "system"), "y");
  for (const bad of [["--config"], ["y"], ["--config", "y", "z"]]) assert.throws(() => configArgument(bad, "/etc/x", "system"), { code: "invalid-argument" });
});
