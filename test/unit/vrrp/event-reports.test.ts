// SPDX-License-Identifier: MIT
// Events that other routers cause are reported once, then as a number once a minute.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventReports } from '../../../src/vrrp/event-reports.ts';

test('four contests a second for ten minutes are 11 events with their numbers, and leave room for others', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const found: string[] = [];
  const reports = new EventReports<'contested' | 'interval'>((event, reason) => found.push(`${event}: ${reason}`));
  reports.add('interval', 'long');
  for (let i = 0; i < 2400; i++) {
    reports.add('contested', `priority ${i % 2}`);
    context.mock.timers.tick(250);
  }
  assert.deepEqual(found.slice(0, 3), [
    'interval: long',
    'contested: priority 0',
    'contested: priority 1 (239 times in the last 60 s)',
  ]);
  assert.equal(found.length, 12);
  context.mock.timers.tick(60_000);
  assert.equal(found.length, 12, 'nothing more happened');
  reports.add('contested', 'again');
  assert.equal(found.at(-1), 'contested: again');
  reports.add('contested', 'dropped');
  reports.close();
  context.mock.timers.tick(120_000);
  assert.equal(found.length, 13);
});
