/** What a restarted system process makes of the processes that it finds, and in which order gates change. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import { silentLogger } from "../kit/log.js";
import type { LparId } from "../model/ids.js";
import { db01 } from "../testkit/fake-console.js";
import type { SystemConfig } from "../wire/system-config.js";
import type { ViosHandle } from "./contract.js";
import { SystemHypervisor } from "./hypervisor.js";
import { Lifecycle } from "./lifecycle.js";
import { sharedAccount, type Account } from "./qemu/confine.js";
import type { PartitionProcess, ProcessState } from "./qemu/contract.js";
import { LparRow, Store } from "./store.js";

const ID = 3 as LparId;
const VIOS = 1 as LparId;
type Asked = { readonly names: readonly string[]; readonly gate: string; readonly answer: () => void };

/** A system with db01 (ID 3, one LUN by the VIOS 1), which is to run, and `found` in its run directory. */
async function system(t: TestContext, found: { uuid?: string; state?: ProcessState | "blocked"; incoming?: boolean; migrationId?: string; socket?: string; account?: Account } | undefined, places: readonly string[] = []) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "openlpm-hypervisor-"));
  for (const place of places) fs.mkdirSync(path.join(dir, place));
  const store = new Store(path.join(dir, "db"));
  const did: string[] = [];
  const exits: (() => void)[] = [];
  const { definition } = db01();
  const client = { ...definition.current!, scsi: [{ slot: 2, role: "client" as const, remoteLparId: VIOS, remoteSlot: 10, required: true }] };
  const plain = { revision: 0, ownership: { kind: "owner", generation: 1, migrationId: null }, storage: [], migrationId: null, power: "on", failed: false, startedAt: null, devices: null };
  store.putLpar(LparRow.parse({ ...plain, lparId: ID, definition: { ...definition, current: client }, migrationId: found?.migrationId ?? null }));
  const devices = { disks: [], adapters: [{ name: "vhost0", slot: 10, clientLparId: ID, clientSlot: 2 }], targets: [{ name: "vtscsi0", slot: 10, lun: "naa.600a", lunBytes: 1 << 30, gate: "open" }], fc: [] };
  store.putLpar(LparRow.parse({ ...plain, lparId: VIOS, definition: { ...definition, name: "vios1", uuid: "00000000-0000-4000-8000-00000000000a", environment: "vioserver" }, devices }));
  const process = {
    spec: { lparId: ID, name: "found", uuid: found?.uuid ?? definition.uuid, incoming: found?.incoming ?? false, bootMode: "norm", disks: [{ slot: 2, unit: 0, nbdSocket: found?.socket ?? "/run/ms01/v1/nbd-10.sock", exportName: "vtscsi0" }], ...(found?.account && { account: found.account }) },
    pid: 4711,
    guest: { ping: async () => false },
    state: async () => (found?.state === "blocked" ? Promise.reject(new OlpmError("timeout", "it does not answer")) : (found?.state ?? "running")),
    run: async () => void did.push("run"),
    end: async () => void did.push("end"),
    on: (event: string, listener: () => void) => (event === "exit" && exits.push(listener), () => undefined),
  } as unknown as PartitionProcess;
  const config = { name: "ms01", runDir: dir, stateDir: dir, holdDir: null, namespace: null, vswitches: ["ETHERNET0"], vioses: [], viosSilenceMs: 1_000, nativeDir: dir, memoryBytes: 2 ** 34, processors: 8 } as unknown as SystemConfig;
  const adopt = async (place: string) => (found !== undefined && [`p${ID}`, ...places].includes(path.basename(place)) ? process : undefined);
  const hypervisor = new SystemHypervisor({ config, store, log: silentLogger, factory: { start: async () => process, adopt }, accelerator: { accelerator: "tcg", reason: "" } });
  const asked: Asked[] = [];
  const call = (_: string, { names, gate }: { names: readonly string[]; gate: string }) => new Promise<void>((answer) => asked.push({ names, gate, answer }));
  const vios = { lparId: VIOS, name: "vios1", client: { call } } as unknown as ViosHandle;
  Object.assign(hypervisor.supervisor, { get: () => vios });
  Object.assign(hypervisor.network, { unplug: async () => void did.push("unplug") });
  t.after(async () => {
    hypervisor.close();
    await store.close();
    fs.rmSync(dir, { recursive: true });
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { hypervisor, lifecycle: new Lifecycle(hypervisor), did, exits, asked, turn };
}
const codeOf = (work: () => unknown) => {
  try {
    work();
    return "done";
  } catch (error) {
    return toOlpmError(error, "").code;
  }
};

test("a process that does not answer is held, and holds up nothing", async (t) => {
  const { hypervisor, lifecycle, did } = await system(t, { state: "blocked" });
  await hypervisor.processes.adopt();
  assert.equal(hypervisor.process(ID)?.pid, 4711);
  await lifecycle.finishActivations();
  assert.deepEqual(did, []);
  assert.equal(hypervisor.gates.devicesFor(VIOS).targets[0]?.gate, "open");
});

test("a process with another partition's uuid is neither held nor touched, and its place is not given until it ends", async (t) => {
  const { hypervisor, did, exits } = await system(t, { uuid: "00000000-0000-4000-8000-00000000beef" });
  await hypervisor.processes.adopt();
  assert.equal(hypervisor.process(ID), undefined);
  const { power, failed } = hypervisor.row(ID);
  assert.deepEqual({ power, failed }, { power: "off", failed: true });
  await hypervisor.endProcess(ID);
  assert.deepEqual(did, [], "neither the process nor its interfaces");
  await assert.rejects(hypervisor.startProcess(ID, { incoming: false }), { code: "conflict" });
  assert.equal(hypervisor.gates.devicesFor(VIOS).targets[0]?.gate, "closed");
  for (const exit of exits) exit();
  assert.equal(codeOf(() => hypervisor.processes.assertPlaceFree(ID)), "done");
});

test("the ID of a process that no row knows is not given to a new partition", async (t) => {
  const { hypervisor } = await system(t, {}, ["p2"]);
  await hypervisor.processes.adopt();
  assert.equal(codeOf(() => hypervisor.processes.assertPlaceFree(2 as LparId)), "conflict");
  assert.equal(hypervisor.lowestFreeLparId(), 4);
  assert.equal(hypervisor.process(ID)?.pid, 4711);
});

test("an activation that was cut short before the processors ran is brought to its end, and nothing else that stands still", async (t) => {
  const { hypervisor, lifecycle, did, asked, turn } = await system(t, { state: "started" });
  await hypervisor.processes.adopt();
  const finishing = lifecycle.finishActivations();
  while (asked.length === 0) await turn();
  assert.deepEqual(did, [], "its LUNs are open first");
  assert.equal(asked[0]?.gate, "open");
  asked[0]?.answer();
  await finishing;
  assert.deepEqual(did, ["run"]);
  for (const found of [{ state: "paused" }, { state: "loaded", incoming: true }, { state: "started", migrationId: "00000000-0000-4000-8000-0000000000aa" }, { state: "io-error" }] as const) {
    const other = await system(t, found);
    await other.hypervisor.processes.adopt();
    await other.lifecycle.finishActivations();
    assert.deepEqual([other.did, other.asked], [[], []], JSON.stringify(found));
  }
});

test("a Virtual I/O Server that starts gets the doors of the partitions that run: where their disks are, for the account that they have", async (t) => {
  const account = { uid: 5001, gid: 5001 };
  const now = await system(t, { account });
  assert.deepEqual(now.hypervisor.processes.doorsFor(VIOS), [], "nobody runs");
  await now.hypervisor.processes.adopt();
  assert.deepEqual(now.hypervisor.processes.doorsFor(VIOS), [{ slot: 10, socket: "/run/ms01/v1/nbd-10.sock", ...account }]);
  const earlier = await system(t, { socket: "/run/ms01/v1/nbd.sock" });
  await earlier.hypervisor.processes.adopt();
  assert.deepEqual(earlier.hypervisor.processes.doorsFor(VIOS), [{ slot: 10, socket: "/run/ms01/v1/nbd.sock", ...(sharedAccount() ?? { uid: 0, gid: 0 }) }], "started by a version that had one account and one socket for all");
});

test("a Virtual I/O Server that comes back while a partition's LUNs are closed does not get them opened by what was true before", async (t) => {
  const { hypervisor, asked, turn } = await system(t, {});
  await hypervisor.processes.adopt();
  const settling = hypervisor.gates.settle(VIOS);
  while (asked.length === 0) await turn();
  const closing = hypervisor.setGates(ID, "closed");
  const again = hypervisor.gates.settle(VIOS);
  for (let n = 0; n < 3; n++) {
    while (asked.length === n) await turn();
    await turn();
    assert.equal(asked.length, n + 1, "one change at a time");
    asked[n]?.answer();
  }
  await Promise.all([settling, closing, again]);
  assert.deepEqual(asked.map(({ gate }) => gate), ["open", "closed", "closed"], "the last word is the last that was asked");
  assert.ok(asked.every(({ names }) => names.join() === "vtscsi0"));
});

test("a Virtual I/O Server that comes back while a partition's process is being started has its LUNs open", async (t) => {
  const { hypervisor, asked, turn } = await system(t, undefined);
  const opening = hypervisor.setGates(ID, "open");
  const settling = hypervisor.gates.settle(VIOS);
  for (let n = 0; n < 2; n++) {
    while (asked.length === n) await turn();
    asked[n]?.answer();
  }
  await Promise.all([opening, settling]);
  assert.deepEqual(asked.map(({ gate }) => gate), ["open", "open"]);
});
