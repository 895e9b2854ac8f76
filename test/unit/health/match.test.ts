// SPDX-License-Identifier: MIT
// Regular expressions on hostile bodies: bounded in time, without delays for other checks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { matcher } from '../../../src/health/http/matcher.ts';
import { unknown } from '../../../src/health/machine.ts';
import { loadProbers } from '../../../src/health/worker/probers.ts';
import { ProbeRunner } from '../../../src/health/worker/runner.ts';
import { HTTP, target as probed, serve } from '../../support/probes.ts';

const prepare = await loadProbers();

const bytes = (text: string) => Buffer.from(text);

test('matches are those of JavaScript, on UTF-8', async () => {
  assert.equal(await matcher.pattern('^gr\u00fc\u00dfe\\s').test({}, bytes('gr\u00fc\u00dfe an alle')), true);
  assert.equal(await matcher.pattern('^ok$').test({}, bytes('not ok')), false);
  assert.throws(() => matcher.pattern('(('), SyntaxError);
});

test('an expression that takes too long is ended, and not tried again at once', async () => {
  const hostile = matcher.pattern('^(a+)+$');
  const target = {};
  const body = bytes(`${'a'.repeat(60)}!`);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 5);
  let started = performance.now();
  let result = await hostile.test(target, body);
  // On a busy machine the thread may get no processor time, which is inconclusive.
  for (let tries = 0; result === 'starved' && tries < 20; tries++) {
    started = performance.now();
    result = await hostile.test(target, body);
  }
  assert.equal(result, 'slow');
  const took = performance.now() - started;
  clearInterval(timer);
  assert.ok(took < 1000, `${took}`);
  assert.ok(ticks >= 5, 'this thread continued meanwhile');
  const again = performance.now();
  assert.equal(await hostile.test(target, body), 'slow');
  assert.ok(performance.now() - again < 50, 'it was not tried');
  assert.equal(await hostile.test({}, bytes('aaa')), true, 'another target of the same check');
});

test('300 concurrent matches all get results', async () => {
  const pattern = matcher.pattern('7$');
  const results = await Promise.all(Array.from({ length: 300 }, (_, i) => pattern.test({}, bytes(`${i}`))));
  assert.equal(results.filter((result) => result === true).length, 30);
  assert.equal(results.filter((result) => result === false).length, 270);
});

test('bodies that cost much time wait for those that cost little', async () => {
  const costly = matcher.pattern('^(a+)+$');
  const body = bytes(`${'a'.repeat(20)}!`);
  const targets = Array.from({ length: 20 }, () => ({}));
  // Below the limit of one match, so that none is suspended.
  for (const one of targets) assert.equal(await costly.test(one, body), false);
  const order: string[] = [];
  const waiting = targets.map((one) => costly.test(one, body).then(() => order.push('costly')));
  const sane = matcher.pattern('^ok$').test({}, bytes('error'));
  waiting.push(sane.then(() => order.push('cheap')));
  await Promise.all(waiting);
  // One was running already.
  assert.equal(order.indexOf('cheap'), 1, order.join(' '));
});

test('a request that is not wanted any more is not made', async () => {
  const pattern = matcher.pattern('^ok$');
  const results = [pattern.test({}, bytes('ok')), pattern.test({}, bytes('ok'), () => false)];
  assert.deepEqual(await Promise.all(results), [true, 'starved']);
});

test('time in which the process did not run does not count for the expression', async () => {
  const host = join(dirname(fileURLToPath(import.meta.url)), 'match-host.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', host], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text;
  });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  let stops = 0;
  while (child.exitCode === null && !output.includes('}')) {
    child.kill('SIGSTOP');
    await sleep(130);
    child.kill('SIGCONT');
    await sleep(40);
    stops++;
  }
  await ended;
  // A match that is started again too often is inconclusive, too.
  const {
    false: not = 0,
    starved = 0,
    ...other
  } = JSON.parse(output.slice('ready\n'.length)) as Record<string, number>;
  assert.deepEqual([not + starved, other], [150, {}], `${stops} stops: ${output}`);
  assert.ok(not >= 100, `${not} matched`);
  assert.ok(stops >= 3, `${stops} stops: ${output}`);
});

test('an answer that waits for other matches is inconclusive', async () => {
  const answer = (text: string) =>
    serve((socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n\r\n${text}`)), '0.0.0.0');
  const [hostile, sane] = [await answer(`${'a'.repeat(60)}!`), await answer('well')];
  const down = new Set<string>();
  const checker = new ProbeRunner({
    ...{ concurrency: 100, programs: 1, prepare },
    onTransition: ({ label }, { up }) => up || down.add(label),
    onTrouble: () => {},
  });
  const add = (port: number, matches: string, address: string) => {
    const check = { ...HTTP, interval: 300, timeout: 250, fall: 1, body: { matches } };
    const of = probed(check, port, address);
    checker.add(of, unknown(of.id, true, Date.now()));
    return of.label;
  };
  for (let i = 1; i <= 20; i++) add(hostile, '^(a+)+$', `127.0.0.${i}`);
  const label = add(sane, 'well', '127.0.0.1');
  // Targets whose match is too slow go down one after the other; the last target must still be up after that. On a busy
  // machine matches that get no processor time are inconclusive too, so that half of the targets are enough.
  for (let waited = 0; down.size < 10 && waited < 60_000; waited += 100) await sleep(100);
  await sleep(500);
  checker.stop();
  assert.ok(down.size >= 10, `${down.size} are down`);
  assert.ok(!down.has(label));
});
