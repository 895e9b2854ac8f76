// SPDX-License-Identifier: MIT
/** Which requests are answered at all. Pure. */
import type { IncomingHttpHeaders } from 'node:http';
import { formatAddress, parseAddress } from '../base/addresses.ts';
import type { Listen } from './listen.ts';

export interface Refusal {
  status: number;
  text: string;
  headers?: Readonly<Record<string, string>>;
}

/**
 * Names by which a browser may ask: without this list, a page of another site could read the answers by a name of its own
 * that it lets point here (DNS rebinding). Undefined: any, as no browser reaches a Unix socket.
 */
export function allowedHosts(listen: Listen, more: readonly string[]): ReadonlySet<string> | undefined {
  if (listen.kind === 'unix') return undefined;
  const names = ['localhost', '127.0.0.1', '[::1]', ...more.map((name) => name.toLowerCase())];
  if (listen.kind === 'tcp') names.push(hostOf(listen.host));
  return new Set(names);
}

/** As browsers write it: IPv6 addresses in brackets, in their shortest form. */
function hostOf(address: string): string {
  const found = parseAddress(address);
  const text = found ? formatAddress(found.family, found.bytes) : address.toLowerCase();
  return text.includes(':') ? `[${text}]` : text;
}

/** Why this request is not answered; undefined: it is. */
export function refusalOf(
  method: string | undefined,
  headers: IncomingHttpHeaders,
  hosts: ReadonlySet<string> | undefined,
  path = '',
): Refusal | undefined {
  if (method !== 'GET' && method !== 'HEAD')
    return {
      status: 405,
      text: 'only GET and HEAD: this interface changes nothing\n',
      headers: { Allow: 'GET, HEAD' },
    };
  const host = headers.host?.toLowerCase().replace(/:\d+$/, '') ?? '';
  if (hosts && !hosts.has(host))
    return {
      status: 421,
      text: `not a name of this server: add ${/^[\w.-]{1,255}$/.test(host) ? host : 'NAME'} to web.hosts, or --host\n`,
    };
  // Absent: no browser, or an old one. Another port of localhost is the same site, but not the same origin.
  if (!['same-origin', 'none'].includes(`${headers['sec-fetch-site'] ?? 'none'}`) && !isLink(path, headers))
    return { status: 403, text: 'not for pages of other origins\n' };
  return undefined;
}

/** A link to the page, as alerts and chats have: it opens in a window of its own, and no frame may contain it. */
const isLink = (path: string, headers: IncomingHttpHeaders): boolean =>
  /^\/(?:\?|$)/.test(path) && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';

/** Of every answer. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};
