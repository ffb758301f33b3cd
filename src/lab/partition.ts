/** A partition of the laboratory: its LUN filled from the golden image, then defined and activated with the commands that an operator types. */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { run } from "../kit/run.js";
import { formatPair } from "../console/grammar/record.js";
import type { Lab, Say } from "./lab.js";
import { Operator } from "./operator.js";
import { partitionAddress, PREFIX } from "./plan.js";
import { maskLun } from "./san.js";
import { databaseAnswers } from "./witness.js";

export interface LabPartition {
  readonly name: string;
  /** where it was made */
  readonly system: string;
  readonly uuid: string;
  readonly address: string;
  readonly lunFile: string;
}
export interface PartitionOptions {
  readonly name: string;
  readonly system: string;
  /** index of the LUN, from 0; also decides the address */
  readonly lun: number;
  readonly memoryMb: number;
  readonly vios?: string;
  /** files put into the partition before it starts: path in it and mode */
  readonly files?: readonly { readonly path: string; readonly content: string; readonly mode: number }[];
  readonly activate?: boolean;
  /** virtual Ethernet adapters as a profile has them, elements of the list; without it one on VLAN 1 */
  readonly ethernet?: readonly string[];
  /** addresses beside the one on VLAN 1: `eth1=10.9.20.100/24 eth0.30=10.9.30.100/24` (docs/image.md) */
  readonly networks?: string;
  /** lpar_proc_compat_mode of its profile */
  readonly compatMode?: string;
  /** index of a LUN that is masked to the partition and reached by virtual Fibre Channel, beside the root by virtual SCSI */
  readonly fc?: number;
  /** the Virtual I/O Servers with a path to that LUN; without it the one of the root */
  readonly fcVioses?: readonly string[];
  readonly say: Say;
}

/** Emulated partitions boot in 10 to 25 s on two cores; a machine that is busy takes longer. */
const BOOT_MS_MAX = 240_000;
const AGENT_MS_MAX = 60_000;
const CLIENT_SCSI_SLOT = 2;
const CLIENT_ETHERNET_SLOT = 3;
const CLIENT_FC_SLOT = 4;

export async function createPartition(lab: Lab, options: PartitionOptions): Promise<LabPartition> {
  const { name, system, say } = options;
  const lun = lab.san.luns[options.lun];
  if (!lun) throw new OlpmError("invalid-argument", `the laboratory has no LUN ${options.lun}`);
  const address = partitionAddress(options.lun);
  say(`writing the root file system of ${name} to LUN ${lun.id}`);
  await fillLun(lab, lun.file, { name, address, networks: options.networks ?? "", files: options.files ?? [] });
  const operator = new Operator(lab, { say });
  const vios = options.vios ?? "vios1";
  const fcVioses = options.fc === undefined ? [] : (options.fcVioses ?? [vios]);
  const viosSlot = 10 + options.lun;
  const max = options.memoryMb * 2;
  await operator.type(`mksyscfg -r lpar -m ${system} -i "${escaped(profile({ name, vios, viosSlot, memoryMb: options.memoryMb, max, compatMode: options.compatMode ?? "default", ethernet: options.ethernet ?? [`${CLIENT_ETHERNET_SLOT}/0/1//0/1`], fcVioses, fcSlot: 30 + (options.fc ?? 0) }))}"`);
  await operator.type(`chhwres -r virtualio -m ${system} -o a -p ${vios} --rsubtype scsi -s ${viosSlot} -a "adapter_type=server,remote_lpar_name=${name},remote_slot_num=${CLIENT_SCSI_SLOT}"`);
  const vhost = await adapterName(operator, system, vios, viosSlot);
  await operator.type(`viosvrcmd -m ${system} -p ${vios} -c "mkvdev -vdev hdisk${options.lun} -vadapter ${vhost}"`);
  if (options.fc !== undefined) await addFibreChannel(lab, operator, { name, system, vioses: fcVioses, viosSlot: 30 + options.fc, lun: options.fc, say });
  if (options.activate !== false) await operator.type(`chsysstate -m ${system} -r lpar -o on -n ${name} -f default`);
  const uuid = (await operator.quiet(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F uuid`)).trim().toLowerCase();
  return { name, system, uuid, address, lunFile: lun.file };
}

/** Waits until the partition's database answers on the LAN and its operating system answers the console (RMC): before that it can not be moved. @throws timeout */
export async function bootPartition(lab: Lab, partition: LabPartition, say: Say): Promise<void> {
  say(`waiting for the database in the partition (${partition.address}) ...`);
  const begun = performance.now();
  await databaseAnswers(lab.lan.namespace, partition.address, BOOT_MS_MAX);
  await new Operator(lab).until(`lssyscfg -r lpar -m ${partition.system} --filter lpar_names=${partition.name} -F rmc_state`, "active", AGENT_MS_MAX);
  say(`the partition runs and its database answers after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

const profile = (p: { readonly name: string; readonly vios: string; readonly viosSlot: number; readonly memoryMb: number; readonly max: number; readonly compatMode: string; readonly ethernet: readonly string[]; readonly fcVioses: readonly string[]; readonly fcSlot: number }): string =>
  [
    `name=${p.name},profile_name=default,lpar_env=aixlinux`,
    `min_mem=256,desired_mem=${p.memoryMb},max_mem=${p.max}`,
    "proc_mode=shared,min_procs=1,desired_procs=1,max_procs=2,min_proc_units=0.1,desired_proc_units=0.5,max_proc_units=1.0,sharing_mode=uncap,uncap_weight=128",
    `max_virtual_slots=20,virtual_scsi_adapters=${CLIENT_SCSI_SLOT}/client//${p.vios}/${p.viosSlot}/1`,
    formatPair("virtual_eth_adapters", p.ethernet),
    ...(p.compatMode === "default" ? [] : [`lpar_proc_compat_mode=${p.compatMode}`]),
    ...(p.fcVioses.length === 0 ? [] : [formatPair("virtual_fc_adapters", p.fcVioses.map((vios, at) => `${CLIENT_FC_SLOT + at}/client//${vios}/${p.fcSlot}//1`))]),
  ].join(",");

/** Inside double quotes of a command line. */
const escaped = (text: string): string => text.replaceAll('"', '\\"');

/** The server adapters and their port, and what the SAN's administrator does: the LUN is shown to both WWPNs that the managed system made for each. */
async function addFibreChannel(lab: Lab, operator: Operator, p: { readonly name: string; readonly system: string; readonly vioses: readonly string[]; readonly viosSlot: number; readonly lun: number; readonly say: Say }): Promise<void> {
  for (const [at, vios] of p.vioses.entries()) await operator.type(`chhwres -r virtualio -m ${p.system} -o a -p ${vios} --rsubtype fc -s ${p.viosSlot} -a "adapter_type=server,remote_lpar_name=${p.name},remote_slot_num=${CLIENT_FC_SLOT + at}"`);
  const wwpns = await wwpnsOf(operator, p.system, p.name);
  p.say(`masking LUN ${lab.san.fcLuns[p.lun]?.id} to ${wwpns.join(" and ")}`);
  await maskLun(lab, p.lun, wwpns);
  for (const vios of p.vioses) {
    const lines = (await operator.quiet(`viosvrcmd -m ${p.system} -p ${vios} -c "lsmap -all -npiv -field name physloc -fmt :"`)).split("\n");
    const vfchost = lines.map((line) => line.split(":")).find(([, location]) => location?.endsWith(`-C${p.viosSlot}`))?.[0];
    await operator.type(`viosvrcmd -m ${p.system} -p ${vios} -c "vfcmap -vadapter ${vfchost} -fcp fcs0"`);
  }
}

/** Both names of a partition's virtual Fibre Channel adapters, first those of the lowest slot. */
export async function wwpnsOf(operator: Operator, system: string, name: string): Promise<string[]> {
  return (await operator.quiet(`lshwres -r virtualio -m ${system} --rsubtype fc --level lpar --filter lpar_names=${name} -F wwpns`)).match(/[0-9a-f]{16}/g) ?? [];
}

/** The server adapter in a slot, by its location code: `U9009.42A.7800A01-V1-C10`. */
async function adapterName(operator: Operator, system: string, vios: string, slot: number): Promise<string> {
  const lines = (await operator.quiet(`viosvrcmd -m ${system} -p ${vios} -c "lsmap -all -field svsa physloc -fmt :"`)).split("\n");
  const found = lines.map((line) => line.split(":")).find(([, location]) => location?.endsWith(`-C${slot}`));
  if (!found) throw new OlpmError("not-found", `${vios} on ${system} shows no server adapter in slot ${slot}`);
  return found[0]!;
}

/** Copies the golden root into the LUN in place (the SAN has it open) and puts the partition's own files into it, without mounting. */
export async function fillLun(lab: Lab, file: string, what: { readonly name: string; readonly address: string; readonly networks?: string; readonly files: NonNullable<PartitionOptions["files"]> }): Promise<void> {
  await run(["cp", "--sparse=always", path.join(lab.environment.imageDir, "root.img"), file], { deadlineMs: 120_000 });
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-part-"));
  try {
    const put = async (target: string, content: string, mode: number) => {
      const local = path.join(dir, randomUUID());
      fs.writeFileSync(local, content);
      await run(["debugfs", "-w", "-f", "-", file], { input: `rm ${target}\nwrite ${local} ${target}\nsif ${target} mode 0100${mode.toString(8)}\n` });
    };
    await put("/etc/openlpm/partition.conf", `NAME=${what.name}\nADDRESS=${what.address}\nPREFIX=${PREFIX}\nNETWORKS="${what.networks ?? ""}"\n`, 0o644);
    for (const one of what.files) await put(one.path, one.content, one.mode);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}
