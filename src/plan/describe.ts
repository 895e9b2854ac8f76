// SPDX-License-Identifier: MIT
/** Operations as text and as JSON. */
import { AF_INET, AF_INET6, formatAddress } from '../base/addresses.ts';
import type { ServiceKey, Timeouts } from '../ipvs/index.ts';
import { type Change, changes, DESTINATION_FIELDS, type Field, SERVICE_FIELDS, seconds } from './fields.ts';
import { addressText, destinationText, endpointText, serviceText, syncText } from './texts.ts';
import type { DesiredService, Operation } from './types.ts';

export interface Description {
  /** '+' added, '~' changed, '-' removed. */
  sign: '+' | '~' | '-';
  /** Name of the service or of the pool of local addresses in the file. */
  service: string | undefined;
  /** "tcp 10.99.0.10:443 real server 10.31.4.2:8443 weight 1 → 2". */
  text: string;
}

/** An operation for programs. Keys that do not apply are left out. */
export interface OperationJson extends Description {
  op: Operation['op'];
  /** "tcp 10.99.0.10:443". */
  virtual?: string;
  /** "10.31.4.2:8443". */
  realServer?: string;
  address?: string;
  device?: string;
  changes?: readonly Change[];
}

const SIGNS: Readonly<Record<Operation['op'], Description['sign']>> = {
  'add-address': '+',
  'delete-address': '-',
  'add-service': '+',
  'set-service': '~',
  'delete-service': '-',
  'add-local-address': '+',
  'drain-local-address': '~',
  'delete-local-address': '-',
  'add-destination': '+',
  'set-destination': '~',
  'delete-destination': '-',
  'set-timeouts': '~',
  'start-sync': '+',
  'stop-sync': '-',
};

/** An operation for display. */
export function describe(operation: Operation): Description {
  const revived = operation.op === 'add-local-address' && operation.revived;
  return { sign: revived ? '~' : SIGNS[operation.op], service: nameOf(operation), text: textOf(operation) };
}

/** An operation for `--json` and for the fields of log lines. */
export function toJson(operation: Operation): OperationJson {
  return { op: operation.op, ...describe(operation), ...detailsOf(operation) };
}

/** Name in the file, if it has one. */
export function nameOf(operation: Operation): string | undefined {
  if (operation.op === 'set-timeouts' || 'daemon' in operation) return undefined;
  if (operation.op === 'add-service' || operation.op === 'set-service') return operation.service.name;
  return operation.name;
}

function textOf(operation: Operation): string {
  switch (operation.op) {
    case 'add-address':
    case 'delete-address':
      return `${purposeOf(operation)} ${addressText(operation.address)}`;
    case 'set-timeouts':
      return `timeouts ${changeTexts(timeoutChanges(operation.was, operation.timeouts))}`;
    case 'start-sync':
    case 'stop-sync':
      return syncText(operation.daemon);
    case 'add-service':
      return `${serviceText(operation.service)} ${serviceSettings(operation.service)}`;
    case 'set-service':
      return `${serviceText(operation.service)} ${changeTexts(changes(SERVICE_FIELDS, operation.was, operation.service))}`;
    case 'delete-service':
      return serviceText(operation.service);
    default:
      return `${serviceText(operation.service)} ${partText(operation)}`;
  }
}

/** An operation on a part of a service. */
type PartOperation = Exclude<
  Extract<Operation, { service: ServiceKey; name: string | undefined }>,
  { op: 'delete-service' }
>;

function partText(operation: PartOperation): string {
  switch (operation.op) {
    case 'add-local-address':
      return `${localAddressText(operation.address)}${operation.revived ? ' is used again' : ''}`;
    case 'drain-local-address':
      return `${localAddressText(operation.address)} drains`;
    case 'delete-local-address':
      return localAddressText(operation.address);
    case 'add-destination': {
      const { destination } = operation;
      return `${destinationText(destination)} ${settings(DESTINATION_FIELDS, destination, ['none'])}`;
    }
    case 'set-destination': {
      const differing = changes(DESTINATION_FIELDS, operation.was, operation.destination);
      return `${destinationText(operation.destination)} ${changeTexts(differing)}`;
    }
    case 'delete-destination':
      return destinationText(operation.destination);
  }
}

/** "scheduler wrr, persistence 5m": the settings that differ from the default. */
function serviceSettings(service: DesiredService): string {
  return settings(SERVICE_FIELDS, service, ['none', 'off', 'any', 'global']);
}

function settings<T>(fields: readonly Field<T>[], of: T, defaults: readonly string[]): string {
  return fields
    .map(({ name, text }) => [name, text(of)] as const)
    .filter(([, text]) => !defaults.includes(text))
    .map(([name, text]) => `${name} ${text}`)
    .join(', ');
}

/** "local address 10.31.3.101"; 4 or 16 bytes. */
export function localAddressText(address: Uint8Array): string {
  return `local address ${formatAddress(address.length === 4 ? AF_INET : AF_INET6, address)}`;
}

function purposeOf({ address }: Extract<Operation, { op: 'add-address' | 'delete-address' }>): string {
  return 'purpose' in address ? `${address.purpose} address` : 'address';
}

function changeTexts(differing: readonly Change[]): string {
  return differing.map(({ aspect, from, to }) => `${aspect} ${from} → ${to}`).join(', ');
}

const TIMEOUTS = { tcp: 'tcp', tcpFin: 'tcp_fin', udp: 'udp' } as const;

/** 0 in `wanted` leaves a timeout unchanged. */
export function timeoutChanges(was: Timeouts, wanted: Timeouts): Change[] {
  return (['tcp', 'tcpFin', 'udp'] as const).flatMap((name) =>
    wanted[name] === 0 || wanted[name] === was[name]
      ? []
      : [{ aspect: TIMEOUTS[name], from: seconds(was[name]), to: seconds(wanted[name]) }],
  );
}

function detailsOf(operation: Operation): Partial<OperationJson> {
  if (operation.op === 'set-timeouts') return { changes: timeoutChanges(operation.was, operation.timeouts) };
  if ('daemon' in operation) return { device: operation.daemon.interface };
  if (operation.op === 'add-address' || operation.op === 'delete-address') {
    const { family, address, prefix, device } = operation.address;
    return { address: `${formatAddress(family, address)}/${prefix}`, device };
  }
  const virtual = serviceText(operation.service);
  switch (operation.op) {
    case 'add-service':
    case 'delete-service':
      return { virtual };
    case 'set-service':
      return { virtual, changes: changes(SERVICE_FIELDS, operation.was, operation.service) };
    case 'add-local-address':
    case 'drain-local-address':
    case 'delete-local-address':
      return {
        virtual,
        address: formatAddress(operation.address.length === 4 ? AF_INET : AF_INET6, operation.address),
      };
    default: {
      const { family, address, port } = operation.destination;
      const realServer = endpointText(family, address, port);
      if (operation.op !== 'set-destination') return { virtual, realServer };
      return { virtual, realServer, changes: changes(DESTINATION_FIELDS, operation.was, operation.destination) };
    }
  }
}
