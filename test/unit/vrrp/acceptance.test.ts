// SPDX-License-Identifier: MIT
// Acceptance of VRRP messages: each check rejects with its own reason, and nothing that is malformed passes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET, AF_INET6, parseAddress } from '../../../src/base/addresses.ts';
import { acceptMessage, type Expectations, listDiffers, type Received } from '../../../src/vrrp/acceptance.ts';
import { type Advertisement, encodeAdvertisement, GROUP_IPV4, GROUP_IPV6 } from '../../../src/vrrp/packet.ts';
import { Random, seed as someSeed } from '../../support/random.ts';

const ip = (text: string) => parseAddress(text)?.bytes ?? assert.fail(text);
const SECOND = 1_000_000;

const PLAIN: Expectations = {
  version: 3,
  family: AF_INET,
  interval: SECOND,
  own: ip('10.0.0.1'),
  group: GROUP_IPV4,
  peers: undefined,
  fromAnywhere: false,
  password: undefined,
  checksumWithoutPseudoHeader: false,
};
const VERSION_2: Expectations = { ...PLAIN, version: 2, password: Buffer.from('secret\0\0') };
const UNICAST: Expectations = { ...PLAIN, group: undefined, peers: [{ address: ip('10.0.0.2') }] };
const IPV6: Expectations = { ...PLAIN, family: AF_INET6, own: ip('fe80::1'), group: GROUP_IPV6 };

const advertFor = (expected: Expectations): Advertisement => ({
  version: expected.version,
  family: expected.family,
  virtualRouterId: 51,
  priority: 100,
  interval: SECOND,
  addresses: expected.family === AF_INET ? [ip('10.0.0.100'), ip('10.0.0.101')] : [ip('fe80::100')],
  password: expected.password,
});

/** A message as the peer sends it, with changes to its content and to its bytes. */
function received(
  expected: Expectations,
  {
    advert = {},
    edit,
    ...more
  }: Partial<Received> & { advert?: Partial<Advertisement>; edit?: (b: Buffer) => Buffer } = {},
): Received {
  const source = more.source ?? (expected.family === AF_INET ? ip('10.0.0.2') : ip('fe80::2'));
  const destination = more.destination ?? expected.group ?? expected.own;
  const bytes = encodeAdvertisement({ ...advertFor(expected), ...advert }, { source, destination });
  const message = edit?.(bytes) ?? bytes;
  return { family: expected.family, source, destination, ttl: 255, length: message.length, message, ...more };
}

const verdict = (expected: Expectations, message: Received) =>
  acceptMessage(message, (id) => (id === 51 ? expected : undefined));
const outcome = (expected: Expectations, message: Received) => {
  const result = verdict(expected, message);
  return result.accepted ? 'accepted' : `${result.reason}: ${result.text}`;
};

/** Changes bytes and makes the checksum right again, as a sender with a fault of its own would. */
function rewritten(expected: Expectations, change: (bytes: Buffer) => void) {
  return (bytes: Buffer) => {
    change(bytes);
    bytes.writeUInt16BE(0, 6);
    const [source, destination] = [ip('10.0.0.2'), GROUP_IPV4];
    const words = [
      ...(expected.version === 2 ? [] : [source, destination, Uint8Array.of(0, 112, 0, bytes.length)]),
      bytes,
    ];
    let sum = 0;
    for (const part of words)
      for (let at = 0; at < part.length; at += 2) sum += ((part[at] ?? 0) << 8) + (part[at + 1] ?? 0);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    bytes.writeUInt16BE(~sum & 0xffff, 6);
    return bytes;
  };
}

test('what the peer sends is accepted, in every mode', () => {
  for (const expected of [PLAIN, VERSION_2, UNICAST, IPV6]) {
    const result = verdict(expected, received(expected));
    assert.ok(result.accepted, JSON.stringify(result));
    assert.equal(result.advert.priority, 100);
    assert.equal(result.advert.interval, SECOND);
    assert.equal(result.advert.addresses.length, advertFor(expected).addresses.length);
  }
});

test('each check has its own reason', () => {
  const rows: [Expectations, Parameters<typeof received>[1], string][] = [
    [PLAIN, { edit: (bytes) => bytes.subarray(0, 7) }, 'too short: 7 bytes; the header has 8'],
    [PLAIN, { length: 18 }, 'IP length: 18 bytes by the IP header, 16 received'],
    [PLAIN, { edit: (bytes) => Buffer.from(bytes.fill(0x41, 0, 1)) }, 'unknown version: version 4'],
    [PLAIN, { advert: { virtualRouterId: 52 } }, 'unknown virtual router: virtual_router_id 52'],
    [PLAIN, { ttl: 254 }, 'TTL: TTL 254; 255 expected'],
    [VERSION_2, { advert: { version: 3, password: undefined } }, 'other version: version 3; this node has version 2'],
    [PLAIN, { edit: rewritten(PLAIN, (bytes) => bytes.fill(0x32, 0, 1)) }, 'type: type 2; 1 is an advertisement'],
    [
      PLAIN,
      { edit: (bytes) => Buffer.concat([bytes, Buffer.alloc(4)]) },
      'length: 20 bytes; 2 addresses need exactly 16',
    ],
    [PLAIN, { edit: (bytes) => bytes.subarray(0, 12) }, 'length: 12 bytes; 2 addresses need exactly 16'],
    [PLAIN, { edit: (bytes) => Buffer.from(bytes.fill(99, 2, 3)) }, 'checksum: wrong checksum'],
    [VERSION_2, { edit: (bytes) => Buffer.from(bytes.fill(99, 2, 3)) }, 'checksum: wrong checksum'],
    [VERSION_2, { advert: { password: undefined } }, 'authentication type: authentication type 0; this node has 1'],
    [VERSION_2, { advert: { password: Buffer.from('Secret\0\0') } }, 'password: wrong password'],
    [PLAIN, { destination: ip('10.0.0.1') }, 'destination: sent to 10.0.0.1; expected 224.0.0.18'],
    [UNICAST, { destination: GROUP_IPV4 }, 'destination: sent to 224.0.0.18; expected 10.0.0.1'],
    [UNICAST, { source: ip('10.0.0.3') }, 'not a peer: 10.0.0.3 is not in unicast.peers'],
    [PLAIN, { source: ip('10.0.0.1') }, "own address: 10.0.0.1 is this node's own"],
    [VERSION_2, { advert: { interval: 2 * SECOND } }, 'interval: 10.0.0.2 advertises every 2 s, this node every 1 s'],
    [PLAIN, { advert: { interval: 0 } }, 'interval of 0: 10.0.0.2 sent an advertisement interval of 0'],
  ];
  for (const [expected, change, wanted] of rows) assert.equal(outcome(expected, received(expected, change)), wanted);
});

test('unicast: TTL is checked only for peers with a range, senders from anywhere on request', () => {
  assert.equal(outcome(UNICAST, received(UNICAST, { ttl: 3 })), 'accepted');
  const ranged = { ...UNICAST, peers: [{ address: ip('10.0.0.2'), minTtl: 254 }] };
  assert.equal(outcome(ranged, received(ranged, { ttl: 253 })), 'TTL: TTL 253; 254 to 255 allowed');
  assert.equal(outcome(ranged, received(ranged, { ttl: 254 })), 'accepted');
  const open = { ...UNICAST, fromAnywhere: true };
  assert.equal(outcome(open, received(open, { source: ip('10.0.0.3') })), 'accepted');
});

test('checksums of old and of translating senders are named or accepted', () => {
  const advert = advertFor(UNICAST);
  const sent = (source: string, destination: Uint8Array, from = source): Received => {
    const message = encodeAdvertisement(advert, { source: ip(source), destination });
    return {
      family: AF_INET,
      source: ip(from),
      destination: ip('10.0.0.1'),
      ttl: 255,
      length: message.length,
      message,
    };
  };
  assert.equal(outcome(UNICAST, sent('10.0.0.2', GROUP_IPV4)), 'accepted', 'keepalived before 1.3.6');
  const anywhere = { ...UNICAST, fromAnywhere: true };
  assert.equal(
    outcome(anywhere, sent('10.0.0.2', ip('10.0.0.1'), '192.0.2.7')),
    'checksum: wrong checksum: it is right for source 10.0.0.2 (address translation on the way?)',
  );
  const bare = encodeAdvertisement({ ...advert, version: 2 }, { source: ip('10.0.0.2'), destination: GROUP_IPV4 });
  const asV3 = Buffer.from(bare.subarray(0, 16));
  asV3[0] = 0x31;
  asV3.writeUInt16BE(100, 4);
  asV3.writeUInt16BE(0, 6);
  let sum = 0;
  for (let at = 0; at < asV3.length; at += 2) sum += asV3.readUInt16BE(at);
  asV3.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 6);
  const message = { ...received(PLAIN), message: asV3, length: asV3.length };
  assert.match(outcome(PLAIN, message), /leaves the pseudo header out/);
  assert.equal(outcome({ ...PLAIN, checksumWithoutPseudoHeader: true }, message), 'accepted');
});

test('reserved bits, no addresses and other addresses are accepted; a different list is noticed', () => {
  assert.equal(
    outcome(PLAIN, received(PLAIN, { edit: rewritten(PLAIN, (bytes) => bytes.fill(0xf0, 4, 5)) })),
    'accepted',
  );
  assert.equal(outcome(PLAIN, received(PLAIN, { advert: { addresses: [] } })), 'accepted');
  const result = verdict(PLAIN, received(PLAIN, { advert: { addresses: [ip('10.0.0.101'), ip('10.0.0.100')] } }));
  assert.ok(result.accepted);
  assert.equal(listDiffers(result.advert, [ip('10.0.0.100'), ip('10.0.0.101')]), false, 'the order does not count');
  assert.equal(listDiffers(result.advert, [ip('10.0.0.100')]), true);
});

/**
 * Messages that a mutation leaves acceptable: the reference decides from the bytes alone, without the code under test.
 */
function acceptable(bytes: Uint8Array, expected: Expectations): boolean {
  const tail = expected.version === 2 ? 8 : 0;
  const size = expected.family === AF_INET ? 4 : 16;
  if (bytes.length < 8 || bytes.length !== 8 + size * (bytes[3] ?? 0) + tail) return false;
  if (bytes[0] !== ((expected.version << 4) | 1) || bytes[1] !== 51) return false;
  let sum = 0;
  const source = expected.family === AF_INET ? ip('10.0.0.2') : ip('fe80::2');
  const destination = expected.group ?? expected.own;
  const parts =
    expected.version === 2
      ? [bytes]
      : [source, destination, Uint8Array.of(0, 112, bytes.length >> 8, bytes.length), bytes];
  for (const part of parts) for (let at = 0; at < part.length; at++) sum += (part[at] ?? 0) << (at % 2 === 0 ? 8 : 0);
  if (sum % 0xffff !== 0) return false;
  if (expected.version === 2)
    return bytes[4] === 1 && bytes[5] === 1 && Buffer.compare(bytes.subarray(-8), expected.password ?? bytes) === 0;
  return (((bytes[4] ?? 0) & 15) << 8) + (bytes[5] ?? 0) > 0;
}

const count = process.env.LVSD_COUNTS === 'full' ? 1_000_000 : 50_000;
const seed = someSeed();

test(`${count} mutated messages, seed ${seed}: accepted exactly if the bytes are right`, () => {
  const random = new Random(seed);
  let [passed, failed] = [0, 0];
  for (let round = 0; round < count; round++) {
    const expected = random.pick([PLAIN, VERSION_2, UNICAST, IPV6]);
    const start = received(expected, { advert: { priority: random.below(256) } });
    let bytes = Buffer.from(start.message);
    for (let left = random.below(4); left > 0; left--) {
      const at = random.below(bytes.length || 1);
      if (random.chance(60) && bytes.length > 0) bytes[at] = random.below(256);
      else if (random.chance(50)) bytes = bytes.subarray(0, at);
      else bytes = Buffer.concat([bytes, Buffer.alloc(1 + random.below(40), random.below(256))]);
    }
    // Half of them get a right checksum, so that the checks behind it are reached.
    if (random.chance(50) && bytes.length >= 8) {
      bytes = Buffer.from(bytes);
      bytes.writeUInt16BE(0, 6);
      let sum = 0;
      const parts =
        expected.version === 2
          ? [bytes]
          : [start.source, start.destination, Uint8Array.of(0, 112, bytes.length >> 8, bytes.length & 255), bytes];
      for (const part of parts)
        for (let at = 0; at < part.length; at++) sum += (part[at] ?? 0) << (at % 2 === 0 ? 8 : 0);
      bytes.writeUInt16BE(0xffff - (sum % 0xffff), 6);
    }
    const result = verdict(expected, { ...start, message: bytes, length: bytes.length });
    assert.equal(result.accepted, acceptable(bytes, expected), `round ${round}: ${bytes.toString('hex')}`);
    if (result.accepted) passed += 1;
    else failed += 1;
  }
  assert.ok(passed > count / 10 && failed > count / 10, `${passed} accepted, ${failed} rejected`);
});
