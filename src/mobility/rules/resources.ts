/** Rows C and M: processors and memory (lpm-process 4.6, 4.7). Pure. */
import { bytesToMb, unitsToText } from "../../model/units.js";
import { here, named, nameOf, there, type Case, type Rule, type Said } from "./rule.js";

const DEFAULT_POOL = { id: 0, name: "DefaultPool" };
const noProcessors = (f: Case): Said => f.fits !== null && !f.fits.processors && [`${there(f)} has not enough free processing resources for partition ${nameOf(f)}. ${f.fits.detail}`, "Free or shrink other partitions there."];

export const RESOURCES: readonly Rule[] = [
  { row: "C01", hsc: "OLPM-VC01", checks: "dedicated: enough free processors", severity: "error", kinds: "both", find: (f) => f.resources?.proc.mode === "ded" && noProcessors(f) },
  { row: "C02", hsc: "OLPM-VC02", checks: "shared: enough free processing units", severity: "error", kinds: "both", find: (f) => f.resources?.proc.mode !== "ded" && noProcessors(f) },
  { row: "C03", hsc: "OLPM-VC03", checks: "the processors fit the destination's limit for a partition, and its least units for each", severity: "error", kinds: "both", find: (f) => {
    const { proc } = f.resources ?? {};
    if (!proc) return undefined;
    const { maxProcsPerLpar, minUnitsPerProc } = f.destination.view.proc;
    if (proc.desiredProcs > maxProcsPerLpar) return [`${named(f)} has ${proc.desiredProcs} processors; ${there(f)} gives a partition at most ${maxProcsPerLpar}.`, "Take processors away first."];
    const least = proc.desiredProcs * minUnitsPerProc;
    return proc.mode === "shared" && proc.desiredUnits < least && [`${named(f)} has ${unitsToText(proc.desiredUnits)} processing units for ${proc.desiredProcs} virtual processors; ${there(f)} wants at least ${unitsToText(least)}.`, "Take virtual processors away, or add processing units."];
  } },
  { row: "C04", hsc: "OLPM-VC04", checks: "the shared processor pool that was asked for is there", severity: "error", kinds: "both", find: (f) => {
    const { procPool } = f.wanted;
    if (procPool === null) return undefined;
    const known = (procPool.id === undefined || procPool.id === DEFAULT_POOL.id) && (procPool.name === undefined || procPool.name === DEFAULT_POOL.name);
    return !known && [`${there(f)} has no shared processor pool ${procPool.name ?? procPool.id}.`, "lslparmigr -r procpool lists the pools; leave the attribute out for the default pool."];
  } },
  { row: "C06", hsc: "OLPM-VC06", checks: "what the partition has lies between its minimum and maximum", severity: "error", kinds: "both", find: (f) => {
    if (!f.resources) return undefined;
    const { memory, proc } = f.resources;
    const outside = (what: string, least: number, now: number, most: number): Said => (now < least || now > most) && [`The ${what} of partition ${nameOf(f)} is not between its minimum and maximum (${least}, ${now}, ${most}).`, "Change its profile or its resources."];
    return [outside("memory", bytesToMb(memory.minBytes), bytesToMb(memory.desiredBytes), bytesToMb(memory.maxBytes)), outside("number of processors", proc.minProcs, proc.desiredProcs, proc.maxProcs), proc.mode === "shared" && outside("number of processing units (hundredths)", proc.minUnits, proc.desiredUnits, proc.maxUnits)];
  } },
  { row: "C09", hsc: "OLPM-VC09", checks: "every virtual slot in use is below the partition's maximum", severity: "error", kinds: "both", find: (f) => {
    const slots = [...(f.resources?.scsi ?? []), ...(f.resources?.ethernet ?? [])].map((adapter) => adapter.slot as number);
    return slots.filter((slot) => slot >= (f.resources?.maxVirtualSlots ?? Infinity)).map((slot): Said => [`The virtual slot ${slot} of partition ${nameOf(f)} is not below its maximum, ${f.resources?.maxVirtualSlots}.`, "Raise max_virtual_slots in its profile."]);
  } },
  { row: "M01", hsc: "OLPM-VM01", checks: "enough free memory", severity: "error", kinds: "both", find: (f) => f.fits !== null && !f.fits.memory && [`${there(f)} has not enough free memory for partition ${nameOf(f)}: ${bytesToMb(f.resources?.memory.desiredBytes ?? 0)} MB are needed, ${bytesToMb(f.destination.view.memory.availableBytes)} MB are available.`, "Shut down or shrink other partitions there."] },
  { row: "M02", hsc: "OLPM-VM02", checks: "the memory is a multiple of the destination's logical memory block", severity: "error", kinds: "both", find: (f) => {
    const [bytes, block] = [f.resources?.memory.desiredBytes ?? 0, f.destination.view.memory.lmbBytes];
    // A different block size is said by S09 alone.
    return block === f.source.view.memory.lmbBytes && bytes % block !== 0 && [`The memory of partition ${nameOf(f)}, ${bytesToMb(bytes)} MB, is no multiple of the memory block of ${there(f)}, ${bytesToMb(block)} MB.`, `Change it to a multiple; ${here(f)} has the same block size.`];
  } },
  { row: "M03", hsc: "OLPM-VM03", checks: "the maximum memory is not above what the destination has", severity: "error", kinds: "both", find: (f) => {
    const [most, has] = [f.resources?.memory.maxBytes ?? 0, f.destination.view.memory.configurableBytes];
    return most > has && [`The maximum memory of partition ${nameOf(f)}, ${bytesToMb(most)} MB, is above the memory of ${there(f)}, ${bytesToMb(has)} MB.`, "Lower max_mem in its profile and activate it again."];
  } },
];
