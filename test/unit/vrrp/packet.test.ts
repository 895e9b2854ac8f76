// SPDX-License-Identifier: MIT
// VRRP messages and frames as bytes, against captures of keepalived 2.2.7 and the layouts of the RFCs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET, AF_INET6, parseAddress } from '../../../src/base/addresses.ts';
import { gratuitousArp, neighborAdvertisement } from '../../../src/vrrp/frames.ts';
import {
  type Advertisement,
  addressesOf,
  checksumHolds,
  encodeAdvertisement,
  GROUP_IPV4,
  GROUP_IPV6,
  intervalOf,
  messageLength,
  readHeader,
} from '../../../src/vrrp/packet.ts';

const ip = (text: string) => parseAddress(text)?.bytes ?? assert.fail(text);
const SECOND = 1_000_000;

const advert = (
  version: 2 | 3,
  priority: number,
  addresses: string[],
  more: Partial<Advertisement> = {},
): Advertisement => ({
  version,
  family: addresses[0]?.includes(':') ? AF_INET6 : AF_INET,
  virtualRouterId: 51,
  priority,
  interval: SECOND,
  addresses: addresses.map(ip),
  password: undefined,
  ...more,
});

/** Adverts of keepalived 2.2.7, captured: virtual router 51, every second. */
const CAPTURED = [
  {
    name: 'version 2 with a password',
    advert: advert(2, 100, ['10.0.0.100', '10.0.0.101'], { password: Buffer.from('lvsdtest') }),
    endpoints: { source: ip('10.0.0.2'), destination: GROUP_IPV4 },
    bytes: '2133640201019d4b 0a000064 0a000065 6c76736474657374',
  },
  {
    name: 'version 3',
    advert: advert(3, 150, ['10.0.0.100', '10.0.0.101']),
    endpoints: { source: ip('10.0.0.1'), destination: GROUP_IPV4 },
    bytes: '3133960200643909 0a000064 0a000065',
  },
  {
    name: 'version 3, priority 0',
    advert: advert(3, 0, ['10.0.0.100', '10.0.0.101']),
    endpoints: { source: ip('10.0.0.1'), destination: GROUP_IPV4 },
    bytes: '313300020064cf09 0a000064 0a000065',
  },
  {
    name: 'version 3 from the other node',
    advert: advert(3, 100, ['10.0.0.100', '10.0.0.101']),
    endpoints: { source: ip('10.0.0.2'), destination: GROUP_IPV4 },
    bytes: '3133640200646b08 0a000064 0a000065',
  },
  {
    name: 'version 3, unicast: the checksum covers the peer',
    advert: advert(3, 100, ['10.0.0.100']),
    endpoints: { source: ip('10.0.0.2'), destination: ip('10.0.0.1') },
    bytes: '3133640100644b84 0a000064',
  },
  {
    name: 'version 3 over IPv6',
    advert: advert(3, 100, ['fe80::100', 'fd00::100']),
    endpoints: { source: ip('fe80::ff:fe00:2'), destination: GROUP_IPV6 },
    bytes: '3133640200646fb4 fe800000000000000000000000000100 fd000000000000000000000000000100',
  },
  {
    name: 'version 3 over IPv6, unicast',
    advert: advert(3, 100, ['fe80::100']),
    endpoints: { source: ip('fd00::2'), destination: ip('fd00::1') },
    bytes: '3133640100647059 fe800000000000000000000000000100',
  },
] as const;

for (const { name, advert, endpoints, bytes } of CAPTURED) {
  test(`keepalived's bytes: ${name}`, () => {
    const message = encodeAdvertisement(advert, endpoints);
    assert.equal(message.toString('hex'), bytes.replaceAll(' ', ''));
    assert.ok(checksumHolds(message, advert.version, endpoints));
    const header = readHeader(message);
    assert.deepEqual(
      [header.version, header.type, header.virtualRouterId, header.priority, header.count],
      [advert.version, 1, 51, advert.priority, advert.addresses.length],
    );
    assert.equal(intervalOf(advert.version, header.word), SECOND);
    assert.deepEqual(
      addressesOf(message, advert.family, header.count).map((address) => Buffer.from(address)),
      advert.addresses.map((address) => Buffer.from(address)),
    );
    assert.equal(message.length, messageLength(advert.version, advert.family, header.count));
  });
}

test('version 2 carries 8 zero bytes without a password, and seconds', () => {
  const message = encodeAdvertisement(advert(2, 1, ['10.0.0.100'], { interval: 255 * SECOND }), {
    source: ip('10.0.0.1'),
    destination: GROUP_IPV4,
  });
  assert.deepEqual([...message.subarray(12)], [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([message[4], message[5]], [0, 255]);
});

test('version 3 counts centiseconds in 12 bits; the reserved bits do not count', () => {
  const endpoints = { source: ip('10.0.0.1'), destination: GROUP_IPV4 };
  const word = (interval: number) =>
    readHeader(encodeAdvertisement(advert(3, 1, ['10.0.0.100'], { interval }), endpoints)).word;
  assert.deepEqual([word(10_000), word(100_000), word(40_950_000)], [1, 10, 4095]);
  assert.throws(() => word(40_960_000), RangeError);
  assert.equal(intervalOf(3, 0xf00a), 100_000);
});

test('any changed bit breaks the checksum', () => {
  for (const { advert, endpoints } of CAPTURED) {
    const message = encodeAdvertisement(advert, endpoints);
    for (let bit = 0; bit < 8 * message.length; bit++) {
      const at = bit >> 3;
      message[at] = (message[at] ?? 0) ^ (1 << (bit & 7));
      assert.equal(checksumHolds(message, advert.version, endpoints), false, `bit ${bit}`);
      message[at] = (message[at] ?? 0) ^ (1 << (bit & 7));
    }
  }
});

test('a gratuitous ARP request', () => {
  const frame = gratuitousArp(Uint8Array.of(2, 0, 0, 0, 0, 1), ip('10.0.0.100'));
  assert.equal(
    frame.toString('hex'),
    'ffffffffffff020000000001' + '0806' + '0001080006040001' + '020000000001' + '0a000064' + 'ffffffffffff0a000064',
  );
});

test('a neighbor advertisement: from the address itself, Override, Router only where it forwards', () => {
  const frame = (router: boolean) => neighborAdvertisement(Uint8Array.of(2, 0, 0, 0, 0, 1), ip('fd00::100'), router);
  const address = 'fd000000000000000000000000000100';
  const start = `333300000001020000000001${'86dd'}60000000${'00203aff'}${address}ff020000000000000000000000000001`;
  assert.equal(frame(false).toString('hex'), `${start}8800${'589d'}20000000${address}0201020000000001`);
  assert.equal(frame(true).length, 86);
  assert.equal(frame(true)[58], 0xa0);
});
