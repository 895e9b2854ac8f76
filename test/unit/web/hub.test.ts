// SPDX-License-Identifier: MIT
// The hub of the page: when it asks the daemon, and when it wakes its viewers.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { READ_ONLY } from '../../../src/control/methods.ts';
import type { Handlers } from '../../../src/control/server.ts';
import { Hub } from '../../../src/web/page/hub.ts';
import { fakeDaemon } from '../control/daemon.ts';
import { fleet, made } from './fleet.ts';

let daemon: ReturnType<typeof fakeDaemon>;
let hub: Hub;

function start(handlers: Partial<Handlers> = {}): void {
  daemon = fakeDaemon({ ...fleet(made(3)), ...handlers }, { methods: READ_ONLY });
  hub = new Hub(daemon.path);
}

afterEach(() => {
  hub.close();
  daemon.server.close();
});

/** Waits for a wake after which `is` holds. */
const woken = (is: () => boolean) =>
  new Promise<void>((resolve) => {
    hub.watch(undefined, () => is() && resolve());
  });

test('answers go on while events keep coming', { timeout: 20_000 }, async () => {
  start();
  const events = setInterval(() => daemon.events.add('table.drift', 'warning', 'x'), 50);
  const snapshots = new Set();
  await woken(() => snapshots.add(hub.snapshot).size >= 4 && hub.events.length > 0);
  clearInterval(events);
});

test('an event wakes viewers before the next answer', { timeout: 20_000 }, async () => {
  let answers = 0;
  const { stats } = fleet(made(3));
  start({
    // The second answer never comes.
    stats: (...given) => (answers++ === 0 ? stats(...given) : new Promise(() => {})),
  });
  await woken(() => hub.snapshot !== undefined);
  const seen = woken(() => hub.events.some(({ event }) => event.text === 'x'));
  daemon.events.add('table.drift', 'warning', 'x');
  await seen;
  assert.ok(answers <= 2);
});
