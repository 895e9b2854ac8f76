// SPDX-License-Identifier: MIT
/** The commands that change the table: the request that each one sends, and the kernel feature it needs. */
import { type Feature, IP_VS_CONN_F_FULLNAT, type Ipvs } from '../ipvs/index.ts';
import type { Invocation } from './command-line/invocation.ts';
import { readSecret } from './secret.ts';

type Change = (ipvs: Ipvs, line: Invocation) => Promise<void>;

/** The address given on the command line; the option rules require one for these commands. */
function localAddress({ localAddress: address }: Invocation): Uint8Array {
  if (!address) throw new TypeError('a command on a local address without one');
  return address;
}

export const changes: Readonly<Partial<Record<Invocation['command'], Change>>> = {
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
  secret: async (ipvs, { secretFile = '' }) => {
    // Checked first, so that a kernel without the feature is reported even if the file is wrong.
    await ipvs.requireFeature('SECRET');
    await ipvs.setSecret(readSecret(secretFile));
  },
  'cookie-secret': async (ipvs, { secretFile = '', options }) => {
    await ipvs.requireFeature('SYNPROXY');
    await ipvs.setCookieSecret(readSecret(secretFile), { stage: options.has('stage') });
  },
  'start-daemon': (ipvs, { daemon }) => ipvs.startDaemon(daemon),
  'stop-daemon': (ipvs, { daemon }) => ipvs.stopDaemon(daemon),
};

const serviceFeature = ({ service }: Invocation) => {
  if (service.defence) return 'DEFENCE';
  if (service.synProxy) return 'SYNPROXY';
  return service.portMin === undefined ? undefined : 'FULLNAT';
};
const serverFeature = ({ destination }: Invocation) =>
  destination.method === IP_VS_CONN_F_FULLNAT ? 'FULLNAT' : undefined;

const features: Readonly<Partial<Record<Invocation['command'], (line: Invocation) => Feature | undefined>>> = {
  'add-service': serviceFeature,
  'edit-service': serviceFeature,
  'add-server': serverFeature,
  'edit-server': serverFeature,
  'add-laddr': () => 'FULLNAT',
  'del-laddr': ({ options }) => (options.has('drain') ? 'LADDR_DRAIN' : 'FULLNAT'),
  'get-laddr': () => 'FULLNAT',
  secret: () => 'SECRET',
  'cookie-secret': () => 'SYNPROXY',
};

/** The feature of the patched kernel that a command line needs. */
export function featureOf(line: Invocation): Feature | undefined {
  return features[line.command]?.(line);
}
