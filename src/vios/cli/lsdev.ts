/** `lsdev`: the devices of the Virtual I/O Server and their attributes (hmc-cli 7.4). Pure; `run.ts` makes the list of devices. */
import { chosenFields, columns, CommandFailure, formatOf, joined, lines, parseWords } from "./words.js";

export interface Attribute {
  readonly name: string;
  readonly value: string;
  readonly description: string;
  readonly settable: boolean;
}
export interface Device {
  readonly name: string;
  readonly status: "Available" | "Defined";
  readonly description: string;
  readonly type: "adapter" | "disk" | "vtd" | "pseudo";
  readonly virtual: boolean;
  readonly physloc: string;
  readonly parent: string;
  readonly attributes: readonly Attribute[];
}

export const LSDEV_USAGE = "lsdev [-type DeviceType ...] [-virtual] [-field FieldName ...] [-fmt Delimiter]\n       lsdev {-slots | -vpd}\n       lsdev {-dev DeviceName | -plc PhysicalLocationCode} [-attr [Attribute] | -parent | -vpd]\n             [-field FieldName ...] [-fmt Delimiter]";

const FIELDS = ["name", "status", "description", "physloc", "parent"] as const;
const PLAIN_FIELDS = ["name", "status", "description"] as const;
const WIDTHS: Readonly<Record<(typeof FIELDS)[number], number>> = { name: 17, status: 12, description: 45, physloc: 45, parent: 0 };

/** Output of `lsdev` with these words. @throws CommandFailure */
export function lsdevText(words: readonly string[], devices: readonly Device[]): string {
  const parsed = parseWords(words, { flags: ["-virtual", "-parent", "-vpd", "-slots"], values: ["-dev", "-plc", "-fmt", "-fmt2"], maybe: ["-attr"], lists: ["-field", "-type"], usage: LSDEV_USAGE });
  const name = parsed.value("-dev");
  const place = parsed.value("-plc");
  const named = name === undefined && place === undefined ? undefined : (devices.find((device) => device.name === name || (place !== undefined && device.physloc === place)) ?? unknownDevice("lsdev", name ?? place!));
  if (parsed.has("-attr")) {
    if (!named) throw new CommandFailure(`Required option is missing.\n\nUsage: ${LSDEV_USAGE}`);
    return attributeText(named, parsed.value("-attr"));
  }
  if (parsed.has("-slots")) return slotsText(devices);
  if (parsed.has("-parent") && named) return lines(["parent", "", named.parent]);
  if (parsed.has("-parent")) throw new CommandFailure(`Required option is missing.\n\nUsage: ${LSDEV_USAGE}`);
  if (parsed.has("-vpd")) return lines((named ? [named] : devices).map((one) => `  ${one.name.padEnd(16)} ${one.physloc.padEnd(40)} ${one.description}`));
  const types = parsed.list("-type");
  const shown = named ? [named] : devices.filter((device) => (!types || types.includes(device.type)) && (!parsed.has("-virtual") || device.virtual));
  const fields = parsed.has("-field") ? chosenFields(FIELDS, parsed) : PLAIN_FIELDS;
  const format = formatOf(parsed);
  if (format) return lines(shown.map((device) => joined(fields.map((field) => device[field]), format)));
  const widths = fields.map((field) => WIDTHS[field]);
  return lines([columns(fields, widths), ...shown.map((device) => columns(fields.map((field) => device[field]), widths))]);
}

/** Virtual slots that have a device: `lsslot`'s table. */
function slotsText(devices: readonly Device[]): string {
  const rows = devices.flatMap((device) => {
    const slot = device.virtual ? /^(U.*-V\d+-C\d+)/.exec(device.physloc)?.[1] : undefined;
    return slot === undefined ? [] : [columns([slot, "Virtual I/O Slot", device.name], [25, 18])];
  });
  return lines([columns(["# Slot", "Description", "Device(s)"], [25, 18]), ...rows]);
}

function attributeText(device: Device, wanted: string | undefined): string {
  if (wanted !== undefined) {
    const found = device.attributes.find((attribute) => attribute.name === wanted);
    if (!found) throw new CommandFailure(`lsdev: 0514-528 The "${wanted}" attribute does not exist in the predefined\n\tdevice configuration database.`);
    return lines(["value", "", found.value]);
  }
  const head = ["attribute", "value", "description", "user_settable"];
  const rows = device.attributes.map((attribute) => [attribute.name, attribute.value, attribute.description, attribute.settable ? "True" : "False"]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)) + 1);
  return lines([columns(head, widths), "", ...rows.map((row) => columns(row, widths))]);
}

/** The words of AIX for a device that is not there. */
export function unknownDevice(command: string, name: string): never {
  throw new CommandFailure(`${command}: 0514-519 The following device was not found in the customized\n\tdevice configuration database:\n\t${name}`);
}
