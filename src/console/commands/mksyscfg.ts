import { OlpmError } from "../../kit/errors.js";
import { LparId } from "../../model/ids.js";
import { LparEnvironment, LparName, ProfileName, type LparSettings, type LparView } from "../../model/lpar.js";
import { LPAR_CREATE_RECORD, settingsOf } from "../attributes/lpar-record.js";
import { PROFILE_RECORD, profileFromRecord } from "../attributes/profile-record.js";
import { membersOf, SYSTEM_PROFILE_RECORD } from "../attributes/sysprof.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { checkRecord, invalidValue, taken, type RecordAttribute } from "../grammar/attribute-table.js";
import { invalidParameter, missingParameter } from "../grammar/options.js";
import { parseRecord, valueOf, type RecordItem } from "../grammar/record.js";
import type { Command, Options, OptionSpec } from "./command.js";
import { LPAR_OPTIONS, lparOf, SYSTEM_OPTION, systemOf } from "./targets.js";

const DEFAULTS: LparSettings = { autoStart: false, availPriority: 127, description: "", keylock: "norm", allowPerfCollection: false, migrationDisabled: false, syncCurrProfile: false, timeRef: false, msp: false };

/** What identifies a profile in a record, and what is printed with it and is its partition's. */
export const PROFILE_KEYS: readonly RecordAttribute[] = [
  { name: "name", help: "the profile's name" },
  { name: "lpar_name", help: "its partition" },
  { name: "lpar_id", help: "the same, by ID" },
  { name: "lpar_env", help: "as the partition has it" },
  { name: "auto_start", help: "as the partition has it; chsyscfg -r lpar changes it" },
];
export const FILE_OPTION: OptionSpec = { name: "-f", argument: "file", help: "a file of records", refused: "this console keeps no files; give the record with -i" };
const CREATE_LPAR = [...LPAR_CREATE_RECORD, ...PROFILE_RECORD.filter((one) => !LPAR_CREATE_RECORD.some(({ name }) => name === one.name))];
const CREATE_PROFILE = [...PROFILE_KEYS, ...PROFILE_RECORD];

/** hmc-cli 4.6. */
export const mksyscfg: Command = {
  name: "mksyscfg",
  summary: "creates partitions, profiles and system profiles",
  synopsis: ['mksyscfg -r {lpar | prof | sysprof} -m managed-system -i "attributes"', "mksyscfg -r prof -m managed-system -o save {-p partition-name | --id partition-ID} -n profile-name [--force]"],
  options: [
    { name: "-r", argument: "resource", help: "what to create", required: true, values: ["lpar", "prof", "sysprof"] },
    SYSTEM_OPTION,
    { name: "-i", argument: "attributes", help: 'attribute record "name=value,...": for lpar name, profile_name, lpar_env and a profile\'s attributes; for prof name, lpar_name or lpar_id and a profile\'s attributes; for sysprof name, lpar_names and profile_names' },
    FILE_OPTION,
    { name: "-o", argument: "operation", help: "save makes a profile of the partition's current configuration", values: ["save"] },
    ...LPAR_OPTIONS,
    { name: "-n", argument: "profile-name", help: "the profile to save to" },
    { name: "--force", argument: null, help: "saves over an existing profile" },
  ],
  details: ["Attributes that a printed profile has can be given back. A client adapter without a free partner on a Virtual I/O Server makes none: add the server adapter with chhwres.", 'Examples:\nmksyscfg -r lpar -m ms01 -i "name=db01,profile_name=default,lpar_env=aixlinux,min_mem=256,desired_mem=512,max_mem=1024,proc_mode=shared,min_procs=1,desired_procs=1,max_procs=2,min_proc_units=0.1,desired_proc_units=0.5,max_proc_units=1.0,sharing_mode=uncap,uncap_weight=128,max_virtual_slots=20,virtual_scsi_adapters=2/client//vios1/10/1,virtual_eth_adapters=3/0/1//0/1"\nmksyscfg -r prof -m ms01 -o save -p db01 -n before_change --force\nmksyscfg -r sysprof -m ms01 -i \'name=all,"lpar_names=db01,batch02","profile_names=normal,big"\''],
  attributes: [taken("mksyscfg -r lpar", CREATE_LPAR), taken("mksyscfg -r prof", CREATE_PROFILE), taken("mksyscfg -r sysprof", SYSTEM_PROFILE_RECORD)],
  run: async (options, context) => {
    const system = systemOf(options, context);
    const resource = options.get("-r");
    if (options.has("-o")) return save(options, context, system, resource);
    const stray = ["-p", "--id", "-n", "--force"].find((name) => options.has(name));
    if (stray !== undefined) throw invalidParameter(stray);
    const items = record(options);
    if (resource === "sysprof") return createSystemProfile(items, context, system);
    return resource === "lpar" ? createLpar(items, context, system) : createProfile(items, context, system);
  },
};

/** The record of -i. @throws OlpmError invalid-argument */
export function record(options: Options): RecordItem[] {
  const text = options.get("-i");
  if (text === undefined) throw missingParameter("-i");
  return parseRecord(text);
}

async function createLpar(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  const needed = ["name", "profile_name", "lpar_env"].filter((name) => valueOf(items, name) === undefined);
  if (needed.length > 0) throw new OlpmError("invalid-argument", `The configuration data lacks the attributes ${needed.join(", ")}.`, { hsc: "HSCL0622" });
  checkRecord(items, CREATE_LPAR);
  const environment = LparEnvironment.safeParse(valueOf(items, "lpar_env"));
  if (!environment.success) throw invalidValue("lpar_env", valueOf(items, "lpar_env"), "aixlinux is possible here");
  const settings = settingsOf(items);
  const idText = valueOf(items, "lpar_id");
  const id = idText === undefined ? null : LparId.safeParse(/^\d+$/.test(idText) ? Number(idText) : 0);
  if (id !== null && !id.success) throw invalidValue("lpar_id", idText, "a partition ID from 1 to 65534");
  const resources = profileFromRecord(items, { lookupVios: lookup(system), base: null });
  await system.client.call("lpar.create", { lparId: id?.data ?? null, name: lparName(valueOf(items, "name")!), environment: environment.data, settings: { ...DEFAULTS, ...settings }, profile: { name: profileName(valueOf(items, "profile_name")!), resources } }, { signal: context.signal });
  return 0;
}

async function createProfile(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  const lpar = lparOfRecord(items, context, system);
  const name = valueOf(items, "name");
  if (name === undefined) throw new OlpmError("invalid-argument", "The configuration data lacks the attribute name.", { hsc: "HSCL0622" });
  checkRecord(items, CREATE_PROFILE);
  checkPartitionOf(items, lpar);
  const resources = profileFromRecord(items, { lookupVios: lookup(system), base: null });
  await system.client.call("profile.put", { lparId: lpar.lparId, profile: { name: profileName(name), resources }, mustExist: false, mayReplace: false }, { signal: context.signal });
  return 0;
}

async function createSystemProfile(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem): Promise<number> {
  checkRecord(items, SYSTEM_PROFILE_RECORD);
  const name = valueOf(items, "name");
  const members = membersOf(items, [], (by) => context.inventory.lpar(system, by));
  if (name === undefined || members === null) throw new OlpmError("invalid-argument", `The configuration data lacks the attribute ${name === undefined ? "name" : "lpar_names"}.`, { hsc: "HSCL0622" });
  await system.client.call("sysprof.put", { name: profileName(name), members, mustExist: false }, { signal: context.signal });
  return 0;
}

async function save(options: Options, context: CommandContext, system: ManagedSystem, resource: string | undefined): Promise<number> {
  if (resource !== "prof") throw invalidParameter("-o");
  if (options.has("-i")) throw invalidParameter("-i");
  const lpar = lparOf(options, context, system);
  if (!options.has("-n")) throw missingParameter("-n");
  await system.client.call("profile.save", { lparId: lpar.lparId, name: profileName(options.get("-n")!), force: options.has("--force") }, { signal: context.signal });
  return 0;
}

export const lookup = (system: ManagedSystem) => (by: { readonly name?: string; readonly id?: number }) => system.lpars().find((lpar) => (by.id === undefined || lpar.lparId === by.id) && (by.name === undefined || lpar.definition.name === by.name));

/** What a printed profile says of its partition has to be so. @throws OlpmError invalid-argument */
export function checkPartitionOf(items: readonly RecordItem[], { definition }: LparView): void {
  for (const [name, now] of [["lpar_env", definition.environment], ["auto_start", definition.settings.autoStart ? "1" : "0"]] as const) {
    const value = valueOf(items, name);
    if (value !== undefined && value !== now) throw invalidValue(name, value, `it is ${now} for partition ${definition.name}; chsyscfg -r lpar changes what can be changed`);
  }
}

/** The partition that a record names by lpar_name or lpar_id. */
export function lparOfRecord(items: readonly RecordItem[], context: CommandContext, system: ManagedSystem, names: { readonly name: string; readonly id: string } = { name: "lpar_name", id: "lpar_id" }) {
  const [name, id] = [valueOf(items, names.name), valueOf(items, names.id)];
  if (id !== undefined && !/^\d{1,5}$/.test(id)) throw invalidValue(names.id, id, "a partition ID");
  const lpar = name !== undefined ? context.inventory.lpar(system, { name }) : id !== undefined ? context.inventory.lpar(system, { lparId: Number(id) }) : undefined;
  if (lpar && id !== undefined && lpar.lparId !== Number(id)) throw new OlpmError("not-found", `The partition named ${name} has the ID ${lpar.lparId}, not ${id}.`, { hsc: "HSCL8012" });
  if (lpar) return lpar;
  throw new OlpmError("invalid-argument", `The configuration data lacks the attribute ${names.name} or ${names.id}.`, { hsc: "HSCL0622" });
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
