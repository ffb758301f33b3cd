/**
 * Memory that the machine has at hand when a copy begins. Where the machine is a virtual one whose host takes back what was not used for two seconds (free page reporting), the first
 * touch of such memory costs up to ten times the copy itself, and which way pays for it would be chance. So the bench takes as much as a move needs, with huge pages as a
 * partition has them, and gives it back just before the copy.
 */
import { once } from "node:events";
import { spawn, type ChildProcess } from "node:child_process";
import { OlpmError } from "../../kit/errors.js";
import { within } from "../../kit/wait.js";

const TAKE_MS_MAX = 60_000;

export class WarmMemory {
  readonly #holder: ChildProcess;
  #given: Promise<unknown> | undefined;

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  /** Takes and touches so many megabytes: a QEMU without a machine takes memory as one with a machine does, and greets when it has it. */
  static async take(megabytes: number): Promise<WarmMemory> {
    const holder = spawn("qemu-system-ppc64", ["-M", "none", "-nodefaults", "-nographic", "-S", "-qmp", "stdio", "-object", `memory-backend-ram,id=warm,size=${megabytes}M,prealloc=on`], { stdio: ["pipe", "pipe", "ignore"] });
    const warm = new WarmMemory(holder);
    holder.on("error", () => undefined); // the greeting does not come
    holder.stdin!.on("error", () => undefined);
    try {
      await within(Promise.race([once(holder.stdout!, "data"), once(holder, "close").then(() => Promise.reject(new OlpmError("refused", "the memory that a move needs could not be taken")))]), TAKE_MS_MAX, "touching memory");
      return warm;
    } catch (error) {
      await warm.giveBack();
      throw error;
    }
  }

  /** Resolves when the memory is free. Idempotent. */
  giveBack(): Promise<unknown> {
    return (this.#given ??= this.#end());
  }
  async #end(): Promise<void> {
    if (this.#holder.pid === undefined || this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const ended = once(this.#holder, "exit");
    this.#holder.kill("SIGKILL");
    await ended;
  }
}
