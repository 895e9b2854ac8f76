// SPDX-License-Identifier: MIT
// A year of 1,000 targets in 250 services: outages, bursts of lost probes, single lost probes, restarts of the daemon.
// Probes of quiet hours are counted instead of made; a separate test shows that this changes no result.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, resumed, unknown } from '../../src/health/machine.ts';
import { nextQuorum } from '../../src/health/quorum.ts';
import { fraction, nextSlot } from '../../src/health/schedule/spread.ts';
import type { TargetState } from '../../src/health/types.ts';
import { instants, pick, type Random, seeded } from './random.ts';
import { DAY, makeTruth, SECOND, type Span, type Truth, Walk } from './truth.ts';

const SEED = 20_260;
const TARGETS = 1000;
const PER_SERVICE = 4;

interface Check {
  interval: number;
  timeout: number;
  rise: number;
  fall: number;
}

interface Turn {
  at: number;
  up: boolean;
}

interface History {
  check: Check;
  turns: Turn[];
  state: TargetState;
  /** Probes that were made rather than counted. */
  steps: number;
}

function makeCheck(random: Random): Check {
  const interval = pick(random, [SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND]);
  return { interval, timeout: interval / 2, rise: pick(random, [1, 2, 3]), fall: pick(random, [1, 2, 3, 5]) };
}

/** The daemon is away from `from` to `to`; its grid of places in time is a new one afterwards. */
function makeRestarts(random: Random, end: number): Span[] {
  return instants(random, 20 * DAY, end).map((from) => ({ from, to: from + SECOND * (0.2 + 60 * random() ** 4) }));
}

/** One target's life; every probe's consequences are checked as it goes. */
function live(
  id: string,
  check: Check,
  truth: Truth,
  restarts: readonly Span[],
  random: Random,
  end: number,
  skip: boolean,
): History {
  const walk = new Walk(truth, random);
  let state = unknown(id, true, 0);
  const turns: Turn[] = [];
  let steps = 0;
  // Whole milliseconds: sums of them are exact.
  const place = Math.floor(fraction(id) * check.interval);
  let offset = place;
  let restart = 0;
  /** Results of one kind in a row, counted here on its own. */
  let row = { ok: true, length: 0 };
  /** From when the target did not answer and the daemon was there to see it. */
  let deafSince: number | undefined;
  let hearsSince: number | undefined;

  for (let at = offset; at < end; at = nextSlot(offset, check.interval, at)) {
    const away = restarts[restart];
    if (away && at >= away.from) {
      restart++;
      offset = Math.ceil(away.to) + place;
      at = offset;
      // As after any restart: from the state file, and whatever lay too long in between says nothing.
      state = resumed(state, away.to, check);
      if (state.streak === 0) row = { ok: state.up, length: 0 };
      if (deafSince !== undefined) deafSince = away.to;
      if (hearsSince !== undefined) hearsSince = away.to;
      if (at >= end) break;
    }
    const ok = walk.probe(at);
    steps++;
    const before = state;
    const took = ok ? 1 : check.timeout;
    state = next(before, { at: at + took, ok, reason: '', latency: took }, check);
    row = { ok, length: row.ok === ok ? row.length + 1 : 1 };
    if (ok) {
      hearsSince ??= at - check.interval;
      deafSince = undefined;
    } else {
      deafSince ??= at - check.interval;
      hearsSince = undefined;
    }

    const needed = before.up ? check.fall : check.rise;
    if (state.up !== before.up) {
      assert.ok(row.ok === state.up && row.length >= needed, `${id} turned after ${row.length} of ${needed} at ${at}`);
      turns.push({ at: state.since, up: state.up });
    }
    // Never in service longer than its fall time after it went deaf, nor out longer than its rise time after it answers.
    if (deafSince !== undefined && state.up)
      assert.ok(
        at + took < deafSince + check.fall * check.interval + check.timeout,
        `${id} serves though deaf since ${deafSince}`,
      );
    if (hearsSince !== undefined && !state.up)
      assert.ok(
        at + took < hearsSince + check.rise * check.interval + check.timeout,
        `${id} is out though well since ${hearsSince}`,
      );

    if (!skip || state.streak > 0 || state.up !== ok) continue;
    // The machine stands still as long as results do not change.
    const until = Math.min(walk.calmUntil(at), restarts[restart]?.from ?? Infinity, end);
    const quiet = Math.floor((until - at) / check.interval) - 1;
    if (quiet < 1) continue;
    at += quiet * check.interval;
    const last = { at: at + took, ok, reason: '', latency: took };
    state = { ...state, probes: state.probes + quiet, failures: state.failures + (ok ? 0 : quiet), last };
    row.length += quiet;
    if (deafSince !== undefined) deafSince = at - check.interval;
    if (hearsSince !== undefined) hearsSince = at - check.interval;
  }
  return { check, turns, state, steps };
}

/** Quorums over the turns of a service's targets, against the rule in its own words. */
function watchQuorum(histories: readonly History[], random: Random): number {
  const weights = histories.map(() => pick(random, [0, 1, 1, 1, 3]));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const quorum = 1 + Math.floor(random() * Math.max(1, total));
  const hysteresis = Math.floor(random() * quorum);
  const up = histories.map(() => true);
  const events = histories
    .flatMap(({ turns }, index) => turns.map((turn) => ({ ...turn, index })))
    .sort((a, b) => a.at - b.at);
  let holds = nextQuorum(undefined, total, quorum, hysteresis);
  assert.equal(holds, total > 0 && total >= quorum);
  let changes = 0;
  for (const event of events) {
    assert.notEqual(up[event.index], event.up, 'each turn is a turn');
    up[event.index] = event.up;
    const weight = weights.reduce((sum, each, index) => sum + (up[index] ? each : 0), 0);
    const before = holds;
    holds = nextQuorum(before, weight, quorum, hysteresis);
    if (weight === 0 || weight < quorum - hysteresis) assert.ok(!holds);
    else if (weight >= quorum + hysteresis) assert.ok(holds);
    else assert.equal(holds, before, 'in between it stays as it was');
    if (holds !== before) changes++;
  }
  return changes;
}

test('a year of 1,000 targets', () => {
  const random = seeded(SEED);
  const end = 365 * DAY;
  const restarts = makeRestarts(random, end);
  const sum = { probes: 0, steps: 0, turns: 0, quorumChanges: 0, outages: 0 };
  let service: History[] = [];
  for (let i = 0; i < TARGETS; i++) {
    const truth = makeTruth(random, end);
    const history = live(`10.0.${i >> 8}.${i & 255} 80`, makeCheck(random), truth, restarts, random, end, true);
    sum.probes += history.state.probes;
    sum.steps += history.steps;
    sum.turns += history.turns.length;
    sum.outages += truth.outages.length;
    service.push(history);
    if (service.length < PER_SERVICE) continue;
    sum.quorumChanges += watchQuorum(service, random);
    service = [];
  }
  // A year is a year: no probe was forgotten, and what was to be seen happened.
  assert.ok(
    sum.probes > 5e9 && sum.turns > 20_000 && sum.quorumChanges > 2000 && sum.outages > 20_000,
    JSON.stringify(sum),
  );
});

test('single lost probes change no state if fall is more than one', () => {
  const random = seeded(SEED + 1);
  const end = 30 * DAY;
  for (let i = 0; i < 100; i++) {
    const check = { ...makeCheck(random), fall: pick(random, [2, 3, 5]) };
    const all = instants(random, DAY / 10, end);
    const losses = all.filter((at, index) => index === 0 || at - (all[index - 1] ?? 0) > 3 * check.interval);
    const { turns } = live(
      `t${i}`,
      check,
      { outages: [], storms: [], losses },
      makeRestarts(random, end),
      random,
      end,
      true,
    );
    assert.deepEqual(turns, []);
  }
});

test('skipping the probes of quiet hours changes no result', () => {
  for (let i = 0; i < 40; i++) {
    const make = (skip: boolean): History => {
      const random = seeded(SEED + 2 + i);
      const end = 4 * DAY;
      const restarts = instants(random, DAY / 4, end).map((from) => ({ from, to: from + 5 * SECOND }));
      const truth = makeTruth(random, end, 50);
      return live(`t${i}`, makeCheck(random), truth, restarts, random, end, skip);
    };
    const [each, counted] = [make(false), make(true)];
    assert.ok(counted.steps < each.steps);
    assert.deepEqual(counted.turns, each.turns);
    assert.equal(counted.state.probes, each.state.probes);
    assert.equal(counted.state.failures, each.state.failures);
  }
});
