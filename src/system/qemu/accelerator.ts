/**
 * Chooses how partitions run: by the host's own virtualisation only when a partition's kernel has booted with it here, since a device that opens may
 * still hang every guest; by emulation otherwise.
 */
import { spawn } from "node:child_process";
import { runAny } from "../../kit/run.js";

const BOOT_MS_MAX = 30_000;

export interface Accelerator {
  readonly accelerator: "kvm" | "tcg";
  /** why, for operators */
  readonly reason: string;
}

export async function chooseAccelerator(image: { readonly kernel: string; readonly initrd: string }, signal?: AbortSignal): Promise<Accelerator> {
  const help = await runAny(["qemu-system-ppc64", "-accel", "help"], { signal });
  if (!/^kvm$/m.test(help.stdout)) return { accelerator: "tcg", reason: "this host's QEMU has no KVM for Power partitions" };
  return (await boots(image, signal)) ? { accelerator: "kvm", reason: "a partition's kernel booted with KVM" } : { accelerator: "tcg", reason: `KVM is there, but a partition's kernel did not boot with it within ${BOOT_MS_MAX / 1000} s` };
}

/** True when the kernel prints its first lines under KVM. */
function boots(image: { readonly kernel: string; readonly initrd: string }, signal?: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const argv = ["-M", "pseries", "-accel", "kvm", "-cpu", "host", "-m", "512", "-nodefaults", "-nographic", "-serial", "stdio", "-kernel", image.kernel, "-initrd", image.initrd, "-append", "console=hvc0"];
    const child = spawn("qemu-system-ppc64", argv, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    const finish = (result: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
      child.kill("SIGKILL");
      resolve(result);
    };
    const stop = () => finish(false);
    const timer = setTimeout(stop, BOOT_MS_MAX);
    signal?.addEventListener("abort", stop, { once: true });
    child.on("error", stop);
    child.on("exit", stop);
    child.stdout.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString("latin1")).slice(-65_536);
      if (/Linux version \d/.test(text)) finish(true);
    });
  });
}
