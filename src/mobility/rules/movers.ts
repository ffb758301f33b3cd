/** Row X, and G13: mover service partitions (lpm-process 4.11, 6). Pure. */
import { isWanted, limitOf, moversOf, requiresSecond } from "../movers.js";
import { there, type Case, type Rule, type Said } from "./rule.js";

export const MOVERS: readonly Rule[] = [
  { row: "G13", hsc: "OLPM-VG13", checks: "a mover on each side is below its limit of migrations", severity: "error", kinds: "active", find: (f) => [busyMovers(f, "source"), busyMovers(f, "destination")] },
  { row: "X01", hsc: "OLPM-VX01", checks: "a running mover (the one asked for) on the source", severity: "error", kinds: "active", find: (f) => missingMover(f, "source") },
  { row: "X02", hsc: "OLPM-VX02", checks: "a running mover (the one asked for) on the destination", severity: "error", kinds: "active", find: (f) => missingMover(f, "destination") },
  { row: "X03", hsc: "OLPM-VX03", checks: "the two movers reach each other, tried over a real connection", severity: "error", kinds: "active", find: (f) => f.movers !== null && !f.movers.reachable && [`The mover service partitions can not reach each other: ${f.movers.detail}.`, "Check the network between them, and their addresses."] },
  { row: "X04", hsc: "OLPM-VX04", checks: "the addresses that were asked for are the movers'", severity: "error", kinds: "active", find: (f) => [wrongAddress(f, "source"), wrongAddress(f, "destination")] },
  { row: "X06", hsc: "OLPM-VX06", checks: "`--redundantmsps 1`, or `redundant_msps`: two pairs of movers that have none in common reach each other, tried over real connections", severity: "error", kinds: "active", find: missingSecond },
];

const wantedOf = (f: Case, side: "source" | "destination") => (side === "source" ? f.wanted.sourceMsp : f.wanted.destMsp);

function missingMover(f: Case, side: "source" | "destination"): Said {
  const system = f[side];
  const movers = moversOf(system.lpars);
  if (movers.length === 0) return [`${system.view.name} has no running mover service partition.`, "Activate a Virtual I/O Server with the attribute msp=1."];
  const wanted = wantedOf(f, side);
  return !movers.some((lpar) => isWanted(lpar, wanted)) && [`${wanted?.name ?? (wanted?.id === undefined ? `The address ${wanted?.address}` : `The partition with ID ${wanted.id}`)} is no running mover service partition on ${system.view.name}.`, "lslparmigr -r msp shows the movers."];
}

function missingSecond(f: Case): Said {
  if (!requiresSecond(f.wanted) || !f.movers?.reachable || f.movers.second) return false;
  const why = f.movers.secondDetail ?? "on each system it takes two running mover service partitions that are below their limit";
  return [`A second pair of movers can not be used for a migration to ${there(f)}: ${why}.`, "lslparmigr -r msp shows the movers. With --redundantmsps 2 the migration goes without a second pair."];
}

/** Movers that would do, all of them at their limit. */
function busyMovers(f: Case, side: "source" | "destination"): Said {
  const system = f[side];
  const movers = moversOf(system.lpars).filter((lpar) => isWanted(lpar, wantedOf(f, side)));
  const busy = movers.flatMap((lpar) => {
    const limit = limitOf(system, lpar.lparId);
    return limit && limit.inProgress >= limit.max ? [`${lpar.definition.name} carries ${limit.inProgress} of at most ${limit.max}`] : [];
  });
  return movers.length > 0 && busy.length === movers.length && [`Every mover service partition of ${system.view.name} that could be used is at its limit of concurrent migrations: ${busy.join(", ")}.`, "Wait until one ends, or raise the limit with migrlpar -o set -r lpar."];
}

function wrongAddress(f: Case, side: "source" | "destination"): Said {
  const wanted = wantedOf(f, side);
  if (wanted?.address === undefined || (wanted.id === undefined && wanted.name === undefined)) return undefined;
  const mover = moversOf(f[side].lpars).find((lpar) => isWanted(lpar, { ...wanted, address: undefined }));
  const has = mover?.runtime.vios?.mspAddress;
  return mover !== undefined && has !== wanted.address && [`${mover.definition.name} on ${f[side].view.name} has not the address ${wanted.address}; its address is ${has}.`, "lslparmigr -r msp shows the movers' addresses."];
}
