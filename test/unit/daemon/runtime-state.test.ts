// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import type { ServiceSpec } from '../../../src/config/types.ts';
import { desiredState } from '../../../src/daemon/model/desired-state.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { targets } from '../../../src/daemon/model/targets.ts';
import { serverText, virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { config, realServer, service, tcpCheck } from '../../support/specs.ts';

const sorry = {
  family: AF_INET,
  address: Uint8Array.of(10, 31, 9, 9),
  port: 0,
  forward: { method: 'masquerade' },
} as const;

function situation(...specs: ServiceSpec[]) {
  const file = config(specs);
  const made = new RuntimeState();
  made.configure(virtualServices(file), 0);
  made.updateQuorums();
  return {
    made,
    set: (n: number, up: boolean) => {
      for (const service of made.services)
        for (const server of service.realServers)
          if (server.targets[0] && serverText(server) === `10.31.0.${n}:80`) made.setTarget(server.targets[0].id, up);
      return made.updateQuorums().map(({ up: holds, weight }) => [holds, weight]);
    },
    table: (index = 0) =>
      desiredState(file, made).services[index]?.destinations.map(
        ({ address, port, weight }) => `${address.join('.')}:${port} ${weight}`,
      ),
    addresses: () => desiredState(file, made).addresses.map(({ address, device }) => `${address.join('.')} ${device}`),
  };
}

test('who is down leaves the table, or stays there with weight 0', () => {
  const removed = situation(service('web', [realServer(1), realServer(2, { weight: 3 })]));
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1', '10.31.0.2:80 3']);
  removed.set(2, false);
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1']);
  removed.set(2, true);
  assert.deepEqual(removed.table(), ['10.31.0.1:80 1', '10.31.0.2:80 3']);

  const inhibited = situation(service('web', [realServer(1), realServer(2)], { onFailure: 'inhibit' }));
  inhibited.set(1, false);
  assert.deepEqual(inhibited.table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
});

test('a lost quorum brings the sorry server in for all that is new, and a gained one takes it out', () => {
  const servers = [1, 2, 3].map((n) => realServer(n, { weight: 2 }));
  const { set, table } = situation(service('web', servers, { quorum: 4, hysteresis: 1, sorryServer: sorry }));
  assert.deepEqual(set(1, false), []); // 4 is not below 4 - 1
  assert.deepEqual(set(2, false), [[false, 2]]);
  assert.deepEqual(table(), ['10.31.9.9:80 1', '10.31.0.3:80 0']);
  assert.deepEqual(set(2, true), []); // 4 is not 4 + 1
  assert.deepEqual(table(), ['10.31.9.9:80 1', '10.31.0.2:80 0', '10.31.0.3:80 0']);
  assert.deepEqual(set(1, true), [[true, 6]]);
  assert.deepEqual(table(), ['10.31.0.1:80 2', '10.31.0.2:80 2', '10.31.0.3:80 2']);
});

test('without a sorry server a lost quorum leaves who is up in the table, and takes the virtual address away', () => {
  const { set, table, addresses } = situation(
    service('web', [realServer(1), realServer(2)], { quorum: 2, device: 'lo' }),
  );
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
  const { set, addresses } = situation(
    service('web', [realServer(1)], { device: 'lo' }),
    service('tls', [realServer(2)], { device: 'lo', virtuals: [virtual] }),
  );
  set(1, false);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(2, false);
  assert.deepEqual(addresses(), []);
});

test("an operator's word outlives checks and reloads", () => {
  const specs = [service('web', [realServer(1, { name: 'one' }), realServer(2)])];
  const { made, set, table } = situation(...specs);
  assert.deepEqual(made.find('nobody'), []);
  assert.deepEqual(made.find('one', 'other'), []);
  const found = made.find('one');
  assert.deepEqual(found, [{ service: 'web', server: '10.31.0.1:80' }]);
  assert.deepEqual(made.find('10.31.0.1:80', 'web'), found);
  for (const one of found) assert.equal(made.setOverride(one, true), true);
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
  set(1, false);
  assert.deepEqual(table(), ['10.31.0.2:80 1']);
  set(1, true);
  made.configure(virtualServices(config(specs)), 1000);
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 1']);
  for (const one of found) assert.equal(made.setOverride(one, false), true);
  assert.deepEqual(table(), ['10.31.0.1:80 1', '10.31.0.2:80 1']);
});

test('a drained real server counts for no quorum', () => {
  const { made } = situation(service('web', [realServer(1), realServer(2)], { quorum: 2, sorryServer: sorry }));
  made.setOverride({ service: 'web', server: '10.31.0.1:80' }, true);
  assert.deepEqual(
    made.updateQuorums().map(({ up, weight }) => [up, weight]),
    [[false, 1]],
  );
});

test('a virtual address stays while a drained real server works, whatever the quorum', () => {
  const { made, set, table, addresses } = situation(service('web', [realServer(1), realServer(2)], { device: 'lo' }));
  for (const n of [1, 2]) made.setOverride({ service: 'web', server: `10.31.0.${n}:80` }, true);
  assert.deepEqual(
    made.updateQuorums().map(({ up, weight }) => [up, weight]),
    [[false, 0]],
  );
  assert.deepEqual(table(), ['10.31.0.1:80 0', '10.31.0.2:80 0']);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(1, false);
  assert.deepEqual(addresses(), ['10.99.0.1 lo']);
  set(2, false);
  assert.deepEqual(addresses(), []);
});

test('a virtual address stays while a real server that the file drops keeps its connections', () => {
  const { made, set } = situation(service('web', [realServer(1)], { device: 'lo', drain: 5000 }));
  const other = config([service('web', [realServer(2)], { device: 'lo', drain: 5000 })]);
  made.configure(virtualServices(other), 100);
  assert.deepEqual(set(2, false), [[false, 0]]);
  assert.equal(desiredState(other, made).addresses.length, 1);
  made.expire(5100, () => false);
  assert.equal(desiredState(other, made).addresses.length, 0);
});

test('a sorry server that is one of the real servers, or was, is in the table once', () => {
  const first = { ...sorry, address: Uint8Array.of(10, 31, 0, 1) };
  const lent = situation(service('web', [realServer(1), realServer(2)], { quorum: 2, sorryServer: first }));
  lent.set(2, false);
  assert.deepEqual(lent.table(), ['10.31.0.1:80 1']);

  const { made, set } = situation(service('web', [realServer(1), realServer(2)], { drain: 5000 }));
  const less = config([service('web', [realServer(2)], { drain: 5000, sorryServer: first })]);
  made.configure(virtualServices(less), 100);
  set(2, false);
  assert.deepEqual(
    desiredState(less, made).services[0]?.destinations.map(({ address, weight }) => `${address.join('.')} ${weight}`),
    ['10.31.0.1 1'],
  );
});

test('a real server that the file drops leaves over the time of drain, unless it was down or comes back', () => {
  const whole = [service('web', [realServer(1), realServer(2), realServer(3)], { drain: 5000 })];
  const less = config([service('web', [realServer(1)], { drain: 5000 })]);
  const { made, set } = situation(...whole);
  set(3, false);
  made.configure(virtualServices(less), 100);
  const weights = () =>
    desiredState(less, made).services[0]?.destinations.map(({ address, weight }) => [address[3], weight]);
  assert.deepEqual(weights(), [
    [1, 1],
    [2, 0],
  ]);
  assert.equal(
    made.expire(5099, () => false),
    0,
  );
  assert.equal(made.preview(virtualServices(config(whole)), 200).draining.length, 0);
  assert.equal(made.draining.length, 1);
  assert.equal(
    made.expire(200, () => true),
    1,
  );
  assert.deepEqual(weights(), [[1, 1]]);

  made.configure(virtualServices(config(whole)), 300);
  made.configure(virtualServices(less), 400);
  assert.equal(
    made.expire(5400, () => false),
    1,
  );
});

/** What each target that the last configuration brought counts as, where the kernel has every server at weight 0. */
function counts(made: RuntimeState, known: Parameters<typeof targets>[2] = () => undefined): Record<string, boolean> {
  const table = (key: string) => {
    const service = made.services.find((one) => one.key === key);
    const stats = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
    return (
      service && {
        service: { ...service.config, numLocalAddresses: 0, stats: undefined },
        destinations: service.realServers.map(({ destination }) => ({ ...destination, weight: 0, ...stats })),
        localAddresses: [],
      }
    );
  };
  const found = targets(made.services, table, known, (id) => made.inherited(id));
  return Object.fromEntries(found.map(({ address, initiallyUp }) => [address.replace('10.31.0.', ''), initiallyUp]));
}

const otherCheck = { ...tcpCheck, interval: 9000, start: 'down' } as const;

test('a real server whose check a reload changes counts as it did', () => {
  const before = [1, 2, 3].map((n) => realServer(n, n === 3 ? { check: undefined } : {}));
  const { made, set } = situation(service('web', before, { onFailure: 'inhibit' }));
  set(2, false);
  const after = [1, 2, 3, 4].map((n) => realServer(n, { check: otherCheck }));
  made.configure(virtualServices(config([service('web', after)])), 100);
  // The fourth is new: `start` says.
  assert.deepEqual(counts(made), { 1: true, 2: false, 3: true, 4: false });
});

test('a real server that the file dropped while nobody ran leaves over the time of drain', () => {
  const before = situation(service('web', [realServer(1), realServer(2)], { drain: 5000 })).made;
  const table = (made: RuntimeState) => (key: string) => {
    const service = made.services.find((one) => one.key === key);
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
  const after = (drain: number) => situation(service('web', [realServer(1)], { drain })).made;
  const gone = after(0);
  gone.adopt(owned, table(before), 100);
  assert.equal(gone.draining.length, 0);
  const made = after(5000);
  // What is not lvsd's is nobody's to drain.
  made.adopt(new Set(), table(before), 100);
  assert.equal(made.draining.length, 0);
  for (let i = 0; i < 2; i++) made.adopt(owned, table(before), 100);
  assert.deepEqual(
    made.draining.map(({ destination, until }) => [destination.address[3], destination.weight, until]),
    [[2, 0, 5100]],
  );
});

test('what another service took a target for counts less, until there is a result', () => {
  const { made } = situation(service('web', [realServer(1), realServer(2)]));
  const after = [1, 2].map((n) => realServer(n, { check: otherCheck }));
  made.configure(virtualServices(config([service('web', after)])), 100);
  assert.deepEqual(
    counts(made, () => ({ up: false, probed: false })),
    { 1: true, 2: true },
  );
  assert.deepEqual(
    counts(made, () => ({ up: false, probed: true })),
    { 1: false, 2: false },
  );
});

test('a real server that comes back while it keeps connections counts as it did', () => {
  const [one, ...others] = [realServer(1), realServer(2), realServer(3)];
  const inhibit = { onFailure: 'inhibit', drain: 5000 } as const;
  const { made, set } = situation(service('web', [one, ...others], inhibit));
  set(3, false);
  const less = virtualServices(config([service('web', [one], inhibit)]));
  made.configure(less, 100);
  made.keepTargets(
    new Set(less.flatMap(({ realServers }) => realServers.flatMap(({ targets }) => targets.map(({ id }) => id)))),
  );
  // Who was down had stayed for its connections: it stays for them now, too.
  assert.deepEqual(
    made.draining.map(({ destination, wasDown }) => [destination.address[3], wasDown]),
    [
      [2, false],
      [3, true],
    ],
  );
  made.configure(virtualServices(config([service('web', [one, ...others], inhibit)])), 200);
  assert.deepEqual(counts(made), { 1: true, 2: true, 3: false });
  assert.equal(made.draining.length, 0);
});

test('what is probed has one id, however many services use it, and another one for another check', () => {
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
  const made = new RuntimeState();
  made.configure([web], 0);
  const [first] = web.realServers;
  assert.ok(first);
  const [http, ssh, ...others] = first.targets;
  assert.ok(http && ssh);
  assert.deepEqual([others, ssh.port], [[], 22]);
  const state = (...up: [boolean, boolean]) => {
    made.setTarget(http.id, up[0]);
    made.setTarget(ssh.id, up[1]);
    return made.serverState(web, first);
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
  made.configure([more], 1);
  assert.equal(made.inherited(more.realServers[0]?.targets[2]?.id ?? ''), false);
});
