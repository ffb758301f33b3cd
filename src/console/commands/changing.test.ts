/** What commands that change something ask of the managed system, and what they refuse before it is asked. */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { fakeConsole, fakeSystems } from "../../testkit/fake-console.js";
import { plainWords } from "../doors/plain-line.js";
import { runCommand } from "./index.js";

async function run(line: string) {
  const systems = fakeSystems();
  const console = fakeConsole(systems);
  const words = plainWords(line);
  assert.ok(words, line);
  const status = await runCommand(words, console.context);
  return { status, ...console.take(), changes: systems.flatMap((system) => system.changes), moves: console.moves, systems, console };
}

/** Silent success, and what was asked. */
const CHANGES: readonly [line: string, method: string, params: object][] = [
  ["chsysstate -m ms01 -r lpar -o on -n db01", "lpar.activate", { lparId: 3, profile: null, bootMode: null, keylock: null }],
  ["chsysstate -r lpar -m '9009-42A*7800A01' -o on -b sms --id 3 -f normal -k manual", "lpar.activate", { lparId: 3, profile: "normal", bootMode: "sms", keylock: "manual" }],
  ["chsysstate -m ms01 -r lpar -n db01 -o shutdown --immed --restart", "lpar.shutdown", { lparId: 3, how: "immediate", restart: true }],
  ["chsysstate -m ms01 -r lpar -n db01 -o osshutdown", "lpar.shutdown", { lparId: 3, how: "os", restart: false }],
  ["chsysstate -m ms01 -r lpar -n db01 -o chkey -k manual", "lpar.modify", { lparId: 3, settings: { keylock: "manual" } }],
  ["chsyscfg -m ms01 -r lpar -i lpar_id=1,msp=1", "lpar.modify", { lparId: 1, settings: { msp: true } }],
  ['chsyscfg -m ms01 -r lpar -i "name=db01, allow_perf_collection=1,new_name=db 02,profile_name=normal"', "lpar.modify", { lparId: 3, newName: "db 02", defaultProfile: "normal", settings: { allowPerfCollection: true } }],
  ["chsyscfg -r lpar -m ms01 -n normal -p db01 -o apply", "profile.apply", { lparId: 3, name: "normal" }],
  ["chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=userinit,power_off_policy=0", "system.configure", { startPolicy: "userinit" }],
  ["mksyscfg -r prof -m ms01 -o save -p db01 -n db01_bck --force", "profile.save", { lparId: 3, name: "db01_bck", force: true }],
  [`mksyscfg -r sysprof -m ms01 -i 'name=all,"lpar_ids=3,4","profile_names=normal,big"'`, "sysprof.put", { name: "all", members: [{ lparId: 3, profile: "normal" }, { lparId: 4, profile: "big" }], mustExist: false }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names-=db01", "sysprof.put", { name: "night", members: [{ lparId: 4, profile: "big" }], mustExist: true }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names+=vios1,profile_names+=default", "sysprof.put", { name: "night", members: [{ lparId: 3, profile: "normal" }, { lparId: 4, profile: "big" }, { lparId: 1, profile: "default" }], mustExist: true }],
  ["chsyscfg -r sysprof -m ms01 -i name=night,new_name=day", "sysprof.put", { name: "night", newName: "day", members: null, mustExist: true }],
  ["rmsyscfg -r lpar -m ms01 -n db01 --vioscfg", "lpar.remove", { lparId: 3, removeServerAdapters: true }],
  ["rmsyscfg -r prof -m ms01 -n normal --id 3", "profile.remove", { lparId: 3, name: "normal" }],
  ["rmsyscfg -r sysprof -m ms01 -n night", "sysprof.remove", { name: "night" }],
  ["rmvterm --id 3 -m ms01", "vterm.closeAny", { lparId: 3 }],
];
for (const [line, method, params] of CHANGES)
  test(line, async () => {
    const { status, out, err, changes } = await run(line);
    assert.deepEqual({ status, out, err, changes }, { status: 0, out: "", err: "", changes: [{ method, params }] });
  });

test("what can not be changed is refused on standard error with status 1, and nothing is asked", async () => {
  const cases: [string, RegExp][] = [
    ["chsysstate -m ms01 -r lpar -o on -n db01 --immed", /invalid parameter is --immed\./],
    ["chsysstate -m ms01 -r lpar -o rebuild -n db01", /parameter is -o\./],
    ["chsysstate -m ms01 -r lpar -o dumprestart -n db01", /dumprestart of the parameter -o is not supported/],
    ["chsysstate -m ms01 -r lpar -o on -n db01 -f", /either missing .* parameter is -f\./],
    ["chsysstate -m ms01 -r lpar -o on", /either missing .* parameter is -n\./],
    ["chsysstate -m ms01 -r sys -o off --immed", /power of a managed system is its host's/],
    ["chsysstate -r sys -o rebuild", /parameter is -m\./],
    ["chsysstate -m ms01 -r sysprof -o on -n x", /^HSCL8016 /],
    ["chsysstate -m ms01 -r lpar -o on -n db01 -i a", /IBM i/],
    ["chsyscfg -r lpar -m ms01 -i name=x,description=y", /^HSCL8012 The partition named x was not found\./],
    ["chsyscfg -r lpar -m ms01 -i name=db01,lpar_id=4,description=y", /^HSCL8012 /],
    ["chsyscfg -r lpar -m ms01 -i name=db01,desired_mem=1024", /invalid attribute is desired_mem\./],
    ["chsyscfg -r lpar -m ms01 -i name=db01,remote_restart_capable=1", /remote_restart_capable is not supported/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,auto_start=2", /auto_start is not valid: 0 or 1/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,auto_start+=1", /auto_start is not valid/],
    ["chsyscfg -r lpar -m ms01 -i name=db01,description=ü", /^HSCLC63B /],
    ["chsyscfg -r lpar -m ms01 -f file", /keeps no files/],
    ["chsyscfg -r prof -m ms01 -i name=normal,lpar_name=db01,auto_start=1", /auto_start is not valid: it is 0 for partition db01/],
    ["chsyscfg -r prof -m ms01 -i name=x,lpar_name=db01", /^HSCL8016 /],
    ["chsyscfg -r prof -m ms01 -i name=normal,lpar_name=db01,mem_mode=shared", /mem_mode is not supported .* no shared memory pool/],
    ["chsyscfg -r sys -m ms01 -i new_name=x", /certificate/],
    ["chsyscfg -r sys -m ms01 -i power_on_lpar_start_policy=autorecovery", /auto_start=1/],
    ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names=db01", /profile_names is not valid: one profile for each/],
    ["chsyscfg -r sysprof -m ms01 -i name=night,lpar_names=db01,profile_names=big", /^HSCL8016 The profile big of partition db01/],
    ["mksyscfg -r lpar -m ms01 -i name=x,lpar_env=aixlinux,all_resources=1,profile_name=p", /all_resources is not supported/],
    ["mksyscfg -r lpar -m ms01 -i name=x,lpar_env=os400,profile_name=p", /lpar_env is not valid/],
    ["mksyscfg -r lpar -m ms01 -i name=x", /^HSCL0622 /],
    ["rmsyscfg -r lpar -m ms01 -n db01 -p db01", /invalid parameter is -p\./],
  ];
  for (const [line, expected] of cases) {
    const { status, out, err, changes } = await run(line);
    assert.deepEqual({ status, out, changes }, { status: 1, out: "", changes: [] }, line);
    assert.match(err, expected, line);
  }
});

test("a system profile activates Virtual I/O Servers first, and goes on when one can not be activated", async () => {
  const systems = fakeSystems();
  systems[0].systemProfiles = [{ name: "all", members: [{ lparId: 3 as never, lparName: "db01", profile: "normal" }, { lparId: 1 as never, lparName: "vios1", profile: "default" }] }];
  const console = fakeConsole(systems);
  const line = ["chsysstate", "-m", "ms01", "-r", "sysprof", "-o", "on", "-n", "all"];
  assert.equal(await runCommand(line, console.context), 0);
  assert.deepEqual(systems[0].changes.map(({ params }) => params), [1, 3].map((lparId) => ({ lparId, profile: lparId === 1 ? "default" : "normal", bootMode: null, keylock: null })));
  systems[0].refusal = new OlpmError("wrong-state", "The partition is running and can not be activated.", { hsc: "HSCL3681" });
  assert.equal(await runCommand(line, console.context), 1);
  assert.equal(console.take().err, "HSCL3681 The partition is running and can not be activated.\n".repeat(2));
});
