// SPDX-License-Identifier: MIT
/** Derives the report from the facts. Pure. */
import { formatAddress } from '../../../base/addresses.ts';
import {
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_FWD_MASK,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SYNPROXY,
} from '../../../ipvs/index.ts';
import { SYSCTL_NAMES, SYSCTLS, sysctlText } from '../../reconcile/sysctls.ts';
import { otherPrograms, routingChecks } from './routing.ts';
import { isFullnat, serviceChecks, serviceName } from './services.ts';
import type { Check, Facts, ServiceFacts } from './types.ts';

/** All checks, in the order of the report. Without ip_vs only the one that says so. */
export function examine(facts: Facts): Check[] {
  const { info, services } = facts;
  if (!info) return [notLoaded(facts)];
  const fullnat = services.filter(isFullnat);
  return [
    { check: 'module', verdict: 'ok', text: `ip_vs ${versionText(info.version)} is loaded on ${facts.release}` },
    build(facts),
    installed(facts),
    {
      check: 'services',
      verdict: 'ok',
      text: `${services.length} in this network namespace, ${fullnat.length} with FULLNAT`,
    },
    ...routingChecks(facts),
    ...fullnat.flatMap((each) => serviceChecks(each, facts)),
    ...(fullnat.length > 0 ? [conntrack(facts, fullnat)] : []),
    ...sysctls(facts),
    tableSize(info.tableSize, services),
    ...otherPrograms(facts),
  ];
}

function notLoaded({ installed, release }: Facts): Check {
  const text = installed
    ? `ip_vs is not loaded; modprobe would load ${installed}`
    : `ip_vs is not loaded, and no such module is installed for ${release}`;
  return { check: 'module', verdict: 'problem', text, remedy: [installed ? 'modprobe ip_vs' : 'see docs/kernel.md'] };
}

/** 0x010201 -> '1.2.1'. */
function versionText(version: number): string {
  return [version >> 16, (version >> 8) & 255, version & 255].join('.');
}

function build({ info }: Facts): Check {
  const features = [...(info?.features ?? [])];
  if (features.length > 0)
    return {
      check: 'build',
      verdict: 'ok',
      text: `lvsd's modules, build ${info?.buildId ?? 'unnamed'}: ${features.join(', ')}`,
    };
  return {
    check: 'build',
    verdict: 'note',
    text: "not lvsd's modules: no FULLNAT, no TOA, no local addresses, no SECRET",
    remedy: ["to load lvsd's: docs/kernel.md, Installing"],
  };
}

function installed({ installed: file, installedIsLoaded }: Facts): Check {
  const check = 'installed';
  if (!file) return { check, verdict: 'note', text: 'modinfo finds no ip_vs on disk' };
  if (installedIsLoaded) return { check, verdict: 'ok', text: `${file} is the loaded module` };
  if (installedIsLoaded === undefined)
    return { check, verdict: 'note', text: `cannot tell whether ${file} is the loaded module` };
  return {
    check,
    verdict: 'note',
    text: `${file} is another build than the loaded module`,
    remedy: ['to load it: docs/kernel.md, Installing'],
  };
}

/** Settings that lvsd manages. A note if a service in the table is affected by the kernel's default. */
function sysctls({ sysctls: values = {}, services }: Facts): Check[] {
  const known = SYSCTL_NAMES.filter((name) => values[name] !== undefined);
  if (known.length === 0) return [];
  const text = known.map((name) => `${sysctlText(name)} is ${values[name]}`).join(', ');
  const persistent = services.some(({ service }) => (service.flags & IP_VS_SVC_F_PERSISTENT) !== 0);
  if (!persistent || values.expire_quiescent_template !== '0')
    return [{ check: 'sysctl', verdict: 'ok', text: `${text}; lvsd sets them while its file needs them` }];
  const why = SYSCTLS.expire_quiescent_template.without;
  const remedy = ['sysctl -w net.ipv4.vs.expire_quiescent_template=1    # lvsd does so while it runs'];
  return [{ check: 'sysctl', verdict: 'note', text: `${text}: ${why}`, remedy }];
}

/** conntrack must ignore FULLNAT's addresses: it never sees both directions of a connection under one tuple. */
function conntrack(
  { conntrack: on, conntrackEntries: entries, conntrackLoose: loose }: Facts,
  services: readonly ServiceFacts[],
): Check {
  const check = 'conntrack';
  const proxied = services.filter(({ service }) => (service.flags & IP_VS_SVC_F_SYNPROXY) !== 0);
  if (loose === false && proxied.length > 0)
    return {
      check,
      verdict: 'note',
      text: `net.netfilter.nf_conntrack_tcp_loose is 0: conntrack has not seen the SYN-ACKs of SYN proxy, and the ACKs that complete handshakes are invalid to it (${proxied.map(({ service }) => serviceName(service)).join(', ')}). Set it to 1, or load this with nft -f if rules drop invalid packets:`,
      remedy: ['sysctl -w net.netfilter.nf_conntrack_tcp_loose=1', ...notrackRules(services)],
    };
  if (on) return { check, verdict: 'ok', text: 'net.ipv4.vs.conntrack is 1: conntrack follows these connections' };
  if (on === undefined || !entries)
    return { check, verdict: 'ok', text: 'net.ipv4.vs.conntrack is 0, and conntrack tracks nothing in this namespace' };
  return {
    check,
    verdict: 'note',
    text: `net.ipv4.vs.conntrack is 0, and conntrack has ${entries} entries here: unless your rules exempt them already, FULLNAT's segments are invalid to it. Set it to 1, or load this with nft -f (conntrack then ignores these addresses):`,
    remedy: notrackRules(services),
  };
}

/** An nftables file. */
export function notrackRules(services: readonly ServiceFacts[]): string[] {
  const addresses = new Set<string>();
  for (const { service, localAddresses } of services) {
    if (!service.fwmark) addresses.add(formatAddress(service.family, service.address));
    for (const { family, address } of localAddresses) addresses.add(formatAddress(family, address));
  }
  if (addresses.size === 0) return [];
  return [
    'table ip lvsd_notrack {',
    '  chain prerouting {',
    '    type filter hook prerouting priority raw;',
    `    ip daddr { ${[...addresses].join(', ')} } notrack`,
    '  }',
    '  chain output {',
    '    type filter hook output priority raw;',
    '    icmp type destination-unreachable notrack',
    '  }',
    '}',
  ];
}

/** A connection has two nodes in the table with FULLNAT, else one. More than two nodes per bucket make lookups slow. */
function tableSize(buckets: number, services: readonly ServiceFacts[]): Check {
  let nodes = 0;
  for (const { destinations } of services)
    for (const { method, activeConnections, inactiveConnections } of destinations)
      nodes +=
        ((method & IP_VS_CONN_F_FWD_MASK) === IP_VS_CONN_F_FULLNAT ? 2 : 1) * (activeConnections + inactiveConnections);
  const text = `${nodes} nodes of this namespace's connections in ${buckets} buckets`;
  if (nodes <= 2 * buckets) return { check: 'table', verdict: 'ok', text };
  const wanted = Math.min(20, Math.ceil(Math.log2(nodes)));
  return {
    check: 'table',
    verdict: 'note',
    text: `${text}: lookups are slow`,
    remedy: [`options ip_vs conn_tab_bits=${wanted}    # in /etc/modprobe.d/, for the next load`],
  };
}
