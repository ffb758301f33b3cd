/**
 * What one HMC command is: a name, its options as a table, its help, and what it does. The doors hand over a split command line; run.ts parses it by
 * the table and calls `run`. A new command is one file and one line in index.ts; a new option is one line in its table.
 */
import type { CommandContext } from "../contract.js";
import type { Audience } from "../users/roles.js";
import type { AttributeTable } from "../grammar/attribute-table.js";
import type { Options, OptionSpec } from "../grammar/options.js";

export type { Options, OptionSpec };

export interface Command {
  readonly name: string;
  /** who may run it; everyone for a name that begins with ls, administrators otherwise */
  readonly audience?: Audience;
  /** one line for `help` */
  readonly summary: string;
  /** synopsis lines, each one form */
  readonly synopsis: readonly string[];
  readonly options: readonly OptionSpec[];
  /** paragraphs below the options: examples, notes, exit status */
  readonly details?: readonly string[];
  /** attributes that it prints or takes in records, for its help and docs/hmc-compatibility.md */
  readonly attributes?: readonly AttributeTable[];
  /** where it is not 0 and 1 */
  readonly exitStatus?: string;
  /** words that are no options; most commands take none */
  readonly operands?: boolean;
  /** Gives the exit status. @throws OlpmError: its line goes to standard error, the status is 1 */
  run(options: Options, context: CommandContext, operands: readonly string[]): Promise<number>;
}
