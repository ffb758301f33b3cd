/** `lab status`: what the laboratory consists of now. The truth about partitions is asked from the console, the rest from the machine. */
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Lab } from "./lab.js";
import { Operator } from "./operator.js";
import { LAN_ADDRESS, PREFIX, SAN_ADDRESS, SAN_PORT } from "./plan.js";
import { maskings, type Masking } from "./san.js";
import { serviceProcess } from "./services.js";

/** A LUN for virtual Fibre Channel. `usedBy`: the partition that has one of the names */
interface FcLunStatus {
  readonly id: string;
  readonly file: string;
  readonly bytes: number;
  readonly maskedTo: readonly string[];
  readonly loggedIn: readonly string[];
  readonly usedBy: string | null;
}
export interface LabStatus {
  readonly name: string;
  readonly lan: { readonly namespace: string; readonly address: string; readonly prefix: number };
  readonly san: { readonly namespace: string; readonly portal: string; readonly luns: readonly { readonly id: string; readonly file: string; readonly bytes: number; readonly usedBy: string | null }[]; readonly fcLuns: readonly FcLunStatus[] };
  readonly consoles: readonly { readonly name: string; readonly version: string; readonly pid: number | null; readonly ssh: { readonly host: string; readonly port: number }; readonly lanAddress: string; readonly user: string; readonly password: string | null; readonly stateDir: string }[];
  readonly systems: readonly {
    readonly name: string;
    readonly mtms: string;
    readonly pid: number | null;
    readonly namespace: string;
    readonly stateDir: string;
    readonly vioses: readonly { readonly name: string; readonly lparId: number; readonly pid: number | null; readonly namespace: string; readonly roles: readonly string[] }[];
    readonly partitions: readonly { readonly name: string; readonly lparId: number; readonly state: string; readonly qemuPid: number | null; readonly consoleLog: string; readonly lanAddress: string | null }[];
  }[];
}

export async function labStatus(lab: Lab): Promise<LabStatus> {
  const operator = new Operator(lab);
  const systems = await Promise.all(lab.systems.map((system) => systemStatus(operator, system)));
  const backing = await usedLuns(lab, operator);
  const fcLuns = await fcLunStatus(lab, operator);
  const version = z.object({ version: z.string() }).parse(JSON.parse(fs.readFileSync(path.resolve(import.meta.dirname, "../../../package.json"), "utf8"))).version;
  return {
    name: lab.name,
    lan: { namespace: lab.lan.namespace, address: LAN_ADDRESS, prefix: PREFIX },
    san: { namespace: lab.san.namespace, portal: `${SAN_ADDRESS}:${SAN_PORT}`, luns: lab.san.luns.map((lun) => ({ id: lun.id, file: lun.file, bytes: fs.statSync(lun.file).size, usedBy: backing.get(lun.number - 1) ?? null })), fcLuns },
    consoles: lab.consoles.map((one) => ({ name: one.name, version, pid: serviceProcess(one.runDir)?.pid ?? null, ssh: { host: "127.0.0.1", port: Number(readText(path.join(one.stateDir, "ssh-port")) ?? 0) }, lanAddress: one.lanAddress, user: "hscroot", password: readText(path.join(one.stateDir, "initial-password")), stateDir: one.stateDir })),
    systems,
  };
}

type SystemStatus = LabStatus["systems"][number];

async function systemStatus(operator: Operator, system: Lab["systems"][number]): Promise<SystemStatus> {
  const { code, stdout } = await operator.run(`lssyscfg -r lpar -m ${system.name} -F name:lpar_id:lpar_env:state:uuid:rmc_ipaddr`).catch(() => ({ code: 1, stdout: "" }));
  const rows = code !== 0 ? [] : stdout.split("\n").filter((line) => line.includes(":")).map((line) => line.split(":"));
  const pidOf = (dir: string) => serviceProcess(path.join(system.runDir, dir))?.pid ?? null;
  return {
    name: system.name,
    mtms: `${system.typeModel}*${system.serial}`,
    pid: serviceProcess(system.runDir)?.pid ?? null,
    namespace: system.namespace,
    stateDir: system.stateDir,
    vioses: system.vioses.map((vios) => ({ name: vios.name, lparId: vios.lparId, pid: pidOf(`v${vios.lparId}`), namespace: vios.namespace, roles: ["vscsi", "sea", ...(vios.msp ? ["msp"] : [])] })),
    partitions: rows.filter(([, , environment]) => environment === "aixlinux").map(([name = "", id = "0", , state = "", uuid = "", address = ""]) => ({ name, lparId: Number(id), state, qemuPid: pidOf(`p${id}`), consoleLog: path.join(system.stateDir, "console", `${uuid.toLowerCase()}.log`), lanAddress: address === "" ? null : address })),
  };
}

/** LUN index -> partition, by what the Virtual I/O Servers map. */
async function usedLuns(lab: Lab, operator: Operator): Promise<Map<number, string>> {
  const used = new Map<number, string>();
  for (const system of lab.systems) {
    const names = new Map((await operator.run(`lssyscfg -r lpar -m ${system.name} -F lpar_id:name`).catch(() => ({ stdout: "" }))).stdout.split("\n").map((line) => line.split(":") as [string, string]));
    for (const vios of system.vioses) {
      const { stdout } = await operator.run(`viosvrcmd -m ${system.name} -p ${vios.name} -c "lsmap -all -dec -field clientid backing -fmt :"`).catch(() => ({ stdout: "" }));
      for (const [client = "", ...disks] of stdout.split("\n").map((line) => line.split(":"))) for (const disk of disks) if (/^hdisk\d+$/.test(disk)) used.set(Number(disk.slice(5)), names.get(String(Number(client))) ?? `partition ${client}`);
    }
  }
  return used;
}

async function fcLunStatus(lab: Lab, operator: Operator): Promise<FcLunStatus[]> {
  const owners = new Map<string, string>();
  for (const system of lab.systems) {
    const { stdout } = await operator.run(`lshwres -r virtualio --rsubtype fc --level lpar -m ${system.name} -F lpar_name:wwpns`).catch(() => ({ stdout: "" }));
    for (const line of stdout.split("\n")) for (const [wwpn] of line.matchAll(/\b[0-9a-f]{16}\b/g)) owners.set(`naa.${wwpn}`, line.split(":")[0]!);
  }
  const masked = await maskings(lab).catch((): Masking[] => []);
  return lab.san.fcLuns.map((lun, index) => {
    const { maskedTo, loggedIn } = masked[index] ?? { maskedTo: [], loggedIn: [] };
    return { id: lun.id, file: lun.file, bytes: fs.statSync(lun.file).size, maskedTo, loggedIn, usedBy: maskedTo.flatMap((name) => owners.get(name) ?? [])[0] ?? null };
  });
}

const readText = (file: string): string | null => (fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim() : null);

/** For people. */
export function statusText(status: LabStatus): string {
  const lines = [`laboratory ${status.name}`, `  LAN        ${status.lan.address}/${status.lan.prefix} (namespace ${status.lan.namespace})`, `  SAN        ${status.san.portal} (namespace ${status.san.namespace}), ${status.san.luns.length} LUNs, ${status.san.luns.filter((lun) => lun.usedBy).length} in use; ${status.san.fcLuns.length} for virtual Fibre Channel`];
  for (const lun of status.san.fcLuns.filter((one) => one.maskedTo.length > 0)) lines.push(`    ${lun.id} ${lun.usedBy ?? "nobody's"}, masked to ${lun.maskedTo.join(" ")}, logged in ${lun.loggedIn.join(" ") || "nobody"}`);
  for (const one of status.consoles) lines.push(`  ${one.name.padEnd(10)} ${one.pid === null ? "not running" : `process ${one.pid}`}; ssh -p ${one.ssh.port} ${one.user}@${one.ssh.host}  (password ${one.password ?? "changed"})`);
  for (const system of status.systems) {
    lines.push(`  ${system.name.padEnd(10)} ${system.mtms}, ${system.pid === null ? "not running" : `process ${system.pid}`}`);
    for (const vios of system.vioses) lines.push(`    ${vios.name.padEnd(8)} Virtual I/O Server, ${vios.pid === null ? "not running" : `process ${vios.pid}`}, ${vios.roles.join(" ")}`);
    for (const lpar of system.partitions) lines.push(`    ${lpar.name.padEnd(8)} ${lpar.state}${lpar.qemuPid === null ? "" : `, process ${lpar.qemuPid}`}${lpar.lanAddress === null ? "" : `, ${lpar.lanAddress}`}`);
  }
  return `${lines.join("\n")}\n`;
}
