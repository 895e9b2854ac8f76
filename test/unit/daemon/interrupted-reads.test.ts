// SPDX-License-Identifier: MIT
// Another program changes addresses or services all the time, so that no dump of the kernel's tables is complete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetlinkDumpInterruptedError, NetlinkOverrunError } from '../../../src/base/errors.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { Reconciler } from '../../../src/daemon/reconcile/reconciler.ts';
import type { TableCache } from '../../../src/daemon/reconcile/table-cache.ts';
import { DifferenceCache, type KernelWriter } from '../../../src/plan/index.ts';

const ACTUAL = { services: [], addresses: [], timeouts: { tcp: 900, tcpFin: 120, udp: 300 }, generation: undefined };
const DESIRED = { services: [], addresses: [], timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };

/** A reconciler whose reads fail while `error` is set. */
function site() {
  const state = { error: undefined as Error | undefined, reads: 0, plans: 0, lines: [] as string[] };
  const read = async () => {
    state.reads++;
    if (state.error) throw state.error;
    return ACTUAL;
  };
  const table = {
    actual: ACTUAL,
    differences: new DifferenceCache(),
    read,
    readAddresses: read,
    readInBackground: async () => {
      await read();
      return () => {};
    },
  } as unknown as TableCache;
  const line = (text: string): void => void state.lines.push(text);
  const source = {
    retries: true,
    desired: () => {
      state.plans++;
      return DESIRED;
    },
    ownership: () => ({ all: false, services: new Set<string>() }) as const,
    driftFilter: () => ({}),
    serviceName: () => undefined,
    onDeleted: () => {},
  };
  const reporter = new Reporter(() => ({ error: line, warn: line, info: line, debug: line }), new EventLog());
  const reconciler = new Reconciler(table, {} as KernelWriter, source, reporter);
  return { state, reconciler };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

for (const refresh of ['addresses', 'all'] as const) {
  test(`after an interrupted read (${refresh}) changes are still applied, and the read is repeated`, async () => {
    const { state, reconciler } = site();
    await reconciler.run();
    state.error = new NetlinkDumpInterruptedError(8);
    reconciler.request({ refresh });
    await pause(20);
    const plans = state.plans;
    assert.equal(plans, 2, 'the cycle continued');
    // A real server fails.
    reconciler.request();
    await pause(20);
    assert.equal(state.plans, plans + 1);
    assert.equal(state.lines.filter((text) => text.includes('continuing with the previous read')).length, 1);
    state.error = undefined;
    const reads = state.reads;
    await pause(1500);
    assert.equal(state.reads, reads + 1, 'read again after a second');
    await pause(1500);
    assert.equal(state.reads, reads + 1, 'and only once');
    await reconciler.stop();
  });
}

test('a read that fails otherwise is repeated with growing delays', async () => {
  const { state, reconciler } = site();
  await reconciler.run();
  state.error = new NetlinkOverrunError();
  reconciler.request({ refresh: 'addresses' });
  await pause(20);
  assert.match(state.lines.at(-1) ?? '', /^cannot reconcile the kernel with the file: .*; next attempt in 1 s$/);
  await pause(1200);
  assert.match(state.lines.at(-1) ?? '', /; next attempt in 2 s$/);
  state.error = undefined;
  const { plans } = state;
  await pause(2200);
  assert.ok(state.plans > plans);
  await reconciler.stop();
});
