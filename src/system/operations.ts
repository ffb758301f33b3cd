/** One operation at a time for each partition, held by a lock that knows which one it is. Lives as long as the process; what must survive it is in the rows. */
import { OlpmError } from "../kit/errors.js";
import type { LparId } from "../model/ids.js";

export class Operations {
  readonly #under = new Map<LparId, string>();

  /** The operation that is under way, for people. */
  of(lparId: LparId): string | undefined {
    return this.#under.get(lparId);
  }

  /** @throws OlpmError conflict when another one is under way; what `work` throws */
  async run<T>(lpar: { readonly lparId: LparId; readonly definition: { readonly name: string } }, operation: string, work: () => Promise<T>): Promise<T> {
    const other = this.#under.get(lpar.lparId);
    if (other !== undefined) throw new OlpmError("conflict", `Another operation (${other}) is under way for partition ${lpar.definition.name}.`, { action: "Wait until it ends.", retryable: true });
    this.#under.set(lpar.lparId, operation);
    try {
      return await work();
    } finally {
      this.#under.delete(lpar.lparId);
    }
  }
}
