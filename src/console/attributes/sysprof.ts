/** System profiles: what `lssyscfg -r sysprof` prints, and the records of mksyscfg and chsyscfg (hmc-cli 4.9). */
import { OlpmError } from "../../kit/errors.js";
import type { LparId } from "../../model/ids.js";
import type { LparView } from "../../model/lpar.js";
import type { SystemProfile } from "../../model/system.js";
import { invalidValue, type RecordAttribute } from "../grammar/attribute-table.js";
import type { Attribute } from "../grammar/list-output.js";
import { splitList, valueOf, type RecordItem } from "../grammar/record.js";

const orNone = (elements: readonly string[]): string | readonly string[] => (elements.length === 0 ? "none" : elements);

export const SYSTEM_PROFILE_ATTRIBUTES: readonly Attribute<SystemProfile>[] = [
  { name: "name", read: ({ name }) => name },
  { name: "lpar_names", read: ({ members }) => orNone(members.map((one) => one.lparName)) },
  { name: "profile_names", read: ({ members }) => orNone(members.map((one) => one.profile)) },
  { name: "lpar_ids", read: ({ members }) => orNone(members.map((one) => String(one.lparId))), onlyAsked: true },
];

export const SYSTEM_PROFILE_RECORD: readonly RecordAttribute[] = [
  { name: "name", help: "the system profile" },
  { name: "lpar_names", help: "list of its partitions", list: true },
  { name: "lpar_ids", help: "the same, by ID", list: true },
  { name: "profile_names", help: "list of their profiles, in the same order", list: true },
];
export const SYSTEM_PROFILE_CHANGE: readonly RecordAttribute[] = [...SYSTEM_PROFILE_RECORD, { name: "new_name", help: "renames it" }];

interface Member {
  readonly lparId: LparId;
  readonly profile: string;
}

/**
 * The members that a checked record leaves: `=` replaces, `+=` adds or gives another profile, `-=` takes away by partition. null: the record says nothing of them.
 * @throws OlpmError invalid-argument; not-found HSCL8012, HSCL8016
 */
export function membersOf(items: readonly RecordItem[], before: readonly Member[], lparBy: (by: { readonly name: string } | { readonly lparId: number }) => LparView): Member[] | null {
  const lists = items.filter((item) => item.name !== "name" && item.name !== "new_name");
  if (lists.length === 0) return null;
  const operators = new Set(lists.map((item) => item.operator));
  const [names, ids, profiles] = ["lpar_names", "lpar_ids", "profile_names"].map((name) => (valueOf(items, name) === undefined ? undefined : splitList(valueOf(items, name)!)));
  if (names && ids) throw new OlpmError("invalid-argument", "The attributes lpar_names and lpar_ids exclude each other. Please check your entry and retry the command.");
  if (operators.size > 1) throw new OlpmError("invalid-argument", "The lists of partitions and of profiles need the same operator. Please check your entry and retry the command.");
  const lpars = names ? names.map((name) => lparBy({ name })) : ids ? ids.map((id) => lparBy({ lparId: idOf(id) })) : undefined;
  if (!lpars) throw invalidValue("lpar_names", undefined, "the partitions of the profiles");
  const removed = new Set(lpars.map((lpar) => lpar.lparId));
  if (removed.size !== lpars.length) throw invalidValue("lpar_names", (names ?? ids ?? []).join(","), "each partition once");
  const others = before.filter((member) => !removed.has(member.lparId));
  if (operators.has("-=")) return others;
  if (profiles?.length !== lpars.length) throw invalidValue("profile_names", profiles?.join(","), `one profile for each of ${lpars.length} partitions`);
  const members = lpars.map((lpar, index): Member => {
    const profile = profiles[index]!;
    if (!lpar.definition.profiles.some((one) => one.name === profile)) throw new OlpmError("not-found", `The profile ${profile} of partition ${lpar.definition.name} was not found.`, { hsc: "HSCL8016" });
    return { lparId: lpar.lparId, profile };
  });
  return operators.has("+=") ? [...others, ...members] : members;
}

function idOf(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw invalidValue("lpar_ids", text, "partition IDs");
  return Number(text);
}
