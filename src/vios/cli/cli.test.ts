/** The texts are those of the reference hmc-cli 7.2 to 7.4, byte for byte. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LparId, LunId, SlotNumber, Wwpn } from "../../model/ids.js";
import type { ViosDisk } from "../../wire/system-vios.js";
import { entstatText, type SharedDevice } from "./entstat.js";
import type { Link } from "./links.js";
import { lsdevText, type Device } from "./lsdev.js";
import { diskPhysloc, lsmapText, unitCode, type LsmapFacts } from "./lsmap.js";
import { lsnportsText } from "./npiv.js";
import { portsOf } from "../storage/ports.js";
import { chkdevText, lspvText } from "./lspv.js";
import { lstcpipText } from "./lstcpip.js";
import { randomOf } from "../../testkit/random.js";
import { columns, CommandFailure, parseWords } from "./words.js";

const slot = (n: number) => SlotNumber.parse(n);
const lun = LunId.parse("naa.6005076300818001a000000000000d53");
const disk: ViosDisk = { name: "hdisk4", lun, bytes: 10 << 20, target: "naa.500507680b215660", lunNumber: 1, portal: "10.0.0.1:3260", state: "available" };
const free: ViosDisk = { ...disk, name: "hdisk5", lun: LunId.parse("eui.0011223344556677"), lunNumber: 0 };
const facts: LsmapFacts = {
  unit: "U8284.22A.21FD4BV",
  lparId: 1,
  adapters: [
    { name: "vhost0", slot: slot(29), clientLparId: LparId.parse(24), clientSlot: slot(2) },
    { name: "vhost1", slot: slot(30), clientLparId: null, clientSlot: null },
  ],
  targets: [
    { name: "vtscsi0", slot: slot(29), lun, lunBytes: disk.bytes, gate: "open", disk, available: true },
    { name: "vtscsi1", slot: slot(29), lun: free.lun, lunBytes: 1, gate: "open", disk: undefined, available: false },
  ],
  fc: [],
  sea: [{ svea: "ent1", slot: 5, sea: "ent2", backing: "ent0", available: true }],
};
const W = "U8284.22A.21FD4BV-P1-C1-T1-W500507680B215660-L1000000000000";

test("lsmap -vadapter prints the fixed columns and a block for each target device", () => {
  const one = { ...facts, targets: facts.targets.slice(0, 1) };
  assert.equal(
    lsmapText(["-vadapter", "vhost0"], one),
    `SVSA            Physloc                                      Client Partition ID
--------------- -------------------------------------------- ------------------
vhost0          U8284.22A.21FD4BV-V1-C29                     0x00000018

VTD                   vtscsi0
Status                Available
LUN                   0x8100000000000000
Backing device        hdisk4
Physloc               ${W}
Mirrored              false

`,
  );
  assert.match(lsmapText(["-vadapter", "vhost1"], facts), /\n\nVTD                   NO VIRTUAL TARGET DEVICE FOUND\n\n$/);
});

test("lsmap -fmt repeats the fields for each target device; an empty field is one blank, with -fmt2 nothing", () => {
  const vhost0 = `vhost0:U8284.22A.21FD4BV-V1-C29:0x00000018:vtscsi0:Available:0x8100000000000000:hdisk4:${W}:false:vtscsi1:Defined:0x8200000000000000`;
  const vhost1 = "vhost1:U8284.22A.21FD4BV-V1-C30:0x00000000\n";
  assert.equal(lsmapText(["-all", "-fmt", ":"], facts), `${vhost0}: : :false\n${vhost1}`);
  assert.equal(lsmapText(["-all", "-fmt2", ":"], facts), `${vhost0}:::false\n${vhost1}`);
  assert.equal(lsmapText(["-vadapter", "vhost0", "-dec", "-field", "clientid", "-fmt", ":"], facts), "24\n");
});

test("lsmap -field keeps the table's order and takes names in any case", () => {
  assert.equal(lsmapText(["-all", "-field", "backing", "SVSA", "-fmt", ","], facts), "vhost0,hdisk4, \nvhost1\n");
  assert.equal(lsmapText(["-all", "-net", "-field", "sea", "svea", "-fmt", ":"], facts), "ent1:ent2\n");
  assert.throws(() => lsmapText(["-all", "-field", "nonsense", "-fmt", ":"], facts), /nonsense/);
});

test("lsmap -npiv prints an adapter that is logged in, one that is mapped, one that is not", () => {
  const adapter = { clientLparId: LparId.parse(19), clientSlot: slot(3), port: "fcs1", wwpn: Wwpn.parse("c05076aabbcc0000"), clientName: "lpar19", ports: 3 };
  const fc = [{ ...adapter, name: "vfchost18", slot: slot(26) }, { ...adapter, name: "vfchost19", slot: slot(27), wwpn: null, clientName: null, ports: 0 }, { ...adapter, name: "vfchost20", slot: slot(28), clientLparId: null, port: null, wwpn: null, clientName: null, ports: 0 }];
  const U = "U8284.22A.21FD4BV";
  assert.equal(
    lsmapText(["-vadapter", "vfchost18", "-npiv"], { ...facts, fc }),
    `Name          Physloc                            ClntID ClntName       ClntOS
------------- ---------------------------------- ------ -------------- -------
vfchost18     U8284.22A.21FD4BV-V1-C26               19 lpar19

Status:LOGGED_IN
FC name:fcs1                    FC loc code:U8284.22A.21FD4BV-P1-C1-T2
Ports logged in:3
Flags:a<LOGGED_IN,STRIP_MERGE>
VFC client name:                VFC client DRC:U8284.22A.21FD4BV-V19-C3

`,
  );
  const all = lsmapText(["-all", "-npiv", "-fmt", ":"], { ...facts, fc });
  assert.equal(all, `vfchost18:${U}-V1-C26:19:lpar19: :LOGGED_IN:fcs1:${U}-P1-C1-T2:3:a: :${U}-V19-C3\nvfchost19:${U}-V1-C27:19: : :NOT_LOGGED_IN:fcs1:${U}-P1-C1-T2:0:4: : \nvfchost20:${U}-V1-C28: : : :NOT_LOGGED_IN: : :0:1: : \n`);
  assert.deepEqual(all.trimEnd().split("\n").map((line) => line.split(":").length), [12, 12, 12], "as parsers count");
  assert.equal(lsmapText(["-all", "-npiv", "-field", "ClntName", "Name", "-fmt", ":"], { ...facts, fc: fc.slice(0, 1) }), "vfchost18:lpar19\n");
  assert.throws(() => lsmapText(["-vadapter", "vfchost9", "-npiv"], { ...facts, fc }), { status: 10 });
});

test("lsnports counts what is left of each port", () => {
  const ports = portsOf({ portals: ["10.0.0.1:3260", "10.0.0.2:3260"] }, { fc: [{ name: "vfchost0", slot: slot(26), clientLparId: null, clientSlot: null, port: "fcs1", wwpn: null, clientName: null }] });
  assert.equal(lsnportsText(["-fmt", ":"], "U1", ports), "fcs0:U1-P1-C1-T1:1:64:64:2048:2048\nfcs1:U1-P1-C1-T2:1:64:63:2048:2046\n");
  assert.match(lsnportsText([], "U1", ports), /^name +physloc +fabric +tports +aports +swwpns +awwpns\nfcs0 +U1-P1-C1-T1 +1 +64 +64 +2048 +2048\n/);
  assert.throws(() => lsnportsText([], "U1", []), { status: 10 });
});

test("lsmap refuses what it does not have, with the field's statuses", () => {
  assert.throws(() => lsmapText(["-vadapter", "vhost9"], facts), /Device "vhost9" is not a Server Virtual Adapter/);
  assert.throws(() => lsmapText(["-all", "-npiv", "-fmt", ":"], facts), { status: 10 });
  assert.throws(() => lsmapText([], facts), /Usage: lsmap/);
  assert.throws(() => lsmapText(["-all", "-bogus"], facts), /Option flag is not valid/);
  assert.throws(() => lsmapText(["-all", "-fmt2", ";"], facts), /delimiter/);
});

test("lsmap -net, -cpid, and what there is none of", () => {
  assert.equal(lsmapText(["-all", "-net", "-fmt", ":"], facts), "ent1:U8284.22A.21FD4BV-V1-C5-T1:ent2:ent0:Available: \n");
  assert.equal(
    lsmapText(["-vadapter", "ent1", "-net"], facts),
    `SVEA   Physloc
------ --------------------------------------------
ent1   U8284.22A.21FD4BV-V1-C5-T1

SEA                   ent2
Backing device        ent0
Status                Available
Physloc

`,
  );
  assert.equal(lsmapText(["-plc", "U8284.22A.21FD4BV-V1-C5-T1", "-net", "-field", "sea", "-fmt", ":"], facts), "ent2\n");
  assert.throws(() => lsmapText(["-vadapter", "ent9", "-net"], facts), /"ent9" is not/);
  assert.equal(lsmapText(["-all", "-cpid", "24", "-field", "svsa", "-fmt", ":"], facts), "vhost0\n");
  assert.equal(lsmapText(["-all", "-cpid", "9", "-field", "svsa", "-fmt", ":"], facts), "");
  assert.throws(() => lsmapText(["-all", "-cpid", "x"], facts), /client partition ID/);
  assert.throws(() => lsmapText(["-ams", "-all"], facts), { status: 69 });
  assert.throws(() => lsmapText(["-suspend", "-all"], facts), { status: 15 });
});

test("lspv", () => {
  const lspv = (...words: string[]) => lspvText(words, { disks: [disk, free, { ...free, name: "hdisk6", state: "defined" }], targets: facts.targets.slice(0, 1) });
  assert.equal(lspv(), "NAME             PVID                                 VG               STATUS\nhdisk4           none                                 None\nhdisk5           none                                 None\n");
  assert.equal(lspv("-size"), "NAME             PVID                                 SIZE(megabytes)\nhdisk4           none                                 10\nhdisk5           none                                 10\n");
  assert.equal(lspv("-free", "-fmt", ":"), "hdisk5:none:10\n");
  assert.equal(lspv("-fmt", ":"), "hdisk4:none:None: \nhdisk5:none:None: \n");
  assert.equal(lspv("-size", "hdisk4"), "10\n");
  assert.throws(() => lspv("hdisk9"), /hdisk9/);
});

test("chkdev gives the identity", () => {
  assert.equal(chkdevText(["-fmt", ":", "-field", "name", "identifier"], { disks: [disk], targets: [] }), "hdisk4:332136005076300818001A000000000000D53iscsi\n");
});

const device: Device = {
  name: "hdisk4",
  status: "Available",
  description: "MPIO Other iSCSI Disk Drive",
  type: "disk",
  virtual: false,
  physloc: W,
  parent: "iscsi0",
  attributes: [{ name: "reserve_policy", value: "no_reserve", description: "Reserve Policy", settable: true }],
};

test("lsdev", () => {
  const vhost: Device = { ...device, name: "vhost0", type: "adapter", virtual: true, description: "Virtual SCSI Server Adapter", attributes: [] };
  assert.equal(lsdevText([], [device, vhost]), "name             status      description\nhdisk4           Available   MPIO Other iSCSI Disk Drive\nvhost0           Available   Virtual SCSI Server Adapter\n");
  assert.equal(lsdevText(["-type", "disk", "-field", "status", "name", "-fmt", ":"], [device, vhost]), "hdisk4:Available\n");
  assert.equal(lsdevText(["-dev", "hdisk4", "-attr", "reserve_policy"], [device]), "value\n\nno_reserve\n");
  assert.equal(lsdevText(["-dev", "hdisk4", "-attr"], [device]), "attribute      value      description    user_settable\n\nreserve_policy no_reserve Reserve Policy True\n");
  assert.throws(() => lsdevText(["-dev", "hdisk9"], [device]), /0514-519[\s\S]*hdisk9/);
});

test("lsdev -slots and -vpd", () => {
  const vhost: Device = { ...device, name: "vhost0", virtual: true, physloc: "U8284.22A.21FD4BV-V1-C29", description: "Virtual SCSI Server Adapter" };
  assert.equal(lsdevText(["-slots"], [device, vhost]), "# Slot                   Description       Device(s)\nU8284.22A.21FD4BV-V1-C29 Virtual I/O Slot  vhost0\n");
  assert.match(lsdevText(["-vpd"], [device, vhost]), /^ {2}hdisk4 .*\n {2}vhost0 .* Virtual SCSI Server Adapter\n$/);
});

const counters = { bytes: 1000, packets: 10, errors: 1, dropped: 2 };
const link = (ifname: string, flags: string[] = ["UP", "LOWER_UP"], addresses: string[] = []): Link => ({ ifname, mtu: 1500, address: "02:aa:bb:00:01:01", flags, stats64: { rx: { ...counters, multicast: 3 }, tx: { ...counters, packets: 20, collisions: 4 } }, addr_info: addresses.map((local) => ({ family: "inet", local, prefixlen: 24 })) });

test("lstcpip: the address is the fourth field", () => {
  const links = [link("lo", ["UP"], ["127.0.0.1"]), link("sea0", ["UP"], ["10.0.0.11"]), link("other")];
  const text = lstcpipText(["-num"], links, new Map([["sea0", "en2"]]));
  assert.deepEqual(text.split("\n").filter((line) => line.includes("10.0.0.")).map((line) => line.split(/\s+/)), [["en2", "1500", "10.0.0", "10.0.0.11", "10", "1", "20", "1", "4"]]);
  assert.match(text, /^Name {2}Mtu {3}Network {5}Address/);
  assert.match(text, /\nen2 +1500 +link +02\.aa\.bb\.00\.01\.01 /);
  assert.doesNotMatch(text, /other/);
  assert.throws(() => lstcpipText(["-x"], links, new Map()), /Option flag is not valid/);
});

test("entstat: counters of the device, and for a shared adapter its sides and whether it carries the traffic", () => {
  const shared: SharedDevice[] = [{ sea: { name: "ent2", kind: "Shared Ethernet Adapter", interfaces: ["sea0"] }, uplink: { name: "ent0", kind: "Ethernet Adapter", interfaces: ["up"] }, trunk: { name: "ent1", kind: "Virtual I/O Ethernet Adapter (l-lan)", interfaces: ["trunk"] }, vlanIds: [1], priority: 2 }];
  const links = [link("sea0"), link("up"), link("trunk")];
  const all = entstatText(["-all", "ent2"], shared, links);
  for (const piece of ["ETHERNET STATISTICS (ent2) :", "Device Type: Shared Ethernet Adapter", "Packets: 20                                   Packets: 10", "Real Side Statistics:", "    ent1: 1", "State: PRIMARY", "Real Adapter: ent0", "ETHERNET STATISTICS (ent1) :", "  Priority: 2  Active: True", "VLAN Tag IDs: None"]) assert.ok(all.includes(`${piece}\n`), piece);
  assert.match(entstatText(["ent2"], shared, [link("sea0"), link("up"), link("trunk", ["UP"])]), /State: BACKUP\n/);
  assert.match(entstatText(["ent1"], shared, [link("sea0"), link("up")]), /Hardware Address: none/);
  assert.doesNotMatch(entstatText(["ent0"], shared, links), /Trunk Adapter/);
  assert.throws(() => entstatText(["ent9"], shared, links), /ent9/);
  assert.throws(() => entstatText([], shared, links), /Usage: entstat/);
});

test("places and columns", () => {
  assert.equal(unitCode("9009-42A*7800A01"), "U9009.42A.7800A01");
  assert.equal(diskPhysloc("U1", { ...free, target: "iqn.x" }), "U1-P1-C1-T1-W10.0.0.1-L0");
  assert.equal(columns(["a", "b", ""], [3, 4]), "a  b");
  assert.equal(parseWords(["-attr", "-dev", "x"], { maybe: ["-attr"], values: ["-dev"], usage: "" }).value("-dev"), "x");
});

test("whatever the words, a command prints or fails in words", () => {
  const random = randomOf(20261125);
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)]!;
  const words = ["-all", "-vadapter", "-plc", "-net", "-npiv", "-vnic", "-ams", "-type", "-dec", "-cpid", "-field", "-fmt", "-fmt2", "-dev", "-attr", "-parent", "-vpd", "-slots", "-virtual", "-free", "-avail", "-size", "-map", "-num", "vhost0", "vhost1", "hdisk4", "ent1", "svsa", "backing", "name", "status", "disk", ":", ",", "", "x", "-", "--", "\0", "\x1b[2J", "ü", "__proto__", "constructor", "9".repeat(40), "x".repeat(4096)];
  const commands: ((argv: string[]) => string)[] = [
    (argv) => lsmapText(argv, facts),
    (argv) => lsdevText(argv, [device]),
    (argv) => lspvText(argv, { disks: [disk, free], targets: [] }),
    (argv) => chkdevText(argv, { disks: [disk], targets: [] }),
    (argv) => lstcpipText(argv, [link("lo")], new Map()),
    (argv) => entstatText(argv, [], []),
    (argv) => lsnportsText(argv, "U1", []),
  ];
  let printed = 0;
  for (let round = 0; round < 5_000; round++) {
    const argv = Array.from({ length: Math.floor(random() * 6) }, () => pick(words));
    for (const [at, command] of commands.entries()) {
      try {
        assert.doesNotMatch(command(argv), /undefined|NaN|\[object/, `command ${at}: ${JSON.stringify(argv)}`);
        printed++;
      } catch (error) {
        assert.ok(error instanceof CommandFailure && error.message.trim() !== "", `command ${at}: ${JSON.stringify(argv)}: ${String(error)}`);
      }
    }
  }
  assert.ok(printed > 1_000);
});
