// SPDX-License-Identifier: MIT
/** `lvsd web`: metrics, events and a page over HTTP; a process without any right of its own. */
import { printable } from '../../base/printable.ts';
import { DEFAULT_WEB } from '../../base/web-settings.ts';
import { parseListen } from '../../web/listen.ts';
import { serveWeb } from '../../web/service.ts';

/** Throws UsageError, and LvsdError if it cannot listen. */
export function web({ listen, socket, host }: { listen?: string; socket: string; host?: string[] }): Promise<number> {
  if (listen !== undefined) parseListen(listen);
  return serveWeb({
    settings: listen === undefined ? undefined : { ...DEFAULT_WEB, listen: [listen] },
    socket,
    hosts: host ?? [],
    log: (text) => void process.stderr.write(`lvsd web: ${printable(text)}\n`),
  });
}
