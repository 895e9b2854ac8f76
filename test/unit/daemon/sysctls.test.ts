// SPDX-License-Identifier: MIT
// The kernel's settings that the configuration needs: set, watched, restored.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { type ChangedSysctl, type SysctlName, Sysctls, sysctlLine } from '../../../src/daemon/reconcile/sysctls.ts';
import { jsonParts } from '../../../src/daemon/state/json-parts.ts';
import { readDaemonState } from '../../../src/daemon/state/schema.ts';
import { fromState, toState } from '../../../src/daemon/state/snapshot.ts';
import { config, service } from '../../support/specs.ts';

const plain = config([service('web', [], { onFailure: 'inhibit' })]);
const removing = config([service('web', [], { onFailure: 'remove' })]);
const persistent = config([
  service('web', [], { onFailure: 'inhibit', persistence: { timeout: 300, granularity: 32, engine: '' } }),
]);

function world(changed: ChangedSysctl[] = [], values: Partial<Record<SysctlName, string>> = {}) {
  const is: Record<SysctlName, string> = {
    ...{ expire_quiescent_template: '0', expire_nodest_conn: '0', sync_refresh_period: '0', sync_threshold: '3 50' },
    ...values,
  };
  const log: string[] = [];
  let refuse: Error | undefined;
  const files = {
    read: (name: SysctlName) => is[name],
    write: (name: SysctlName, value: string) => {
      if (refuse) throw refuse;
      is[name] = value;
    },
  };
  const sysctls = new Sysctls({ log: (_area, level, text) => log.push(`${level} ${text}`) }, changed, files);
  const fail = (error: Error | undefined) => {
    refuse = error;
  };
  return { sysctls, is, log, fail, values: () => [is.expire_quiescent_template, is.expire_nodest_conn].map(Number) };
}

test('a setting is set while a service needs it, then restored', () => {
  const { sysctls, values, log } = world();
  assert.equal(sysctls.configure(plain), false);
  assert.deepEqual(values(), [0, 0]);
  assert.equal(sysctls.configure(persistent), true);
  assert.deepEqual(values(), [1, 0]);
  assert.equal(sysctls.configure(removing), true);
  assert.deepEqual([values(), sysctls.changed], [[0, 1], [{ name: 'expire_nodest_conn', was: '0' }]]);
  sysctls.restore();
  assert.deepEqual([values(), sysctls.changed], [[0, 0], []]);
  assert.deepEqual(log, [
    'info net.ipv4.vs.expire_quiescent_template set to 1',
    'info net.ipv4.vs.expire_quiescent_template set back to 0',
    'info net.ipv4.vs.expire_nodest_conn set to 1',
    'info net.ipv4.vs.expire_nodest_conn set back to 0',
  ]);
});

test('a setting that was 1 before is never changed', () => {
  const { sysctls, values, log } = world([], { expire_nodest_conn: '1' });
  assert.equal(sysctls.configure(removing), false);
  sysctls.restore();
  assert.deepEqual([values(), log], [[0, 1], []]);
});

test('a setting that another program changes is set again; a restart keeps the value to restore', () => {
  const { sysctls, is, values, log } = world();
  sysctls.configure(removing);
  is.expire_nodest_conn = '0';
  assert.equal(sysctls.watch(), false);
  assert.deepEqual(values(), [0, 1]);
  assert.equal(log[1], 'warn changed by another program: net.ipv4.vs.expire_nodest_conn was set to 0; set to 1 again');
  const state = toState(new RuntimeState(), new Set(), new Map(), undefined, sysctls.changed);
  const { sysctls: saved } = fromState(readDaemonState(JSON.parse([...jsonParts(state)].join(''))));
  const next = world([...saved], { expire_nodest_conn: '1' });
  next.sysctls.configure(removing);
  next.sysctls.restore();
  assert.deepEqual(next.values(), [0, 0]);
});

test('a setting that cannot be set is logged once, with the consequence and the remedy', () => {
  const { sysctls, log, fail, values } = world();
  fail(Object.assign(new Error('EROFS: read-only file system'), { errno: -30, code: 'EROFS', syscall: 'open' }));
  sysctls.configure(persistent);
  sysctls.watch();
  assert.equal(log.length, 1);
  assert.match(
    log[0] ?? '',
    /^error cannot set net\.ipv4\.vs\.expire_quiescent_template to 1 \(EROFS: .*\): with persistence, a drained or /,
  );
  assert.match(log[0] ?? '', /sysctl -w net\.ipv4\.vs\.expire_quiescent_template=1$/);
  fail(undefined);
  sysctls.watch();
  assert.deepEqual(values(), [1, 0]);
});

test('connection sync: connections are sent again every 10 s, unless an administrator has chosen a period', () => {
  const synced = { ...plain, connectionSync: { device: 'eth1', id: 51, follow: undefined } };
  const { sysctls, is, log } = world();
  const texts = sysctls.pending(synced).map((change) => sysctlLine(change).text);
  assert.deepEqual(texts, ['net.ipv4.vs.sync_refresh_period 0 → 10', 'net.ipv4.vs.sync_threshold 3 50 → 0 0']);
  sysctls.configure(synced);
  assert.deepEqual([is.sync_refresh_period, is.sync_threshold], ['10', '0 0']);
  is.sync_threshold = '3 100';
  sysctls.watch();
  assert.equal(
    log.at(-1),
    'warn changed by another program: net.ipv4.vs.sync_threshold was set to 3 100; set to 0 0 again',
  );
  sysctls.configure(plain);
  assert.deepEqual([is.sync_refresh_period, is.sync_threshold], ['0', '3 50']);
  const chosen = world([], { sync_refresh_period: '60', sync_threshold: '1 0' });
  assert.equal(chosen.sysctls.configure(synced), false);
  assert.deepEqual([chosen.is.sync_refresh_period, chosen.is.sync_threshold], ['60', '1 0']);
});

test('a state file of an earlier version has numbers', () => {
  const state = toState(new RuntimeState(), new Set(), new Map(), undefined, []);
  const old = { ...JSON.parse([...jsonParts(state)].join('')), sysctls: [{ name: 'expire_nodest_conn', was: 0 }] };
  assert.deepEqual(fromState(readDaemonState(old)).sysctls, [{ name: 'expire_nodest_conn', was: '0' }]);
});

test('a setting that only a later version has is left out of a state file', () => {
  const state = { services: [], health: [], overrides: [], quorum: [], leaving: [] };
  const known = { name: 'expire_nodest_conn', was: '0' };
  const read = readDaemonState({ ...state, sysctls: [{ name: '../../kernel/panic', was: '1' }, known] });
  assert.deepEqual(read.sysctls, [known]);
});

test('what another program has set instead is not put back', () => {
  const { sysctls, is, log } = world();
  sysctls.configure(removing);
  is.expire_nodest_conn = '5';
  sysctls.configure(plain);
  assert.equal(is.expire_nodest_conn, '5');
  assert.equal(log.at(-1), 'info net.ipv4.vs.expire_nodest_conn stays 5: another program has set it');
  assert.deepEqual(sysctls.changed, []);
});

test('a plan names what would be set and put back, and changes nothing', () => {
  const { sysctls, values, log } = world();
  const texts = (wanted: typeof plain) => sysctls.pending(wanted).map((change) => sysctlLine(change).text);
  assert.deepEqual(texts(plain), []);
  assert.deepEqual(texts(persistent), ['net.ipv4.vs.expire_quiescent_template 0 → 1']);
  assert.deepEqual(texts(removing), ['net.ipv4.vs.expire_nodest_conn 0 → 1']);
  assert.deepEqual([values(), log], [[0, 0], []]);
  sysctls.configure(removing);
  assert.deepEqual(texts(removing), []);
  assert.deepEqual(texts(persistent), [
    'net.ipv4.vs.expire_quiescent_template 0 → 1',
    'net.ipv4.vs.expire_nodest_conn 1 → 0',
  ]);
  // Another program's 1 stays.
  assert.deepEqual(world([], { expire_nodest_conn: '1' }).sysctls.pending(plain), []);
});
