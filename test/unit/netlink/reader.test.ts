// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MalformedError } from '../../../src/base/errors.ts';
import { readAck } from '../../../src/netlink/ack.ts';
import { AttributeReader, decodeTable, MessageView } from '../../../src/netlink/index.ts';
import { attr, be16, message, nest, text, u16, u32, u64, zeros } from '../../support/netlink-bytes.ts';

const reader = (...parts: number[][]) => {
  const bytes = Buffer.from(parts.flat());
  return new AttributeReader(bytes, 0, bytes.length);
};
const view = (bytes: number[]) => new MessageView(Buffer.from(bytes), 0, bytes.length);

/** The first message of the bytes. */
function first(bytes: number[]): MessageView {
  const messages = view(bytes);
  assert.ok(messages.next());
  return messages;
}

const table = {
  flag: [1, 'u8'],
  small: [2, 'u16'],
  word: [3, 'u32'],
  big: [4, 'u64'],
  port: [5, 'be16'],
  name: [6, 'string'],
  raw: [7, 'bytes'],
  inner: [8, { word: [1, 'u32'] }],
} as const;

test('a table reads its attributes and ignores others', () => {
  const decoded = decodeTable(
    table,
    reader(
      attr(4, u64(0xfffffffffffffffen)),
      attr(99, u32(1)),
      attr(5, be16(443)),
      attr(6, text('rr'), zeros(14)),
      attr(7, [9, 8, 7]),
      nest(8, attr(1, u32(0xffffffff)), attr(2, [1])),
    ),
  );
  assert.deepEqual(decoded, {
    big: 0xfffffffffffffffen,
    port: 443,
    name: 'rr',
    raw: new Uint8Array([9, 8, 7]),
    inner: { word: 0xffffffff },
  });
});

test('a string without NUL and an empty one', () => {
  assert.deepEqual(decodeTable(table, reader(attr(6, text('abc')))), { name: 'abc' });
  assert.deepEqual(decodeTable(table, reader(attr(6))), { name: '' });
});

test('attributes that do not fit, or are too short for their kind', () => {
  assert.throws(() => decodeTable(table, reader([8, 0, 1, 0, 5])), MalformedError);
  assert.throws(() => decodeTable(table, reader([3, 0, 1, 0])), MalformedError);
  assert.throws(() => decodeTable(table, reader(attr(3, u16(1)))), MalformedError);
  assert.throws(() => decodeTable(table, reader(nest(8, [255, 0, 1, 0]))), MalformedError);
  // A rest shorter than a header is padding.
  assert.deepEqual(decodeTable(table, reader([0, 0, 0])), {});
});

test('several messages of one datagram', () => {
  const messages = view([...message(20, 2, 7, attr(1, [5])), ...message(3, 2, 7, u32(0))]);
  assert.ok(messages.next());
  assert.deepEqual([messages.type, messages.flags, messages.sequence], [20, 2, 7]);
  assert.deepEqual(decodeTable(table, messages.attributes(0)), { flag: 5 });
  assert.ok(messages.next());
  assert.equal(messages.type, 3);
  assert.ok(!messages.next());
});

test('messages whose length does not fit', () => {
  assert.throws(() => view([...u32(15), ...zeros(12)]).next(), MalformedError);
  assert.throws(() => view([...u32(17), ...zeros(12)]).next(), MalformedError);
  assert.ok(!view([1, 2, 3]).next());
  assert.throws(() => first(message(20, 0, 0)).attributes(4), MalformedError);
});

const request = message(20, 5, 9, attr(1, u32(1)));

test('an ack, and an error without extended ACK', () => {
  assert.equal(readAck(first(message(2, 0, 9, u32(0), request.slice(0, 16)))), undefined);
  const error = readAck(first(message(2, 0, 9, u32(-17), request)));
  assert.equal(error?.errno, 17);
  assert.equal(error.errnoName, 'EEXIST');
  assert.deepEqual(error.extendedAck, {});
});

test('extended ACK without and with the request', () => {
  const more = [...attr(1, text('no such thing'), [0]), ...attr(2, u32(20)), ...attr(5, u32(3)), ...attr(6, u32(24))];
  const expected = { message: 'no such thing', offset: 20, missingType: 3, missingNest: 24 };
  const capped = readAck(first(message(2, 0x300, 9, u32(-22), request.slice(0, 16), more)));
  assert.deepEqual(capped?.extendedAck, expected);
  const whole = readAck(first(message(2, 0x200, 9, u32(-22), request, more)));
  assert.deepEqual(whole?.extendedAck, expected);
  assert.match(whole.message, /no such thing.*byte 20.*attribute 3 is missing/);
});

test('the end of a dump: success, error, error with extended ACK', () => {
  assert.equal(readAck(first(message(3, 2, 9, u32(0)))), undefined);
  assert.equal(readAck(first(message(3, 2, 9))), undefined);
  assert.equal(readAck(first(message(3, 2, 9, u32(-22))))?.errno, 22);
  const error = readAck(first(message(3, 0x202, 9, u32(-22), attr(1, text('strict'), [0]))));
  assert.equal(error?.extendedAck.message, 'strict');
});

test('an error message without an errno', () => {
  assert.throws(() => readAck(first(message(2, 0, 9))), MalformedError);
});
