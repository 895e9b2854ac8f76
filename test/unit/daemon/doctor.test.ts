// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '../../../src/daemon/commands/doctor/checks.ts';
import { isLocal, parseLocalPrefixes } from '../../../src/daemon/commands/doctor/fib.ts';
import { reportText } from '../../../src/daemon/commands/doctor/report.ts';
import type { Facts, ServiceFacts } from '../../../src/daemon/commands/doctor/types.ts';
import type { Feature } from '../../../src/ipvs/index.ts';

const TRIE = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.0.0
        /24 link UNICAST
     |-- 10.0.0.5
        /32 host LOCAL
     |-- 10.0.0.255
        /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
`;
const ip = (...bytes: number[]) => new Uint8Array(bytes);

const service = {
  ...{ family: 2, protocol: 6, address: ip(192, 0, 2, 1), port: 80, fwmark: 0, scheduler: 'rr' },
  ...{ flags: 0, timeout: 0, netmask: 0xffffffff, peName: '', stats: undefined },
} as unknown as ServiceFacts['service'];
const dest = { method: 5, activeConnections: 3, inactiveConnections: 2 } as ServiceFacts['destinations'][number];
const laddr = (address: Uint8Array, more: Partial<ServiceFacts['localAddresses'][number]> = {}) => ({
  ...{ family: 2 as const, address, conflicts: 0n, connections: 0, portsInUse: 0, portsTotal: 100 },
  ...{ exhausted: 0n, draining: false, ...more },
});

function facts(more: Partial<Facts> = {}, localAddresses = [laddr(ip(10, 0, 0, 5))], tableSize = 4096): Facts {
  const features: ReadonlySet<Feature> = new Set<Feature>(['FULLNAT']);
  return {
    ...{ release: '6.1', installed: '/x/ip_vs.ko', installedIsLoaded: true },
    info: { version: 0x010201, tableSize, features, generation: 1, buildId: 'b' },
    services: [{ service, destinations: [dest], localAddresses }],
    localPrefixes: parseLocalPrefixes(TRIE),
    ...{ portRange: { min: 1, max: 100 }, conntrack: false, conntrackEntries: 0 },
    ...more,
  };
}

const find = (given: Facts, name: string) => examine(given).find(({ check }) => check === name);

test('local addresses are those of local routes', () => {
  const prefixes = parseLocalPrefixes(TRIE);
  assert.ok(isLocal(ip(10, 0, 0, 5), prefixes));
  assert.ok(isLocal(ip(127, 9, 9, 9), prefixes));
  for (const other of [ip(10, 0, 0, 6), ip(10, 0, 0, 255), ip(128, 0, 0, 1)]) assert.ok(!isLocal(other, prefixes));
});

test('nothing to mind: every check is ok', () => {
  assert.deepEqual(
    examine(facts()).filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
  assert.match(reportText(examine(facts())), /\n8 ok, 0 notes, 0 problems\n$/);
});

test("a module that is not loaded, not lvsd's, or another build", () => {
  assert.deepEqual(
    examine(facts({ info: undefined })).map(({ check, verdict }) => [check, verdict]),
    [['module', 'problem']],
  );
  const stock = {
    version: 0x010201,
    tableSize: 4096,
    features: new Set<Feature>(),
    generation: undefined,
    buildId: undefined,
  };
  assert.equal(find(facts({ info: stock, services: [] }), 'build')?.verdict, 'note');
  assert.match(find(facts({ installedIsLoaded: false }), 'installed')?.text ?? '', /another build/);
  assert.match(find(facts({ installedIsLoaded: undefined }), 'installed')?.text ?? '', /cannot tell/);
});

test('local addresses: none, only draining ones, not of this host, exhausted', () => {
  assert.match(find(facts({}, []), 'laddrs')?.text ?? '', /has no local address/);
  assert.match(find(facts({}, [laddr(ip(10, 0, 0, 5), { draining: true })]), 'laddrs')?.text ?? '', /only draining/);
  const foreign = find(facts({}, [laddr(ip(10, 0, 0, 6))]), 'laddrs');
  assert.equal(foreign?.verdict, 'problem');
  assert.match(foreign?.text ?? '', /10\.0\.0\.6 not an address of this host/);
  assert.equal(find(facts({}, [laddr(ip(10, 0, 0, 5), { exhausted: 2n })]), 'ports')?.verdict, 'note');
  assert.equal(find(facts({}, [laddr(ip(10, 0, 0, 5), { portsInUse: 95 })]), 'ports')?.verdict, 'note');
});

test('conntrack that looks at what it cannot follow; a table too small', () => {
  const note = find(facts({ conntrackEntries: 7 }), 'conntrack');
  assert.equal(note?.verdict, 'note');
  assert.ok(note?.remedy?.includes('    ip daddr { 192.0.2.1, 10.0.0.5 } notrack'));
  assert.equal(find(facts({ conntrackEntries: 7, conntrack: true }), 'conntrack')?.verdict, 'ok');
  assert.match(find(facts({}, undefined, 4), 'table')?.text ?? '', /^10 nodes .* in 4 buckets: lookups are slow/);
  assert.equal(find(facts({}, undefined, 5), 'table')?.verdict, 'ok');
});
