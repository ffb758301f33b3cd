/**
 * Attribute records of the HMC (hmc-cli 1.3, grammar in 1.11): `name=value,"list=a,b","list=""x,y"",""z"""`, with the tolerances that real clients need:
 * quotes after the equals sign, blanks after a comma, and a list without quotes. Pure.
 */
import { OlpmError } from "../../kit/errors.js";

export interface RecordItem {
  readonly name: string;
  readonly operator: "=" | "+=" | "-=";
  /** a list is kept as text with its element quotes; splitList reads it */
  readonly value: string;
}

const PAIR = /^\s*([A-Za-z0-9_]+)\s*(\+=|-=|=)([\s\S]*)$/;

/** @throws OlpmError invalid-argument, saying what is wrong and where */
export function parseRecord(text: string): RecordItem[] {
  const items: RecordItem[] = [];
  for (const raw of splitItems(text)) {
    const item = unwrap(raw);
    const match = PAIR.exec(item);
    if (match) {
      items.push({ name: match[1]!, operator: match[2] as RecordItem["operator"], value: unwrapValue(match[3]!) });
      continue;
    }
    const last = items.pop();
    // A pair that is quoted, with something behind its last quotation mark, is neither a pair nor a part of a list.
    if (!last || /^"(?!")/.test(item)) throw new OlpmError("invalid-argument", `The attribute record is not valid at "${raw.slice(0, 60)}". A record has the form name=value,name=value,... Please check your entry and retry the command.`);
    // A list that came without its quotes: the item belongs to the value before it.
    items.push({ ...last, value: `${last.value},${item}` });
  }
  return items;
}

/** Items between commas that no quote protects. */
function splitItems(text: string): string[] {
  const items: string[] = [];
  let item = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '"') {
      if (quoted && text[at + 1] === '"') {
        item += '""';
        at++;
        continue;
      }
      quoted = !quoted;
    }
    if (char === "," && !quoted) {
      items.push(item.trim());
      item = "";
    } else item += char;
  }
  if (quoted) throw new OlpmError("invalid-argument", `The attribute record has a quotation mark without its partner: ${text.slice(0, 120)}. Please check your entry and retry the command.`);
  items.push(item.trim());
  return items.filter((one) => one !== "");
}

/** Takes the quotes off a pair that is quoted as a whole. */
const unwrap = (item: string): string => (item.length >= 2 && item.startsWith('"') && item.endsWith('"') && PAIR.test(item.slice(1)) ? item.slice(1, -1) : item);
/** Quotes after the equals sign: around the whole value, or three at each end around quoted elements. */
function unwrapValue(value: string): string {
  if (value === '""') return "";
  if (value.length >= 2 && value.startsWith('"') && !value.startsWith('""') && value.endsWith('"')) return value.slice(1, -1);
  if (value.startsWith('"""') && value.endsWith('"""') && value.length >= 6) return value.slice(1, -1);
  return value;
}

/** Elements of a list value; `""` protects commas inside one. `none` and the empty text are an empty list. */
export function splitList(value: string): string[] {
  if (value === "" || value === "none") return [];
  const elements: string[] = [];
  let element = "";
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    if (value.startsWith('""', at)) {
      quoted = !quoted;
      at++;
    } else if (value[at] === "," && !quoted) {
      elements.push(element.trim());
      element = "";
    } else element += value[at];
  }
  elements.push(element.trim());
  return elements;
}

/** The value of an attribute as it stands in a record, without its name: list elements with commas get their quotes. */
export function listText(value: string | readonly string[]): string {
  if (typeof value === "string") return value;
  return value.map((element) => (element.includes(",") ? `""${element}""` : element)).join(",");
}

/** `name=value`, quoted as a whole when the value has a comma. */
export function formatPair(name: string, value: string | readonly string[]): string {
  const pair = `${name}=${listText(value)}`;
  return pair.includes(",") ? `"${pair}"` : pair;
}

/** One record: pairs joined by commas. */
export const formatRecord = (pairs: readonly (readonly [name: string, value: string | readonly string[]])[]): string => pairs.map(([name, value]) => formatPair(name, value)).join(",");

/** The last value given for a name (hmc-cli 1.11 rule 5). */
export function valueOf(items: readonly RecordItem[], name: string): string | undefined {
  return items.filter((item) => item.name === name).at(-1)?.value;
}
