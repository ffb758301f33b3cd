/**
 * QEMU's command line for one partition. Pure. Device addresses come from virtual slot numbers alone, so that both systems of a migration
 * compute the same ones. Flags and their reasons: QEMU docs, system/ppc/pseries.
 */
import { MEMORY_SLOTS } from "../dlpar-plan.js";
import type { PartitionSpec } from "./contract.js";
import { memoryWords } from "./hotplug.js";

/**
 * Address of an adapter on the spapr-vio bus. QEMU takes the interrupt from bits 12-15 of the address, so adapters whose slots are equal modulo 16
 * can not be in one partition, and 0 and 1 belong to the terminals (hw/ppc/spapr_vio.c, spapr_vio_reg_to_irq).
 */
export const vioReg = (slot: number): string => `0x${(slot * 0x1000).toString(16)}`;

/** Slots of `slots` that can not be realised together with the others or at all. */
export function collidingSlots(slots: readonly number[]): number[] {
  const taken = new Set([0, 1]);
  return slots.filter((slot) => taken.has(slot % 16) || (taken.add(slot % 16), false));
}
/** The lowest terminal is hvc0, the console; the second one is the agent's (hvc1). The second digit group counts, 0x30000001 would collide. */
const CONSOLE_REG = "0x30000000";
const AGENT_REG = "0x30001000";
/** Seconds that a partition's requests wait for a Virtual I/O Server that is away, before the guest sees an error. */
const VIOS_RECONNECT_S = 600;
/** The same where another adapter reaches the same LUN: the operating system's multipath takes the other path when it sees the error. */
const PATH_RECONNECT_S = 5;
/** The terminal's log comes as an open file: QEMU's account can not reach it by name. */
export const LOG_FD = 3;
const LOG_FD_SET = 1;

export const sockets = (dir: string) => ({
  qmp: `${dir}/qmp.sock`,
  channelQmp: `${dir}/chq.sock`,
  console: `${dir}/con.sock`,
  agent: `${dir}/ga.sock`,
  hand: `${dir}/hand.sock`,
  control: `${dir}/hold.sock`,
});

const COMPAT: Readonly<Record<PartitionSpec["compatMode"], string | null>> = { default: null, POWER8: "power8", POWER9_base: "power9", POWER9: "power9" };

/** The slot on the machine's PCI bus, which has nothing else. */
const BALLOON = ["-device", "virtio-balloon-pci,id=balloon,bus=pci.0,addr=0x1"];

/** The kernel's command line; with less memory than the machine has (Linux Documentation/admin-guide/kernel-parameters, "mem="). */
function append({ osMemoryBytes, memoryBytes, bootMode }: PartitionSpec): string {
  const part = osMemoryBytes === null || osMemoryBytes >= memoryBytes ? "" : ` mem=${megabytes(osMemoryBytes)}`;
  return `console=hvc0 quiet panic=5${part}${bootMode === "norm" ? "" : ` openlpm.boot=${bootMode}`}`;
}
const megabytes = (bytes: number) => `${Math.floor(bytes / (1 << 20))}M`;

/** QEMU reads `,,` as one comma inside an option's value. */
const quoted = (value: string) => value.replaceAll(",", ",,");
/** The word that names QEMU's monitor, and with it the run directory: no two processes have the same. */
export const qmpDoor = (dir: string): string => `unix:${quoted(sockets(dir).qmp)},server=on,wait=off`;

export function qemuArguments(spec: PartitionSpec): string[] {
  const at = sockets(spec.dir);
  const machine = ["pseries", "usb=off", "cap-cfpc=broken", "cap-sbbc=broken", "cap-ibs=broken", "cap-ccf-assist=off"];
  const compat = COMPAT[spec.compatMode];
  if (compat !== null) machine.push(`max-cpu-compat=${compat}`);
  const memory = spec.maxMemoryBytes > spec.memoryBytes ? `size=${megabytes(spec.memoryBytes)},slots=${MEMORY_SLOTS},maxmem=${megabytes(spec.maxMemoryBytes)}` : `size=${megabytes(spec.memoryBytes)}`;
  const words = [
    ...["-name", `guest=${quoted(spec.name)}`, "-uuid", spec.uuid],
    ...["-M", machine.join(","), "-accel", spec.accelerator === "tcg" ? "tcg,thread=multi" : "kvm"],
    ...["-cpu", spec.accelerator === "tcg" ? "power9" : "host", "-smp", `cpus=${spec.procs},maxcpus=${spec.maxProcs}`, "-m", memory, ...memoryWords(spec.memoryDevices)],
    ...["-nodefaults", "-nographic", "-vga", "none", "-no-user-config"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-add-fd", `fd=${LOG_FD},set=${LOG_FD_SET}`],
    ...["-chardev", `socket,id=con,path=${quoted(at.console)},server=on,wait=off,logfile=/dev/fdset/${LOG_FD_SET},logappend=on`, "-device", `spapr-vty,chardev=con,reg=${CONSOLE_REG}`],
    ...["-chardev", `socket,id=ga,path=${quoted(at.agent)},server=on,wait=off`, "-device", `spapr-vty,chardev=ga,reg=${AGENT_REG}`],
    ...["-qmp", qmpDoor(spec.dir), "-qmp", `unix:${quoted(at.channelQmp)},server=on,wait=off`],
    ...["-kernel", spec.kernel, "-initrd", spec.initrd, "-append", append(spec)],
  ];
  if (spec.osMemoryBytes !== null) words.push(...BALLOON);
  for (const slot of new Set(spec.disks.map((disk) => disk.slot))) words.push("-device", `spapr-vscsi,id=vscsi${slot},reg=${vioReg(slot)}`);
  for (const disk of spec.disks) {
    const node = `disk-${disk.slot}-${disk.unit}`;
    const seconds = disk.lun !== undefined && spec.disks.some((other) => other.slot !== disk.slot && other.lun === disk.lun) ? PATH_RECONNECT_S : VIOS_RECONNECT_S;
    // What the operating system knows the LUN by; two paths to one show the same.
    const identity = disk.lun === undefined ? "" : `,serial=${quoted(disk.lun.replace(/^naa\./, ""))},device_id=${quoted(disk.lun)}`;
    words.push("-blockdev", `driver=nbd,node-name=${node},server.type=unix,server.path=${quoted(disk.nbdSocket)},export=${quoted(disk.exportName)},reconnect-delay=${seconds},cache.direct=on`);
    words.push("-device", `scsi-hd,bus=vscsi${disk.slot}.0,lun=${disk.unit},drive=${node},share-rw=on${identity}`);
  }
  for (const nic of spec.nics) {
    const mac = nic.mac.match(/../g)!.join(":");
    words.push("-netdev", `tap,id=lan${nic.slot},ifname=${nic.tap},script=no,downscript=no`, "-device", `spapr-vlan,netdev=lan${nic.slot},mac=${mac},reg=${vioReg(nic.slot)}`);
  }
  // -S: the processors start when we say so, which is when the ownership record is on disk and the storage is open.
  words.push("-S");
  if (spec.incoming) words.push("-incoming", "defer");
  return words;
}
