// SPDX-License-Identifier: MIT
// lvsd web as a process, and a scrape of it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { join } from 'node:path';

export interface Web {
  child: ChildProcess;
  pid: number;
  port: number;
}

/** Starts lvsd web for the daemon at `socket`; resolves when it listens. */
export async function startWeb(socket: string): Promise<Web> {
  const port = 20_000 + (process.pid % 20_000);
  const program = join(process.cwd(), 'dist/bin/lvsd.cjs');
  const child = spawn(process.execPath, [program, 'web', '--listen', `127.0.0.1:${port}`, '--socket', socket], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.pipe(process.stderr);
  await once(child.stderr, 'data');
  return { child, pid: child.pid ?? 0, port };
}

/** Bytes of 10,000 services with 4 real servers and gzip are 3 million; without the daemon's numbers it is a few. */
const LEAST = 100_000;

/** Throws if an answer of `bytes` is one without the daemon's numbers. */
export function mustBeWhole(bytes: number): void {
  if (bytes < LEAST) throw new Error(`lvsd web has sent ${bytes} bytes only: what does it log?`);
}

/** A scrape of the whole text. */
export async function scrape(
  { port }: Web,
  headers: Record<string, string>,
): Promise<{ seconds: number; bytes: number }> {
  const start = performance.now();
  const request = get({ host: '127.0.0.1', port, path: '/metrics', headers, agent: false });
  const [response] = await once(request, 'response');
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  if (response.statusCode !== 200) throw new Error(`lvsd web answers ${response.statusCode}`);
  mustBeWhole(bytes);
  return { seconds: (performance.now() - start) / 1000, bytes };
}
