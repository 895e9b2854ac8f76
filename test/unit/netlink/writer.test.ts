// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageWriter } from '../../../src/netlink/index.ts';
import { attr, be16, genl, message, nest, text, u8, u16, u32, u64 } from '../../support/netlink-bytes.ts';

const hex = (bytes: readonly number[] | Uint8Array) => Buffer.from(bytes).toString('hex');

test('every kind of attribute, padded to four bytes', () => {
  const writer = new MessageWriter().begin(20, 5).genericHeader(3, 1);
  writer.u8(1, 0xfe).u16(2, 0xabcd).u32(3, 0xdeadbeef).u64(4, 0x0102030405060708n).be16(5, 8080).be32(6, 0x01020304);
  writer.string(7, 'wlc').bytes(8, Buffer.from([1, 2, 3, 4, 5]));
  const expected = message(
    20,
    5,
    0,
    genl(3),
    attr(1, u8(0xfe)),
    attr(2, u16(0xabcd)),
    attr(3, u32(0xdeadbeef)),
    attr(4, u64(0x0102030405060708n)),
    attr(5, be16(8080)),
    attr(6, [1, 2, 3, 4]),
    attr(7, text('wlc'), [0]),
    attr(8, [1, 2, 3, 4, 5]),
  );
  assert.equal(hex(writer.finish()), hex(expected));
});

test('nests carry their length and NLA_F_NESTED', () => {
  const writer = new MessageWriter().begin(20, 5);
  const outer = writer.beginNest(1);
  writer.u16(1, 2);
  const inner = writer.beginNest(2);
  writer.endNest(inner);
  writer.endNest(outer);
  assert.equal(hex(writer.finish()), hex(message(20, 5, 0, nest(1, attr(1, u16(2)), nest(2)))));
});

test('the buffer grows, and each message starts empty', () => {
  const writer = new MessageWriter();
  const long = new Uint8Array(60_000).fill(7);
  assert.equal(hex(writer.begin(1, 0).bytes(1, long).finish()), hex(message(1, 0, 0, attr(1, [...long]))));
  assert.equal(hex(writer.begin(2, 0).u8(1, 1).finish()), hex(message(2, 0, 0, attr(1, [1]))));
});

test('an attribute too long for its length field is rejected', () => {
  assert.throws(() => new MessageWriter().begin(1, 0).bytes(1, new Uint8Array(65_532)), RangeError);
});
