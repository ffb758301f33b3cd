/** Listings (hmc-cli 1.5): records `name=value,...`, or with -F values in the asked order with the asked delimiter. Pure. */
import { OlpmError } from "../../kit/errors.js";
import { formatPair, listText } from "./record.js";

/** undefined: does not apply to this object, or is not known (left out of records, `null` with -F); null: printed as `null` everywhere. */
export type AttributeValue = string | readonly string[] | null | undefined;
export interface Attribute<T> {
  readonly name: string;
  readonly read: (object: T) => AttributeValue;
  /** only printed when asked by -F */
  readonly onlyAsked?: boolean;
  /** the HMC has it, and nothing here stands behind it: why. `null` with -F, absent from records */
  readonly absent?: string;
}
/** Attributes of the HMC that nothing here stands behind, with the reason as a clause. */
export const absent = (reason: string, ...names: readonly string[]): Attribute<unknown>[] => names.map((name) => ({ name, read: () => undefined, onlyAsked: true, absent: reason }));
export const NOTHING = "No results were found.\n";

export interface Listing {
  /** argument of -F, undefined when -F was given alone */
  readonly fields?: string | undefined;
  readonly hasFields: boolean;
  readonly header: boolean;
}

/** Names and delimiter of an -F list. @throws OlpmError invalid-argument */
export function parseFields(text: string): { readonly names: readonly string[]; readonly delimiter: string } {
  const asked = text.trim();
  const delimiter = /[^A-Za-z0-9_]/.exec(asked)?.[0] ?? ",";
  return { names: asked.split(delimiter).map((name) => name.trim()).filter((name) => name !== ""), delimiter };
}

/** The whole output, with its last newline. @throws OlpmError invalid-argument for an unknown attribute */
export function list<T>(table: readonly Attribute<T>[], objects: readonly T[], how: Listing): string {
  if (how.header && !how.hasFields) throw new OlpmError("invalid-argument", "An invalid parameter was entered. The invalid parameter is --header. It is only valid with -F. Please check your entry and retry the command.");
  const { names, delimiter } = how.fields === undefined || how.fields.trim() === "" ? { names: table.filter((one) => !one.onlyAsked).map((one) => one.name), delimiter: "," } : parseFields(how.fields);
  const asked = names.map((name) => {
    const found = table.find((one) => one.name === name);
    if (!found) throw new OlpmError("invalid-argument", `An invalid attribute was entered. The invalid attribute is ${name}. Please check your entry and retry the command.`);
    return found;
  });
  if (objects.length === 0) return NOTHING;
  const lines = how.hasFields ? objects.map((object) => asked.map((one) => field(one.read(object), delimiter)).join(delimiter)) : objects.map((object) => asked.flatMap((one) => pair(one, object)).join(","));
  if (how.header) lines.unshift(names.join(delimiter));
  return lines.map((line) => `${line}\n`).join("");
}

function pair<T>(attribute: Attribute<T>, object: T): string[] {
  const value = attribute.read(object);
  if (value === undefined) return [];
  return [formatPair(attribute.name, value === null ? "null" : value)];
}
function field(value: AttributeValue, delimiter: string): string {
  const text = value === undefined || value === null ? "null" : listText(value);
  return text.includes(delimiter) ? `"${text}"` : text;
}
