// SPDX-License-Identifier: MIT
/** Names of hosts and services, both ways. Asking for a host takes time, so answers are fetched before they are used. */
import { readFileSync } from 'node:fs';
import { AF_INET, type Family, formatAddress, parseIpv4 } from '../base/addresses.ts';
import { IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP } from '../ipvs/constants.ts';

/** Thrown where a host's address is needed that has not been fetched: fetch it and begin again. */
export class HostNeeded extends Error {
  readonly host: string;

  constructor(host: string) {
    super(host);
    this.host = host;
  }
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  [IPPROTO_TCP]: 'tcp',
  [IPPROTO_UDP]: 'udp',
  [IPPROTO_SCTP]: 'sctp',
};

/** Reverse queries in flight at a time. */
const CONCURRENCY = 16;

export class Lookup {
  readonly #addresses = new Map<string, Uint8Array | undefined>();
  readonly #names = new Map<string, string | undefined>();
  #services: { ports: Map<string, number>; names: Map<string, string> } | undefined;

  /** IPv4 address of a host; undefined if it has none. Throws HostNeeded. */
  host(name: string): Uint8Array | undefined {
    // Node warns of the empty name.
    if (name === '') return undefined;
    if (!this.#addresses.has(name)) throw new HostNeeded(name);
    return this.#addresses.get(name);
  }

  async fetchHost(name: string): Promise<void> {
    const { lookup } = await import('node:dns/promises');
    let address: string | null | undefined;
    try {
      // Null for some names that are none, though its type does not say so.
      ({ address } = await lookup(name, { family: 4 }));
    } catch {
      // No such host; for names that cannot be any it throws as well.
    }
    this.#addresses.set(name, address ? parseIpv4(address) : undefined);
  }

  servicePort(name: string, protocol: number): number | undefined {
    return this.#table().ports.get(`${name}/${PROTOCOLS[protocol]}`);
  }

  serviceName(port: number, protocol: number): string | undefined {
    return this.#table().names.get(`${port}/${PROTOCOLS[protocol]}`);
  }

  /** The name that fetchNames found. */
  hostName(family: Family, address: Uint8Array): string | undefined {
    return this.#names.get(formatAddress(family, address));
  }

  async fetchNames(addresses: Iterable<{ family: Family; address: Uint8Array }>): Promise<void> {
    const wanted = new Set<string>();
    for (const { family, address } of addresses) wanted.add(formatAddress(family, address));
    const queue = [...wanted].filter((text) => !this.#names.has(text));
    if (queue.length === 0) return;
    const { lookupService } = await import('node:dns/promises');
    const work = async () => {
      for (let text = queue.pop(); text !== undefined; text = queue.pop()) {
        const { hostname } = await lookupService(text, 0).catch(() => ({ hostname: undefined }));
        this.#names.set(text, hostname === text ? undefined : hostname);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
  }

  /** /etc/services: Node has no getservbyname(3). */
  #table() {
    this.#services ??= readServices();
    return this.#services;
  }
}

function readServices() {
  const ports = new Map<string, number>();
  const names = new Map<string, string>();
  let text = '';
  try {
    text = readFileSync('/etc/services', 'utf8');
  } catch {
    // No such file: no names.
  }
  for (const line of text.split('\n')) {
    const [name, at, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [port, protocol] = at?.split('/') ?? [];
    if (!name || !port || !protocol) continue;
    if (!names.has(`${port}/${protocol}`)) names.set(`${port}/${protocol}`, name);
    for (const alias of [name, ...aliases])
      if (!ports.has(`${alias}/${protocol}`)) ports.set(`${alias}/${protocol}`, Number(port));
  }
  return { ports, names };
}

/** `a.b.c.d:port`, `[v6]:port`, or names where they are known. */
export function endpointText(
  family: Family,
  address: Uint8Array,
  port: number,
  protocol: number,
  names: Lookup | undefined,
): string {
  const host = names?.hostName(family, address) ?? formatAddress(family, address);
  const service = names?.serviceName(port, protocol) ?? port;
  return family === AF_INET ? `${host}:${service}` : `[${host}]:${service}`;
}
