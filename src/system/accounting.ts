/**
 * What is given out of a managed system's memory and processors, and whether something fits beside it. Pure.
 * Counted: partitions that run here or are reserved for a migration, and those handed over whose process still holds its memory.
 */
import { OlpmError } from "../kit/errors.js";
import type { ResourceConfig } from "../model/lpar.js";
import { bytesToMb, unitsToText } from "../model/units.js";

/** Partitions that one system can have. */
export const LPARS_MAX = 256;

export interface Capacity {
  readonly memoryBytes: number;
  /** hundredths of a processor */
  readonly units: number;
}
export interface Holder {
  readonly resources: ResourceConfig;
}

export const unitsOf = ({ proc }: ResourceConfig): number => (proc.mode === "ded" ? proc.desiredProcs * 100 : proc.desiredUnits);

export function free(capacity: Capacity, holders: readonly Holder[]): Capacity {
  let { memoryBytes, units } = capacity;
  for (const { resources } of holders) {
    memoryBytes -= resources.memory.desiredBytes;
    units -= unitsOf(resources);
  }
  return { memoryBytes, units };
}

/** undefined when it fits. */
export function whyNotFits(wanted: ResourceConfig, available: Capacity): OlpmError | undefined {
  const memory = wanted.memory.desiredBytes;
  if (memory > available.memoryBytes)
    return new OlpmError("insufficient-memory", `There is not enough memory available: ${bytesToMb(memory)} MB are needed, ${Math.max(0, bytesToMb(available.memoryBytes))} MB are available.`, { hsc: "HSCL03EC", action: "Shut down or resize another partition, or ask for less memory." });
  const units = unitsOf(wanted);
  if (units > available.units)
    return new OlpmError("insufficient-processors", `There are not enough processing resources available: ${unitsToText(units)} processing units are needed, ${unitsToText(Math.max(0, available.units))} are available.`, { hsc: "HSCL03EC", action: "Shut down or resize another partition, or ask for fewer processing units." });
  return undefined;
}
