// SPDX-License-Identifier: MIT
// A burst of events with three followers over the control socket, one of which sleeps: each gets every event once, in
// order, without a gap; what the daemon keeps in memory is bounded.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ControlClient } from '../../../src/control/client.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { isGap } from '../../../src/control/events/types.ts';
import { FileEventStore } from '../../../src/daemon/state/event-store.ts';
import { fakeDaemon } from './daemon.ts';

const COUNT = process.env.LVSD_COUNTS === 'full' ? 40_000 : 10_000;
const KEPT = 1000;
const folder = mkdtempSync(join(tmpdir(), 'lvsd-followers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a burst, two followers that read and one that sleeps', { timeout: 120_000 }, async () => {
  const events = new EventLog(KEPT);
  events.attach(new FileEventStore(join(folder, 'events'), { onProblem: (text) => assert.fail(text) }));
  using daemon = fakeDaemon({}, { events });
  const add = (index: number) =>
    events.add('real_server.down', 'warning', `server ${index} is down`, { service: 'shop', server: `web${index}` });
  add(0);
  /** Numbers that a follower got, until the last. `first`: called after the first event, which it waits for. */
  const follow = async (first: () => Promise<void> | void): Promise<number[]> => {
    const client = await ControlClient.open(daemon.path);
    const found: number[] = [];
    try {
      for await (const item of client.events({ follow: true })) {
        assert.ok(!isGap(item), `a gap: ${JSON.stringify(item)}`);
        found.push(item.sequence);
        if (found.length === 1) await first();
        if (found.length === COUNT + 1) break;
      }
    } finally {
      client.close();
    }
    return found;
  };
  let ready = 0;
  let wake = () => {};
  const asleep = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const burst = () => {
    if (++ready < 3) return;
    for (let i = 1; i <= COUNT; i++) add(i);
  };
  const sleeper = follow(() => {
    burst();
    return asleep;
  });
  const awake = await Promise.all([follow(burst), follow(burst)]);
  assert.ok(events.since().length < 2 * KEPT, `${events.since().length} in memory`);
  wake();
  const expected = Array.from({ length: COUNT + 1 }, (_, index) => index + 1);
  for (const found of [...awake, await sleeper]) assert.deepEqual(found, expected);
  events.close();
});
