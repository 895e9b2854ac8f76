// SPDX-License-Identifier: MIT
/** Adds services with their destinations in bulk: several hundred requests per system call, with a single ack. */
import type { BulkWriter } from './bulk-writer.ts';
import type { DestinationConfig, ServiceConfig } from './types.ts';

/** A new service with its destinations. */
export interface BulkService {
  service: ServiceConfig;
  destinations: readonly DestinationConfig[];
}

/** The part of the client that sends in bulk. */
export interface BulkSender {
  bulkWriter(): Promise<BulkWriter>;
  sendBulk(writer: BulkWriter): Promise<ReadonlyMap<number, unknown>>;
}

/**
 * Adds services that are bulk writable (`isBulkWritableService`, `isBulkWritableDestination`), each with its
 * destinations. Resolves with the indices of those that failed, or may have failed, in part: the caller has to read
 * back how much of them exists. Never rejects.
 */
export async function addServices(ipvs: BulkSender, services: readonly BulkService[]): Promise<ReadonlySet<number>> {
  const failed = new Set<number>();
  let writer: BulkWriter;
  try {
    writer = await ipvs.bulkWriter();
  } catch {
    // The caller adds them one by one, and gets the reason then.
    return new Set(services.keys());
  }
  /** For each message of the batch, the index of its service. */
  const owners: number[] = [];
  const send = async () => {
    try {
      for (const message of (await ipvs.sendBulk(writer)).keys()) failed.add(owners[message] as number);
    } catch {
      writer.clear();
      for (const owner of owners) failed.add(owner);
    }
    owners.length = 0;
    // The kernel answers within the system call: without this the event loop would starve.
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (const [index, { service, destinations }] of services.entries()) {
    if (writer.full) await send();
    owners.push(index);
    writer.addService(service);
    for (const destination of destinations) {
      if (writer.full) await send();
      owners.push(index);
      writer.addDestination(service, destination);
    }
  }
  if (writer.count > 0) await send();
  return failed;
}
