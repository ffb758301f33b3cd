/** Branded ids, in alphabetical order: a partition id, a slot and a VLAN id are not interchangeable numbers. */
import { z } from "zod";

/** Rises with every change of owner of a partition; see ownership.ts. */
export const Generation = z.number().int().min(1).brand<"Generation">();
export type Generation = z.infer<typeof Generation>;

/** Partition id, 1 up to the system's limit. */
export const LparId = z.number().int().min(1).max(65534).brand<"LparId">();
export type LparId = z.infer<typeof LparId>;

/** SCSI identity of a LUN (VPD page 0x83), for example `naa.600...`: its only name; paths are not names. */
export const LunId = z.string().regex(/^(naa|eui|t10)\.[0-9A-Za-z._:-]{1,120}$/).brand<"LunId">();
export type LunId = z.infer<typeof LunId>;

/** 12 hex digits, upper case, no separators, as the HMC prints it. */
export const MacAddress = z.string().regex(/^[0-9A-F]{12}$/).brand<"MacAddress">();
export type MacAddress = z.infer<typeof MacAddress>;

export const MigrationId = z.uuid().brand<"MigrationId">();
export type MigrationId = z.infer<typeof MigrationId>;

/** Virtual slot number; 0 and 1 are the two virtual serial adapters. */
export const SlotNumber = z.number().int().min(0).max(65535).brand<"SlotNumber">();
export type SlotNumber = z.infer<typeof SlotNumber>;

export const VlanId = z.number().int().min(1).max(4094).brand<"VlanId">();
export type VlanId = z.infer<typeof VlanId>;

/** World wide port name: 16 hex digits, lower case, no separators, as the HMC prints it. On an iSCSI SAN it is the initiator name `naa.` and the digits (RFC 3980). */
export const Wwpn = z.string().regex(/^[0-9a-f]{16}$/).brand<"Wwpn">();
export type Wwpn = z.infer<typeof Wwpn>;
/** The two names of a virtual Fibre Channel client adapter: one is logged in, the other logs in on the destination of a move. */
export const WwpnPair = z.tuple([Wwpn, Wwpn]);
export type WwpnPair = z.infer<typeof WwpnPair>;
