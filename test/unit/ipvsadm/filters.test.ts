// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET, AF_INET6, parseAddress } from '../../../src/base/addresses.ts';
import type { Destination, Service } from '../../../src/ipvs/index.ts';
import { Filters } from '../../../src/ipvsadm/command-line/filters.ts';
import { parse } from '../../../src/ipvsadm/command-line/grammar.ts';
import { parseConnection } from '../../../src/ipvsadm/connection-table.ts';
import { Fatal } from '../../../src/ipvsadm/errors.ts';
import { Lookup } from '../../../src/ipvsadm/lookup.ts';

function bytes(text: string): Uint8Array {
  const parsed = parseAddress(text);
  assert.ok(parsed, text);
  return parsed.bytes;
}

function filters(...texts: string[]): Filters {
  const made = new Filters();
  for (const text of texts) made.add(text);
  return made;
}

function service(address: string, port: number, more: Partial<Service> = {}): Service {
  return {
    family: address.includes(':') ? AF_INET6 : AF_INET,
    protocol: 6,
    address: bytes(address),
    port,
    fwmark: 0,
    scheduler: 'rr',
    flags: 0,
    timeout: 0,
    netmask: 0xffffffff,
    peName: '',
    numLocalAddresses: undefined,
    stats: undefined,
    ...more,
  };
}

function dest(address: string, port: number): Destination {
  return {
    family: address.includes(':') ? AF_INET6 : AF_INET,
    address: bytes(address),
    port,
    method: 0,
    weight: 1,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
    activeConnections: 0,
    inactiveConnections: 0,
    persistentConnections: 0,
    stats: undefined,
  };
}

for (const [text, address, port, expected] of [
  ['10.0.0.1', '10.0.0.1', 80, true],
  ['10.0.0.1', '10.0.0.2', 80, false],
  ['10.0.0.1:80', '10.0.0.1', 80, true],
  ['10.0.0.1:81', '10.0.0.1', 80, false],
  ['10.0.0.0/8', '10.255.0.1', 80, true],
  ['10.0.0.0/8', '11.0.0.1', 80, false],
  ['10.0.0.128/25', '10.0.0.127', 80, false],
  ['10.0.0.128/25', '10.0.0.129', 80, true],
  ['10.0.0.0/8:443', '10.0.0.1', 443, true],
  ['0.0.0.0/0', '10.0.0.1', 1, true],
  ['0.0.0.0/0', '2001:db8::1', 1, false],
  [':80', '2001:db8::1', 80, true],
  [':80', '10.0.0.1', 81, false],
  ['2001:db8::/32', '2001:db8:1::1', 80, true],
  ['2001:db8::/33', '2001:db8:8000::1', 80, false],
  ['[2001:db8::1]:80', '2001:db8::1', 80, true],
  ['[2001:db8::/32]:80', '2001:db8::7', 81, false],
] as const)
  test(`dest=${text} and ${address} port ${port}: ${expected}`, () => {
    assert.equal(filters(`dest=${text}`).destination(dest(address, port)), expected);
    assert.equal(filters(`service=${text}`).service(service(address, port)), expected);
  });

test('values of the same key are alternatives; different keys must all match', () => {
  const two = filters('service=10.0.0.1', 'service=10.0.0.2', 'protocol=UDP');
  assert.equal(two.service(service('10.0.0.2', 1, { protocol: 17 })), true);
  assert.equal(two.service(service('10.0.0.2', 1)), false);
  assert.equal(two.service(service('10.0.0.3', 1, { protocol: 17 })), false);
});

test('firewall marks', () => {
  const marked = service('0.0.0.0', 0, { fwmark: 7 });
  assert.equal(filters('service=fwmark:7').service(marked), true);
  assert.equal(filters('service=fwmark:8').service(marked), false);
  assert.equal(filters('service=fwmark:7').service(service('10.0.0.1', 80)), false);
  assert.equal(filters('service=0.0.0.0/0').service(marked), false);
  assert.equal(filters('protocol=fwmark').service(marked), true);
  assert.equal(filters('protocol=tcp').service(marked), false);
});

test('connections', () => {
  const connection = parseConnection('TCP 0A000001 C350 C0000201 0050 AC100002 1F90 ESTABLISHED     897');
  assert.ok(connection);
  for (const [text, expected] of [
    ['state=established', true],
    ['state=TIME_WAIT', false],
    ['client=10.0.0.0/24', true],
    ['client=10.0.0.1:50000', true],
    ['client=10.0.1.0/24', false],
    ['service=192.0.2.1:80', true],
    ['dest=172.16.0.2:8080', true],
    ['dest=172.16.0.2:80', false],
    ['protocol=tcp', true],
    ['protocol=udp', false],
  ] as const)
    assert.equal(filters(text).connection(connection), expected, text);
});

for (const text of [
  '',
  'dest',
  'dest=',
  'nokey=1',
  '=1',
  'dest=x',
  'dest=10.0.0.1:65536',
  'dest=10.0.0.1:',
  'dest=10.0.0.0/33',
  'dest=10.0.0.0/8/8',
  'dest=[10.0.0.1',
  'dest=2001:db8::/129',
  'dest=fwmark:7',
  'laddr=10.0.0.1:80',
  'protocol=icmp',
  'state=',
])
  test(`rejected: --where ${text}`, () => {
    assert.throws(
      () => filters(text),
      (error) => error instanceof Fatal && error.status === 2 && !error.message.includes('\n'),
    );
  });

const line = (words: string) => parse(words.split(' '), new Lookup(), 'lvsadm');

test('a filter that cannot match anything in the listing is rejected', () => {
  for (const words of [
    '-L --where state=established',
    '-L --where client=10.0.0.1',
    '-L -c --where laddr=10.0.0.1',
    '-L --timeout --where dest=10.0.0.1',
    '-G --where dest=10.0.0.1',
    '-S --where dest=10.0.0.1',
    '-A -t 192.0.2.1:80 --json',
    '-L --watch 0',
    '-L --watch=x',
    '-L --watch --watch',
  ])
    assert.throws(() => line(words), Fatal, words);
});

test('--watch takes seconds, 2 by default', () => {
  assert.equal(line('-L --watch').watch, 2);
  assert.equal(line('-L --watch -n').watch, 2);
  assert.equal(line('-L --watch=0.5').watch, 0.5);
  assert.equal(line('-L --watch 10').watch, 10);
  assert.equal(line('-L').watch, undefined);
});

test('--where can be repeated', () => {
  const { filters: given } = line('-L --where dest=10.0.0.1 --where dest=10.0.0.2');
  assert.equal(given?.destination(dest('10.0.0.2', 1)), true);
});
