// SPDX-License-Identifier: MIT
/** Selects services and real servers of a status. Pure. */
import type { DaemonStatus, RealServerStatus, ServiceStatus } from '../messages.ts';
import { endpointText } from './words.ts';

export interface StatusFilter {
  /** Only what needs attention: real servers that are down, services without quorum or with a rejected change. */
  down?: boolean | undefined;
  /** Name, address, or address:port of a real server. */
  server?: string | undefined;
  state?: RealServerStatus['state'] | undefined;
}

/** The status with the selected services, and the selected real servers in them. Without a filter the same object. */
export function filterStatus(status: DaemonStatus, { down = false, server, state }: StatusFilter): DaemonStatus {
  if (!down && server === undefined && state === undefined) return status;
  const selects = (one: RealServerStatus) =>
    (!down || one.state === 'down') &&
    (state === undefined || one.state === state) &&
    (server === undefined || [one.name, one.address, endpointText(one)].includes(server));
  const troubled = ({ quorum, error }: ServiceStatus) =>
    down && server === undefined && state === undefined && (!quorum.up || error !== undefined);
  const services = status.services
    .map((service) => ({ ...service, realServers: service.realServers.filter(selects) }))
    .filter((service) => service.realServers.length > 0 || troubled(service));
  return { ...status, services };
}
