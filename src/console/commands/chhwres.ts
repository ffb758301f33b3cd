import { taken } from "../grammar/attribute-table.js";
import { changeMemory, MEMORY_FORMS, MEMORY_RECORDS } from "./chhwres-mem.js";
import { changeProcessors, PROCESSOR_FORMS, PROCESSOR_RECORDS } from "./chhwres-proc.js";
import { changeVirtualIo, ETHERNET_CHANGE, ETHERNET_RECORD, FC_RECORD, SCSI_RECORD, SWITCH_RECORD } from "./chhwres-virtualio.js";
import type { Command } from "./command.js";
import { LPAR_OPTIONS, SYSTEM_OPTION } from "./targets.js";

/** hmc-cli 6.9; each resource has its file. */
export const chhwres: Command = {
  name: "chhwres",
  summary: "changes hardware resources: memory, processors, virtual adapters and virtual switches",
  synopsis: [
    ...MEMORY_FORMS,
    ...PROCESSOR_FORMS,
    'chhwres -r virtualio -m managed-system -o a {-p partition-name | --id partition-ID} --rsubtype {scsi | fc | eth} [-s virtual-slot] -a "attributes"',
    'chhwres -r virtualio -m managed-system -o s {-p partition-name | --id partition-ID} --rsubtype eth -s virtual-slot -a "attributes"',
    "chhwres -r virtualio -m managed-system -o r {-p partition-name | --id partition-ID} [--rsubtype {scsi | fc | eth}] -s virtual-slot [--force]",
    'chhwres -r virtualio -m managed-system -o {a | r | s} --rsubtype vswitch --vswitch name [-a "new_name=name"]',
  ],
  options: [
    {
      name: "-r",
      argument: "resource",
      help: "what to change",
      required: true,
      values: ["virtualio", "mem", "proc"],
      refusedValues: {
        io: "physical adapters belong to the Virtual I/O Servers' hosts",
        mempool: "there is no shared memory pool",
        procpool: "there is one pool of shared processors, without limits that could be set",
        sriov: "physical adapters belong to the Virtual I/O Servers' hosts",
      },
    },
    SYSTEM_OPTION,
    { name: "-o", argument: "operation", help: "a adds, r removes, s sets, m moves to another partition", required: true, values: ["a", "r", "s", "m"], refusedValues: { d: "a virtual adapter is there or not; use -o r", e: "a virtual adapter is there or not; use -o a" } },
    ...LPAR_OPTIONS,
    {
      name: "--rsubtype",
      argument: "subtype",
      help: "which kind of virtual resource",
      values: ["scsi", "fc", "eth", "vswitch"],
      refusedValues: {
        serial: "every partition has its two terminals and no others",
        vnic: "QEMU has no such adapter for partitions",
        pgdev: "there is no shared memory pool",
        adapter: "physical adapters belong to the Virtual I/O Servers' hosts",
        physport: "physical adapters belong to the Virtual I/O Servers' hosts",
        logport: "physical adapters belong to the Virtual I/O Servers' hosts",
      },
    },
    { name: "-s", argument: "virtual-slot", help: "the adapter's slot; the lowest free one without it when an adapter is added", number: { min: 2, max: 65534 } },
    { name: "-a", argument: "attributes", help: "attribute record; see ATTRIBUTES" },
    { name: "--vswitch", argument: "name", help: "the virtual switch" },
    { name: "-q", argument: "quantity", help: "MB of memory, a multiple of the logical memory block size", number: { min: 1, max: 67_108_864 } },
    { name: "--procs", argument: "number", help: "processors, virtual ones of a partition with shared processors", number: { min: 1, max: 1024 } },
    { name: "--procunits", argument: "units", help: "processing units, 0.01 at least" },
    { name: "-t", argument: "target-partition", help: "partition to move to" },
    { name: "--tid", argument: "target-ID", help: "the same, by ID", number: { min: 1, max: 65534 } },
    { name: "-l", argument: "slot", help: "physical slot", refused: "physical adapters belong to the Virtual I/O Servers' hosts" },
    { name: "--device", argument: "device", help: "paging space device", refused: "there is no shared memory pool" },
    { name: "--rpvios", argument: "partition-name", help: "redundant paging Virtual I/O Server", refused: "there is no shared memory pool" },
    { name: "--poolname", argument: "pool-name", help: "shared processor pool", refused: "there is one pool of shared processors, without limits that could be set" },
    { name: "--poolid", argument: "pool-ID", help: "the same, by ID", refused: "there is one pool of shared processors, without limits that could be set" },
    { name: "-w", argument: "minutes", help: "time for the operating system to take or give back memory and processors; 5 without it, 0 is no limit", number: { min: 0, max: 999 } },
    { name: "-d", argument: "detail-level", help: "0 leaves out what the operating system says when it refuses", number: { min: 0, max: 5 } },
    { name: "-v", argument: null, help: "messages while it runs", withoutEffect: true },
    { name: "--allownetdisrupt", argument: null, help: "takes an interruption of the network; a change of the VLAN is one", withoutEffect: true },
    { name: "--force", argument: null, help: "an adapter is removed also when target devices hang on it; memory and processors are changed also without RMC" },
  ],
  details: [
    "Memory and processors of a running partition are changed at once, between its minimum and maximum. When the operating system gives back only a part, that part is gone, the message says how much, and the status is 1.",
    "Server adapters of a Virtual I/O Server are added and removed while it runs. QEMU's virtual I/O bus takes no adapter while a partition runs: adapters of a client partition are added and removed while it is not activated. The VLAN and the virtual switch of its Ethernet adapters can be set at any time.",
    "What is changed here is the current configuration; a profile is changed with chsyscfg -r prof, or follows by sync_curr_profile=1.",
    'Examples:\nchhwres -r mem -m ms01 -o a -p db01 -q 256\nchhwres -r proc -m ms01 -o r -p db01 --procs 1 --procunits 0.5\nchhwres -r proc -m ms01 -o s -p db01 -a "sharing_mode=uncap,uncap_weight=200"\nchhwres -r virtualio -m ms01 -o a -p vios1 --rsubtype scsi -s 12 -a "adapter_type=server,remote_lpar_name=db01,remote_slot_num=2"\nchhwres -r virtualio -m ms01 -o a -p batch02 --rsubtype eth -a "port_vlan_id=1"\nchhwres -r virtualio -m ms01 -o s -p db01 --rsubtype eth -s 3 -a "port_vlan_id=30"\nchhwres -r virtualio -m ms01 -o r -p vios1 -s 11\nchhwres -r virtualio -m ms01 -o a --rsubtype vswitch --vswitch backup',
  ],
  attributes: [
    ...MEMORY_RECORDS,
    ...PROCESSOR_RECORDS,
    taken("chhwres -r virtualio --rsubtype scsi -o a", SCSI_RECORD),
    taken("chhwres -r virtualio --rsubtype fc -o a", FC_RECORD),
    taken("chhwres -r virtualio --rsubtype eth -o a", ETHERNET_RECORD),
    taken("chhwres -r virtualio --rsubtype eth -o s", ETHERNET_CHANGE),
    taken("chhwres -r virtualio --rsubtype vswitch", SWITCH_RECORD),
  ],
  run: async (options, context) => {
    const resource = options.get("-r")!;
    if (resource === "mem") return changeMemory(options, context);
    if (resource === "proc") return changeProcessors(options, context);
    return changeVirtualIo(options, context);
  },
};
