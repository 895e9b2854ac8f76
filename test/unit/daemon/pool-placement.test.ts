// SPDX-License-Identifier: MIT
// A pool of local addresses that cannot be put on its device: no service gets its addresses, and no virtual address
// attracts clients to a service that cannot serve. Status shows what is rejected.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LvsdError } from '../../../src/base/errors.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { briefText, statusText } from '../../../src/control/lvsctl/status.ts';
import { PLAIN } from '../../../src/control/lvsctl/terminal.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { failureStatuses, serviceStatuses } from '../../../src/daemon/control/status.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { Reconciler } from '../../../src/daemon/reconcile/reconciler.ts';
import type { TableCache } from '../../../src/daemon/reconcile/table-cache.ts';
import { DifferenceCache } from '../../../src/plan/index.ts';
import type { Actual, Desired } from '../../../src/plan/types.ts';
import { KernelModel, localAddress } from '../../support/kernel-model.ts';
import { config, realServer, service as serviceSpec } from '../../support/specs.ts';
import { STATUS } from '../control/daemon.ts';
import {
  actualAddress,
  actualService,
  actualTable,
  desiredTable,
  ip,
  onDevice,
  server,
  service,
} from '../plan/states.ts';

const FULLNAT = 5;
const [OLD, ONE, TWO] = ['10.31.3.90', '10.31.3.101', '10.31.3.102'] as const;
const local = (text: string, device = 'eth1') => onDevice(text, device, { purpose: 'local', name: 'inner' });
const virtual = onDevice('10.99.0.10', 'eth0');
const shop = service('shop', '10.99.0.10:80', {
  localAddresses: [ONE, TWO].map(ip),
  destinations: [server('10.31.4.2:80', { method: FULLNAT })],
});

/** A reconciler on a model of the kernel that has no device `nodev`. */
function world(t: TestContext, before: Actual, wanted: Desired) {
  const kernel = new KernelModel(before);
  kernel.refuse = ({ command, part }) => {
    if (command === 'add-address' && part?.endsWith('@nodev'))
      throw new LvsdError('ERR_LVSD_NO_DEVICE', 'no such network device: nodev');
  };
  const table = {
    get actual() {
      return kernel.read();
    },
    differences: new DifferenceCache(),
    read: async () => kernel.read(),
    readAddresses: async () => kernel.read(),
    assumeApplied: () => ({ services: 0, unverified: [] }),
    verifyGeneration: async () => true,
  } as unknown as TableCache;
  const state = { desired: wanted };
  const source = {
    retries: true,
    desired: () => state.desired,
    ownership: () => ({ all: true }) as const,
    driftFilter: () => ({}),
    serviceName: () => undefined,
    onDeleted: () => {},
  };
  const lines: string[] = [];
  const line = (text: string): void => void lines.push(text);
  const reporter = new Reporter(() => ({ error: line, warn: line, info: line, debug: line }), new EventLog());
  const reconciler = new Reconciler(table, { ipvs: kernel, addresses: kernel.addresses }, source, reporter);
  t.after(() => reconciler.stop());
  const pool = () =>
    kernel
      .read()
      .services.flatMap(({ localAddresses }) => localAddresses)
      .filter(({ draining }) => !draining)
      .map(({ address }) => address.join('.'));
  const placed = () => kernel.read().addresses.map(({ address, device }) => `${address.join('.')} on ${device}`);
  return { kernel, reconciler, state, lines, pool, placed };
}

test('a new service: neither pool nor virtual address, in any cycle, until a local address is on its device', async (t) => {
  const { reconciler, state, pool, placed, lines } = world(
    t,
    actualTable([]),
    desiredTable([shop], [virtual, local(ONE, 'nodev'), local(TWO, 'nodev')]),
  );
  const first = await reconciler.run();
  assert.equal(first.failed.length, 2);
  // Later cycles leave out the failed additions until their next attempt.
  for (let cycle = 0; cycle < 3; cycle++) await reconciler.run();
  assert.deepEqual({ pool: pool(), placed: placed() }, { pool: [], placed: [] });
  assert.ok(
    lines.some((text) => /failed: \+ local address 10\.31\.3\.101\/32 on nodev: .*; and 1 more; attempt 1/.test(text)),
    lines.join('\n'),
  );
  state.desired = desiredTable([shop], [virtual, local(ONE, 'nodev'), local(TWO)]);
  reconciler.backoff.reset();
  await reconciler.run();
  await reconciler.run();
  assert.deepEqual(pool(), [TWO]);
  assert.deepEqual(placed(), [`${TWO} on eth1`, '10.99.0.10 on eth0']);
});

test('a service in the table whose local addresses are on no device does not get its virtual address', async (t) => {
  const there = actualService(shop);
  const { reconciler, state, placed } = world(
    t,
    actualTable([there]),
    desiredTable([shop], [virtual, local(ONE, 'nodev'), local(TWO, 'nodev')]),
  );
  for (let cycle = 0; cycle < 3; cycle++) await reconciler.run();
  assert.deepEqual(placed(), []);
  state.desired = desiredTable([shop], [virtual, local(ONE), local(TWO)]);
  reconciler.backoff.reset();
  await reconciler.run();
  assert.deepEqual(placed(), [`${ONE} on eth1`, `${TWO} on eth1`, '10.99.0.10 on eth0']);
});

test('a pool that is replaced by one on a missing device stays in use', async (t) => {
  const there = actualService(shop, [localAddress(ip(OLD))]);
  const { reconciler, pool, placed } = world(
    t,
    actualTable([there], [actualAddress(virtual), actualAddress(local(OLD))]),
    desiredTable([shop], [virtual, local(ONE, 'nodev'), local(TWO, 'nodev')]),
  );
  for (let cycle = 0; cycle < 3; cycle++) await reconciler.run();
  assert.deepEqual(pool(), [OLD]);
  assert.deepEqual(placed(), ['10.99.0.10 on eth0', `${OLD} on eth1`]);
});

test('status shows a rejected pool: in the head, at its services, in the brief form, in JSON and in the sum', async (t) => {
  const { reconciler } = world(
    t,
    actualTable([]),
    desiredTable([shop], [virtual, local(ONE, 'nodev'), local(TWO, 'nodev')]),
  );
  await reconciler.run();
  const pool = { name: 'inner', device: 'nodev', follow: undefined, addresses: [], ports: undefined };
  const runtime = new RuntimeState();
  const spec = serviceSpec('shop', [realServer(1)], { localAddresses: pool });
  runtime.configure(virtualServices(config([spec])), 0);
  const { failures: known } = reconciler.backoff;
  const services = serviceStatuses({ runtime, health: new Map(), table: () => undefined, failures: known });
  const failures = failureStatuses(known, ['inner']);
  assert.deepEqual(
    failures.map(({ of, name, attempts, changes }) => ({ of, name, attempts, changes: changes.length })),
    [{ of: 'pool', name: 'inner', attempts: 1, changes: 2 }],
  );
  const status = { ...STATUS, failures, services };
  const reason = 'local address 10.31.3.101/32 on nodev: no such network device: nodev; and 1 more';
  for (const text of [statusText(status, PLAIN, Date.now()), briefText(status, PLAIN, Date.now())]) {
    assert.match(text, /^rejected for \S+, 1 attempt: local_addresses\.inner: \+ local address 10\.31\.3\.101/m);
    assert.ok(text.includes(`local_addresses.inner: ${reason}`), text);
    assert.match(text, /; 2 changes rejected\n$/);
  }
  assert.match(statusText(status, PLAIN, Date.now()), /^ {2}rejected by the kernel for \S+: local_addresses\.inner/m);
});
