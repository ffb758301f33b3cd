/** The bench's result as text and as the table of docs/performance.md. Pure. */
import { CASES, goalsOf, spreadOf, type Around, type Link, type Sample, type Way } from "./cases.js";

export interface BenchReport {
  readonly machine: string;
  readonly qemu: string;
  readonly openlpm: string;
  readonly command: string;
  readonly at: string;
  /** runnable processes a processor, before the bench began: what else the machine was doing */
  readonly loadBefore: number;
  readonly memoryMb: number;
  readonly runs: number;
  readonly samples: readonly Sample[];
}

const WAYS: Readonly<Record<Way, string>> = { sealed: "OpenLPM, sealed", direct: "OpenLPM, direct", "qemu-tls": "QEMU, its TLS", "qemu-plain": "QEMU, plain" };
const numbers = (values: readonly number[], digits: number): string => {
  const spread = spreadOf(values);
  return spread === undefined ? "-" : `${spread.median.toFixed(digits)} (${spread.min.toFixed(digits)}-${spread.max.toFixed(digits)})`;
};

function rows(report: BenchReport): string[][] {
  const of = (way: Way, link: Link) => report.samples.filter((one) => one.way === way && one.link === link);
  return CASES.flatMap(({ title, ours, qemu, link }) => {
    const [a, b] = [of(ours, link), of(qemu, link)];
    const [mine, theirs] = [spreadOf(a.map((one) => one.runsMs)), spreadOf(b.map((one) => one.runsMs))];
    const ratio = mine && theirs ? (mine.median / theirs.median).toFixed(2) : "";
    const row = (way: Way, samples: readonly Sample[], last: string) => [title, WAYS[way], numbers(samples.map((one) => one.runsMs / 1000), 2), numbers(samples.map((one) => one.stoppedMs), 0), numbers(samples.map((one) => one.cpuS), 2), last];
    return [...(a.length === 0 ? [] : [row(ours, a, ratio)]), ...(b.length === 0 ? [] : [row(qemu, b, "")])];
  });
}
const HEAD = ["case", "way", "until it runs, s", "stopped, ms", "processors, s", "of QEMU's time"];

function phaseRows(report: BenchReport): string[][] {
  const names = [...new Set(report.samples.flatMap((one) => one.around?.phases.map((phase) => phase.name) ?? []))];
  const of = (way: Way, link: Link) => report.samples.filter((one) => one.way === way && one.link === link).flatMap((one) => one.around ?? []);
  const times = (around: readonly Around[], name: string) => around.flatMap((one) => one.phases.filter((phase) => phase.name === name).map((phase) => phase.ms));
  return names.map((name) => [name, ...CASES.filter((one) => of(one.ours, one.link).length > 0).map((one) => numbers(times(of(one.ours, one.link), name), 0))]);
}
const phaseHead = (report: BenchReport): string[] => ["phase, ms", ...CASES.filter((one) => report.samples.some((sample) => sample.way === one.ours && sample.link === one.link)).map((one) => `${one.ours}, ${one.link === "open" ? "open link" : "1 Gbit/s"}`)];

const facts = (report: BenchReport): string[] => [
  `machine   ${report.machine}`,
  `software  ${report.openlpm}, ${report.qemu}`,
  `measured  ${report.at}, \`${report.command}\`: ${report.runs} interleaved runs, ${report.memoryMb} MiB of incompressible memory; median (least-most); load before: ${report.loadBefore.toFixed(2)}`,
];

/** For a terminal. */
export function benchText(report: BenchReport): string {
  const table = (lines: readonly (readonly string[])[]) => {
    const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
    return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
  };
  return `${[...facts(report), "", ...table([HEAD, ...rows(report)]), "", ...table([phaseHead(report), ...phaseRows(report)]), "", ...goalsOf(report.samples).map((goal) => `${goal.reached ? "reached" : "MISSED "}  ${goal.what}  (${goal.measured})`)].join("\n")}\n`;
}

/** For docs/performance.md. */
export function benchMarkdown(report: BenchReport): string {
  const table = (head: readonly string[], lines: readonly (readonly string[])[]) => [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
  const goals = goalsOf(report.samples).map((goal) => [goal.what, goal.measured, goal.reached ? "reached" : "missed"]);
  return [facts(report).map((line) => `- ${line.replace(/\s{2,}/, ": ")}`).join("\n"), table(HEAD, rows(report)), "Lengths of our phases, as the migrations' records have them:", table(phaseHead(report), phaseRows(report)), table(["goal", "measured", ""], goals)].join("\n\n");
}

/** A page with the section between `<!-- bench migrate -->` and `<!-- end -->` written anew. @throws Error where the page has none */
export function withBench(page: string, report: BenchReport): string {
  const section = /(<!-- bench migrate -->\n)[\s\S]*?(<!-- end -->)/;
  if (!section.test(page)) throw new Error("the page has no section <!-- bench migrate --> ... <!-- end -->");
  return page.replace(section, (_, open: string, close: string) => `${open}\n${benchMarkdown(report)}\n\n${close}`);
}
