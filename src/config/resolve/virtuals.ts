// SPDX-License-Identifier: MIT
/** Converts address, port and protocol, or firewall mark, of a service to the kernel's services. */
import { AF_INET, AF_INET6, type Family, formatAddress } from '../../base/addresses.ts';
import { describe } from '../describe.ts';
import { DEFAULTS, LIMITS } from '../limits.ts';
import type { RawDefaults, RawService } from '../schema.ts';
import type { Protocol, Virtual } from '../types.ts';
import type { ProblemSink } from './problem-sink.ts';
import { addressOf, endpointOf, notUnicast, portRange } from './values.ts';

/** Undefined if they are invalid, which is reported. */
export function resolveVirtuals(
  name: string,
  raw: RawService,
  defaults: RawDefaults,
  problems: ProblemSink,
): Virtual[] | undefined {
  const path = ['services', name];
  if (raw.fwmark !== undefined) return marked(raw.fwmark, name, raw, problems);
  if (raw.family !== undefined)
    problems.report(
      [...path, 'family'],
      'found family without fwmark; allowed: with fwmark only, otherwise the address has the family',
    );
  if (raw.address === undefined || raw.port === undefined) {
    if (problems.isInvalidService(name, ['address', 'port', 'fwmark', 'family'])) return undefined;
    if (raw.address === undefined)
      problems.report(path, 'address is missing; allowed: an IPv4 or IPv6 address, or fwmark');
    if (raw.port === undefined)
      problems.report(path, 'port is missing; allowed: 1 to 65535, a range such as "8000-8009", or 0 for all ports');
  }
  const address = raw.address === undefined ? undefined : addressOf(raw.address);
  if (typeof address === 'string') problems.report([...path, 'address'], address);
  const ports = raw.port === undefined ? undefined : portsOf(raw.port);
  if (typeof ports === 'string') problems.report([...path, 'port'], ports);
  if (typeof address !== 'object' || typeof ports !== 'object') return undefined;
  const why = notUnicast(address);
  if (why !== undefined) {
    problems.report([...path, 'address'], `found ${raw.address}, ${why}; allowed: one that clients can connect to`);
    return undefined;
  }
  const protocols = protocolsOf(name, raw, defaults, problems);
  const count = protocols.length * (ports.max - ports.min + 1);
  if (count > LIMITS.virtuals) {
    const found = `found ${count} ports, each of them a service of the kernel`;
    problems.report([...path, 'port'], `${found}; allowed: ${LIMITS.virtuals}, or fwmark instead of address and port`);
    return undefined;
  }
  const { family, bytes } = address;
  const virtuals: Virtual[] = [];
  for (const protocol of protocols)
    for (let port = ports.min; port <= ports.max; port++)
      virtuals.push({ family, protocol, address: bytes, port, fwmark: 0 });
  return virtuals;
}

function portsOf(port: number | string): { min: number; max: number } | string {
  return typeof port === 'number' ? { min: port, max: port } : portRange(port, 1);
}

function protocolsOf(name: string, raw: RawService, defaults: RawDefaults, problems: ProblemSink): Protocol[] {
  const written = raw.protocol ?? defaults.protocol ?? DEFAULTS.protocol;
  const protocols = [...new Set(Array.isArray(written) ? written : [written])];
  if (Array.isArray(raw.protocol) && protocols.length < raw.protocol.length)
    problems.report(['services', name, 'protocol'], `found ${describe(protocols[0])} twice; allowed: each once`);
  return protocols;
}

function marked(fwmark: number, name: string, raw: RawService, problems: ProblemSink): Virtual[] {
  const path = ['services', name];
  for (const key of ['address', 'port', 'protocol', 'device'] as const) {
    if (raw[key] === undefined) continue;
    const text = `found ${key} beside fwmark; allowed: one of them, a mark takes packets of any address and protocol`;
    problems.report([...path, key], text, 'key');
  }
  const family = raw.family === undefined ? firstFamily(raw) : raw.family === 'ipv6' ? AF_INET6 : AF_INET;
  return [{ family, protocol: 'tcp', address: new Uint8Array(family === AF_INET ? 4 : 16), port: 0, fwmark }];
}

function firstFamily({ real_servers: [first] }: RawService): Family {
  if (first === undefined) return AF_INET;
  const found = typeof first === 'string' ? endpointOf(first) : addressOf(first.address);
  return typeof found === 'string' ? AF_INET : found.family;
}

/** 'tcp 203.0.113.10:443', 'fwmark 7'. */
export function virtualText({ family, protocol, address, port, fwmark }: Virtual): string {
  if (fwmark !== 0) return `fwmark ${fwmark} (${family === AF_INET ? 'ipv4' : 'ipv6'})`;
  const text = formatAddress(family, address);
  return `${protocol} ${family === AF_INET ? text : `[${text}]`}:${port}`;
}
