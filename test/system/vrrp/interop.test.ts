// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// lvsd's VRRP process and keepalived as a pair: each as master, in each mode, through a stop, a kill, a lost link and a
// return.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, test } from 'node:test';
import { MODES, type Node, Pair } from './pair.ts';

const full = process.env.LVSD_COUNTS === 'full';
/** Each mode takes a minute on an emulated CPU. */
const QUICK = ['version 2, password', 'version 3, 100 ms', 'version 3, IPv6', 'version 3, unicast'];
const pairs: Pair[] = [];
after(async () => {
  for (const pair of pairs) await pair.destroy();
});

// The pairs mostly wait for timers, so they run at the same time.
describe('interop with keepalived', { concurrency: 3 }, () => {
  for (const [number, mode] of MODES.entries()) {
    if (!full && !QUICK.includes(mode.name)) continue;
    test(`${mode.name}: lvsd and keepalived take over from each other`, async () => {
      const pair = new Pair(mode, number);
      pairs.push(pair);
      const { lvsd, keepalived } = pair;
      // Each start of a node takes seconds on an emulated CPU.
      const signals = full || mode.name.endsWith('100 ms') ? (['SIGTERM', 'SIGKILL'] as const) : (['SIGTERM'] as const);
      const endCapture = await pair.capture();
      await keepalived.start(100);
      await pair.settles(keepalived);
      await lvsd.start(150);
      await pair.settles(lvsd);
      const both: [Node, Node, number][] = [
        [lvsd, keepalived, 150],
        [keepalived, lvsd, 200],
      ];
      for (const [master, backup, priority] of both) {
        if (master === keepalived) {
          await keepalived.end('SIGTERM');
          await keepalived.start(priority);
          await pair.settles(keepalived);
        }
        for (const signal of signals) {
          await master.end(signal);
          await pair.settles(backup);
          await master.start(priority);
          await pair.settles(master);
        }
        master.namespace.ip('link set eth0 down');
        await pair.settles(backup);
        master.namespace.ip('link set eth0 up');
        await pair.settles(master);
      }
      const { counters } = await lvsd.status();
      const rejected = Object.keys(counters).filter((name) => name.startsWith('rejected'));
      assert.deepEqual(rejected, [], JSON.stringify(counters));
      assert.ok((counters.received ?? 0) > 0 && (counters.sent ?? 0) > 0);
      checkAdverts(await endCapture(), mode.version);
    });
  }
});

/** Asserts that tshark decodes every advert, with a correct checksum and without a remark. */
function checkAdverts(path: string, version: number): void {
  const fields = ['vrrp.version', 'vrrp.checksum.status', 'vrrp.prio', '_ws.expert.message'];
  const { status, stdout, stderr } = spawnSync(
    'tshark',
    [
      '-r',
      path,
      '-o',
      'ip.check_checksum:TRUE',
      '-Y',
      'vrrp',
      '-T',
      'fields',
      ...fields.flatMap((name) => ['-e', name]),
    ],
    { encoding: 'utf8', maxBuffer: 64 << 20 },
  );
  assert.equal(status, 0, stderr);
  const lines = stdout.split('\n').filter(Boolean);
  assert.ok(lines.length > 20, `${lines.length} adverts`);
  const wrong = lines.filter((line) => !/^(\d)\t1\t\d+\t$/.test(line) || !line.startsWith(String(version)));
  assert.deepEqual(wrong, []);
  assert.ok(
    lines.some((line) => line.split('\t')[2] === '0'),
    'priority 0 was seen',
  );
}
