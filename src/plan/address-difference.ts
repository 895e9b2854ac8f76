// SPDX-License-Identifier: MIT
/** Operations on the addresses of devices, grouped by when they run. */
import { AF_INET6 } from '../base/addresses.ts';
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_FWD_MASK, type ServiceKey, serviceKeyText } from '../ipvs/index.ts';
import { addressKey, bytesKey } from './keys.ts';
import type { Actual, ActualAddress, ActualService, Desired, DesiredAddress, Operation } from './types.ts';

export interface AddressSteps {
  /** Virtual addresses to delete: first of all. */
  withdrawn: Operation[];
  /** Local addresses to add: before the services. */
  local: Operation[];
  /** Virtual addresses to add: after the services. */
  virtual: Operation[];
  /** Addresses to delete from their old device: after they were added to the new one. */
  moved: Operation[];
  /** Local addresses to delete: last of all. */
  unused: Operation[];
}

/** `steps`: the operations on services. */
export function addressSteps(desired: Desired, actual: Actual, steps: readonly Operation[]): AddressSteps {
  const wanted = new Map(desired.addresses.map((one) => [addressKey(one), one]));
  const present = new Map<string, ActualAddress[]>();
  for (const one of actual.addresses) {
    const key = addressKey(one);
    present.set(key, [...(present.get(key) ?? []), one]);
  }
  const result: AddressSteps = { withdrawn: [], local: [], virtual: [], moved: [], unused: [] };
  const coming = wanted.size > 0 ? comingServices(desired, actual, steps) : () => ({});
  const arriving = new Set<string>();
  for (const [key, address] of wanted) {
    if (present.get(key)?.some((one) => !one.ours || one.prefix === address.prefix)) continue;
    const add: Operation = { op: 'add-address', address, name: address.name };
    arriving.add(bytesKey(address.address));
    if (address.purpose === 'local') result.local.push(add);
    else result.virtual.push({ ...add, ...coming(address) });
  }
  const elsewhere = new Set(desired.addresses.map((one) => bytesKey(one.address)));
  const followed = new Set((desired.followed ?? []).map(bytesKey));
  const pools = poolsOf(actual, steps);
  for (const one of actual.addresses) {
    const key = bytesKey(one.address);
    const here = wanted.get(addressKey(one));
    if (!one.ours || here?.prefix === one.prefix) continue;
    // Services still use it, although it is no longer configured for a device.
    if (!here && pools.held.has(key) && !elsewhere.has(key) && !followed.has(key)) continue;
    const removal: Operation = { op: 'delete-address', address: one, name: here?.name };
    // A device can have an IPv6 address only once: the other prefix length has to be deleted first.
    if (here && one.family === AF_INET6) result.withdrawn.push(removal);
    else if (here || elsewhere.has(key)) result.moved.push({ ...removal, follows: arriving.has(key) });
    else if (pools.leaving.has(key)) result.unused.push(removal);
    else result.withdrawn.push(removal);
  }
  return result;
}

/** What a virtual address waits for; nothing if one of its services can serve already. */
type Needs = Pick<Extract<Operation, { op: 'add-address' }>, 'needs' | 'needsLocal'>;

/**
 * For a virtual address: its services, if none of them can serve yet and the plan changes some of them so that they
 * can; and the local addresses of those that cannot serve before one of these is on a device.
 */
function comingServices(
  desired: Desired,
  actual: Actual,
  steps: readonly Operation[],
): (address: DesiredAddress) => Needs {
  const coming = new Set<string>();
  for (const { op, service } of ofServices(steps)) {
    if (op === 'add-service' || op === 'add-destination' || op === 'set-destination')
      coming.add(serviceKeyText(service));
  }
  const empty = new Set(
    desired.services.filter(({ destinations }) => !destinations.some(carries)).map((one) => serviceKeyText(one)),
  );
  const served = new Set<string>();
  const isUnplaced = unplacedAddresses(desired, actual);
  const stranded = new Set<string>();
  for (const one of actual.services) {
    const { service, destinations } = one;
    if (service.fwmark) continue;
    const key = serviceKeyText(service);
    if (isStranded(one, isUnplaced)) {
      stranded.add(key);
      continue;
    }
    // A service for which no real servers are planned counts as serving: its real servers are those of other programs.
    if (destinations.some(carries) || empty.has(key) || !coming.has(key)) served.add(bytesKey(service.address));
  }
  const waiting = new Map<string, string[]>();
  const waitingLocal = new Map<string, string[]>();
  for (const service of desired.services) {
    const text = serviceKeyText(service);
    if (service.fwmark) continue;
    const key = bytesKey(service.address);
    const staysStranded = lacksAddress(service.destinations, service.localAddresses, isUnplaced);
    if (stranded.has(text) && !staysStranded && !coming.has(text)) served.add(key);
    else if (stranded.has(text) && staysStranded)
      waitingLocal.set(key, [...(waitingLocal.get(key) ?? []), ...service.localAddresses.map(bytesKey)]);
    else if (coming.has(text)) {
      const services = waiting.get(key);
      if (services) services.push(text);
      else waiting.set(key, [text]);
    }
  }
  return ({ address }) => {
    const key = bytesKey(address);
    return served.has(key) ? {} : { needs: waiting.get(key), needsLocal: waitingLocal.get(key) };
  };
}

/** Whether lvsd has to put a local address on a device, and no device has it. */
function unplacedAddresses(desired: Desired, actual: Actual): (address: Uint8Array) => boolean {
  const missing = new Set(
    desired.addresses.filter(({ purpose }) => purpose === 'local').map(({ address }) => bytesKey(address)),
  );
  for (const { address } of actual.addresses) missing.delete(bytesKey(address));
  return (address) => missing.size > 0 && missing.has(bytesKey(address));
}

function isStranded(
  { destinations, localAddresses }: ActualService,
  isUnplaced: (address: Uint8Array) => boolean,
): boolean {
  const used = localAddresses.filter(({ draining }) => !draining).map(({ address }) => address);
  return lacksAddress(destinations, used, isUnplaced);
}

/** Whether there is FULLNAT alone, and no local address that is on a device: answers would not arrive. */
function lacksAddress(
  destinations: readonly { weight: number; method: number }[],
  localAddresses: readonly Uint8Array[],
  isUnplaced: (address: Uint8Array) => boolean,
): boolean {
  const serving = destinations.filter(carries);
  return (
    localAddresses.length > 0 &&
    localAddresses.every(isUnplaced) &&
    serving.length > 0 &&
    serving.every(({ method }) => (method & IP_VS_CONN_F_FWD_MASK) === IP_VS_CONN_F_FULLNAT)
  );
}

const carries = ({ weight }: { weight: number }) => weight > 0;

function ofServices(steps: readonly Operation[]): { op: Operation['op']; service: ServiceKey }[] {
  return steps.flatMap((step) => ('service' in step ? [{ op: step.op, service: step.service }] : []));
}

/** Local addresses that services still have afterwards, and those whose last service loses them. */
function poolsOf(actual: Actual, steps: readonly Operation[]): { held: Set<string>; leaving: Set<string> } {
  const gone = new Set<string>();
  for (const step of steps) {
    if (step.op === 'delete-service') gone.add(serviceKeyText(step.service));
    else if (step.op === 'delete-local-address') gone.add(`${serviceKeyText(step.service)} ${bytesKey(step.address)}`);
  }
  const held = new Set(steps.flatMap((step) => (step.op === 'add-local-address' ? [bytesKey(step.address)] : [])));
  const leaving = new Set<string>();
  for (const { service, localAddresses } of actual.services) {
    if (localAddresses.length === 0) continue;
    const key = serviceKeyText(service);
    for (const { address } of localAddresses) {
      const bytes = bytesKey(address);
      if (gone.has(key) || gone.has(`${key} ${bytes}`)) leaving.add(bytes);
      else held.add(bytes);
    }
  }
  return { held, leaving };
}
