/** An operator of the laboratory: types HMC command lines at the first console, as a person or a script would, and shows them. */
import { OlpmError } from "../kit/errors.js";
import { until } from "../kit/wait.js";
import { MigrationRecord } from "../model/migration.js";
import { hmcLine } from "../console/hmc-door.js";
import type { Lab } from "./lab.js";

export class Operator {
  readonly #socket: string;
  readonly #say: (text: string) => void;

  constructor(lab: Lab, options: { readonly say?: (text: string) => void; readonly console?: number } = {}) {
    const console = lab.consoles[options.console ?? 0];
    if (!console) throw new OlpmError("invalid-argument", "the laboratory has no console");
    this.#socket = console.hmcSocket;
    this.#say = options.say ?? (() => undefined);
  }

  /** Runs a line and gives status and output, whatever the status. */
  async run(line: string, signal?: AbortSignal): Promise<{ code: number; stdout: string; stderr: string }> {
    return hmcLine(this.#socket, line, signal ? { signal } : {});
  }

  /** Shows and runs a line. @throws OlpmError refused with the console's own words */
  async type(line: string): Promise<string> {
    this.#say(`hscroot@hmc:~> ${line}`);
    const { code, stdout, stderr } = await this.run(line);
    if (stdout !== "") this.#say(stdout.trimEnd());
    if (code !== 0) throw new OlpmError("refused", `\`${line}\` ended with status ${code}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }

  /** Runs a line without showing it. */
  async quiet(line: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(line);
    if (code !== 0) throw new OlpmError("refused", `\`${line}\` ended with status ${code}: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }

  /** Waits until a line prints `wanted`. */
  async until(line: string, wanted: string, deadlineMs: number): Promise<void> {
    await until(async () => ((await this.run(line)).stdout.trim() === wanted ? true : undefined), { what: `\`${line}\` to print ${wanted}`, deadlineMs, everyMs: 250 });
  }

  /** Shows and runs a migration; its progress appears as it goes. Gives the migration's record. */
  async migrate(line: string): Promise<MigrationRecord> {
    this.#say(`hscroot@hmc:~> ${line}`);
    let record: MigrationRecord | undefined;
    let text = "";
    const onOut = (chunk: string) => {
      text += chunk;
      for (let end; (end = text.indexOf("\n")) >= 0; text = text.slice(end + 1)) {
        const one = text.slice(0, end);
        if (!one.startsWith("{")) this.#say(`  ${one}`);
        else {
          const parsed = MigrationRecord.safeParse(JSON.parse(one));
          if (parsed.success) record = parsed.data;
        }
      }
    };
    const { code, stderr } = await hmcLine(this.#socket, `${line} -v --json`, { onStdout: onOut });
    if (code !== 0) throw new OlpmError("migration-failed", `\`${line}\` ended with status ${code}: ${stderr.trim()}`);
    if (!record) throw new OlpmError("internal", "the migration's record was not printed");
    return record;
  }
}
