/**
 * System profiles: named lists of partitions, each with one of its profiles (hmc-cli 4.9). A member is kept by the partition's UUID, so that a partition which takes the
 * place of a removed or moved one is not taken for it; a member whose partition or profile is not there is not listed.
 */
import { z } from "zod";
import { OlpmError } from "../kit/errors.js";
import type { SystemProfile } from "../model/system.js";
import type { LparRow, Store } from "./store.js";

const Row = z.object({ name: z.string(), members: z.array(z.object({ uuid: z.string(), profile: z.string() })) });
type Row = z.infer<typeof Row>;
const FACT = "system_profiles";
const PROFILES_MAX = 32;

export class SystemProfiles {
  readonly #store: Store;
  constructor(store: Store) {
    this.#store = store;
  }

  list(): SystemProfile[] {
    const rows = this.#store.lpars();
    return this.#rows().map(({ name, members }) => ({ name, members: members.flatMap(({ uuid, profile }) => memberOf(rows.find((row) => row.definition.uuid === uuid), profile)) }));
  }

  /** @throws OlpmError not-found HSCL8016, HSCL8012; already-exists; limit-reached */
  put(wanted: { readonly name: string; readonly newName?: string | undefined; readonly members: readonly { readonly lparId: number; readonly profile: string }[] | null; readonly mustExist: boolean }): void {
    const rows = [...this.#rows()];
    const at = rows.findIndex((row) => row.name === wanted.name);
    if (wanted.mustExist && at < 0) throw notFound(wanted.name);
    const name = wanted.newName ?? wanted.name;
    if (rows.some((row, index) => row.name === name && index !== at) || (!wanted.mustExist && at >= 0)) throw new OlpmError("already-exists", `A system profile named ${name} exists.`);
    if (at < 0 && rows.length >= PROFILES_MAX) throw new OlpmError("limit-reached", `A system has at most ${PROFILES_MAX} system profiles.`);
    const members = wanted.members?.map(({ lparId, profile }) => {
      const row = this.#store.lpar(lparId);
      if (!row) throw new OlpmError("not-found", `The partition with ID ${lparId} was not found.`, { hsc: "HSCL8012" });
      if (memberOf(row, profile).length === 0) throw new OlpmError("not-found", `The profile ${profile} of partition ${row.definition.name} was not found.`, { hsc: "HSCL8016" });
      return { uuid: row.definition.uuid, profile };
    });
    const next: Row = { name, members: members ?? rows[at]?.members ?? [] };
    if (at < 0) rows.push(next);
    else rows[at] = next;
    this.#store.putFact(FACT, rows);
  }

  /** @throws OlpmError not-found HSCL8016 */
  remove(name: string): void {
    const rows = this.#rows();
    if (!rows.some((row) => row.name === name)) throw notFound(name);
    this.#store.putFact(FACT, rows.filter((row) => row.name !== name));
  }

  #rows(): readonly Row[] {
    return this.#store.fact(FACT, z.array(Row)) ?? [];
  }
}

const notFound = (name: string) => new OlpmError("not-found", `The system profile ${name} was not found.`, { hsc: "HSCL8016" });
const memberOf = (row: LparRow | undefined, profile: string): SystemProfile["members"] =>
  row?.definition.profiles.some((one) => one.name === profile) ? [{ lparId: row.lparId, lparName: row.definition.name, profile }] : [];
