// SPDX-License-Identifier: MIT
// Reading the whole table takes long with thousands of services: nothing waits for it, and lvsd's own changes meanwhile
// are not taken for drift.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { NetlinkError } from '../../../src/base/errors.ts';
import type { Log } from '../../../src/base/log.ts';
import type { ServiceSpec } from '../../../src/config/types.ts';
import { EventLog } from '../../../src/control/events/log.ts';
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

/** The kernel model behind the interface of the IPVS client. */
class ModelClient {
  readonly model: KernelModel;
  /** Awaited before each answer with a service's real servers. */
  gate: Promise<void> = Promise.resolve();

  /** Number of services that were read. */
  reads = 0;
  /** Successful changes: ours, and those of other programs; undefined: a stock kernel, which does not count. */
  changes = 0;
  foreign: number | undefined;

  constructor(model: KernelModel) {
    this.model = model;
  }

  async info() {
    return { generation: this.foreign === undefined ? undefined : (0xffffff00 + this.changes + this.foreign) >>> 0 };
  }
  daemons() {
    return this.model.daemons();
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
    this.reads += 1;
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
  const ignore = () => {};
  const log: Log = { error: ignore, warn: ignore, info: ignore, debug: ignore };
  const events = new EventLog();
  const runtime = new RuntimeState();
  let file = config([]);
  const writer = { ipvs: model, addresses: model.addresses };
  const reconciler = new Reconciler(
    table,
    writer,
    {
      retries: true,
      desired: () => desiredState(file, runtime),
      ownership: () => ({ all: true }),
      driftFilter: () => ({}),
      serviceName: () => undefined,
      onDeleted: ignore,
    },
    new Reporter(() => log, events),
  );
  const load = (services: ServiceSpec[]) => {
    file = config(services);
    runtime.configure(virtualServices(file), 0);
    runtime.updateQuorums();
    return reconciler.run();
  };
  return {
    ...{ model, ipvs, reader, reconciler, load },
    /** Loads one service whose real servers have these weights. */
    reload: (...weights: number[]) =>
      load([
        service(
          'web',
          weights.map((weight, index) => realServer(index + 1, { weight, check: undefined })),
        ),
      ]),
    weights: () => model.read().services[0]?.destinations.map(({ weight }) => weight),
    drifts: () => events.since(0).filter(({ kind }) => kind === 'table.drift'),
  };
}

const turns = async () => {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('a change does not wait for a background read, and is not taken for drift', async () => {
  const { reader, reconciler, reload, weights, drifts } = balancer();
  await reload(1, 1);
  let open = () => {};
  reader.gate = new Promise((resolve) => {
    open = resolve;
  });
  reconciler.request({ refresh: 'all' });
  await turns();
  // By now the read has got weights 1 and 1, and is not finished.
  const { done } = await reload(5, 1);
  assert.equal(done.length, 1);
  assert.deepEqual(weights(), [5, 1]);
  open();
  await turns();
  assert.deepEqual(drifts(), []);
  assert.deepEqual(weights(), [5, 1]);
  assert.equal((await reconciler.run()).done.length, 0);
});

test('a background read finds drift, which is reported and repaired', async () => {
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

test('a read that is requested during another one follows it', async () => {
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

test('hundreds of new services are assumed to be applied, and read in the background', async (t) => {
  const { ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  assert.equal((await load(many(300))).done.length, 900);
  assert.equal(ipvs.reads, 0);
  await turns();
  assert.equal(reader.reads, 300);
  assert.deepEqual(drifts(), []);
  assert.equal((await reconciler.run()).done.length, 0);
});

test('a new service of which the kernel rejects a part is not assumed to be applied', async (t) => {
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

test('if the kernel counts its changes, and all are ours, nothing is read again', async (t) => {
  const { model, ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  ipvs.foreign = 0;
  model.watch = () => {
    ipvs.changes += 1;
  };
  await load([]);
  assert.equal((await load(many(300))).done.length, 900);
  await turns();
  assert.deepEqual([ipvs.reads, reader.reads], [0, 0]);
  assert.equal((await reconciler.run()).done.length, 0);
  assert.deepEqual(drifts(), []);
});

test('a change by another program among them makes all services be read', async (t) => {
  const { model, ipvs, reader, reconciler, load, drifts } = balancer();
  t.after(() => reconciler.stop());
  ipvs.foreign = 0;
  model.watch = ({ command, service: key, part }) => {
    ipvs.changes += 1;
    // Another program deletes a real server that was just added.
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
  assert.equal(reader.reads, 300);
  assert.equal(drifts().length, 1);
  assert.equal((await reconciler.run()).done.length, 0);
  assert.equal(model.read().services[7]?.destinations.length, 2);
});

test('timeouts that another program sets are not missed when addresses are reread during a background read', async () => {
  const before = { tcp: 900, tcpFin: 120, udp: 300 };
  const now = { tcp: 1, tcpFin: 2, udp: 3 };
  const kernel = { generation: 1, timeouts: before };
  let hold: Promise<unknown> = Promise.resolve();
  const ipvs = {
    changes: 0,
    info: async () => ({ generation: kernel.generation }),
    services: async () => [],
    timeouts: async () => kernel.timeouts,
    daemons: async () => [],
  };
  const reader = { ...ipvs, services: () => hold.then(() => []) };
  const addresses = { list: async () => [] };
  const cache = new TableCache({ ipvs, reader, addresses } as unknown as ConstructorParameters<typeof TableCache>[0]);
  await cache.read();
  Object.assign(kernel, { generation: 2, timeouts: now });
  let go: (value: unknown) => void = () => {};
  hold = new Promise((resolve) => {
    go = resolve;
  });
  const reading = cache.readInBackground();
  await cache.readAddresses();
  go(undefined);
  (await reading)();
  assert.deepEqual([cache.actual?.timeouts, cache.actual?.generation], [now, 2]);
});
