// SPDX-License-Identifier: MIT
// The decoder of long dumps compared with the general one, on messages laid out as the kernel's, on others, and on
// damaged ones.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MalformedError } from '../../src/base/errors.ts';
import { readService } from '../../src/ipvs/codec.ts';
import type { Service } from '../../src/ipvs/index.ts';
import { ServiceDecoder } from '../../src/ipvs/service-decoder.ts';
import { COMMAND } from '../../src/ipvs/tables.ts';
import { AttributeReader, decodeTable } from '../../src/netlink/index.ts';
import { attr, be16, text, u16, u32, u64, zeros } from '../support/netlink-bytes.ts';

const numRuns = process.env.LVSD_COUNTS === 'full' ? 200_000 : 3000;

const u32s = fc.oneof(fc.nat({ max: 400 }), fc.integer({ min: 0, max: 0xffffffff }));
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((some) => [...some]);
const services = fc.record({
  family: fc.constantFrom(2, 2, 2, 10),
  protocol: fc.constantFrom(6, 17, 132),
  address: bytes(16),
  port: fc.nat({ max: 65535 }),
  fwmark: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: u32s }),
  scheduler: fc.constantFrom('rr', 'wrr', 'wrr', 'wrr', 'dh', 'none', 'lblcr', 'a-name-of-max-l'),
  peName: fc.constantFrom('', '', '', '', 'sip'),
  flags: u32s,
  timeout: u32s,
  netmask: fc.oneof(fc.constant<number[]>([255, 255, 255, 255]), bytes(4)),
  counter: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  localAddresses: fc.option(u32s, { freq: 3 }),
  ports: fc.option(fc.nat({ max: 65535 }), { freq: 1 }),
});
type Given = typeof services extends fc.Arbitrary<infer T> ? T : never;

/** As ip_vs_genl_fill_service() writes it: nests without NLA_F_NESTED. */
function service(given: Given): number[] {
  const counters = Array.from({ length: 10 }, (_, i) => i + 1);
  const key = given.fwmark
    ? [attr(5, u32(given.fwmark))]
    : [
        attr(2, u16(given.protocol)),
        attr(3, given.family === 2 ? [...given.address.slice(0, 4), ...zeros(12)] : given.address),
        attr(4, be16(given.port)),
      ];
  return attr(
    1,
    attr(1, u16(given.family)),
    ...key,
    attr(6, text(given.scheduler), [0]),
    ...(given.peName ? [attr(11, text(given.peName), [0])] : []),
    attr(7, u32(given.flags), u32(0xffffffff)),
    attr(8, u32(given.timeout)),
    attr(9, given.netmask),
    attr(10, ...counters.map((id) => attr(id, id < 4 || id > 5 ? u32(1) : u64(given.counter)))),
    attr(12, ...counters.map((id) => attr(id, u64(given.counter)))),
    ...(given.localAddresses === null ? [] : [attr(33, u32(given.localAddresses))]),
    ...(given.ports === null ? [] : [attr(36, u16(given.ports)), attr(37, u16(given.ports))]),
  );
}

const reader = (buffer: Buffer, start: number, end: number) => new AttributeReader(buffer, start, end);

type Result = Service | MalformedError | undefined;

function result(decode: () => Service | undefined): Result {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

const general = (buffer: Buffer, start: number, end: number): Result =>
  result(() => readService(decodeTable(COMMAND, reader(buffer, start, end))));

test('services of a dump are decoded as by the general decoder, or left to it', () => {
  let decoded = 0;
  let total = 0;
  fc.assert(
    fc.property(fc.array(services, { minLength: 1, maxLength: 8 }), (list) => {
      const messages = list.map(service);
      const buffer = Buffer.from(messages.flat());
      const decoder = new ServiceDecoder();
      let at = 0;
      for (const [i, message] of messages.entries()) {
        const end = at + message.length;
        const found = decoder.decode(reader(buffer, at, end));
        const { fwmark, peName, ports } = list[i] as Given;
        assert.equal(found !== undefined, !fwmark && !peName && ports === null);
        if (found) {
          assert.deepEqual(found, general(buffer, at, end));
          decoded++;
        }
        total++;
        at = end;
      }
    }),
    { numRuns: numRuns / 4 },
  );
  assert.ok(decoded > total / 4, `only ${decoded} of ${total} were decoded`);
});

test('a damaged message is left to the general decoder, unless both read the same', () => {
  fc.assert(
    fc.property(
      services,
      services,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 40 }),
      (first, second, changes, cut) => {
        const decoder = new ServiceDecoder();
        const [before, message] = [service(first), service(second)];
        for (const [at, value] of changes) message[at % message.length] = value;
        const buffer = Buffer.from([...before, ...message]);
        decoder.decode(reader(buffer, 0, before.length));
        for (const end of [buffer.length, buffer.length - cut]) {
          const found = result(() => decoder.decode(reader(buffer, before.length, end)));
          if (found) assert.deepEqual(found, general(buffer, before.length, end));
        }
      },
    ),
    { numRuns },
  );
});
