// SPDX-License-Identifier: MIT
/** Builds the request of an HTTP check. */
import type { HttpCheck } from './schema.ts';

const USUAL_PORT = { http: 80, https: 443 } as const;

/** Header values are Latin-1, as on the wire. The schema has excluded line ends. */
export function requestBytes(check: HttpCheck, address: string, port: number): Buffer {
  const named = new Set(check.headers.map(([name]) => name.toLowerCase()));
  const lines = [`${check.method} ${check.path} HTTP/1.1`];
  const own: [string, string][] = [
    ['Host', check.host ?? hostOf(check, address, port)],
    ['User-Agent', 'lvsd'],
    ['Accept', '*/*'],
    // A body that is examined must not be compressed.
    ['Accept-Encoding', 'identity'],
  ];
  if (check.method === 'POST') own.push(['Content-Length', '0']);
  for (const [name, value] of own) if (!named.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  for (const [name, value] of check.headers) if (name.toLowerCase() !== 'connection') lines.push(`${name}: ${value}`);
  lines.push('Connection: close', '', '');
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

function hostOf({ type }: HttpCheck, address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return port === USUAL_PORT[type] ? host : `${host}:${port}`;
}
