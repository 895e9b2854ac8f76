// SPDX-License-Identifier: MIT
/** Whole services in bulk: some hundred requests in a system call, and one ack for all of them. */
import type { Additions } from './additions.ts';
import type { Ipvs } from './client.ts';
import type { DestinationConfig, ServiceConfig } from './types.ts';

/** A service that is new, with all that it has. */
export interface ServiceAddition {
  service: ServiceConfig;
  destinations: readonly DestinationConfig[];
}

/**
 * Adds services that are plain (`isPlainService`, `isPlainDestination`), each with its destinations. Resolves with the
 * places of those of which something was refused, or may have been: what of them is there by then has to be looked for.
 * Never rejects.
 */
export async function addServices(
  ipvs: Pick<Ipvs, 'additions' | 'sendAdditions'>,
  services: readonly ServiceAddition[],
): Promise<ReadonlySet<number>> {
  const refused = new Set<number>();
  let additions: Additions;
  try {
    additions = await ipvs.additions();
  } catch {
    // Whoever asks for one of them is told why.
    return new Set(services.keys());
  }
  /** By the place of a message in the batch. */
  const owners: number[] = [];
  const send = async () => {
    try {
      for (const place of (await ipvs.sendAdditions(additions)).keys()) refused.add(owners[place] as number);
    } catch {
      additions.clear();
      for (const owner of owners) refused.add(owner);
    }
    owners.length = 0;
    // The kernel answers while it is asked: nothing else would get its turn.
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (const [index, { service, destinations }] of services.entries()) {
    if (additions.full) await send();
    owners.push(index);
    additions.service(service);
    for (const destination of destinations) {
      if (additions.full) await send();
      owners.push(index);
      additions.destination(service, destination);
    }
  }
  if (additions.count > 0) await send();
  return refused;
}
