// SPDX-License-Identifier: MIT
import { isIPv6 } from 'node:net';
import type { CheckSource, RawKeys } from '../common/kind.ts';
import type { CommonCheck } from '../common/schema.ts';
import type { HttpCheck, httpCheckSchema, httpsCheckSchema, TlsCheck } from './schema.ts';

type HttpSource = CheckSource<RawKeys<typeof httpCheckSchema>>;
type HttpsSource = CheckSource<RawKeys<typeof httpsCheckSchema>>;

const DEFAULT_STATUS = [200, 299] as const;

/** Headers that the checker sets itself, and the alternative that the message names. */
const RESERVED_HEADERS: Readonly<Record<string, string>> = {
  host: 'the key `host`',
  connection: 'any other, as lvsd closes each connection',
  'content-length': 'any other',
  'transfer-encoding': 'any other',
};

/** Problems are reported; the check is returned all the same. */
export function resolveHttp(source: HttpSource, common: CommonCheck): HttpCheck {
  return resolve('http', source, common, undefined);
}

export function resolveHttps(source: HttpsSource, common: CommonCheck): HttpCheck {
  return resolve('https', source, common, resolveTls(source));
}

function resolve(
  type: HttpCheck['type'],
  source: HttpSource,
  common: CommonCheck,
  tls: TlsCheck | undefined,
): HttpCheck {
  const { method = 'GET', path = '/', host, headers = {}, body } = source.keys;
  for (const name of Object.keys(headers)) {
    const lower = name.toLowerCase();
    const instead = Object.hasOwn(RESERVED_HEADERS, lower) ? RESERVED_HEADERS[lower] : undefined;
    if (instead !== undefined) source.wrong(['headers', name], `found the header ${name}; allowed: ${instead}`, 'key');
  }
  const wrongHost = host === undefined ? undefined : hostProblem(host);
  if (wrongHost !== undefined) source.wrong(['host'], `found ${source.quote(host)}, ${wrongHost}`);
  if (body && method === 'HEAD')
    source.clash(['body', 'method'], 'found `body` with method HEAD, whose answers have no body; allowed: GET');
  if (body && 'matches' in body) checkRegex(source, body.matches);
  return {
    type,
    ...common,
    method,
    path,
    host,
    headers: Object.entries(headers),
    status: resolveStatus(source),
    body,
    tls,
  };
}

/** The defect of a `host`; undefined if it is valid. The schema has checked its characters. */
function hostProblem(host: string): string | undefined {
  const [, bracketed, name = '', port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(host) ?? [];
  if (bracketed === undefined && name === '')
    return 'which is neither a name nor an address; allowed: NAME, ADDRESS or [IPV6], with or without :PORT';
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65535))
    return 'whose port is invalid; allowed: 1 to 65535';
  if (bracketed !== undefined)
    return isIPv6(bracketed)
      ? undefined
      : 'whose brackets do not contain an IPv6 address; allowed: one such as [2001:db8::1]';
  // One final dot is the root of DNS.
  const labels = name.replace(/\.$/, '').split('.');
  return labels.every((label) => LABEL.test(label))
    ? undefined
    : 'which is not a host name; allowed: labels of letters, digits and inner hyphens, with single dots between them';
}

const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

function checkRegex(source: HttpSource, regex: string): void {
  try {
    new RegExp(regex);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^Invalid regular expression: /, '') : '';
    source.wrong(
      ['body', 'matches'],
      `found ${source.quote(regex)}, which is not a regular expression (${why.replace(/^.*: /, '')}); allowed: JavaScript’s syntax`,
    );
  }
}

function resolveStatus(source: HttpSource): HttpCheck['status'] {
  const { status } = source.keys;
  if (status === undefined) return [DEFAULT_STATUS];
  const list = Array.isArray(status) ? status : [status];
  return list.map((item, index) => {
    if (typeof item === 'number') return [item, item];
    const [from = 0, to = 0] = item.split('-').map(Number);
    const text = `found ${source.quote(item)}, which is descending; allowed: FIRST-LAST, or ${to}-${from}`;
    if (from > to) source.wrong(Array.isArray(status) ? ['status', index] : ['status'], text);
    return [from, to];
  });
}

function resolveTls(source: HttpsSource): TlsCheck {
  const { server_name: serverName, verify = true, ca } = source.keys.tls ?? {};
  if (ca === undefined || !source.isOwn('tls')) return { serverName, verify, ca };
  const wrong = source.files.authorities(ca);
  if (!verify)
    source.wrong(
      ['tls', 'ca'],
      'found ca with `verify: false`, which accepts any certificate; allowed: one of the two keys',
    );
  else if (wrong !== undefined) source.wrong(['tls', 'ca'], `${wrong}; allowed: a PEM file with certificates to trust`);
  return { serverName, verify, ca };
}
