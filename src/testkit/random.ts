/** Seeded numbers for tests. */
export { randomOf } from "../kit/random.js";
