import assert from "node:assert/strict";
import test from "node:test";
import { VirtualFcAdapter } from "../../model/lpar.js";
import { NO_PROGRESS } from "../../model/migration.js";
import type { ValidationResult } from "../contract.js";
import { fakeConsole, fakeSystems, type FakeSystem } from "../../testkit/fake-console.js";
import { migrationRecord } from "../../testkit/migration-record.js";
import { COMMANDS, runCommand } from "./index.js";

const VALIDATION: ValidationResult = {
  findings: [],
  type: "active",
  possibleScsi: [{ clientSlot: 2, viosName: "vios2", viosLparId: 1 }, { clientSlot: 2, viosName: "vios3", viosLparId: 2 }],
  suggestedScsi: [{ clientSlot: 2, viosName: "vios2", viosLparId: 1, why: "" }],
  possibleFc: [{ clientSlot: 30, viosName: "vios2", viosLparId: 1, port: "fcs0" }, { clientSlot: 30, viosName: "vios3", viosLparId: 2, port: "fcs0" }],
  suggestedFc: [{ clientSlot: 30, viosName: "vios2", viosLparId: 1, port: "fcs0" }],
  possibleMsps: [
    { sourceMspLparId: 1, sourceMspName: "vios1", sourceMspAddress: "10.0.0.11", destMspLparId: 1, destMspName: "vios2", destMspAddress: "10.0.0.12" },
    { sourceMspLparId: 1, sourceMspName: "vios1", sourceMspAddress: "10.0.0.11", destMspLparId: 2, destMspName: "vios3", destMspAddress: "10.0.0.13" },
  ],
};
/** Runs one command line of words without blanks on a fresh console. */
async function run(line: string, change: (systems: [FakeSystem, FakeSystem]) => void = () => undefined) {
  const systems = fakeSystems();
  change(systems);
  const console = fakeConsole(systems, VALIDATION);
  const status = await runCommand(line.split(" "), console.context);
  return { status, ...console.take(), systems };
}

const PROFILE_HEAD = "all_resources=0,min_mem=256,desired_mem=512,max_mem=1024,mem_mode=ded";
const PROFILE_TAIL = "virtual_fc_adapters=none,hca_adapters=none,boot_mode=norm,conn_monitoring=0,auto_start=0,power_ctrl_lpar_ids=none,work_group_id=none,redundant_err_path_reporting=0,lpar_proc_compat_mode=default";

/** Command lines of hmc-cli section 10 and others, with the whole of their output. */
const LISTINGS: readonly [string, string][] = [
  ["lssyscfg -r sys -F name,state,type_model,serial_num", "ms01,Operating,9009-42A,7800A01\nms02,Operating,9009-42A,7800A02\n"],
  ["lssyscfg -r sys -m ms01 -F lpar_proc_compat_modes", '"default,POWER8,POWER9_base,POWER9"\n'],
  ["lssyscfg -r sys -m 9009-42A*7800A02 -F name:sys_time", 'ms02:"11/24/2026 12:00:00"\n'],
  ["lssyscfg -r lpar -m ms01 -F name", "vios1\ndb01\nbatch02\n"],
  ["lssyscfg -r lpar -m ms01 -F name:state", "vios1:Running\ndb01:Running\nbatch02:Not Activated\n"],
  ["lssyscfg -r lpar -m ms01 -F name state", 'vios1 Running\ndb01 Running\nbatch02 "Not Activated"\n'],
  ["lssyscfg -r lpar -m ms01 -F name,lpar_id,state,rmc_state --header", "name,lpar_id,state,rmc_state\nvios1,1,Running,active\ndb01,3,Running,active\nbatch02,4,Not Activated,inactive\n"],
  ["lssyscfg -r lpar -m ms01 -F name,msp,curr_profile", "vios1,1,default\ndb01,null,normal\nbatch02,null,\n"],
  ["lssyscfg --filter lpar_ids=4,3 -F lpar_id -m ms01 -r lpar", "3\n4\n"],
  ["lssyscfg -r lpar -m ms01 --filter work_groups=7", "No results were found.\n"],
  [
    "lssyscfg -r lpar -m ms01 --filter lpar_names=db01",
    "name=db01,lpar_id=3,lpar_env=aixlinux,state=Running,resource_config=1,os_version=Linux/Debian GNU/Linux 13 6.12.0,logical_serial_num=7800A013,default_profile=normal,curr_profile=normal,work_group_id=none,shared_proc_pool_util_auth=1,allow_perf_collection=1,power_ctrl_lpar_ids=none,boot_mode=norm,lpar_keylock=norm,auto_start=0,redundant_err_path_reporting=0,rmc_state=active,rmc_ipaddr=10.0.0.21,time_ref=0,lpar_avail_priority=127,desired_lpar_proc_compat_mode=default,curr_lpar_proc_compat_mode=POWER9,suspend_capable=0,remote_restart_capable=0,simplified_remote_restart_capable=0,migration_disabled=0,sync_curr_profile=0,affinity_group_id=none,vtpm_enabled=0\n",
  ],
  [
    "lssyscfg -r prof -m ms01 --filter lpar_names=db01",
    `name=normal,lpar_name=db01,lpar_id=3,lpar_env=aixlinux,${PROFILE_HEAD},proc_mode=shared,min_proc_units=0.05,desired_proc_units=0.5,max_proc_units=2.0,min_procs=1,desired_procs=2,max_procs=4,sharing_mode=uncap,uncap_weight=128,shared_proc_pool_id=0,shared_proc_pool_name=DefaultPool,affinity_group_id=none,io_slots=none,lpar_io_pool_ids=none,max_virtual_slots=40,"virtual_serial_adapters=0/server/1/any//any/1,1/server/1/any//any/1",virtual_scsi_adapters=2/client/1/vios1/10/1,"virtual_eth_adapters=3/0/1//0/0/ETHERNET0/02AABB000103/all/none,""4/1/10/20,30/0/0/ETHERNET0/02AABB000104/all/none""",${PROFILE_TAIL}\n`,
  ],
  ["lssyscfg -r prof -m ms01 --filter profile_names=big -F lpar_name,proc_mode,desired_proc_units,sharing_mode", "batch02,ded,null,keep_idle_procs\n"],
  ["lssyscfg -r sysprof -m ms01", 'name=night,"lpar_names=db01,batch02","profile_names=normal,big"\n'],
  ["lssyscfg -r sysprof -m ms02", "No results were found.\n"],
  ["lssyscfg -r sysprof -m ms01 --filter profile_names=night -F name:lpar_ids", "night:3,4\n"],
  ["lssyscfg -r frame", "No results were found.\n"],
  ["lssyscfg -r cage -e f1", "No results were found.\n"],
  ["lssyscfg -r lpar -m ms01 --osrefresh -F name,kvm_capable,vtpm_version --filter lpar_ids=3", "db01,0,null\n"],
  [
    "lssyscfg -r sys -m ms01",
    'name=ms01,type_model=9009-42A,serial_num=7800A01,ipaddr=10.0.0.1,state=Operating,detailed_state=None,sys_time=11/24/2026 12:00:00,power_off_policy=0,active_lpar_mobility_capable=1,inactive_lpar_mobility_capable=1,active_lpar_share_idle_procs_capable=0,active_mem_expansion_capable=0,hardware_active_mem_expansion_capable=0,active_mem_sharing_capable=0,addr_broadcast_perf_policy_capable=0,bsr_capable=0,cod_mem_capable=0,cod_proc_capable=0,dynamic_platform_optimization_capable=0,electronic_err_reporting_capable=0,firmware_power_saver_capable=0,hardware_power_saver_capable=0,hardware_discovery_capable=0,hca_capable=0,huge_page_mem_capable=0,lhea_capable=0,lpar_avail_priority_capable=0,lpar_proc_compat_mode_capable=1,lpar_remote_restart_capable=0,powervm_lpar_remote_restart_capable=0,lpar_suspend_capable=0,micro_lpar_capable=1,os400_capable=0,redundant_err_path_reporting_capable=0,shared_eth_failover_capable=1,sni_msg_passing_capable=0,sp_failover_capable=0,vet_activation_capable=0,virtual_fc_capable=1,virtual_io_server_capable=1,virtual_switch_capable=1,vsn_phase2_capable=0,vsi_on_veth_capable=0,max_lpars=256,power_on_lpar_start_policy=autostart,"lpar_proc_compat_modes=default,POWER8,POWER9_base,POWER9"\n',
  ],
  ["lshwres -r mem -m ms01 --level sys", "configurable_sys_mem=8192,curr_avail_sys_mem=7168,pend_avail_sys_mem=7168,installed_sys_mem=8192,deconfig_sys_mem=0,sys_firmware_mem=0,mem_region_size=256,configurable_num_sys_huge_pages=0,curr_avail_num_sys_huge_pages=0,pend_avail_num_sys_huge_pages=0\n"],
  ["lshwres -m ms01 -r mem --level lpar -F curr_mem --filter lpar_ids=3", "512\n"],
  ["lshwres -m ms01 -r mem --level lpar --filter lpar_names=batch02", "lpar_name=batch02,lpar_id=4,curr_min_mem=0,curr_mem=0,curr_max_mem=0,pend_min_mem=256,pend_mem=512,pend_max_mem=1024,run_min_mem=0,run_mem=0,mem_mode=ded\n"],
  ["lshwres -r proc -m ms01 --level sys", "configurable_sys_proc_units=4.0,curr_avail_sys_proc_units=3.0,pend_avail_sys_proc_units=3.0,installed_sys_proc_units=4.0,deconfig_sys_proc_units=0.0,min_proc_units_per_virtual_proc=0.05,curr_sys_virtual_procs=4,max_virtual_procs_per_lpar=8\n"],
  ["lshwres -r proc -m ms01 --level lpar --filter lpar_names=batch02", "lpar_name=batch02,lpar_id=4,curr_min_procs=0,curr_procs=0,curr_max_procs=0,pend_proc_mode=ded,pend_min_procs=1,pend_procs=1,pend_max_procs=2,pend_sharing_mode=keep_idle_procs,run_procs=0\n"],
  ["lshwres -r proc -m ms01 --level lpar -F lpar_name,curr_proc_mode,curr_proc_units", "vios1,shared,0.5\ndb01,shared,0.5\nbatch02,null,null\n"],
  ["lshwres -r procpool -m ms01 -F shared_proc_pool_id,lpar_names,max_pool_proc_units", '0,"vios1,db01",null\n'],
  [
    "lshwres -r virtualio --rsubtype scsi --level lpar -m ms01",
    "lpar_name=vios1,lpar_id=1,slot_num=10,state=1,is_required=0,adapter_type=server,remote_lpar_id=3,remote_lpar_name=db01,remote_slot_num=2,backing_devices=0x8100000000000000//naa.600a\nlpar_name=vios1,lpar_id=1,slot_num=11,state=0,is_required=0,adapter_type=server,remote_lpar_id=any,remote_lpar_name=,remote_slot_num=any,backing_devices=none\nlpar_name=db01,lpar_id=3,slot_num=2,state=1,is_required=1,adapter_type=client,remote_lpar_id=1,remote_lpar_name=vios1,remote_slot_num=10\n",
  ],
  ["lshwres -r virtualio --rsubtype scsi -F remote_slot_num --filter lpar_names=db01 -m ms01", "10\n"],
  ["lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter lpar_ids=3,slots=4", 'lpar_name=db01,lpar_id=3,slot_num=4,state=1,is_required=0,is_trunk=0,ieee_virtual_eth=1,port_vlan_id=10,vswitch=ETHERNET0,"addl_vlan_ids=20,30",mac_addr=02AABB000104,allowed_os_mac_addrs=all,qos_priority=none\n'],
  ["lshwres -r virtualio --rsubtype slot --level lpar -m ms01 --filter lpar_names=db01", "lpar_name=db01,lpar_id=3,curr_max_virtual_slots=40,pend_max_virtual_slots=40,next_avail_virtual_slot=5\n"],
  ["lshwres -r virtualio --rsubtype slot --level slot -m ms01 --filter slots=2", "slot_num=2,lpar_name=db01,lpar_id=3,config=scsi,state=1,drc_name=U9009.42A.7800A01-V3-C2\n"],
  ["lshwres -r virtualio --rsubtype vswitch -m ms01", 'vswitch=ETHERNET0,switch_mode=VEB,"vlan_ids=1,10,20,30","lpar_names=vios1,db01"\n'],
  ["lshwres -r virtualio --rsubtype vnetwork -m ms01 --filter vlans=10,20 -F vnetwork,is_tagged", "VLAN10-ETHERNET0,0\nVLAN20-ETHERNET0,1\n"],
  ["lshwres -r virtualio --rsubtype eth --level lpar -m ms01 --filter vlans=10 -F lpar_name,slot_num,drc_name", "db01,4,U9009.42A.7800A01-V3-C4\n"],
  ["lshwres -r virtualio --rsubtype fc --level lpar -m ms01 -F lpar_name,slot_num,wwpns", "No results were found.\n"],
  ["lshwres -r virtualio --rsubtype vnic --filter lpar_names=db01 -m ms01 -F slot_num:is_disabled", "No results were found.\n"],
  ["lshwres -r io --rsubtype slot -m ms01 -F drc_index:drc_name:lpar_name", "No results were found.\n"],
  ["lshwres -m ms01 -r mempool", "No results were found.\n"],
  ["lshwres -m ms01 -r mempool --rsubtype pgdev", "No results were found.\n"],
  ["lshwres -m ms01 -r mem --level lpar -R", "No results were found.\n"],
  ["lshwres -r procpool -m ms01 --filter pool_ids=1", "No results were found.\n"],
  ["lshwres -m ms01 -r sriov --rsubtype adapter -F phys_loc:adapter_id", "No results were found.\n"],
  ["lslparmigr -r sys -m ms01 -F num_inactive_migrations_supported,num_active_migrations_supported,num_inactive_migrations_in_progress,num_active_migrations_in_progress", "16,8,0,0\n"],
  ["lslparmigr -r lpar -m ms01", "name=vios1,lpar_id=1,migration_state=Not Migrating\nname=db01,lpar_id=3,migration_state=Not Migrating\nname=batch02,lpar_id=4,migration_state=Not Migrating\n"],
  ["lslparmigr -r lpar -m ms01 -t ms02 -p db01", "name=db01,lpar_id=3,migration_state=Not Migrating\n"],
  ["lslparmigr -r msp -m ms01 -t ms02 --filter lpar_names=db01", 'source_msp_name=vios1,source_msp_id=1,"dest_msp_names=vios2,vios3","dest_msp_ids=1,2","ipaddr_mappings=10.0.0.11//1/vios2/10.0.0.12,10.0.0.11//2/vios3/10.0.0.13"\n'],
  ["lslparmigr -r virtualio -m ms01 -t ms02 --filter lpar_ids=3", '"possible_virtual_scsi_mappings=2/vios2/1,2/vios3/2",suggested_virtual_scsi_mappings=2/vios2/1,"possible_virtual_fc_mappings=30/vios2/1,30/vios3/2",suggested_virtual_fc_mappings=30/vios2/1\n'],
  ["lslparmigr -r procpool -m ms01 -t ms02 --filter lpar_ids=3 -F shared_proc_pool_ids", "0\n"],
  [
    "lshmcusr --filter names=hscroot",
    "name=hscroot,taskrole=hmcsuperadmin,description=HMC Super User,pwage=99999,resourcerole=ALL:,authentication_type=local,remote_webui_access=0,remote_ssh_access=1,min_pwage=0,session_timeout=0,verify_timeout=0,idle_timeout=0,inactivity_expiration=0,resources=<ResourceID = ALL:><UserDefinedName = AllSystemResources>,password_encryption=scrypt,disabled=0\n",
  ],
  ["lshmcusr --filter taskroles=hmcoperator -F name:description:pwage", "operator1:first, and second shift:90\n"],
  ["lshmcusr --filter names=nobody", "No results were found.\n"],
  ["lshmcusr -t default -F pwage,remote_ssh_access", "99999,1\n"],
  ["lsled -r sa -t virtuallpar -m ms01 --filter lpar_ids=3 -F lpar_id,state", "No results were found.\n"],
  ["lssysconn -r all", "resource_type=sys,type_model_serial_num=9009-42A*7800A01,sp=unavailable,side=unavailable,ipaddr=10.0.0.1,alt_ipaddr=unavailable,state=Connected\nresource_type=sys,type_model_serial_num=9009-42A*7800A02,sp=unavailable,side=unavailable,ipaddr=10.0.0.1,alt_ipaddr=unavailable,state=Connected\n"],
  ["chhmc -c ssh -s enable", ""],
  ["lshmc -n -F hostname,gateway", "hmc1,null\n"],
  ["lshmc -V", '"version= Version: 10\n Release: 3\n Service Pack: 1060\nHMC Build level 0.1.0\n","base_version=V10R3\n"\n'],
  ["lshmc -n -F hostname:ipaddr", "hmc1:10.0.0.5,10.1.0.5\n"],
  ["lshmc -r", "ssh=enable,sshprotocol=2\n"],
  ["lsrefcode -m ms01 -r lpar --filter lpar_names=db01 -F refcode", "Linux ppc64le\n"],
  ["lsrefcode -m ms01 -r lpar --filter lpar_names=batch02 -F refcode", "\n"],
  ["lsrefcode -r sys -m ms01 -s p", "refcode_num=0,refcode=\n"],
  ["lspartition -dlpar", "<#0> Partition:<1*9009-42A*7800A01, vios1, 10.0.0.11>\n       Active:<1>, OS:<Unknown, >, DCaps:<0x0>\n<#1> Partition:<3*9009-42A*7800A01, db01, 10.0.0.21>\n       Active:<1>, OS:<Linux, Debian GNU/Linux 13 6.12.0>, DCaps:<0x3>\n<#2> Partition:<1*9009-42A*7800A02, vios2, 10.0.0.12>\n       Active:<1>, OS:<Unknown, >, DCaps:<0x0>\n"],
];
for (const [line, expected] of LISTINGS)
  test(line, async () => {
    const { status, out, err } = await run(line);
    assert.deepEqual({ status, out, err }, { status: 0, out: expected, err: "" });
  });

test("virtual Fibre Channel adapters: both sides, the pair in quotes, and what is left of the system's names", async () => {
  const pair = ["c05076aabbcc0000", "c05076aabbcc0001"];
  const printed = async (line: string) =>
    (
      await run(line, ([{ lpars, view }]) => {
        const [vios1, db01] = lpars.map((lpar) => lpar.definition);
        vios1!.current!.fc = VirtualFcAdapter.array().parse([{ slot: 30, role: "server", remoteLparId: 3, remoteSlot: 5, required: false, wwpns: null }]);
        db01!.current!.fc = db01!.profiles[0]!.resources.fc = VirtualFcAdapter.array().parse([{ slot: 5, role: "client", remoteLparId: 1, remoteSlot: 30, required: true, wwpns: pair }]);
        view!.wwpns = { prefix: "c05076aabbcc", remaining: 65534 };
      })
    ).out;
  assert.equal(
    await printed("lshwres -r virtualio --rsubtype fc --level lpar -m ms01"),
    `lpar_name=vios1,lpar_id=1,slot_num=30,adapter_type=server,state=1,is_required=0,remote_lpar_id=3,remote_lpar_name=db01,remote_slot_num=5\nlpar_name=db01,lpar_id=3,slot_num=5,adapter_type=client,state=1,is_required=1,remote_lpar_id=1,remote_lpar_name=vios1,remote_slot_num=30,"wwpns=${pair.join(",")}"\n`,
  );
  assert.equal(await printed("lshwres -r virtualio --rsubtype fc --level lpar -m ms01 -F lpar_name,slot_num,wwpns"), `vios1,30,null\ndb01,5,"${pair.join(",")}"\n`);
  assert.equal(await printed("lshwres -r virtualio --rsubtype fc --level sys -m ms01"), "num_wwpns_remaining=65534,wwpn_prefix=c05076aabbcc\n");
  assert.equal(await printed("lssyscfg -r prof -m ms01 --filter lpar_names=db01 -F virtual_fc_adapters"), `"""5/client/1/vios1/30/${pair.join(",")}/1"""\n`);
  assert.equal(await printed("lshwres -r virtualio --rsubtype slot --level slot -m ms01 --filter lpar_names=db01,slots=5 -F slot_num,config"), "5,fc\n");
  assert.equal(await printed("lshwres -r virtualio --rsubtype scsi -m ms01 --filter lpar_names=db01 -F slot_num"), "2\n");
});

test("what can not be listed is said on standard error, with status 1", async () => {
  const cases: [string, RegExp][] = [
    ["lssyscfg -r lpar -m ms01 --filter lpar_names=x", /^HSCL8012 The partition named x was not found\.\n$/],
    ["lssyscfg -r prof -m ms01 --filter lpar_names=db01,profile_names=x", /^HSCL8016 /],
    ["lssyscfg -r lpar -m nowhere", /^HSCL8018 The managed system nowhere was not found\.\n$/],
    ["lssyscfg -r lpar", /either missing .* parameter is -m\./],
    ["lssyscfg -r lpar -m ms01 -F UUID", /invalid attribute is UUID\./],
    ["lssyscfg -r lpar -m ms01 --filter lpar_names=db01,lpar_ids=3", /exclude each other/],
    ["lshwres -r virtualio -m ms01", /parameter is --rsubtype\./],
    ["lshwres -r virtualio --rsubtype rsdev -m ms01", /parameter is --rsubtype\./],
    ["lshwres -r virtualio --rsubtype eth -m ms01 --level pool", /parameter is --level\./],
    ["lshwres -r virtualio --rsubtype eth -m ms01 --filter slots=a", /value a of the filter slots is not a number/],
    ["lshwres -r virtualio --rsubtype fc -m ms01 --filter lpar_names=x", /^HSCL8012 /],
    ["lshwres -r io --rsubtype slot -m ms01 --header", /invalid parameter is --header\./],
    ["lshwres -r mem -m ms01 --filter slots=3 --level lpar", /invalid filter is slots\./],
    ["lshwres -r mem -m ms01 --level lpar --stat --filter lpar_ids=3", /no shared memory pool/],
    ["lshwres -r mem -m ms01", /parameter is --level\./],
    ["lssyscfg -r sysprof -m ms01 --filter profile_names=x", /^HSCL8016 /],
    ["lssyscfg -r lpar -m ms01 --lastvalidcfg", /--lastvalidcfg is not supported/],
    ["lssyscfg -r lpar -m ms01 -e f1", /invalid parameter is -e\./],
    ["lsrefcode -r lpar -m ms01 -s p", /invalid parameter is -s\./],
    ["lslparmigr -r virtualio -m ms01 -t ms02", /parameter is --filter\./],
    ["lslparmigr -r virtualio -m ms01 --filter lpar_ids=3", /parameter is -t\./],
    ["lslparmigr -r virtualio -m ms01 -t ms02 --filter lpar_ids=3,4", /parameter is --filter\./],
    ["lslparmigr -r sys --ip 10.0.0.9", /^HSCL3653 The Secure Shell .* for the remote user hscroot\. Run the mkauthkeys command/],
    ["lsled -r sa -m ms01", /parameter is -t\./],
    ["chhmc -c network -s modify -h hmc2", /network of the parameter -c is not supported .* host's/],
    ["chhmc -c ssh -s disable", /ssh\.listen/],
    ["lshmc --firewall", /--firewall is not supported/],
    ["lshmc", /parameter is -V\./],
  ];
  for (const [line, expected] of cases) {
    const { status, out, err } = await run(line);
    assert.equal(status, 1, line);
    assert.equal(out, "", line);
    assert.match(err, expected, line);
  }
});

test("an unknown command", async () => {
  assert.deepEqual({ ...(await run("foo")), systems: undefined }, { status: 127, out: "", err: "-bash: foo: command not found\n", systems: undefined });
});

test("a listing is what the system says now", async () => {
  const { systems } = await run("lssyscfg -r lpar -m ms01");
  assert.deepEqual(systems.map((system) => system.refreshes), [1, 0]);
});

test("a system that can not be reached is listed without what only it knows, and its partitions are not", async () => {
  const away = ([, ms02]: [FakeSystem, FakeSystem]) => {
    ms02.connected = false;
  };
  assert.equal((await run("lssyscfg -r sys -F name:state:max_lpars", away)).out, "ms01:Operating:256\nms02:No Connection:unavailable\n");
  const { status, err } = await run("lssyscfg -r lpar -m ms02", away);
  assert.equal(status, 1);
  assert.match(err, /^HSCL0237 /);
  const never = ([, ms02]: [FakeSystem, FakeSystem]) => {
    ms02.connected = false;
    ms02.view = null;
    ms02.lpars = [];
  };
  assert.equal((await run("lssyscfg -r sys -F name,type_model,state", never)).out, "ms01,9009-42A,Operating\nms02,unavailable,No Connection\n");
});

test("a system that is off has no listings of partitions", async () => {
  const { status, err } = await run("lssyscfg -r lpar -m ms02", ([, ms02]) => {
    ms02.view = { ...ms02.view!, state: "power-off" };
  });
  assert.equal(status, 1);
  assert.match(err, /Standby or Operating state/);
});

test("lslparmigr -r lpar shows a migration from both systems, with bytes once they flow", async () => {
  const list = async (change: object, fields = "") => (await run(`lslparmigr -r lpar -m ms01 --filter lpar_names=db01${fields}`, ([ms01]) => ms01.records.push(migrationRecord(change)))).out;
  const movers = "source_msp_name=vios1,source_msp_id=1,dest_msp_name=vios2,dest_msp_id=1";
  assert.equal(await list({}), `name=db01,lpar_id=3,migration_state=Migration Starting,migration_type=active,dest_sys_name=ms02,dest_lpar_id=7,${movers}\n`);
  const copying = { phase: "copy", phaseStartedAt: { copy: "2026-11-24T12:00:01.000Z" }, progress: { ...NO_PROGRESS, bytesSent: 10485760, bytesRemaining: 2136539136 } };
  assert.equal(await list(copying), `name=db01,lpar_id=3,migration_state=Migration In Progress,migration_type=active,dest_sys_name=ms02,dest_lpar_id=7,${movers},bytes_transmitted=10485760,bytes_remaining=2136539136\n`);
  assert.equal(await list(copying, " -F openlpm_phase,openlpm_ms_remaining"), "copy,null\n");
  assert.equal(await list({ ...copying, stopRequested: true }, " -F migration_state"), "Migration Stopping\n");
  assert.equal(await list({ ...copying, status: "undoing" }, " -F migration_state"), "Migration Failed\n");
  assert.equal(await list({ role: "destination", destination: { system: "ms01", lparId: 3, mspLparId: 1, mspName: "vios1", mspAddress: null }, source: { system: "ms02", lparId: 9, mspLparId: null, mspName: null, mspAddress: null }, type: "inactive" }), "name=db01,lpar_id=3,migration_state=Migration Starting,migration_type=inactive,source_sys_name=ms02,source_lpar_id=9,dest_msp_name=vios1,dest_msp_id=1\n");
  const other = (await run("lslparmigr -r lpar -m ms01 -F name,migration_state", ([ms01]) => ms01.records.push(migrationRecord({})))).out;
  assert.equal(other, "vios1,Not Migrating\ndb01,Migration Starting\nbatch02,Not Migrating\n");
  assert.equal((await run("lslparmigr -r msp -m ms01", ([ms01]) => ms01.records.push(migrationRecord({})))).out, "lpar_name=vios1,lpar_id=1,ipaddr=10.0.0.11,num_active_migrations_supported=4,num_active_migrations_configured=4,num_active_migrations_in_progress=1\n");
  const ended = migrationRecord({ status: "succeeded", phase: "done", endedAt: "2026-11-24T12:00:02.500Z", startedAt: "2026-11-24T12:00:00.000Z", stoppedMs: 90, prediction: { totalMs: [600, 8000], stoppedMs: [20, 400], bytes: [10, 20], throttled: false, basis: { residentBytes: 1, dirtyBytesPerSecond: null, linkBytesPerSecond: 1 } } });
  assert.match((await run("lslparmigr -r history -m ms01 -F name,migration_state,total_ms,predicted_total_ms,stopped_ms,predicted_stopped_ms,error", ([ms01]) => ms01.records.push(ended, migrationRecord({})))).out, /^db01,Migration Complete,2500,600-8000,90,20-400,null\n$/);
});

test("every command explains itself, on standard output", async () => {
  for (const { name, options } of COMMANDS) {
    const { status, out, err } = await run(`${name} --help`);
    assert.equal(status, 0, name);
    assert.equal(err, "", name);
    for (const heading of ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"]) assert.ok(out.split("\n").includes(heading), `${name}: ${heading}`);
    for (const option of options) assert.ok(out.includes(`\n    ${option.name}`), `${name} ${option.name}`);
    assert.ok(out.includes(`${name} - `), name);
  }
  assert.match((await run("help")).out, /^lssyscfg {2,}lists/m);
  assert.equal((await run("help lssyscfg")).out, (await run("lssyscfg --help")).out);
  assert.equal((await run("help nothing")).status, 1);
});
