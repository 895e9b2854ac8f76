// SPDX-License-Identifier: MIT
// Traffic through a pair of balancers: new connections at a fixed rate, and long downloads.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../../lab/topology.ts';
import { type Balancers, VIRTUAL } from './balancers.ts';

/** One short connection; times by Date.now(). */
export interface Attempt {
  begun: number;
  ended: number;
  /** Undefined: the whole answer came. Else the name of an errno, `timeout` or `short`. */
  error?: string;
}

export class Load {
  readonly #site: Balancers;
  readonly #dir = mkdtempSync(join(tmpdir(), 'lvsd-load-'));
  readonly #program = join(this.#dir, 'connections');

  constructor(site: Balancers) {
    this.#site = site;
    const source = join(import.meta.dirname, 'connections.c');
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', this.#program, source]);
  }

  /**
   * Begins to make connections, and resolves when more than `rate` have begun. The returned function ends that, after as
   * many again, and returns all of them.
   */
  async connections(port: number, rate: number): Promise<() => Promise<Attempt[]>> {
    const running = this.#site.client.spawn([this.#program, VIRTUAL, String(port), String(rate)]);
    await until('connections', () => running.stderr().includes('made'), 60_000);
    return async () => {
      running.child.kill('SIGTERM');
      await running.ended;
      return running.stdout().trim().split('\n').map(parseAttempt);
    };
  }

  /**
   * Begins downloads that take about `seconds`; resolves when data of all has come. The returned function waits for
   * their end and returns the number of those that are whole.
   */
  async downloads(count: number, seconds: number): Promise<() => Promise<number>> {
    const dir = mkdtempSync(join(this.#dir, 'downloads-'));
    mkdirSync(dir, { recursive: true });
    const rate = Math.ceil(this.#site.bytes / seconds);
    const words = ['curl', '-s', '--parallel', '--parallel-immediate', '--parallel-max', String(count), '--fail'];
    const url = `http://${VIRTUAL}/body?rate=${rate}&n=[1-${count}]`;
    const running = this.#site.client.exec([...words, '-o', `${dir}/#1`, url], {
      accept: 'any',
      timeout: 120_000 + 4000 * seconds,
    });
    const names = Array.from({ length: count }, (_, index) => join(dir, String(index + 1)));
    await until('all downloads to begin', () => names.every((name) => size(name) > 0));
    return async () => {
      await running;
      const hash = (name: string) => createHash('sha256').update(readFileSync(name)).digest('hex');
      return names.filter((name) => size(name) > 0 && hash(name) === this.#site.hash).length;
    };
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** A line of connections.c: "BEGUN ENDED ERROR". */
function parseAttempt(line: string): Attempt {
  const [begun, ended, error = ''] = line.split(' ');
  return { begun: Number(begun), ended: Number(ended), ...(error === '-' ? {} : { error }) };
}

function size(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The effect on connections of a takeover between `at` and `over`: times in milliseconds. */
export function effect(attempts: readonly Attempt[], { at, over }: { at: number; over: number }) {
  const good = attempts.filter(({ error }) => error === undefined);
  const ends = good.map(({ ended }) => ended).sort((a, b) => a - b);
  const gaps = ends.map((end, index) => (end < at ? 0 : end - (ends[index - 1] ?? end)));
  const failed = attempts.filter(({ error }) => error !== undefined);
  const after = attempts.filter(({ begun }) => begun > over);
  return {
    connections: attempts.length,
    failed: failed.length,
    /** Connections that began after the takeover, and those of them that failed. */
    after: after.length,
    failedAfter: after.filter(({ error }) => error !== undefined).length,
    /** Longest time without a finished connection. */
    gap: Math.max(...gaps),
    errors: [...new Set(failed.map(({ error }) => error))],
  };
}
