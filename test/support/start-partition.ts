/** A system's process as far as one partition is concerned: starts QEMU by the specification in its first word, lets it run if the second one is `run`, says its pid, and stays. */
import { silentLogger } from "../../src/kit/log.js";
import type { PartitionSpec } from "../../src/system/qemu/contract.js";
import { createProcessFactory } from "../../src/system/qemu/process.js";

const [spec = "", run] = process.argv.slice(2);
const partition = await createProcessFactory({ nativeDir: process.env["OPENLPM_NATIVE"] ?? "", log: silentLogger }).start(JSON.parse(spec) as PartitionSpec);
if (run === "run") await partition.run();
process.stdout.write(`${partition.pid}\n`);
setInterval(() => undefined, 60_000);
