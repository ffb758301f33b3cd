/**
 * Supervises the Virtual I/O Server processes of this system. A VIOS outlives this process and is adopted again by its pid file; its death is told to
 * whoever listens, with the reason. The device list that a VIOS reports is kept in its row, so that the next start of it gets it back.
 *
 *   absent -> starting -> connected -> (connection lost: reconnect while the process lives) -> lost
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { OlpmError, toOlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { identify, isAlive, killAndWait, type ProcessIdentity } from "../kit/proc.js";
import { until } from "../kit/wait.js";
import type { LparId } from "../model/ids.js";
import { RpcPeer } from "../wire/rpc.js";
import type { SystemConfig, ViosHardware } from "../wire/system-config.js";
import { doorSocket, systemVios, type ViosConfig, type ViosDevices, type ViosDoor } from "../wire/system-vios.js";
import { connectUnix } from "../wire/transport.js";
import { mtmsText } from "../model/system.js";
import type { ViosHandle } from "./contract.js";
import { makePassable } from "./qemu/confine.js";

/** From start to its `ready` file: Node starts, the SAN is asked, the storage daemon answers. */
const START_MS_MAX = 60_000;
const SHUTDOWN_MS_MAX = 30_000;
/** Of a VIOS that an earlier version started, for all its clients. */
const ONE_SOCKET = "nbd.sock";

export interface ViosHooks {
  devicesChanged(lparId: LparId, devices: ViosDevices): void;
  /** the connection was lost and made again: what was asked meanwhile may not have been done */
  reconnected(lparId: LparId, reason: OlpmError): void;
  /** the process is gone without our doing */
  lost(lparId: LparId, reason: OlpmError): void;
}

interface Running {
  readonly handle: ViosHandle;
  readonly identity: ProcessIdentity;
  peer: RpcPeer;
  /** its end was asked for */
  ending: boolean;
}

export class ViosSupervisor {
  readonly #config: SystemConfig;
  readonly #log: Logger;
  readonly #hooks: ViosHooks;
  readonly #running = new Map<LparId, Running>();

  constructor(config: SystemConfig, log: Logger, hooks: ViosHooks) {
    this.#config = config;
    this.#log = log;
    this.#hooks = hooks;
  }

  handles(): ViosHandle[] {
    return [...this.#running.values()].map((one) => one.handle);
  }
  get(lparId: LparId): ViosHandle | undefined {
    return this.#running.get(lparId)?.handle;
  }
  pid(lparId: LparId): number | null {
    return this.#running.get(lparId)?.identity.pid ?? null;
  }

  /** Starts the process and waits until it serves. @throws OlpmError refused with its last words | timeout */
  async start(hardware: ViosHardware, devices: ViosDevices, doors: readonly ViosDoor[]): Promise<void> {
    const at = this.#paths(hardware);
    fs.rmSync(at.dir, { recursive: true, force: true });
    makePassable(at.dir);
    fs.writeFileSync(at.config, JSON.stringify(this.#viosConfig(hardware, devices, doors)), { mode: 0o600 });
    const out = fs.openSync(at.output, "w", 0o600);
    const main = path.resolve(import.meta.dirname, "../main.js");
    const argv = [`--net=/run/netns/${hardware.namespace}`, "--", process.execPath, "--enable-source-maps", main, "vios", "--config", at.config];
    const child = spawn("nsenter", argv, { detached: true, stdio: ["ignore", out, out] });
    fs.closeSync(out);
    child.on("error", () => undefined);
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    const words = () => fs.readFileSync(at.output, "utf8").trim().split("\n").slice(-2).join(" | ");
    if (!identity) throw new OlpmError("refused", `the Virtual I/O Server ${hardware.name} could not be started`);
    fs.writeFileSync(at.pid, JSON.stringify(identity), { mode: 0o600 });
    try {
      await until(
        () => {
          if (!isAlive(identity)) throw new OlpmError("refused", `the Virtual I/O Server ${hardware.name} ended while it started: ${words() || "it said nothing"}`);
          return fs.existsSync(at.ready) ? true : undefined;
        },
        { what: `the Virtual I/O Server ${hardware.name}`, deadlineMs: START_MS_MAX, everyMs: 20 },
      );
      await this.#connect(hardware, identity);
    } catch (error) {
      await killAndWait(identity);
      throw error;
    }
  }

  /** Finds the process that an earlier system process started, which may be starting still. False: none lives, or none that answers: that one was ended. */
  async adopt(hardware: ViosHardware): Promise<boolean> {
    const at = this.#paths(hardware);
    if (!fs.existsSync(at.pid)) return false;
    const identity = JSON.parse(fs.readFileSync(at.pid, "utf8")) as ProcessIdentity;
    const assertAlive = () => {
      if (!isAlive(identity)) throw new OlpmError("peer-lost", `the process of the Virtual I/O Server ${hardware.name} ended`);
    };
    if (!isAlive(identity)) return false;
    try {
      await until(() => (assertAlive(), fs.existsSync(at.ready) ? true : undefined), { what: `the start of the Virtual I/O Server ${hardware.name}`, deadlineMs: START_MS_MAX, everyMs: 20 });
      await until(() => (assertAlive(), this.#connect(hardware, identity).then(() => true, () => undefined)), { what: `the connection to the Virtual I/O Server ${hardware.name}`, deadlineMs: this.#config.viosSilenceMs, everyMs: 100 });
      return true;
    } catch (error) {
      // Left alone it would serve storage that nobody controls, beside the one that is started in its place.
      this.#log.warn({ err: error, vios: hardware.name, pid: identity.pid }, "a Virtual I/O Server of the earlier process does not answer and is ended");
      await killAndWait(identity);
      return false;
    }
  }

  /** Ends a VIOS: cleanly, or at once. Not running counts as ended. */
  async stop(lparId: LparId, how: "clean" | "immediate"): Promise<void> {
    const running = this.#running.get(lparId);
    if (!running) return;
    running.ending = true;
    if (how === "clean") {
      await running.handle.client.call("vios.shutdown", {}, { deadlineMs: SHUTDOWN_MS_MAX }).catch((error: unknown) => this.#log.warn({ err: error, vios: running.handle.name }, "a Virtual I/O Server did not shut down by itself"));
      await until(() => (isAlive(running.identity) ? undefined : true), { what: "the end of the Virtual I/O Server", deadlineMs: 5_000, everyMs: 20 }).catch(() => undefined);
    }
    await killAndWait(running.identity);
    this.#running.delete(lparId);
    running.peer.destroy();
  }

  /** Lets go of the processes, which live on. */
  close(): void {
    for (const running of this.#running.values()) {
      running.ending = true;
      running.peer.destroy();
    }
    this.#running.clear();
  }

  async #connect(hardware: ViosHardware, identity: ProcessIdentity): Promise<void> {
    const at = this.#paths(hardware);
    const peer = new RpcPeer(await connectUnix(at.socket), { self: `system:${this.#config.name}`, caller: `vios:${hardware.name}`, log: this.#log, silenceMsMax: this.#config.viosSilenceMs });
    const client = peer.client(systemVios);
    client.on("devices.changed", (devices) => this.#hooks.devicesChanged(hardware.lparId, devices));
    try {
      const { devices, doors } = await client.call("vios.status", {}, { deadlineMs: this.#config.viosSilenceMs });
      const handle: ViosHandle = { lparId: hardware.lparId, name: hardware.name, hardware, nbdSocket: (slot) => (doors ? doorSocket(at.dir, slot) : path.join(at.dir, ONE_SOCKET)), doors, client };
      const running: Running = { handle, identity, peer, ending: false };
      this.#running.set(hardware.lparId, running);
      void peer.closed.then((reason) => this.#disconnected(hardware, running, reason));
      this.#hooks.devicesChanged(hardware.lparId, devices);
    } catch (error) {
      peer.destroy();
      throw error;
    }
  }

  async #disconnected(hardware: ViosHardware, running: Running, reason: OlpmError): Promise<void> {
    if (running.ending || this.#running.get(hardware.lparId) !== running) return;
    try {
      await until(
        async () => {
          if (!isAlive(running.identity)) throw new OlpmError("peer-lost", `the process of the Virtual I/O Server ${hardware.name} ended`);
          return this.#connect(hardware, running.identity).then(
            () => true,
            () => undefined,
          );
        },
        { what: `the connection to the Virtual I/O Server ${hardware.name}`, deadlineMs: this.#config.viosSilenceMs, everyMs: 100 },
      );
      this.#log.warn({ vios: hardware.name, err: reason }, "the connection to a Virtual I/O Server was lost and made again");
      this.#hooks.reconnected(hardware.lparId, reason);
    } catch (error) {
      // Alive but unreachable would serve storage that nobody controls: it is ended.
      await killAndWait(running.identity).catch(() => undefined);
      this.#running.delete(hardware.lparId);
      this.#hooks.lost(hardware.lparId, toOlpmError(error, `Virtual I/O Server ${hardware.name}`));
    }
  }

  #paths(hardware: ViosHardware) {
    const dir = path.join(this.#config.runDir, `v${hardware.lparId}`);
    return { dir, config: path.join(dir, "config.json"), output: path.join(dir, "output"), pid: path.join(dir, "pid.json"), ready: path.join(dir, "ready"), socket: path.join(dir, "vios.sock") };
  }

  #viosConfig(hardware: ViosHardware, devices: ViosDevices, doors: readonly ViosDoor[]): ViosConfig {
    const at = this.#paths(hardware);
    return {
      systemName: this.#config.name,
      mtms: mtmsText(this.#config.mtms),
      name: hardware.name,
      lparId: hardware.lparId,
      runDir: at.dir,
      logFile: path.join(this.#config.stateDir, "logs", `${hardware.name}.log`),
      socket: at.socket,
      doors: [...doors],
      san: hardware.san,
      sea: hardware.sea.map(({ vlanIds, uplink, trunkSlot, trunkPriority }, index) => ({ name: `ent${index}`, uplink: uplink ?? hardware.uplink, segments: vlanIds.map((vlanId) => ({ vlanId, trunk: trunkInterface(hardware, index, vlanId) })), trunkSlot, trunkPriority, address: index === 0 ? hardware.address : null, prefix: hardware.prefix })),
      mover: hardware.msp ? { host: hardware.address, port: hardware.moverPort, concurrentMax: hardware.moverConcurrentMax, trusted: hardware.moverTrusted, tls: hardware.tls } : null,
      silenceMs: this.#config.viosSilenceMs,
      moverProgram: path.join(this.#config.nativeDir, "mover"),
      vlanProgram: path.join(this.#config.nativeDir, "vlan"),
      devices,
    };
  }
}

/** Name of a trunk's interface in the VIOS's namespace: trunk0 is the first VLAN of the first shared Ethernet adapter. */
export const trunkInterface = ({ sea }: Pick<ViosHardware, "sea">, index: number, vlanId: number): string => `trunk${sea.slice(0, index).reduce((sum, one) => sum + one.vlanIds.length, 0) + sea[index]!.vlanIds.findIndex((one) => one === vlanId)}`;
/** The process at the other end is gone, or going: what it held is gone with it. */
export const isLost = (error: unknown): boolean => {
  const { code, reportedBy } = toOlpmError(error, "");
  return reportedBy === undefined && (code === "peer-lost" || code === "aborted");
};
