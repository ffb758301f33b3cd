/** What the source's side finds about a migration: in its record, its ownership, and the partition's process. */
import type { MigrationRecord, SourceFacts } from "../../model/migration.js";
import type { Ownership } from "../../model/ownership.js";
import type { Hypervisor } from "../contract.js";
import type { PartitionProcess } from "../qemu/contract.js";
import { detailOf, type Records } from "./records.js";

/** `driven` is not known here. */
export async function sourceFacts(hypervisor: Hypervisor, records: Records, id: string): Promise<Omit<SourceFacts, "driven">> {
  const row = records.find(id);
  if (!row || row.record.role !== "source") return { role: "source", state: "none", process: "unknown", alone: false, generation: null, detail: "" };
  const { record } = row;
  const lpar = hypervisor.store.lpar(record.source.lparId);
  const mine = lpar?.migrationId === id ? lpar : undefined;
  const process = mine === undefined ? "none" : await processState(hypervisor.process(record.source.lparId));
  return { role: "source", state: stateOf(record, mine?.ownership.kind), process, alone: row.outcome === "alone", generation: mine && "generation" in mine.ownership ? mine.ownership.generation : null, detail: detailOf(record) };
}

/** The source's state as its record and its ownership say. A row that is gone while the record is open: the clean-up was interrupted at its end. */
function stateOf(record: MigrationRecord, ownership: Ownership["kind"] | undefined): SourceFacts["state"] {
  if (record.endedAt !== null) return record.status === "succeeded" ? "cleaned" : "closed";
  if (ownership === "released") return "released";
  if (ownership !== "owner") return "gone";
  if (record.status === "undoing") return "undoing";
  return record.phase === "prepare" ? "preparing" : "copying";
}

export async function processState(process: PartitionProcess | undefined): Promise<SourceFacts["process"]> {
  const state = process === undefined ? "ended" : await process.state().catch(() => "unknown" as const);
  if (state === "unknown") return "unknown";
  if (state === "ended") return "none";
  return state === "running" ? "running" : "stopped";
}
