/**
 * What the operating system of a partition does when its memory or processors change, by its agent: Linux onlines what comes, and is asked to put offline what
 * shall go before the hypervisor takes it. So a refusal is known at once and leaves nothing half done: a kernel that fails later says so to nobody
 * (arch/powerpc/platforms/pseries/hotplug-memory.c, dlpar_memory_remove_by_ic). Linux Documentation/admin-guide/mm/memory-hotplug, cputopology.
 */
import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { MemoryDevice } from "../../model/lpar.js";
import type { GuestAgent } from "./contract.js";

/** In the partition: $1 is the word, $2 and $3 the first and last byte and one. A block has the state already, gets it, or it fails. */
const MEMORY = `cd /sys/devices/system/memory || exit 1
size=$((0x$(cat block_size_bytes))) word=$1 at=$2
while [ "$at" -lt "$3" ]; do
  block=memory$((at / size))
  until [ -e $block/state ]; do [ $word = online ] || exit 1; sleep 0.1; done
  [ "$(cat $block/state)" = $word ] || echo $word > $block/state || exit 1
  at=$((at + size))
done`;
/**
 * In the partition: $1 is where the memory ends that it shall know of. The kernel was started with a part of what the machine has (mem=) and is told of the rest one
 * block after the other (Documentation/admin-guide/mm/memory-hotplug, "probe"). What it knows of comes online; movable, where it can. Prints where that ends.
 */
const EXTEND = `cd /sys/devices/system/memory || exit 1
size=$((0x$(cat block_size_bytes))) at=0
until [ ! -e memory$((at / size)) ] && [ "$at" -ge "$1" ]; do
  block=memory$((at / size))
  [ -e $block ] || printf 0x%x "$at" > probe || exit 1
  read -r state < $block/state
  [ $state = online ] || echo online_movable > $block/state || exit 1
  at=$((at + size))
done
echo "$at"`;
/** Each word is a processor's hardware number and its state, `2=0`. One that is still coming is waited for. */
const PROCESSORS = `cd /sys/devices/system/cpu || exit 1
for word; do
  hw=\${word%=*} state=\${word#*=}
  while :; do
    found=
    for cpu in cpu[0-9]*; do [ "$(cat $cpu/physical_id 2>/dev/null)" != "$hw" ] || found=$cpu; done
    [ -z "$found" ] && [ -e "cpu$hw/online" ] && [ ! -e "cpu$hw/physical_id" ] && found=cpu$hw
    [ -z "$found" ] || break
    [ $state = 1 ] || exit 1
    sleep 0.1
  done
  [ "$(cat $found/online)" = $state ] || echo $state > $found/online || exit 1
done`;
const REPORT = "dmesg | grep -E 'pseries-hotplug|Offlin|offlin|migrate' | tail -n 4";
const ASK_MS_MAX = 10_000;

/** @throws OlpmError guest-refused with the system's words | guest-not-answering */
export async function setMemory(guest: GuestAgent, device: MemoryDevice, word: "online" | "offline", ms: number): Promise<void> {
  await ask(guest, MEMORY, [word, String(device.address), String(device.address + device.bytes)], ms);
}
/** Memory up to `bytes` becomes known to the operating system and is used. Gives where what it knows ends, which may be further. @throws as setMemory */
export async function extendMemory(guest: GuestAgent, bytes: number, ms: number): Promise<number> {
  const known = Number(await ask(guest, EXTEND, [String(bytes)], ms));
  if (!Number.isSafeInteger(known) || known < bytes) throw new OlpmError("guest-refused", "its list of memory blocks could not be read");
  return known;
}
/** Hardware numbers of processors; all of it in one turn of the agent, so that nothing comes between. @throws as setMemory */
export async function setProcessors(guest: GuestAgent, { online = [], offline = [] }: { readonly online?: readonly number[]; readonly offline?: readonly number[] }, ms: number): Promise<void> {
  const words = [...online.map((core) => `${core}=1`), ...offline.map((core) => `${core}=0`)];
  if (words.length > 0) await ask(guest, PROCESSORS, words, ms);
}
/** The last that the kernel says of it; empty when it can not be asked. */
export async function kernelReport(guest: GuestAgent): Promise<string> {
  return guest.exec("/bin/sh", ["-c", REPORT], { deadlineMs: ASK_MS_MAX }).then(({ stdout }) => stdout.trim(), () => "");
}

async function ask(guest: GuestAgent, script: string, words: readonly string[], ms: number): Promise<string> {
  // The kernel tries to empty a block for as long as it is let: the guest itself ends that.
  const seconds = Math.max(1, Math.ceil(ms / 1_000));
  try {
    const { code, stdout, stderr } = await guest.exec("/usr/bin/timeout", [String(seconds), "/bin/sh", "-c", script, "sh", ...words], { deadlineMs: seconds * 1_000 + ASK_MS_MAX });
    if (code === 0) return stdout.trim();
    throw new OlpmError("guest-refused", stderr.trim().split("\n").at(-1)?.replace(/^sh: (line \d+: |\d+: )?/, "") || (code >= 124 ? `no success within ${seconds} s` : `status ${code}`));
  } catch (error) {
    throw toOlpmError(error, "asking the operating system");
  }
}
