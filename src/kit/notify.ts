/** Tells systemd that a service serves (sd_notify(3)), where systemd started it; Node has no datagram sockets of the unix family, so its own program does it. */
import { runAny } from "./run.js";

/** Takes the socket's name out of the environment, so that no child has it, and gives what tells that this process serves. That never throws. */
export function readiness(): () => Promise<void> {
  const socket = process.env["NOTIFY_SOCKET"];
  delete process.env["NOTIFY_SOCKET"];
  return async () => {
    if (socket !== undefined) await runAny(["systemd-notify", "--ready"], { env: { ...process.env, NOTIFY_SOCKET: socket }, deadlineMs: 5_000 }).catch(() => undefined);
  };
}
