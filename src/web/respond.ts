// SPDX-License-Identifier: MIT
/** Parts of answers that several paths share. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';

/** Milliseconds that a client may leave a part of an answer unread. */
const PATIENCE = 30_000;

export function respond(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}

/** Writes, and waits until the client can take more. False: it has gone, or reads nothing. */
export async function writePart(out: Writable, response: ServerResponse, text: string): Promise<boolean> {
  if (response.destroyed) return false;
  if (out.write(text)) return true;
  const stop = new AbortController();
  const { signal } = stop;
  const drained = once(out, 'drain', { signal }).then(() => true);
  const closed = once(response, 'close', { signal }).then(() => false);
  const late = setTimeout(PATIENCE, false, { signal });
  try {
    if (await Promise.race([drained, closed, late])) return true;
  } catch {
    // The stream failed and closes.
  } finally {
    stop.abort();
    await Promise.allSettled([drained, closed, late]);
  }
  response.destroy();
  return false;
}

/** The value of a parameter, the first of several; undefined without it. */
export function single(parameters: URLSearchParams, name: string): string | undefined {
  return parameters.get(name) ?? undefined;
}
