// SPDX-License-Identifier: MIT
/** Checks of a FULLNAT service: its local addresses and their ports. */
import { AF_INET, formatAddress } from '../../../base/addresses.ts';
import { IP_VS_CONN_F_FULLNAT, IP_VS_CONN_F_FWD_MASK, type Service } from '../../../ipvs/index.ts';
import { isLocal } from './fib.ts';
import type { Check, Facts, ServiceFacts } from './types.ts';

/** Whether a service has a real server with FULLNAT. */
export function isFullnat({ destinations }: ServiceFacts): boolean {
  return destinations.some(({ method }) => (method & IP_VS_CONN_F_FWD_MASK) === IP_VS_CONN_F_FULLNAT);
}

/** 10.99.0.10:443, [2001:db8::10]:443, fwmark 7. */
export function serviceName({ family, address, port, fwmark }: Service): string {
  if (fwmark) return `fwmark ${fwmark}`;
  const text = formatAddress(family, address);
  return family === AF_INET ? `${text}:${port}` : `[${text}]:${port}`;
}

/** Checks of a service with FULLNAT. */
export function serviceChecks(facts: ServiceFacts, host: Pick<Facts, 'localPrefixes' | 'portRange'>): Check[] {
  const name = serviceName(facts.service);
  const usable = facts.localAddresses.filter(({ draining }) => !draining);
  if (usable.length === 0) {
    const which = facts.localAddresses.length > 0 ? 'only draining local addresses' : 'no local address';
    return [
      {
        check: 'laddrs',
        verdict: 'problem',
        text: `${name} has ${which}: all new connections fail`,
        remedy: ['lvsadm -P SERVICE -z ADDRESS'],
      },
    ];
  }
  const texts = (addresses: typeof usable) => addresses.map(({ address, family }) => formatAddress(family, address));
  const foreign = texts(usable.filter(({ address }) => !isLocal(address, host.localPrefixes)));
  return [
    foreign.length === 0
      ? { check: 'laddrs', verdict: 'ok', text: `${name}: ${texts(usable).join(', ')}` }
      : {
          check: 'laddrs',
          verdict: 'problem',
          remedy: foreign.map((each) => `ip address add ${each}/32 dev ...`),
          text: `${name}: ${foreign.join(', ')} not an address of this host: answers of real servers do not arrive`,
        },
    ports(name, facts, host.portRange),
  ];
}

function ports(name: string, { service, localAddresses }: ServiceFacts, range: Facts['portRange']): Check {
  const min = service.portMin || range?.min;
  const max = service.portMax || range?.max;
  const inUse = localAddresses.reduce((sum, each) => sum + each.portsInUse, 0);
  const total = localAddresses.reduce((sum, each) => sum + each.portsTotal, 0);
  const exhausted = localAddresses.reduce((sum, each) => sum + each.exhausted, 0n);
  const text = `${name}: local ports ${min} to ${max}, ${inUse} of ${total} in use`;
  if (exhausted === 0n && inUse < 0.9 * total) return { check: 'ports', verdict: 'ok', text };
  const why = exhausted > 0n ? `none was free ${exhausted} times` : 'nearly all';
  return {
    check: 'ports',
    verdict: 'note',
    text: `${text}, ${why}`,
    remedy: ['add local addresses, or widen the range of ports'],
  };
}
