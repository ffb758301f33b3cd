/**
 * The process of one managed system: `openlpm system [--config FILE]`. It holds the truth about its partitions; they and the Virtual I/O Servers outlive it
 * and are adopted again. SIGTERM ends this process only.
 *
 *   store -> accelerator -> partitions adopted -> Virtual I/O Servers adopted or started -> migrations taken up -> ready (file `ready` in the run directory)
 */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import { makeLogger } from "../kit/log.js";
import { readiness } from "../kit/notify.js";
import { run } from "../kit/run.js";
import { configArgument, readConfigFile } from "../wire/config-file.js";
import { SYSTEM_CONFIG_FILE, SystemConfig } from "../wire/system-config.js";
import { Definitions } from "./definitions.js";
import { Dlpar } from "./dlpar.js";
import { SystemHypervisor } from "./hypervisor.js";
import { Lifecycle } from "./lifecycle.js";
import { createMigrations } from "./migration/index.js";
import { chooseAccelerator } from "./qemu/accelerator.js";
import { makePassable, openTapDevice } from "./qemu/confine.js";
import { createProcessFactory } from "./qemu/process.js";
import { SystemServer } from "./server.js";
import { Store } from "./store.js";

/** Runs until SIGTERM or SIGINT. @throws OlpmError invalid-argument (configuration) */
export async function runSystem(argv: readonly string[]): Promise<void> {
  process.umask(0o077);
  const tellReady = readiness();
  const config = readConfigFile(configArgument(argv, SYSTEM_CONFIG_FILE, "system"), SystemConfig, { of: "a managed system", verb: "join" });
  for (const dir of [config.stateDir, path.join(config.stateDir, "logs")]) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  makePassable(config.runDir);
  openTapDevice();
  const ready = path.join(config.runDir, "ready");
  fs.rmSync(ready, { force: true });
  const log = makeLogger("system", config.name, path.join(config.stateDir, "logs", "system.log"));
  const store = new Store(config.stateDir);
  const fresh = bootedSince(store);
  const accelerator = config.accelerator === "auto" ? await chooseAccelerator(config.image) : { accelerator: config.accelerator, reason: "by configuration" };
  const factory = createProcessFactory({ nativeDir: config.nativeDir, log });
  const hypervisor = new SystemHypervisor({ config, store, log, factory, accelerator });
  const definitions = new Definitions(hypervisor);
  const lifecycle = new Lifecycle(hypervisor);
  const dlpar = new Dlpar(hypervisor);
  const migrations = createMigrations(hypervisor);
  definitions.defineVioses();
  // Partitions first: the gates of a VIOS that has to be started again depend on who runs.
  await hypervisor.processes.adopt();
  await dlpar.adopt();
  await lifecycle.recover(fresh);
  await lifecycle.finishActivations();
  await migrations.resume();
  if (fresh) await lifecycle.autoStart();
  const facts = { uuid: systemUuid(store), version: packageVersion(), qemuVersion: await qemuVersion() };
  const server = new SystemServer({ hypervisor, lifecycle, definitions, dlpar, migrations, facts });
  await server.listen();
  const stop = async () => {
    log.info("ending; partitions and Virtual I/O Servers go on");
    fs.rmSync(ready, { force: true });
    server.close();
    hypervisor.close();
    await store.close();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
  fs.writeFileSync(ready, `${process.pid}\n`, { mode: 0o600 });
  await tellReady();
  log.info({ accelerator, listen: config.listen }, "ready");
}

/** True at the first start after a boot of the host, and at the very first. */
function bootedSince(store: Store): boolean {
  const now = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const before = store.fact("boot_id", z.string());
  if (before !== now) store.putFact("boot_id", now);
  return before !== now;
}

function systemUuid(store: Store): string {
  const known = store.fact("uuid", z.string());
  if (known !== undefined) return known;
  const fresh = randomUUID();
  store.putFact("uuid", fresh);
  return fresh;
}

function packageVersion(): string {
  const file = path.resolve(import.meta.dirname, "../../../package.json");
  return z.object({ version: z.string() }).parse(JSON.parse(fs.readFileSync(file, "utf8"))).version;
}

async function qemuVersion(): Promise<string> {
  return /version (\S+)/.exec(await run(["qemu-system-ppc64", "--version"]))?.[1] ?? "unknown";
}
