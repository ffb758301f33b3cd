/** Row V: virtual storage (lpm-process 4.9). Pure. */
import { planFc } from "../fibre-channel.js";
import { here, nameOf, noConnection, there, type Case, type Rule, type Said } from "./rule.js";

const clientsOf = (f: Case) => (f.resources?.scsi ?? []).filter((adapter) => adapter.role === "client");
const servingOf = (f: Case) => f.destination.lpars.filter((lpar) => lpar.definition.environment === "vioserver" && lpar.state === "running");
/** Slots for server adapters begin here, the lower ones are the server's own (system/hypervisor.ts gives them). */
const SERVER_SLOT_MIN = 10;
/** Names that the system makes itself and that may change (lpm-process 5.1). */
const GENERATED_VTD = /^vtscsi\d+$/;

export const STORAGE: readonly Rule[] = [
  { row: "V01", hsc: "HSCLA246", checks: "each Virtual I/O Server that serves the partition is running", severity: "error", kinds: "both", find: (f) => [...new Set([...f.lpar.storage, ...f.lpar.fc].map((mapping) => mapping.viosLparId))].map((id): Said => {
    const vios = f.source.lpars.find((lpar) => lpar.lparId === id);
    return vios?.state !== "running" && [noConnection(vios?.definition.name ?? `with ID ${id}`), `It serves storage of ${nameOf(f)} on ${here(f)} and is ${vios?.state ?? "gone"}; activate it first (chsysstate -r lpar -o on).`];
  }) },
  { row: "V02", hsc: "HSCLA246", checks: "a Virtual I/O Server runs on the destination", severity: "error", kinds: "both", find: (f) => {
    if (f.lpar.storage.length + f.lpar.fc.length === 0 || servingOf(f).length > 0) return undefined;
    const all = f.destination.lpars.filter((lpar) => lpar.definition.environment === "vioserver");
    if (all.length === 0) return [`${there(f)} has no Virtual I/O Server.`, "Define one in the configuration of its managed system."];
    return all.map((vios): Said => [noConnection(vios.definition.name), `It would serve storage of ${nameOf(f)} on ${there(f)} and is ${vios.state}; activate it first (chsysstate -r lpar -o on).`]);
  } },
  { row: "V03", hsc: "OLPM-VV03", checks: "every required client adapter has storage behind it", severity: "error", kinds: "both", find: (f) => clientsOf(f).map((adapter): Said => adapter.required && !f.lpar.storage.some((mapping) => mapping.clientSlot === adapter.slot) && [`The required virtual SCSI adapter in slot ${adapter.slot} has no storage behind it on ${here(f)}.`, "Map a disk to its server adapter, or make it not required."]) },
  { row: "V06", hsc: "HSCLA24E", checks: "a running Virtual I/O Server of the destination sees every LUN of the adapter, by identity, with its size", severity: "error", kinds: "both", find: (f) => servingOf(f).length > 0 && f.storage.impossible.map(({ clientSlot, why, details }): Said => [`The migrating partition's virtual SCSI adapter ${clientSlot} cannot be hosted by the existing virtual I/O server (VIOS) partitions on the destination managed system. To migrate the partition, set up the necessary VIOS hosts on the destination managed system, then try the operation again.`, `Reason: ${why}.`, details]) },
  { row: "V07", hsc: "HSCLA356", checks: "a LUN that is seen is free there: neither mapped to another client nor used twice by this one", severity: "error", kinds: "both", find: (f) => [...hosting(f, (lun) => lun.inUse && lun.visible, (lun) => `LUN ${lun.lun} is in use there: ${lun.detail}`, "Free the LUN on that Virtual I/O Server."), ...servedTwice(f)] },
  { row: "V08", hsc: "HSCLA29A", checks: "no LUN is held by a SCSI reservation (reserve_policy=no_reserve on both sides)", severity: "error", kinds: "both", find: (f) => hosting(f, (lun) => lun.reservedBy != null, (lun) => `LUN ${lun.lun} is reserved by ${lun.reservedBy}`, "Release the reservation (chdev -dev hdiskN -attr reserve_policy=no_reserve on a PowerVM Virtual I/O Server), or find out who holds it.") },
  { row: "V09", hsc: "HSCLA27C", checks: "the source's Virtual I/O Server can describe every LUN that it serves", severity: "error", kinds: "both", find: (f) => f.lpar.storage.map((mapping): Said => {
    const seen = f.sourceLuns?.find((one) => one.viosLparId === mapping.viosLparId && one.lun === mapping.lun);
    const vios = f.source.lpars.find((lpar) => lpar.lparId === mapping.viosLparId)?.definition.name ?? String(mapping.viosLparId);
    return seen !== undefined && !seen.visible && [`The operation to get the physical device location for adapter ${mapping.viosSlot} on the virtual I/O server partition ${vios} has failed.`, `It does not see LUN ${mapping.lun} of target device ${mapping.vtd} any more (${seen.detail}); repair its connection to the SAN first.`];
  }) },
  { row: "V10", hsc: "HSCLA340", checks: "adapters that were on different servers go to different ones, those of one server to one", severity: "error", kinds: "both", demoted: { by: "--mpio 2; for adapters that come together also --redundantvios 0 or 2, unless --redundantvios 1 is given", when: pathsMayGo }, find: (f) => {
    const { merged, split } = f.storage;
    if (merged.length + split.length === 0 || f.storage.impossible.length + f.storage.refused.length > 0) return undefined;
    const what = [...merged.map((one) => `adapters of ${one.before.join(" and ")} would be served by ${one.after} alone`), ...split.map((one) => `adapters of ${one.before} would be served by ${one.after.join(" and ")}`)].join("; ");
    return ["The management console may not be able to replicate the source multipath I/O configuration for the migrating partition's virtual I/O adapters on the destination. This means one or both of the following: (1) Client adapters that are assigned to different source VIOS hosts may be assigned to a single VIOS host on the destination; (2) Client adapters that are assigned to a single source VIOS host may be assigned to different VIOS hosts on the destination. To review the complete list of management console chosen mappings, issue the command to list the virtual I/O mappings for the migrating partition.", `Here: ${what} on ${there(f)}. Activate or zone a second Virtual I/O Server there, choose with virtual_scsi_mappings, or go on with less redundancy with --mpio 2.`];
  } },
  { row: "V11", hsc: "OLPM-VV11", checks: "the chosen servers have virtual slots left for the new adapters", severity: "error", kinds: "both", find: (f) => servingOf(f).map((vios): Said => {
    const needed = new Set([...f.storage.suggested, ...planFc(f).suggested].filter((one) => one.viosLparId === vios.lparId).map((one) => one.clientSlot)).size;
    const { current } = vios.definition;
    if (!current || needed === 0) return undefined;
    const used = new Set([...current.scsi, ...current.fc, ...current.ethernet].map((adapter) => adapter.slot as number).filter((slot) => slot >= SERVER_SLOT_MIN)).size;
    const left = Math.max(0, current.maxVirtualSlots - SERVER_SLOT_MIN - used);
    return needed > left && [`${vios.definition.name} on ${there(f)} has ${left} free virtual slots; ${needed} are needed.`, "Raise max_virtual_slots in its profile and activate it again, or take unused adapters away."];
  }) },
  { row: "V12", hsc: "OLPM-VV12", checks: "the mappings that were asked for are possible, slot included", severity: "error", kinds: "both", find: (f) => [
    ...[...f.storage.refused.map((one) => ({ ...one, of: "SCSI" })), ...planFc(f).refused.map((one) => ({ ...one, of: "Fibre Channel" }))].map(({ clientSlot, why, of }): Said => [`The virtual ${of} mapping of slot ${clientSlot} can not be honoured: ${why}.`, "lslparmigr -r virtualio shows the possible mappings."]),
    ...[...f.storage.suggested.map((one) => ({ ...one, of: "SCSI" })), ...planFc(f).suggested.map((one) => ({ ...one, of: "Fibre Channel", viosSlot: f.wanted.fc.find((want) => want.clientSlot === one.clientSlot)?.viosSlot ?? null }))].map(({ clientSlot, viosLparId, viosName, viosSlot, of }): Said => {
      const taken = viosSlot !== null && f.destination.lpars.find((lpar) => lpar.lparId === viosLparId)?.definition.current;
      if (!taken) return undefined;
      if ([...taken.scsi, ...taken.fc, ...taken.ethernet].some((adapter) => adapter.slot === viosSlot) || viosSlot! < 2) return [`The virtual ${of} mapping of slot ${clientSlot} can not be honoured: slot ${viosSlot} of ${viosName} is in use.`, "Name a free slot, or leave it to the console."];
      return viosSlot! >= taken.maxVirtualSlots && [`The virtual ${of} mapping of slot ${clientSlot} can not be honoured: slot ${viosSlot} is not below the maximum of ${viosName}, ${taken.maxVirtualSlots}.`, "Name a lower slot, or leave it to the console."];
    }),
  ] },
  { row: "V16", hsc: "HSCLA319", checks: "a port of a running Virtual I/O Server of the destination shows every LUN of the virtual Fibre Channel adapter to the WWPN that would log in there", severity: "error", kinds: "both", find: (f) => servingOf(f).length > 0 && planFc(f).impossible.map(({ clientSlot, why }): Said => [`The migrating partition's virtual fibre channel client adapter ${clientSlot} cannot be hosted by the existing Virtual I/O Server (VIOS) partitions on the destination managed system. To migrate the partition, set up the necessary VIOS host on the destination managed system, then try the operation again.`, `Zone both WWPNs of the adapter and mask its LUNs to both. Reason: ${why}.`]) },
  { row: "V20", hsc: "OLPM-VV20", checks: "no other partition has a WWPN of the pairs, and none is logged in on the destination", severity: "error", kinds: "both", find: (f) => (f.resources?.fc ?? []).flatMap((adapter) => adapter.wwpns ?? []).map((wwpn): Said => {
    const holder = [...f.destination.lpars, ...f.source.lpars].find((lpar) => lpar.definition.uuid !== f.lpar.definition.uuid && (lpar.definition.current?.fc.some((one) => one.wwpns?.includes(wwpn)) || lpar.fc.some((one) => one.wwpn === wwpn)));
    return holder && [`The WWPN ${wwpn} of ${nameOf(f)} belongs to partition ${holder.definition.name} as well.`, "Give one of the two another pair: to the SAN they are one."];
  }) },
  { row: "V15", hsc: "OLPM-VV15", checks: "user-defined names of virtual target devices are free on the chosen servers", severity: "warning", kinds: "both", find: (f) => f.lpar.storage.map((mapping): Said => {
    const to = f.storage.suggested.find((one) => one.clientSlot === mapping.clientSlot);
    const taken = to && !GENERATED_VTD.test(mapping.vtd) && f.destination.lpars.some((lpar) => lpar.storage.some((one) => one.viosLparId === to.viosLparId && one.vtd === mapping.vtd));
    return taken && [`The name ${mapping.vtd} of a virtual target device is taken on ${to.viosName} of ${there(f)}; the device gets a generated name there.`, "Rename one of the two if the name matters."];
  }) },
];

/** Servers that see a LUN of an adapter which nobody can serve, and will not, with the reason. V06 says that nobody can. */
function hosting(f: Case, which: (lun: NonNullable<Case["luns"]>[number]) => boolean, detail: (lun: NonNullable<Case["luns"]>[number]) => string, action: string): Said[] {
  const lost = new Set(f.storage.impossible.map((one) => one.clientSlot));
  return f.lpar.storage
    .filter((mapping) => lost.has(mapping.clientSlot))
    .flatMap((mapping) =>
      servingOf(f).map((vios): Said => {
        const seen = f.luns?.find((one) => one.viosLparId === vios.lparId && one.lun === mapping.lun);
        return seen !== undefined && which(seen) && [`The RMC command issued to partition ${vios.definition.name} failed. This means that destination VIOS partition ${vios.definition.name} cannot host the virtual adapter ${mapping.clientSlot} on the migrating partition.`, action, [detail(seen)]];
      }),
    );
}

/** One LUN that two adapters reach would be served twice by one server, which no server does. */
function servedTwice(f: Case): Said[] {
  const serverOf = (clientSlot: number) => f.storage.suggested.find((one) => one.clientSlot === clientSlot);
  return f.lpar.storage.flatMap((mapping, at) => {
    const other = f.lpar.storage.slice(0, at).find((one) => one.lun === mapping.lun && serverOf(one.clientSlot) !== undefined && serverOf(one.clientSlot)?.viosLparId === serverOf(mapping.clientSlot)?.viosLparId);
    return other ? [[`LUN ${mapping.lun} is reached by the adapters in slots ${other.clientSlot} and ${mapping.clientSlot}; ${serverOf(mapping.clientSlot)?.viosName} on ${there(f)} can not serve it twice.`, "Give the adapters to two Virtual I/O Servers of the destination."] as const] : [];
  });
}

function pathsMayGo(f: Case): boolean {
  const { mpio, redundantVios } = f.wanted.levels;
  if (f.storage.merged.length > 0 && redundantVios === 1) return false;
  return mpio === 2 || (f.storage.split.length === 0 && (redundantVios === 0 || redundantVios === 2));
}
