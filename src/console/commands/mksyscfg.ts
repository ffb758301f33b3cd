import { OlpmError } from "../../kit/errors.js";
import { LparId } from "../../model/ids.js";
import { LparEnvironment, LparName, ProfileName, type LparSettings } from "../../model/lpar.js";
import { LPAR_ATTRIBUTES } from "../attributes/lpar.js";
import { isProfileAttribute, profileFromRecord } from "../attributes/profile.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { missingParameter } from "../grammar/options.js";
import { parseRecord, valueOf, type RecordItem } from "../grammar/record.js";
import type { Command, Options } from "./command.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

const DEFAULTS: LparSettings = { autoStart: false, availPriority: 127, description: "", keylock: "norm", allowPerfCollection: false, migrationDisabled: false, syncCurrProfile: false, timeRef: false, msp: false };

/** hmc-cli 4.6. */
export const mksyscfg: Command = {
  name: "mksyscfg",
  summary: "creates partitions and profiles",
  synopsis: ['mksyscfg -r {lpar | prof} -m managed-system -i "attributes"', "mksyscfg -r prof -m managed-system -o save {-p partition-name | --id partition-ID} -n profile-name [--force]"],
  options: [
    { name: "-r", argument: "resource", help: "what to create", required: true, values: ["lpar", "prof", "sysprof"] },
    SYSTEM_OPTION,
    { name: "-i", argument: "attributes", help: 'attribute record "name=value,...": for lpar name, profile_name, lpar_env and a profile\'s attributes; for prof name, lpar_name or lpar_id and a profile\'s attributes' },
    { name: "-f", argument: "file", help: "a file of records; this console keeps no files, use -i" },
    { name: "-o", argument: "operation", help: "save makes a profile of the partition's current configuration", values: ["save"] },
    ...LPAR_OPTIONS,
    { name: "-n", argument: "profile-name", help: "the profile to save to" },
    { name: "--force", argument: null, help: "saves over an existing profile" },
  ],
  details: ['Example:\nmksyscfg -r lpar -m ms01 -i "name=db01,profile_name=default,lpar_env=aixlinux,min_mem=256,desired_mem=512,max_mem=1024,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=2,min_proc_units=0.1,desired_proc_units=0.5,max_proc_units=1.0,sharing_mode=uncap,uncap_weight=128,max_virtual_slots=20,virtual_scsi_adapters=2/client//vios1/10/1,virtual_eth_adapters=3/0/1//0/1"'],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const resource = options.get("-r");
    if (resource === "sysprof") throw new OlpmError("unsupported", "System profiles are not available.");
    if (options.has("-o")) return save(options, context, system);
    const items = record(options);
    return resource === "lpar" ? createLpar(items, context, system) : createProfile(items, context, system);
  },
};

/** The record of -i. @throws OlpmError invalid-argument */
export function record(options: Options): RecordItem[] {
  if (options.has("-f") && options.has("-i")) throw new OlpmError("invalid-argument", "The parameters -f and -i exclude each other. Please check your entry and retry the command.");
  if (options.has("-f")) throw new OlpmError("unsupported", "This console keeps no files for -f.", { action: "Give the record with -i." });
  const text = options.get("-i");
  if (text === undefined) throw missingParameter("-i");
  return parseRecord(text);
}

async function createLpar(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  const needed = ["name", "profile_name", "lpar_env"].filter((name) => valueOf(items, name) === undefined);
  if (needed.length > 0) throw new OlpmError("invalid-argument", `The configuration data lacks the attributes ${needed.join(", ")}.`, { hsc: "HSCL0622" });
  const environment = LparEnvironment.safeParse(valueOf(items, "lpar_env"));
  if (!environment.success) throw new OlpmError("invalid-argument", `The value ${valueOf(items, "lpar_env")} of attribute lpar_env is not valid: aixlinux is possible here. Please check your entry and retry the command.`);
  const settings = settingsOf(items, ["name", "profile_name", "lpar_env", "lpar_id", "boot_mode"]);
  const idText = valueOf(items, "lpar_id");
  const id = idText === undefined ? null : LparId.safeParse(/^\d+$/.test(idText) ? Number(idText) : 0);
  if (id !== null && !id.success) throw new OlpmError("invalid-argument", `The value ${idText} of attribute lpar_id is no partition ID. Please check your entry and retry the command.`);
  const resources = profileFromRecord(items, { lookupVios: lookup(system), base: null, environment: environment.data });
  await system.client.call("lpar.create", { lparId: id?.data ?? null, name: lparName(valueOf(items, "name")!), environment: environment.data, settings: { ...DEFAULTS, ...settings }, profile: { name: profileName(valueOf(items, "profile_name")!), resources } }, { signal: context.signal });
  return 0;
}

async function createProfile(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  const lpar = lparOfRecord(items, context, system);
  const name = valueOf(items, "name");
  if (name === undefined) throw new OlpmError("invalid-argument", "The configuration data lacks the attribute name.", { hsc: "HSCL0622" });
  assertKnown(items, ["name", "lpar_name", "lpar_id", "lpar_env", "auto_start"]);
  const resources = profileFromRecord(items, { lookupVios: lookup(system), base: null, environment: lpar.definition.environment });
  await system.client.call("profile.put", { lparId: lpar.lparId, profile: { name: profileName(name), resources }, mustExist: false, mayReplace: false }, { signal: context.signal });
  return 0;
}

async function save(options: Options, context: CommandContext, system: ManagedSystem): Promise<number> {
  const lpar = lparOf(options, context, system);
  if (!options.has("-n")) throw missingParameter("-n");
  await system.client.call("profile.save", { lparId: lpar.lparId, name: profileName(options.get("-n")!), force: options.has("--force") }, { signal: context.signal });
  return 0;
}

export const lookup = (system: ManagedSystem) => (by: { readonly name?: string; readonly id?: number }) => system.lpars().find((lpar) => (by.id === undefined || lpar.lparId === by.id) && (by.name === undefined || lpar.definition.name === by.name));

/** The partition that a record names by lpar_name or lpar_id. */
export function lparOfRecord(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem, names: { readonly name: string; readonly id: string } = { name: "lpar_name", id: "lpar_id" }) {
  const [name, id] = [valueOf(items, names.name), valueOf(items, names.id)];
  if (name !== undefined) return context.inventory.lpar(system, { name });
  if (id !== undefined && /^\d{1,5}$/.test(id)) return context.inventory.lpar(system, { lparId: Number(id) });
  throw new OlpmError("invalid-argument", `The configuration data lacks the attribute ${names.name} or ${names.id}.`, { hsc: "HSCL0622" });
}

const invalid = (name: string) => new OlpmError("invalid-argument", `An invalid attribute was entered. The invalid attribute is ${name}. Please check your entry and retry the command.`);
export function assertKnown(items: readonly RecordItem[], others: readonly string[]): void {
  const unknown = items.find((item) => !others.includes(item.name) && !isProfileAttribute(item.name));
  if (unknown) throw invalid(unknown.name);
}

/** The settings of a record, by the attribute table. `others`: attributes that are read elsewhere. @throws OlpmError invalid-argument */
export function settingsOf(items: readonly RecordItem[], others: readonly string[]): Partial<LparSettings> {
  let settings: Partial<LparSettings> = {};
  for (const { name, operator, value } of items) {
    const { set } = LPAR_ATTRIBUTES.find((attribute) => attribute.name === name) ?? {};
    if (!set) {
      if (!others.includes(name) && !isProfileAttribute(name)) throw invalid(name);
      continue;
    }
    const parsed = operator === "=" ? set.parse(value) : undefined;
    if (!parsed) throw new OlpmError("invalid-argument", `The value ${value} of attribute ${name} is not valid: ${set.values}. Please check your entry and retry the command.`, name === "description" ? { hsc: "HSCLC63B" } : {});
    settings = { ...settings, ...parsed };
  }
  return settings;
}

export function lparName(text: string): string {
  const parsed = LparName.safeParse(text);
  if (!parsed.success) throw new OlpmError("invalid-argument", `${text === "" ? "An empty text" : text} is no partition name: 1 to 31 characters, none of ( ) < > * $ & ? | [ ] ' " \` , = \\. Please check your entry and retry the command.`);
  return parsed.data;
}
export function profileName(text: string): string {
  const parsed = ProfileName.safeParse(text);
  if (!parsed.success) throw new OlpmError("invalid-argument", `${text === "" ? "An empty text" : text} is no profile name: 1 to 31 letters, digits and @ # ^ / ; : ~ . - _ + { }, the first a letter or digit. Please check your entry and retry the command.`);
  return parsed.data;
}
