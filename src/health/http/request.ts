// SPDX-License-Identifier: MIT
/** Builds the requests of an HTTP check. */
import type { ProbeSubject } from '../common/target.ts';
import type { HttpCheck } from './schema.ts';

const USUAL_PORT = { http: 80, https: 443 } as const;

/**
 * Returns a function that makes the request for a target of this check; they differ in `Host` at most. Header values are
 * Latin-1, as on the wire. The schema has excluded line ends.
 */
export function requests(check: HttpCheck): (target: ProbeSubject) => Buffer {
  const named = new Set(check.headers.map(([name]) => name.toLowerCase()));
  const first = `${check.method} ${check.path} HTTP/1.1\r\n`;
  const own: [string, string][] = [
    ['User-Agent', 'lvsd'],
    ['Accept', '*/*'],
    // A body that is examined must not be compressed.
    ['Accept-Encoding', 'identity'],
  ];
  if (check.method === 'POST') own.push(['Content-Length', '0']);
  const lines = [
    ...own.filter(([name]) => !named.has(name.toLowerCase())),
    ...check.headers.filter(([name]) => name.toLowerCase() !== 'connection'),
    ['Connection', 'close'],
  ];
  const rest = `${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  if (named.has('host') || check.host !== undefined) {
    const host = named.has('host') ? '' : `Host: ${check.host}\r\n`;
    const always = Buffer.from(first + host + rest, 'latin1');
    return () => always;
  }
  return ({ address, port }) => Buffer.from(`${first}Host: ${hostOf(check, address, port)}\r\n${rest}`, 'latin1');
}

function hostOf({ type }: HttpCheck, address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === USUAL_PORT[type] ? host : `${host}:${port}`;
}
