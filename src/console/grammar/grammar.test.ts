import assert from "node:assert/strict";
import test from "node:test";
import type { Command } from "../commands/command.js";
import { parseFilter } from "./filter.js";
import { list, NOTHING } from "./list-output.js";
import { parseOptions } from "./options.js";
import { formatPair, formatRecord, parseRecord, splitList, valueOf } from "./record.js";

/** hmc-cli 1.11, its table of input records: name, operator and elements of each item. */
const RECORDS: readonly [string, readonly (readonly [string, string, readonly string[]])[]][] = [
  ["name=l1,lpar_env=aixlinux,min_mem=256", [["name", "=", ["l1"]], ["lpar_env", "=", ["aixlinux"]], ["min_mem", "=", ["256"]]]],
  ['lpar_name=l,name=p,"io_slots=21010002/none/1,21050003/none/1"', [["lpar_name", "=", ["l"]], ["name", "=", ["p"]], ["io_slots", "=", ["21010002/none/1", "21050003/none/1"]]]],
  ['lpar_name=l,name=p,io_slots="21010002/none/1,21050003/none/1"', [["lpar_name", "=", ["l"]], ["name", "=", ["p"]], ["io_slots", "=", ["21010002/none/1", "21050003/none/1"]]]],
  ["name=l1, allow_perf_collection=1", [["name", "=", ["l1"]], ["allow_perf_collection", "=", ["1"]]]],
  ['"virtual_eth_adapters=3/1/1/10/0/1,""2/1/1/3,4,5/0/1"",4/0/2//0/0",hca_adapters=none', [["virtual_eth_adapters", "=", ["3/1/1/10/0/1", "2/1/1/3,4,5/0/1", "4/0/2//0/0"]], ["hca_adapters", "=", []]]],
  ['virtual_scsi_adapters=none,"virtual_eth_adapters=""2/1/1/3,4,5/0/1""",hca_adapters=none', [["virtual_scsi_adapters", "=", []], ["virtual_eth_adapters", "=", ["2/1/1/3,4,5/0/1"]], ["hca_adapters", "=", []]]],
  ['virtual_eth_adapters="""2/1/1/3,4,5/0/1"""', [["virtual_eth_adapters", "=", ["2/1/1/3,4,5/0/1"]]]],
  ['"virtual_fc_adapters=""2/client//v1/10//0"",""3/client//v2/11//0"""', [["virtual_fc_adapters", "=", ["2/client//v1/10//0", "3/client//v2/11//0"]]]],
  ["virtual_scsi_adapters+=12/server/5//2/0,name=p,lpar_id=1", [["virtual_scsi_adapters", "+=", ["12/server/5//2/0"]], ["name", "=", ["p"]], ["lpar_id", "=", ["1"]]]],
  ['"virtual_fc_adapters-=2/client//v1/10//0,3/client//v1/11//0"', [["virtual_fc_adapters", "-=", ["2/client//v1/10//0", "3/client//v1/11//0"]]]],
  ["vnic_mappings=3/ded/v1/1/1/0/2/1/0,3/ded/v2/2/2/0/2/2/0", [["vnic_mappings", "=", ["3/ded/v1/1/1/0/2/1/0", "3/ded/v2/2/2/0/2/2/0"]]]],
  ["adapter_type=client,remote_lpar_name=v1,                    remote_slot_num=5", [["adapter_type", "=", ["client"]], ["remote_lpar_name", "=", ["v1"]], ["remote_slot_num", "=", ["5"]]]],
];

test("records of the reference are read as it says", () => {
  for (const [text, expected] of RECORDS) assert.deepEqual(parseRecord(text).map((item) => [item.name, item.operator, splitList(item.value)]), expected, text);
  assert.equal(valueOf(parseRecord("name=a,name=b"), "name"), "b");
  for (const text of ["description=", 'description=""', '"description="']) assert.equal(valueOf(parseRecord(text), "description"), "", text);
});

test("records that are none are refused", () => {
  for (const text of ["x", "=3", '"a=b', 'a="b', ",,x,", 'a=1,"b=2,3"x']) assert.throws(() => parseRecord(text), /check your entry/, text);
});

test("pairs are written as they are read", () => {
  assert.equal(formatPair("a", "x"), "a=x");
  assert.equal(formatPair("b", ["1", "2"]), '"b=1,2"');
  assert.equal(formatPair("b", ["3/1/1/4,5/0/0"]), '"b=""3/1/1/4,5/0/0"""');
  assert.equal(formatRecord([["a", "x"], ["b", ["1", "2"]]]), 'a=x,"b=1,2"');
  for (const elements of [["x"], ["x", "y"], ["x,y"], ["x,y", "z"], []]) {
    const [item] = parseRecord(formatPair("b", elements.length === 0 ? "none" : elements));
    assert.deepEqual(splitList(item!.value), elements);
  }
});

test("any record that is written is read back as it was", () => {
  let seed = 1;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % below;
  const element = () => Array.from({ length: 1 + random(6) }, () => "ab1/,:. "[random(8)]).join("").trim();
  for (let round = 0; round < 2000; round++) {
    const pairs = Array.from({ length: 1 + random(4) }, (_, index): [string, string[]] => {
      const elements = Array.from({ length: 1 + random(3) }, element).filter((text) => text !== "");
      return [`n${index}`, elements.length > 0 ? elements : ["x"]];
    });
    const text = formatRecord(pairs);
    assert.deepEqual(parseRecord(text).map((item) => [item.name, splitList(item.value)]), pairs, text);
  }
});

test("filters", () => {
  const known = ["lpar_names", "profile_names"];
  assert.deepEqual([...parseFilter("lpar_names=l1,profile_names=p", known)], [["lpar_names", ["l1"]], ["profile_names", ["p"]]]);
  assert.deepEqual([...parseFilter("lpar_names=l1,l2", known)], [["lpar_names", ["l1", "l2"]]]);
  assert.deepEqual([...parseFilter('"lpar_names=l1,l2","profile_names=p"', known)], [["lpar_names", ["l1", "l2"]], ["profile_names", ["p"]]]);
  assert.throws(() => parseFilter("colour=red", known), /invalid filter is colour/);
  assert.throws(() => parseFilter("lpar_names=a,profile_names=b,lpar_names=c", known), /more than once/);
});

type Row = { readonly a: string | readonly string[] | undefined; readonly b: string | readonly string[] };
const TABLE = [{ name: "a", read: (row: Row) => row.a }, { name: "b", read: (row: Row) => row.b }];

test("listings of the reference's table (hmc-cli 1.11)", () => {
  const cases: [Row, string, string, string][] = [
    [{ a: "x", b: "Not Activated" }, "a=x,b=Not Activated", "x,Not Activated", "x:Not Activated"],
    [{ a: "x", b: ["1", "2"] }, 'a=x,"b=1,2"', 'x,"1,2"', "x:1,2"],
    [{ a: "x", b: ["3/1/1/4,5/0/0"] }, 'a=x,"b=""3/1/1/4,5/0/0"""', 'x,"""3/1/1/4,5/0/0"""', 'x:""3/1/1/4,5/0/0""'],
    [{ a: undefined, b: "" }, "b=", "null,", "null:"],
  ];
  for (const [row, record, comma, colon] of cases) {
    assert.equal(list(TABLE, [row], { hasFields: false, header: false }), `${record}\n`);
    assert.equal(list(TABLE, [row], { hasFields: true, fields: "a,b", header: false }), `${comma}\n`);
    assert.equal(list(TABLE, [row], { hasFields: true, fields: "a:b", header: false }), `${colon}\n`);
  }
  assert.equal(list(TABLE, [{ a: "x", b: "Not Activated" }], { hasFields: true, fields: "a b", header: false }), 'x "Not Activated"\n');
  assert.equal(list(TABLE, [{ a: "x", b: "y" }], { hasFields: true, fields: "b:a", header: true }), "b:a\ny:x\n");
  assert.equal(list(TABLE, [{ a: "x", b: "y" }], { hasFields: true, fields: " b,a ", header: false }), "y,x\n");
  assert.equal(list(TABLE, [{ a: "x", b: "y" }], { hasFields: true, header: false }), "x,y\n");
  assert.equal(list(TABLE, [], { hasFields: true, fields: "a", header: true }), NOTHING);
  assert.throws(() => list(TABLE, [], { hasFields: true, fields: "UUID", header: false }), /invalid attribute is UUID/);
  assert.throws(() => list(TABLE, [], { hasFields: false, header: true }), /--header/);
});

const COMMAND: Command = {
  name: "x",
  summary: "",
  synopsis: [],
  options: [
    { name: "-r", argument: "resource", help: "", required: true, values: ["lpar", "sys"] },
    { name: "-w", argument: "minutes", help: "", number: { min: 0, max: 99 } },
    { name: "-F", argument: "names", help: "", argumentOptional: true },
    { name: "--header", argument: null, help: "" },
  ],
  run: async () => 0,
};
test("options are read by the command's table, with the HMC's words for mistakes", () => {
  const read = (...argv: string[]) => parseOptions(COMMAND, argv).options;
  assert.equal(read("-r", "lpar").get("-r"), "lpar");
  assert.equal(read("-Fname,state", "-r", "lpar").get("-F"), "name,state");
  assert.equal(read("-r", "lpar", "-F", "name", "state").get("-F"), "name state");
  assert.equal(read("-F", "--header", "-r", "sys").get("-F"), undefined);
  assert.equal(read("-F", "--header", "-r", "sys").has("-F"), true);
  assert.equal(read("-r", "sys", "-w", "7").number("-w"), 7);
  const bad: [string[], RegExp][] = [
    [[], /either missing .* parameter is -r\./],
    [["-r"], /either missing .* parameter is -r\./],
    [["-r", "frame"], /either missing .* parameter is -r\./],
    [["-r", "lpar", "-w", "x"], /either missing .* parameter is -w\./],
    [["-r", "lpar", "-w", "100"], /either missing .* parameter is -w\./],
    [["-r", "lpar", "-r", "sys"], /-r was entered more than once/],
    [["-r", "lpar", "--colour"], /invalid parameter was entered.*--colour/],
    [["-r", "lpar", "word"], /invalid parameter was entered.*word/],
  ];
  for (const [argv, expected] of bad) assert.throws(() => parseOptions(COMMAND, argv), expected, argv.join(" "));
});
