/**
 * What a person types into a virtual terminal (hmc-cli 5.3): everything goes to the partition but `~.` at the beginning of a line, which asks whether to end the
 * session. A tilde there is held back until the next character shows what it is. Pure.
 *
 *   line start -~-> held -.-> asked -y-> ended        held -other-> the partition gets both        asked -other-> on it goes
 */
export class Typed {
  #state: "start" | "middle" | "held" | "asked" | "ended" = "start";

  /** `send`: for the partition; `asks`: the question was raised; `ended`: it was answered with yes, and what follows is nobody's. */
  push(chunk: Buffer): { readonly send: Buffer; readonly asks: boolean; readonly ended: boolean } {
    let send = "";
    let asks = false;
    for (const char of chunk.toString("latin1")) {
      switch (this.#state) {
        case "ended":
          continue;
        case "asked":
          this.#state = char === "y" || char === "Y" ? "ended" : "start";
          continue;
        case "held":
          if (char === ".") {
            this.#state = "asked";
            asks = true;
            continue;
          }
          send += "~";
          break;
        case "start":
          if (char === "~") {
            this.#state = "held";
            continue;
          }
          break;
        case "middle":
          break;
      }
      send += char;
      this.#state = char === "\r" || char === "\n" ? "start" : "middle";
    }
    return { send: Buffer.from(send, "latin1"), asks, ended: this.#state === "ended" };
  }
}
