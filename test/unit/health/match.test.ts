// SPDX-License-Identifier: MIT
// Regular expressions against hostile bodies: bounded in time, and nobody else waits for them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matcher } from '../../../src/health/http/matcher.ts';

const bytes = (text: string) => Buffer.from(text);

test('matches are those of JavaScript, on UTF-8', async () => {
  assert.equal(await matcher.pattern('^gr\u00fc\u00dfe\\s').test(bytes('gr\u00fc\u00dfe an alle')), true);
  assert.equal(await matcher.pattern('^ok$').test(bytes('not ok')), false);
  assert.throws(() => matcher.pattern('(('), SyntaxError);
});

test('an expression that would take years holds nobody up, and rests afterwards', async () => {
  const hostile = matcher.pattern('^(a+)+$');
  const body = bytes(`${'a'.repeat(60)}!`);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  const started = performance.now();
  assert.equal(await hostile.test(body), 'slow');
  const took = performance.now() - started;
  clearInterval(timer);
  assert.ok(took < 1000, `${took}`);
  assert.ok(ticks >= 5, 'this thread went on meanwhile');
  const again = performance.now();
  assert.equal(await hostile.test(body), 'slow');
  assert.ok(performance.now() - again < 50, 'it was not even tried');
  assert.equal(await matcher.pattern('^(a+)+$').test(bytes('aaa')), true, 'the same expression of another target');
});

test('many at once are all answered', async () => {
  const pattern = matcher.pattern('7$');
  const results = await Promise.all(Array.from({ length: 300 }, (_, i) => pattern.test(bytes(`${i}`))));
  assert.equal(results.filter((result) => result === true).length, 30);
});
