/**
 * World wide port names that this system gives to virtual Fibre Channel client adapters, in pairs, each once and never again: `c05076`, six digits of the system, four
 * of a counter (as PowerVM's begin, with as many pairs; lpm-process appendix "limits").
 */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import { WwpnPair } from "../model/ids.js";
import type { Store } from "./store.js";

const PAIRS_MAX = 0x8000;

/** @throws OlpmError limit-reached */
export function pairOf(prefix: string, number: number): WwpnPair {
  if (number >= PAIRS_MAX) throw new OlpmError("limit-reached", `All ${PAIRS_MAX} pairs of WWPNs with the prefix ${prefix} are given away.`);
  const name = (last: number) => `${prefix}${last.toString(16).padStart(4, "0")}`;
  return WwpnPair.parse([name(2 * number), name(2 * number + 1)]);
}

export class WwpnPool {
  readonly #store: Pick<Store, "fact" | "putFact">;

  constructor(store: Pick<Store, "fact" | "putFact">) {
    this.#store = store;
  }

  /** The first 12 digits of this system's names, made once. */
  get prefix(): string {
    let prefix = this.#store.fact("wwpn_prefix", z.string().length(12));
    if (prefix === undefined) this.#store.putFact("wwpn_prefix", (prefix = `c05076${randomBytes(3).toString("hex")}`));
    return prefix;
  }
  /** Names that are left. */
  get remaining(): number {
    return 2 * (PAIRS_MAX - (this.#store.fact("wwpn_next", z.number()) ?? 0));
  }
  /** @throws OlpmError limit-reached */
  next(): WwpnPair {
    const number = this.#store.fact("wwpn_next", z.number()) ?? 0;
    const pair = pairOf(this.prefix, number);
    this.#store.putFact("wwpn_next", number + 1);
    return pair;
  }
}
