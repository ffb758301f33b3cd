/**
 * The enrolment door of the console that keeps the installation's authority: hosts and further consoles join with the code of an invitation
 * (`openlpm invite`), and renew their certificates. An invitation is a file in the state directory that is removed when it is used or has run out. The authority's key is
 * read by openssl at each signature and stays in its directory.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Server } from "node:tls";
import { OlpmError } from "../kit/errors.js";
import type { Logger } from "../kit/log.js";
import { SystemName } from "../model/system.js";
import { fingerprint, signRequest, tlsFiles } from "../wire/certificates.js";
import { changeConfigFile, writePrivate } from "../wire/config-file.js";
import type { ConsoleConfig } from "../wire/console-config.js";
import { codeOf, enrolment, Invitation, INVITATION_MINUTES, mayBear, SECRET_BYTES, secretHash, type Enrolment } from "../wire/enrolment.js";
import { RpcPeer, type Handlers } from "../wire/rpc.js";
import { listenTls, STRANGER, type Accepted } from "../wire/transport.js";
import type { ConsoleInventory } from "./inventory/inventory.js";

/** Strangers included; each is let go after a while, so that they can not keep the door shut. */
const PEERS_MAX = 32;
const PEER_MS_MAX = 60_000;
const INVITATIONS_MAX = 64;

const invitationsDir = (stateDir: string): string => path.join(stateDir, "invitations");

/** Makes an invitation and gives its code. One for the same name takes the place of an earlier one. @throws OlpmError invalid-argument | unsupported (no authority here) | limit-reached */
export function invite(config: ConsoleConfig, role: Invitation["role"], name: string): string {
  if (!config.enrolment) throw new OlpmError("unsupported", `The console ${config.name} does not keep the installation's authority.`, { action: "Invite on the console where openlpm init was run." });
  if (!SystemName.regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/).safeParse(name).success) throw new OlpmError("invalid-argument", `"${name}" is no name: 1 to 31 letters, digits, "_", "." and "-".`);
  const dir = invitationsDir(config.stateDir);
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  const open = openInvitations(config.stateDir);
  for (const one of open.filter((other) => other.role === role && other.name === name)) fs.rmSync(path.join(dir, one.secretHash), { force: true });
  if (open.length >= INVITATIONS_MAX) throw new OlpmError("limit-reached", `${INVITATIONS_MAX} invitations are open.`);
  const secret = randomBytes(SECRET_BYTES);
  const invitation: Invitation = { role, name, secretHash: secretHash(secret.toString("base64url")), until: new Date(Date.now() + INVITATION_MINUTES * 60_000).toISOString() };
  writePrivate(path.join(dir, invitation.secretHash), JSON.stringify(invitation));
  return codeOf(secret, fingerprint(fs.readFileSync(tlsFiles(config.enrolment.authority, "ca").cert, "utf8")));
}

/** Those that can still be used; what has run out is removed. */
function openInvitations(stateDir: string): Invitation[] {
  const dir = invitationsDir(stateDir);
  const found: Invitation[] = [];
  for (const name of fs.existsSync(dir) ? fs.readdirSync(dir) : []) {
    const file = path.join(dir, name);
    try {
      const parsed = Invitation.safeParse(JSON.parse(fs.readFileSync(file, "utf8")));
      if (parsed.success && parsed.data.until > new Date().toISOString()) found.push(parsed.data);
      else fs.rmSync(file, { force: true });
    } catch {
      // used by another connection at this moment
    }
  }
  return found;
}

export interface EnrolmentOptions {
  readonly config: ConsoleConfig;
  /** where managed systems that join are added */
  readonly configFile: string;
  readonly inventory: ConsoleInventory;
  readonly log: Logger;
}

export class EnrolmentDoor {
  readonly #options: EnrolmentOptions;
  readonly #peers = new Set<RpcPeer>();
  #listener: Server | undefined;

  constructor(options: EnrolmentOptions) {
    this.#options = options;
  }

  /** Nothing where the console keeps no authority. @throws when the port is taken */
  async serve(): Promise<void> {
    const { enrolment: where, tls } = this.#options.config;
    if (where) this.#listener = await listenTls(where, tls, (accepted) => this.#accept(accepted), { strangers: true });
  }
  close(): void {
    this.#listener?.close();
    for (const peer of this.#peers) peer.destroy();
  }

  #accept({ socket, caller }: Accepted): void {
    const { config, log } = this.#options;
    // A stranger has no business here while nobody is invited.
    if (this.#peers.size >= PEERS_MAX || (caller === STRANGER && openInvitations(config.stateDir).length === 0)) return void socket.destroy();
    const peer = new RpcPeer(socket, { self: `console:${config.name}`, caller, log, serves: { contract: enrolment, handlers: this.#handlers() } });
    this.#peers.add(peer);
    const timer = setTimeout(() => peer.destroy(), PEER_MS_MAX);
    void peer.closed.then(() => {
      clearTimeout(timer);
      this.#peers.delete(peer);
    });
  }

  #handlers(): Handlers<Enrolment> {
    const { config, log } = this.#options;
    const authority = config.enrolment!.authority;
    const invitationOf = (secret: string): Invitation => {
      const found = openInvitations(config.stateDir).find((one) => one.secretHash === secretHash(secret));
      if (!found) throw new OlpmError("not-authorised", "This invitation was used, or has run out.", { action: `Ask for a new code (openlpm invite); it is good for ${INVITATION_MINUTES} minutes and for one join.` });
      return found;
    };
    const sign = async (bearer: string, requests: readonly { readonly commonName: string; readonly request: string }[]) => {
      for (const { commonName } of requests) if (!mayBear(bearer, commonName)) throw new OlpmError("not-authorised", `${bearer} may not have a certificate for ${commonName}`);
      const certificates: string[] = [];
      for (const { commonName, request } of requests) certificates.push(await signRequest(authority, request, commonName));
      return certificates;
    };
    return {
      "authority.get": async () => ({ certificate: fs.readFileSync(tlsFiles(authority, "ca").cert, "utf8") }),
      "invitation.get": async ({ secret }) => invitationOf(secret),
      join: async ({ secret, requests, address }) => {
        const { role, name, secretHash: file } = invitationOf(secret);
        if (role === "system" && address === null) throw new OlpmError("invalid-argument", "a managed system says at which address it listens");
        const certificates = await sign(`${role}:${name}`, requests);
        // Whoever removes the file has used the code; nobody else gets certificates for it.
        try {
          fs.unlinkSync(path.join(invitationsDir(config.stateDir), file));
        } catch (cause) {
          throw new OlpmError("not-authorised", "This invitation was used by somebody else at the same moment.", { cause });
        }
        const known = this.#systems();
        if (role === "system") this.#addSystem({ name, ...address! });
        log.info({ role, name, address }, "joined the installation");
        return { certificates, systems: known };
      },
      renew: async ({ requests }, { caller }) => {
        if (caller === STRANGER) throw new OlpmError("not-authorised", "only who has a certificate of this installation can renew it", { action: "Where it has run out, join again (openlpm invite, openlpm join)." });
        const certificates = await sign(caller, requests);
        log.info({ caller, names: requests.map((one) => one.commonName) }, "certificates renewed");
        return { certificates };
      },
    };
  }

  #systems(): ConsoleConfig["systems"] {
    return this.#options.inventory.systems().map(({ name, endpoint }) => ({ name, host: endpoint.host, port: endpoint.port }));
  }

  #addSystem(system: ConsoleConfig["systems"][number]): void {
    changeConfigFile(this.#options.configFile, (document) => {
      const others = this.#systems().filter((one) => one.name !== system.name);
      document.set("systems", document.createNode([...others, system]));
    });
    this.#options.inventory.add(system);
  }
}
