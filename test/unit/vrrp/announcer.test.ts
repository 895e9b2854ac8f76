// SPDX-License-Identifier: MIT
// How announcements of several instances share an interface; their bytes are in packet.test.ts.
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { host } from '../../../src/netlink/endian.ts';
import { type Announcement, Announcer } from '../../../src/vrrp/announcer.ts';

/** Milliseconds of a turn. */
const TURN = 20;
/** The last byte of each address that was sent, by interface. */
let sent: Record<number, number[]> = {};
let announcer: Announcer;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  sent = {};
  const send = (frame: Uint8Array, to?: Uint8Array) => {
    const index = host.readU32(Buffer.from(to ?? []), 4);
    // The sender's address in an ARP message behind an Ethernet header.
    sent[index] = [...(sent[index] ?? []), frame[31] ?? 0];
    return frame.length;
  };
  announcer = new Announcer((error) => assert.fail(error), { send, close() {} });
});

const addresses = (index: number, ...last: number[]): Announcement[] =>
  last.map((byte) => ({
    family: AF_INET,
    address: Uint8Array.of(10, 0, 0, byte),
    index,
    hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 1),
    router: false,
  }));
const ONCE = { repeat: 1, interval: 0, delay: 0 };
const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

test('all instances of an interface together send at most 10 frames in a turn', () => {
  for (const one of range(25)) announcer.announce(`edge${one}`, addresses(7, one), ONCE);
  const counts = [sent[7]?.length];
  for (let turn = 0; turn < 3; turn++) {
    mock.timers.tick(TURN);
    counts.push(sent[7]?.length);
  }
  assert.deepEqual(counts, [10, 20, 25, 25]);
  assert.deepEqual(sent[7], range(25));
});

test('an instance with many addresses delays neither one with few, nor another interface', () => {
  announcer.announce('many', addresses(7, ...range(100)), ONCE);
  announcer.announce('few', addresses(7, 200), ONCE);
  announcer.announce('other', addresses(8, 201), ONCE);
  assert.deepEqual([sent[7]?.length, sent[8]], [10, [201]]);
  mock.timers.tick(TURN);
  assert.ok(sent[7]?.slice(10, 12).includes(200), sent[7]?.join());
  for (let turn = 0; turn < 20; turn++) mock.timers.tick(TURN);
  assert.deepEqual(
    sent[7]?.filter((byte) => byte !== 200),
    range(100),
  );
});

test('rounds are spaced, and repeated after the delay; a cancelled announcement ends', () => {
  announcer.announce('edge', addresses(7, 1, 2), { repeat: 2, interval: 50, delay: 1000 });
  const after = (time: number) => {
    mock.timers.tick(time);
    return sent[7]?.length;
  };
  assert.deepEqual(
    [after(0), after(49), after(1), after(999), after(1), after(50), after(5000)],
    [2, 2, 4, 4, 6, 8, 8],
  );
  announcer.announce('edge', addresses(7, 1, 2), { repeat: 2, interval: 50, delay: 1000 });
  announcer.cancel('edge');
  assert.equal(after(5000), 10);
});
