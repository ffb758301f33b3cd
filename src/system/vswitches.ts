/** The virtual switches of a system: names, modes and a number that never changes, which network.ts builds interface names from. */
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import type { Store } from "./store.js";

const Row = z.object({ id: z.number().int(), name: z.string(), mode: z.enum(["VEB", "VEPA"]) });
type Row = z.infer<typeof Row>;
const FACT = "vswitches";
const NAME = /^[^()<>*$&?|[\]'"`,=\\\x00-\x1f\x7f/]{1,31}$/;
const SWITCHES_MAX = 16;

export class VirtualSwitches {
  readonly #store: Store;

  /** `initial`: made at the first start; `bridged`: those that a shared Ethernet adapter of the configuration needs, made whenever they are missing */
  constructor(store: Store, initial: readonly string[], bridged: readonly string[]) {
    this.#store = store;
    if (!store.fact(FACT, z.array(Row))) store.putFact(FACT, initial.map((name, id): Row => ({ id, name, mode: "VEB" })));
    for (const name of new Set(bridged)) if (!this.all().some((row) => row.name === name)) this.put({ name, mustExist: false });
  }

  all(): readonly Row[] {
    return this.#store.fact(FACT, z.array(Row)) ?? [];
  }
  /** @throws OlpmError not-found */
  get(name: string): Row {
    const row = this.all().find((one) => one.name === name);
    if (!row) throw new OlpmError("not-found", `The virtual switch ${name} was not found.`, { action: "lshwres -r virtualio --rsubtype vswitch lists the switches." });
    return row;
  }
  put(wanted: { readonly name: string; readonly newName?: string | undefined; readonly mode?: "VEB" | "VEPA" | undefined; readonly mustExist: boolean }): void {
    const rows = [...this.all()];
    const at = rows.findIndex((row) => row.name === wanted.name);
    const name = wanted.newName ?? wanted.name;
    if (!NAME.test(name)) throw new OlpmError("invalid-argument", `${name} is not a name for a virtual switch (1 to 31 characters without , = " ' and brackets).`);
    if (rows.some((row, index) => row.name === name && index !== at)) throw new OlpmError("already-exists", `A virtual switch named ${name} exists.`);
    if (wanted.mustExist && at < 0) this.get(wanted.name);
    if (!wanted.mustExist && at >= 0) throw new OlpmError("already-exists", `A virtual switch named ${name} exists.`);
    if (at < 0 && rows.length >= SWITCHES_MAX) throw new OlpmError("limit-reached", `A system has at most ${SWITCHES_MAX} virtual switches.`);
    const old = rows[at];
    const next: Row = { id: old?.id ?? 1 + Math.max(-1, ...rows.map((row) => row.id)), name, mode: wanted.mode ?? old?.mode ?? "VEB" };
    if (at < 0) rows.push(next);
    else rows[at] = next;
    this.#store.putFact(FACT, rows);
  }
  /** The caller has seen that nothing uses it. */
  remove(name: string): void {
    const { id } = this.get(name);
    this.#store.putFact(FACT, this.all().filter((row) => row.id !== id));
  }
}
