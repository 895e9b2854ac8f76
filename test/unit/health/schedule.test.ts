// SPDX-License-Identifier: MIT
// The schedule and the pace, on a simulated clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GRACE, Pace } from '../../../src/health/schedule/pace.ts';
import { Schedule, type Timing } from '../../../src/health/schedule/schedule.ts';
import { fraction, nextSlot } from '../../../src/health/schedule/spread.ts';

const timing = (more: Partial<Timing> = {}): Timing => ({
  interval: 1000,
  timeout: 400,
  lane: 'sockets',
  ...more,
});
const schedule = (sockets = 10, programs = 1) => new Schedule<string>({ sockets, programs });

test('a target is probed at its place in each interval', () => {
  const plan = schedule();
  const slot = plan.add('a', timing(), 0.25, 0);
  for (const at of [250, 1250, 2250]) {
    assert.equal(plan.wake, at);
    assert.deepEqual(plan.advance(at - 1).started, []);
    assert.deepEqual(plan.advance(at).started, ['a']);
    assert.deepEqual(plan.advance(at).started, [], 'not twice at once');
    plan.finished(slot, at + 300);
  }
  assert.equal(schedule().add('a', timing(), 0.25, 250).at, 1250, 'its first place is after it was added');
});

test('a restart leaves a target its place in the interval', () => {
  const at = (start: number) => {
    const pace = new Pace(77, start);
    assert.equal(pace.now(77), start);
    return schedule().add('a', timing({ interval: 60_000 }), fraction('a'), pace.now(87)).at;
  };
  const first = at(1_764_000_000_123);
  const second = at(1_764_000_000_123 + 20_000);
  const third = at(1_764_000_000_123 + 50_000);
  assert.equal((second - first) % 60_000, 0);
  assert.equal((third - first) % 60_000, 0);
  assert.ok(third - 1_764_000_050_123 <= 60_000);
});

test('an expired probe is reported once, and runs until it has ended', () => {
  const plan = schedule();
  const slot = plan.add('a', timing({ timeout: 1000 }), 0, 0);
  assert.deepEqual(plan.advance(1000).started, ['a']);
  assert.equal(plan.wake, 2000);
  assert.deepEqual(plan.advance(2000), { expired: ['a'], started: [] });
  assert.deepEqual(plan.advance(2100), { expired: [], started: [] });
  assert.equal(plan.running, 1);
  plan.finished(slot, 2100);
  assert.deepEqual(plan.advance(2100).started, ['a'], 'a place missed by less than half an interval is made up for');
  plan.finished(slot, 3900);
  assert.equal(plan.wake, 4000, 'one missed by more is not');
});

test('beyond the limit, targets wait in the order in which they became due', () => {
  const plan = schedule(2);
  const slots = ['a', 'b', 'c', 'd'].map((name, i) => plan.add(name, timing(), i / 10, -1));
  assert.deepEqual(plan.advance(999).started, ['a', 'b']);
  assert.deepEqual([plan.queued, plan.running], [2, 2]);
  plan.longestWait = 0;
  assert.equal(plan.wake, 1399, 'the next deadline');
  plan.finished(slots[1] ?? assert.fail(), 1000);
  assert.equal(plan.wake, Number.NEGATIVE_INFINITY);
  assert.deepEqual(plan.advance(1000).started, ['c']);
  assert.equal(plan.longestWait, 800);
  assert.equal(plan.remove(slots[3] ?? assert.fail()), false);
  plan.finished(slots[0] ?? assert.fail(), 1001);
  assert.deepEqual(
    plan.advance(1001).started,
    ['a'],
    'd was removed, and a has missed its place by less than half an interval',
  );
});

test('programs have a limit of their own', () => {
  const plan = schedule(1, 1);
  for (const name of ['a', 'b']) plan.add(name, timing(), 0.25, 0);
  for (const name of ['p', 'q']) plan.add(name, timing({ lane: 'programs' }), 0.25, 0);
  assert.equal(plan.advance(250).started.length, 2);
  assert.deepEqual([plan.running, plan.queued], [2, 2]);
});

test('a target removed during its probe frees its place when the probe has ended', () => {
  const plan = schedule(1);
  const slot = plan.add('a', timing(), 0.25, 0);
  plan.add('b', timing(), 0.25, 0);
  plan.advance(250);
  assert.equal(plan.remove(slot), true);
  assert.deepEqual(plan.advance(600).started, []);
  plan.finished(slot, 700);
  assert.deepEqual(plan.advance(700).started, ['b']);
  assert.equal(plan.running, 1);
});

test('places are spread evenly, also for similar ids, and stay the same', () => {
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const place = Math.floor(10 * fraction(`10.0.${i >> 8}.${i & 255} 80`));
    counts[place] = (counts[place] ?? 0) + 1;
  }
  assert.ok(Math.max(...counts) < 1150 && Math.min(...counts) > 850, counts.join(' '));
  assert.equal(fraction('shop'), fraction('shop'));
});

test('the next slot is after now and at most an interval away, for small and large numbers', () => {
  for (const interval of [100, 333.3, 86_400_000])
    for (const now of [0, 1, 99.999, 1e6, 31_536_000_000, 31_536_000_000.7]) {
      const slot = nextSlot(0.37 * interval, interval, now);
      assert.ok(slot > now && slot <= now + interval * (1 + 1e-9), `${interval} ${now} ${slot}`);
      assert.ok(nextSlot(slot, interval, slot) > slot);
    }
});

test('time in which the process did not run does not count', () => {
  const pace = new Pace(1000);
  assert.equal(pace.now(1050), 50);
  assert.equal(pace.sleepUntil(550), 500);
  assert.equal(pace.now(1550), 550, 'woken in time');
  pace.sleepUntil(560);
  assert.equal(pace.now(31_560), 560 + GRACE, 'stopped for thirty seconds');
  assert.equal(pace.lost, 30_000 - GRACE);
  assert.equal(pace.now(31_570), 570 + GRACE);
  pace.sleepUntil(pace.now(31_570) + 1000);
  assert.equal(pace.now(31_600), 600 + GRACE, 'woken early by a probe that ended');
  assert.equal(pace.now(31_500), 600 + GRACE, 'a clock that goes back is ignored');
});
