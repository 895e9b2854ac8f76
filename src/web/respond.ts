// SPDX-License-Identifier: MIT
/** Parts of answers that several paths share. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { UsageError } from '../base/errors.ts';

/** Milliseconds that a client may leave a part of an answer unread. */
const PATIENCE = 30_000;

export function respond(response: ServerResponse, status: number, text: string, headers = {}): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers });
  response.end(text);
}

/** Whether the client takes an answer that is compressed. */
export const acceptsGzip = ({ headers }: IncomingMessage): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(`${headers['accept-encoding'] ?? ''}`);

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

/** Throws UsageError for a parameter with another name. */
export function allowParameters(parameters: URLSearchParams, allowed: readonly string[]): void {
  for (const name of parameters.keys())
    if (!allowed.includes(name)) throw new UsageError(`found parameter ${name}; allowed: ${allowed.join(', ')}`);
}

/** Answers at most `most` requests at a time. */
export class Places {
  readonly #most: number;
  readonly #full: { text: string; retryAfter: string };
  #taken = 0;

  constructor(most: number, full: { text: string; retryAfter: string }) {
    this.#most = most;
    this.#full = full;
  }

  /** `read` throws UsageError for parameters that are not allowed; `answer` has a place until it ends. */
  async serve<T>(response: ServerResponse, read: () => T, answer: (params: T) => Promise<void>): Promise<void> {
    let params: T;
    try {
      params = read();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      respond(response, 400, `${error.message}\n`);
      return;
    }
    if (this.#taken >= this.#most) {
      respond(response, 503, `${this.#full.text}\n`, { 'Retry-After': this.#full.retryAfter });
      return;
    }
    this.#taken++;
    try {
      await answer(params);
    } finally {
      this.#taken--;
    }
  }
}

/** The value of a parameter, the first of several; undefined without it. */
export function single(parameters: URLSearchParams, name: string): string | undefined {
  return parameters.get(name) ?? undefined;
}
