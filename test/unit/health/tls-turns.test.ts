// SPDX-License-Identifier: MIT
// Targets whose TLS connections are costly share a part of the time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TlsTurns } from '../../../src/health/http/tls-turns.ts';

test('100 costly targets take a quarter of the time together, each its turn, and cheap ones never wait', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const turns = new TlsTurns(() => now);
  const costly = Array.from({ length: 100 }, (_, index) => ({ index, turns: 0 }));
  for (const target of costly) {
    assert.equal(
      turns.take(target, () => {}),
      undefined,
      'not known yet',
    );
    turns.spent(target, 100);
  }
  let waiting: { cancel(): void }[] = [];
  for (; now < 120_000; now += 100, context.mock.timers.tick(100)) {
    if (now % 2000 === 0) {
      // Each is checked every 2 s: what still waits has timed out.
      for (const one of waiting) one.cancel();
      waiting = costly.flatMap((target) => {
        const one = turns.take(target, () => {
          target.turns += 1;
          turns.spent(target, 100);
        });
        return one ? [{ cancel: () => turns.cancel(one) }] : [];
      });
    }
    let started = false;
    turns.take({}, () => {
      started = true;
    });
    assert.ok(started);
  }
  const all = costly.map((target) => target.turns);
  const sum = all.reduce((a, b) => a + b);
  assert.ok(sum * 100 <= 0.26 * now && sum * 100 >= 0.2 * now, `${sum} connections of 100 ms in ${now} ms`);
  assert.ok(Math.max(...all) - Math.min(...all) <= 1, all.join());
});

test('a target that has become cheap is one like the others in the end', () => {
  const turns = new TlsTurns(() => 0);
  const target = {};
  turns.spent(target, 250);
  turns.take(target, () => {});
  assert.notEqual(
    turns.take(target, () => {}),
    undefined,
  );
  for (let i = 0; i < 130; i++) turns.spent(target, 1);
  assert.equal(
    turns.take(target, () => {}),
    undefined,
  );
});
