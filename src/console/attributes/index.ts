/** The attribute tables by what prints them, for docs/hmc-compatibility.md. */
import * as hardware from "./hardware.js";
import { LPAR_ATTRIBUTES } from "./lpar.js";
import * as migration from "./migration.js";
import { PROFILE_ATTRIBUTES } from "./profile.js";
import * as system from "./system.js";

const names = (table: readonly { readonly name: string }[]) => table.map((attribute) => attribute.name);

export const ATTRIBUTE_TABLES: readonly { readonly title: string; readonly names: readonly string[] }[] = [
  { title: "lssyscfg -r sys", names: names(system.SYSTEM_ATTRIBUTES) },
  { title: "lssyscfg -r lpar", names: names(LPAR_ATTRIBUTES) },
  { title: "lssyscfg -r prof", names: names(PROFILE_ATTRIBUTES) },
  { title: "lshwres -r mem --level sys", names: names(system.SYSTEM_MEMORY) },
  { title: "lshwres -r mem --level lpar", names: names(hardware.LPAR_MEMORY) },
  { title: "lshwres -r proc --level sys", names: names(system.SYSTEM_PROCESSORS) },
  { title: "lshwres -r proc --level pool", names: names(system.POOL_PROCESSORS) },
  { title: "lshwres -r proc --level lpar", names: names(hardware.LPAR_PROCESSORS) },
  { title: "lshwres -r virtualio --rsubtype scsi", names: names(hardware.SCSI) },
  { title: "lshwres -r virtualio --rsubtype eth", names: names(hardware.ETHERNET) },
  { title: "lshwres -r virtualio --rsubtype serial", names: names(hardware.SERIAL) },
  { title: "lshwres -r virtualio --rsubtype slot --level lpar", names: names(hardware.LPAR_SLOTS) },
  { title: "lshwres -r virtualio --rsubtype slot --level slot", names: names(hardware.ADAPTER_SLOTS) },
  { title: "lshwres -r virtualio --rsubtype vswitch", names: names(hardware.VIRTUAL_SWITCHES) },
  { title: "lshwres -r virtualio --rsubtype vnetwork", names: names(hardware.VIRTUAL_NETWORKS) },
  { title: "lshwres -r procpool", names: names(hardware.PROCESSOR_POOL) },
  { title: "lslparmigr -r lpar", names: names(migration.MIGRATION_LPAR) },
  { title: "lslparmigr -r sys", names: [...names(system.SYSTEM_MIGRATION), ...names(migration.SYSTEM_MOBILITY)] },
  { title: "lslparmigr -r msp", names: [...names(migration.MOVERS), ...names(migration.MOVER_PAIRS)] },
  { title: "lslparmigr -r procpool", names: names(migration.PROCESSOR_POOLS) },
  { title: "lslparmigr -r virtualio", names: names(migration.SCSI_MAPPINGS) },
];
