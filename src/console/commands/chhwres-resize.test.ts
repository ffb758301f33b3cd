import assert from "node:assert/strict";
import test from "node:test";
import { fakeConsole, fakeSystems } from "../../testkit/fake-console.js";
import { runCommand } from "./index.js";

const MIB = 1 << 20;
async function run(line: string) {
  const systems = fakeSystems();
  const console = fakeConsole(systems);
  const code = await runCommand(["chhwres", "-m", "ms01", ...line.split(" ")], console.context);
  return { code, ...console.take(), changes: systems[0].changes.map(({ params }) => params) };
}
const request = (change: object) => ({ lparId: 3, memory: null, proc: null, sharing: null, waitMinutes: 5, force: false, ...change });

test("each form asks the system for one change", async () => {
  const cases: readonly [line: string, wanted: object][] = [
    ["-r mem -o a -p db01 -q 256", { memory: { operation: "add", bytes: 256 * MIB } }],
    ["-r mem -o r --id 3 -q 1024 -w 0", { memory: { operation: "remove", bytes: 1024 * MIB }, waitMinutes: 0 }],
    ["-r mem -o s -p db01 -q 512 -d 0 --force", { memory: { operation: "set", bytes: 512 * MIB }, force: true }],
    ["-r proc -o a -p db01 --procs 1", { proc: { operation: "add", procs: 1, units: null } }],
    ["-r proc -o r -p db01 --procunits 0.5", { proc: { operation: "remove", procs: null, units: 50 } }],
    ["-r proc -o s -p db01 --procs 2 --procunits 1.25 -w 9", { proc: { operation: "set", procs: 2, units: 125 }, waitMinutes: 9 }],
    ["-r proc -o s -p db01 -a sharing_mode=uncap,uncap_weight=0", { sharing: { mode: "uncap", weight: 0 } }],
    ["-r proc -o s -p db01 -a uncap_weight=255,shared_proc_pool_id=0", { sharing: { mode: null, weight: 255 } }],
  ];
  for (const [line, wanted] of cases) assert.deepEqual(await run(line), { code: 0, out: "", err: "", changes: [request(wanted)] }, line);
});

test("what can be set of memory has its value already", async () => {
  for (const line of ["-r mem -o s -a pend_mem_region_size=256", "-r mem -o s -a mem_mirroring_mode=none"]) assert.deepEqual(await run(line), { code: 0, out: "", err: "", changes: [] }, line);
});

test("a move takes from one partition and gives to the other what was taken", async () => {
  const { code, changes } = await run("-r mem -o m --id 3 -t batch02 -q 256");
  assert.equal(code, 0);
  assert.deepEqual(changes, [request({ memory: { operation: "remove", bytes: 256 * MIB } }), request({ lparId: 4, memory: { operation: "add", bytes: 256 * MIB } })]);
  const procs = await run("-r proc -o m -p db01 --tid 4 --procs 1");
  assert.deepEqual(procs.changes, [request({ proc: { operation: "remove", procs: 1, units: null } }), request({ lparId: 4, proc: { operation: "add", procs: 1, units: null } })]);
});

test("what is missing or not possible is refused before anything is asked", async () => {
  const cases: readonly [line: string, message: RegExp][] = [
    ["-r mem -o a -p db01", /parameter is -q\./],
    ["-r mem -o a -p nobody -q 256", /^HSCL8012 /],
    ["-r mem -o m -p db01 -q 256", /parameter is -t\./],
    ["-r mem -o m -p db01 -t db01 -q 256", /both source and target/],
    ["-r mem -o s -p db01 -a mem_weight=1", /mem_weight is not supported/],
    ["-r mem -o s -a requested_num_sys_huge_pages=4", /0 is possible/],
    ["-r proc -o a -p db01", /parameter is --procunits\./],
    ["-r proc -o a -p batch02", /parameter is --procs\./],
    ["-r proc -o a -p db01 --procunits 0.001", /parameter is --procunits\./],
    ["-r proc -o a -p db01 --procunits 0", /parameter is --procunits\./],
    ["-r proc -o s -p db01 -a sharing_mode=fair", /The value fair of attribute sharing_mode/],
    ["-r proc -o s -p db01 -a uncap_weight=256", /The value 256 of attribute uncap_weight/],
    ["-r proc -o s -p db01 -a shared_proc_pool_name=Other", /DefaultPool is possible/],
  ];
  for (const [line, message] of cases) {
    const { code, err, changes } = await run(line);
    assert.deepEqual([code, changes], [1, []], line);
    assert.match(err, message, line);
  }
});

test("a part that the operating system refuses is told, with status 1; -d 0 leaves its own words out", async () => {
  for (const [line, words] of [["-r mem -o r -p db01 -q 256", "HSCL2932 first\nsecond\n"], ["-r mem -o r -p db01 -q 256 -d 0", "HSCL2932 first\n"]] as const) {
    const systems = fakeSystems();
    systems[0].resizeRefusal = "HSCL2932 first\nsecond";
    const console = fakeConsole(systems);
    assert.equal(await runCommand(["chhwres", "-m", "ms01", ...line.split(" ")], console.context), 1);
    assert.deepEqual(console.take(), { out: "", err: words });
  }
});
