// SPDX-License-Identifier: MIT
// Rule files: the output of save --full is read back without loss, and random text gives errors only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6 } from '../../src/base/addresses.ts';
import {
  type Destination,
  IP_VS_CONN_F_DROUTE,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_CONN_F_MASQ,
  IP_VS_CONN_F_TUNNEL,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IP_VS_SVC_F_SCHED1,
  IP_VS_SVC_F_SCHED2,
  type LocalAddress,
  type Service,
  serviceKeyText,
} from '../../src/ipvs/index.ts';
import { Lookup } from '../../src/ipvsadm/lookup.ts';
import { tableOf } from '../../src/ipvsadm/rules/file.ts';
import { fullRules } from '../../src/ipvsadm/rules/save.ts';
import { desiredOf } from '../../src/ipvsadm/rules/state.ts';
import { type ActualService, difference } from '../../src/plan/index.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 20_000 : 300;
const session = () => ({ lookup: new Lookup(), program: 'lvsadm' });
const timeouts = { tcp: 900, tcpFin: 120, udp: 300 };

const v4 = (last: number) => Uint8Array.from([192, 0, 2, last]);
const v6 = (last: number) => Uint8Array.from([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
const address = (family: number, last: number) => (family === AF_INET ? v4(last) : v6(last));
const number = (max: number) => fc.oneof(fc.nat({ max: 3 }), fc.nat({ max }));

const key = fc
  .record({
    family: fc.constantFrom<typeof AF_INET | typeof AF_INET6>(AF_INET, AF_INET6),
    protocol: fc.constantFrom(6, 17, 132),
    last: fc.nat({ max: 3 }),
    port: fc.constantFrom(1, 80, 443, 65535),
    fwmark: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(1, 7, 0xffffffff)),
  })
  .map(({ family, last, ...rest }) =>
    rest.fwmark
      ? { family, protocol: 0, address: new Uint8Array(family === AF_INET ? 4 : 16), port: 0, fwmark: rest.fwmark }
      : { family, address: address(family, last), ...rest },
  );

const service: fc.Arbitrary<Service> = fc
  .record({
    key,
    scheduler: fc.constantFrom('rr', 'wlc', 'sh', 'mh', 'lblcr'),
    flags: fc
      .subarray([IP_VS_SVC_F_PERSISTENT, IP_VS_SVC_F_ONEPACKET, IP_VS_SVC_F_SCHED1, IP_VS_SVC_F_SCHED2])
      .map((flags) => flags.reduce((sum, flag) => sum | flag, 0)),
    timeout: fc.integer({ min: 1, max: 31 * 86400 }),
    prefix: fc.integer({ min: 1, max: 32 }),
    engine: fc.constantFrom('', '', 'sip'),
    ports: fc.option(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 5000, max: 65535 }))),
  })
  .map(({ key: which, flags, timeout, prefix, engine, ports, scheduler }) => {
    const persistent = (flags & IP_VS_SVC_F_PERSISTENT) !== 0;
    const onePacket = which.fwmark || which.protocol === 17 ? flags & IP_VS_SVC_F_ONEPACKET : 0;
    const whole = which.family === AF_INET ? 0xffffffff : 128;
    const part = which.family === AF_INET ? (0xffffffff << (32 - prefix)) >>> 0 : 4 * prefix;
    return {
      ...which,
      scheduler,
      flags: (flags & ~IP_VS_SVC_F_ONEPACKET) | onePacket,
      timeout: persistent ? timeout : 0,
      netmask: persistent ? part : whole,
      peName: engine,
      portMin: ports?.[0],
      portMax: ports?.[1],
      numLocalAddresses: 0,
      stats: undefined,
    };
  });

const destination = fc.record({
  last: fc.nat({ max: 3 }),
  port: fc.nat({ max: 65535 }),
  method: fc.constantFrom(IP_VS_CONN_F_MASQ, IP_VS_CONN_F_DROUTE, IP_VS_CONN_F_TUNNEL, IP_VS_CONN_F_FULLNAT),
  weight: number(0x7fffffff),
  upperThreshold: number(0x7fffffff),
  lowerThreshold: number(0x7fffffff),
  tunnelType: fc.constantFrom(0, 1, 2),
  tunnelPort: fc.integer({ min: 1, max: 65535 }),
  tunnelFlags: fc.constantFrom(0, 1, 2),
});

const pool = fc.uniqueArray(fc.tuple(fc.nat({ max: 9 }), fc.boolean()), { selector: ([last]) => last, maxLength: 3 });

const entry: fc.Arbitrary<ActualService> = fc
  .tuple(service, fc.array(destination, { maxLength: 4 }), pool)
  .map(([of, dests, laddrs]) => {
    const destinations = dests.map(({ last, ...rest }): Destination => {
      const rewrites = rest.method === IP_VS_CONN_F_MASQ || rest.method === IP_VS_CONN_F_FULLNAT;
      return {
        ...rest,
        family: of.family,
        address: address(of.family, last + 10),
        port: rewrites || of.fwmark ? rest.port : of.port,
        lowerThreshold: Math.min(rest.lowerThreshold, rest.upperThreshold),
        tunnelFlags: rest.tunnelType === 2 ? rest.tunnelFlags & 1 : rest.tunnelFlags,
        activeConnections: 0,
        inactiveConnections: 0,
        persistentConnections: 0,
        stats: undefined,
      };
    });
    const unique = new Map(destinations.map((one) => [`${one.address} ${one.port}`, one]));
    const localAddresses = laddrs.map(
      ([last, draining]): LocalAddress => ({
        family: of.family,
        address: address(of.family, last + 100),
        draining,
        conflicts: 0n,
        connections: 1,
        portsInUse: 0,
        portsTotal: 0,
        exhausted: 0n,
      }),
    );
    return { service: of, destinations: [...unique.values()], localAddresses };
  });

const tables = fc.uniqueArray(entry, { selector: ({ service: of }) => serviceKeyText(of), maxLength: 5 });

test('the rules of save --full are read back without a difference', async () => {
  await fc.assert(
    fc.asyncProperty(tables, async (services) => {
      const text = services.map(fullRules).join('');
      const { table, problems } = await tableOf(text, session());
      assert.deepEqual(problems, [], text);
      const { operations } = difference(desiredOf(table), { services, addresses: [], timeouts }, { all: true });
      assert.deepEqual(operations, [], text);
      const again = table.services.map((one, index) =>
        fullRules({
          service: { ...one, numLocalAddresses: 0, stats: undefined },
          destinations: one.destinations as readonly Destination[],
          localAddresses: services[index]?.localAddresses ?? [],
        }),
      );
      assert.equal(again.join(''), text);
    }),
    { numRuns },
  );
});

test('one invalid line among valid ones is reported', async () => {
  await fc.assert(
    fc.asyncProperty(tables, fc.nat(), async (services, at) => {
      const lines = services.map(fullRules).join('').split('\n');
      const where = at % lines.length;
      lines.splice(where, 0, '-A -t 192.0.2.1:80 --nonsense');
      const { problems } = await tableOf(lines.join('\n'), session());
      assert.deepEqual(
        problems.map(({ line }) => line),
        [where + 1],
      );
    }),
    { numRuns },
  );
});

const words = fc.constantFrom(
  ...['-A', '-a', '-D', '-d', '-E', '-e', '-P', '-Q', '-C', '-t', '-u', '-f', '-6', '-r', '-z', '-s', '-w', '-x', '-y'],
  ...['192.0.2.1:80', '[2001:db8::1]:80', '10.0.0.1', '7', 'rr', '--set', '900', '--start-daemon', 'master', '#', '-R'],
);

test('in random text every problem has a line and a reason', async () => {
  const garbage = fc.array(
    fc.oneof(
      fc.array(words, { maxLength: 8 }).map((some) => some.join(' ')),
      fc.string(),
    ),
  );
  await fc.assert(
    fc.asyncProperty(garbage, async (some) => {
      const text = some.join('\n');
      const { problems } = await tableOf(text, session());
      const count = text.split('\n').length;
      for (const { line, reason } of problems) {
        assert.ok(line >= 1 && line <= count);
        assert.match(reason, /^[^\n]+$/);
      }
    }),
    { numRuns },
  );
});
