/**
 * Facts of a move in which no rule finds anything, for tests of src/mobility: db01 on ms01 with one LUN by each of two Virtual I/O Servers, and ms02 with two
 * of the same names and one other partition. A test changes what it is about; the result is parsed, so that no test uses a shape that can not be. Tests only.
 */
import { LparView } from "../model/lpar.js";
import { SystemView } from "../model/system.js";
import type { MobilityFacts } from "../mobility/facts.js";
import { db01, fakeSystems, vios } from "./fake-console.js";

/** As T, but to be written: no readonly, and plain numbers and texts in place of brands and unions. */
type Loose<T> = T extends number ? number : T extends string ? string : T extends boolean ? boolean : T extends readonly (infer One)[] ? Loose<One>[] : T extends object ? { -readonly [Key in keyof T]: Loose<T[Key]> } : T;
export type LooseFacts = Loose<MobilityFacts>;
export type LooseLpar = Loose<LparView>;

export const LUN_BYTES = 1 << 30;
export const looseVios = (lparId: number, name: string): LooseLpar => structuredClone(vios(lparId, name, `10.0.0.${10 + lparId}`)) as LooseLpar;

function system(name: string, which: 0 | 1): LooseFacts["source"] {
  const view = structuredClone(fakeSystems()[which].view) as Loose<SystemView>;
  view.uuid = `00000000-0000-4000-8000-0000000000f${which}`;
  view.sharedEthernet = [{ viosLparId: 1, vswitch: "ETHERNET0", vlanIds: [1, 10, 20, 30], trunkSlot: 5, trunkPriority: 1, active: true }];
  return { view: { ...view, name }, connected: true, lpars: [looseVios(1, "vios1"), looseVios(2, "vios2")] };
}

/** The moving partition stands in `source.lpars` as well: the same object until the facts are parsed. */
export function looseFacts(kind: "active" | "inactive" = "active"): LooseFacts {
  const [source, destination] = [system("ms01", 0), system("ms02", 1)];
  const lpar = structuredClone(db01()) as LooseLpar;
  const resources = lpar.definition.current!;
  resources.scsi = [2, 5].map((slot, n) => ({ slot, role: "client", remoteLparId: n + 1, remoteSlot: 10, required: true }));
  lpar.storage = [2, 5].map((clientSlot, n) => ({ clientSlot, viosLparId: n + 1, viosSlot: 10, vtd: `vtscsi${n}`, lun: `naa.600${"ab"[n]}`, lunBytes: LUN_BYTES }));
  const other = structuredClone(lpar);
  Object.assign(other, { lparId: 5, storage: [] });
  Object.assign(other.definition, { name: "app07", uuid: "00000000-0000-4000-8000-0000000000ad" });
  other.definition.current!.ethernet = [{ ...resources.ethernet[0]!, mac: "02AABB000507" }];
  if (kind === "inactive") lpar.state = "not-activated";
  source.lpars.push(lpar);
  destination.lpars.push(other);
  const luns = [1, 2].flatMap((viosLparId) => lpar.storage.map(({ lun }) => ({ viosLparId, lun, visible: true, bytes: LUN_BYTES, inUse: false, detail: "" })));
  const asked = kind === "active";
  return {
    source,
    destination,
    lpar,
    wanted: { destLparId: null, sourceMsp: null, destMsp: null, scsi: [] },
    luns,
    fits: { memory: true, processors: true, detail: "" },
    guest: asked ? { answered: true, agreed: true, detail: "" } : null,
    movers: asked ? { reachable: true, detail: "" } : null,
  };
}

export function parsedFacts(loose: LooseFacts): MobilityFacts {
  const parsed = (one: LooseFacts["source"]) => ({ ...one, view: SystemView.parse(one.view), lpars: one.lpars.map((lpar) => LparView.parse(lpar)) });
  return { ...loose, source: parsed(loose.source), destination: parsed(loose.destination), lpar: LparView.parse(loose.lpar) };
}

export function facts(change: (loose: LooseFacts) => void = () => undefined, kind: "active" | "inactive" = "active"): MobilityFacts {
  const loose = looseFacts(kind);
  change(loose);
  return parsedFacts(loose);
}
