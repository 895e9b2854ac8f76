// SPDX-License-Identifier: MIT
// Services of a dump, read the short way: as the general way reads them, or not at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readService } from '../../src/ipvs/codec.ts';
import { readPlainService } from '../../src/ipvs/plain-service.ts';
import { COMMAND, type ReplyAttributes } from '../../src/ipvs/tables.ts';
import { AttributeReader, decodeTable } from '../../src/netlink/index.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 100_000 : 5000;

/** Lengths of a service's attributes in the kernel's answers, by type (linux/ip_vs.h, and ours from 32 up). */
const LENGTHS: readonly (readonly [type: number, length: number])[] = [
  ...([
    [1, 2],
    [2, 2],
    [3, 16],
    [4, 2],
    [5, 4],
    [7, 8],
    [8, 4],
    [9, 4],
    [10, 20],
    [33, 4],
    [36, 2],
    [37, 2],
  ] as const),
];

function attribute(type: number, payload: readonly number[] | Uint8Array): number[] {
  const size = payload.length + 4;
  return [size & 255, size >> 8, type & 255, type >> 8, ...payload, ...Array<number>(-size & 3).fill(0)];
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const named = fc.tuple(
  fc.constantFrom(6, 11),
  fc.constantFrom('rr', 'wrr', 'sh', 'mh', '', 'é', 'sip').map((name) => Buffer.from(`${name}\0`)),
);
const known = fc.constantFrom(...LENGTHS).chain(([type, length]) => fc.tuple(fc.constant(type), bytes(length)));
const odd = fc.tuple(fc.nat(70), fc.uint8Array({ maxLength: 20 }));
const family = fc.constantFrom(2, 10).map((value) => [1, Uint8Array.of(value, 0)] as const);
const service = fc
  .tuple(
    family,
    fc.array(fc.oneof({ weight: 8, arbitrary: known }, { weight: 3, arbitrary: named }, odd), { maxLength: 12 }),
  )
  .map(([first, rest]) => [first, ...rest].flatMap(([type, payload]) => attribute(type, payload)));

function general(data: Buffer): unknown {
  try {
    return readService(decodeTable(COMMAND, new AttributeReader(data, 0, data.length)) as ReplyAttributes);
  } catch (error) {
    return error;
  }
}

test('a service is what the general way makes of it, or left to that', () => {
  let read = 0;
  fc.assert(
    fc.property(service, fc.constantFrom(1, 0x8001, 2), fc.nat(40), (attributes, type, cut) => {
      const whole = Buffer.from(attribute(type, attributes));
      const data = cut > 10 ? whole : whole.subarray(0, Math.max(0, whole.length - cut));
      const plain = readPlainService(new AttributeReader(data, 0, data.length));
      if (plain === undefined) return;
      read++;
      assert.deepEqual(plain, general(data));
    }),
    { numRuns },
  );
  assert.ok(read > numRuns / 20, `only ${read} of ${numRuns} were read`);
});

test('what a kernel writes is read the short way', () => {
  const nest = (parts: number[][]) => Buffer.from(attribute(0x8001, parts.flat()));
  const name = (text: string) => Buffer.from(`${text}\0`);
  const common = [
    attribute(2, [6, 0]),
    attribute(3, [192, 0, 2, 1, ...Array<number>(12).fill(0)]),
    attribute(4, [0, 80]),
  ];
  const rest = [
    attribute(7, [2, 0, 0, 0, 255, 255, 255, 255]),
    attribute(8, [0, 0, 0, 0]),
    attribute(9, [255, 255, 255, 0]),
  ];
  for (const scheduler of ['wrr', 'wrr', 'rr', 'wrrr', '']) {
    const data = nest([attribute(1, [2, 0]), ...common, attribute(6, name(scheduler)), ...rest]);
    const plain = readPlainService(new AttributeReader(data, 0, data.length));
    assert.equal(plain?.scheduler, scheduler);
    assert.deepEqual(plain, general(data));
  }
});
