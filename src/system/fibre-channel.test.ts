import assert from "node:assert/strict";
import test from "node:test";
import { LparView, ResourceConfig, VirtualFcAdapter } from "../model/lpar.js";
import { silentLogger } from "../kit/log.js";
import { db01, SHARED_RESOURCES } from "../testkit/fake-console.js";
import type { ViosHandle } from "./contract.js";
import { activeWwpn, loginFc, logoutFc, withTurns } from "./fibre-channel.js";
import { withFc } from "./migration/fibre-channel.js";

const PAIR = ["c05076aabbcc0000", "c05076aabbcc0001"];
const adapter = (change: object = {}) => VirtualFcAdapter.parse({ slot: 4, role: "client", remoteLparId: 1, remoteSlot: 30, required: true, wwpns: PAIR, ...change });
const resources = (...fc: VirtualFcAdapter[]) => ResourceConfig.parse({ ...SHARED_RESOURCES, fc });

test("whose turn it is stays when a profile is applied, as long as the pair is the same", () => {
  const after = (profile: VirtualFcAdapter, before: VirtualFcAdapter | null) => withTurns(resources(profile), before && resources(before)).fc[0]!.active;
  assert.equal(after(adapter(), adapter({ active: 1 })), 1);
  assert.equal(after(adapter({ slot: 9 }), adapter({ active: 1 })), 1, "also in another slot");
  assert.equal(after(adapter({ wwpns: ["c05076aabbcc0002", "c05076aabbcc0003"] }), adapter({ active: 1 })), 0);
  assert.equal(after(adapter(), null), 0);
  assert.deepEqual([activeWwpn(adapter()), activeWwpn(adapter({ active: 1 })), activeWwpn(adapter({ wwpns: null }))], [PAIR[0], PAIR[1], null]);
});

test("the definition on the destination names its server adapter and the WWPN that logs in there; other profiles stay", () => {
  const { definition } = db01();
  const with_ = (active: 0 | 1) => ({ ...definition, current: resources(adapter({ active })), profiles: [{ name: definition.currentProfile!, resources: resources(adapter()) }, { name: "other" as never, resources: resources(adapter()) }] });
  const planned = (wwpn: string) => [{ clientSlot: 4, viosLparId: 2, viosSlot: 44, port: "fcs1", wwpn, luns: [] }] as unknown as Parameters<typeof withFc>[1];
  const moved = withFc(with_(0), planned(PAIR[1]!));
  assert.deepEqual([moved.current, moved.profiles[0]!.resources].map((one) => [one?.fc[0]?.remoteLparId, one?.fc[0]?.remoteSlot, one?.fc[0]?.active]), [[2, 44, 1], [2, 44, 1]]);
  assert.deepEqual(moved.profiles[1], with_(0).profiles[1]);
  assert.equal(withFc(with_(1), planned(PAIR[0]!)).current?.fc[0]?.active, 0, "and back");
  assert.deepEqual(withFc(with_(1), []), with_(1));
});

test("login at activation: with the name in turn; a required adapter without its way is an error, another one is passed over", async () => {
  const asked: [string, object][] = [];
  const vios = { lparId: 1, name: "vios1", client: { call: async (method: string, params: object) => (asked.push([method, params]), {}) } } as unknown as ViosHandle;
  const view = (required: boolean, fc: object[]) => LparView.parse({ ...db01(), definition: { ...db01().definition, current: resources(adapter({ required, active: 1 })) }, fc });
  const mapping = { clientSlot: 4, viosLparId: 1, viosSlot: 30, vfchost: "vfchost0", port: "fcs0", wwpn: null, luns: [] };
  const login = (shown: LparView, vioses = [vios]) => loginFc({ log: silentLogger, view: () => shown, vioses: () => vioses }, shown.lparId);
  await login(view(true, [mapping]));
  assert.deepEqual(asked.splice(0), [["fc.login", { slot: 30, wwpn: PAIR[1], clientName: "db01", luns: null }]]);
  await assert.rejects(login(view(true, [])), { hsc: "HSCL0DB9", message: /slot 4 of partition db01 has no server adapter/ });
  await assert.rejects(login(view(true, [mapping]), []), { hsc: "HSCL0DB9" });
  await assert.rejects(login(view(true, [{ ...mapping, port: null }])), { hsc: "HSCL0DB9", message: /not mapped to a port: vfchost0 on vios1/ });
  for (const fc of [[], [{ ...mapping, port: null }]]) await login(view(false, fc));
  assert.deepEqual(asked, []);
  const shown = view(true, [{ ...mapping, wwpn: PAIR[1] }]);
  await logoutFc({ log: silentLogger, view: () => shown, vioses: () => [vios] }, shown.lparId);
  assert.deepEqual(asked, [["fc.logout", { slot: 30 }]]);
});
