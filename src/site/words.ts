/** The words of `openlpm init`, `invite`, `join` and their kind: options with values, flags and operands, checked against a table. */
import { OlpmError } from "../kit/errors.js";

export interface WordTable {
  readonly verb: string;
  /** options that take a value; those in `many` may be given several times */
  readonly values?: readonly string[];
  readonly many?: readonly string[];
  readonly flags?: readonly string[];
  readonly operandsMax?: number;
}
export interface Words {
  readonly operands: readonly string[];
  has(flag: string): boolean;
  value(option: string): string | undefined;
  all(option: string): readonly string[];
  /** @throws OlpmError invalid-argument when it was not given */
  needed(option: string): string;
}

/** @throws OlpmError invalid-argument */
export function parseWords(argv: readonly string[], table: WordTable): Words {
  const action = `openlpm ${table.verb} --help explains it.`;
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const [option, inline] = argv[at]!.startsWith("--") && argv[at]!.includes("=") ? [argv[at]!.slice(0, argv[at]!.indexOf("=")), argv[at]!.slice(argv[at]!.indexOf("=") + 1)] : [argv[at]!, undefined];
    if (!option.startsWith("-")) operands.push(option);
    else if (table.flags?.includes(option)) given.set(option, []);
    else if (table.values?.includes(option) || table.many?.includes(option)) {
      const value = inline ?? argv[++at];
      if (value === undefined) throw new OlpmError("invalid-argument", `${option} needs a value.`, { action });
      if (given.has(option) && !table.many?.includes(option)) throw new OlpmError("invalid-argument", `${option} was given twice.`, { action });
      given.set(option, [...(given.get(option) ?? []), value]);
    } else throw new OlpmError("invalid-argument", `openlpm ${table.verb} has no option ${option}.`, { action });
  }
  if (operands.length > (table.operandsMax ?? 0)) throw new OlpmError("invalid-argument", `openlpm ${table.verb} does not expect "${operands[table.operandsMax ?? 0]}".`, { action });
  return {
    operands,
    has: (flag) => given.has(flag),
    value: (option) => given.get(option)?.[0],
    all: (option) => given.get(option) ?? [],
    needed: (option) => {
      const value = given.get(option)?.[0];
      if (value === undefined) throw new OlpmError("invalid-argument", `openlpm ${table.verb} needs ${option}.`, { action });
      return value;
    },
  };
}

/** `name=vios1,uplink=eno2`. @throws OlpmError invalid-argument for an unknown key, one given twice, or one that is missing */
export function parsePairs(text: string, option: string, keys: { readonly needed: readonly string[]; readonly others: readonly string[] }): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const part of text.split(",")) {
    const cut = part.indexOf("=");
    const [key, value] = [part.slice(0, cut), part.slice(cut + 1)];
    if (cut < 1 || value === "" || ![...keys.needed, ...keys.others].includes(key)) throw new OlpmError("invalid-argument", `${option}: "${part}" is not one of ${[...keys.needed, ...keys.others].map((one) => `${one}=...`).join(", ")}.`);
    if (pairs.has(key)) throw new OlpmError("invalid-argument", `${option}: ${key} was given twice.`);
    pairs.set(key, value);
  }
  const missing = keys.needed.filter((key) => !pairs.has(key));
  if (missing.length > 0) throw new OlpmError("invalid-argument", `${option}: ${missing.map((key) => `${key}=...`).join(", ")} is missing in "${text}".`);
  return pairs;
}
