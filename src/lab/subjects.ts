/**
 * Partitions of a laboratory under observation: each runs a database to which a client on the LAN writes over one TCP connection, and each may be looked at from the
 * outside at any time. Tests and `openlpm torture` move them, break things around them and ask here whether they are well.
 */
import { invariant } from "../kit/invariant.js";
import { OlpmError } from "../kit/errors.js";
import { assertQuiet } from "./checker.js";
import type { Lab } from "./lab.js";
import { missingWrites } from "./lun-check.js";
import { Operator } from "./operator.js";
import { createPartition, type LabPartition, type PartitionOptions } from "./partition.js";
import { databaseAnswers, Writer } from "./witness.js";

const BOOT_MS_MAX = 240_000;
/** In the partition: refuses an event when the database holds `refuse-EVENT`. */
const REFUSAL_SCRIPT = { path: "/etc/openlpm/mobility.d/10-test", mode: 0o755, content: '#!/bin/sh\nredis-cli set seen-$1 1 >/dev/null\nwhy=$(redis-cli get refuse-$1)\n[ -z "$why" ] || { echo "$why" >&2; exit 1; }\n' };

export interface Client {
  readonly partition: LabPartition;
  readonly writer: Writer;
  readonly key: string;
  /** clients of the same partition that lost their connection when it was killed */
  readonly before: readonly { readonly key: string; readonly acknowledged: number }[];
}

export class Subjects {
  readonly lab: Lab;
  readonly operator: Operator;
  readonly clients = new Map<string, Client>();
  readonly #reviving = new Map<string, Promise<void>>();

  constructor(lab: Lab) {
    this.lab = lab;
    this.operator = new Operator(lab);
  }

  /** Makes a partition, waits until its database answers and its agent is active, and starts a client. */
  async partition(options: Omit<PartitionOptions, "say">): Promise<LabPartition> {
    const partition = await createPartition(this.lab, { files: [REFUSAL_SCRIPT], ...options, say: () => undefined });
    await this.#begin(partition, options.system, []);
    return partition;
  }

  client(name: string): Client {
    const client = this.clients.get(name);
    invariant(client, `there is a client of ${name}`);
    return client;
  }
  system(name: string): Lab["systems"][number] {
    const system = this.lab.systems.find((one) => one.name === name);
    invariant(system, `the laboratory has a system ${name}`);
    return system;
  }
  vios(system: string, name: string): Lab["systems"][number]["vioses"][number] {
    const vios = this.system(system).vioses.find((one) => one.name === name);
    invariant(vios, `${system} has a Virtual I/O Server ${name}`);
    return vios;
  }

  /** A partition whose process was killed is activated again on its system. Every write that was acknowledged before is on its LUN. Begins; `revived` waits. */
  async revive(name: string, on: string): Promise<void> {
    const { partition, writer, key, before } = this.client(name);
    const { acknowledged } = await writer.ended();
    await this.#assertHeld(partition, key, acknowledged);
    await this.operator.quiet(`chsysstate -m ${on} -r lpar -o on -n ${name}`);
    const reviving = this.#begin(partition, on, [...before, { key, acknowledged }]);
    reviving.catch(() => undefined); // revived() tells
    this.#reviving.set(name, reviving);
  }
  async revived(name: string): Promise<void> {
    await this.#reviving.get(name);
    this.#reviving.delete(name);
  }

  /** The partition runs on exactly one system, its client goes on, and nothing is left of anything that is over (checker.ts). @throws OlpmError with all that is wrong */
  async check(name: string, on: string, settleMsMax?: number): Promise<void> {
    await assertQuiet(this.lab, { partitions: [...this.clients.values()].map(({ partition }) => partition), on: { [name]: on } }, settleMsMax);
    await this.client(name).writer.progressed();
  }

  /** Every write that has been acknowledged until now is on the LUN. The client stands still meanwhile, so that the bytes can be copied at rest. */
  async holds(name: string): Promise<void> {
    const { partition, writer, key } = this.client(name);
    await writer.paused((acknowledged) => this.#assertHeld(partition, key, acknowledged));
  }

  /** Ends the client: it kept its connection, and no write that was acknowledged to it or those before it is missing from the database's file on the LUN. */
  async finish(name: string): Promise<void> {
    await this.revived(name);
    const { partition, writer, key, before } = this.client(name);
    const last = await writer.finish();
    this.clients.delete(name);
    if (last.error !== null || last.acknowledged === 0) throw new OlpmError("peer-lost", `the client of ${name} lost its connection after ${last.acknowledged} writes: ${last.error}`);
    for (const one of [...before, { key, acknowledged: last.acknowledged }]) await this.#assertHeld(partition, one.key, one.acknowledged);
  }

  kill(): void {
    for (const { writer } of this.clients.values()) writer.kill();
  }

  async #begin(partition: LabPartition, system: string, before: Client["before"]): Promise<void> {
    const { name, address } = partition;
    await databaseAnswers(this.lab.lan.namespace, address, BOOT_MS_MAX);
    await this.operator.until(`lssyscfg -r lpar -m ${system} --filter lpar_names=${name} -F rmc_state`, "active", 60_000);
    const key = `writes-${name}-${before.length}`;
    const writer = new Writer({ namespace: this.lab.lan.namespace, address, key, pauseMs: 3 });
    this.clients.set(name, { partition, writer, key, before });
    await writer.progressed();
  }
  async #assertHeld(partition: LabPartition, key: string, acknowledged: number): Promise<void> {
    const missing = await missingWrites(partition.lunFile, key, acknowledged);
    if (missing.length > 0) throw new OlpmError("storage-failed", `${missing.length} of ${acknowledged} acknowledged writes of ${partition.name} (${key}) are not on its LUN: ${missing.slice(0, 10).join(", ")}`);
  }
}
