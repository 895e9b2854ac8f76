// SPDX-License-Identifier: MIT
// A look at the whole table takes long where there are thousands of services: nothing waits for it, and what changes
// meanwhile is not mistaken for what somebody else did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { NetlinkError } from '../../../src/base/errors.ts';
import type { Log } from '../../../src/base/log.ts';
import type { ServiceSpec } from '../../../src/config/types.ts';
import { EventLog } from '../../../src/control/event-log.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { desiredState } from '../../../src/daemon/model/desired-state.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { Reconciler } from '../../../src/daemon/reconcile/reconciler.ts';
import { TableCache } from '../../../src/daemon/reconcile/table-cache.ts';
import type { Ipvs, Service, ServiceKey } from '../../../src/ipvs/index.ts';
import type { Addresses } from '../../../src/net/index.ts';
import { KernelModel } from '../../support/kernel-model.ts';
import { config, realServer, service } from '../../support/specs.ts';

/** The model as the client that reads it. */
class ModelClient {
  readonly model: KernelModel;
  /** Awaited before each service is looked at. */
  gate: Promise<void> = Promise.resolve();

  /** Services that were looked at. */
  looks = 0;
  /** Changes that went well: ours, and those of others; undefined: a stock kernel, which does not count. */
  changes = 0;
  foreign: number | undefined;

  constructor(model: KernelModel) {
    this.model = model;
  }

  async info() {
    return { generation: this.foreign === undefined ? undefined : (0xffffff00 + this.changes + this.foreign) >>> 0 };
  }
  async timeouts() {
    return this.model.read().timeouts;
  }
  async services(): Promise<Service[]> {
    return this.model.read().services.map((one) => one.service);
  }
  service(key: ServiceKey) {
    return this.model.service(key);
  }
  async destinations(key: ServiceKey) {
    this.looks += 1;
    const found = await this.model.destinations(key);
    await this.gate;
    return found;
  }
  localAddresses(key: ServiceKey) {
    return this.model.localAddresses(key);
  }
}

function balancer() {
  const model = new KernelModel({ services: [], addresses: [], timeouts: { tcp: 900, tcpFin: 120, udp: 300 } });
  const reader = new ModelClient(model);
  const addresses = { list: async () => [] } as unknown as Addresses;
  const ipvs = new ModelClient(model);
  const table = new TableCache({ ipvs: ipvs as unknown as Ipvs, reader: reader as unknown as Ipvs, addresses });
  const nowhere = () => {};
  const log: Log = { error: nowhere, warn: nowhere, info: nowhere, debug: nowhere };
  const events = new EventLog();
  const situation = new RuntimeState();
  let file = config([]);
  const changer = { ipvs: model, addresses: model.addresses };
  const reconciler = new Reconciler(
    table,
    changer,
    {
      desired: () => desiredState(file, situation),
      ownership: () => ({ all: true }),
      driftFilter: () => ({}),
      serviceName: () => undefined,
      onDeleted: nowhere,
    },
    new Reporter(() => log, events),
  );
  const load = (services: ServiceSpec[]) => {
    file = config(services);
    situation.configure(virtualServices(file), 0);
    situation.updateQuorums();
    return reconciler.run();
  };
  return {
    ...{ model, ipvs, reader, reconciler, load },
    /** Weights of the real servers of the one service. */
    reload: (...weights: number[]) =>
      load([
        service(
          'web',
          weights.map((weight, index) => realServer(index + 1, { weight, check: undefined })),
        ),
      ]),
    weights: () => model.read().services[0]?.destinations.map(({ weight }) => weight),
    drifts: () => events.since(0).filter(({ kind }) => kind === 'drift'),
  };
}

const turns = async () => {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('a change does not wait for a look at the whole table, nor is it taken for somebody else’s', async () => {
  const { reader, reconciler, reload, weights, drifts } = balancer();
  await reload(1, 1);
  let open = () => {};
  reader.gate = new Promise((resolve) => {
    open = resolve;
  });
  reconciler.request({ refresh: 'all' });
  await turns();
  // The look has seen weights 1 and 1 by now, and is not done.
  const { done } = await reload(5, 1);
  assert.equal(done.length, 1);
  assert.deepEqual(weights(), [5, 1]);
  open();
  await turns();
  assert.deepEqual(drifts(), []);
  assert.deepEqual(weights(), [5, 1]);
  assert.equal((await reconciler.run()).done.length, 0);
});

test('what somebody else does is found by the look, told and repaired', async () => {
  const { model, reconciler, reload, weights, drifts } = balancer();
  await reload(1, 1);
  const [there] = model.read().services;
  const [first] = there?.destinations ?? [];
  assert.ok(there && first);
  await model.deleteDestination(there.service, first);
  reconciler.request({ refresh: 'all' });
  await turns();
  assert.equal(drifts().length, 1);
  assert.deepEqual(weights()?.length, 2);
});

test('who asks for a look while one is under way gets another one', async () => {
  const { model, reader, reconciler, reload, weights, drifts } = balancer();
  await reload(1, 1);
  let open = () => {};
  reader.gate = new Promise((resolve) => {
    open = resolve;
  });
  reconciler.request({ refresh: 'all' });
  await turns();
  const [there] = model.read().services;
  const [first] = there?.destinations ?? [];
  assert.ok(there && first);
  await model.deleteDestination(there.service, first);
  reconciler.request({ refresh: 'all' });
  open();
  await turns();
  assert.equal(drifts().length, 1);
  assert.deepEqual(weights()?.length, 2);
});

const many = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    service(`s${i}`, [realServer(1, { check: undefined }), realServer(2, { weight: 0, check: undefined })], {
      virtuals: [
        { family: AF_INET, protocol: 'tcp', address: Uint8Array.of(10, 99, i >> 8, i & 255), port: 80, fwmark: 0 },
      ],
    }),
  );

test('services that come by the hundred are believed at first, and looked at in peace', async (t) => {
  const { ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  assert.equal((await load(many(300))).done.length, 900);
  assert.equal(ipvs.looks, 0);
  await turns();
  assert.equal(reader.looks, 300);
  assert.deepEqual(drifts(), []);
  assert.equal((await reconciler.run()).done.length, 0);
});

test('one of them that the kernel does not take whole is not believed', async (t) => {
  const { model, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  let refusals = 0;
  model.refuse = ({ command, service: key, part }) => {
    if (command !== 'add-destination' || !key?.includes('0a630007') || !part?.startsWith('0a1f0002')) return;
    refusals += 1;
    throw new NetlinkError(12);
  };
  const { done, failed } = await load(many(300));
  // Once among all the others, and once by itself.
  assert.deepEqual([done.length, failed.length, refusals], [899, 1, 2]);
  model.refuse = () => {};
  await turns();
  assert.deepEqual(drifts(), []);
  reconciler.backoff.reset();
  assert.equal((await reconciler.run()).done.length, 1);
  assert.equal((await reconciler.run()).done.length, 0);
});

test('where the kernel counts its changes, and they are ours, nobody looks again', async (t) => {
  const { model, ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  ipvs.foreign = 0;
  model.watch = () => {
    ipvs.changes += 1;
  };
  await load([]);
  assert.equal((await load(many(300))).done.length, 900);
  await turns();
  assert.deepEqual([ipvs.looks, reader.looks], [0, 0]);
  assert.equal((await reconciler.run()).done.length, 0);
  assert.deepEqual(drifts(), []);
});

test('one change by somebody else among them, and all are looked at', async (t) => {
  const { model, ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  ipvs.foreign = 0;
  model.watch = ({ command, service: key, part }) => {
    ipvs.changes += 1;
    // Somebody is quick to delete one of what has just come.
    if (command !== 'add-destination' || !key?.includes('0a630007') || !part?.startsWith('0a1f0002')) return;
    model.watch = () => {
      ipvs.changes += 1;
    };
    ipvs.foreign = 1;
    const there = model.read().services.at(-1);
    if (there?.destinations[0]) void model.deleteDestination(there.service, there.destinations[0]);
    ipvs.changes -= 1;
  };
  await load([]);
  assert.equal((await load(many(300))).done.length, 900);
  await turns();
  assert.equal(reader.looks, 300);
  assert.equal(drifts().length, 1);
  assert.equal((await reconciler.run()).done.length, 0);
  assert.equal(model.read().services[7]?.destinations.length, 2);
});
