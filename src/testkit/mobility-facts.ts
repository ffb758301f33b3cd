/**
 * Facts of a move in which no rule finds anything, for tests of src/mobility: db01 on ms01 with one LUN by each of two Virtual I/O Servers, and ms02 with two
 * of the same names and one other partition. A test changes what it is about; the result is parsed, so that no test uses a shape that can not be. Tests only.
 */
import { LparView } from "../model/lpar.js";
import type { MigrationRecord } from "../model/migration.js";
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
  // One object: a test that changes what the partition has does not make its profile differ from it.
  lpar.definition.profiles = [{ name: "normal", resources }];
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
    wanted: { destLparId: null, sourceMsp: null, destMsp: null, secondMsps: null, scsi: [], fc: [], profileName: null, vswitches: [], procPool: null, levels: {} },
    luns,
    fc: [],
    sourceLuns: structuredClone(luns),
    clockAheadMs: 0,
    fits: { memory: true, processors: true, detail: "" },
    guest: asked ? { answered: true, agreed: true, detail: "" } : null,
    movers: asked ? { reachable: true, detail: "" } : null,
  };
}

export const FC_PAIR = ["c05076aabbcc0000", "c05076aabbcc0001"] as const;
/** Gives db01 a virtual Fibre Channel adapter in slot 7, behind vios1 on ms01, with one LUN; both servers of ms02 have two ports that show it to both of its WWPNs. */
export function addFc(f: LooseFacts): LooseFacts {
  const lun = "naa.600f";
  f.lpar.definition.current!.fc = [{ slot: 7, role: "client", remoteLparId: 1, remoteSlot: 30, required: true, wwpns: [...FC_PAIR], active: 0 }];
  const off = f.lpar.state === "not-activated";
  f.lpar.fc = [{ clientSlot: 7, viosLparId: 1, viosSlot: 30, vfchost: "vfchost0", port: "fcs1", wwpn: off ? null : FC_PAIR[0], luns: off ? [] : [{ vtd: "vfchost0.0", lun, lunBytes: LUN_BYTES }] }];
  const seen = (side: "source" | "destination", viosLparId: number, port: string, wwpn: string) => ({ side, viosLparId, port, wwpn, targets: ["naa.5005"], luns: [{ lun, bytes: LUN_BYTES, reservedBy: null as string | null }], availablePorts: 63, detail: "" });
  f.fc = ["fcs0", "fcs1"].flatMap((port) => [seen("source", 1, port, FC_PAIR[0]), ...[1, 2].flatMap((vios) => FC_PAIR.map((wwpn) => seen("destination", vios, port, wwpn)))]);
  return f;
}

export function parsedFacts(loose: LooseFacts): MobilityFacts {
  const parsed = (one: LooseFacts["source"]) => ({ ...one, view: SystemView.parse(one.view), lpars: one.lpars.map((lpar) => LparView.parse(lpar)) });
  return { ...loose, fc: loose.fc?.map((one) => ({ ...one, side: one.side === "source" ? ("source" as const) : ("destination" as const) })) ?? null, wanted: loose.wanted as MobilityFacts["wanted"], record: (loose.record ?? null) as MigrationRecord | null, source: parsed(loose.source), destination: parsed(loose.destination), lpar: LparView.parse(loose.lpar) };
}

export function facts(change: (loose: LooseFacts) => void = () => undefined, kind: "active" | "inactive" = "active"): MobilityFacts {
  const loose = looseFacts(kind);
  change(loose);
  return parsedFacts(loose);
}
