// SPDX-License-Identifier: MIT
// Texts that a stock kernel cannot produce easily: large counters, FULLNAT, SYN proxy, local addresses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Destination, Service } from '../../../src/ipvs/index.ts';
import { parseConnection } from '../../../src/ipvsadm/connection-table.ts';
import { connectionRow, connectionTitle } from '../../../src/ipvsadm/print/connections.ts';
import { daemonsText } from '../../../src/ipvsadm/print/daemons.ts';
import { destinationRow, layoutFor } from '../../../src/ipvsadm/print/layouts.ts';
import { LOCAL_ADDRESS_TITLE, localAddressesText } from '../../../src/ipvsadm/print/local-addresses.ts';
import { destinationRule, localAddressRule, serviceRule } from '../../../src/ipvsadm/print/save.ts';
import { counterText, withSignedMark } from '../../../src/ipvsadm/print/texts.ts';

const service: Service = {
  family: 2,
  protocol: 6,
  address: new Uint8Array([192, 0, 2, 1]),
  port: 80,
  fwmark: 0,
  scheduler: 'rr',
  flags: 0x8000,
  timeout: 0,
  netmask: 0xffffffff,
  peName: '',
  numLocalAddresses: 2,
  stats: undefined,
};
const dest: Destination = {
  family: 2,
  address: new Uint8Array([10, 0, 0, 2]),
  port: 8080,
  method: 5,
  weight: 100,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
  activeConnections: 12,
  inactiveConnections: 3,
  persistentConnections: 0,
  stats: undefined,
};
const format = { exact: false, names: undefined, wide: true };
const laddr = {
  family: 2,
  address: new Uint8Array([10, 1, 0, 1]),
  conflicts: 5n,
  connections: 7,
  portsInUse: 7,
  portsTotal: 60536,
  exhausted: 0n,
  draining: false,
} as const;

test('large counters are shortened to decimal units', () => {
  const cases: [bigint, string][] = [
    [0n, '        0'],
    [99_999_999n, ' 99999999'],
    [100_000_000n, '  100000K'],
    [999_999_999n, '  999999K'],
    [1_000_000_000n, '    1000M'],
    [99_999_999_999n, '   99999M'],
    [100_000_000_000n, '     100G'],
    [99_999_999_999_999n, '   99999G'],
    [100_000_000_000_000n, '     100T'],
    [2n ** 64n - 1n, '18446744T'],
  ];
  for (const [value, text] of cases) assert.equal(counterText(value, false), text);
  assert.equal(counterText(12_345_678n, true), ' 12345678');
  assert.equal(counterText(123_456_789n, true), ' 123456789');
});

test('FullNat and synproxy in a listing', () => {
  const layout = layoutFor(new Set());
  assert.equal(layout.service(service, format), 'TCP  192.0.2.1:80 rr synproxy');
  assert.equal(
    layout.service({ ...service, protocol: 17, flags: 0x8005, timeout: 60, peName: 'sip' }, format),
    'UDP  192.0.2.1:80 rr persistent 60 pe sip ops synproxy',
  );
  const defence = { dropStrays: true, dropFragments: false, synRate: 0, synBurst: 1 };
  assert.equal(layout.service({ ...service, defence }, format), 'TCP  192.0.2.1:80 rr synproxy defence');
  assert.equal(
    destinationRow(service, dest, layout, format),
    '  -> 10.0.0.2:8080                FullNat 100    12         3         \n',
  );
});

test('large counters in their columns', () => {
  const stats = {
    connections: 12345n,
    inPackets: 99_999_999n,
    outPackets: 123_456_000n,
    inBytes: 9_876_000_000n,
    outBytes: 123_000_000_000_000n,
    connectionRate: 12n,
    inPacketRate: 123_456_789n,
    outPacketRate: 0n,
    inByteRate: 123_456_000n,
    outByteRate: 5_000_000_000n,
  };
  assert.equal(
    destinationRow(service, { ...dest, stats }, layoutFor(new Set(['rate', 'stats'])), format),
    '  -> 10.0.0.2:8080                   12345 99999999  123456K    9876M     123T\n',
  );
  assert.equal(
    destinationRow(service, { ...dest, stats }, layoutFor(new Set(['rate'])), format),
    '  -> 10.0.0.2:8080                      12 123456789        0  123456K    5000M\n',
  );
});

test("ipvsadm reads 32 bits of a destination's counters, but 64 of bytes", () => {
  const wide = 0x1_0000_0001n;
  const stats = {
    connections: wide,
    inPackets: wide + 1n,
    outPackets: wide + 2n,
    inBytes: wide,
    outBytes: wide,
    connectionRate: wide,
    inPacketRate: wide,
    outPacketRate: wide,
    inByteRate: wide,
    outByteRate: wide,
  };
  const row = (option: 'stats' | 'rate', more: { wide: boolean }) =>
    destinationRow(service, { ...dest, stats }, layoutFor(new Set([option])), { ...format, ...more, exact: true })
      .slice(34)
      .trim()
      .split(/ +/);
  assert.deepEqual(row('stats', { wide: false }), ['1', '2', '3', '4294967297', '4294967297']);
  assert.deepEqual(row('stats', { wide: true }).slice(0, 3), ['4294967297', '4294967298', '4294967299']);
  assert.deepEqual(row('rate', { wide: false }), ['1', '1', '1', '1', '1']);
  assert.deepEqual(row('rate', { wide: true }), Array(5).fill('4294967297'));
});

test('the table of local addresses', () => {
  assert.equal(LOCAL_ADDRESS_TITLE, 'VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n');
  assert.equal(
    localAddressesText(service, [laddr, { ...laddr, connections: 0 }]),
    '192.0.2.1:80         2        \n' +
      '                              10.1.0.1             5          7         \n' +
      '                              10.1.0.1             5          0         \n',
  );
  const ipv6 = { ...service, family: 10, address: new Uint8Array(16), fwmark: 9 } as const;
  assert.equal(localAddressesText(ipv6, []), 'FWM 9                0        \n');
});

test('saved rules', () => {
  assert.equal(serviceRule(service, undefined), '-A -t 192.0.2.1:80 -s rr\n');
  assert.equal(destinationRule(service, dest, undefined), '-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -b -w 100\n');
  assert.equal(localAddressRule(service, laddr, undefined), '-P -t 192.0.2.1:80 -z 10.1.0.1\n');
  // As an unsigned number, or it could not be restored; ipvsadm 1.31 writes -1, and so does -S without --strict.
  const marked = { ...service, fwmark: 0xffffffff };
  assert.equal(serviceRule(marked, undefined), '-A -f 4294967295 -s rr\n');
  assert.equal(serviceRule(withSignedMark(marked), undefined), '-A -f -1 -s rr\n');
  assert.equal(withSignedMark(service), service);
});

test('connections', () => {
  const line = 'TCP C0A80001 C350 C0000201 0050 0A000002 0050 ESTABLISHED     899';
  const connection = parseConnection(line);
  assert.ok(connection);
  assert.equal(
    connectionRow(connection, false, undefined),
    'TCP 14:59  ESTABLISHED 192.168.0.1:50000  192.0.2.1:80       10.0.0.2:80\n',
  );
  const withPe = parseConnection(
    'UDP 2001:0db8:0000:0000:0000:0000:0000:0001 13C4 2001:0db8:0000:0000:0000:0000:0000:0080 13C4 2001:0db8:0000:0000:0000:0000:0000:00a1 13C4 UDP          7200 sip 2b3c4d@host',
  );
  assert.ok(withPe);
  assert.equal(
    connectionRow(withPe, true, undefined),
    'UDP 120:00 UDP         [2001:db8::1]:5060 [2001:db8::80]:5060 [2001:db8::a1]:5060 sip              2b3c4d@host\n',
  );
  assert.equal(
    connectionTitle(true),
    'IPVS connection entries\npro expire state       source             virtual            destination        pe name          pe_data\n',
  );
  for (const wrong of [
    '',
    'TCP',
    'TCP C0A80001 C350 C0000201 0050 0A000002 0050 ESTABLISHED x',
    line.replace('C350', 'zz'),
  ])
    assert.equal(parseConnection(wrong), undefined);
});

test('synchronisation daemons, the master first', () => {
  assert.equal(
    daemonsText([
      { state: 2, interface: 'eth1', syncId: 0, group: new Uint8Array(4) },
      {
        state: 1,
        interface: 'eth0',
        syncId: 5,
        maxLength: 1472,
        group: Buffer.from([224, 0, 0, 81]),
        port: 8848,
        ttl: 1,
      },
    ]),
    'master sync daemon (mcast=eth0, syncid=5, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)\n' +
      'backup sync daemon (mcast=eth1, syncid=0)\n',
  );
});
