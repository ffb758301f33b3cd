import assert from "node:assert/strict";
import test from "node:test";
import { fakeConsole, fakeSystems, type FakeSystem } from "../../testkit/fake-console.js";
import { runCommand } from "./index.js";

async function diagrmc(words: string, change: (systems: [FakeSystem, FakeSystem]) => void = () => undefined) {
  const systems = fakeSystems();
  change(systems);
  const console = fakeConsole(systems);
  const status = await runCommand(["diagrmc", ...words.split(" ")], console.context);
  return { status, ...console.take(), systems };
}
const YES = "10.0.0.21 has RMC connection.\n";

test("a partition whose agent answers has a connection, however it is named", async () => {
  for (const words of ["-m ms01 --ip 10.0.0.21 -p db01 --autocorrect", "--ip 10.0.0.21", "-m ms01 --ip 10.0.0.21", "-m 9009-42A*7800A01 -p db01", "-m ms01 --id 3"]) {
    const { status, out, err } = await diagrmc(words);
    assert.deepEqual({ status, out, err }, { status: 0, out: YES, err: "" }, words);
  }
  assert.equal((await diagrmc("-m ms01 -p vios1")).out, "10.0.0.11 has RMC connection.\n");
});

test("the systems and the agent are asked when the command runs, not the cache", async () => {
  const { systems } = await diagrmc("--ip 10.0.0.21");
  assert.deepEqual(systems.map((system) => system.refreshes), [1, 1]);
  const { status, out, err } = await diagrmc("-m ms01 -p db01 --ip 10.0.0.21", ([ms01]) => ms01.silentGuests.push(3));
  assert.deepEqual({ status, out }, { status: 1, out: "" });
  assert.match(err, /^10\.0\.0\.21 does not have RMC connection\. .*db01 of ms01 does not answer: no answer within 2000 ms\. Wait/);
  const { out: answered } = await diagrmc("-m ms01 -p db01", ([ms01]) => {
    ms01.lpars = ms01.lpars.map((lpar) => ({ ...lpar, runtime: { ...lpar.runtime, rmc: "inactive" as const } }));
  });
  assert.equal(answered, YES, "an agent that answers again is told at once");
});

test("what has no connection is never said to have one, and says why", async () => {
  const withoutAddress = ([ms01]: [FakeSystem, FakeSystem]) => {
    ms01.lpars = ms01.lpars.map((lpar) => ({ ...lpar, runtime: { ...lpar.runtime, rmcAddress: null } }));
  };
  const without: [string, RegExp, ((systems: [FakeSystem, FakeSystem]) => void)?][] = [
    ["-m ms01 -p batch02", /batch02 of ms01 is not running\. .*chsysstate/],
    ["--ip 10.0.0.99", /No partition of ms01, ms02 has this address/],
    ["-m ms02 --ip 10.0.0.21", /No partition of ms02 has this address/],
    ["-m ms01 -p db01 --ip 10.0.0.22", /^10\.0\.0\.22 does not have .* has the address 10\.0\.0\.21/],
    ["-m ms01 -p db01 --ip 10.0.0.21", /has not told its address yet/, withoutAddress],
    ["-m ms01 -p vios1", /Virtual I\/O Server vios1 of ms01 does not answer/, ([ms01]) => {
      ms01.lpars = ms01.lpars.map((lpar) => ({ ...lpar, runtime: { ...lpar.runtime, rmc: "inactive" as const } }));
    }],
    ["-m ms01 -p nothing", /^HSCL8012 /],
    ["-m ms09 -p db01", /^HSCL8018 /],
    ["-p db01", /parameter is -m/],
    ["-m ms01", /parameter is --ip/],
    ["-m ms01 -p db01", /^HSCL0237 /, ([ms01]) => (ms01.connected = false)],
    ["--ip 10.0.0.21", /No partition of/, ([ms01]) => (ms01.connected = false)],
  ];
  for (const [words, why, change] of without) {
    const { status, out, err } = await diagrmc(words, change);
    assert.deepEqual({ status, out }, { status: 1, out: "" }, words);
    assert.match(err, why, words);
    assert.doesNotMatch(err, /has RMC connection/, words);
  }
});
