/**
 * The process of a management console (HMC): `openlpm console [--config FILE]`. It connects to its managed systems, takes up migrations that it left open, and
 * opens its doors. It holds no partition's truth and may be ended at any moment.
 */
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { z } from "zod";
import { makeLogger } from "../kit/log.js";
import { readiness } from "../kit/notify.js";
import { configArgument, readConfigFile } from "../wire/config-file.js";
import { CONSOLE_CONFIG_FILE, ConsoleConfig } from "../wire/console-config.js";
import { listenUnix } from "../wire/transport.js";
import { COMMAND_NAMES, runCommand } from "./commands/index.js";
import { Sandbox } from "./doors/sandbox.js";
import { serveSocket, Session, type DoorServices } from "./doors/session.js";
import { SshDoor } from "./doors/ssh.js";
import { EnrolmentDoor } from "./enrolment.js";
import { createInventory } from "./inventory/inventory.js";
import { createMobility } from "./mobility/runner.js";
import { Users } from "./users/users.js";

/** Descriptor of the first socket that a supervisor passes (sd_listen_fds(3)). */
const LISTEN_FD_FIRST = 3;
const LOCAL_USER = "hscroot";
const LOCAL_SESSIONS_MAX = 64;

/** Runs until SIGTERM or SIGINT. @throws OlpmError invalid-argument (configuration) */
export async function runConsole(argv: readonly string[]): Promise<void> {
  process.umask(0o077);
  const tellReady = readiness();
  const file = configArgument(argv, CONSOLE_CONFIG_FILE, "console");
  const config = readConfigFile(file, ConsoleConfig, { of: "a console", verb: "init console" });
  for (const dir of [config.stateDir, config.runDir]) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const ready = path.join(config.runDir, "ready");
  fs.rmSync(ready, { force: true });
  const log = makeLogger("console", config.name, path.join(config.stateDir, "console.log"));
  const users = new Users(config.stateDir);
  const inventory = createInventory({ config, log });
  const mobility = createMobility({ inventory, consoleName: config.name, log });
  const sandbox = new Sandbox({ runDir: config.runDir, nativeDir: config.nativeDir, commandNames: COMMAND_NAMES, hostname: config.name });
  sandbox.prepare();
  const about = { version: packageVersion(), addresses: config.ssh.listen.map((one) => one.host), sshEnabled: config.ssh.listen.length > 0 };
  const services: DoorServices = {
    runCommand,
    commandNames: COMMAND_NAMES,
    context: (user) => ({
      user,
      taskRole: users.taskRole(user),
      consoleName: config.name,
      inventory,
      mobility,
      log,
      about,
      users,
      keys: { add: (line) => users.addKey(user, line), remove: (match) => users.removeKey(user, match), list: () => users.keys(user) },
    }),
    sandbox,
    runDir: config.runDir,
    log,
  };
  const ssh = new SshDoor({ stateDir: config.stateDir, users, services, sessionsMax: config.ssh.sessionsMax, log });
  const passed = Number(process.env["LISTEN_FDS"] ?? 0);
  for (const [index, where] of config.ssh.listen.entries()) ssh.serve(await listen(index < passed ? { fd: LISTEN_FD_FIRST + index } : where));
  const enrolment = new EnrolmentDoor({ config, configFile: file, inventory, log });
  await enrolment.serve();
  const local = await openLocalDoor(path.join(config.runDir, "hmc.sock"), services);
  const stop = async () => {
    log.info("ending");
    fs.rmSync(ready, { force: true });
    ssh.close();
    local.close();
    enrolment.close();
    await mobility.close();
    await inventory.close();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void stop());
  fs.writeFileSync(ready, `${process.pid}\n`, { mode: 0o600 });
  await tellReady();
  log.info({ ssh: config.ssh.listen }, "ready");
}

async function openLocalDoor(socketPath: string, services: DoorServices): Promise<net.Server> {
  let open = 0;
  return listenUnix(socketPath, ({ socket }) => {
    if (open >= LOCAL_SESSIONS_MAX) return void socket.destroy();
    open++;
    const session = new Session(LOCAL_USER, services);
    serveSocket(socket, session, {
      argvOnly: false,
      log: services.log,
      onEnd: () => {
        open--;
        session.close();
      },
    });
  });
}

function listen(where: { readonly host: string; readonly port: number } | { readonly fd: number }): Promise<net.Server> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => resolve(server));
  });
}

function packageVersion(): string {
  const file = path.resolve(import.meta.dirname, "../../../package.json");
  return z.object({ version: z.string() }).parse(JSON.parse(fs.readFileSync(file, "utf8"))).version;
}
