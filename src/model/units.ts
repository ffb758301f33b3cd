/** The one place where bytes become megabytes and hundredths become processing units. */
export const MIB = 1 << 20;

/** Bytes to MB as the HMC prints memory (its MB is 2^20 bytes). */
export const bytesToMb = (bytes: number): number => Math.floor(bytes / MIB);
export const mbToBytes = (mb: number): number => mb * MIB;

/** Hundredths of a processor to the HMC's text with one or two decimals: 50 -> `0.5`, 5 -> `0.05`, 100 -> `1.0`. */
export function unitsToText(hundredths: number): string {
  const text = (hundredths / 100).toFixed(2);
  return text.endsWith("0") ? text.slice(0, -1) : text;
}

/** `0.5` -> 50; undefined when the text is no number with at most two decimals. */
export function textToUnits(text: string): number | undefined {
  if (!/^\d{1,5}(\.\d{1,2})?$/.test(text)) return undefined;
  return Math.round(Number(text) * 100);
}
