// SPDX-License-Identifier: MIT
// A reload changes only what differs: every key of the file, against the netlink requests that it causes.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { BASE, changed, INCLUDED, ROWS } from './keys.ts';
import { type Downloads, Site } from './site.ts';
import { Trace } from './trace.ts';

let site: Site;
let trace: Trace;
let downloads: Downloads;
/** The state with BASE, as the kernel, ipvsadm and ip show it. */
let table: string;
let rules: string[];
let addresses: string[];

before(async () => {
  site = new Site({ name: 'reload' });
  site.lvs.balancer.run('modprobe -a ip_vs_pe_sip ip_vs_sh ip_vs_lblc');
  writeFileSync(
    join(site.lvsd.dir, INCLUDED),
    'services:\n  more: { address: 10.99.0.17, port: 80, device: vip0, real_servers: [10.31.4.2] }\n',
  );
  await site.lvsd.start(BASE);
  trace = await Trace.open(site.lvs.balancer);
  table = site.table();
  rules = site.rules();
  addresses = site.addresses();
  downloads = await site.downloads('10.99.0.11', 8, 45);
});
after(async () => {
  trace?.close();
  await site?.close();
});

test('the same file again: no netlink write', async () => {
  assert.deepEqual(await site.lvsd.reload(), { operations: 0, failed: [], paused: false });
  assert.deepEqual(trace.take(), []);
});

describe('each key', () => {
  for (const { key, to, requests, refused } of ROWS) {
    test(key, async () => {
      try {
        const { failed } = await site.lvsd.reload(changed(BASE, to));
        assert.deepEqual(trace.take(), requests);
        if (refused) assert.match(failed.join('\n'), refused);
        else assert.deepEqual([...failed, ...(await site.lvsd.plan())], []);
      } finally {
        assert.deepEqual((await site.lvsd.reload(BASE)).failed, []);
        // A checked real server that is added again is not used before its first successful check.
        await until('the first table', () => site.table() === table);
        const back = trace.take();
        assert.equal(back.length > 0, requests.length > 0, back.join('\n'));
        assert.ok(!back.some((line) => line.includes('10.99.0.11')), back.join('\n'));
        assert.deepEqual(await site.lvsd.plan(), []);
      }
    });
  }
});

test('after all of them ipvsadm and ip show the first table', () => {
  assert.deepEqual(site.rules(), rules);
  assert.deepEqual(site.addresses(), addresses);
});

test('a service that the file does not name is left alone by manage: named and removed by manage: all', async () => {
  site.ipvsadm('-A -t 10.99.0.99:99 -s rr');
  site.ipvsadm('-a -t 10.99.0.99:99 -r 10.31.4.2:99 -m');
  trace.take();
  assert.deepEqual(await site.lvsd.reload(BASE), { operations: 0, failed: [], paused: false });
  assert.deepEqual(trace.take(), []);
  await site.lvsd.reload({ ...BASE, manage: 'all' });
  assert.deepEqual(trace.take(), ['DEL_SERVICE tcp 10.99.0.99:99']);
});

test('an invalid file changes nothing, and the error names its position', async () => {
  await site.lvsd.reload(BASE);
  trace.take();
  const wrong = `version: 1
services:
  web:
    address: 10.99.0.11
    port: 80
    sheduler: rr
    real_servers: [10.31.4.2:80, 10.31.4.999:80]
  plain: { address: 10.99.0.12, port: 70000, real_servers: [] }
`;
  site.lvsd.write(wrong);
  const errors = [/lvsd\.yaml:6:5: .*sheduler.*scheduler/, /lvsd\.yaml:7:34: /, /lvsd\.yaml:8:39: .*70000/];
  const ctl = await site.lvsd.ctl('reload');
  assert.equal(ctl.status, 2, ctl.stderr);
  for (const line of errors) assert.match(ctl.stderr, line);
  process.kill(site.lvsd.pid, 'SIGHUP');
  const before = site.lvsd.log.length;
  for (let waited = 0; !/lvsd\.yaml:8:39/.test(site.lvsd.log.slice(before)) && waited < 100; waited++)
    await new Promise((done) => setTimeout(done, 100));
  for (const line of errors) assert.match(site.lvsd.log.slice(before), line);
  assert.deepEqual(trace.take(), []);
  assert.deepEqual(site.rules(), rules);
  assert.deepEqual(site.addresses(), addresses);
  assert.match((await site.lvsd.status()).reloadError ?? '', /lvsd\.yaml:6:5/);
  // Starting with this file changes nothing either.
  const start = await site.lvsd.run('lvsd', 'run', '-f', site.lvsd.file, '--socket', '/run/other.sock');
  assert.equal(start.status, 2, start.stderr);
  for (const line of errors) assert.match(start.stderr, line);
  assert.deepEqual(trace.take(), []);
  assert.deepEqual(await site.lvsd.reload(BASE), { operations: 0, failed: [], paused: false });
});

test('signals that keepalived has are logged and have no effect, and none opens a debugger', async () => {
  const before = site.lvsd.log.length;
  const lines = () => site.lvsd.log.slice(before).match(/received SIGUSR[12], which has no effect/g) ?? [];
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.kill(site.lvsd.pid, signal);
  for (let waited = 0; lines().length < 2 && waited < 100; waited++) await new Promise((done) => setTimeout(done, 100));
  assert.equal(lines().length, 2, site.lvsd.log.slice(before));
  assert.doesNotMatch(site.lvsd.log, /debugger|inspector/i);
  assert.deepEqual(site.rules(), rules);
});

test('downloads over the unchanged service are complete', async () => {
  assert.equal(await downloads.whole(), 'whole');
});
