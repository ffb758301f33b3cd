import assert from "node:assert/strict";
import test from "node:test";
import { OlpmError } from "../../kit/errors.js";
import { fakeConsole, fakeSystems } from "../../testkit/fake-console.js";
import { runCommand } from "./index.js";
import { Typed } from "./typed.js";

test("everything goes to the partition but the escape at the beginning of a line, however it is cut", () => {
  const cases: [typed: string, sent: string, ended: boolean][] = [
    ["ls\r", "ls\r", false],
    ["~.", "", false],
    ["~.y", "", true],
    ["~.Yls", "", true],
    ["ls\r~.yrest", "ls\r", true],
    ["ls\r~.nls\r", "ls\rls\r", false],
    ["~~.", "~~.", false],
    ["~x\r", "~x\r", false],
    ["a~.y", "a~.y", false],
    ["~.n~.y", "", true],
    ["\x03\x04~", "\x03\x04~", false],
    ["é~.\xff", "é~.\xff", false],
  ];
  for (const [text, sent, ended] of cases) {
    const bytes = Buffer.from(text, "latin1");
    const whole = new Typed().push(bytes);
    assert.deepEqual([whole.send.toString("latin1"), whole.ended], [sent, ended], JSON.stringify(text));
    const typed = new Typed();
    const pieces = [...bytes].map((byte) => typed.push(Buffer.from([byte])));
    assert.deepEqual([Buffer.concat(pieces.map((one) => one.send)).toString("latin1"), pieces.at(-1)!.ended], [sent, ended], `${JSON.stringify(text)} byte by byte`);
  }
});

async function session(input: readonly string[], refusal?: OlpmError) {
  const systems = fakeSystems();
  if (refusal) systems[0].refusal = refusal;
  const console = fakeConsole(systems);
  const raw: boolean[] = [];
  const io = {
    ...console.context.io,
    setRaw: (on: boolean) => void raw.push(on),
    input: async function* () {
      for (const chunk of input) yield Buffer.from(chunk, "latin1");
    },
  };
  const status = await runCommand(["mkvterm", "-m", "ms01", "-p", "db01"], { ...console.context, io });
  const written = systems[0].changes.filter(({ method }) => method === "vterm.write").map(({ params }) => Buffer.from((params as { data: string }).data, "base64").toString("latin1"));
  return { status, ...console.take(), written, raw, closed: systems[0].changes.some(({ method }) => method === "vterm.close") };
}

test("mkvterm opens, asks before it ends, and closes", async () => {
  const opened = "\n Open in progress \n\n Open Completed.\n\n";
  assert.deepEqual(await session(["ls\r", "~", ".", "y", "never"]), { status: 0, out: `${opened}\r\n Terminate session? [y/n] \n Connection has closed \n`, err: "", written: ["ls\r"], raw: [true, false], closed: true });
  assert.deepEqual(await session(["~.nls\r"]), { status: 0, out: `${opened}\r\n Terminate session? [y/n] \n Connection has closed \n`, err: "", written: ["ls\r"], raw: [true, false], closed: true });
});

test("a second session of a partition is told so in the words that clients look for", async () => {
  const { status, err, raw } = await session([], new OlpmError("conflict", "A terminal session is already open for partition db01."));
  assert.deepEqual({ status, err, raw }, { status: 1, err: "A terminal session is already open for this partition. Only one open session is allowed for a partition. Exiting....\n", raw: [false] });
});
