// SPDX-License-Identifier: MIT
/** Creates the prober of a check by its kind. */
import { KINDS } from '../kinds.ts';
import type { Check } from '../types.ts';
import type { Prober } from '../verdict.ts';

export type Prepare = (check: Check) => Prober;

/** Loads the probers of all kinds. */
export async function loadProbers(): Promise<Prepare> {
  const entries = Object.entries(KINDS).map(async ([type, kind]) => [type, await kind.prober()] as const);
  // A check of one kind goes to the prober of that kind.
  const probers = new Map(await Promise.all(entries)) as ReadonlyMap<string, Prepare>;
  return (check) => {
    const prober = probers.get(check.type);
    if (!prober) throw new Error(`there is no check of type ${check.type}`);
    return prober(check);
  };
}
