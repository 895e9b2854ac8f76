// SPDX-License-Identifier: MIT
// The kernel's filter of adverts, run by the kernel: only those of own virtual router IDs arrive.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AF_INET, AF_INET6 } from '../../../src/base/addresses.ts';
import { native } from '../../../src/base/native.ts';
import { advertFilter } from '../../../src/vrrp/filter.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/** The first bytes of those of `packets` that a socket with the filter receives. */
function passed(filter: Buffer, packets: readonly Buffer[]): number[] {
  const { Socket } = native();
  const receiver = new Socket(AF_UNIX, SOCK_DGRAM, 0);
  const sender = new Socket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    // An abstract name: no file is made.
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0, 0]), Buffer.from(`lvsd-filter-${process.pid}`)]);
    receiver.bind(address);
    receiver.attachFilter(filter);
    for (const packet of packets) {
      try {
        sender.send(packet, address);
      } catch (error) {
        // A unix socket tells the sender about a packet that the filter has dropped.
        assert.equal((error as { code?: string }).code, 'EPERM');
      }
    }
    const [data, info, found] = [Buffer.alloc(512), new Int32Array(4), [] as number[]];
    while (receiver.receive(data, info) === 1) found.push(data[0] ?? -1);
    return found;
  } finally {
    receiver.close();
    sender.close();
  }
}

const GROUP = [224, 0, 0, 18];

/** An IPv4 packet with a header of `words` words; its first byte tells them apart. */
function ipv4(words: number, id: number, { ttl = 255, to = GROUP } = {}): Buffer {
  const packet = Buffer.alloc(4 * words + 8);
  packet[0] = 0x40 | words;
  packet[8] = ttl;
  packet.set(to, 16);
  packet[4 * words + 1] = id;
  return packet;
}

const multicast = (...ids: number[]) =>
  ids.map((virtualRouterId) => ({ virtualRouterId, multicast: true, minTtl: 255 }));
const unicast = (virtualRouterId: number, minTtl: number) => ({ virtualRouterId, multicast: false, minTtl });

test('IPv4: the ID stands behind a header of any length', () => {
  const packets = [ipv4(5, 51), ipv4(6, 52), ipv4(7, 53), ipv4(15, 51), ipv4(8, 0), Buffer.from([0x45])];
  assert.deepEqual(passed(advertFilter(AF_INET, multicast(51, 52)), packets), [0x45, 0x46, 0x4f]);
});

test('IPv6: messages begin with the advert', () => {
  // A socket of this kind has no IP header: conditions on it are tested on the wire (test/system/vrrp/hop-limit.test.ts).
  const message = (id: number) => Buffer.from([id, id, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(
    passed(advertFilter(AF_INET6, [unicast(7, 0)]), [message(6), message(7), message(8), Buffer.from([7])]),
    [7],
  );
});

test('IPv4: what came over a router, or to another address, does not pass where it could never be accepted', () => {
  const filter = advertFilter(AF_INET, [...multicast(51), unicast(52, 0), unicast(53, 250), unicast(54, 250)]);
  const own = { to: [10, 9, 0, 1] };
  const packets = [
    ipv4(5, 51),
    ipv4(6, 51, { ttl: 254 }),
    ipv4(6, 51, own),
    ipv4(6, 51, { to: [224, 0, 0, 19] }),
    ipv4(7, 52, { ttl: 1, ...own }),
    ipv4(8, 53, { ttl: 250, ...own }),
    ipv4(6, 53, { ttl: 249, ...own }),
    ipv4(9, 54, { ttl: 251, ...own }),
    ipv4(6, 55),
  ];
  assert.deepEqual(passed(filter, packets), [0x45, 0x47, 0x48, 0x49]);
});

test('IPv4: all 255 IDs with conditions of 4 kinds fit into a program', () => {
  const all = Array.from({ length: 255 }, (_, index) => index + 1);
  const routers = all.flatMap((id) => (id % 4 === 0 ? multicast(id) : [unicast(id, 250 + (id % 4))]));
  const packets = [ipv4(5, 4), ipv4(6, 5, { ttl: 250 }), ipv4(7, 254, { ttl: 252 }), ipv4(8, 255, { ttl: 254 })];
  assert.deepEqual(passed(advertFilter(AF_INET, routers), packets), [0x45, 0x47, 0x48]);
});

test('all 255 IDs, and none', () => {
  const all = Array.from({ length: 255 }, (_, index) => index + 1);
  const message = (id: number) => Buffer.from([id, id]);
  const packets = [0, 1, 128, 255].map(message);
  const filter = advertFilter(
    AF_INET6,
    all.map((id) => unicast(id, 0)),
  );
  assert.deepEqual(passed(filter, packets), [1, 128, 255]);
  assert.deepEqual(passed(advertFilter(AF_INET6, []), packets), []);
});
