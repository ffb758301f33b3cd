/**
 * Command lines that nobody would type, made from the commands' own tables, the words of the reference and noise. Whatever comes: the line ends, with a status; a refused
 * one has a message that an operator can read, and changed nothing; nothing inside shows. The seed of a failing line is in its message.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { within } from "../../kit/wait.js";
import { fakeConsole, fakeSystems } from "../../testkit/fake-console.js";
import { randomOf } from "../../testkit/random.js";
import type { Command, OptionSpec } from "./command.js";
import { plainWords } from "../doors/plain-line.js";
import { COMMANDS, runCommand } from "./index.js";
import { examplesOf } from "./run.js";

const SEED = Number(process.env["OPENLPM_SEED"] ?? 20261125);
const LINES_EACH = 400;
const LINE_MS_MAX = 5_000;
/** What must never reach an operator. */
const INSIDE = /\[object |undefined|NaN|\n\s+at |TypeError|RangeError|ZodError|was called with what the contract|Cannot read prop/;

const NAMES = ["db01", "batch02", "vios1", "ms01", "ms02", "normal", "big", "default", "ETHERNET0", "nobody", "hscroot", "9009-42A*7800A01"];
const NOISE = ["", " ", ",", ",,,", "=", "==", '"', '""', '"""', "'", "a=b", '"a=b', "a=\"b", "=b", "none", "null", "any", "-", "--", "-F", "-x", "--help=1", "0", "1", "-1", "00000000000001", "99999999999999999999", "1e3", "0x10", "1.5", "\0", "a\0b", "\x1b[2J", "\u0007\r\n", "ü", "日本語", "😀", "\ud800", "../../etc/passwd", "$(reboot)", "`reboot`", "a;b", "%s%n", "name", "__proto__", "constructor", "toString"];
const RECORDS = [
  "name=db01,description=x",
  "name=new1,profile_name=p,lpar_env=aixlinux,min_mem=256,desired_mem=512,max_mem=1024,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=2,min_proc_units=0.1,desired_proc_units=0.5,max_proc_units=1.0",
  "name=normal,lpar_name=db01,desired_mem=768",
  'name=normal,lpar_id=3,"virtual_eth_adapters+=7/0/1//0/0,8/0/1//0/0"',
  "adapter_type=server,remote_lpar_name=db01,remote_slot_num=2",
  "port_vlan_id=10,ieee_virtual_eth=0",
  "switch_mode=VEPA",
  "lpar_names=db01",
  "lpar_ids=3,4",
  '"lpar_names=db01,batch02",slots=2',
  "source_msp_id=1,dest_msp_id=1",
  "name=db01,msp=1",
];

type Random = () => number;
const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

function noise(random: Random): string {
  const kind = random();
  if (kind < 0.5) return pick(random, NOISE);
  if (kind < 0.6) return pick(random, NOISE).repeat(1 + Math.floor(random() * 2000));
  const length = Math.floor(random() ** 4 * 3000);
  return Array.from({ length }, () => String.fromCharCode(random() < 0.8 ? 32 + Math.floor(random() * 95) : Math.floor(random() * 0x300))).join("");
}
/** A record with something broken in it. */
function broken(random: Random, text: string): string {
  const at = Math.floor(random() * (text.length + 1));
  const cut = Math.floor(random() * 8);
  return text.slice(0, at) + pick(random, NOISE) + text.slice(at + cut);
}
function attributes(random: Random, command: Command): string {
  const names = (command.attributes ?? []).flatMap((table) => table.rows.map((row) => row.name));
  if (names.length === 0 || random() < 0.2) return noise(random);
  const delimiter = pick(random, [",", ",", ":", " ", ";", "/", ", "]);
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => (random() < 0.9 ? pick(random, names) : noise(random).slice(0, 40))).join(delimiter);
}
function record(random: Random, command: Command): string {
  const names = (command.attributes ?? []).flatMap((table) => table.rows.map((row) => row.name));
  if (names.length > 0 && random() < 0.4) return [pick(random, RECORDS), `${pick(random, names)}${pick(random, ["=", "=", "+=", "-="])}${pick(random, [...NOISE, ...NAMES, "2/client/1//10/0", "3/0/1//0/0", "1,2"])}`].slice(Math.floor(random() * 2)).join(",");
  const text = pick(random, RECORDS);
  return random() < 0.5 ? text : broken(random, text);
}
function argument(random: Random, command: Command, option: OptionSpec): string {
  if (random() < 0.12) return noise(random);
  if (option.values) return pick(random, option.refusedValues ? [...option.values, ...Object.keys(option.refusedValues)] : option.values);
  if (option.number) return pick(random, [String(option.number.min), String(option.number.max), String(option.number.max + 1), "3", "1", "4"]);
  if (option.name === "-F") return attributes(random, command);
  if (option.name === "-i" || option.name === "-a" || option.name === "--filter") return record(random, command);
  return pick(random, NAMES);
}
/** A line of the command's help, whole or with one word spoiled. */
function spoiledExample(random: Random, command: Command): string[] {
  const words = [...pick(random, examplesOf(command).map((line) => plainWords(line)!.slice(1)))];
  const at = Math.floor(random() * words.length);
  const kind = random();
  if (words.length === 0 || kind < 0.2) return words;
  if (kind < 0.4) words.splice(at, 1);
  else if (kind < 0.7) words[at] = broken(random, words[at]!);
  else if (kind < 0.85) words[at] = noise(random);
  else words.splice(at, 0, random() < 0.5 ? words[at]! : noise(random));
  return words;
}
/** Required options mostly, others sometimes; some twice, some without their argument, some that are of other commands. */
function lineOf(random: Random, command: Command): string[] {
  const words: string[][] = [];
  for (const option of command.options) {
    const chance = option.required ? 0.95 : option.name === "-m" ? 0.9 : option.refused !== undefined ? 0.03 : 0.3;
    for (let times = 0; times < 2 && random() < (times === 0 ? chance : 0.01); times++) {
      if (option.argument === null) words.push([option.name]);
      else if (random() < 0.02) words.push([option.name]);
      else if (option.name.length === 2 && random() < 0.05) words.push([option.name + argument(random, command, option)]);
      else words.push([option.name, option.name === "-m" && random() < 0.9 ? "ms01" : argument(random, command, option)]);
    }
  }
  words.sort(() => random() - 0.5);
  const line = words.flat();
  if (random() < 0.08) line.splice(Math.floor(random() * (line.length + 1)), 0, random() < 0.5 ? pick(random, pick(random, COMMANDS.filter((one) => one.options.length > 0)).options).name : noise(random));
  return line;
}

for (const command of COMMANDS)
  test(`${command.name}: no line crashes it, hangs, or changes anything when it is refused`, async () => {
    const random = randomOf(SEED + [...command.name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7));
    let succeeded = 0;
    for (let round = 0; round < LINES_EACH; round++) {
      const systems = fakeSystems();
      const console = fakeConsole(systems);
      const argv = [command.name, ...(random() < 0.4 ? spoiledExample(random, command) : lineOf(random, command))];
      const shown = `seed ${SEED}, line ${round}: ${JSON.stringify(argv).slice(0, 2000)}`;
      const status = await within(runCommand(argv, console.context), LINE_MS_MAX, shown);
      const { out, err } = console.take();
      const changes = systems.flatMap((system) => system.changes);
      assert.ok(Number.isInteger(status) && status >= 0 && status <= 255, `${shown}: status ${status}`);
      // Noise may spell such a word by itself, and is quoted then.
      if (!argv.some((word) => INSIDE.test(word))) assert.doesNotMatch(out + err, INSIDE, shown);
      assert.doesNotMatch(err, /[\x00-\x08\x0b-\x1f\x7f]/, `${shown}: control characters`);
      if (status === 0) succeeded++;
      else {
        assert.match(err, /\S/, `${shown}: no message`);
        assert.ok(err.length < 20_000, `${shown}: a message of ${err.length} characters`);
        assert.deepEqual(changes, [], `${shown}: it was refused and changed something`);
        assert.deepEqual([...console.moves, ...console.userChanges], [], shown);
      }
      if (/^(ls|help|man|diagrmc)/.test(command.name)) assert.deepEqual([...changes, ...console.userChanges], [], `${shown}: a listing changed something`);
    }
    assert.ok(succeeded > 0, `none of ${LINES_EACH} lines was right: the lines show nothing`);
  });

test("the examples of each command's help are right", async () => {
  for (const command of COMMANDS) {
    const examples = examplesOf(command);
    assert.ok(examples.length > 0, `${command.name} has no example`);
    for (const line of examples) {
      const console = fakeConsole(fakeSystems());
      assert.equal(await runCommand(plainWords(line) ?? [line], console.context), 0, `${line}: ${console.take().err}`);
    }
  }
});

test("what a system refuses, and what fails inside, is one line for an operator", async () => {
  const systems = fakeSystems();
  systems[0].refusal = new OlpmError("conflict", "Another operation (activation) is under way for partition db01.", { action: "Wait until it ends." });
  const console = fakeConsole(systems);
  assert.equal(await runCommand(["chsysstate", "-m", "ms01", "-r", "lpar", "-o", "on", "-n", "batch02"], console.context), 1);
  assert.deepEqual(console.take(), { out: "", err: "Another operation (activation) is under way for partition db01. Wait until it ends.\n" });
  const defect = { ...console.context, inventory: { ...console.context.inventory, system: () => { throw new TypeError("x of undefined"); } } };
  assert.equal(await runCommand(["rmvterm", "-m", "ms01", "-p", "db01"], defect), 1);
  assert.match(console.take().err, /^rmvterm: /);
});
