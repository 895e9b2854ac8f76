// SPDX-License-Identifier: MIT
import { DEFAULTS } from '../limits.ts';
import type { RawForward } from '../schema.ts';
import type { Forward } from '../types.ts';

type Tunnel = Extract<Forward, { method: 'tunnel' }>;

const METHODS = {
  masquerade: { method: 'masquerade' },
  direct: { method: 'direct' },
  fullnat: { method: 'fullnat' },
} as const satisfies Record<string, Forward>;

/** Checksums that each type of tunnel supports (ip_vs_tunnel_xmit_prepare of net/netfilter/ipvs/ip_vs_xmit.c). */
const CHECKSUMS: Readonly<Record<Tunnel['type'], readonly Tunnel['checksum'][]>> = {
  ipip: ['none'],
  gre: ['none', 'checksum'],
  gue: ['none', 'checksum', 'remote'],
};

/** `report` gets the invalid key and a sentence. */
export function resolveForward(raw: RawForward, report: (key: string, text: string) => void): Forward {
  const method = typeof raw === 'string' ? raw : raw.method;
  if (method !== 'tunnel') return METHODS[method === 'nat' ? 'masquerade' : method];
  const options = typeof raw !== 'string' && raw.method === 'tunnel' ? raw : undefined;
  const type = options?.type ?? DEFAULTS.tunnelType;
  const checksum = options?.checksum ?? DEFAULTS.tunnelChecksum;
  const port = options?.port ?? 0;
  if (type === 'gue' && port === 0)
    report('type', 'found gue without `port`; allowed: the UDP port on the real server');
  if (type !== 'gue' && port !== 0) report('port', `found a port with ${type}; allowed: with gue only`);
  if (!CHECKSUMS[type].includes(checksum))
    report('checksum', `found ${checksum} with ${type}; allowed: ${CHECKSUMS[type].join(' or ')}`);
  return { method, type, port, checksum };
}
