/** `diagrmc`: whether the console reaches a partition's operating system by RMC (hmc-cli 8.5). Test suites ask it before each migration. */
import { OlpmError } from "../../kit/errors.js";
import type { LparView } from "../../model/lpar.js";
import type { CommandContext, ManagedSystem } from "../contract.js";
import { missingParameter } from "../grammar/options.js";
import type { Command, Options } from "./command.js";
import { freshSystems, lparOf, LPAR_OPTIONS, SYSTEM_OPTION } from "./targets.js";

interface Found {
  readonly system: ManagedSystem;
  readonly lpar: LparView;
}

export const diagrmc: Command = {
  name: "diagrmc",
  audience: "everyone",
  summary: "tells whether the operating system of a partition has an RMC connection",
  synopsis: ["diagrmc --ip address [-m managed-system [-p partition-name | --id partition-ID]] [--autocorrect]", "diagrmc -m managed-system {-p partition-name | --id partition-ID} [--autocorrect]"],
  options: [
    { ...SYSTEM_OPTION, required: false },
    ...LPAR_OPTIONS,
    { name: "--ip", argument: "address", help: "the partition, by the address that its operating system has" },
    { name: "--autocorrect", argument: null, help: "repairs what is wrong; the connection needs no repair from here", withoutEffect: true },
  ],
  details: ["RMC is the QEMU guest agent of the partition. It is asked when the command runs, by the question that validation asks too (check). Without a connection the exit status is 1 and the message says why.", "Examples:\ndiagrmc -m ms01 --ip 10.0.0.21 -p db01 --autocorrect\ndiagrmc --ip 10.0.0.21"],
  run: async (options, context) => {
    const { system, lpar } = await find(options, context);
    const { name } = lpar.definition;
    const address = lpar.runtime.rmcAddress;
    const shown = address ?? options.get("--ip") ?? name;
    if (lpar.state !== "running") throw noConnection(shown, `Partition ${name} of ${system.name} is not running.`, `Activate it: chsysstate -r lpar -m ${system.name} -o on -n ${name}`);
    if (lpar.definition.environment === "vioserver") {
      // Its system holds a socket to it: while that stands, the system says active.
      if (lpar.runtime.rmc !== "active") throw noConnection(shown, `Virtual I/O Server ${name} of ${system.name} does not answer.`, `Activate it again: chsysstate -r lpar -m ${system.name} -o on -n ${name}`);
    } else {
      const { answered, detail } = await system.client.call("migration.checkGuest", { lparId: lpar.lparId }, { signal: context.signal });
      if (!answered) throw noConnection(shown, `The operating system of partition ${name} of ${system.name} does not answer: ${detail}.`, "Wait until it has started; then see whether its guest agent (qemu-guest-agent) runs.");
      if (address === null) throw noConnection(shown, `The operating system of partition ${name} of ${system.name} answers, but has not told its address yet.`, "Retry in a few seconds.");
    }
    context.io.stdout(`${shown} has RMC connection.\n`);
    return 0;
  },
};

const noConnection = (shown: string, why: string, action: string) => new OlpmError("guest-not-answering", `${shown} does not have RMC connection. ${why}`, { action });

/** @throws OlpmError peer-lost; not-found HSCL8018, HSCL8012; not-found for an address of no partition; conflict when the partition has another one */
async function find(options: Options, context: CommandContext): Promise<Found> {
  const address = options.get("--ip");
  const byName = options.has("-p") || options.has("--id");
  if (byName && !options.has("-m")) throw missingParameter("-m");
  if (!byName && address === undefined) throw missingParameter("--ip");
  const systems = await freshSystems(options, context);
  if (byName) {
    const system = systems[0]!;
    if (!system.connected) throw new OlpmError("peer-lost", `The managed system ${system.name} can not be reached (No Connection).`, { hsc: "HSCL0237" });
    const lpar = lparOf(options, context, system);
    const { rmcAddress } = lpar.runtime;
    if (address !== undefined && rmcAddress !== null && rmcAddress !== address) throw new OlpmError("conflict", `${address} does not have RMC connection. Partition ${lpar.definition.name} of ${system.name} has the address ${rmcAddress}.`);
    return { system, lpar };
  }
  const found = systems.filter((system) => system.connected).flatMap((system) => system.lpars().filter((lpar) => lpar.runtime.rmcAddress === address).map((lpar) => ({ system, lpar })));
  const best = found.find(({ lpar }) => lpar.state === "running" && lpar.runtime.rmc === "active") ?? found[0];
  if (!best) throw new OlpmError("not-found", `${address} does not have RMC connection. No partition of ${systems.map((system) => system.name).join(", ")} has this address.`);
  return best;
}
