// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLog } from '../../../src/control/event-log.ts';

test('the last events are kept, in order', () => {
  const log = new EventLog(10);
  for (let i = 1; i <= 45; i++) log.add('daemon', `${i}`);
  assert.deepEqual(
    log.since().map(({ sequence }) => sequence),
    [36, 37, 38, 39, 40, 41, 42, 43, 44, 45],
  );
  assert.deepEqual(
    log.since(43).map(({ text }) => text),
    ['44', '45'],
  );
});

test('a real server that flaps does not push out the events of others', () => {
  const log = new EventLog(100);
  const virtual = 'tcp 10.99.0.10:80';
  for (let i = 0; i < 20; i++) log.add('server', `other ${i}`, { virtual, address: `10.31.4.${i}:80` });
  for (let i = 0; i < 5000; i++) log.add('server', `reason ${i}`, { virtual, address: '10.31.5.2:80' });
  const kept = log.since().map(({ text }) => text);
  assert.deepEqual(
    kept.slice(0, 20),
    Array.from({ length: 20 }, (_, i) => `other ${i}`),
  );
  assert.deepEqual(
    kept.slice(20),
    Array.from({ length: 10 }, (_, i) => `reason ${4990 + i}`),
  );
});
