/** `openlpm disk`: writes a partition's root file system to a LUN, over the SAN adapter of a Virtual I/O Server of this host. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { OlpmError } from "../kit/errors.js";
import { run } from "../kit/run.js";
import { readConfigFile } from "../wire/config-file.js";
import { RpcPeer } from "../wire/rpc.js";
import { SYSTEM_CONFIG_FILE, SystemConfig, type ViosHardware } from "../wire/system-config.js";
import { systemVios } from "../wire/system-vios.js";
import { connectUnix } from "../wire/transport.js";
import { silentLogger } from "../kit/log.js";
import { parseWords } from "./words.js";

const IMAGE = "/var/lib/openlpm/image/root.img";
const WRITE_MS_MAX = 600_000;
const LOOK_BYTES = 65_536;

const HELP = `Usage: openlpm disk --vios NAME --disk hdiskN --name PARTITION --address ADDRESS/PREFIX [--gateway ADDRESS] [--image FILE] [--overwrite]

Writes the root file system of a partition to a LUN: a copy of the image, with the partition's name and address in it. The LUN is reached as the Virtual I/O Server
reaches it, and named as it names it (lspv). Refuses a LUN that is mapped to a partition, or that has data on it.

  --vios NAME        a running Virtual I/O Server of this host
  --disk hdiskN      the LUN, by its name there: openlpm hmc 'viosvrcmd -m SYSTEM -p VIOS -c "lspv -size"'
  --name, --address  of the partition; --gateway its router
  --image FILE       default ${IMAGE}
  --overwrite        write although there is data on the LUN, which is lost then

Exit status: 0, 1 when it failed, 2 for a wrong command line.
`;

/** Gives the exit status. */
export async function runDisk(argv: readonly string[]): Promise<number> {
  const words = parseWords(argv, { verb: "disk", values: ["--vios", "--disk", "--name", "--address", "--gateway", "--image", "--config"], flags: ["--overwrite", "--help"] });
  if (words.has("--help")) {
    process.stdout.write(HELP);
    return 0;
  }
  const config = readConfigFile(words.value("--config") ?? SYSTEM_CONFIG_FILE, SystemConfig, { of: "a managed system", verb: "join" });
  const [name, wanted] = [words.needed("--name"), words.needed("--disk")];
  const hardware = config.vioses.find((one) => one.name === words.needed("--vios"));
  if (!hardware) throw new OlpmError("not-found", `${config.name} has no Virtual I/O Server ${words.needed("--vios")}.`, { action: `It has ${config.vioses.map((one) => one.name).join(", ") || "none"}.` });
  const [address = "", prefix] = words.needed("--address").split("/");
  const gateway = words.value("--gateway");
  // They become lines of a file that a shell in the partition reads.
  for (const [option, text] of [["--name", name], ["--address", address], ["--gateway", gateway ?? "0"]] as const) if (!/^[A-Za-z0-9][A-Za-z0-9.:_-]*$/.test(text)) throw new OlpmError("invalid-argument", `${option}: "${text}" has characters that do not belong there.`);
  if (!/^\d{1,3}$/.test(prefix ?? "")) throw new OlpmError("invalid-argument", "--address is an address with its prefix: 192.0.2.100/24.");
  const disk = await findDisk(config, hardware, wanted);
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "olpm-disk-"));
  try {
    const target = targetOptions(hardware, disk);
    const inside = [`nsenter`, `--net=/run/netns/${hardware.namespace}`, "--"] as const;
    if (!words.has("--overwrite")) {
      const look = path.join(scratch, "look");
      await run([...inside, "qemu-img", "dd", "-O", "raw", `bs=${LOOK_BYTES}`, "count=1", "--image-opts", `if=${target}`, `of=${look}`], { deadlineMs: WRITE_MS_MAX });
      if (fs.readFileSync(look).some((byte) => byte !== 0)) throw new OlpmError("conflict", `${wanted} (${disk.lun}) has data on it; nothing was written.`, { action: "Make sure that no partition, here or elsewhere, uses it; --overwrite writes all the same." });
    }
    const copy = path.join(scratch, "root.img");
    await run(["cp", "--sparse=always", words.value("--image") ?? IMAGE, copy], { deadlineMs: WRITE_MS_MAX });
    const conf = path.join(scratch, "partition.conf");
    fs.writeFileSync(conf, `NAME=${name}\nADDRESS=${address}\nPREFIX=${prefix}\n${gateway === undefined ? "" : `GATEWAY=${gateway}\n`}`);
    await run(["debugfs", "-w", "-f", "-", copy], { input: `rm /etc/openlpm/partition.conf\nwrite ${conf} /etc/openlpm/partition.conf\nsif /etc/openlpm/partition.conf mode 0100644\n` });
    await run([...inside, "qemu-img", "convert", "-n", "-f", "raw", "--target-image-opts", copy, target], { deadlineMs: WRITE_MS_MAX });
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
  process.stdout.write(`${wanted} (${disk.lun}) holds the root file system of ${name}, ${address}/${prefix}\n`);
  return 0;
}

type Disk = { readonly lun: string; readonly portal: string; readonly target: string; readonly lunNumber: number };

async function findDisk(config: SystemConfig, hardware: ViosHardware, wanted: string): Promise<Disk> {
  const socket = await connectUnix(path.join(config.runDir, `v${hardware.lparId}`, "vios.sock")).catch((cause: unknown) => {
    throw new OlpmError("wrong-state", `The Virtual I/O Server ${hardware.name} does not run.`, { cause, action: `Activate it: chsysstate -m ${config.name} -r lpar -o on -n ${hardware.name}.` });
  });
  const peer = new RpcPeer(socket, { self: "openlpm disk", caller: `vios:${hardware.name}`, log: silentLogger, silenceMsMax: 0 });
  try {
    const { devices } = await peer.client(systemVios).call("vios.status", {});
    const disk = devices.disks.find((one) => one.name === wanted && one.state === "available");
    if (!disk) throw new OlpmError("not-found", `${hardware.name} sees no disk ${wanted}.`, { action: `It sees ${devices.disks.filter((one) => one.state === "available").map((one) => one.name).join(", ") || "none: check the portals in the configuration"}.` });
    const target = devices.targets.find((one) => one.lun === disk.lun);
    if (target) throw new OlpmError("conflict", `${wanted} (${disk.lun}) is mapped to a partition as ${target.name}; nothing was written.`);
    return disk;
  } finally {
    peer.destroy();
  }
}

/** As qemu-img(1) wants it; a comma in a value is doubled. */
const targetOptions = ({ san }: ViosHardware, disk: Disk): string =>
  ["driver=raw", "file.driver=iscsi", "file.transport=tcp", `file.portal=${quoted(disk.portal)}`, `file.target=${quoted(disk.target)}`, `file.lun=${disk.lunNumber}`, `file.initiator-name=${quoted(san.initiatorName)}`].join(",");
const quoted = (text: string): string => text.replaceAll(",", ",,");
