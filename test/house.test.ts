/** Rules of the house that a compiler does not know: which room may import which (docs/architecture.md), and what must not be committed. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { ALARMS } from "../src/model/alarms.js";
import { renewed } from "../src/manual/tables.js";

const ROOT = path.resolve(import.meta.dirname, "../..");

/** Always downward; anything not here is a mistake to talk about. `testkit` may use any library, and only tests use it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  kit: [],
  model: [],
  saga: ["kit"],
  qmp: ["kit"],
  mobility: ["model"],
  wire: ["model", "kit"],
  mover: ["wire", "kit", "model"],
  vios: ["mover", "qmp", "wire", "kit", "model"],
  system: ["saga", "mobility", "qmp", "wire", "kit", "model"],
  console: ["saga", "mobility", "wire", "kit", "model"],
  manual: ["simulation", "lab", "console", "vios", "system", "wire", "mobility", "model", "kit"],
  site: ["console", "system", "wire", "kit", "model"],
  lab: ["site", "console", "system", "vios", "qmp", "wire", "kit", "model"],
  simulation: ["console", "system", "mobility", "wire", "kit", "model"],
};

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0").filter((name) => name !== "" && fs.existsSync(path.join(ROOT, name)));
const read = (name: string) => fs.readFileSync(path.join(ROOT, name), "utf8");
const sources = tracked.filter((name) => name.startsWith("src/") && name.endsWith(".ts"));
const roomOf = (name: string) => name.split("/")[1] ?? "";

test("rooms import only along the arrows", () => {
  const wrong: string[] = [];
  for (const name of sources.filter((one) => !one.endsWith(".test.ts") && one.split("/").length > 2 && roomOf(one) !== "testkit")) {
    const allowed = ARROWS[roomOf(name)];
    assert.ok(allowed, `${name}: room ${roomOf(name)} is not in the table`);
    for (const [, specifier] of read(name).matchAll(/\bfrom "(\.[^"]+)"/g)) {
      const room = roomOf(path.posix.normalize(path.posix.join(path.posix.dirname(name), specifier!)));
      if (room !== roomOf(name) && !allowed.includes(room)) wrong.push(`${name} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test("pure rooms import no Node module", () => {
  const wrong = sources.filter((name) => ["model", "mobility"].includes(roomOf(name)) && !name.endsWith(".test.ts") && /\bfrom "node:/.test(read(name)));
  assert.deepEqual(wrong, []);
});

test("no test is skipped or alone, and no shell line is built from parts", () => {
  const code = [...sources, ...tracked.filter((name) => name.startsWith("test/") && name.endsWith(".ts"))].filter((name) => !name.endsWith("house.test.ts"));
  assert.deepEqual(code.filter((name) => /\b(it|test|describe)\.(skip|only|todo)\b/.test(read(name))), []);
  assert.deepEqual(code.filter((name) => /\b(exec|execSync)\(\s*`/.test(read(name)) || /shell:\s*true/.test(read(name))), []);
});

test("the tables of the manual are those of the code", () => {
  const stale = tracked.filter((name) => /^docs\/.*\.md$/.test(name) && renewed(read(name)) !== read(name));
  assert.deepEqual(stale, [], "./openlpm docs writes them");
});

test("each code that an operator may see is in docs/errors.md or docs/rules.md", () => {
  const known = read("docs/errors.md") + read("docs/rules.md");
  const codes = new Set(sources.filter((name) => !name.endsWith(".test.ts") && roomOf(name) !== "testkit").flatMap((name) => read(name).match(/"(OLPM-[A-Z]+\d+|HSC[A-Z0-9]{5})"/g) ?? []));
  assert.deepEqual([...codes].map((code) => code.slice(1, -1)).filter((code) => !known.includes(code)), []);
});

test("what is logged as an error is in the table of alarms", () => {
  const said = new Set(sources.filter((name) => !name.endsWith(".test.ts") && !["testkit", "lab"].includes(roomOf(name))).flatMap((name) => [...read(name).matchAll(/\blog\.error\((?:\{[^}]*(?:\}[^}]*)??\}, )?"([^"]+)"/g)].map(([, message]) => message!)));
  const calls = sources.filter((name) => !name.endsWith(".test.ts") && !["testkit", "lab"].includes(roomOf(name))).reduce((sum, name) => sum + [...read(name).matchAll(/\blog\.error\(/g)].length, 0);
  assert.ok(said.size <= calls && said.size > 15);
  assert.deepEqual([...said].filter((message) => !Object.hasOwn(ALARMS, message)), [], "src/model/alarms.ts says what each means and what to do");
  assert.deepEqual(Object.keys(ALARMS).filter((message) => !said.has(message)), [], "nothing logs these");
});

test("pages that the code, the README and other pages name exist", () => {
  const missing = tracked.filter((name) => /\.(ts|c|md|json)$|^openlpm$/.test(name)).flatMap((name) => [...read(name).matchAll(/\bdocs\/[a-z0-9-]+\.(?:md|svg)/g)].map(([page]) => page).filter((page) => !fs.existsSync(path.join(ROOT, page))).map((page) => `${name} names ${page}`));
  assert.deepEqual(missing, []);
});

test("each dependency has its line in docs/dependencies.md", () => {
  const manifest = JSON.parse(read("package.json")) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
  const page = read("docs/dependencies.md");
  const missing = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter((name) => !page.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});
