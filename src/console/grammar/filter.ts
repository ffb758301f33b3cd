/** `--filter "lpar_names=a,b","slots=3"` (hmc-cli 1.6): names with their values; several names are AND, several values OR. Pure. */
import { OlpmError } from "../../kit/errors.js";
import { parseRecord, splitList } from "./record.js";

/** @throws OlpmError invalid-argument for a name that is not in `known` (when given), or the same name twice */
export function parseFilter(text: string | undefined, known?: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const filters = new Map<string, readonly string[]>();
  for (const { name, operator, value } of text === undefined ? [] : parseRecord(text)) {
    const wrong = (known !== undefined && !known.includes(name)) || operator !== "=";
    if (wrong) throw new OlpmError("invalid-argument", `An invalid filter was entered. The invalid filter is ${name}.${known ? ` The filters of this command are ${known.join(", ")}.` : ""} Please check your entry and retry the command.`);
    if (filters.has(name)) throw new OlpmError("invalid-argument", `The filter ${name} was entered more than once. Please check your entry and retry the command.`);
    filters.set(name, splitList(value));
  }
  return filters;
}
