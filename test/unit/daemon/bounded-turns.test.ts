// SPDX-License-Identifier: MIT
// However many services there are, no turn of the daemon's event loop does more than a bounded part of the work for
// metrics and for the state file. Counted is work between two turns, not time.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { clockArgument, steady } from '../../../src/base/clock.ts';
import { EventLoopLag } from '../../../src/base/event-loop-lag.ts';
import { inTurns } from '../../../src/base/in-turns.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { ROWS, type StatsPart } from '../../../src/control/metrics/stats.ts';
import { Sampler } from '../../../src/daemon/control/sampler.ts';
import { type StatsParts, stats } from '../../../src/daemon/control/stats.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { virtualServices } from '../../../src/daemon/model/virtual-services.ts';
import { ReconcileCounts } from '../../../src/daemon/reconcile/counts.ts';
import { PARTS_A_TURN, readState, writeState } from '../../../src/daemon/state/file.ts';
import { ITEMS, jsonParts } from '../../../src/daemon/state/json-parts.ts';
import { unknown } from '../../../src/health/machine.ts';
import type { TargetState } from '../../../src/health/types.ts';
import type { FromWorker, ToWorker } from '../../../src/health/worker/messages.ts';
import { workerPath } from '../../../src/health/worker-path.ts';
import { closedPort, TCP } from '../../support/probes.ts';
import { config, realServer, service } from '../../support/specs.ts';

/** Counts turns of the event loop while `work` runs, and the steps in each. */
async function stepsOfTurns(work: (step: () => void) => Promise<unknown>): Promise<{ most: number; turns: number }> {
  let running = true;
  let [steps, most, turns] = [0, 0, 0];
  const turn = () => {
    turns++;
    steps = 0;
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  try {
    await work(() => {
      steps++;
      most = Math.max(most, steps);
    });
  } finally {
    running = false;
  }
  return { most, turns };
}

test('a loop in turns', async () => {
  const seen: number[] = [];
  const { most, turns } = await stepsOfTurns((step) =>
    inTurns(Array(100).keys(), 8, (item) => {
      seen.push(item);
      step();
    }),
  );
  assert.deepEqual(seen, [...Array(100).keys()]);
  assert.equal(most, 8);
  assert.ok(turns >= 12, `${turns} turns`);
});

const SERVICES = 1500;
const many = virtualServices(
  config(
    Array.from({ length: SERVICES }, (_, i) =>
      service(`s${i}`, [realServer(1), realServer(2)], {
        virtuals: [{ family: 2, address: Uint8Array.of(10, 99, i >> 8, i & 255), protocol: 'tcp', port: 80 }] as never,
      }),
    ),
  ),
);
const folder = mkdtempSync(join(tmpdir(), 'lvsd-turns-'));
after(() => rmSync(folder, { recursive: true }));

/** `stats` on a kernel that answers at once. `step`: the real servers of a service are read, or their states are. */
async function askStats(step: { read: () => void; state: () => void }): Promise<StatsPart[]> {
  const runtime = new RuntimeState();
  runtime.configure(many, 0);
  const reader = {
    features: async () => new Set(),
    serviceStatistics: async (table: { get: unknown }) => {
      table.get = () => 1;
    },
    destinationStatistics: async () => step.read(),
    localAddresses: async () => [],
    info: async () => ({ features: new Set() }),
    daemons: async () => [],
  };
  const lag = new EventLoopLag();
  const sent: StatsPart[] = [];
  const parts = {
    daemon: {
      runtime,
      config: { metrics: { detail: 'real_servers', maxSeries: 1e6, minInterval: 5000 } },
      reconciler: { backoff: { failures: new Map() }, paused: false, counts: new ReconcileCounts() },
    },
    kernel: { reader },
    sampler: new Sampler(reader as never),
    health: async () => ({
      size: 2,
      get: (id: string) => {
        step.state();
        return unknown(id, true, 0);
      },
    }),
    vrrp: { numbers: async () => ({ instances: [], lateness: [], transitions: [], pid: undefined, restarts: 0 }) },
    loader: { error: undefined, loadedAt: 0, file: '', digest: '', reloads: {} },
    events: new EventLog(),
    lag,
    logLinesDropped: () => 0,
    controlClients: () => ({}),
  };
  try {
    await stats(parts as unknown as StatsParts, {}, async (_, part) => void sent.push(part as StatsPart));
  } finally {
    lag.close();
  }
  return sent;
}

test('an answer to stats', async () => {
  let sent: StatsPart[] = [];
  const reading = await stepsOfTurns(async (read) => {
    sent = await askStats({ read, state: () => {} });
  });
  assert.ok(reading.most <= 64, `the real servers of ${reading.most} services in one turn`);
  assert.equal(
    sent.filter(({ table }) => table === 'realServers').reduce((sum, { rows }) => sum + rows.length, 0),
    3000,
  );
  assert.ok(sent.every(({ rows }) => rows.length <= ROWS));
  assert.ok(ROWS <= 200, 'parts of a size that was measured');
  // A row looks a state up at most three times.
  const rows = await stepsOfTurns((state) => askStats({ read: () => {}, state }));
  assert.ok(rows.most <= 3 * 2 * ROWS, `${rows.most} states in one turn`);
});

test('the state file', async () => {
  const path = join(folder, 'state');
  const health = Array.from({ length: 5000 }, (_, i) => unknown(`target ${i}`, true, i));
  const state = { services: [], overrides: [], quorum: [], leaving: [] };
  const { most, turns } = await stepsOfTurns((step) => {
    function* states(): Generator<TargetState> {
      for (const one of health) {
        step();
        yield one;
      }
    }
    return writeState(path, { ...state, health: { [Symbol.iterator]: states } });
  });
  assert.ok(
    most <= PARTS_A_TURN * ITEMS && turns >= 5000 / ITEMS / PARTS_A_TURN,
    `${most} states in one turn, ${turns} turns`,
  );
  // Texts: a difference of such long lists takes gigabytes.
  assert.equal(JSON.stringify((await readState(path)).state?.health), JSON.stringify(health));
});

test('a state file is as old as its content, however long it takes to write', async () => {
  const path = join(folder, 'slow.json');
  let began = Number.NaN;
  function* health(): Generator<TargetState> {
    began = uptime();
    for (const end = performance.now() + 100; performance.now() < end; );
    yield unknown('one', true, 0);
  }
  const state = { services: [], overrides: [], quorum: [], leaving: [] };
  await writeState(path, { ...state, health: { [Symbol.iterator]: health } });
  const [header = ''] = readFileSync(path, 'utf8').split('\n');
  assert.ok(JSON.parse(header).uptime <= began, header);
});

test('JSON in parts is the JSON', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.array(fc.integer(), { maxLength: 500, size: 'max' }))),
      (value) => {
        assert.equal([...jsonParts(value)].join(''), JSON.stringify(value));
      },
    ),
    { numRuns: 300 },
  );
  assert.equal([...jsonParts({ a: undefined, b: 1 })].join(''), '{"b":1}');
  const parts = [...jsonParts({ list: Array(3 * ITEMS + 1).fill('x') })];
  assert.ok(parts.every((part) => part.split('"x"').length - 1 <= ITEMS));
});

test('the health worker sends states in parts, on request, and only new ones', async () => {
  const worker = fork(workerPath('health'), [clockArgument()], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    const TARGETS = 700;
    const port = await closedPort();
    const numbers = Array.from({ length: TARGETS }, (_, i) => i + 1);
    const ask = async (request: number) => {
      const answer = new Promise<Extract<FromWorker, { type: 'states' }>>((resolve) => {
        worker.on('message', function listen(message: FromWorker) {
          if (message.type !== 'states' || message.request !== request) return;
          worker.off('message', listen);
          resolve(message);
        });
      });
      worker.send({ type: 'snapshot', request } satisfies ToWorker);
      return await answer;
    };
    worker.send({
      type: 'targets',
      concurrency: 100,
      // Each target is probed once within a second, and then not for an hour.
      checks: [{ ...TCP, interval: 1000, timeout: 500 }],
      add: numbers.map((number) => {
        const id = `target ${number}`;
        return { number, id, address: '127.0.0.1', port, check: 0, label: id, state: unknown(id, true, steady()) };
      }),
      remove: [],
    } satisfies ToWorker);
    const seen = new Set<number>();
    let parts = 0;
    for (let request = 1; seen.size < TARGETS; request++) {
      const { rows, last } = await ask(request);
      assert.ok(rows.length <= 200, `${rows.length} states in a part`);
      for (const [number] of rows) seen.add(number);
      if (rows.length > 0) parts++;
      if (last) await new Promise((resolve) => setTimeout(resolve, 400));
      assert.ok(request < 200);
    }
    assert.ok(parts >= Math.ceil(TARGETS / 200));
    // Asked twice, a state is sent once: what follows at once are results of the meantime.
    while (!(await ask(1000)).last);
    assert.ok((await ask(1001)).rows.length < TARGETS / 2);
    // All targets have new results before each part is asked for; the answer ends nevertheless.
    let asked = 0;
    do {
      await new Promise((resolve) => setTimeout(resolve, 1100));
      asked++;
    } while (!(await ask(2000)).last && asked < 10);
    assert.ok(asked <= Math.ceil(TARGETS / 200), `${asked} parts`);
  } finally {
    worker.kill('SIGKILL');
    await once(worker, 'exit');
  }
});
