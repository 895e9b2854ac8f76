// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, formatAddress, parseAddress, parseIpv4, parseIpv6 } from '../../src/base/addresses.ts';

test('addresses are formatted as inet_ntop does', () => {
  for (const text of [
    '::',
    '::1',
    '2001:db8::1',
    '2001:db8:1:2:3:4:5:a0a0',
    '::ffff:192.0.2.1',
    '1:0:0:2::3',
    'fe80::',
    '::192.0.2.1',
  ]) {
    const bytes = parseIpv6(text);
    assert.ok(bytes, text);
    assert.equal(formatAddress(AF_INET6, bytes), text);
  }
  assert.equal(formatAddress(AF_INET6, parseIpv6('2001:DB8:0:1:1:1:1:1') ?? new Uint8Array()), '2001:db8:0:1:1:1:1:1');
});

test('addresses are accepted exactly if Node accepts them', () => {
  const letters = fc.string({ unit: fc.constantFrom(...'0123456789abf:.'), maxLength: 20 });
  fc.assert(
    fc.property(letters, (text) => {
      assert.equal(parseIpv4(text) !== undefined, isIPv4(text), text);
      assert.equal(parseIpv6(text) !== undefined, isIPv6(text), text);
    }),
    { numRuns: 5000 },
  );
});

test('bytes to text and back give the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) =>
      assert.deepEqual(parseIpv6(formatAddress(AF_INET6, bytes)), bytes),
    ),
  );
  fc.assert(
    fc.property(fc.ipV4(), (text) => {
      const { family, bytes } = parseAddress(text) ?? assert.fail(text);
      assert.equal(family, AF_INET);
      assert.equal(formatAddress(family, bytes), text);
    }),
  );
  fc.assert(fc.property(fc.ipV6(), (text) => assert.ok(parseAddress(text), text)));
});
