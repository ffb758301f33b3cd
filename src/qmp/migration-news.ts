/**
 * What QEMU's events say of a migration, for whoever waits for a status: nothing that comes between two looks is lost, so that a query is only for what was told while
 * nobody listened. Queries take QEMU's big lock, for which the copy waits too.
 */
import type { QmpClient } from "./client.js";

export class MigrationNews {
  readonly #forget: () => void;
  #told: string | undefined;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(qmp: Pick<QmpClient, "onEvent" | "closed">) {
    this.#forget = qmp.onEvent(({ event, data }) => {
      if (event !== "MIGRATION") return;
      this.#told = String(data["status"]);
      this.#wake?.();
    });
    void qmp.closed.then(() => {
      this.#over = true;
      this.#wake?.();
    });
  }

  /** The latest status that was told since the last call; if none was, the next one. Undefined after `ms`, after an abort, and when the monitor is lost: then the caller asks. */
  async take(ms: number, signal: AbortSignal): Promise<string | undefined> {
    if (this.#told === undefined && !this.#over && !signal.aborted)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => (clearTimeout(timer), resolve());
        signal.addEventListener("abort", this.#wake, { once: true });
      });
    if (this.#wake) signal.removeEventListener("abort", this.#wake);
    this.#wake = undefined;
    const told = this.#told;
    this.#told = undefined;
    return told;
  }
  close(): void {
    this.#forget();
  }
}
