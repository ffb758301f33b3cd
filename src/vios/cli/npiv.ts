/** Virtual Fibre Channel on the VIOS command line: `lsmap -npiv`, `lsnports`, `vfcmap` (hmc-cli 7.2, 7.4). The texts are pure. */
import type { ViosFcAdapter } from "../../wire/system-vios.js";
import type { FcPort } from "../storage/ports.js";
import { PORT_ADAPTERS_MAX } from "../storage/ports.js";
import type { Vios } from "../vios.js";
import { unknownDevice } from "./lsdev.js";
import { chosenFields, columns, CommandFailure, formatOf, joined, lines, parseWords, type Parsed } from "./words.js";

export const LSNPORTS_USAGE = "lsnports [-field FieldName ...] [-fmt Delimiter | -fmt2 Delimiter]";
export const VFCMAP_USAGE = "vfcmap -vadapter VirtualServerAdapter -fcp [FCPName]";

export interface NpivFacts {
  readonly unit: string;
  readonly lparId: number;
  /** `ports`: of the SAN, that the adapter is logged in to */
  readonly fc: readonly (ViosFcAdapter & { readonly ports: number })[];
}

const FIELDS = ["name", "physloc", "clntid", "clntname", "clntos", "status", "fc", "fcphysloc", "ports", "flags", "vfcclient", "vfcclientdrc"] as const;
type Field = (typeof FIELDS)[number];
/** Status when there is no virtual Fibre Channel adapter at all (hmc-cli 7.2). */
const NOTHING_STATUS = 10;
/** World wide port names that a port takes, as a physical one does. */
const PORT_WWPNS_MAX = 2048;
const HEADS = [["name", "Name", 13], ["physloc", "Physloc", 34], ["clntid", "ClntID", 6], ["clntname", "ClntName", 14], ["clntos", "ClntOS", 7]] as const;
const LEFT_COLUMNS = 32;

export const portPhysloc = (unit: string, port: string): string => `${unit}-P1-C1-T${Number(port.slice("fcs".length)) + 1}`;

/** Output of `lsmap -npiv`. @throws CommandFailure, with status 10 when there is nothing */
export function npivText(parsed: Parsed, facts: NpivFacts): string {
  const chosen = chosenFields(FIELDS, parsed);
  const wanted = parsed.value("-vadapter") ?? parsed.value("-plc");
  const place = (slot: number) => `${facts.unit}-V${facts.lparId}-C${slot}`;
  const found = facts.fc.filter((one) => parsed.has("-all") || one.name === wanted || place(one.slot) === wanted);
  if (found.length === 0) throw new CommandFailure(parsed.has("-all") ? "There are no virtual fibre channel adapters on this Virtual I/O Server." : `Device "${wanted}" is not a virtual fibre channel adapter.`, NOTHING_STATUS);
  const format = formatOf(parsed);
  return found
    .map((one) => {
      const flags = flagsOf(one);
      const values: Record<Field, string> = {
        name: one.name,
        physloc: place(one.slot),
        clntid: one.clientLparId === null ? "" : String(one.clientLparId),
        clntname: one.clientName ?? "",
        // What the client's operating system is, and what it calls the adapter, is not said to a Virtual I/O Server here.
        clntos: "",
        status: one.wwpn === null ? "NOT_LOGGED_IN" : "LOGGED_IN",
        fc: one.port ?? "",
        fcphysloc: one.port === null ? "" : portPhysloc(facts.unit, one.port),
        ports: String(one.ports),
        flags: flags.hex,
        vfcclient: "",
        vfcclientdrc: one.wwpn === null || one.clientLparId === null || one.clientSlot === null ? "" : `${facts.unit}-V${one.clientLparId}-C${one.clientSlot}`,
      };
      return format ? `${joined(chosen.map((field) => values[field]), format)}\n` : blockText(chosen, { ...values, flags: `${flags.hex}<${flags.names}>` });
    })
    .join("");
}

/** The states that the reference has: logged in, mapped only, not even mapped. */
function flagsOf(one: ViosFcAdapter): { readonly hex: string; readonly names: string } {
  if (one.wwpn !== null) return { hex: "a", names: "LOGGED_IN,STRIP_MERGE" };
  return one.port === null ? { hex: "1", names: "NOT_MAPPED,NOT_CONNECTED" } : { hex: "4", names: "NOT_LOGGED" };
}

function blockText(chosen: readonly Field[], values: Readonly<Record<Field, string>>): string {
  const heads = HEADS.filter(([field]) => chosen.includes(field));
  const widths = heads.map(([, , width]) => width + 1);
  const row = heads.map(([field, , width]) => (field === "clntid" ? values[field].padStart(width) : values[field]));
  const out = heads.length === 0 ? [] : [columns(heads.map(([, title]) => title), widths), columns(heads.map(([, , width]) => "-".repeat(width)), widths), columns(row, widths), ""];
  const has = (field: Field) => chosen.includes(field);
  const two = (left: Field, leftTitle: string, right: Field, rightTitle: string) => {
    const words = [has(left) ? `${leftTitle}:${values[left]}` : "", has(right) ? `${rightTitle}:${values[right]}` : ""];
    if (has(left) || has(right)) out.push(`${has(left) ? words[0]!.padEnd(LEFT_COLUMNS) : ""}${words[1]}`.trimEnd());
  };
  if (has("status")) out.push(`Status:${values.status}`);
  two("fc", "FC name", "fcphysloc", "FC loc code");
  if (has("ports")) out.push(`Ports logged in:${values.ports}`);
  if (has("flags")) out.push(`Flags:${values.flags}`);
  two("vfcclient", "VFC client name", "vfcclientdrc", "VFC client DRC");
  return lines([...out, ""]);
}

const PORT_FIELDS = ["name", "physloc", "fabric", "tports", "aports", "swwpns", "awwpns"] as const;
const PORT_WIDTHS: Readonly<Record<(typeof PORT_FIELDS)[number], number>> = { name: 17, physloc: 36, fabric: 7, tports: 7, aports: 7, swwpns: 7, awwpns: 7 };

/** Output of `lsnports`. A port's adapters take two names each. @throws CommandFailure, with status 10 when there is none */
export function lsnportsText(words: readonly string[], unit: string, ports: readonly FcPort[]): string {
  const parsed = parseWords(words, { values: ["-fmt", "-fmt2"], lists: ["-field"], usage: LSNPORTS_USAGE });
  const chosen = chosenFields(PORT_FIELDS, parsed);
  if (ports.length === 0) throw new CommandFailure("There are no ports that support N_Port ID Virtualization on this Virtual I/O Server.", NOTHING_STATUS);
  const rows = ports.map((port) => {
    const used = PORT_ADAPTERS_MAX - port.available;
    return { name: port.name, physloc: portPhysloc(unit, port.name), fabric: "1", tports: String(PORT_ADAPTERS_MAX), aports: String(port.available), swwpns: String(PORT_WWPNS_MAX), awwpns: String(PORT_WWPNS_MAX - 2 * used) };
  });
  const format = formatOf(parsed);
  if (format) return lines(rows.map((row) => joined(chosen.map((field) => row[field]), format)));
  const widths = chosen.map((field) => PORT_WIDTHS[field]);
  return lines([columns([...chosen], widths), ...rows.map((row) => columns(chosen.map((field) => row[field]), widths))]);
}

/** Maps a virtual Fibre Channel adapter to a port, or to none. Prints nothing. @throws CommandFailure; OlpmError of `FibreChannel.map` */
export async function vfcmap(vios: Vios, words: readonly string[]): Promise<string> {
  const parsed = parseWords(words, { values: ["-vadapter"], maybe: ["-fcp"], usage: VFCMAP_USAGE });
  const vadapter = parsed.value("-vadapter");
  if (vadapter === undefined || !parsed.has("-fcp")) throw new CommandFailure(`Required option is missing.\n\nUsage: ${VFCMAP_USAGE}`);
  const adapter = vios.table.fc(vadapter) ?? unknownDevice("vfcmap", vadapter);
  const port = parsed.value("-fcp") || null;
  if (port !== null && !vios.fibreChannel.ports().some((one) => one.name === port)) unknownDevice("vfcmap", port);
  await vios.fibreChannel.map(adapter.name, port);
  return "";
}
