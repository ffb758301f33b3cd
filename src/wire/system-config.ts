/** Configuration file of a managed system process (YAML). The descriptions are the manual: docs/operate.md prints them. */
import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LparId, SlotNumber, VlanId } from "../model/ids.js";
import { ConvergencePolicy } from "../model/migration.js";
import { Mtms, SystemName } from "../model/system.js";
import { ADDITIONAL_VLANS_MAX, LparName } from "../model/lpar.js";

export const SYSTEM_CONFIG_FILE = "/etc/openlpm/system.yaml";
export const TLS_DIR = "/etc/openlpm/tls";

export const NativeDir = z
  .string()
  .nullable()
  .default(null)
  .transform((dir) => dir ?? fileURLToPath(new URL("../../../native/build", import.meta.url)))
  .describe("the native programs; null: those of this installation");
export const Port = z.number().int().min(0).max(65535);
/** Files of one certificate; by default those that `openlpm init` and `openlpm join` write. */
export const TlsKeys = (certificate?: string) => {
  const files = z.strictObject({ ca: z.string(), cert: z.string(), key: z.string() });
  return certificate === undefined ? files : files.default({ ca: `${TLS_DIR}/ca.crt`, cert: `${TLS_DIR}/${certificate}.crt`, key: `${TLS_DIR}/${certificate}.key` });
};
/** Kernel names of network interfaces: at most 15 bytes, no blank, no slash. */
const InterfaceName = z.string().regex(/^[^\s/:]{1,15}$/, "an interface's name has 1 to 15 characters without blanks, / and :");

/** ADDRESS/PREFIX of either family. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix = "", ...more] = text.split("/");
  const bits = { 4: 32, 6: 128, 0: -1 }[isIP(address) as 0 | 4 | 6];
  return more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}

/** A network adapter that a VIOS owns, made from one of the host's. */
export const ViosInterface = z.strictObject({
  name: InterfaceName.describe("its name in the VIOS's namespace"),
  from: InterfaceName.describe("the host's interface, or the host's bridge"),
  kind: z.enum(["move", "bridge", "macvlan"]).describe("`move`: the host's adapter itself, which the host gives up while the VIOS has it; `bridge`: a port of the host's bridge `from`; `macvlan`: beside the host on its adapter (for the SAN only: it carries no other addresses than its own, so that no partition behind it would be heard)"),
  address: z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, "an address with its prefix: 10.9.1.21/24").nullable().default(null).describe("address with prefix, for the SAN's side; the uplink has none, since the VIOS puts its own on the shared Ethernet adapter"),
  mtu: z.number().int().min(1280).max(65535).nullable().default(null).describe("octets in a frame; null: as it is"),
});
export type ViosInterface = z.infer<typeof ViosInterface>;

const Sea = z.strictObject({
  vswitch: z.string(),
  vlanIds: z.array(VlanId).min(1).max(1 + ADDITIONAL_VLANS_MAX).refine((ids) => new Set(ids).size === ids.length, "a VLAN is there twice"),
  trunkSlot: SlotNumber,
  trunkPriority: z.number().int().min(1).max(15),
  uplink: InterfaceName.nullable().default(null),
});

/** The physical side of a VIOS: what no profile can say. The partition itself is defined at first start from this. */
export const ViosHardware = z.strictObject({
  lparId: LparId.describe("partition ID"),
  name: LparName.describe("partition name, as in its certificate (`vios:SYSTEM/NAME`)"),
  namespace: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "a namespace's name has 1 to 64 letters, digits, `.`, `_` and `-`").describe("network namespace of the VIOS (`ip netns`), made when it is not there"),
  interfaces: z.array(ViosInterface).default([]).describe("its physical adapters, put into the namespace before it starts; empty: somebody else puts them there"),
  san: z.strictObject({
    portals: z.array(z.string().regex(/^.+:\d+$/, "a portal is ADDRESS:PORT, for example 10.9.1.1:3260")).describe("iSCSI portals of the array, ADDRESS:PORT"),
    initiatorName: z.string().regex(/^(iqn|eui|naa)\./, "an initiator's name begins with iqn., eui. or naa.").describe("the name by which the array knows this VIOS"),
  }),
  uplink: InterfaceName.describe("the interface to the LAN, by its name in the namespace; the shared Ethernet adapter bridges it to the virtual switch"),
  address: z.string().describe("the VIOS's own address on the LAN, where its mover listens"),
  prefix: z.number().int().min(0).max(128).describe("prefix length of that address"),
  sea: z
    .preprocess((given) => (given === undefined || Array.isArray(given) ? given : [given]), z.array(Sea).min(1))
    .describe("shared Ethernet adapters, one or a list of them: `vswitch`; `vlanIds`, the first without tags on the uplink and the others with 802.1Q tags; `trunkSlot` (virtual slot of its trunk adapter); `trunkPriority` (of the VIOSes with one VLAN that run, the lowest carries the traffic); `uplink` (null: the VIOS's; two shared Ethernet adapters have different ones). The first one has the VIOS's own address on its first VLAN"),
  msp: z.boolean().default(true).describe("is a mover service partition"),
  moverPort: Port.default(4420).describe("port of its mover"),
  moverConcurrentMax: z.number().int().min(1).default(4).describe("migrations that its mover carries at the same time"),
  moverTrusted: z.array(z.string().refine(isNetwork, "a network is ADDRESS/PREFIX, for example 10.9.2.0/24")).default([]).describe("networks whose links need no encryption: a mover in one of them, which trusts ours as well, carries partitions' state in the clear (docs/mover.md); the movers authenticate each other all the same"),
  tls: TlsKeys().describe("files of its certificate: `ca`, `cert`, `key`"),
}).superRefine((vios, context) => {
  const issue = (path: PropertyKey[], message: string) => context.addIssue({ code: "custom", path, message });
  const all = vios.sea.map((one, index) => ({ name: one.uplink ?? vios.uplink, path: one.uplink === null ? ["uplink"] : ["sea", index, "uplink"] }));
  vios.sea.forEach((one, index) => {
    const other = vios.sea.slice(0, index).find((before, at) => before.trunkSlot === one.trunkSlot || all[at]!.name === all[index]!.name || (before.vswitch === one.vswitch && before.vlanIds.some((vlanId) => one.vlanIds.includes(vlanId))));
    if (other) issue(["sea", index], "two shared Ethernet adapters have different uplinks, trunk slots and VLANs");
  });
  if (vios.interfaces.length === 0) return;
  for (const { name, path } of all) {
    const uplink = vios.interfaces.findIndex((one) => one.name === name);
    if (uplink < 0) issue(path, `${name} is none of its interfaces (${vios.interfaces.map((one) => one.name).join(", ")})`);
    else if (vios.interfaces[uplink]!.kind === "macvlan") issue(["interfaces", uplink, "kind"], "the uplink can not be a macvlan, since no partition behind it would be heard; use move or bridge");
    else if (vios.interfaces[uplink]!.address !== null) issue(["interfaces", uplink, "address"], "the uplink has no address of its own; the key address of the Virtual I/O Server is put on its shared Ethernet adapter");
  }
});
export type ViosHardware = z.infer<typeof ViosHardware>;

export const SystemConfig = z.strictObject({
  name: SystemName.describe("name of the managed system, as in its certificate (`system:NAME`); `-m` of every command"),
  mtms: Mtms.describe("machine type and model (`typeModel`, 9009-42A) and serial number (`serial`, seven characters) as the HMC shows them; different for each host"),
  stateDir: z.string().default("/var/lib/openlpm/system").describe("durable: database, logs, partitions' console logs; 0700"),
  runDir: z.string().default("/run/openlpm/system").describe("sockets and pids; a short path, since a socket's path has at most 107 bytes"),
  namespace: z.string().nullable().default(null).describe("network namespace for virtual switches; null: the process's own"),
  listen: z.strictObject({ host: z.string(), port: Port.default(4410) }).describe("`host` and `port` for consoles and other systems (mutual TLS); an address that they can reach, not 0.0.0.0"),
  tls: TlsKeys("system").describe("the authority's certificate, and this system's certificate and key"),
  memoryBytes: z.number().int().min(1 << 28).describe("memory that partitions may have together"),
  lmbBytes: z
    .number()
    .int()
    .positive()
    .refine((bytes) => bytes % (256 << 20) === 0, "a multiple of 268435456 (256 MiB), the memory block of QEMU's pseries machine")
    .default(256 << 20)
    .describe("size of a logical memory block, a multiple of 256 MiB"),
  processors: z.number().int().min(1).describe("processors that partitions may have together"),
  image: z.strictObject({ kernel: z.string(), initrd: z.string() }).default({ kernel: "/var/lib/openlpm/image/vmlinux", initrd: "/var/lib/openlpm/image/initrd.gz" }).describe("what partitions boot (`kernel`, `initrd`); their root file system is on their LUN"),
  accelerator: z.enum(["auto", "tcg", "kvm"]).default("auto").describe("`auto`: KVM when a test boot succeeds, otherwise emulation; or `kvm`, `tcg`"),
  vswitches: z.array(z.string()).default(["ETHERNET0"]).describe("virtual switches made at the first start"),
  migrationsMax: z.number().int().min(1).default(8).describe("migrations at the same time, in and out"),
  migration: ConvergencePolicy.default(ConvergencePolicy.parse({})).describe("how a copy comes to its end (docs/performance.md): `downtimeMs`, the stop into which the rest has to fit; `throttle`, how far a partition that changes its memory too fast is slowed down (`initialPercent`, `stepPercent`, `maxPercent`; null: never); `stallRounds`, `stallSeconds` and `roundsMax`, when the migration is given up"),
  partitionUids: z
    .strictObject({ first: z.number().int().min(1000), count: z.number().int().min(1) })
    .refine(({ first, count }) => first + count <= 2 ** 31, "the range ends below 2147483648")
    .default({ first: 2_100_000_000, count: 4096 })
    .describe("numbers (`first`, `count`) from which each partition gets an account of its own, uid and gid alike, without an entry in /etc/passwd; a number that an account, a group or a range of /etc/subuid has is passed over. The default lies above those that systemd and SSSD give; systems on one host need ranges apart"),
  vioses: z.array(ViosHardware).describe("the physical side of each Virtual I/O Server"),
  viosSilenceMs: z.number().int().min(1_000).default(10_000).describe("a Virtual I/O Server that says nothing for so many ms, and then nothing again when it is asked anew, is ended: its partitions wait for the next one"),
  nativeDir: NativeDir,
  holdDir: z.string().nullable().default(null).describe("fault injection: directory with requests to wait at a point of a migration (docs/reliability.md); null: none"),
});
export type SystemConfig = z.infer<typeof SystemConfig>;
