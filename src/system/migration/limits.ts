/** How many active migrations each mover service partition of this system carries at once: what it supports, what an operator has set, what goes on. */
import { z } from "zod";
import { OlpmError } from "../../kit/errors.js";
import type { LparId } from "../../model/ids.js";
import type { Result } from "../../wire/rpc.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Hypervisor } from "../contract.js";
import type { Records } from "./records.js";

export class MoverLimits {
  readonly #hypervisor: Hypervisor;
  readonly #records: Records;

  constructor(hypervisor: Hypervisor, records: Records) {
    this.#hypervisor = hypervisor;
    this.#records = records;
  }

  list(): Result<ConsoleSystem, "migration.movers"> {
    const open = this.#records.open().filter(({ record }) => record.type === "active");
    const here = open.map(({ record }) => (record.role === "source" ? record.source : record.destination).mspLparId);
    return {
      movers: this.#hypervisor.config.vioses
        .filter((vios) => vios.msp)
        .map(({ lparId, moverConcurrentMax }) => ({ lparId, supported: moverConcurrentMax, configured: this.#configured(lparId) ?? moverConcurrentMax, inProgress: here.filter((id) => id === lparId).length })),
    };
  }

  /** @throws OlpmError invalid-argument for a partition that is no mover, or more than it supports */
  set({ lparId, configured }: { readonly lparId: LparId; readonly configured: number }): void {
    const mover = this.list().movers.find((one) => one.lparId === lparId);
    if (!mover) throw new OlpmError("invalid-argument", `The partition with ID ${lparId} is no mover service partition of ${this.#hypervisor.config.name}.`, { hsc: "OLPM-VX01", action: "lslparmigr -r msp lists them." });
    if (configured > mover.supported) throw new OlpmError("invalid-argument", `The mover service partition supports ${mover.supported} migrations at once; ${configured} is more. Please check your entry and retry the command.`);
    this.#hypervisor.store.putFact(factOf(lparId), configured);
  }

  /** @throws OlpmError limit-reached OLPM-VG13 */
  assertBelow(lparId: LparId | null): void {
    const mover = this.list().movers.find((one) => one.lparId === lparId);
    if (mover && mover.inProgress >= mover.configured)
      throw new OlpmError("limit-reached", `The mover service partition with ID ${lparId} of ${this.#hypervisor.config.name} already carries ${mover.inProgress} migrations, its limit.`, { hsc: "OLPM-VG13", action: "Wait until one ends, or raise the limit with migrlpar -o set -r lpar.", retryable: true });
  }

  #configured(lparId: LparId): number | undefined {
    return this.#hypervisor.store.fact(factOf(lparId), z.number().int());
  }
}

const factOf = (lparId: LparId): string => `mover.${lparId}.configured`;
