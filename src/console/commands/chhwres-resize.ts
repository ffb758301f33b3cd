/** What `chhwres -r mem` and `-r proc` have in common: the call, its time, the partition of -t, and how a part is reported. */
import { OlpmError } from "../../kit/errors.js";
import { ResourceConfig, type LparView } from "../../model/lpar.js";
import type { ConsoleSystem } from "../../wire/console-system.js";
import type { Params, Result } from "../../wire/rpc.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import type { Options } from "./command.js";
import { lparOf } from "./targets.js";

export type Change = Partial<Pick<Params<ConsoleSystem, "lpar.resize">, "memory" | "proc" | "sharing">>;
type Answer = Result<ConsoleSystem, "lpar.resize">;

export const OPERATIONS: Readonly<Record<string, "add" | "remove" | "set">> = { a: "add", r: "remove", s: "set" };
export const SHARING_MODES = ResourceConfig.shape.proc.shape.sharingMode.options;
const WAIT_MINUTES_DEFAULT = 5;
/** Above the operating system's own time: several devices follow each other, and the hypervisor has its part. */
const ANSWER_MS = 120_000;

export function resize(options: Options, context: CommandContext, system: ManagedSystem, lpar: LparView, change: Change): Promise<Answer> {
  const waitMinutes = options.number("-w") ?? WAIT_MINUTES_DEFAULT;
  const request = { lparId: lpar.lparId, memory: null, proc: null, sharing: null, ...change, waitMinutes, force: options.has("--force") };
  return system.client.call("lpar.resize", request, { signal: context.signal, deadlineMs: waitMinutes === 0 ? Infinity : waitMinutes * 120_000 + ANSWER_MS });
}

/** The partition of -t or --tid. @throws OlpmError invalid-argument when it is the same one; as lparOf */
export function resizeTarget(options: Options, context: CommandContext, system: ManagedSystem, from: LparView): LparView {
  const to = lparOf(options, context, system, { name: "-t", id: "--tid" });
  if (to.lparId === from.lparId) throw new OlpmError("invalid-argument", `The partition ${to.definition.name} is both source and target.`);
  return to;
}

export function finished({ refusal }: Answer, options: Options, context: CommandContext): number {
  if (refusal === null) return 0;
  const lines = refusal.split("\n").filter((_, at) => at === 0 || options.number("-d") !== 0);
  context.io.stderr(`${lines.join("\n")}\n`);
  return 1;
}
