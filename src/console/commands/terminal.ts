import { OlpmError, toOlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import type { Command } from "./command.js";
import { Typed } from "./typed.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

/** Clients look for it (hmc-cli 5.3). */
const ALREADY_OPEN = "A terminal session is already open for this partition. Only one open session is allowed for a partition. Exiting....";
const QUESTION = " Terminate session? [y/n] ";

/** hmc-cli 5.3. */
export const mkvterm: Command = {
  name: "mkvterm",
  audience: "operator",
  summary: "opens the virtual terminal of a partition",
  synopsis: ["mkvterm -m managed-system {-p partition-name | --id partition-ID}"],
  options: [SYSTEM_OPTION, ...LPAR_OPTIONS],
  details: ["One session at a time; rmvterm closes it from elsewhere. ~. at the beginning of a line, and y to the question that follows, closes it, and so do the end of input, the partition's end and its move to another system.", "Example:\nmkvterm -m ms01 -p db01"],
  run: async (options, context) => {
    const system = systemOf(options, context);
    return session(context, system, lparOf(options, context, system));
  },
};

export const rmvterm: Command = {
  name: "rmvterm",
  audience: "operator",
  summary: "closes the virtual terminal of a partition",
  synopsis: ["rmvterm -m managed-system {-p partition-name | --id partition-ID}"],
  options: [SYSTEM_OPTION, ...LPAR_OPTIONS],
  details: ["It succeeds also when none is open.", "Example:\nrmvterm -m ms01 --id 3"],
  run: async (options, context) => {
    const system = systemOf(options, context);
    await system.client.call("vterm.closeAny", { lparId: lparOf(options, context, system).lparId }, { signal: context.signal });
    return 0;
  },
};

async function session(context: CommandContext, system: ManagedSystem, lpar: LparView): Promise<number> {
  const { io, signal } = context;
  let id: string | undefined;
  let close!: () => void;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const early: { session: string; data: string }[] = [];
  const show = (news: { session: string; data: string }) => {
    if (id === undefined) early.push(news);
    else if (news.session === id) io.stdout(Buffer.from(news.data, "base64"));
  };
  const unwatch = [system.client.on("vterm.data", show), system.client.on("vterm.closed", (news) => news.session === id && close())];
  signal.addEventListener("abort", close, { once: true });
  try {
    io.stdout("\n Open in progress \n\n");
    ({ session: id } = await system.client.call("vterm.open", { lparId: lpar.lparId }, { signal }).catch((thrown: unknown) => {
      throw toOlpmError(thrown, "mkvterm").code === "conflict" ? new OlpmError("conflict", ALREADY_OPEN) : thrown;
    }));
    io.stdout(" Open Completed.\n\n");
    for (const news of early) show(news);
    io.setRaw(true);
    const typing = type(context, system, () => id!).then(close, close);
    await Promise.race([closed, typing]);
    return 0;
  } finally {
    io.setRaw(false);
    for (const forget of unwatch) forget();
    signal.removeEventListener("abort", close);
    if (id !== undefined) await system.client.call("vterm.close", { session: id }).catch(() => undefined);
    io.stdout(id === undefined ? "" : "\n Connection has closed \n");
  }
}

/** Sends what is typed until the end of input or the escape. */
async function type(context: CommandContext, system: ManagedSystem, id: () => string): Promise<void> {
  const typed = new Typed();
  for await (const chunk of context.io.input()) {
    const { send, asks, ended } = typed.push(chunk);
    if (send.length > 0) await system.client.call("vterm.write", { session: id(), data: send.toString("base64") }, { signal: context.signal });
    if (asks && !ended) context.io.stdout(`\r\n${QUESTION}`);
    if (ended) return;
  }
}
