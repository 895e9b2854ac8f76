// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import type { ServiceSpec } from '../../../src/config/types.ts';
import { desiredState } from '../../../src/daemon/model/desired-state.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { targets } from '../../../src/daemon/model/targets.ts';
import { serverText, virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { packNegotiated } from '../../../src/health/negotiated.ts';
import { config, realServer, service, tcpCheck } from '../../support/specs.ts';

const sorry = {
  family: AF_INET,
  address: Uint8Array.of(10, 31, 9, 9),
  port: 0,
  forward: { method: 'masquerade' },
} as const;

function load(...specs: ServiceSpec[]) {
  const file = config(specs);
  const runtime = new RuntimeState();
  runtime.configure(virtualServices(file), 0);
  runtime.updateQuorums();
  return {
    runtime,
    set: (n: number, up: boolean) => {
      for (const service of runtime.services)
        for (const server of service.realServers)
          if (server.targets[0] && serverText(server) === `10.31.0.${n}:80`)
            runtime.setTarget(server.targets[0].id, up);
      return runtime.updateQuorums().map(({ up: holds, weight }) => [holds, weight]);
    },
    table: (index = 0) =>
      desiredState(file, runtime).services[index]?.destinations.map(
        ({ address, port, weight }) => `${address.join('.')}:${port} ${weight}`,
      ),
    addresses: () =>
      desiredState(file, runtime).addresses.map(({ address, device }) => `${address.join('.')} ${device}`),
  };
}

test('a real server that is down leaves the table, or stays with weight 0', () => {
  const removed = load(service('web', [realServer(1), realServer(2, { weight: 3 })]));
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1', '10.31.0.2:80 3']);
  removed.set(2, false);
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1']);
  removed.set(2, true);
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1', '10.31.0.2:80 3']);

  const inhibited = load(service('web', [realServer(1), realServer(2)], { onFailure: 'inhibit' }));
  inhibited.set(1, false);
  assert.deepEqual(inhibited.table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
});

test('while the quorum is lost the sorry server gets all new connections', () => {
  const servers = [1, 2, 3].map((n) => realServer(n, { weight: 2 }));
  const { set, table } = load(service('web', servers, { quorum: 4, hysteresis: 1, sorryServer: sorry }));
  assert.deepEqual(set(1, false), []); // 4 is not below 4 - 1
  assert.deepEqual(set(2, false), [[false, 2]]);
  assert.deepEqual(table(), ['10.31.9.9:80 1', '10.31.0.3:80 0']);
  assert.deepEqual(set(2, true), []); // 4 is not 4 + 1
  assert.deepEqual(table(), ['10.31.9.9:80 1', '10.31.0.2:80 0', '10.31.0.3:80 0']);
  assert.deepEqual(set(1, true), [[true, 6]]);
  assert.deepEqual(table(), ['10.31.0.1:80 2', '10.31.0.2:80 2', '10.31.0.3:80 2']);
});

test('without a sorry server a lost quorum keeps healthy servers in the table and removes the virtual address', () => {
  const { set, table, addresses } = load(service('web', [realServer(1), realServer(2)], { quorum: 2, device: 'lo' }));
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  assert.deepEqual(set(1, false), [[false, 1]]);
  assert.deepEqual(table(), ['10.31.0.2:80 1']);
  assert.deepEqual(addresses(), []);
  assert.deepEqual(set(1, true), [[true, 2]]);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
});

test('a virtual address that two services share stays while one of them has its quorum', () => {
  const virtual = {
    family: AF_INET,
    protocol: 'tcp',
    address: Uint8Array.of(10, 99, 0, 1),
    port: 443,
    fwmark: 0,
  } as const;
  const { set, addresses } = load(
    service('web', [realServer(1)], { device: 'lo' }),
    service('tls', [realServer(2)], { device: 'lo', virtuals: [virtual] }),
  );
  set(1, false);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(2, false);
  assert.deepEqual(addresses(), []);
});

test('an override survives check results and reloads', () => {
  const specs = [service('web', [realServer(1, { name: 'one' }), realServer(2)])];
  const { runtime, set, table } = load(...specs);
  assert.deepEqual(runtime.find('nobody'), []);
  assert.deepEqual(runtime.find('one', 'other'), []);
  const found = runtime.find('one');
  assert.deepEqual(found, [{ service: 'web', server: '10.31.0.1:80' }]);
  assert.deepEqual(runtime.find('10.31.0.1:80', 'web'), found);
  for (const one of found) assert.equal(runtime.setOverride(one, true), true);
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
  set(1, false);
  assert.deepEqual(table(), ['10.31.0.2:80 1']);
  set(1, true);
  runtime.configure(virtualServices(config(specs)), 1000);
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
  for (const one of found) assert.equal(runtime.setOverride(one, false), true);
  assert.deepEqual(table(), ['10.31.0.1:80 1', '10.31.0.2:80 1']);
});

test('a drained real server does not count for the quorum', () => {
  const { runtime } = load(service('web', [realServer(1), realServer(2)], { quorum: 2, sorryServer: sorry }));
  runtime.setOverride({ service: 'web', server: '10.31.0.1:80' }, true);
  assert.deepEqual(
    runtime.updateQuorums().map(({ up, weight }) => [up, weight]),
    [[false, 1]],
  );
});

test('a virtual address stays while a drained real server is up, whatever the quorum', () => {
  const { runtime, set, table, addresses } = load(service('web', [realServer(1), realServer(2)], { device: 'lo' }));
  for (const n of [1, 2]) runtime.setOverride({ service: 'web', server: `10.31.0.${n}:80` }, true);
  assert.deepEqual(
    runtime.updateQuorums().map(({ up, weight }) => [up, weight]),
    [[false, 0]],
  );
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 0']);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(1, false);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(2, false);
  assert.deepEqual(addresses(), []);
});

test('a virtual address stays while a real server removed from the file drains', () => {
  const { runtime, set } = load(service('web', [realServer(1)], { device: 'lo', drain: 5000 }));
  const other = config([service('web', [realServer(2)], { device: 'lo', drain: 5000 })]);
  runtime.configure(virtualServices(other), 100);
  assert.deepEqual(set(2, false), [[false, 0]]);
  assert.equal(desiredState(other, runtime).addresses.length, 1);
  runtime.expire(5100, () => false);
  assert.equal(desiredState(other, runtime).addresses.length, 0);
});

test('a sorry server that is or was one of the real servers is in the table once', () => {
  const first = { ...sorry, address: Uint8Array.of(10, 31, 0, 1) };
  const lent = load(service('web', [realServer(1), realServer(2)], { quorum: 2, sorryServer: first }));
  lent.set(2, false);
  assert.deepEqual(lent.table(), ['10.31.0.1:80 1']);

  const { runtime, set } = load(service('web', [realServer(1), realServer(2)], { drain: 5000 }));
  const less = config([service('web', [realServer(2)], { drain: 5000, sorryServer: first })]);
  runtime.configure(virtualServices(less), 100);
  set(2, false);
  assert.deepEqual(
    desiredState(less, runtime).services[0]?.destinations.map(
      ({ address, weight }) => `${address.join('.')} ${weight}`,
    ),
    ['10.31.0.1 1'],
  );
});

test('a real server removed from the file drains, unless it was down or returns', () => {
  const whole = [service('web', [realServer(1), realServer(2), realServer(3)], { drain: 5000 })];
  const less = config([service('web', [realServer(1)], { drain: 5000 })]);
  const { runtime, set } = load(...whole);
  set(3, false);
  runtime.configure(virtualServices(less), 100);
  const weights = () =>
    desiredState(less, runtime).services[0]?.destinations.map(({ address, weight }) => [address[3], weight]);
  assert.deepEqual(weights(), [
    [1, 1],
    [2, 0],
  ]);
  assert.equal(
    runtime.expire(5099, () => false),
    0,
  );
  assert.equal(runtime.preview(virtualServices(config(whole)), 200).draining.length, 0);
  assert.equal(runtime.draining.length, 1);
  assert.equal(
    runtime.expire(200, () => true),
    1,
  );
  assert.deepEqual(weights(), [[1, 1]]);

  runtime.configure(virtualServices(config(whole)), 300);
  runtime.configure(virtualServices(less), 400);
  assert.equal(
    runtime.expire(5400, () => false),
    1,
  );
});

/** The initial state of each new target of the last configuration, if the kernel has every server at weight 0. */
function counts(
  runtime: RuntimeState,
  known: Parameters<typeof targets>[2] = () => undefined,
): Record<string, boolean> {
  const table = (key: string) => {
    const service = runtime.services.find((one) => one.key === key);
    const stats = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
    return (
      service && {
        service: { ...service.config, numLocalAddresses: 0, stats: undefined },
        destinations: service.realServers.map(({ destination }) => ({ ...destination, weight: 0, ...stats })),
        localAddresses: [],
      }
    );
  };
  const found = targets(runtime.services, table, known, (id) => runtime.inherited(id));
  return Object.fromEntries(found.map(({ address, initiallyUp }) => [address.replace('10.31.0.', ''), initiallyUp]));
}

const otherCheck = { ...tcpCheck, interval: 9000, start: 'down' } as const;

test('a real server whose check a reload changes keeps its state', () => {
  const before = [1, 2, 3].map((n) => realServer(n, n === 3 ? { check: undefined } : {}));
  const { runtime, set } = load(service('web', before, { onFailure: 'inhibit' }));
  set(2, false);
  const after = [1, 2, 3, 4].map((n) => realServer(n, { check: otherCheck }));
  runtime.configure(virtualServices(config([service('web', after)])), 100);
  // The fourth is new: `start` decides.
  assert.deepEqual(counts(runtime), { 1: true, 2: false, 3: true, 4: false });
});

test('a real server removed from the file while the daemon was down drains', () => {
  const before = load(service('web', [realServer(1), realServer(2)], { drain: 5000 })).runtime;
  const table = (runtime: RuntimeState) => (key: string) => {
    const service = runtime.services.find((one) => one.key === key);
    const stats = { activeConnections: 1, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
    return (
      service && {
        service: { ...service.config, numLocalAddresses: 0, stats: undefined },
        destinations: service.realServers.map(({ destination }) => ({ ...destination, ...stats })),
        localAddresses: [],
      }
    );
  };
  const owned = new Set(before.services.map(({ key }) => key));
  const after = (drain: number) => load(service('web', [realServer(1)], { drain })).runtime;
  const gone = after(0);
  gone.adopt(owned, table(before), 100);
  assert.equal(gone.draining.length, 0);
  const runtime = after(5000);
  // Services that lvsd does not own are not drained.
  runtime.adopt(new Set(), table(before), 100);
  assert.equal(runtime.draining.length, 0);
  for (let i = 0; i < 2; i++) runtime.adopt(owned, table(before), 100);
  assert.deepEqual(
    runtime.draining.map(({ destination, until }) => [destination.address[3], destination.weight, until]),
    [[2, 0, 5100]],
  );
});

test('a state without a result, from another service, does not replace the inherited one', () => {
  const { runtime } = load(service('web', [realServer(1), realServer(2)]));
  const after = [1, 2].map((n) => realServer(n, { check: otherCheck }));
  runtime.configure(virtualServices(config([service('web', after)])), 100);
  assert.deepEqual(
    counts(runtime, () => ({ up: false, probed: false })),
    { 1: true, 2: true },
  );
  assert.deepEqual(
    counts(runtime, () => ({ up: false, probed: true })),
    { 1: false, 2: false },
  );
});

test('a real server that returns while it drains keeps its state', () => {
  const [one, ...others] = [realServer(1), realServer(2), realServer(3)];
  const inhibit = { onFailure: 'inhibit', drain: 5000 } as const;
  const { runtime, set } = load(service('web', [one, ...others], inhibit));
  set(3, false);
  const less = virtualServices(config([service('web', [one], inhibit)]));
  runtime.configure(less, 100);
  runtime.keepTargets(
    new Set(less.flatMap(({ realServers }) => realServers.flatMap(({ targets }) => targets.map(({ id }) => id)))),
  );
  // The one that was down had weight 0 for its connections, and keeps it.
  assert.deepEqual(
    runtime.draining.map(({ destination, wasDown }) => [destination.address[3], wasDown]),
    [
      [2, false],
      [3, true],
    ],
  );
  runtime.configure(virtualServices(config([service('web', [one, ...others], inhibit)])), 200);
  assert.deepEqual(counts(runtime), { 1: true, 2: true, 3: false });
  assert.equal(runtime.draining.length, 0);
});

test('equal checks of one real server in several services are one target; another check is another one', () => {
  const slower = realServer(1, { check: { ...realServer(1).check, type: 'tcp', interval: 9000 } as never });
  const [a, b, c] = virtualServices(
    config([service('a', [realServer(1)]), service('b', [realServer(1)]), service('c', [slower])]),
  );
  const id = (service: typeof a) => service?.realServers[0]?.targets[0]?.id;
  assert.equal(id(a), id(b));
  assert.notEqual(id(a), id(c));
});

test('with several checks a real server is up while all of them pass', () => {
  const port = { ...realServer(1).check, port: 22 } as never;
  const one = realServer(1, { moreChecks: [port, port] });
  const [web] = virtualServices(config([service('web', [one, realServer(2)])]));
  assert.ok(web);
  const runtime = new RuntimeState();
  runtime.configure([web], 0);
  const [first] = web.realServers;
  assert.ok(first);
  const [http, ssh, ...others] = first.targets;
  assert.ok(http && ssh);
  assert.deepEqual([others, ssh.port], [[], 22]);
  const state = (...up: [boolean, boolean]) => {
    runtime.setTarget(http.id, up[0]);
    runtime.setTarget(ssh.id, up[1]);
    return runtime.serverState(web, first);
  };
  assert.deepEqual(
    [state(true, true), state(true, false), state(false, false), state(false, true), state(true, true)],
    ['up', 'down', 'down', 'down', 'up'],
  );
  // A check that is added to a real server that is down does not bring it up.
  state(true, false);
  const third = realServer(1, { moreChecks: [port, { ...(port as object), port: 23 } as never] });
  const [more] = virtualServices(config([service('web', [third, realServer(2)])]));
  assert.ok(more);
  runtime.configure([more], 1);
  assert.equal(runtime.inherited(more.realServers[0]?.targets[2]?.id ?? ''), false);
});

test('SYN proxy offers what checks of all real servers that are up have negotiated', () => {
  const synProxy = { mss: undefined, windowScale: undefined, sack: undefined, timestamps: undefined, window: 2896 };
  const specs = [
    service('web', [realServer(1), realServer(2)], { synProxy }),
    service('set', [realServer(1)], { synProxy: { ...synProxy, windowScale: 5, sack: true } }),
    service('unchecked', [realServer(1, { check: undefined })], { synProxy }),
    service('elsewhere', [realServer(1, { check: { ...tcpCheck, port: 81 } })], { synProxy }),
    service('off', [realServer(1)]),
  ].map((spec, index) => ({
    ...spec,
    virtuals: spec.virtuals.map((virtual) => ({ ...virtual, port: 80 + index })),
  }));
  const file = config(specs);
  const runtime = new RuntimeState();
  runtime.configure(virtualServices(file), 0);
  const offers = () => desiredState(file, runtime).services.map((one) => one.synProxy);
  const id = (n: number) => runtime.services[0]?.realServers[n - 1]?.targets[0]?.id ?? assert.fail();
  const window = 2896;
  const nothing = { enabled: true, ...synProxy };
  const defaults = { enabled: true, mss: 0, windowScale: 7, sack: true, timestamps: true, window };
  const setHere = { ...nothing, windowScale: 5, sack: true };
  assert.deepEqual(offers(), [nothing, setHere, defaults, defaults, undefined]);

  const all = 7;
  assert.equal(runtime.setNegotiated(id(1), packNegotiated(all, 7, 1448)), true);
  assert.equal(runtime.setNegotiated(id(1), packNegotiated(all, 7, 1448)), false, 'the same again');
  const set = { enabled: true, mss: 1460, windowScale: 5, sack: true, timestamps: true, window };
  assert.deepEqual(offers(), [nothing, set, defaults, defaults, undefined], 'the other server is not known yet');
  runtime.setTarget(id(2), false);
  assert.deepEqual(offers()[0], { enabled: true, mss: 1460, windowScale: 7, sack: true, timestamps: true, window });
  runtime.setTarget(id(2), true);
  assert.deepEqual(offers()[0], nothing);
  const [withoutStamps, withoutSack] = [all & ~1, all & ~2];
  runtime.setNegotiated(id(2), packNegotiated(withoutStamps, 9, 1400));
  assert.deepEqual(offers()[0], { enabled: true, mss: 1400, windowScale: 9, sack: true, timestamps: false, window });
  runtime.setNegotiated(id(2), packNegotiated(withoutSack, 3, 1460));
  assert.deepEqual(offers()[0], { enabled: true, mss: 1460, windowScale: 7, sack: false, timestamps: true, window });
  for (const n of [1, 2]) runtime.setNegotiated(id(n), packNegotiated(0, 0, 536));
  assert.deepEqual(offers()[0], { enabled: true, mss: 536, windowScale: 255, sack: false, timestamps: false, window });
  assert.deepEqual(runtime.preview(virtualServices(file), 0).negotiated(id(1)), packNegotiated(0, 0, 536));
  runtime.keepTargets(new Set([id(2)]));
  assert.equal(runtime.negotiated(id(1)), 0);
});
