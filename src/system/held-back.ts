/** Partitions that `openlpm restore` brought back and nobody has confirmed yet: each may run elsewhere since the backup. */
import { OlpmError } from "../kit/errors.js";
import type { LparDefinition } from "../model/lpar.js";
import type { Store } from "./store.js";

/** For whatever makes a partition run, here or elsewhere. @throws OlpmError wrong-state until a person has confirmed that it runs nowhere else */
export function assertNotHeldBack(store: Pick<Store, "heldBack">, { name, uuid }: Pick<LparDefinition, "name" | "uuid">): void {
  if (!store.heldBack().includes(uuid)) return;
  throw new OlpmError("wrong-state", `The partition ${name} was brought back from a backup, and may run elsewhere since.`, { action: `Look for it on the other systems; where it runs nowhere, openlpm restore --confirm ${name} on this system's host lets it go.` });
}
