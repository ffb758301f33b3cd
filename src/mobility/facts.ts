/** What the rules of mobility look at: facts that were gathered before, so that deciding needs nobody. Pure. */
import type { LparView } from "../model/lpar.js";
import type { SystemView } from "../model/system.js";

export interface LunFact {
  readonly viosLparId: number;
  readonly lun: string;
  readonly visible: boolean;
  readonly bytes: number | null;
  readonly inUse: boolean;
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
  readonly luns: readonly { readonly lun: string; readonly bytes: number }[];
  /** virtual adapters that the port can still take */
  readonly availablePorts: number;
  /** why the SAN could not be asked; empty when it was */
  readonly detail: string;
}
export interface SystemFacts {
  readonly view: SystemView;
  readonly connected: boolean;
  readonly lpars: readonly LparView[];
}
export interface MobilityFacts {
  readonly source: SystemFacts;
  readonly destination: SystemFacts;
  readonly lpar: LparView;
  readonly wanted: {
    readonly destLparId: number | null;
    readonly sourceMsp: { readonly id?: number | undefined; readonly name?: string | undefined } | null;
    readonly destMsp: { readonly id?: number | undefined; readonly name?: string | undefined } | null;
    readonly scsi: readonly { readonly clientSlot: number; readonly viosName?: string | undefined; readonly viosLparId?: number | undefined; readonly viosSlot?: number | undefined }[];
    readonly fc: readonly { readonly clientSlot: number; readonly viosName?: string | undefined; readonly viosLparId?: number | undefined; readonly viosSlot?: number | undefined; readonly port?: string | undefined }[];
  };
  /** what the destination's VIOSes say of the partition's LUNs; null: they could not be asked */
  readonly luns: readonly LunFact[] | null;
  /**
   * Trial logins for its virtual Fibre Channel adapters: on the destination with the WWPN that is not in use, through every port of every running VIOS; on the source with
   * the one in use, through the VIOS that serves it. Null: they could not be made.
   */
  readonly fc: readonly FcFact[] | null;
  /** the partition's configuration beside what the destination has given out; null: not asked */
  readonly fits: { readonly memory: boolean; readonly processors: boolean; readonly detail: string } | null;
  /** answer of the operating system to `check`; null: not asked (inactive) */
  readonly guest: { readonly answered: boolean; readonly agreed: boolean; readonly detail: string } | null;
  /** test connections between movers, for the pair that the plan would use; null: not made */
  readonly movers: { readonly reachable: boolean; readonly detail: string } | null;
}

export interface Finding {
  readonly severity: "error" | "warning";
  readonly hsc: string;
  readonly message: string;
  readonly action: string;
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
export interface MspPair {
  readonly sourceMspLparId: number;
  readonly sourceMspName: string;
  readonly sourceMspAddress: string;
  readonly destMspLparId: number;
  readonly destMspName: string;
  readonly destMspAddress: string;
}
