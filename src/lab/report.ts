/** The demo's report: its shape, and its text for a person. Pure. */

export interface LegReport {
  readonly from: string;
  readonly to: string;
  readonly type: "active";
  readonly totalMs: number;
  /** in order: name of the phase and its length */
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
  readonly stoppedMs: number | null;
  readonly way: "sealed" | "direct" | null;
  readonly bytesSent: number;
  readonly bytesOnLink: number;
  readonly rounds: number;
  readonly validateMs: number;
  readonly pingsSent: number;
  readonly pingsLost: number;
  /** longest wait of the client for one answer while this leg ran */
  readonly longestWaitMs: number;
  readonly writesDuring: number;
}
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}
export interface DemoReport {
  readonly partition: { readonly name: string; readonly uuid: string; readonly system: string; readonly state: string; readonly uptimeKept: boolean };
  readonly legs: readonly LegReport[];
  readonly client: { readonly acknowledged: number; readonly lost: number; readonly longestWaitMs: number; readonly connectionsLost: number };
  readonly checks: readonly Check[];
  readonly totalMs: number;
  readonly ok: boolean;
}

export const mebibytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(bytes < 100 << 20 ? 1 : 0)} MiB`;
export const seconds = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`);

/** Lines for a terminal or a log; nothing in them depends on colour. */
export function reportText(report: DemoReport): string {
  const lines: string[] = [];
  for (const leg of report.legs) {
    lines.push(
      `${leg.from} -> ${leg.to}`,
      `  total time          ${seconds(leg.totalMs)}   (validation ${seconds(leg.validateMs)} before it)`,
      `  time stopped        ${leg.stoppedMs === null ? "not known" : seconds(leg.stoppedMs)}`,
      `  bytes               ${mebibytes(leg.bytesSent)} of partition state, ${mebibytes(leg.bytesOnLink)} on the link (${leg.way ?? "no mover"}), ${leg.rounds} ${leg.rounds === 1 ? "round" : "rounds"}`,
      `  phases              ${leg.phases.map((phase) => `${phase.name} ${seconds(phase.ms)}`).join(", ")}`,
      `  pings               ${leg.pingsLost} of ${leg.pingsSent} lost`,
      `  client              ${leg.writesDuring} writes acknowledged meanwhile, longest wait ${seconds(leg.longestWaitMs)}`,
    );
  }
  lines.push(
    "in all",
    `  writes              ${report.client.acknowledged} acknowledged, ${report.client.lost} lost, over ${report.client.connectionsLost === 0 ? "one connection" : "a connection that broke"}`,
    `  longest wait        ${seconds(report.client.longestWaitMs)}`,
    `  where it runs now   ${report.partition.name} on ${report.partition.system} (${report.partition.state})`,
  );
  for (const check of report.checks) lines.push(`  ${check.ok ? "ok    " : "FAILED"}  ${check.name}${check.detail === "" ? "" : `: ${check.detail}`}`);
  return `${lines.join("\n")}\n`;
}
