/** Options of a command line, read by the command's table. The texts of usage errors are the HMC's (hmc-cli 1.8). Pure. */
import { OlpmError } from "../../kit/errors.js";

export interface OptionSpec {
  /** as typed: `-m`, `--filter` */
  readonly name: string;
  /** name of its argument in the help; null: the option is a switch */
  readonly argument: string | null;
  readonly help: string;
  readonly required?: boolean;
  /** the only values, where there are few */
  readonly values?: readonly string[];
  /** decimal number with these bounds */
  readonly number?: { readonly min: number; readonly max: number };
  /** accepted and ignored, since it has no meaning here: `docs/hmc-compatibility.md` says so */
  readonly withoutEffect?: boolean;
  /** the HMC has it, this platform not, and ignoring it would mislead: why it is refused */
  readonly refused?: string;
  /** values that the HMC has and this platform not, each with the reason; they are not in `values` */
  readonly refusedValues?: Readonly<Record<string, string>>;
  /** the option may lack its argument (`-F` alone) */
  readonly argumentOptional?: boolean;
}

/** The options of one call, parsed by the table. */
export interface Options {
  has(name: string): boolean;
  /** the argument, undefined when the option was not given (or `-F` was given alone) */
  get(name: string): string | undefined;
  number(name: string): number | undefined;
}

/** What is parsed by: a command's table, and whether it takes words that are no options. */
export interface Form {
  readonly options: readonly OptionSpec[];
  readonly operands?: boolean;
}

const AGAIN = "Please check your entry and retry the command.";
const invalid = (name: string) => new OlpmError("invalid-argument", `An invalid parameter was entered. The invalid parameter is ${name}. ${AGAIN}`);
const missing = (name: string) => new OlpmError("invalid-argument", `The command entered is either missing a required parameter or a parameter value is invalid. The missing or invalid parameter is ${name}. ${AGAIN}`);

/** What the HMC has and this platform not. @returns the error for an option, value, attribute or resource, with its reason as a clause */
export const notSupported = (what: string, reason: string) => new OlpmError("unsupported", `${what} is not supported on this platform: ${reason}.`);

/** @throws OlpmError invalid-argument in the HMC's words; unsupported for what its table refuses */
export function parseOptions(command: Form, argv: readonly string[]): { readonly options: Options; readonly operands: readonly string[] } {
  const given = new Map<string, string | undefined>();
  const operands: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at]!;
    if (!word.startsWith("-") || word === "-") {
      // `-F name state`: op-test's list of attributes in several words (hmc-cli 1.10).
      const fields = given.get("-F");
      if (given.size > 0 && [...given.keys()].at(-1) === "-F" && fields !== undefined && /^[A-Za-z0-9_]+$/.test(word)) given.set("-F", `${fields} ${word}`);
      else if (command.operands) operands.push(word);
      else throw invalid(word);
      continue;
    }
    const { spec, glued } = find(command, word);
    if (given.has(spec.name)) throw new OlpmError("invalid-argument", `The parameter ${spec.name} was entered more than once. ${AGAIN}`);
    if (spec.argument === null) {
      given.set(spec.name, "");
      continue;
    }
    const next = argv[at + 1];
    if (glued !== undefined) given.set(spec.name, glued);
    else if (next !== undefined && !(next.startsWith("-") && next.length > 1 && !/^-\d/.test(next) && isOption(command, next))) {
      given.set(spec.name, next);
      at++;
    } else if (spec.argumentOptional) given.set(spec.name, undefined);
    else throw missing(spec.name);
  }
  check(command, given);
  return { options: view(given), operands };
}

function find(command: Form, word: string): { readonly spec: OptionSpec; readonly glued?: string } {
  const exact = command.options.find((option) => option.name === word);
  if (exact) return { spec: exact };
  const short = command.options.find((option) => option.argument !== null && option.name.length === 2 && word.startsWith(option.name) && !word.startsWith("--"));
  if (short) return { spec: short, glued: word.slice(2) };
  throw invalid(word);
}
const isOption = (command: Form, word: string): boolean => command.options.some((option) => option.name === word);

function check(command: Form, given: ReadonlyMap<string, string | undefined>): void {
  for (const spec of command.options) {
    if (!given.has(spec.name)) {
      if (spec.required) throw missing(spec.name);
      continue;
    }
    if (spec.refused !== undefined) throw notSupported(`The parameter ${spec.name}`, spec.refused);
    const value = given.get(spec.name);
    if (spec.argument === null || value === undefined) continue;
    if (value === "" && !spec.argumentOptional) throw missing(spec.name);
    if (spec.refusedValues && Object.hasOwn(spec.refusedValues, value)) throw notSupported(`The value ${value} of the parameter ${spec.name}`, spec.refusedValues[value]!);
    if (spec.values && !spec.values.includes(value)) throw missing(spec.name);
    if (spec.number && !(/^\d{1,9}$/.test(value) && Number(value) >= spec.number.min && Number(value) <= spec.number.max)) throw missing(spec.name);
  }
}

function view(given: ReadonlyMap<string, string | undefined>): Options {
  return {
    has: (name) => given.has(name),
    get: (name) => given.get(name),
    number: (name) => {
      const value = given.get(name);
      return value === undefined ? undefined : Number(value);
    },
  };
}

/** The error for an option that is needed in this combination, or whose value is not possible. */
export const missingParameter = missing;
/** The error for options that exclude each other, or have no meaning together. */
export const invalidParameter = invalid;
