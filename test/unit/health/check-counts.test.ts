// SPDX-License-Identifier: MIT
// What checks count: results, codes, durations and lateness, and their way from the health worker into sums.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CheckCounts } from '../../../src/health/check-counts.ts';
import { unknown } from '../../../src/health/machine.ts';
import { failure, inconclusive, type Probe, success, type Verdict } from '../../../src/health/verdict.ts';
import { ProbeRunner } from '../../../src/health/worker/runner.ts';
import { TCP, target } from '../../support/probes.ts';

const SILENT: Probe = { waitsFor: 'answer', cancel: () => undefined };
/** The target is late by the clock only: its delay may be that of this machine. */
const LATE: Probe = { ...SILENT, answered: true };

/** Sums of what a runner counts until its target has had a probe with this outcome. */
async function countsOf(verdict: Verdict | Probe): Promise<CheckCounts> {
  const runner = new ProbeRunner({
    ...{ concurrency: 1, programs: 1 },
    prepare: () => ({
      start(_target, done) {
        if ('outcome' in verdict) done(verdict);
        return 'outcome' in verdict ? SILENT : verdict;
      },
    }),
    onTransition: () => {},
    onTrouble: () => {},
  });
  const one = target({ ...TCP, interval: 100, timeout: 60 }, 1);
  runner.add(one, unknown(one.id, true, Date.now()));
  const sums = new CheckCounts();
  while (sums.totals.results.length === 0) {
    await sleep(20);
    // As it is sent to the daemon.
    sums.add(JSON.parse(JSON.stringify(runner.counts.take())));
  }
  runner.stop();
  return sums;
}

test('each outcome of a probe is counted as its own result', async () => {
  const rows = async (verdict: Verdict | Probe) => {
    const { results, failures, durations } = (await countsOf(verdict)).totals;
    const measured = durations.reduce((sum, [, { count }]) => sum + count, 0);
    return [results.map(([type, result]) => [type, result]), failures.map(([, code]) => code), measured > 0];
  };
  assert.deepEqual(await rows(success('connected')), [[['tcp', 'ok']], [], true]);
  assert.deepEqual(await rows(failure('refused', 'connection refused')), [[['tcp', 'failed']], ['refused'], true]);
  assert.deepEqual(await rows(SILENT), [[['tcp', 'failed']], ['timeout'], true]);
  assert.deepEqual(await rows(inconclusive('no descriptor')), [[['tcp', 'impossible']], [], false]);
  assert.deepEqual(await rows(LATE), [[['tcp', 'discarded']], [], false]);
});

test('parts of several heartbeats add up, also those of a restarted health worker', () => {
  const [worker, restarted, sums] = [new CheckCounts(), new CheckCounts(), new CheckCounts()];
  worker.result('http', 'failed', { code: 'status', latency: 30 });
  worker.started('sockets', 0);
  sums.add(worker.take());
  worker.result('http', 'failed', { code: 'status', latency: 700 });
  worker.started('programs', 2000);
  sums.add(worker.take());
  assert.deepEqual(worker.take(), { results: [], failures: [], durations: [], lateness: [] });
  restarted.result('http', 'ok', { latency: 20_000 });
  sums.add(restarted.take());
  const { results, failures, durations, lateness } = sums.totals;
  assert.deepEqual(results, [
    ['http', 'failed', 2],
    ['http', 'ok', 1],
  ]);
  assert.deepEqual(failures, [['http', 'status', 2]]);
  const [type, { bounds, counts, count, sum }] = durations[0] ?? assert.fail();
  const below = (bound: number) => counts[bounds.indexOf(bound)];
  assert.deepEqual(
    [type, below(0.025), below(0.05), below(0.5), below(1), below(10), count],
    ['http', 0, 1, 1, 2, 2, 3],
  );
  assert.ok(Math.abs(sum - 20.73) < 1e-9);
  assert.deepEqual(
    lateness.map(([lane, one]) => [lane, one.count, one.counts[0], one.counts.at(-1), one.sum]),
    [
      ['sockets', 1, 1, 1, 0],
      ['programs', 1, 0, 1, 2],
    ],
  );
});
