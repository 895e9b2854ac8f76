// SPDX-License-Identifier: MIT
// Connection sync in plans: daemons are started, replaced, stopped, or left alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IP_VS_STATE_BACKUP, IP_VS_STATE_MASTER, type SyncDaemon } from '../../../src/ipvs/index.ts';
import { apply, describe, difference, drift } from '../../../src/plan/index.ts';
import { KernelModel } from '../../support/kernel-model.ts';
import { actualTable, desiredTable } from './states.ts';

const master: SyncDaemon = { state: IP_VS_STATE_MASTER, interface: 'eth1', syncId: 51 };
const backup: SyncDaemon = { state: IP_VS_STATE_BACKUP, interface: 'eth1', syncId: 51 };
/** As the kernel shows it. */
const shown = (one: SyncDaemon): SyncDaemon => ({ ...one, maxLength: 1472, port: 8848, ttl: 1 });

const lines = (wanted: SyncDaemon[] | undefined, present: SyncDaemon[]) =>
  difference({ ...desiredTable([]), syncDaemons: wanted }, { ...actualTable([]), syncDaemons: present }, { all: true })
    .operations.map(describe)
    .map(({ sign, text }) => `${sign} ${text}`);

test('daemons that run already are left alone, whatever the kernel chose for the rest', () => {
  assert.deepEqual(lines([backup, master], [shown(master), shown(backup)]), []);
});

test('missing daemons are started, unwanted ones stopped', () => {
  assert.deepEqual(lines([backup, master], []), [
    '+ connection sync as backup on eth1, id 51',
    '+ connection sync as master on eth1, id 51',
  ]);
  assert.deepEqual(lines([backup], [shown(backup), shown(master)]), ['- connection sync as master on eth1, id 51']);
  assert.deepEqual(lines([], [shown(backup)]), ['- connection sync as backup on eth1, id 51']);
});

test('without connection_sync in the file the daemons of others stay', () => {
  assert.deepEqual(lines(undefined, [shown(backup), shown(master)]), []);
});

test('one with other settings is stopped before the right one is started', async () => {
  const before = { ...actualTable([]), syncDaemons: [shown({ ...backup, interface: 'eth0' }), shown(master)] };
  const desired = { ...desiredTable([]), syncDaemons: [backup, master] };
  const { operations } = difference(desired, before, { all: true });
  assert.deepEqual(
    operations.map(({ op }) => op),
    ['stop-sync', 'start-sync'],
  );
  const kernel = new KernelModel(before);
  const results = await apply(operations, { ipvs: kernel, addresses: kernel.addresses });
  assert.deepEqual(
    results.map(({ error }) => error),
    [undefined, undefined],
  );
  assert.deepEqual(difference(desired, kernel.read(), { all: true }).operations, []);
});

test('daemons that another program stopped or started are drift', () => {
  const before = { ...actualTable([]), syncDaemons: [shown(backup)] };
  const now = { ...actualTable([]), syncDaemons: [shown(master)] };
  assert.deepEqual(
    drift(before, now).map(({ text }) => text),
    ['connection sync as backup on eth1, id 51 was stopped', 'connection sync as master on eth1, id 51 was started'],
  );
  assert.deepEqual(drift(before, now, { sync: false }), []);
});
