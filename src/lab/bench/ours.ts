/** A partition of the laboratory, moved by the console's commands as an operator would, and measured. */
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../../kit/errors.js";
import { MIGRATION_PHASES, type MigrationRecord } from "../../model/migration.js";
import type { PartitionSpec } from "../../system/qemu/contract.js";
import type { Lab } from "../lab.js";
import type { Operator } from "../operator.js";
import type { LabPartition } from "../partition.js";
import type { Link, Sample } from "./cases.js";
import type { Census } from "./census.js";

/** The run directory of a partition's process, by what lies in it. */
export function runDirOf(lab: Lab, uuid: string): { readonly dir: string; readonly spec: PartitionSpec } {
  for (const system of lab.systems) {
    for (const entry of fs.readdirSync(system.runDir)) {
      const file = path.join(system.runDir, entry, "spec.json");
      if (!fs.existsSync(file)) continue;
      const spec = JSON.parse(fs.readFileSync(file, "utf8")) as PartitionSpec;
      if (spec.uuid === uuid) return { dir: path.join(system.runDir, entry), spec };
    }
  }
  throw new OlpmError("not-found", `no process of partition ${uuid} runs in the laboratory`);
}

export class Ours {
  readonly #operator: Operator;
  readonly #partition: LabPartition;
  #from: string;
  #to: string;

  constructor(lab: Lab, operator: Operator, partition: LabPartition) {
    const [from, to] = lab.systems.map((system) => system.name);
    this.#operator = operator;
    this.#partition = partition;
    this.#from = from!;
    this.#to = to!;
  }

  /** Moves it to the other system through the movers of the Virtual I/O Servers of this name. */
  async move(options: { readonly way: "sealed" | "direct"; readonly link: Link; readonly vios: string; readonly census: Census }): Promise<Sample> {
    const { census, way, link, vios } = options;
    const line = `migrlpar -o m -m ${this.#from} -t ${this.#to} -p ${this.#partition.name} -i "source_msp_name=${vios},dest_msp_name=${vios}"`;
    const record = await this.#operator.migrate(line);
    const endedAt = Date.now();
    [this.#from, this.#to] = [this.#to, this.#from];
    return sampleOf(record, { way, link, census, endedAt });
  }
}

function sampleOf(record: MigrationRecord, { way, link, census, endedAt }: { readonly way: Sample["way"]; readonly link: Link; readonly census: Census; readonly endedAt: number }): Sample {
  const at = (phase: (typeof MIGRATION_PHASES)[number]): number => {
    const text = record.phaseStartedAt[phase];
    if (text === undefined) throw new OlpmError("internal", `the migration's record has no beginning of ${phase}`);
    return Date.parse(text);
  };
  if (record.way !== way) throw new OlpmError("internal", `the movers went the ${record.way} way, not ${way}`);
  if (record.stoppedMs === null) throw new OlpmError("internal", "the migration's record has no time stopped");
  const marks = MIGRATION_PHASES.flatMap((name) => (record.phaseStartedAt[name] === undefined ? [] : [{ name, at: at(name) }]));
  return {
    way,
    link,
    runsMs: at("confirm") - at("copy"),
    stoppedMs: record.stoppedMs,
    cpuS: census.cpuS(["qemu", "mover"], at("copy"), at("confirm")),
    rounds: record.progress.rounds,
    bytes: record.progress.bytesSent,
    around: {
      validateMs: at("prepare") - at("validate"),
      prepareMs: at("copy") - at("prepare"),
      confirmMs: endedAt - at("confirm"),
      phases: marks.slice(0, -1).map((mark, index) => ({ name: mark.name, ms: marks[index + 1]!.at - mark.at })),
      moverCpuS: census.cpuS(["mover"], at("copy"), at("confirm")),
      servicesCpuS: census.cpuS(["vios", "service"], at("copy"), at("confirm")),
      moverBytes: census.peakBytes("mover"),
      viosBytes: census.peakBytes("vios"),
    },
  };
}
