/**
 * What can break while a partition moves, with real parts: the table of src/lab/faults.ts, one test a row, while a client on the LAN writes over one TCP connection. Each
 * ends where the row says, with one message; nothing is left of it by the checker that looks from outside; the LUN's own bytes have every acknowledged
 * write; and a second try succeeds, after which the next row begins on the other system. Here: processes that are killed; the rest in faults-hung.test.ts.
 */
import { CASES, KILLED } from "../src/lab/faults.js";
import { faultSuite } from "./support/fault-suite.js";

faultSuite("killed", CASES.filter((row) => KILLED.includes(row.fault))).finish();
