/** A worker process of the simulation: ranges of seeds in, summaries out. It ends with its parent. */
import { runSeeds, type SeedRange } from "./seeds.js";

process.on("message", (range: SeedRange) => void runSeeds(range).then((summary) => process.send?.(summary)));
process.on("disconnect", () => process.exit(0));
