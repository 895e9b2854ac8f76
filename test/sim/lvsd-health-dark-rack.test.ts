// SPDX-License-Identifier: MIT
// A rack goes dark in simulated time: 5,000 of 7,000 targets fall silent at once. Each is out within fall x interval +
// timeout, and no healthy one is checked late by more than an interval; with few descriptors healthy ones come first.
// test/unit/health/dark-rack.test.ts has the same counts with real sockets.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, unknown } from '../../src/health/machine.ts';
import { Heap, type HeapItem } from '../../src/health/schedule/heap.ts';
import { Schedule, type Slot } from '../../src/health/schedule/schedule.ts';
import { fraction } from '../../src/health/schedule/spread.ts';
import type { TargetState } from '../../src/health/types.ts';

const HEALTHY = 2000;
const SILENT = 5000;
const TIMING = { interval: 2000, timeout: 1000, lane: 'sockets' } as const;
const THRESHOLDS = { rise: 2, fall: 3 };
const PROMISED = THRESHOLDS.fall * TIMING.interval + TIMING.timeout;
/** Milliseconds between runs of the schedule, as in the worker: a start and a deadline are late by one each. */
const TICK = 20;
const ANSWER = 5;
const DARK = 20_000;
const END = 60_000;

interface Server {
  silent: boolean;
  slot: Slot<Server> | undefined;
  state: TargetState;
  lastStart: number;
  downAt: number | undefined;
}

interface Answer extends HeapItem {
  server: Server;
}

function run(limit: number) {
  const schedule = new Schedule<Server>({ sockets: limit, programs: 1 });
  const answers = new Heap<Answer>();
  const servers = Array.from({ length: HEALTHY + SILENT }, (_, index): Server => {
    const id = `10.${index >> 16}.${(index >> 8) & 255}.${index & 255} 80`;
    const state = unknown(id, true, 0);
    return { silent: index >= HEALTHY, slot: undefined, state, lastStart: 0, downAt: undefined };
  });
  for (const server of servers) server.slot = schedule.add(server, TIMING, fraction(server.state.id), 0);
  let latest = 0;
  /** Once each silent one has been silent once. */
  let latestThen = 0;
  const known = DARK + TIMING.interval + (SILENT / limit) * TIMING.timeout + TIMING.timeout;
  const end = (server: Server, ok: boolean, now: number) => {
    assert.ok(server.slot);
    schedule.finished(server.slot, now, !ok);
    server.state = next(server.state, { at: now, ok, reason: '', latency: 0 }, THRESHOLDS);
    if (!server.state.up) server.downAt ??= now;
  };
  for (let now = 0; now < END; now += TICK) {
    for (let first = answers.first; first && first.at <= now; first = answers.first) {
      answers.remove(first);
      end(first.server, true, now);
    }
    const { expired, started } = schedule.advance(now);
    for (const server of expired) end(server, false, now);
    for (const server of started) {
      if (!server.silent && server.lastStart > 0) {
        const late = now - server.lastStart - TIMING.interval;
        latest = Math.max(latest, late);
        if (server.lastStart > known) latestThen = Math.max(latestThen, late);
      }
      server.lastStart = now;
      if (!server.silent || now < DARK) answers.add({ at: now + ANSWER, index: -1, server });
    }
  }
  const out = servers.filter(({ downAt }) => downAt !== undefined);
  return { out, latest, latestThen, last: Math.max(...out.map(({ downAt = 0 }) => downAt - DARK)) };
}

test(`${HEALTHY} healthy and ${SILENT} silent targets: all silent ones are out in time, no healthy one is late`, (t) => {
  // LimitNOFILE=65536 of the unit, less an eighth.
  const { out, latest, last } = run(57_344);
  t.diagnostic(`last out ${last} ms after the rack went dark (promised ${PROMISED}), latest check ${latest} ms late`);
  assert.equal(out.length, SILENT);
  assert.ok(out.every(({ silent }) => silent));
  assert.ok(last <= PROMISED + 2 * TICK, `${last}`);
  assert.ok(latest <= TICK, `${latest}`);
});

test('with 1024 descriptors the silent ones are out later; once they are known, no healthy one is late', (t) => {
  const { out, latest, latestThen, last } = run(896);
  t.diagnostic(
    `last out ${last} ms after the rack went dark, latest check ${latest} ms late, later on ${latestThen} ms`,
  );
  assert.equal(out.length, SILENT);
  assert.ok(out.every(({ silent }) => silent));
  // Nobody knows at first which ones are silent: each of them takes a turn.
  assert.ok(latest <= (SILENT / 896) * TIMING.timeout, `${latest}`);
  assert.ok(latestThen < TIMING.timeout, `${latestThen}`);
});
