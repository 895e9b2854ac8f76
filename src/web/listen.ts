// SPDX-License-Identifier: MIT
/** Where `lvsd web` listens. Pure. */
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../base/errors.ts';

export type Listen =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'unix'; path: string }
  /** The first socket that the service manager passes (sd_listen_fds(3)). */
  | { kind: 'systemd' };

export const DEFAULT_LISTEN = '127.0.0.1:5873';

const ALLOWED = 'ADDRESS:PORT, unix:PATH, systemd';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Throws UsageError. Only loopback addresses: there is neither TLS nor a password. */
export function parseListen(text: string): Listen {
  if (text === 'systemd') return { kind: 'systemd' };
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw new UsageError(`--listen: found ${text}; unix: takes an absolute path`);
    return { kind: 'unix', path };
  }
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? '';
  const port = Number(found?.[3]);
  const family = isIP(host);
  if (!found || family === 0 || (family === 6) !== (found[1] !== undefined))
    throw new UsageError(`--listen: found ${text}; allowed: ${ALLOWED}`);
  if (port < 1 || port > 65535) throw new UsageError(`--listen: found port ${port}; allowed: 1 to 65535`);
  if (!LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6'))
    throw new UsageError(
      `--listen: ${text} can be reached from other machines; allowed: loopback addresses. Put a proxy with TLS and users in front (docs/web.md)`,
    );
  return { kind: 'tcp', host, port };
}
