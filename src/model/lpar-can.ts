/** What may be done with a partition in which state: one table for every door (hmc-cli 4.4, lpm-process 8.7). */
import type { LparState } from "./lpar.js";

export type LparAction = "activate" | "shutdown" | "osShutdown" | "remove" | "modify" | "modifyProfile" | "openTerminal" | "dlpar" | "migrateActive" | "migrateInactive" | "stopMigration";

const POWERED: readonly LparState[] = ["starting", "running", "open-firmware", "shutting-down", "error"];

const ALLOWED: Readonly<Record<LparAction, readonly LparState[]>> = {
  activate: ["not-activated", "error"],
  shutdown: POWERED,
  osShutdown: ["starting", "running"],
  remove: ["not-activated", "error"],
  modify: ["not-activated", "starting", "running", "open-firmware", "error"],
  modifyProfile: ["not-activated", "starting", "running", "open-firmware", "error"],
  openTerminal: ["not-activated", ...POWERED, "migrating-running"],
  dlpar: ["not-activated", "error", "running", "open-firmware"],
  migrateActive: ["running"],
  migrateInactive: ["not-activated"],
  stopMigration: ["migrating-running", "migrating-not-activated"],
};

/** True when the action may begin in this state. A migrating partition can be listed, looked at and stopped, nothing else. */
export const lparCan = (action: LparAction, state: LparState): boolean => ALLOWED[action].includes(state);
