/** The mover service partition role of a Virtual I/O Server: present when its configuration has a mover, refused in words when not. */
import { OlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { MoverService } from "../mover/service.js";
import type { MoverState, ViosConfig } from "../wire/system-vios.js";

export class MoverRole {
  readonly #name: string;
  readonly #service: MoverService | undefined;

  constructor(config: ViosConfig, log: Logger, onChange: (state: MoverState) => void) {
    this.#name = config.name;
    if (config.mover === null) return;
    this.#service = new MoverService({ ...config.mover, program: config.moverProgram, self: `vios:${config.systemName}/${config.name}`, runDir: config.runDir, log });
    this.#service.onChange(onChange);
  }

  async start(): Promise<void> {
    await this.#service?.start();
  }

  async close(): Promise<void> {
    await this.#service?.close();
  }

  states(): MoverState[] {
    return this.#service?.states() ?? [];
  }

  /** @throws OlpmError unsupported when this Virtual I/O Server is no mover service partition */
  get service(): MoverService {
    if (!this.#service) throw new OlpmError("unsupported", `the Virtual I/O Server ${this.#name} is not a mover service partition`, { action: "Choose a Virtual I/O Server with the attribute msp=1." });
    return this.#service;
  }
}
