/**
 * What a command says of its attributes, in its help and in docs/hmc-compatibility.md: those that it prints, and those that its records may have. The second kind
 * is also the rule by which a record is checked. Pure.
 */
import { OlpmError } from "../../kit/errors.js";
import type { Attribute } from "./list-output.js";
import { notSupported } from "./options.js";
import type { RecordItem } from "./record.js";

export type AttributeStatus = "supported" | "when asked" | "without value" | "fixed" | "without effect" | "refused";
export interface AttributeRow {
  readonly name: string;
  readonly status: AttributeStatus;
  /** values of a supported one, or the reason */
  readonly note: string;
}
export interface AttributeTable {
  /** the form of the command: `lssyscfg -r lpar` */
  readonly title: string;
  readonly use: "printed" | "record";
  readonly rows: readonly AttributeRow[];
}

/** One attribute of an input record (-i, -a). */
export interface RecordAttribute {
  readonly name: string;
  /** its possible values, for people */
  readonly help: string;
  /** the only values that are taken, since that is how it is here; the reason is a clause. Clients that give a printed record back send them */
  readonly only?: { readonly values: readonly string[]; readonly reason: string };
  /** why it is refused, a clause */
  readonly refused?: string;
  /** any value is taken and nothing happens: harmless */
  readonly withoutEffect?: boolean;
  /** a list, which takes += and -= */
  readonly list?: boolean;
}

/** @throws OlpmError invalid-argument for an attribute that is not in the table, or a value or operator that is not possible; unsupported for a refused one */
export function checkRecord(items: readonly RecordItem[], table: readonly RecordAttribute[]): void {
  for (const { name, operator, value } of items) {
    const found = table.find((one) => one.name === name);
    if (!found) throw invalidAttribute(name);
    if (found.refused !== undefined) throw notSupported(`The attribute ${name}`, found.refused);
    if (operator !== "=" && !found.list) throw invalidValue(name, value, `${operator} is for lists`);
    if (found.only && !found.only.values.includes(value)) throw notSupported(`The value ${value === "" ? "(empty)" : value} of the attribute ${name}`, `${found.only.reason}; ${found.only.values.filter((one) => one !== "").join(" or ")} is possible`);
  }
}

/** The error for an attribute that is not known (hmc-cli 1.8). */
export const invalidAttribute = (name: string) => new OlpmError("invalid-argument", `An invalid attribute was entered. The invalid attribute is ${name}. Please check your entry and retry the command.`);
/** The error for a value that is not possible; `right` says what would be. */
export const invalidValue = (name: string, value: string | undefined, right: string, hsc?: string) =>
  new OlpmError("invalid-argument", `The value ${value === undefined ? "(missing)" : value === "" ? "(empty)" : value} of attribute ${name} is not valid: ${right}. Please check your entry and retry the command.`, hsc === undefined ? {} : { hsc });

export const printed = (title: string, table: readonly Pick<Attribute<never>, "name" | "onlyAsked" | "absent">[]): AttributeTable => ({
  title,
  use: "printed",
  rows: table.map((one) => ({ name: one.name, status: one.absent !== undefined ? "without value" : one.onlyAsked ? "when asked" : "supported", note: one.absent ?? "" })),
});

export const taken = (title: string, table: readonly RecordAttribute[]): AttributeTable => ({
  title,
  use: "record",
  rows: table.map((one) => {
    if (one.refused !== undefined) return { name: one.name, status: "refused", note: one.refused };
    if (one.only) return { name: one.name, status: "fixed", note: `${one.only.values.filter((value) => value !== "").join(" or ")}: ${one.only.reason}` };
    return { name: one.name, status: one.withoutEffect ? "without effect" : "supported", note: one.help };
  }),
});
