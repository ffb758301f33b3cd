/**
 * The laboratory's SAN: tgt, an iSCSI target in user space. One target has the LUNs of the Virtual I/O Servers, which alone see it; LUNs for partitions with virtual Fibre
 * Channel are masked to the partition's WWPNs, each behind a target of its own. LUNs are known by their SCSI identity.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { identify, type ProcessIdentity } from "../kit/proc.js";
import { run, runAny } from "../kit/run.js";
import { until } from "../kit/wait.js";
import { LUN_MB, SAN_ADDRESS, SAN_PORT, type LabPlan } from "./plan.js";
import { inNamespace } from "./wiring.js";

export async function startSan({ san }: Pick<LabPlan, "san">, portal = `${SAN_ADDRESS}:${SAN_PORT}`): Promise<ProcessIdentity> {
  const dir = path.dirname(san.luns[0]!.file);
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const { file } of [...san.luns, ...san.fcLuns]) {
    if (fs.existsSync(file)) continue;
    fs.closeSync(fs.openSync(file, "w", 0o600));
    fs.truncateSync(file, LUN_MB << 20);
  }
  const log = fs.openSync(path.join(dir, "tgtd.log"), "a", 0o600);
  const [program, ...argv] = inNamespace(san.namespace, "tgtd", "-f", "-C", String(san.control), "--iscsi", `portal=${portal}`);
  const child = spawn(program, argv, { detached: true, stdio: ["ignore", log, log] });
  fs.closeSync(log);
  child.on("error", () => undefined);
  child.unref();
  const identity = child.pid === undefined ? undefined : identify(child.pid);
  if (!identity) throw new OlpmError("refused", "the SAN's target daemon (tgtd) could not be started");
  const admin = adminOf(san.control);
  await until(async () => ((await runAny(["tgtadm", "-C", String(san.control), "--lld", "iscsi", "--mode", "sys", "--op", "show"])).code === 0 ? true : undefined), { what: "the SAN's target daemon", deadlineMs: 10_000, everyMs: 50 });
  await admin("target", "new", "--tid", "1", "--targetname", san.target);
  for (const { number, id, file } of san.luns) {
    await admin("logicalunit", "new", "--tid", "1", "--lun", String(number), "--backing-store", file);
    await admin("logicalunit", "update", "--tid", "1", "--lun", String(number), "--params", `scsi_id=${id.slice(4)}`);
  }
  if (san.initiators === null) await admin("target", "bind", "--tid", "1", "--initiator-address", "ALL");
  for (const initiator of san.initiators ?? []) await admin("target", "bind", "--tid", "1", "--initiator-name", initiator);
  return identity;
}

const adminOf = (control: number) => (mode: string, op: string, ...words: string[]) => run(["tgtadm", "-C", String(control), "--lld", "iscsi", "--mode", mode, "--op", op, ...words]);
/** Number of the target of a masked LUN; 1 is the Virtual I/O Servers'. */
const targetOf = (index: number): number => 2 + index;

/** What a SAN administrator does for a partition with virtual Fibre Channel: shows a LUN to both WWPNs of an adapter, and to nobody else. @throws OlpmError not-found */
export async function maskLun({ san }: Pick<LabPlan, "san">, index: number, wwpns: readonly string[]): Promise<void> {
  const lun = san.fcLuns[index];
  if (!lun) throw new OlpmError("not-found", `the laboratory has no LUN ${index} for virtual Fibre Channel`);
  const admin = adminOf(san.control);
  const tid = String(targetOf(index));
  await admin("target", "new", "--tid", tid, "--targetname", `${san.target.slice(0, -2)}${(0x80 + index).toString(16)}`);
  await admin("logicalunit", "new", "--tid", tid, "--lun", "1", "--backing-store", lun.file);
  await admin("logicalunit", "update", "--tid", tid, "--lun", "1", "--params", `scsi_id=${lun.id.slice(4)}`);
  for (const wwpn of wwpns) await admin("target", "bind", "--tid", tid, "--initiator-name", `naa.${wwpn}`);
}

/** Takes the masking of one name away; its open sessions stay. */
export async function unmaskLun({ san }: Pick<LabPlan, "san">, index: number, wwpn: string): Promise<void> {
  await adminOf(san.control)("target", "unbind", "--tid", String(targetOf(index)), "--initiator-name", `naa.${wwpn}`);
}

/** Initiator names of a masked LUN, each once and in order, as the SAN says: who may see it, and who is logged in now. */
export interface Masking {
  readonly maskedTo: readonly string[];
  readonly loggedIn: readonly string[];
}
/** Of all LUNs for virtual Fibre Channel, by their index. @throws OlpmError refused: the SAN does not run */
export async function maskings({ san }: Pick<LabPlan, "san">): Promise<Masking[]> {
  const targets = (await adminOf(san.control)("target", "show")).split(/^Target /m);
  return san.fcLuns.map((_, index) => {
    const [sessions = "", admitted = ""] = (targets.find((part) => part.startsWith(`${targetOf(index)}:`)) ?? "").split("ACL information:");
    const names = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].sort();
    return { loggedIn: names(sessions, /Initiator: (\S+)/g), maskedTo: names(admitted, /^\s+(naa\.\S+)/gm) };
  });
}
export const loggedIn = async (lab: Pick<LabPlan, "san">, index: number): Promise<readonly string[]> => (await maskings(lab))[index]!.loggedIn;

/** Sockets that tgtd leaves behind when it is killed. */
export function forgetSan(control: number): void {
  for (const name of [`socket.${control}`, `socket.${control}.lock`]) fs.rmSync(`/var/run/tgtd/${name}`, { force: true });
}
