/** `lspv` and `chkdev`: the physical volumes that the SAN shows (hmc-cli 7.3). Pure. */
import { bytesToMb } from "../../model/units.js";
import type { LunId } from "../../model/ids.js";
import type { ViosDisk, ViosTargetDevice } from "../../wire/system-vios.js";
import { chosenFields, columns, CommandFailure, formatOf, joined, lines, parseWords } from "./words.js";

export interface LspvFacts {
  readonly disks: readonly ViosDisk[];
  readonly targets: readonly Pick<ViosTargetDevice, "lun" | "name">[];
}

export const LSPV_USAGE = "lspv [-avail | -free [-include Type ...] | -size] [-field FieldName ...] [-fmt Delimiter] [PhysicalVolume]\n       lspv [-map | -lv | -pv | -size] PhysicalVolume";
export const CHKDEV_USAGE = "chkdev [-dev DeviceName] [-field FieldName ...] [-fmt Delimiter]";

const PLAIN = ["pvname", "pvid", "vgname", "pvstate"] as const;
const SIZED = ["pvname", "pvid", "size"] as const;
type Field = (typeof PLAIN)[number] | (typeof SIZED)[number];
const TITLES: Readonly<Record<Field, string>> = { pvname: "NAME", pvid: "PVID", vgname: "VG", pvstate: "STATUS", size: "SIZE(megabytes)" };
const WIDTHS: Readonly<Record<Field, number>> = { pvname: 17, pvid: 37, vgname: 17, pvstate: 0, size: 0 };

/** A LUN that is served to partitions has no identifier written by us and belongs to no volume group. */
const valuesOf = (disk: ViosDisk): Record<Field, string> => ({ pvname: disk.name, pvid: "none", vgname: "None", pvstate: "", size: String(bytesToMb(disk.bytes)) });

/** Output of `lspv` with these words. @throws CommandFailure */
export function lspvText(words: readonly string[], facts: LspvFacts): string {
  const parsed = parseWords(words, { flags: ["-avail", "-free", "-size", "-map", "-lv", "-pv"], values: ["-fmt", "-fmt2"], lists: ["-field", "-include"], operandsMax: 1, usage: LSPV_USAGE });
  const visible = facts.disks.filter((disk) => disk.state === "available");
  const one = parsed.operands[0];
  if (one !== undefined) {
    const disk = visible.find((candidate) => candidate.name === one);
    if (!disk) throw new CommandFailure(`0516-024 lspv: The physical volume ${one} was not found in the system database.`);
    if (parsed.has("-size")) return `${bytesToMb(disk.bytes)}\n`;
    throw new CommandFailure(`0516-320 : Physical volume ${one} is not assigned to\n\ta volume group.`);
  }
  if (["-map", "-lv", "-pv"].some((option) => parsed.has(option))) throw new CommandFailure(`Required parameter is missing.\n\nUsage: ${LSPV_USAGE}`);
  const used = new Set(facts.targets.map((target) => target.lun));
  const disks = parsed.has("-free") ? visible.filter((disk) => !used.has(disk.lun)) : visible;
  const all: readonly Field[] = parsed.has("-size") || parsed.has("-free") || parsed.has("-avail") ? SIZED : PLAIN;
  const fields = chosenFields(all, parsed);
  const format = formatOf(parsed);
  if (format) return lines(disks.map((disk) => joined(fields.map((field) => valuesOf(disk)[field]), format)));
  const widths = fields.map((field) => WIDTHS[field]);
  return lines([columns(fields.map((field) => TITLES[field]), widths), ...disks.map((disk) => columns(fields.map((field) => valuesOf(disk)[field]), widths))]);
}

/** Unique device identifier in the form of AIX: a type, the SCSI identity, the transport. */
export const deviceIdentifier = (lun: LunId): string => `33213${lun.replace(/^[^.]*\./, "").toUpperCase()}iscsi`;

const CHECKED = ["name", "identifier", "phys2virt_capable", "virt2npiv_capable", "virt2phys_capable", "pvid", "udid", "uuid", "vtd"] as const;

/** Output of `chkdev` with these words. @throws CommandFailure */
export function chkdevText(words: readonly string[], facts: LspvFacts): string {
  const parsed = parseWords(words, { flags: ["-verbose"], values: ["-dev", "-fmt", "-fmt2"], lists: ["-field"], usage: CHKDEV_USAGE });
  const wanted = parsed.value("-dev");
  const disks = facts.disks.filter((disk) => wanted === undefined || disk.name === wanted);
  if (wanted !== undefined && disks.length === 0) throw new CommandFailure(`Device "${wanted}" is not found.`);
  const fields = chosenFields(CHECKED, parsed);
  const format = formatOf(parsed);
  return disks
    .map((disk) => {
      const vtd = facts.targets.filter((target) => target.lun === disk.lun).map((target) => target.name).join(" ");
      const values = { name: disk.name, identifier: deviceIdentifier(disk.lun), phys2virt_capable: "YES", virt2npiv_capable: "NA", virt2phys_capable: "NA", pvid: "", udid: deviceIdentifier(disk.lun), uuid: "", vtd };
      if (format) return `${joined(fields.map((field) => values[field]), format)}\n`;
      return lines([...fields.map((field) => `${`${field.toUpperCase()}:`.padEnd(21)}${values[field]}`.trimEnd()), ""]);
    })
    .join("");
}
