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
  };
  /** what the destination's VIOSes say of the partition's LUNs; null: they could not be asked */
  readonly luns: readonly LunFact[] | null;
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
export interface MspPair {
  readonly sourceMspLparId: number;
  readonly sourceMspName: string;
  readonly sourceMspAddress: string;
  readonly destMspLparId: number;
  readonly destMspName: string;
  readonly destMspAddress: string;
}
