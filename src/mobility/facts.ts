/** What the rules of mobility look at: facts that were gathered before, so that deciding needs nobody. Pure. */
import type { LparView } from "../model/lpar.js";
import type { MigrationRecord } from "../model/migration.js";
import type { SystemView } from "../model/system.js";
import type { Measured } from "./predict.js";
import type { SwitchMapping } from "./definition.js";

export interface LunFact {
  readonly viosLparId: number;
  readonly lun: string;
  readonly visible: boolean;
  readonly bytes: number | null;
  readonly inUse: boolean;
  /** who holds a SCSI reservation of it; null: nobody, or not known */
  readonly reservedBy?: string | null | undefined;
  readonly detail: string;
}
/** What the SAN shows to one WWPN of the partition through one port of a VIOS, of either side, by a trial login. */
export interface FcFact {
  readonly side: "source" | "destination";
  readonly viosLparId: number;
  readonly port: string;
  readonly wwpn: string;
  /** the SAN's own ports that the name sees */
  readonly targets: readonly string[];
  readonly luns: readonly { readonly lun: string; readonly bytes: number; /** who holds a SCSI reservation of it */ readonly reservedBy: string | null }[];
  /** virtual adapters that the port can still take */
  readonly availablePorts: number;
  /** why the SAN could not be asked; empty when it was */
  readonly detail: string;
}
/** A mover service partition's share of migrations. */
export interface MoverFact {
  readonly lparId: number;
  readonly inProgress: number;
  readonly max: number;
}
export interface SystemFacts {
  readonly view: SystemView;
  readonly connected: boolean;
  readonly lpars: readonly LparView[];
  /** movers with their limits; one that is not here has none that is known */
  readonly movers?: readonly MoverFact[];
}
export interface WantedMsp {
  readonly id?: number | undefined;
  readonly name?: string | undefined;
  readonly address?: string | undefined;
}
export interface WantedScsi {
  readonly clientSlot: number;
  readonly viosName?: string | undefined;
  readonly viosLparId?: number | undefined;
  readonly viosSlot?: number | undefined;
}
/** How strict rules are, by the options of migrlpar that say so (hmc-cli 2.3, lpm-process 5.7); absent: the option was not given. */
export interface Levels {
  /** 0 need not keep two servers apart, 1 must, 2 if possible */
  readonly redundantVios?: 0 | 1 | 2 | undefined;
  readonly mpio?: 1 | 2 | undefined;
  readonly vlanBridge?: 1 | 2 | undefined;
  readonly uuid?: 1 | 2 | undefined;
  readonly redundantMsps?: 0 | 1 | 2 | undefined;
}
export interface Wanted {
  readonly destLparId: number | null;
  readonly sourceMsp: WantedMsp | null;
  readonly destMsp: WantedMsp | null;
  /** the movers of the second pair, by `redundant_msps`; null: any */
  readonly secondMsps: { readonly source: WantedMsp; readonly destination: WantedMsp } | null;
  readonly scsi: readonly WantedScsi[];
  readonly fc: readonly (WantedScsi & { readonly port?: string | undefined })[];
  readonly profileName: string | null;
  readonly vswitches: readonly SwitchMapping[];
  readonly procPool: { readonly id?: number | undefined; readonly name?: string | undefined } | null;
  readonly levels: Levels;
}
export interface MobilityFacts {
  readonly source: SystemFacts;
  readonly destination: SystemFacts;
  readonly lpar: LparView;
  readonly wanted: Wanted;
  /** what the destination's VIOSes say of the partition's LUNs; null: they could not be asked */
  readonly luns: readonly LunFact[] | null;
  /** what the source's VIOSes say of them; null: not asked */
  readonly sourceLuns?: readonly LunFact[] | null;
  /**
   * Trial logins for its virtual Fibre Channel adapters: on the destination with the WWPN that is not in use, through every port of every running VIOS; on the source with
   * the one in use, through the VIOS that serves it. Null: they could not be made.
   */
  readonly fc: readonly FcFact[] | null;
  /** the partition's configuration beside what the destination has given out; null: not asked */
  readonly fits: { readonly memory: boolean; readonly processors: boolean; readonly detail: string } | null;
  /** answer of the operating system to `check`; null: not asked (inactive) */
  readonly guest: { readonly answered: boolean; readonly agreed: boolean; readonly detail: string } | null;
  /** test connections between movers: the first pair that answered, else what the best one said, and a second one that has no mover of it; null: not made */
  readonly movers: { readonly reachable: boolean; readonly detail: string; readonly pair?: MspPair | undefined; readonly second?: MspPair | undefined; /** why there is no second one, as far as a connection failed */ readonly secondDetail?: string | undefined; readonly bytesPerSecond?: number | null | undefined } | null;
  /** the migration that the partition is in, or that left something of it */
  readonly record?: MigrationRecord | null;
  /** for the prediction; null: not measured */
  readonly measured?: Measured | null;
  /** how far the destination's clock is ahead of the source's; null: not compared */
  readonly clockAheadMs?: number | null;
}

export interface Finding {
  readonly severity: "error" | "warning";
  readonly hsc: string;
  readonly message: string;
  readonly action: string;
  /** what a Virtual I/O Server or an operating system said, one line each; left out with --nodetails */
  readonly details?: readonly string[];
}
export interface ScsiChoice {
  readonly clientSlot: number;
  readonly viosName: string;
  readonly viosLparId: number;
}
/** The port is the one that would be used. */
export interface FcChoice extends ScsiChoice {
  readonly port: string;
}
export interface SuggestedScsi extends ScsiChoice {
  /** why this server, for people */
  readonly why: string;
  /** slot of the server adapter that was asked for */
  readonly viosSlot: number | null;
}
export interface MspPair {
  readonly sourceMspLparId: number;
  readonly sourceMspName: string;
  readonly sourceMspAddress: string;
  readonly destMspLparId: number;
  readonly destMspName: string;
  readonly destMspAddress: string;
}
