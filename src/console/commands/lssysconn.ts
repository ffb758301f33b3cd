import type { ManagedSystem } from "../contract.js";
import { mtmsText } from "../../model/system.js";
import { printed } from "../grammar/attribute-table.js";
import { list, type Attribute } from "../grammar/list-output.js";
import type { Command } from "./command.js";
import { listing } from "./lssyscfg.js";
import { freshSystems, LISTING_OPTIONS } from "./targets.js";

const CONNECTIONS: readonly Attribute<ManagedSystem>[] = [
  { name: "resource_type", read: () => "sys" },
  { name: "type_model_serial_num", read: ({ view }) => (view ? mtmsText(view.mtms) : "unavailable") },
  // A host has no service processor with two sides.
  { name: "sp", read: () => "unavailable" },
  { name: "side", read: () => "unavailable" },
  { name: "ipaddr", read: ({ endpoint }) => endpoint.host },
  { name: "alt_ipaddr", read: () => "unavailable" },
  { name: "state", read: ({ connected }) => (connected ? "Connected" : "No Connection") },
];

/** hmc-cli 8.5. */
export const lssysconn: Command = {
  name: "lssysconn",
  summary: "lists the connections to the managed systems",
  synopsis: ["lssysconn -r all [-F [attribute-names] [--header]]"],
  options: [{ name: "-r", argument: "resource", help: "all connections", required: true, values: ["all", "sys"], refusedValues: { frame: "there are no frames" } }, ...LISTING_OPTIONS.filter((option) => option.name !== "--filter")],
  details: ["Example:\nlssysconn -r all -F type_model_serial_num"],
  attributes: [printed("lssysconn", CONNECTIONS)],
  run: async (options, context) => {
    const how = listing(options);
    context.io.stdout(list(CONNECTIONS, await freshSystems(options, context), how));
    return 0;
  },
};
