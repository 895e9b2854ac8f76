// SPDX-License-Identifier: MIT
/** `lvsd web`: metrics and events over HTTP; a process without any right of its own. */
import { printable } from '../../base/printable.ts';
import { DEFAULT_LISTEN, parseListen } from '../../web/listen.ts';
import { serveWeb } from '../../web/server.ts';

/** Throws UsageError, and LvsdError if it cannot listen. */
export function web({ listen, socket, host }: { listen?: string; socket: string; host?: string[] }): Promise<number> {
  return serveWeb({
    listen: parseListen(listen ?? DEFAULT_LISTEN),
    socket,
    hosts: host ?? [],
    log: (text) => void process.stderr.write(`lvsd web: ${printable(text)}\n`),
  });
}
