// SPDX-License-Identifier: MIT
/** Creates the prober of a target by its kind of check. */
import { KINDS } from '../kinds.ts';
import type { Target } from '../types.ts';
import type { Prober } from '../verdict.ts';

/** Throws if the target can never be probed; the message then is the result of each probe. */
export type Prepare = (target: Target) => Prober;

/** Loads the probers of all kinds. */
export async function loadProbers(): Promise<Prepare> {
  const entries = Object.entries(KINDS).map(async ([type, kind]) => [type, await kind.prober()] as const);
  // A target of one kind has a check of that kind.
  const probers = new Map(await Promise.all(entries)) as ReadonlyMap<string, Prepare>;
  return (target) => {
    const prober = probers.get(target.check.type);
    if (!prober) throw new Error(`there is no check of type ${target.check.type}`);
    return prober(target);
  };
}
