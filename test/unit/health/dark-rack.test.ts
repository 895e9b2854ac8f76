// SPDX-License-Identifier: MIT
// Thousands of targets become silent at once, beside others that answer.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { AF_INET } from '../../../src/base/addresses.ts';
import { SILENT_LOG } from '../../../src/base/log.ts';
import { native } from '../../../src/base/native.ts';
import { socketAddress } from '../../../src/base/socket-address.ts';
import { HealthMonitor } from '../../../src/health/monitor.ts';
import { serve, TCP, target } from '../../support/probes.ts';

const CHECK = { ...TCP, interval: 2000, timeout: 1000, rise: 2, fall: 3 };
/** fall x interval + timeout, in milliseconds. */
const PROMISED = 7000;

const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing) await close();
});

/** A listener on every address whose queue is full: the kernel drops each SYN. */
async function silentPort(): Promise<number> {
  const any = socketAddress('0.0.0.0', 0);
  assert.ok(any);
  const server = new (native().Socket)(AF_INET, 1, 6);
  server.bind(any.bytes);
  server.listen(0);
  const port = server.getsockname().readUInt16BE(2);
  const fillers = [0, 1, 2].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  closing.push(() => {
    for (const filler of fillers) filler.destroy();
    server.close();
  });
  await pause(100);
  return port;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function rack(silent: number, healthy: number, concurrency: number) {
  const monitor = new HealthMonitor({ concurrency, log: SILENT_LOG });
  closing.push(() => monitor.stop());
  const targets = (count: number, port: number) =>
    Array.from({ length: count }, (_, i) => target(CHECK, port, `127.1.${(i >> 8) & 255}.${i & 255}`));
  const dark = targets(silent, await silentPort());
  const well = targets(healthy, await serve(() => {}, '0.0.0.0'));
  const down = new Map<string, number>();
  const started = performance.now();
  monitor.onTransition(({ id }) => down.set(id, performance.now() - started));
  /** Milliseconds in which the process could not run, which do not count. */
  let lost = 0;
  let waited = 0;
  const look = setInterval(() => {
    lost += monitor.load.lost;
    waited = Math.max(waited, monitor.load.longestWait);
  }, 1000);
  closing.push(() => clearInterval(look));
  monitor.configure([...well, ...dark]);
  return {
    dark,
    well,
    down,
    get lost() {
      return lost;
    },
    get waited() {
      return waited;
    },
    probes: async () => {
      const states = await monitor.states();
      return well.map(({ id }) => states.get(id)?.probes ?? 0);
    },
    stop: () => monitor.stop(),
  };
}

test('5000 silent of 7000 targets go down in time, and no check waits', async () => {
  const { dark, well, down, ...site } = await rack(5000, 2000, 65536);
  for (let i = 0; i < 60 && down.size < dark.length; i++) await pause(500);
  assert.ok(dark.every(({ id }) => down.has(id)));
  assert.ok(!well.some(({ id }) => down.has(id)), 'a healthy one is down');
  const last = Math.max(...down.values());
  // On an idle machine about two seconds more than promised, because the process has to start; more on a busy one. With
  // 512 probes at once only a quarter are down after 24 s.
  assert.ok(last < 2.5 * PROMISED + 2 * site.lost, `the last one was out after ${last} ms, ${site.lost} ms were lost`);
  assert.ok(site.waited < CHECK.interval, `a check waited ${site.waited} ms for its turn`);
  await site.stop();
});

test('beyond the limit of concurrent probes, healthy targets are probed in time', async () => {
  const { well, down, ...site } = await rack(900, 300, 150);
  // At 150 a second each silent target has failed once by then.
  await pause(8000);
  const [before, lost] = [await site.probes(), site.lost];
  await pause(4 * CHECK.interval);
  const after = await site.probes();
  const missed = 1 + Math.ceil((site.lost - lost) / CHECK.interval);
  const late = well.filter((_, i) => (after[i] ?? 0) - (before[i] ?? 0) < 4 - missed);
  assert.equal(late.length, 0, `${late.length} of ${well.length} were checked too rarely`);
  assert.ok(!well.some(({ id }) => down.has(id)), 'a healthy one is down');
  await site.stop();
});
