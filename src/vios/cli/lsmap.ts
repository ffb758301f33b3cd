/** `lsmap`: which target devices stand behind which server adapters (hmc-cli 7.2). `lsmapText` is pure; `run.ts` gives it the devices. */
import type { ViosDisk, ViosServerAdapter, ViosTargetDevice } from "../../wire/system-vios.js";
import { npivText, type NpivFacts } from "./npiv.js";
import { chosenFields, columns, CommandFailure, formatOf, joined, lines, parseWords, type Parsed } from "./words.js";

export interface LsmapFacts extends NpivFacts {
  /** `U9009.42A.7800A01` */
  readonly unit: string;
  readonly lparId: number;
  readonly adapters: readonly ViosServerAdapter[];
  readonly targets: readonly (ViosTargetDevice & { readonly disk: ViosDisk | undefined; readonly available: boolean })[];
  readonly sea: readonly { readonly svea: string; readonly slot: number; readonly sea: string; readonly backing: string; readonly available: boolean }[];
}

export const LSMAP_USAGE = "lsmap {-vadapter ServerVirtualAdapter | -plc PhysicalLocationCode | -all}\n             [-type BackingDeviceType ... | -npiv | -vnic | -net]\n             [-dec] [-label] [-cpid ClientPartitionID] [-field FieldName ...] [-fmt Delimiter | -fmt2 Delimiter]";

const ADAPTER_FIELDS = ["svsa", "physloc", "clientid"] as const;
const TARGET_FIELDS = ["vtd", "status", "lun", "backing", "bdphysloc", "mirrored"] as const;
const NET_FIELDS = ["svea", "physloc", "sea", "backing", "status", "bdphysloc"] as const;
type AdapterField = (typeof ADAPTER_FIELDS)[number];
type TargetField = (typeof TARGET_FIELDS)[number];

const ADAPTER_TITLES: Readonly<Record<AdapterField, { readonly title: string; readonly dashes: number }>> = {
  svsa: { title: "SVSA", dashes: 15 },
  physloc: { title: "Physloc", dashes: 44 },
  clientid: { title: "Client Partition ID", dashes: 18 },
};
const TARGET_LABELS: Readonly<Record<TargetField, string>> = { vtd: "VTD", status: "Status", lun: "LUN", backing: "Backing device", bdphysloc: "Physloc", mirrored: "Mirrored" };
const LABEL_COLUMNS = 22;
/** Status when there is no virtual NIC server (hmc-cli 7.2). */
const NO_VNIC_STATUS = 10;
/** What a Virtual I/O Server of this platform has none of, with the statuses of hmc-cli 7.2. */
const ABSENT = [
  { option: "-ams", says: "There are no paging devices on this Virtual I/O Server.", status: 69 },
  { option: "-suspend", says: "There are no suspended virtual server adapters on this Virtual I/O Server.", status: 15 },
  { option: "-clustername", says: "This Virtual I/O Server belongs to no cluster.", status: 1 },
] as const;

/** `9009-42A*7800A01` to `U9009.42A.7800A01`. */
export const unitCode = (mtms: string): string => `U${mtms.replace("-", ".").replace("*", ".")}`;
export const physloc = (facts: Pick<LsmapFacts, "unit" | "lparId">, slot: number): string => `${facts.unit}-V${facts.lparId}-C${slot}`;

/** The LUN that a client sees: the first device of an adapter is 0x81, the next 0x82. */
export const clientLun = (index: number): string => `0x${(0x81 + index).toString(16)}00000000000000`;

/** A disk's place: the SAN's target and the LUN's number there, as AIX writes it. */
export function diskPhysloc(unit: string, disk: ViosDisk): string {
  const naa = /^naa\.([0-9a-fA-F]+)$/.exec(disk.target)?.[1];
  const lun = disk.lunNumber === 0 ? "0" : `${disk.lunNumber.toString(16).toUpperCase()}000000000000`;
  return `${unit}-P1-C1-T1-W${naa?.toUpperCase() ?? disk.portal.replace(/:\d+$/, "")}-L${lun}`;
}

/** Output of `lsmap` with these words. @throws CommandFailure */
export function lsmapText(words: readonly string[], facts: LsmapFacts): string {
  const parsed = parseWords(words, { flags: ["-all", "-npiv", "-net", "-vnic", "-ams", "-suspend", "-dec", "-label"], values: ["-vadapter", "-plc", "-vtd", "-clustername", "-cpid", "-fmt", "-fmt2"], lists: ["-field", "-type"], usage: LSMAP_USAGE });
  const absent = ABSENT.find(({ option }) => parsed.has(option));
  if (absent) throw new CommandFailure(absent.says, absent.status);
  const client = parsed.value("-cpid");
  if (client !== undefined && !/^\d{1,5}$/.test(client)) throw new CommandFailure(`The client partition ID "${client}" is not valid.`);
  if ([parsed.has("-all"), parsed.has("-vadapter"), parsed.has("-plc")].filter(Boolean).length !== 1) throw new CommandFailure(`Required option is missing.\n\nUsage: ${LSMAP_USAGE}`);
  if (parsed.has("-npiv")) return npivText(parsed, facts);
  if (parsed.has("-vnic")) throw new CommandFailure("There are no virtual NIC servers on this Virtual I/O Server.", NO_VNIC_STATUS);
  if (parsed.has("-net")) return netText(parsed, facts);
  const adapters = facts.adapters.filter((adapter) => (client === undefined || adapter.clientLparId === Number(client)) && (parsed.has("-all") || adapter.name === parsed.value("-vadapter") || physloc(facts, adapter.slot) === parsed.value("-plc")));
  if (!parsed.has("-all") && adapters.length === 0) throw new CommandFailure(`Device "${parsed.value("-vadapter") ?? parsed.value("-plc")}" is not a Server Virtual Adapter (SVA).`);
  return scsiText(parsed, facts, adapters);
}

function scsiText(parsed: Parsed, facts: LsmapFacts, adapters: readonly ViosServerAdapter[]): string {
  const chosen = chosenFields([...ADAPTER_FIELDS, ...TARGET_FIELDS], parsed);
  const adapterFields = ADAPTER_FIELDS.filter((field) => chosen.includes(field));
  const targetFields = TARGET_FIELDS.filter((field) => chosen.includes(field));
  const format = formatOf(parsed);
  return adapters
    .map((adapter) => {
      const head = adapterValues(adapter, facts, parsed.has("-dec"));
      const targets = targetsOf(adapter, facts, parsed.list("-type"));
      if (format) return `${joined([...adapterFields.map((field) => head[field]), ...targets.flatMap((target) => targetFields.map((field) => target[field]))], format)}\n`;
      return blockText(adapterFields, head, targetFields, targets);
    })
    .join("");
}

function blockText(adapterFields: readonly AdapterField[], head: Readonly<Record<AdapterField, string>>, targetFields: readonly TargetField[], targets: readonly Readonly<Record<TargetField, string>>[]): string {
  const out: string[] = [];
  if (adapterFields.length > 0) {
    const widths = adapterFields.map((field) => ADAPTER_TITLES[field].dashes + 1);
    out.push(columns(adapterFields.map((field) => ADAPTER_TITLES[field].title), widths), columns(adapterFields.map((field) => "-".repeat(ADAPTER_TITLES[field].dashes)), widths), columns(adapterFields.map((field) => head[field]), widths), "");
  }
  if (targetFields.length === 0) return lines(out);
  if (targets.length === 0) out.push(`${TARGET_LABELS.vtd.padEnd(LABEL_COLUMNS)}NO VIRTUAL TARGET DEVICE FOUND`, "");
  for (const target of targets) out.push(...targetFields.map((field) => `${TARGET_LABELS[field].padEnd(LABEL_COLUMNS)}${target[field]}`.trimEnd()), "");
  return lines(out);
}

function adapterValues(adapter: ViosServerAdapter, facts: LsmapFacts, decimal: boolean): Record<AdapterField, string> {
  const id = adapter.clientLparId ?? 0;
  return { svsa: adapter.name, physloc: physloc(facts, adapter.slot), clientid: decimal ? String(id) : `0x${id.toString(16).padStart(8, "0")}` };
}

function targetsOf(adapter: ViosServerAdapter, facts: LsmapFacts, types: readonly string[] | undefined): Record<TargetField, string>[] {
  if (types && !types.includes("disk")) return [];
  const behind = facts.targets.filter((target) => target.slot === adapter.slot);
  return behind.map((target, index) => ({
    vtd: target.name,
    status: target.available ? "Available" : "Defined",
    lun: clientLun(index),
    backing: target.disk?.name ?? "",
    bdphysloc: target.disk ? diskPhysloc(facts.unit, target.disk) : "",
    mirrored: "false",
  }));
}

function netText(parsed: Parsed, facts: LsmapFacts): string {
  const chosen = chosenFields(NET_FIELDS, parsed);
  const wanted = parsed.value("-vadapter");
  const place = parsed.value("-plc");
  const found = facts.sea.filter((one) => parsed.has("-all") || one.svea === wanted || `${physloc(facts, one.slot)}-T1` === place);
  if (!parsed.has("-all") && found.length === 0) throw new CommandFailure(`Device "${wanted ?? place}" is not a Server Virtual Adapter (SVA).`);
  const format = formatOf(parsed);
  return found
    .map((one) => {
      const values = { svea: one.svea, physloc: `${physloc(facts, one.slot)}-T1`, sea: one.sea, backing: one.backing, status: one.available ? "Available" : "Defined", bdphysloc: "" };
      if (format) return `${joined(chosen.map((field) => values[field]), format)}\n`;
      const row = (label: string, field: (typeof NET_FIELDS)[number]) => (chosen.includes(field) ? [`${label.padEnd(LABEL_COLUMNS)}${values[field]}`.trimEnd()] : []);
      return lines([columns(["SVEA", "Physloc"], [7]), `${"-".repeat(6)} ${"-".repeat(44)}`, columns([values.svea, values.physloc], [7]), "", ...row("SEA", "sea"), ...row("Backing device", "backing"), ...row("Status", "status"), ...row("Physloc", "bdphysloc"), ""]);
    })
    .join("");
}
