// SPDX-License-Identifier: MIT
// Messages of the VRRP process to a daemon that does not read them: bounded, without losing the latest state and advert
// of priority 0.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FromVrrp } from '../../../src/vrrp/messages.ts';
import { MAX_WAITING, Outbox } from '../../../src/vrrp/outbox.ts';

const log: FromVrrp = { type: 'log', level: 'info', text: 'x' };
const deposit = (instance: string, message: string): FromVrrp => ({
  type: 'last-messages',
  instance,
  messages: [{ device: 'eth0', index: 2, family: 2, source: '10.0.0.1', destination: '224.0.0.18', message }],
});
const state = (to: 'backup' | 'master'): FromVrrp => ({
  type: 'state',
  instance: 'edge',
  from: to === 'master' ? 'backup' : 'master',
  to,
  reason: '',
});

/** An outbox whose channel takes messages one by one, when `take` is called. */
function made() {
  const written: FromVrrp[] = [];
  const waiting: (() => void)[] = [];
  const outbox = new Outbox((message, done) => {
    written.push(message);
    waiting.push(done);
  });
  return { outbox, written, take: () => waiting.shift()?.() };
}

test('beyond 256 waiting messages the latest deposit and state of each instance are kept', () => {
  const { outbox, written, take } = made();
  for (let count = 0; count < MAX_WAITING + 10; count++) outbox.send(log);
  assert.equal(written.length, MAX_WAITING);
  outbox.send(deposit('edge', 'old'));
  outbox.send(state('master'));
  outbox.send(deposit('inside', 'other'));
  outbox.send(deposit('edge', 'new'));
  outbox.send(state('backup'));
  outbox.send(log);
  assert.equal(written.length, MAX_WAITING, 'memory stays bounded');
  for (let count = 0; count < 10; count++) take();
  assert.deepEqual(written.slice(MAX_WAITING), [
    deposit('inside', 'other'),
    deposit('edge', 'new'),
    state('backup'),
    { type: 'log', level: 'warn', text: 'lvsd did not read the messages of its VRRP process: 11 were dropped' },
  ]);
  outbox.send(log);
  assert.equal(written.at(-1), log);
});

test('a message does not overtake those that are kept', () => {
  const { outbox, written, take } = made();
  for (let count = 0; count < MAX_WAITING; count++) outbox.send(log);
  outbox.send(state('master'));
  outbox.send(state('backup'));
  take();
  outbox.send(state('master'));
  take();
  assert.deepEqual(written.slice(MAX_WAITING), [state('backup'), state('master')]);
});
