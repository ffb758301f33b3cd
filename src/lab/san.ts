/** The laboratory's SAN: tgt, an iSCSI target in user space, with one target and LUNs that are known by their SCSI identity. */
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
  for (const { file } of san.luns) {
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
  const admin = (mode: string, op: string, ...words: string[]) => run(["tgtadm", "-C", String(san.control), "--lld", "iscsi", "--mode", mode, "--op", op, ...words]);
  await until(async () => ((await runAny(["tgtadm", "-C", String(san.control), "--lld", "iscsi", "--mode", "sys", "--op", "show"])).code === 0 ? true : undefined), { what: "the SAN's target daemon", deadlineMs: 10_000, everyMs: 50 });
  await admin("target", "new", "--tid", "1", "--targetname", san.target);
  for (const { number, id, file } of san.luns) {
    await admin("logicalunit", "new", "--tid", "1", "--lun", String(number), "--backing-store", file);
    await admin("logicalunit", "update", "--tid", "1", "--lun", String(number), "--params", `scsi_id=${id.slice(4)}`);
  }
  await admin("target", "bind", "--tid", "1", "--initiator-address", "ALL");
  return identity;
}

/** Sockets that tgtd leaves behind when it is killed. */
export function forgetSan(control: number): void {
  for (const name of [`socket.${control}`, `socket.${control}.lock`]) fs.rmSync(`/var/run/tgtd/${name}`, { force: true });
}
