import { OlpmError } from "../../kit/errors.js";
import type { CommandContext } from "../contract.js";
import { missingParameter } from "../grammar/options.js";

const LINE_BYTES_MAX = 1024;

/** Asks for a password without echo, or reads one line where there is no terminal. @throws OlpmError invalid-argument when none is given; aborted by ^C */
export async function askPassword(prompt: string, context: CommandContext): Promise<string> {
  const { io } = context;
  io.setRaw(true);
  if (io.tty) io.stdout(prompt);
  try {
    let line = "";
    for await (const chunk of io.input()) {
      for (const char of chunk.toString("latin1")) {
        if (char === "\r" || char === "\n") return line;
        if (char === "\x03") throw new OlpmError("aborted", "No password was entered.");
        line = char === "\x7f" || char === "\b" ? line.slice(0, -1) : line + char;
      }
      if (line.length > LINE_BYTES_MAX) break;
    }
    if (line === "" || line.length > LINE_BYTES_MAX) throw missingParameter("--passwd");
    return line;
  } finally {
    io.setRaw(false);
    if (io.tty) io.stdout("\n");
  }
}
