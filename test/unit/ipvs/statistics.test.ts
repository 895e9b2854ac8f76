// SPDX-License-Identifier: MIT
// Counters read in place are those that the general decoder reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDestination, readService } from '../../../src/ipvs/codec.ts';
import { destinationKey, type Statistic, StatisticsTable, serviceKeyText } from '../../../src/ipvs/index.ts';
import { commandWithStats } from '../../../src/ipvs/tables.ts';
import type { Stats } from '../../../src/ipvs/types.ts';
import { AttributeReader, decodeTable } from '../../../src/netlink/index.ts';
import { attr, be16, nest, u16, u32, u64, zeros } from '../../support/netlink-bytes.ts';

const reader = (parts: number[][]) => {
  const bytes = Buffer.from(parts.flat());
  return new AttributeReader(bytes, 0, bytes.length);
};
const NAMES = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const;
const counters = (table: StatisticsTable, key: string) => NAMES.map((name) => table.get(key, name));
const expected = (stats: Stats | undefined) => NAMES.map((name) => Number(stats?.[name]));

const address = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => [...bytes]);
const count = fc.bigInt({ min: 0n, max: 2n ** 53n - 1n });
const stats = fc
  .array(count, { minLength: 10, maxLength: 10 })
  .map((all) => [
    ...nest(10, attr(1, u32(7)), attr(4, u64(9n))),
    ...nest(12, ...all.map((one, index) => attr(index + 1, u64(one)))),
  ]);
const port = fc.integer({ min: 0, max: 65535 });

test('services, by address or mark', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(2, 10),
      address,
      port,
      fc.integer({ min: 0, max: 3 }),
      stats,
      (family, bytes, at, mark, more) => {
        const ipv4 = [...bytes.slice(0, 4), ...zeros(12)];
        const key =
          mark > 0 ? [attr(5, u32(mark))] : [attr(2, u16(6)), attr(3, family === 2 ? ipv4 : bytes), attr(4, be16(at))];
        const message = [nest(1, attr(1, u16(family)), ...key, more, attr(7, u32(0), u32(0)))];
        const service = readService(decodeTable(commandWithStats(), reader(message)));
        assert.ok(service);
        const table = new StatisticsTable();
        table.readService(reader(message));
        assert.deepEqual([table.size, counters(table, serviceKeyText(service))], [1, expected(service.stats)]);
      },
    ),
    { numRuns: 300 },
  );
});

test('destinations; a second reading overwrites the first', () => {
  const table = new StatisticsTable();
  let size = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(2, 10),
      address,
      port,
      fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
      stats,
      (family, bytes, at, numbers, more) => {
        const [weight = 0, active = 0, inactive = 0, persistent = 0] = numbers;
        const message = [
          nest(
            2,
            attr(1, family === 2 ? [...bytes.slice(0, 4), ...zeros(12)] : bytes),
            attr(2, be16(at)),
            ...[weight, active, inactive, persistent].map((one, index) =>
              attr([4, 7, 8, 9][index] as number, u32(one)),
            ),
            attr(11, u16(family)),
            more,
          ),
        ];
        const one = readDestination(decodeTable(commandWithStats(), reader(message)), 2);
        assert.ok(one);
        const key = destinationKey('2/6/0a000001/80', one.address, one.port);
        if (table.get(key, 'weight') === undefined) size++;
        for (let i = 0; i < 2; i++) table.readDestination(reader(message), '2/6/0a000001/80', 2);
        assert.equal(table.size, size);
        assert.deepEqual(counters(table, key), expected(one.stats));
        const rest: Statistic[] = ['weight', 'active', 'inactive', 'persistent'];
        assert.deepEqual(
          rest.map((name) => table.get(key, name)),
          [one.weight, one.activeConnections, one.inactiveConnections, one.persistentConnections],
        );
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(size > 100);
  assert.equal(table.get('2/6/0a000001/80 none', 'weight'), undefined);
});
