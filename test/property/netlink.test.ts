// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LvsdError } from '../../src/base/errors.ts';
import { readDestination, readInfo, readLocalAddress, readService } from '../../src/ipvs/codec.ts';
import { commandWithStats, INFO } from '../../src/ipvs/tables.ts';
import { parse } from '../../src/ipvsadm/command-line/grammar.ts';
import { optionsFor } from '../../src/ipvsadm/command-line/options.ts';
import { Fatal, Rejected } from '../../src/ipvsadm/errors.ts';
import { HostNeeded, Lookup } from '../../src/ipvsadm/lookup.ts';
import { readAck } from '../../src/netlink/ack.ts';
import { decodeTable, encodeTable, genericMessage, MessageView, MessageWriter } from '../../src/netlink/index.ts';

const u16 = fc.nat({ max: 0xffff });
const u32 = fc.nat({ max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
const table = {
  byte: [1, 'u8'],
  small: [2, 'u16'],
  word: [300, 'u32'],
  big: [4, 'u64'],
  port: [5, 'be16'],
  mask: [6, 'be32'],
  name: [7, 'string'],
  raw: [8, 'bytes'],
  inner: [9, { word: [1, 'u32'], deeper: [2, { name: [1, 'string'] }] }],
} as const;
const values = fc.record(
  {
    byte: fc.nat({ max: 255 }),
    small: u16,
    word: u32,
    big: u64,
    port: u16,
    mask: u32,
    name: text,
    raw: fc.uint8Array({ maxLength: 50 }),
    inner: fc.record(
      { word: u32, deeper: fc.record({ name: text }, { requiredKeys: [], noNullPrototype: true }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
);

function view(bytes: Uint8Array): MessageView {
  const buffer = Buffer.from(bytes);
  return new MessageView(buffer, 0, buffer.length);
}

test('the reader returns what the writer wrote', () => {
  fc.assert(
    fc.property(values, (given) => {
      const writer = new MessageWriter().begin(20, 5).genericHeader(3, 1);
      encodeTable(table, writer, given);
      const messages = view(writer.finish());
      assert.ok(messages.next());
      assert.deepEqual(decodeTable(table, genericMessage(messages).attributes), { ...given });
    }),
  );
});

/** A netlink message with a few damaged bytes, so that its lengths are nearly right. */
const damaged = fc
  .tuple(values, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }), fc.nat({ max: 40 }))
  .map(([given, damages, cut]) => {
    const writer = new MessageWriter().begin(2, 0x300).raw(new Uint8Array(20));
    encodeTable(table, writer, given);
    const bytes = writer.finish();
    for (const [at, value] of damages) bytes[at % bytes.length] = value;
    return bytes.subarray(0, bytes.length - (cut < 20 ? 0 : cut - 20));
  });

test('random bytes make the readers throw typed errors only', () => {
  const readers = [
    (messages: MessageView) => decodeTable(table, genericMessage(messages).attributes),
    (messages: MessageView) => readAck(messages),
    (messages: MessageView) => {
      const decode = () => decodeTable(commandWithStats(), genericMessage(messages).attributes);
      readService(decode());
      readDestination(decode(), 2);
      readLocalAddress(decode(), 10);
    },
    (messages: MessageView) => readInfo(decodeTable(INFO, genericMessage(messages).attributes)),
  ];
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      for (const read of readers)
        try {
          for (const messages = view(bytes); messages.next(); ) read(messages);
        } catch (error) {
          assert.ok(error instanceof LvsdError, String(error));
        }
    }),
    { numRuns: 3000 },
  );
});

test('random command lines make the grammar throw its own errors only', () => {
  const lookup = new Lookup();
  const written = optionsFor('add-service').flatMap(({ long, short }) => [
    `--${long}`,
    ...(short ? [`-${short}`] : []),
  ]);
  const word = fc.oneof(
    fc.constantFrom(...written),
    fc.constantFrom(
      '192.0.2.1:80',
      '[2001:db8::1]:443',
      '10.0.0.1',
      'rr',
      'sh-port',
      '7',
      '-1',
      'gue',
      'master',
      '224.0.0.1',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 10 }), (words) => {
      try {
        parse(words, lookup, 'lvsadm');
      } catch (error) {
        assert.ok(error instanceof Fatal || error instanceof Rejected || error instanceof HostNeeded, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});
