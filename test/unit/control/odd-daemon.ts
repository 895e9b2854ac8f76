// SPDX-License-Identifier: MIT
/** A daemon whose answers are what a test says, and values that differ from right ones in one place. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { freshPath } from './daemon.ts';

/** By method. A result that is an Rpc is sent as an error. */
export type Answers = Record<string, unknown>;

/** An answer that is an error, of whatever shape. */
export class Rpc {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/** A daemon that answers with these results, after these notifications. */
export async function odd(answers: Answers, notes: Record<string, [method: string, params: unknown][]> = {}) {
  const path = freshPath();
  const sockets = new Set<Socket>();
  const served = {
    path,
    /** Changes lines before they are sent. */
    raw: (line: string) => line,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      const lines = `${text}${chunk}`.split('\n');
      text = lines.pop() ?? '';
      const send = (message: object) => socket.write(`${served.raw(JSON.stringify({ jsonrpc: '2.0', ...message }))}\n`);
      for (const line of lines) {
        const { id, method } = JSON.parse(line) as { id: number; method: string };
        for (const [name, params] of notes[method] ?? []) send({ method: name, params });
        const result = answers[method];
        send(result instanceof Rpc ? { id, error: result.error } : { id, result });
      }
    });
  }).listen(path);
  await once(server, 'listening');
  return served;
}

export type Path = readonly (string | number)[];

/** The type of a value in JSON. */
export const jsonType = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;

/** As messages write it: 'services[0].name'. */
export const pathText = (path: Path): string =>
  path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`;
      return /^[\w.-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
    })
    .join('')
    .replace(/^\./, '');

/** All parts of a value, itself first. */
export function* parts(value: unknown, path: Path = []): Generator<{ path: Path; value: unknown }> {
  yield { path, value };
  if (typeof value !== 'object' || value === null) return;
  for (const [key, one] of Object.entries(value))
    yield* parts(one, [...path, Array.isArray(value) ? Number(key) : key]);
}

/** A copy with another value at this place; undefined: without it. */
export function changed(whole: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const copy = (Array.isArray(whole) ? [...whole] : { ...(whole as object) }) as Record<string | number, unknown>;
  copy[step] = changed(copy[step], rest, value);
  return copy;
}

/** A value of each type of JSON, some of them extreme. */
export const VALUES: readonly unknown[] = [null, true, 0, -1, 1e300, '', 'x\x1b[2J', [], [[]], {}, { a: null }];
