import assert from "node:assert/strict";
import test from "node:test";
import { collidingSlots, qemuArguments, sockets, vioReg } from "./arguments.js";
import type { PartitionSpec } from "./contract.js";

const MIB = 1 << 20;
const SPEC: PartitionSpec = {
  lparId: 3,
  name: "db01",
  uuid: "00000000-0000-4000-8000-0000000000ab",
  dir: "/run/x/p3",
  namespace: "ns",
  accelerator: "tcg",
  memoryBytes: 512 * MIB,
  osMemoryBytes: null,
  memoryDevices: [],
  maxMemoryBytes: 1024 * MIB,
  procs: 2,
  maxProcs: 4,
  limits: { units: 50, weight: 128, memoryBytes: 512 * MIB },
  compatMode: "default",
  kernel: "/image/kernel",
  initrd: "/image/initrd",
  bootMode: "norm",
  disks: [{ slot: 2, unit: 0, nbdSocket: "/run/x/v1/nbd.sock", exportName: "vtscsi0", lun: "naa.600a" }],
  nics: [{ slot: 3, mac: "02AABB000103", tap: "t3s3" }],
  consoleLog: "/var/x/db01.log",
  incoming: false,
};
const words = (change: Partial<PartitionSpec> = {}) => qemuArguments({ ...SPEC, ...change });
/** Every value of an option, in order. */
const values = (list: readonly string[], option: string): string[] => list.flatMap((word, at) => (word === option ? [list[at + 1] ?? ""] : []));
/** The only value of an option. */
function value(change: Partial<PartitionSpec>, option: string): string {
  const found = values(words(change), option);
  assert.equal(found.length, 1, `${option} is given once`);
  return found[0]!;
}
const devices = (change: Partial<PartitionSpec>, driver: string) => values(words(change), "-device").filter((one) => one.startsWith(`${driver},`));

test("the whole command line of a partition with one disk and one adapter", () => {
  assert.deepEqual(words(), [
    ...["-name", "guest=db01", "-uuid", SPEC.uuid],
    ...["-M", "pseries,usb=off,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "-accel", "tcg,thread=multi"],
    ...["-cpu", "power9", "-smp", "cpus=2,maxcpus=4", "-m", "size=512M,slots=32,maxmem=1024M"],
    ...["-nodefaults", "-nographic", "-vga", "none", "-no-user-config", "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-add-fd", "fd=3,set=1"],
    ...["-chardev", "socket,id=con,path=/run/x/p3/con.sock,server=on,wait=off,logfile=/dev/fdset/1,logappend=on", "-device", "spapr-vty,chardev=con,reg=0x30000000"],
    ...["-chardev", "socket,id=ga,path=/run/x/p3/ga.sock,server=on,wait=off", "-device", "spapr-vty,chardev=ga,reg=0x30001000"],
    ...["-qmp", "unix:/run/x/p3/qmp.sock,server=on,wait=off", "-qmp", "unix:/run/x/p3/chq.sock,server=on,wait=off"],
    ...["-kernel", "/image/kernel", "-initrd", "/image/initrd", "-append", "console=hvc0 quiet panic=5"],
    ...["-device", "spapr-vscsi,id=vscsi2,reg=0x2000"],
    ...["-blockdev", "driver=nbd,node-name=disk-2-0,server.type=unix,server.path=/run/x/v1/nbd.sock,export=vtscsi0,reconnect-delay=600,cache.direct=on"],
    ...["-device", "scsi-hd,bus=vscsi2.0,lun=0,drive=disk-2-0,share-rw=on,serial=600a,device_id=naa.600a"],
    ...["-netdev", "tap,id=lan3,ifname=t3s3,script=no,downscript=no", "-device", "spapr-vlan,netdev=lan3,mac=02:AA:BB:00:01:03,reg=0x3000"],
    "-S",
  ]);
});

test("values that follow the specification", () => {
  const cases: readonly [Partial<PartitionSpec>, option: string, part: RegExp][] = [
    [{ accelerator: "kvm" }, "-accel", /^kvm$/],
    [{ accelerator: "kvm" }, "-cpu", /^host$/],
    [{ compatMode: "POWER8" }, "-M", /,max-cpu-compat=power8$/],
    [{ compatMode: "POWER9_base" }, "-M", /,max-cpu-compat=power9$/],
    [{ compatMode: "POWER9" }, "-M", /,max-cpu-compat=power9$/],
    [{ compatMode: "default" }, "-M", /^((?!compat).)*$/],
    [{ maxMemoryBytes: 512 * MIB }, "-m", /^size=512M$/],
    [{ memoryBytes: 256 * MIB }, "-m", /^size=256M,slots=32,maxmem=1024M$/],
    [{ osMemoryBytes: 512 * MIB, memoryBytes: 1024 * MIB }, "-m", /^size=1024M$/],
    [{ osMemoryBytes: 512 * MIB, memoryBytes: 1024 * MIB }, "-append", /^console=hvc0 quiet panic=5 mem=512M$/],
    [{ osMemoryBytes: 512 * MIB }, "-append", /^((?!mem=).)*$/],
    [{ procs: 1, maxProcs: 1 }, "-smp", /^cpus=1,maxcpus=1$/],
    [{ bootMode: "sms" }, "-append", /^console=hvc0 quiet panic=5 openlpm\.boot=sms$/],
    [{ name: "a,b" }, "-name", /^guest=a,,b$/],
    [{ name: "a,b,,c -S" }, "-name", /^guest=a,,b,,,,c -S$/],
    [{ disks: [{ slot: 2, unit: 0, nbdSocket: "/v,1", exportName: "x,y" }] }, "-blockdev", /,server\.path=\/v,,1,export=x,,y,reconnect/],
  ];
  for (const [change, option, part] of cases) assert.match(value(change, option), part, JSON.stringify(change));
  assert.match(values(words({ dir: "/a,b" }), "-chardev")[0]!, /,path=\/a,,b\/con\.sock,.*,logfile=\/dev\/fdset\/1,/);
});

test("every partition is confined, has nothing that it was not given, and its processors wait", () => {
  const specs: readonly Partial<PartitionSpec>[] = [{}, { disks: [], nics: [] }, { incoming: true }, { accelerator: "kvm", compatMode: "POWER9" }];
  for (const change of specs) {
    const list = words(change);
    for (const deny of ["on,", "obsolete=deny", "elevateprivileges=deny", "spawn=deny", "resourcecontrol=deny"]) assert.ok(value(change, "-sandbox").includes(deny), deny);
    for (const flag of ["-nodefaults", "-no-user-config", "-nographic", "-S"]) assert.equal(list.filter((word) => word === flag).length, 1, flag);
    assert.deepEqual(list.filter((word) => /^-(daemonize|runas|monitor|gdb|s|net|nic|drive|hda|usb|virtfs|vnc|display)$/.test(word)), []);
    const { disks, nics } = { ...SPEC, ...change };
    assert.deepEqual([devices(change, "scsi-hd").length, devices(change, "spapr-vlan").length, devices(change, "spapr-vty").length], [disks.length, nics.length, 2]);
    assert.equal(values(list, "-device").length, disks.length + nics.length + 2 + new Set(disks.map((disk) => disk.slot)).size);
    assert.ok(values(list, "-netdev").every((one) => one.endsWith("script=no,downscript=no")), "no script of the host is run");
  }
});

test("memory goes back to the host by a balloon where it is in one piece, and only there", () => {
  assert.deepEqual(devices({ osMemoryBytes: 512 * MIB }, "virtio-balloon-pci"), ["virtio-balloon-pci,id=balloon,bus=pci.0,addr=0x1"]);
  assert.deepEqual(devices({}, "virtio-balloon-pci"), []);
});

test("a LUN that two adapters reach: the same identity on both paths, and an error soon when one does not answer; another LUN waits", () => {
  const disk = (slot: number, unit: number, lun: string) => ({ slot, unit, nbdSocket: `/v${slot}`, exportName: `x${slot}${unit}`, lun: `naa.${lun}` });
  const change = { disks: [disk(2, 0, "600a"), disk(4, 0, "600b"), disk(5, 0, "600c"), disk(5, 1, "600b")] };
  assert.deepEqual(values(words(change), "-blockdev").map((one) => /reconnect-delay=(\d+)/.exec(one)![1]), ["600", "5", "600", "5"]);
  assert.deepEqual(devices(change, "scsi-hd").map((one) => /serial=.*/.exec(one)![0]), ["600a", "600b", "600c", "600b"].map((lun) => `serial=${lun},device_id=naa.${lun}`));
  assert.deepEqual(values(words({ disks: [disk(5, 0, "600b"), disk(5, 1, "600b")] }), "-blockdev").map((one) => /reconnect-delay=(\d+)/.exec(one)![1]), ["600", "600"], "behind one adapter they are one path");
});

test("disks: one adapter for each slot, a unit for each disk, nodes of their own", () => {
  const disk = (slot: number, unit: number) => ({ slot, unit, nbdSocket: `/v${slot}`, exportName: `x${slot}${unit}` });
  const change = { disks: [disk(2, 0), disk(2, 1), disk(5, 0)] };
  assert.deepEqual(devices(change, "spapr-vscsi"), ["spapr-vscsi,id=vscsi2,reg=0x2000", "spapr-vscsi,id=vscsi5,reg=0x5000"]);
  assert.deepEqual(devices(change, "scsi-hd"), ["2.0,lun=0,drive=disk-2-0", "2.0,lun=1,drive=disk-2-1", "5.0,lun=0,drive=disk-5-0"].map((one) => `scsi-hd,bus=vscsi${one},share-rw=on`));
  assert.deepEqual(values(words(change), "-blockdev").map((one) => /node-name=(.*?),.*path=(.*?),export=(.*?),/.exec(one)!.slice(1).join(" ")), ["disk-2-0 /v2 x20", "disk-2-1 /v2 x21", "disk-5-0 /v5 x50"]);
});

test("source and destination of a migration make the same machine, whatever their paths, taps and exports are", () => {
  const there: Partial<PartitionSpec> = { incoming: true, dir: "/run/y/p9", lparId: 9, namespace: null, consoleLog: "/other", disks: [{ ...SPEC.disks[0]!, nbdSocket: "/run/y/v2/nbd.sock", exportName: "vt9" }], nics: [{ ...SPEC.nics[0]!, tap: "t9s3" }] };
  const [source, destination] = [words(), words(there)];
  assert.deepEqual(destination.slice(-3), ["-S", "-incoming", "defer"]);
  assert.ok(!source.includes("-incoming"));
  for (const option of ["-name", "-uuid", "-M", "-accel", "-cpu", "-smp", "-m", "-device", "-append"]) assert.deepEqual(values(destination, option), values(source, option), option);
  const memoryDevices = [{ slot: 0, address: 2 ** 30, bytes: 256 * MIB }, { slot: 2, address: 2 ** 30 + 512 * MIB, bytes: 512 * MIB }];
  const grown = words({ ...there, memoryDevices, procs: 3 });
  assert.deepEqual(values(grown, "-object"), ["memory-backend-ram,id=mem0,size=268435456", "memory-backend-ram,id=mem2,size=536870912"]);
  assert.deepEqual(values(grown, "-device").filter((one) => one.startsWith("pc-dimm")), ["pc-dimm,id=dimm0,memdev=mem0,slot=0,addr=1073741824", "pc-dimm,id=dimm2,memdev=mem2,slot=2,addr=1610612736"]);
  assert.deepEqual(values(grown, "-smp"), ["cpus=3,maxcpus=4"]);
});

test("addresses: by slot alone, apart in the interrupt bits; slots that can not be together are told", () => {
  assert.deepEqual([2, 15, 18, 65535].map(vioReg), ["0x2000", "0xf000", "0x12000", "0xffff000"]);
  const cases: readonly [slots: readonly number[], colliding: readonly number[]][] = [
    [[], []],
    [[2, 3, 15], []],
    [[2, 18], [18]],
    [[18, 2], [2]],
    [[0, 1, 2], [0, 1]],
    [[16, 17, 18, 32], [16, 17, 32]],
    [[2, 2], [2]],
    [[3, 19, 35, 4], [19, 35]],
    [Array.from({ length: 14 }, (_, n) => n + 2), []],
    [Array.from({ length: 16 }, (_, n) => n + 2), [16, 17]],
  ];
  for (const [slots, colliding] of cases) {
    assert.deepEqual(collidingSlots(slots), colliding, slots.join());
    const good = slots.filter((slot) => !colliding.includes(slot));
    const regs = values(words({ disks: [], nics: good.map((slot) => ({ slot, mac: SPEC.nics[0]!.mac, tap: "t" })) }), "-device").map((one) => Number(/reg=(\w+)/.exec(one)![1]));
    assert.equal(new Set(regs.map((reg) => (reg >> 12) & 15)).size, good.length + 2, `interrupts of ${good.join()}`);
  }
});

test("sockets have a name each, short below the run directory", () => {
  const paths = Object.values(sockets("/run/x/p3"));
  assert.equal(new Set(paths).size, paths.length);
  for (const path of paths) assert.match(path, /^\/run\/x\/p3\/[a-z]{2,4}\.sock$/);
});
