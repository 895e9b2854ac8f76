// SPDX-License-Identifier: MIT
/** Operations on the daemons of connection sync. The kernel runs at most one for each role, master and backup. */
import type { SyncDaemon } from '../ipvs/index.ts';
import type { Actual, Desired, Operation } from './types.ts';

/** In order: a daemon with other settings is stopped before the right one is started. */
export function syncSteps(desired: Desired, actual: Actual): Operation[] {
  const { syncDaemons: wanted } = desired;
  if (wanted === undefined) return [];
  const present = actual.syncDaemons ?? [];
  const stopped = present.filter((one) => !wanted.some((other) => sameDaemon(one, other)));
  const started = wanted.filter((one) => !present.some((other) => sameDaemon(one, other)));
  return [
    ...stopped.map((daemon): Operation => ({ op: 'stop-sync', daemon })),
    ...started.map((daemon): Operation => ({ op: 'start-sync', daemon })),
  ];
}

/** Whether the role and the settings that lvsd chooses are equal; the kernel's defaults are not compared. */
export function sameDaemon(a: SyncDaemon, b: SyncDaemon): boolean {
  return a.state === b.state && a.interface === b.interface && a.syncId === b.syncId;
}
