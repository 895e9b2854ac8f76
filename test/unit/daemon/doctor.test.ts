// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '../../../src/daemon/commands/doctor/checks.ts';
import { isLocal, parseLocalPrefixes } from '../../../src/daemon/commands/doctor/fib.ts';
import { parseRoutes, programmer } from '../../../src/daemon/commands/doctor/host.ts';
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
     |-- 192.0.2.1
        /32 host LOCAL
     |-- 127.0.0.0
        /8 host LOCAL
`;
const ip = (...bytes: number[]) => new Uint8Array(bytes);

const service = {
  ...{ family: 2, protocol: 6, address: ip(192, 0, 2, 1), port: 80, fwmark: 0, scheduler: 'rr' },
  ...{ flags: 0, timeout: 0, netmask: 0xffffffff, peName: '', stats: undefined },
} as unknown as ServiceFacts['service'];
const destination = (method: number, last: number) =>
  ({
    ...{ method, weight: 1, family: 2, address: ip(10, 0, 0, last), port: 80 },
    ...{ activeConnections: 3, inactiveConnections: 2 },
  }) as ServiceFacts['destinations'][number];
const dest = destination(5, 7);
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
    localAddresses6: new Set(),
    forwarding: { ipv4: true, ipv6: true },
    ...{
      reversePathStrict: [],
      others: [],
      routes: new Map([['10.0.0.7', { device: 'eth0', gateway: '10.0.0.254' }]]),
    },
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

test('without problems every check is ok', () => {
  assert.deepEqual(
    examine(facts()).filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
  assert.match(reportText(examine(facts())), /\n12 ok, 0 notes, 0 problems\n$/);
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

test('conntrack entries of connections that it cannot track; a table too small', () => {
  const note = find(facts({ conntrackEntries: 7 }), 'conntrack');
  assert.equal(note?.verdict, 'note');
  assert.ok(note?.remedy?.includes('    ip daddr { 192.0.2.1, 10.0.0.5 } notrack'));
  assert.equal(find(facts({ conntrackEntries: 7, conntrack: true }), 'conntrack')?.verdict, 'ok');
  assert.match(find(facts({}, undefined, 4), 'table')?.text ?? '', /^10 nodes .* in 4 buckets: lookups are slow/);
  assert.equal(find(facts({}, undefined, 5), 'table')?.verdict, 'ok');
});

test('conntrack that does not pick up connections: a note for services with SYN proxy', () => {
  const loose = { conntrack: true, conntrackLoose: false };
  assert.equal(find(facts(loose), 'conntrack')?.verdict, 'ok');
  const [one] = facts().services;
  const services = one ? [{ ...one, service: { ...service, flags: 0x8000 } }] : [];
  const note = find(facts({ ...loose, services }), 'conntrack');
  assert.equal(note?.verdict, 'note');
  assert.match(note?.text ?? '', /nf_conntrack_tcp_loose is 0: .* invalid to it \(192\.0\.2\.1:\d+\)/);
  assert.equal(note?.remedy?.[0], 'sysctl -w net.netfilter.nf_conntrack_tcp_loose=1');
  assert.equal(find(facts({ conntrack: true, conntrackLoose: true, services }), 'conntrack')?.verdict, 'ok');
});

const [MASQUERADE, TUNNEL, DIRECT] = [0, 2, 3];
const routed = (last: number, gateway?: string) => [[`10.0.0.${last}`, { device: 'eth0', gateway }]] as const;

/** Facts with one service, whose only real server 10.0.0.8 is forwarded to by `method`. */
function by(method: number, more: Partial<Facts> = {}): Facts {
  const services = [{ service, destinations: [destination(method, 8)], localAddresses: [] }];
  return facts({ services, routes: new Map(routed(8)), ...more });
}
const verdicts = (given: Facts) =>
  examine(given)
    .filter(({ verdict }) => verdict !== 'ok')
    .map(({ check, verdict, text }) => `${verdict} ${check}: ${text}`);

test('masquerade needs forwarding of its family', () => {
  const note =
    'note real-servers: 10.0.0.8: with masquerade their route to the clients must lead through this host (not examined)';
  assert.deepEqual(verdicts(by(MASQUERADE, { forwarding: { ipv4: true, ipv6: false } })), [note]);
  assert.deepEqual(verdicts(by(MASQUERADE, { forwarding: { ipv4: false, ipv6: true } })), [
    'problem forwarding: net.ipv4.ip_forward is 0, and services use masquerade: answers of their real servers are dropped here',
    note,
  ]);
  const off = { forwarding: { ipv4: false, ipv6: false } };
  for (const method of [TUNNEL, DIRECT]) assert.equal(find(by(method, off), 'forwarding'), undefined);
});

test('direct: real servers must not be behind a gateway; what they need is listed', () => {
  assert.equal(find(by(DIRECT), 'direct')?.verdict, 'ok');
  const far = find(by(DIRECT, { routes: new Map(routed(8, '10.0.0.254')) }), 'direct');
  assert.deepEqual([far?.verdict, far?.text.slice(0, 26)], ['problem', '10.0.0.8: behind a gateway']);
  const remedy = find(by(DIRECT), 'real-servers')?.remedy ?? [];
  assert.ok(remedy.includes('sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2'));
  assert.match(find(by(TUNNEL), 'real-servers')?.remedy?.join() ?? '', /tunl0\.rp_filter=0/);
});

test('a route to each real server; the virtual address on this host; a strict reverse path filter', () => {
  assert.deepEqual(
    [find(by(DIRECT, { routes: new Map() }), 'routes')?.text, find(by(DIRECT, { routes: undefined }), 'routes')],
    ['no route to 10.0.0.8', undefined],
  );
  const away = { ...service, address: ip(192, 0, 2, 9) };
  const with_ = (weight: number) =>
    facts({ services: [{ service: away, destinations: [{ ...dest, weight }], localAddresses: [] }] });
  assert.equal(find(with_(1), 'addresses')?.verdict, 'problem');
  assert.match(find(with_(1), 'addresses')?.text ?? '', /^192\.0\.2\.9:80: not an address of this host/);
  assert.equal(find(with_(0), 'addresses')?.verdict, 'note');
  const six = { ...service, family: 10, address: new Uint8Array(16).fill(1) } as typeof service;
  const of = (localAddresses6: ReadonlySet<string>) =>
    find(
      facts({ services: [{ service: six, destinations: [dest], localAddresses: [] }], localAddresses6 }),
      'addresses',
    );
  assert.deepEqual([of(new Set(['01'.repeat(16)]))?.verdict, of(new Set())?.verdict], ['ok', 'problem']);
  assert.match(find(facts({ reversePathStrict: ['eth0'] }), 'rp_filter')?.text ?? '', /^strict on eth0: /);
  assert.equal(find(facts({ reversePathStrict: undefined }), 'rp_filter'), undefined);
});

test('the remedy for a missing route names the address', () => {
  assert.deepEqual(find(by(DIRECT, { routes: new Map() }), 'routes')?.remedy, [
    'ip route add 10.0.0.8 via GATEWAY, or its network; ip route get 10.0.0.8 shows what the kernel finds',
  ]);
});

test('other programs that change the table', () => {
  const others = find(facts({ others: [{ name: 'keepalived', pid: 7 }] }), 'others');
  assert.equal(others?.verdict, 'note');
  assert.match(others?.text ?? '', /^keepalived \(pid 7\) runs in this network namespace/);
  assert.match(others?.remedy?.join() ?? '', /--vrrp/);
  assert.deepEqual(
    [
      '/usr/sbin/keepalived -n',
      'keepalived -P',
      'keepalived -nP',
      'keepalived -lnPD',
      'keepalived -f /etc/P',
      '/usr/bin/perl /usr/sbin/ldirectord start',
      'vi keepalived.conf',
    ].map((line) => programmer(line.split(' '))),
    ['keepalived', undefined, undefined, undefined, 'keepalived', 'ldirectord', undefined],
  );
});

test('routes in the output of ip, one array per line', () => {
  const routes = parseRoutes(`[{"dst":"10.0.0.8","gateway":"10.0.0.254","dev":"eth0","flags":[]}]
[{"type":"local","dst":"10.0.0.5","dev":"lo"}]
[{"dst":"10.0.0.9","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0"}]
`);
  assert.deepEqual(
    [...routes],
    [
      ['10.0.0.8', { device: 'eth0', gateway: '10.0.0.254' }],
      ['10.0.0.5', { device: 'lo', gateway: undefined }],
      ['10.0.0.9', { device: 'eth0', gateway: 'fe80::1' }],
    ],
  );
});

test('persistence needs expire_quiescent_template', () => {
  const sysctls = { expire_quiescent_template: '0', expire_nodest_conn: '0' };
  const persistent = { ...service, flags: 1 } as ServiceFacts['service'];
  const services = [{ service: persistent, destinations: [dest], localAddresses: [] }];
  assert.equal(find(facts({ sysctls }), 'sysctl')?.verdict, 'ok');
  const note = find(facts({ sysctls, services }), 'sysctl');
  assert.deepEqual([note?.verdict, note?.remedy?.length], ['note', 1]);
  assert.match(
    note?.text ?? '',
    /expire_quiescent_template is 0, .*: with persistence, a drained or inhibited real server/,
  );
  const set = { ...sysctls, expire_quiescent_template: '1' };
  assert.equal(find(facts({ sysctls: set, services }), 'sysctl')?.verdict, 'ok');
});
