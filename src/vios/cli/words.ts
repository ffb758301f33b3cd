/**
 * Words in, tables out: what the commands of the VIOS command line share. Options are full words with one dash; a list option takes words up to the
 * next option. Pure.
 */

/** A command's failure, as the command line prints it. */
export class CommandFailure extends Error {
  readonly status: number;
  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}

export interface Options {
  /** options that take no word */
  readonly flags?: readonly string[];
  /** options that take one word */
  readonly values?: readonly string[];
  /** options that take zero or one word */
  readonly maybe?: readonly string[];
  /** options that take one or more words */
  readonly lists?: readonly string[];
  /** words that belong to no option */
  readonly operandsMax?: number;
  readonly usage: string;
}
export interface Parsed {
  readonly operands: readonly string[];
  has(option: string): boolean;
  value(option: string): string | undefined;
  list(option: string): readonly string[] | undefined;
}

/** @throws CommandFailure with the usage text */
export function parseWords(words: readonly string[], options: Options): Parsed {
  const found = new Map<string, readonly string[]>();
  const operands: string[] = [];
  const bad = (text: string): never => {
    throw new CommandFailure(`${text}\n\nUsage: ${options.usage}`);
  };
  for (let at = 0; at < words.length; ) {
    const word = words[at++]!;
    const takes = () => {
      const from = at;
      while (at < words.length && !words[at]!.startsWith("-")) at++;
      return words.slice(from, at);
    };
    if (options.flags?.includes(word)) found.set(word, []);
    else if (options.values?.includes(word)) {
      const value = words[at++];
      found.set(word, [value ?? bad(`Option ${word} requires a value.`)]);
    } else if (options.maybe?.includes(word)) found.set(word, at < words.length && !words[at]!.startsWith("-") ? [words[at++]!] : []);
    else if (options.lists?.includes(word)) {
      const list = takes();
      if (list.length === 0) bad(`Option ${word} requires a value.`);
      found.set(word, list);
    } else if (word.startsWith("-")) bad("Option flag is not valid.");
    else operands.push(word);
  }
  if (operands.length > (options.operandsMax ?? 0)) bad("Too many arguments specified.");
  return { operands, has: (option) => found.has(option), value: (option) => found.get(option)?.[0], list: (option) => found.get(option) };
}

/** How records are printed: with -fmt an empty field is one blank, with -fmt2 it is nothing (hmc-cli 7.2). */
export interface Format {
  readonly delimiter: string;
  readonly empty: string;
}

/** @throws CommandFailure on a delimiter of more than one character, or one that -fmt2 does not allow */
export function formatOf(parsed: Parsed): Format | undefined {
  const fmt = parsed.value("-fmt");
  if (fmt !== undefined) {
    if (fmt.length !== 1) throw new CommandFailure(`The delimiter "${fmt}" is not valid.`);
    return { delimiter: fmt, empty: " " };
  }
  const fmt2 = parsed.value("-fmt2");
  if (fmt2 === undefined) return undefined;
  if (!/^[!@#%,:]$/.test(fmt2)) throw new CommandFailure(`The delimiter "${fmt2}" is not valid.`);
  return { delimiter: fmt2, empty: "" };
}

export const joined = (values: readonly string[], format: Format): string => values.map((value) => (value === "" ? format.empty : value)).join(format.delimiter);

/**
 * The fields that `-field` names, in the order of the command's own table; all of them without it. Names are case-insensitive.
 * @throws CommandFailure on a name that the command does not have
 */
export function chosenFields<F extends string>(all: readonly F[], parsed: Parsed): readonly F[] {
  const wanted = parsed.list("-field")?.map((name) => name.toLowerCase());
  if (!wanted) return all;
  const unknown = wanted.find((name) => !all.includes(name as F));
  if (unknown !== undefined) throw new CommandFailure(`The field "${unknown}" is not valid.`);
  return all.filter((name) => wanted.includes(name));
}

/** One line of columns at fixed places; nothing is padded after the last one that has text. */
export function columns(values: readonly string[], widths: readonly number[]): string {
  return values.map((value, i) => (i === values.length - 1 ? value : value.padEnd((widths[i] ?? 0) - 1) + " ")).join("").trimEnd();
}

export const lines = (all: readonly string[]): string => all.map((line) => `${line}\n`).join("");
