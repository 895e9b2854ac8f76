// SPDX-License-Identifier: MIT
/** Addresses on which a program listens, as text. Pure. */
import { BlockList, isIP } from 'node:net';

export type Listen =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'unix'; path: string }
  /** The first socket that the service manager passes (sd_listen_fds(3)). */
  | { kind: 'systemd' };

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** Returns the reason if it is none. */
export function readListen(text: string): Listen | string {
  if (text === 'systemd') return { kind: 'systemd' };
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path.startsWith('/') && !path.includes('\0')
      ? { kind: 'unix', path }
      : `found ${text}; unix: takes an absolute path`;
  }
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? '';
  const port = Number(found?.[3]);
  const family = isIP(host);
  if (!found || family === 0 || (family === 6) !== (found[1] !== undefined))
    return `found ${text}; allowed: ADDRESS:PORT, unix:PATH, systemd`;
  if (port < 1 || port > 65535) return `found port ${port}; allowed: 1 to 65535`;
  return { kind: 'tcp', host, port };
}

/** Whether an address can be reached from this machine only. */
export const isLoopback = (host: string): boolean => LOOPBACK.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6');

export const isUnspecified = (host: string): boolean => /^[0.:]+$/.test(host);
