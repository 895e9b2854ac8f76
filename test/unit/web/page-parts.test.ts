// SPDX-License-Identifier: MIT
// The pure parts of the page: texts, addresses, curves, what messages change, windows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { Model, type ServiceView } from '../../../src/control/lvsctl/top/model.ts';
import type { Overview } from '../../../src/control/messages.ts';
import { addressOf, type Looking, livePath, readAddress } from '../../../src/web/client/address.ts';
import {
  axisLabels,
  bitsText,
  clockLabels,
  commandText,
  countText,
  curvePaths,
  serverCommand,
  shareText,
} from '../../../src/web/client/format.ts';
import { CURVE, NOTHING, received } from '../../../src/web/client/state.ts';
import { History, READINGS } from '../../../src/web/page/history.ts';
import type { Head, PageEvent, Rows, ServiceRow } from '../../../src/web/page/messages.ts';
import { readLiveQuery } from '../../../src/web/page/query.ts';
import { Snapshot } from '../../../src/web/page/snapshot.ts';
import { STATS } from '../control/stats.ts';

test('numbers have three digits and a unit', () => {
  assert.deepEqual([null, 0, 8.94, 577, 4787, 32_000_000].map(countText), ['-', '0', '8.9', '577', '4.8k', '32M']);
  assert.deepEqual([null, 0, 12, 80_500, 4e9].map(bitsText), ['-', '0 b/s', '96 b/s', '644 kb/s', '32 Gb/s']);
  assert.deepEqual(
    [shareText(0, 0), shareText(0, 5), shareText(9996, 10_000), shareText(5, 5)],
    ['-', '0 %', '99 %', '100 %'],
  );
});

test('the labels of an axis have one unit', () => {
  assert.deepEqual(axisLabels([0, 25e6, 50e6], 'b/s'), ['0', '25 Mb/s', '50 Mb/s']);
  assert.deepEqual(axisLabels([0, 500_000, 1_000_000, 1_500_000], 'b/s'), ['0', '0.5 Mb/s', '1.0 Mb/s', '1.5 Mb/s']);
  assert.deepEqual(axisLabels([0, 250, 500], ''), ['0', '250', '500']);
  assert.deepEqual(axisLabels([0, 0.25, 0.5], ''), ['0', '0.25', '0.50']);
  const minutes = clockLabels([0, 60_000, 120_000]);
  assert.ok(minutes.every((label) => /^\d\d:\d\d$/.test(label)) && new Set(minutes).size === 3, `${minutes}`);
  const seconds = clockLabels([0, 15_000, 30_000]);
  assert.ok(seconds.every((label) => /^\d\d:\d\d:\d\d$/.test(label)) && new Set(seconds).size === 3, `${seconds}`);
});

test('commands are single words to a shell, whatever a name has', () => {
  assert.equal(serverCommand('shop', { name: 'web2', override: undefined }), 'lvsctl drain shop web2');
  assert.equal(serverCommand('shop', { name: 'web2', override: 'drain' }), 'lvsctl undrain shop web2');
  assert.equal(serverCommand('shop', { name: 'web2', override: 'disable' }), 'lvsctl enable shop web2');
  const words = [
    '10.31.4.2:8443',
    '[2001:db8::2]:80',
    'a b',
    "it's",
    '$(reboot)',
    '`id`',
    'a;b',
    '*',
    '~',
    '',
    '"',
    '\\',
    '!x',
    '#',
  ];
  const { stdout } = spawnSync('sh', ['-c', `printf '<%s>' ${commandText(...words)}`], { encoding: 'utf8' });
  assert.equal(stdout, words.map((word) => `<${word}>`).join(''));
});

test('an address says what is shown, and a link to it shows the same', () => {
  const looking: fc.Arbitrary<Looking> = fc.record(
    {
      search: fc.string({ maxLength: 20 }),
      sort: fc.constantFrom('state', 'name', 'active', 'conn/s', 'in', 'out'),
      reverse: fc.boolean(),
      bad: fc.boolean(),
      open: fc.option(fc.string({ minLength: 1, maxLength: 20 }), { nil: undefined }),
      at: fc.constant(undefined),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(looking, (one) => {
      assert.deepEqual(readAddress(addressOf(one)), one);
      const { from, count, ...rest } = readLiveQuery(new URL(livePath(one, 40, 60), 'http://localhost').searchParams);
      assert.deepEqual([from, count], [40, 60]);
      assert.deepEqual(rest, one);
    }),
  );
  assert.equal(
    addressOf(readAddress('?open=shop&at=tcp+10.99.0.10:443&x=y&sort=z')),
    '?open=shop&at=tcp+10.99.0.10%3A443',
  );
  assert.equal(addressOf(readAddress('')), '?');
});

test('a curve ends at gaps and has its highest point below the edge', () => {
  assert.deepEqual(curvePaths([], 5, 100, 20), []);
  assert.deepEqual(curvePaths([7], 5, 100, 20), []);
  assert.deepEqual(curvePaths([0, 10, 10], 3, 100, 20), ['0.0,19.0 50.0,2.0 100.0,2.0']);
  // Fewer than it has room for: at the end.
  assert.deepEqual(curvePaths([0, 10], 5, 100, 20), ['75.0,19.0 100.0,2.0']);
  assert.deepEqual(curvePaths([0, 10, null, 10, 10], 5, 100, 20), ['0.0,19.0 25.0,2.0', '75.0,2.0 100.0,2.0']);
});

test('the history keeps the last readings, and forgets services that are gone', () => {
  const history = new History();
  const rates = (connections: number) => ({ connections, inBytes: 2 * connections, outBytes: Number.NaN });
  history.add(0, [{ key: 'old', ...rates(1) }]);
  for (let i = 1; i <= READINGS + 5; i++) history.add(i * 1000, [{ key: 'shop', ...rates(i) }]);
  assert.equal(history.count, READINGS + 6);
  assert.deepEqual([history.at.length, history.at[0], history.at.at(-1)], [READINGS, 6000, (READINGS + 5) * 1000]);
  const shop = history.of('shop', 'connections');
  assert.deepEqual([shop.length, shop[0], shop.at(-1)], [READINGS, 6, READINGS + 5]);
  assert.equal(history.of('shop', 'inBytes').at(-1), 2 * (READINGS + 5));
  assert.equal(history.of('shop', 'outBytes').at(-1), null);
  assert.deepEqual(new Set(history.of('old', 'connections')), new Set([null]));
  history.add(1e6, [{ key: 'new', ...rates(12_345) }]);
  assert.deepEqual(history.of('new', 'connections').slice(-2), [null, 12_300]);
});

test('orders of services: kept for viewers of one moment, not without limit', () => {
  const overview = { host: 'lb1', services: [], reasons: [] } as unknown as Overview;
  const answers = { stats: STATS, at: 0, overview, vrrp: [], opened: new Map() };
  const snapshot = new Snapshot(answers, new Model(0), new History(), new Map());
  const services = snapshot.view.services as ServiceView[];
  let sorted = 0;
  const filter = services.filter.bind(services);
  services.filter = ((...given: Parameters<typeof filter>) => {
    sorted++;
    return filter(...given);
  }) as typeof services.filter;
  const ask = (search: string) =>
    snapshot.rows({ ...readLiveQuery(new URLSearchParams({ q: search })) }).rows.map(({ name }) => name);
  assert.deepEqual(ask('SHOP'), ['shop']);
  assert.deepEqual(ask('shop'), ['shop']);
  assert.equal(sorted, 1);
  for (let i = 0; i < 19; i++) ask(`${i}`);
  ask('Shop');
  assert.equal(sorted, 20);
  for (let i = 0; i < 20; i++) ask(`other ${i}`);
  ask('shop');
  assert.equal(sorted, 41);
});

const row = (key: string, more: Partial<ServiceRow> = {}): ServiceRow => ({
  ...{ name: key, virtual: 'tcp 10.99.0.1:80', state: 'up', realServers: 2, up: 2, active: 0 },
  ...{ connections: 1, in: 1, out: 1, why: '', ...more },
});
const rowsOf = (...rows: ServiceRow[]): Rows => ({ total: rows.length, from: 0, rows });

test('messages change what they have, and curves grow by their points', () => {
  const event = (number: number): PageEvent => ({
    ...{ id: `1f00ba5e:${number}`, at: number, kind: 'table.drift', severity: 'info', text: '' },
  });
  const ids = (known: typeof NOTHING) => known.events.map(({ at }) => at);
  let known = received(
    NOTHING,
    { now: 5000, age: 10, rows: rowsOf(row('a', { history: [1, 2] })), events: [1, 2].map(event) },
    1000,
  );
  assert.deepEqual([known.ahead, known.answeredAt, ids(known)], [4000, 990, [2, 1]]);
  known = received(
    known,
    { now: 7000, age: 5, rows: rowsOf(row('a', { point: 3 }), row('b', { history: [9] })) },
    3000,
  );
  assert.deepEqual(
    [...known.curves],
    [
      ['a tcp 10.99.0.1:80', [1, 2, 3]],
      ['b tcp 10.99.0.1:80', [9]],
    ],
  );
  // A new stream begins with events that are there already.
  known = received(known, { now: 8000, age: 1500, events: [1, 2, 3].map(event) }, 4000);
  assert.deepEqual([ids(known), known.answeredAt, known.rows?.total], [[3, 2, 1], 2500, 2]);
  known = received(known, { now: 9000, age: 2500, problem: 'no daemon answers' }, 5000);
  assert.deepEqual([known.problem, known.answeredAt, known.rows?.total], ['no daemon answers', 2500, 2]);
  for (let i = 0; i < 2 * CURVE; i++)
    known = received(known, { now: 0, age: 0, rows: rowsOf(row('a', { point: i })) }, 0);
  assert.deepEqual(
    [known.problem, known.curves.size, known.curves.get('a tcp 10.99.0.1:80')?.length],
    [undefined, 1, CURVE],
  );
  // Before the first answer nothing has an age.
  assert.equal(received(NOTHING, { now: 0, age: 0, problem: 'no daemon answers' }, 5).answeredAt, undefined);
});

test('the sums grow by one point a reading', () => {
  const head = (readings: number, connections: number, history?: Head['history']): Head =>
    ({ readings, connections, traffic: connections, ...(history && { history }) }) as Head;
  const after = (...heads: Head[]) =>
    heads.reduce((known, one) => received(known, { now: 0, age: 0, head: one }, 0), NOTHING).head?.history?.connections;
  const first = head(2, 2, { connections: [1, 2], traffic: [1, 2] });
  assert.deepEqual(after(first, head(2, 2), head(3, 3), head(3, 3), head(4, 4)), [1, 2, 3, 4]);
  assert.deepEqual(after(first, head(9, 9, { connections: [8, 9], traffic: [8, 9] })), [8, 9]);
  assert.equal(after(head(1, 1)), undefined);
});
