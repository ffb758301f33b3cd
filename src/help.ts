/** What `openlpm --help` and `openlpm console|system|vios --help` print. The other verbs have their help in their own rooms. */

export const HELP = `Usage: openlpm VERB [ARGUMENT...]

Live Partition Mobility on open parts. docs/operate.md takes two bare hosts to their first migration.

Begin and extend an installation
  init console       the first console, the installation's authority, the first user
  invite             a one-time code for a host or one more console
  join               bring this host in with such a code
  add                one more Virtual I/O Server for this host
  renew              renew this host's certificates (a timer does it)

Services (systemd units openlpm-console and openlpm-system)
  console            the management console (HMC): SSH door, enrolment
  system             the managed system of this host: partitions and Virtual I/O Servers
  vios               a Virtual I/O Server; its managed system starts it

Work on a host
  check              what this host needs and what runs, a line each; the first thing to do when something is wrong
  hmc                run an HMC command line at this host's console
  disk               write a partition's root file system to a LUN
  backup, restore    what this host's console and managed system are, in one file
  release            give the adapters of Virtual I/O Servers back to the host

On one machine, from a checkout
  lab, demo, bench, torture, simulate, docs, test

openlpm VERB --help explains a verb. Exit status: 0, 1 for an error with one line that says what to do, 2 for a wrong command line or configuration.
`;

export const SERVICE_HELP: Readonly<Record<string, string>> = {
  console: `Usage: openlpm console [--config FILE]

Runs a management console until SIGTERM: connects to its managed systems, takes up migrations that were left open, and opens its SSH door, and the door for
joining hosts where it keeps the authority. It holds no partition's truth: it may be ended and started at any moment, and partitions and
copies go on meanwhile. openlpm-console.service runs it.

  --config FILE   default /etc/openlpm/console.yaml; openlpm init console writes it, docs/operate.md explains each key

Files
  stateDir/users.json, ssh_host_*     users and keys (0600)
  stateDir/console.log                one JSON object a line; OPENLPM_LOG=debug says more
  runDir/hmc.sock, runDir/ready       local door (openlpm hmc); there when it serves

Signals: SIGTERM and SIGINT end it in order.
Exit status: 0 after a signal, 1 when it could not start, 2 for a wrong configuration, with its path and what would be right.
`,
  system: `Usage: openlpm system [--config FILE]

Runs the managed system of this host until SIGTERM: adopts partitions and Virtual I/O Servers that run, starts those that should, takes up migrations, and serves
consoles and other systems. Partitions and Virtual I/O Servers are processes of their own and outlive it; the next one adopts them. When it dies at
any moment, the next one goes on from its database. openlpm-system.service runs it.

  --config FILE   default /etc/openlpm/system.yaml; openlpm join writes it, docs/operate.md explains each key

Files
  stateDir/system.lmdb                the truth about partitions: definitions, ownership, migrations (0600)
  stateDir/logs/system.log, VIOS.log  one JSON object a line; OPENLPM_LOG=debug says more
  stateDir/console/UUID.log           what a partition's terminal printed
  runDir/v1, runDir/p3, ...           sockets and pids of Virtual I/O Servers and partitions
  runDir/ready                        there when it serves

Signals: SIGTERM and SIGINT end this process only.
Exit status: 0 after a signal, 1 when it could not start, 2 for a wrong configuration, with its path and what would be right.
`,
  vios: `Usage: openlpm vios --config FILE

Runs one Virtual I/O Server until it is shut down. Its managed system starts it, in the network namespace that has its adapters, with a configuration that the
system writes (JSON); people use chsysstate -r lpar -o on|shutdown on the console instead. It outlives a restart of its system. When it is killed its
partitions wait for their disks, and it serves them again when it is activated.

Signals: SIGTERM and SIGINT end it in order: exports closed, storage flushed, sessions logged out.
Exit status: 0 after a shutdown, 1 when it could not start, 2 for a wrong configuration.
`,
};
