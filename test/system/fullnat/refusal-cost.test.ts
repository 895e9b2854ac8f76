// SPDX-License-Identifier: MIT
// lab: --icount
// Instructions of a SYN at a full pool; the clock of this VM counts them. What else a full pool does: pool.test.ts.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { spread } from '../../bench/figures.ts';
import { synCosts } from '../../bench/refusal.ts';
import { run } from './rig.ts';

const ports = 25_000;

/** Builds a program of the benchmarks. */
function build(name: string): string {
  const out = join(mkdtempSync(join(tmpdir(), 'refusal-')), name);
  execFileSync('cc', ['-O2', '-o', out, join(import.meta.dirname, '../../bench', `${name}.c`)]);
  return out;
}

test(`a SYN that a full pool of ${ports} ports refuses takes at most 4 times the instructions of an accepted one`, async () => {
  run('modprobe', 'ip_vs');
  // It runs first: work that it does after the sender would be counted in the next round.
  run('sh', '-c', 'chrt -f -p 50 $(pgrep -x ksoftirqd/0)');
  process.env.BENCH_SEGMENTS = build('segments');
  process.env.BENCH_HEADROOM = build('headroom');
  const costs = await synCosts(ports, 3, console.log);
  const ratio = spread(costs.map(({ accepted, refused }) => refused / accepted));
  console.log(JSON.stringify({ costs, ratio }));
  assert.ok(ratio.median <= 4, `${ratio.median} times`);
});
