/**
 * Alarms: what our processes log at level error, by its constant message. docs/operate.md prints this table, `openlpm check` the ones of the last day; a test
 * compares it with the messages in the code.
 */
export interface Alarm {
  readonly means: string;
  readonly act: string;
}

const REPORT = "a defect of ours: the line's `err` has the rest; report it with the log";

export const ALARMS: Readonly<Record<string, Alarm>> = {
  "the partition's process ended unexpectedly": { means: "QEMU of a partition died or was killed (`stderr` has its last words); the partition is in Error, its LUNs are closed", act: "look for lack of memory on the host (`journalctl -k -g oom`); `chsysstate -r lpar -o on`" },
  "the partition's process ended while the managed system's process was away": { means: "as above, noticed at the next start of the managed system, or the host was booted", act: "`chsysstate -r lpar -o on`" },
  "a partition's process could not be adopted": { means: "at the start of the managed system a partition's run directory could not be read; the partition may run, unmanaged", act: "`err` says which file; repair that, restart openlpm-system" },
  "a process of another partition is in a partition's place": { means: "the database was brought back from a time when the ID (`lparId`) was another partition's, or nobody's: `found` runs here and is not in it. It is neither ended nor managed; no partition of that ID can be activated", act: "shut `found` down from inside, or end its process by `found.pid` when it is not needed; then `chsysstate -r lpar -o on`" },
  "an activation that was cut short could not be brought to its end": { means: "the managed system was restarted while it activated a partition, and then could not let it run; the partition is in Error", act: "`err` says why; `chsysstate -r lpar -o on`" },
  "a partition with auto_start could not be activated": { means: "after a boot of the host; `err` says why: memory, a LUN, or it was brought back from a backup", act: "repair that; `chsysstate -r lpar -o on`" },
  "cleaning up after a partition's process failed": { means: "an interface, group or directory of a partition that ended is left", act: "activate it again, which puts that right; `err` says what is in the way" },
  "a Virtual I/O Server was lost": { means: "its process ended or did not answer; its partitions wait for their disks, and one with a second path goes on", act: "`chsysstate -r lpar -o on -n VIOS`; its log beside `system.log` has its last words" },
  "a Virtual I/O Server could not be started": { means: "at the start of the managed system; `err` says why: an adapter, the array, its certificate", act: "`openlpm check`; repair that; `chsysstate -r lpar -o on -n VIOS`" },
  "a part of the Virtual I/O Server failed": { means: "`part` says which did not start: the shared Ethernet adapter, the storage or the mover; the others serve", act: "`err` says why (often an address that is in use); then shut it down and activate it again" },
  "the storage daemon ended without being asked to": { means: "the disks behind one server adapter of a VIOS (`socket`: `nbd-SLOT.sock`) stood still; it starts another daemon by itself", act: "nothing when it stays alone; when it comes again, look for lack of memory on the host and at the array's log" },
  "the storage daemon could not be replaced": { means: "the disks behind one server adapter of a VIOS (`socket`: `nbd-SLOT.sock`) stand still; it tries again by itself", act: "reach the array: `ip netns exec openlpm-VIOS ping PORTAL`; at last restart the VIOS" },
  "the gates of a Virtual I/O Server could not be put right": { means: "a VIOS that was out of reach came back and does not take orders; its disks stay as they were", act: "restart it: `chsysstate -r lpar -o shutdown --immed --restart -n VIOS`" },
  "the network could not be put right after the loss of a Virtual I/O Server": { means: "the other VIOS did not take the LAN over", act: "`err` says which interface; activating the lost one again puts it right" },
  "the trunk interface is not watched any more": { means: "the shared Ethernet adapter of a VIOS does not join trunks that come", act: "restart the VIOS" },
  "the VLAN of an adapter could not be put back": { means: "a change of an adapter failed half way; the partition may be off its VLAN", act: "repeat the change, or set the old VLAN with `chhwres -r virtualio --rsubtype eth -o s`" },
  "the end of the hand-over failed here": { means: "a migration is undecided on its source; the partition does not run here, and may run on the destination", act: "bring the destination or the link back: it is asked again; never start the partition by hand" },
  "the source went on by an operator's word; the partition is ended here": { means: "this destination was declared lost with `--force`, and is back: it ends what it has of the partition", act: "nothing: the partition is the source's (docs/recovery.md)" },
  "an owned partition could not be run": { means: "the destination owns a partition that moved and could not let it run; the partition stands still here", act: "`err` says why; restart openlpm-system, which tries again" },
  "declining was interrupted; recovery goes on with it": { means: "a destination that can not take a partition over has not yet written so", act: "nothing: it is repeated every few seconds; when it stays, `lslparmigr -r lpar` and docs/recovery.md" },
  "carrying the migration was interrupted": { means: "the source's part of a migration ended early; it is taken up again", act: "nothing when it stays alone; else `lslparmigr -r lpar` and docs/recovery.md" },
  "the source's process could not be ended yet; the clean-up tries again": { means: "the partition runs on the destination; its stopped process is left on the source", act: "nothing: it can not write; when it stays, `err` says why" },
  "the partition could not run on here yet; trying again": { means: "a move failed and the source can not yet let the partition go on: its disks or its process do not answer", act: "`lssyscfg -r lpar` for the VIOS that serves it; `chsysstate -r lpar -o on -n VIOS`" },
  "looking after the migrations has ended": { means: "this managed system does not settle migrations by itself any more", act: "restart openlpm-system; report it with the log" },
  "a migration could not be taken up after the restart": { means: "a managed system's process found a migration that it can not go on with", act: "`lslparmigr -r lpar` on both systems; `migrlpar -o r -p PARTITION`" },
  "a migration could not be taken up": { means: "a console found a migration that it can not go on with", act: "`lslparmigr -r lpar` on both systems; `migrlpar -o r -p PARTITION`" },
  "the restricted shell could not be started": { means: "lines with pipes, loops or redirections fail at the SSH door; plain commands work", act: "`bwrap --version`; `packaging/install` on the console's host" },
  "a command line failed": { means: "the SSH door could not run a line", act: REPORT },
  "a command's client failed": { means: "a command in the restricted shell ended without an answer", act: REPORT },
  "command failed": { means: "an HMC command met what it should not", act: REPORT },
  "request failed": { means: "a process could not answer another", act: REPORT },
};
