// SPDX-License-Identifier: MIT
/** Names of hosts and services, in both directions. Host names are fetched asynchronously before they are used. */
import { readFileSync } from 'node:fs';
import { AF_INET, type Family, formatAddress, parseIpv4 } from '../base/addresses.ts';
import { namesByNumber, PROTOCOLS } from '../ipvs/index.ts';

/** The address of a host is needed. The caller has to fetch it and start again. */
export class HostNeeded extends Error {
  readonly host: string;

  constructor(host: string) {
    super(host);
    this.host = host;
  }
}

const protocols = namesByNumber(PROTOCOLS, 'name');

/** Concurrent reverse lookups. */
const CONCURRENCY = 16;

export class Lookup {
  readonly #addresses = new Map<string, Uint8Array | undefined>();
  readonly #names = new Map<string, string | undefined>();
  #services: { ports: Map<string, number>; names: Map<string, string> } | undefined;

  /** IPv4 address of a host; undefined if it has none. Throws HostNeeded. */
  host(name: string): Uint8Array | undefined {
    // Node prints a warning for the empty name.
    if (name === '') return undefined;
    if (!this.#addresses.has(name)) throw new HostNeeded(name);
    return this.#addresses.get(name);
  }

  async fetchHost(name: string): Promise<void> {
    const { lookup } = await import('node:dns/promises');
    let address: string | null | undefined;
    try {
      // The address may be null, although the type does not say so.
      ({ address } = await lookup(name, { family: 4 }));
    } catch {
      // No such host, or not a host name at all.
    }
    this.#addresses.set(name, address ? parseIpv4(address) : undefined);
  }

  servicePort(name: string, protocol: number): number | undefined {
    return this.#table().ports.get(`${name}/${protocols[protocol]}`);
  }

  serviceName(port: number, protocol: number): string | undefined {
    return this.#table().names.get(`${port}/${protocols[protocol]}`);
  }

  /** As found by fetchNames. */
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

  /** Reads /etc/services, since Node has no getservbyname(3). */
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
    // Without the file there are no names.
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

/** `a.b.c.d:port` or `[v6]:port`, with names in place of numbers if known. */
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
