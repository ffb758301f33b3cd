import type { LparRow } from "./store.js";

/**
 * What is kept of a changed partition: with sync_curr_profile the profile that it was last activated with follows every change of its current configuration, so that
 * the next activation does not undo it (hmc-cli 4.3). Pure.
 */
export function synchronised(before: LparRow, after: LparRow): LparRow {
  const { settings, current, currentProfile, profiles, environment } = after.definition;
  if (!settings.syncCurrProfile || environment === "vioserver" || current === null || currentProfile === null) return after;
  // Activation with another profile is a choice of configuration, not a change of it.
  if (current === before.definition.current || currentProfile !== before.definition.currentProfile) return after;
  return { ...after, definition: { ...after.definition, profiles: profiles.map((one) => (one.name === currentProfile ? { ...one, resources: current } : one)) } };
}
