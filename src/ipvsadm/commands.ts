// SPDX-License-Identifier: MIT
/** Commands that change the table: one request each. */
import { type Feature, IP_VS_CONN_F_FULLNAT, type Ipvs } from '../ipvs/index.ts';
import type { Invocation } from './invocation.ts';
import { readSecret } from './secret.ts';

type Act = (ipvs: Ipvs, line: Invocation) => Promise<void>;

/** The address that the command line must have given; the rules have seen to it. */
function localAddress({ localAddress: address }: Invocation): Uint8Array {
  if (!address) throw new TypeError('a command on a local address without one');
  return address;
}

/** The request that carries a command out; undefined for commands that print. */
export function changeOf({ command }: Invocation): Act | undefined {
  // Not a table: most runs need one of them.
  switch (command) {
    case 'flush':
      return (ipvs) => ipvs.flush();
    case 'add-service':
      return (ipvs, { service }) => ipvs.addService(service);
    case 'edit-service':
      return (ipvs, { service }) => ipvs.setService(service);
    case 'delete-service':
      return (ipvs, { service }) => ipvs.deleteService(service);
    case 'zero':
      return (ipvs, { service, options }) => ipvs.zero(options.has('service-address') ? service : undefined);
    case 'add-server':
      return (ipvs, { service, destination }) => ipvs.addDestination(service, destination);
    case 'edit-server':
      return (ipvs, { service, destination }) => ipvs.setDestination(service, destination);
    case 'delete-server':
      return (ipvs, { service, destination }) => ipvs.deleteDestination(service, destination);
    case 'add-laddr':
      return (ipvs, line) => ipvs.addLocalAddress(line.service, localAddress(line));
    case 'del-laddr':
      return (ipvs, line) =>
        ipvs.deleteLocalAddress(line.service, localAddress(line), { drain: line.options.has('drain') });
    case 'set':
      return (ipvs, { timeouts }) => ipvs.setTimeouts(timeouts);
    case 'secret':
      // The feature first: a kernel that lacks it says so whatever the file is like.
      return async (ipvs, { secretFile = '' }) => {
        await ipvs.requireFeature('SECRET');
        await ipvs.setSecret(readSecret(secretFile));
      };
    case 'start-daemon':
      return (ipvs, { daemon }) => ipvs.startDaemon(daemon);
    case 'stop-daemon':
      return (ipvs, { daemon }) => ipvs.stopDaemon(daemon);
    default:
      return undefined;
  }
}

/** What the kernel must have for this command line beyond the stock one. */
export function featureOf({ command, options, service, destination }: Invocation): Feature | undefined {
  switch (command) {
    case 'add-service':
    case 'edit-service':
      return service.portMin === undefined ? undefined : 'FULLNAT';
    case 'add-server':
    case 'edit-server':
      return destination.method === IP_VS_CONN_F_FULLNAT ? 'FULLNAT' : undefined;
    case 'del-laddr':
      return options.has('drain') ? 'LADDR_DRAIN' : 'FULLNAT';
    case 'add-laddr':
    case 'get-laddr':
      return 'FULLNAT';
    case 'secret':
      return 'SECRET';
    default:
      return undefined;
  }
}
