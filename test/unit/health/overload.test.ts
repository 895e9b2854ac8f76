// SPDX-License-Identifier: MIT
// Probes that time out because this machine is overloaded: no line for each beside the one about the overload.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { unknown } from '../../../src/health/machine.ts';
import type { Probe } from '../../../src/health/verdict.ts';
import { ProbeRunner } from '../../../src/health/worker/runner.ts';
import { EXEC, target } from '../../support/probes.ts';

/** A program that the helper does not get to start. */
const PROBE: Probe = {
  waitsFor: 'start of the program',
  startedAt: undefined,
  late: () => Promise.resolve(true),
  cancel: () => undefined,
};

/** Lines about one target whose probes time out, while this thread is blocked for some of the time. */
async function lines(blocked: number): Promise<string[]> {
  const found: string[] = [];
  const runner = new ProbeRunner({
    ...{ concurrency: 1, programs: 1 },
    prepare: () => ({ start: () => PROBE }),
    onTransition: () => assert.fail('not a failure of the target'),
    onTrouble: (text) => found.push(text),
  });
  const of = target({ ...EXEC, interval: 300, timeout: 200 }, 1);
  runner.add(of, unknown(of.id, true, Date.now()));
  await sleep(20);
  for (const end = performance.now() + blocked; performance.now() < end; );
  runner.takeLoad();
  await sleep(1000);
  runner.stop();
  return found;
}

test('a program that could not be started in time is reported, unless an overload is', async () => {
  assert.match((await lines(0)).join(), /^cannot check shop .*: no start of the program within 200ms$/);
  assert.deepEqual(await lines(2500), []);
});
