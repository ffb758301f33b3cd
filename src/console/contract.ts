/**
 * The rooms inside the console and how they meet: doors (ssh) hand a command line to `commands`; commands ask `inventory` and `mobility`.
 * The console holds no partition truth: what is here about partitions is a cache fed by events of the systems.
 */
import type { Logger } from "../kit/log.js";
import type { LparId } from "../model/ids.js";
import type { SwitchMapping } from "../mobility/definition.js";
import type { Finding, Levels, WantedMsp } from "../mobility/facts.js";
import type { LparView } from "../model/lpar.js";
import type { MigrationRecord, Prediction } from "../model/migration.js";
import type { SystemView } from "../model/system.js";
import type { Client } from "../wire/rpc.js";
import type { ConsoleSystem } from "../wire/console-system.js";

/** One managed system as this console sees it now. */
export interface ManagedSystem {
  /** the user-defined name */
  readonly name: string;
  /** host and port of its process, and the name in its certificate (`system:ms01`) */
  readonly endpoint: { readonly host: string; readonly port: number; readonly name: string };
  readonly connected: boolean;
  /** last known; null when never connected */
  readonly view: SystemView | null;
  /** by ascending id; empty while never connected */
  lpars(): readonly LparView[];
  /** asks the system itself, past the cache */
  refresh(signal?: AbortSignal): Promise<void>;
  readonly client: Client<ConsoleSystem>;
}

export interface Inventory {
  systems(): readonly ManagedSystem[];
  /** by user-defined name or `tttt-mmm*sssssss`. @throws OlpmError not-found HSCL8018; invalid-argument when two systems have the name */
  system(nameOrMtms: string): ManagedSystem;
  /** @throws OlpmError not-found HSCL8012 */
  lpar(system: ManagedSystem, by: { readonly name: string } | { readonly lparId: number }): LparView;
  onMigration(listener: (system: ManagedSystem, record: MigrationRecord) => void): () => void;
  close(): Promise<void>;
}

export type { Finding };

export interface MobilityOptions {
  readonly destLparId?: number;
  readonly profileName?: string;
  readonly sourceMsp?: WantedMsp;
  readonly destMsp?: WantedMsp;
  readonly secondMsps?: { readonly source: WantedMsp; readonly destination: WantedMsp };
  /** client slot -> VIOS by name or id */
  readonly scsiMappings?: readonly { readonly clientSlot: number; readonly viosName?: string; readonly viosLparId?: number; readonly viosSlot?: number }[];
  /** the same for virtual Fibre Channel, with the port */
  readonly fcMappings?: readonly { readonly clientSlot: number; readonly viosName?: string; readonly viosLparId?: number; readonly viosSlot?: number; readonly port?: string }[];
  readonly vswitchMappings?: readonly SwitchMapping[];
  readonly procPool?: { readonly id?: number; readonly name?: string };
  /** how strict rules are */
  readonly levels?: Levels;
  /** minutes to wait for commands of operating systems; default 3 */
  readonly waitMinutes?: number;
  /** validate with what the console knows, without asking the systems anew */
  readonly useCurrentData?: boolean;
  /** only the choices are wanted: the operating system is not asked */
  readonly listing?: boolean;
}
export interface MobilityRequest {
  readonly source: ManagedSystem;
  readonly destination: ManagedSystem;
  readonly lparId: LparId;
  readonly options: MobilityOptions;
}

export interface ValidationResult {
  readonly findings: readonly Finding[];
  readonly type: "active" | "inactive";
  /** what `lslparmigr -r virtualio` and `-r msp` show; present also when there are errors, as far as known */
  readonly possibleScsi: readonly { readonly clientSlot: number; readonly viosName: string; readonly viosLparId: number }[];
  readonly possibleFc: readonly { readonly clientSlot: number; readonly viosName: string; readonly viosLparId: number; readonly port: string }[];
  readonly suggestedFc: readonly { readonly clientSlot: number; readonly viosName: string; readonly viosLparId: number; readonly port: string }[];
  readonly suggestedScsi: readonly { readonly clientSlot: number; readonly viosName: string; readonly viosLparId: number; readonly why: string }[];
  /** what was seen and chosen, for -d */
  readonly notes?: readonly { readonly level: number; readonly text: string }[];
  /** what a live move would take; null or absent: nothing was measured */
  readonly prediction?: Prediction | null;
  readonly possibleMsps: readonly { readonly sourceMspLparId: number; readonly sourceMspName: string; readonly sourceMspAddress: string; readonly destMspLparId: number; readonly destMspName: string; readonly destMspAddress: string }[];
}

export interface MigrationResult {
  /** what validation saw and chose, for -d */
  readonly notes?: readonly { readonly level: number; readonly text: string }[];
  /** ok: it runs on the destination; the findings are warnings. Otherwise findings[0] is the first cause, then what was rolled back and what is left. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
  readonly record: MigrationRecord | null;
}

export interface RecoveryResult {
  /** ok: something was recovered and nothing is left. Otherwise findings[0] says why, then what each side knows. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

export interface Mobility {
  validate(request: MobilityRequest, signal: AbortSignal): Promise<ValidationResult>;
  /** Validates, then moves. Ends only when the partition is on the destination and the source is clean, or everything is undone. */
  migrate(request: MobilityRequest, watch: { readonly signal: AbortSignal; readonly onProgress: (record: MigrationRecord) => void }): Promise<MigrationResult>;
  /** Asks the source system to stop; returns when accepted. @throws OlpmError wrong-state (OLPM-S01 after the hand-over; nothing is migrating) */
  stop(source: ManagedSystem, lparId: LparId): Promise<void>;
  /** Finishes or undoes what is left of the partition's last migration, from either of its systems. `force`: a person has read what is known. */
  recover(system: ManagedSystem, lparId: LparId, how: { readonly force: boolean; readonly signal: AbortSignal }): Promise<RecoveryResult>;
  close(): Promise<void>;
}

/** A user as others see it. */
export interface UserInfo {
  readonly name: string;
  readonly taskRole: string;
  readonly description: string;
  /** days after which the password is refused */
  readonly pwageDays: number;
  readonly sshAccess: boolean;
}
export interface NewUser extends UserInfo {
  readonly password: string;
}
/** undefined: as it is */
export type UserChange = { readonly [Key in keyof NewUser]?: NewUser[Key] | undefined };
export interface UserDirectory {
  list(): readonly UserInfo[];
  /** @throws OlpmError already-exists | limit-reached */
  create(user: NewUser): void;
  /** @throws OlpmError not-found | already-exists | refused */
  change(name: string, change: UserChange): void;
  /** @throws OlpmError not-found | refused */
  remove(name: string): void;
}

/** Where a command's text goes to and its input comes from; a pty or three pipes, the command does not care unless it asks. */
export interface CommandIo {
  readonly stdout: (text: string | Buffer) => void;
  readonly stderr: (text: string) => void;
  /** null where there is no terminal */
  readonly tty: { readonly columns: number; readonly rows: number; readonly color: boolean } | null;
  /** input bytes as they come; ends at end of file */
  input(): AsyncIterable<Buffer>;
  /** terminal only: every key goes to the command unchanged */
  setRaw(on: boolean): void;
}
export interface CommandContext {
  readonly user: string;
  readonly taskRole: string;
  readonly consoleName: string;
  readonly inventory: Inventory;
  readonly mobility: Mobility;
  readonly io: CommandIo;
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly users: UserDirectory;
  /** the user's own public keys for SSH */
  readonly keys: { add(line: string): boolean; remove(match: string): number; list(): readonly string[] };
  /** facts of this console for lshmc */
  readonly about: { readonly version: string; readonly addresses: readonly string[]; readonly sshEnabled: boolean };
}
/** Runs one HMC command line that a shell has already split. Never throws: errors become text and status. Unknown command: 127. */
export type RunCommand = (argv: readonly string[], context: CommandContext) => Promise<number>;
