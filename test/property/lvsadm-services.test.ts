// SPDX-License-Identifier: MIT
// Services of a dump, read the short way: as the general way reads them, or not at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readService } from '../../src/ipvs/codec.ts';
import { readPlainService } from '../../src/ipvs/plain-service.ts';
import { COMMAND, type ReplyAttributes } from '../../src/ipvs/tables.ts';
import { AttributeReader, decodeTable } from '../../src/netlink/index.ts';
import { attr, be16, nest, text, u16, u32, zeros } from '../support/netlink-bytes.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 100_000 : 5000;

/** Lengths of a service's attributes in the kernel's answers, by type (linux/ip_vs.h, and ours from 32 up). */
const LENGTHS: Readonly<Record<number, number>> = {
  ...{ 1: 2, 2: 2, 3: 16, 4: 2, 5: 4, 7: 8, 8: 4, 9: 4, 10: 20 },
  ...{ 33: 4, 36: 2, 37: 2 },
};
const COMMAND_SERVICE = 1;

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const named = fc.tuple(
  fc.constantFrom(6, 11),
  fc.constantFrom('rr', 'wrr', 'sh', 'mh', '', 'é', 'sip').map((name) => Buffer.from(`${name}\0`)),
);
const known = fc
  .constantFrom(...Object.entries(LENGTHS))
  .chain(([type, length]) => fc.tuple(fc.constant(Number(type)), bytes(length)));
const odd = fc.tuple(fc.nat(70), fc.uint8Array({ maxLength: 20 }));
const family = fc.constantFrom(2, 10).map((value) => [1, Uint8Array.of(value, 0)] as const);
const service = fc
  .tuple(
    family,
    fc.array(fc.oneof({ weight: 8, arbitrary: known }, { weight: 3, arbitrary: named }, odd), { maxLength: 12 }),
  )
  .map(([first, rest]) => [first, ...rest].flatMap(([type, payload]) => attr(type, [...payload])));

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
      const whole = Buffer.from(attr(type, attributes));
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
  const common = [attr(2, u16(6)), attr(3, [192, 0, 2, 1], zeros(12)), attr(4, be16(80))];
  const rest = [attr(7, u32(2), u32(0xffffffff)), attr(8, u32(0)), attr(9, [255, 255, 255, 0])];
  for (const scheduler of ['wrr', 'wrr', 'rr', 'wrrr', '']) {
    const name = attr(6, text(scheduler), [0]);
    const data = Buffer.from(nest(COMMAND_SERVICE, attr(1, u16(2)), ...common, name, ...rest));
    const plain = readPlainService(new AttributeReader(data, 0, data.length));
    assert.equal(plain?.scheduler, scheduler);
    assert.deepEqual(plain, general(data));
  }
});
