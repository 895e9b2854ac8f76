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

/** Restarts: the daemon is down from `from` to `to`, and has a new schedule afterwards. */
function makeRestarts(random: Random, end: number): Span[] {
  return instants(random, 20 * DAY, end).map((from) => ({ from, to: from + SECOND * (0.2 + 60 * random() ** 4) }));
}

/** Simulates one target, and checks the state after every probe. */
function simulate(
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
  /** Since when the target has not answered (or has answered) while the daemon ran. */
  let silentSince: number | undefined;
  let answersSince: number | undefined;

  for (let at = offset; at < end; at = nextSlot(offset, check.interval, at)) {
    const away = restarts[restart];
    if (away && at >= away.from) {
      restart++;
      offset = Math.ceil(away.to) + place;
      at = offset;
      // As after any restart: from the state file; results before a long pause do not count.
      state = resumed(state, away.to, check);
      if (state.streak === 0) row = { ok: state.up, length: 0 };
      if (silentSince !== undefined) silentSince = away.to;
      if (answersSince !== undefined) answersSince = away.to;
      if (at >= end) break;
    }
    const ok = walk.probe(at);
    steps++;
    const before = state;
    const took = ok ? 1 : check.timeout;
    state = next(before, { at: at + took, ok, reason: '', latency: took }, check);
    row = { ok, length: row.ok === ok ? row.length + 1 : 1 };
    if (ok) {
      answersSince ??= at - check.interval;
      silentSince = undefined;
    } else {
      silentSince ??= at - check.interval;
      answersSince = undefined;
    }

    const needed = before.up ? check.fall : check.rise;
    if (state.up !== before.up) {
      assert.ok(row.ok === state.up && row.length >= needed, `${id} changed after ${row.length} of ${needed} at ${at}`);
      turns.push({ at: state.since, up: state.up });
    }
    // Up at most for the fall time after it stopped answering, down at most for the rise time after it answers again.
    if (silentSince !== undefined && state.up)
      assert.ok(
        at + took < silentSince + check.fall * check.interval + check.timeout,
        `${id} is up without an answer since ${silentSince}`,
      );
    if (answersSince !== undefined && !state.up)
      assert.ok(
        at + took < answersSince + check.rise * check.interval + check.timeout,
        `${id} is down with answers since ${answersSince}`,
      );

    if (!skip || state.streak > 0 || state.up !== ok) continue;
    // The state does not change as long as the results do not.
    const until = Math.min(walk.calmUntil(at), restarts[restart]?.from ?? Infinity, end);
    const quiet = Math.floor((until - at) / check.interval) - 1;
    if (quiet < 1) continue;
    at += quiet * check.interval;
    const last = { at: at + took, ok, reason: '', latency: took };
    state = { ...state, probes: state.probes + quiet, failures: state.failures + (ok ? 0 : quiet), last };
    row.length += quiet;
    if (silentSince !== undefined) silentSince = at - check.interval;
    if (answersSince !== undefined) answersSince = at - check.interval;
  }
  return { check, turns, state, steps };
}

/** Checks the quorum of a service over the transitions of its targets; the number of changes. */
function checkQuorum(histories: readonly History[], random: Random): number {
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
    assert.notEqual(up[event.index], event.up, 'each transition changes the state');
    up[event.index] = event.up;
    const weight = weights.reduce((sum, each, index) => sum + (up[index] ? each : 0), 0);
    const before = holds;
    holds = nextQuorum(before, weight, quorum, hysteresis);
    if (weight === 0 || weight < quorum - hysteresis) assert.ok(!holds);
    else if (weight >= quorum + hysteresis) assert.ok(holds);
    else assert.equal(holds, before, 'between the limits it keeps its state');
    if (holds !== before) changes++;
  }
  return changes;
}

test('in a year of 1,000 targets every state and quorum follows the rules', () => {
  const random = seeded(SEED);
  const end = 365 * DAY;
  const restarts = makeRestarts(random, end);
  const sum = { probes: 0, steps: 0, turns: 0, quorumChanges: 0, outages: 0 };
  let service: History[] = [];
  for (let i = 0; i < TARGETS; i++) {
    const truth = makeTruth(random, end);
    const history = simulate(`10.0.${i >> 8}.${i & 255} 80`, makeCheck(random), truth, restarts, random, end, true);
    sum.probes += history.state.probes;
    sum.steps += history.steps;
    sum.turns += history.turns.length;
    sum.outages += truth.outages.length;
    service.push(history);
    if (service.length < PER_SERVICE) continue;
    sum.quorumChanges += checkQuorum(service, random);
    service = [];
  }
  // The year had all of its probes and enough events.
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
    const { turns } = simulate(
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
      return simulate(`t${i}`, makeCheck(random), truth, restarts, random, end, skip);
    };
    const [each, counted] = [make(false), make(true)];
    assert.ok(counted.steps < each.steps);
    assert.deepEqual(counted.turns, each.turns);
    assert.equal(counted.state.probes, each.state.probes);
    assert.equal(counted.state.failures, each.state.failures);
  }
});
