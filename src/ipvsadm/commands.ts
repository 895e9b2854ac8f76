// SPDX-License-Identifier: MIT
/** Commands that change the table: one request each. */
import { type Feature, IP_VS_CONN_F_FULLNAT, type Ipvs } from '../ipvs/index.ts';
import type { Invocation } from './invocation.ts';
import type { CommandName } from './options.ts';
import { readSecret } from './secret.ts';

type Act = (ipvs: Ipvs, line: Invocation) => Promise<void>;

/** The address that the command line must have given; the rules have seen to it. */
function localAddress({ localAddress: address }: Invocation): Uint8Array {
  if (!address) throw new TypeError('a command on a local address without one');
  return address;
}

const CHANGES: Readonly<Partial<Record<CommandName, Act>>> = {
  flush: (ipvs) => ipvs.flush(),
  'add-service': (ipvs, { service }) => ipvs.addService(service),
  'edit-service': (ipvs, { service }) => ipvs.setService(service),
  'delete-service': (ipvs, { service }) => ipvs.deleteService(service),
  zero: (ipvs, { service, options }) => ipvs.zero(options.has('service-address') ? service : undefined),
  'add-server': (ipvs, { service, destination }) => ipvs.addDestination(service, destination),
  'edit-server': (ipvs, { service, destination }) => ipvs.setDestination(service, destination),
  'delete-server': (ipvs, { service, destination }) => ipvs.deleteDestination(service, destination),
  'add-laddr': (ipvs, line) => ipvs.addLocalAddress(line.service, localAddress(line)),
  'del-laddr': (ipvs, line) =>
    ipvs.deleteLocalAddress(line.service, localAddress(line), { drain: line.options.has('drain') }),
  set: (ipvs, { timeouts }) => ipvs.setTimeouts(timeouts),
  // The feature first: a kernel that lacks it says so whatever the file is like.
  secret: async (ipvs, { secretFile = '' }) => {
    await ipvs.requireFeature('SECRET');
    await ipvs.setSecret(readSecret(secretFile));
  },
  'start-daemon': (ipvs, { daemon }) => ipvs.startDaemon(daemon),
  'stop-daemon': (ipvs, { daemon }) => ipvs.stopDaemon(daemon),
};

/** The request that carries a command out; undefined for commands that print. */
export function changeOf({ command }: Invocation): Act | undefined {
  return command === 'help' || command === 'version' ? undefined : CHANGES[command];
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
