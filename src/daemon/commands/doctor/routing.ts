// SPDX-License-Identifier: MIT
/**
 * Checks of the path of packets by forwarding method: virtual address, forwarding, reverse path filter, routes, ARP.
 */
import { AF_INET, AF_INET6, formatAddress } from '../../../base/addresses.ts';
import {
  type Destination,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
} from '../../../ipvs/index.ts';
import { isLocal } from './fib.ts';
import { serviceName } from './services.ts';
import type { Check, Facts, ServiceFacts } from './types.ts';

const method = ({ method }: Destination) => method & IP_VS_CONN_F_FWD_MASK;
const textOf = ({ family, address }: { family: number; address: Uint8Array }) =>
  formatAddress(family === AF_INET ? AF_INET : AF_INET6, address);

/** Destinations of a method, with their services. */
function forwardedBy(facts: Facts, wanted: number): { service: ServiceFacts['service']; destination: Destination }[] {
  return facts.services.flatMap(({ service, destinations }) =>
    destinations.filter((one) => method(one) === wanted).map((destination) => ({ service, destination })),
  );
}

const some = (texts: Iterable<string>) => {
  const all = [...new Set(texts)];
  return all.length <= 5 ? all.join(', ') : `${all.slice(0, 5).join(', ')} and ${all.length - 5} more`;
};

/** Checks of all forwarding methods that services use. */
export function routingChecks(facts: Facts): Check[] {
  return [
    ...virtualAddresses(facts),
    ...forwarding(facts),
    ...routes(facts),
    ...directNeighbours(facts),
    ...reversePath(facts),
    ...realServers(facts),
  ];
}

/** IPVS balances packets to addresses of this host only; it does not see packets to other addresses. */
function virtualAddresses(facts: Facts): Check[] {
  const { services, localPrefixes, localAddresses6 } = facts;
  const addressed = services.filter(({ service }) => service.fwmark === 0);
  if (addressed.length === 0) return [];
  const check = 'addresses';
  const missing = addressed.filter(({ service }) =>
    service.family === AF_INET
      ? !isLocal(service.address, localPrefixes)
      : !localAddresses6.has(Buffer.from(service.address).toString('hex')),
  );
  if (missing.length === 0) return [{ check, verdict: 'ok', text: 'every virtual address is one of this host' }];
  const serving = missing.filter(({ destinations }) => destinations.some(({ weight }) => weight > 0));
  const text = (of: ServiceFacts[]) => some(of.map(({ service }) => serviceName(service)));
  const problem: Check = {
    check,
    verdict: 'problem',
    text: `${text(serving)}: not an address of this host: packets to it are not balanced`,
    remedy: ['`device` in the service (docs/configuration.md), or ip address add ADDRESS/32 dev lo'],
  };
  if (serving.length > 0) return [problem];
  const why = 'not an address of this host, and no real server serves: lvsd removes it while a quorum is lost';
  return [{ check, verdict: 'note', text: `${text(missing)}: ${why}` }];
}

/** With masquerade, answers of real servers pass through this host as a router. */
function forwarding(facts: Facts): Check[] {
  const masqueraded = forwardedBy(facts, IP_VS_CONN_F_MASQ);
  if (masqueraded.length === 0) return [];
  const check = 'forwarding';
  const off = (
    [
      ['net.ipv4.ip_forward', facts.forwarding.ipv4, true],
      ['net.ipv6.conf.all.forwarding', facts.forwarding.ipv6, false],
    ] as const
  ).filter(
    ([, on, ipv4]) => on === false && masqueraded.some(({ destination }) => (destination.family === AF_INET) === ipv4),
  );
  if (off.length === 0) return [{ check, verdict: 'ok', text: 'this host forwards packets, as masquerade needs' }];
  return off.map(([name]) => ({
    check,
    verdict: 'problem',
    text: `${name} is 0, and services use masquerade: answers of their real servers are dropped here`,
    remedy: [`sysctl -w ${name}=1`],
  }));
}

function routes(facts: Facts): Check[] {
  const { routes: found } = facts;
  const wanted = facts.services.flatMap(({ destinations }) => destinations.map(textOf));
  if (!found || wanted.length === 0) return [];
  const check = 'routes';
  const missing = wanted.filter((address) => found.get(address) === undefined);
  if (missing.length === 0) return [{ check, verdict: 'ok', text: `there is a route to each of the real servers` }];
  const [first = ''] = missing;
  const add = `ip ${first.includes(':') ? '-6 ' : ''}route add ${first} via GATEWAY`;
  const remedy = [`${add}, or its network; ip route get ${first} shows what the kernel finds`];
  return [{ check, verdict: 'problem', text: `no route to ${some(missing)}`, remedy }];
}

/**
 * `direct` sends the packet to the real server's MAC address: a gateway would route it to the virtual address again.
 */
function directNeighbours(facts: Facts): Check[] {
  const direct = forwardedBy(facts, IP_VS_CONN_F_DROUTE).map(({ destination }) => textOf(destination));
  if (direct.length === 0) return [];
  const check = 'direct';
  const far = direct.filter((address) => facts.routes?.get(address)?.gateway !== undefined);
  if (far.length === 0)
    return [{ check, verdict: 'ok', text: 'real servers with direct are in networks of this host' }];
  return [
    {
      check,
      verdict: 'problem',
      text: `${some(far)}: behind a gateway, and direct reaches only real servers in the same network`,
      remedy: ['use tunnel or fullnat for these'],
    },
  ];
}

function reversePath({ reversePathStrict: strict, services }: Facts): Check[] {
  if (services.length === 0 || !strict) return [];
  const check = 'rp_filter';
  if (strict.length === 0) return [{ check, verdict: 'ok', text: 'no strict reverse path filter' }];
  return [
    {
      check,
      verdict: 'note',
      text: `strict on ${some(strict)}: packets are dropped whose sender this host would reach by another device (asymmetric routing)`,
      remedy: ['sysctl -w net.ipv4.conf.DEVICE.rp_filter=2, and the same for "all", where that happens'],
    },
  ];
}

/** Settings that are needed on the real servers, which doctor does not examine. */
function realServers(facts: Facts): Check[] {
  const of = (wanted: number) => some(forwardedBy(facts, wanted).map(({ destination }) => textOf(destination)));
  const [direct, tunnel, masquerade] = [of(IP_VS_CONN_F_DROUTE), of(IP_VS_CONN_F_TUNNEL), of(IP_VS_CONN_F_MASQ)];
  const quiet = [
    'sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2',
    'ip address add VIRTUAL/32 dev lo',
  ];
  const checks: Check[] = [];
  if (direct !== '')
    checks.push({
      check: 'real-servers',
      verdict: 'note',
      text: `${direct}: with direct they have the virtual address too, and must not answer ARP for it. On each (not examined):`,
      remedy: quiet,
    });
  if (tunnel !== '')
    checks.push({
      check: 'real-servers',
      verdict: 'note',
      text: `${tunnel}: with tunnel they unwrap packets and have the virtual address too. On each (not examined; ipip):`,
      remedy: [
        'ip link set tunl0 up',
        'sysctl -w net.ipv4.conf.tunl0.rp_filter=0 net.ipv4.conf.all.rp_filter=0',
        ...quiet,
      ],
    });
  if (masquerade !== '')
    checks.push({
      check: 'real-servers',
      verdict: 'note',
      text: `${masquerade}: with masquerade their route to the clients must lead through this host (not examined)`,
    });
  return checks;
}

/** Programs that change the table as well; VRRP alone does not. */
export function otherPrograms({ others }: Facts): Check[] {
  const check = 'others';
  if (others.length === 0)
    return [{ check, verdict: 'ok', text: 'no other program that is known to change IPVS runs here' }];
  const remedies: Record<string, string> = {
    keepalived: 'keepalived --vrrp runs its VRRP alone, without its virtual_server blocks',
    lvsd: 'end all but one: one lvsd serves a network namespace',
    'kube-proxy': 'kube-proxy --proxy-mode=nftables leaves IPVS alone',
  };
  return others.map(({ name, pid }) => ({
    check,
    verdict: 'note',
    text: `${name} (pid ${pid}) runs in this network namespace: where it has virtual services too, it and lvsd undo each other's changes`,
    ...(remedies[name] ? { remedy: [remedies[name]] } : {}),
  }));
}
