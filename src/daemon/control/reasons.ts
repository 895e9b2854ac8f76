// SPDX-License-Identifier: MIT
/** The reasons of services that are not up as a whole, in one line each, without a reading of the kernel's table. */
import { setImmediate as turn } from 'node:timers/promises';
import type { OverrideStatus, RealServerStatus, ServiceReason, ServiceStatus } from '../../control/messages.ts';
import { errorOf, type Sources, serviceStatus } from './status.ts';

/** Services that are looked at in one turn of the event loop. */
const SERVICES_A_TURN = 500;
/** Real servers that a line names. */
const NAMED = 3;
/** Characters of a line. */
const LONGEST = 240;

export async function serviceReasons(sources: Omit<Sources, 'table'>): Promise<ServiceReason[]> {
  const { runtime, failures } = sources;
  const reasons: ServiceReason[] = [];
  for (const [index, service] of runtime.services.entries()) {
    if (index % SERVICES_A_TURN === SERVICES_A_TURN - 1) await turn();
    const { spec, realServers } = service;
    const up = runtime.quorumUp(service) && realServers.every((server) => isUp(runtime.serverState(service, server)));
    if (up && errorOf(service, failures).error === undefined) continue;
    const status = serviceStatus(service, { ...sources, table: () => undefined });
    const reason = reasonText(status);
    if (reason !== '') reasons.push({ service: spec.name, virtual: status.virtuals[0] ?? '', reason });
  }
  return reasons;
}

const isUp = (state: RealServerStatus['state']) => state === 'up' || state === 'unchecked';

/** "quorum lost, sorry server in use; web1: connection refused". Pure. */
export function reasonText({ error, sorry, quorum, realServers }: ServiceStatus): string {
  const bad = realServers.filter(({ state }) => !isUp(state));
  // The worst first: those that drain are expected to.
  bad.sort((a, b) => Number(a.state === 'draining') - Number(b.state === 'draining'));
  const parts = [
    ...(error === undefined ? [] : [`kernel refused: ${error}`]),
    ...(quorum.up ? [] : [`quorum lost${sorry ? ', sorry server in use' : ''}`]),
    ...bad.slice(0, NAMED).map((server) => `${server.name}: ${serverReason(server)}`),
    ...(bad.length > NAMED ? [`${bad.length - NAMED} more`] : []),
  ];
  const text = parts.join('; ');
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

function serverReason({ override, overrides = [], state, reason }: RealServerStatus): string {
  const own = overrides.find(({ kind }) => kind === override);
  if (own && (override === 'disable' || (override === 'drain' && state === 'draining'))) return overrideText(own);
  return reason ?? state;
}

/** "drained by root (CHG-4711)" */
function overrideText({ kind, by, reason }: OverrideStatus): string {
  const words = kind === 'drain' ? 'drained' : 'disabled';
  return `${words}${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
}
