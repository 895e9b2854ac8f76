// SPDX-License-Identifier: MIT
// The desired state that is kept between cycles equals the one computed from scratch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET } from '../../src/base/addresses.ts';
import type { ServiceSpec } from '../../src/config/types.ts';
import { desiredState } from '../../src/daemon/model/desired-state.ts';
import { RuntimeState } from '../../src/daemon/model/runtime-state.ts';
import { serverText, virtualServices } from '../../src/daemon/model/virtual-services.ts';
import { difference } from '../../src/plan/index.ts';
import type { Actual } from '../../src/plan/types.ts';
import { config, realServer, service } from '../support/specs.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 20_000 : 300;
const NAMES = ['a', 'b', 'c'] as const;

const specOf = (name: (typeof NAMES)[number]) =>
  fc
    .record({
      servers: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      weight: fc.integer({ min: 0, max: 2 }),
      quorum: fc.integer({ min: 1, max: 3 }),
      hysteresis: fc.integer({ min: 0, max: 1 }),
      onFailure: fc.constantFrom('remove' as const, 'inhibit' as const),
      drain: fc.constantFrom(0, 1000),
      sorry: fc.boolean(),
    })
    .map(({ servers, weight, quorum, hysteresis, onFailure, drain, sorry }): ServiceSpec => {
      const address = (last: number) => ({ family: AF_INET, address: Uint8Array.of(10, 99, 0, last) }) as const;
      return service(
        name,
        servers.map((n) => realServer(n, { weight: n === 1 ? weight : 1 })),
        {
          virtuals: [{ ...address(NAMES.indexOf(name) + 1), protocol: 'tcp', port: 80, fwmark: 0 }],
          ...{ quorum, hysteresis, onFailure, drain },
          sorryServer: sorry ? { ...address(200), port: 0, forward: { method: 'masquerade' } } : undefined,
        },
      );
    });

const step = fc.oneof(
  fc.record({ kind: fc.constant('target' as const), n: fc.integer({ min: 1, max: 4 }), up: fc.boolean() }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({
    kind: fc.constant('override' as const),
    name: fc.constantFrom(...NAMES),
    n: fc.integer({ min: 1, max: 4 }),
    on: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('release' as const), later: fc.integer({ min: 1, max: 1500 }) }),
  fc
    .record({ kind: fc.constant('reload' as const), changed: fc.constantFrom(...NAMES), gone: fc.boolean() })
    .chain((one) => specOf(one.changed).map((spec) => ({ ...one, spec }))),
);

const start = fc.tuple(specOf('a'), specOf('b'), specOf('c'));

test('after random events the desired state equals the one computed from scratch', () => {
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 20 }), (first, steps) => {
      const specs = new Map(first.map((spec) => [spec.name, spec]));
      const file = () => config([...specs.values()]);
      const kept = new RuntimeState();
      let now = 0;
      kept.configure(virtualServices(file()), now);
      kept.updateQuorums();
      let table: Actual = { services: [], addresses: [], timeouts: { tcp: 0, tcpFin: 0, udp: 0 } };
      for (const one of steps) {
        if (one.kind === 'target') {
          for (const service of kept.services)
            for (const server of service.realServers)
              if (server.targets[0] && serverText(server) === `10.31.0.${one.n}:80`)
                kept.setTarget(server.targets[0].id, one.up);
        } else if (one.kind === 'settle') kept.updateQuorums();
        else if (one.kind === 'override')
          kept.setOverride({ service: one.name, server: `10.31.0.${one.n}:80` }, one.on);
        else if (one.kind === 'release') {
          now += one.later;
          kept.expire(now, () => false);
        } else {
          if (one.gone) specs.delete(one.changed);
          else specs.set(one.changed, one.spec);
          kept.configure(virtualServices(file()), now);
        }
        const wanted = desiredState(file(), kept);
        // A copy has nothing cached.
        const fresh = kept.preview(virtualServices(file()), now);
        assert.deepEqual(wanted, desiredState(file(), fresh));
        if (one.kind === 'settle') assert.deepEqual(fresh.updateQuorums(), []);
        // With this table in the kernel there is no difference; the next one starts from it.
        difference(wanted, table, { all: true });
        table = { ...table, services: wanted.services.map(asActual) };
        assert.deepEqual(difference(wanted, table, { all: true }).operations, []);
        assert.deepEqual(difference(desiredState(file(), kept), table, { all: true }).operations, []);
      }
    }),
    { numRuns },
  );
});

type Wanted = ReturnType<typeof desiredState>['services'][number];

function asActual(wanted: Wanted): Actual['services'][number] {
  const counts = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
  return {
    service: { ...wanted, numLocalAddresses: 0, stats: undefined },
    destinations: wanted.destinations.map((one) => ({ ...one, ...counts })),
    localAddresses: [],
  };
}
