/** `openlpm docs`: writes the tables of docs/ that come from the code. */
import fs from "node:fs";
import path from "node:path";
import { renewed } from "./tables.js";

/** Gives the exit status. */
export async function runDocs(): Promise<number> {
  const folder = path.resolve(import.meta.dirname, "../../../docs");
  for (const name of fs.readdirSync(folder).filter((one) => one.endsWith(".md"))) {
    const file = path.join(folder, name);
    const before = fs.readFileSync(file, "utf8");
    const after = renewed(before);
    if (after === before) continue;
    fs.writeFileSync(file, after);
    process.stdout.write(`${name} is brought up to date\n`);
  }
  return 0;
}
